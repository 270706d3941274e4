"""pytest's configuration, found and read exactly as pytest 9 finds and reads it, without running it.

pytest looks at seven files in each directory, from where it is started upwards; the first that
counts wins and nothing merges. Words of ``addopts`` and ``PYTEST_ADDOPTS`` count as its command
line (https://docs.pytest.org/en/stable/reference/customize.html).
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

from asynclint.project.pytest_files import BrokenConfigError, Table, search

_VARIABLES = ("PYTEST_ADDOPTS", "PYTEST_TIMEOUT", "PYTEST_DISABLE_PLUGIN_AUTOLOAD")
_NO_AUTOLOAD = "--disable-plugin-autoload"
_TRUE = frozenset({"1", "on", "t", "true", "y", "yes"})  # what pytest takes for true in an ini file
_PLUGIN = "-p"
_OVERRIDE = ("-o", "--override-ini")
_WARNINGS = ("-W", "--pythonwarnings")
_OPTIONS = ("--timeout", "--timeout-method", "--timeout_method", "--asyncio-mode", "--anyio-mode")


class Setting(NamedTuple):
    """One effective value; seconds where it is a float.

    ``source`` says where it was found in the words of a report: ``tox.ini [pytest] timeout``,
    ``PYTEST_TIMEOUT``. ``path`` is the file, None for an environment variable.
    """

    value: float | str
    source: str
    path: Path | None


@dataclass(frozen=True, slots=True)
class CommandLine:
    """What ``addopts`` and ``PYTEST_ADDOPTS`` say together; the later word wins.

    ``options`` are by name (``--timeout``), ``overrides`` the values of ``-o name=value``,
    ``plugins`` what ``-p NAME`` loads, ``blocked`` what ``-p no:NAME`` keeps out; ``autoload`` is false
    where plugins of installed packages are not loaded by themselves; ``words`` are all words, in order.
    """

    options: Mapping[str, Setting] = field(default_factory=dict)
    overrides: Mapping[str, Setting] = field(default_factory=dict)
    plugins: tuple[str, ...] = ()
    blocked: frozenset[str] = frozenset()
    autoload: bool = True
    words: tuple[str, ...] = ()

    @property
    def filters(self) -> tuple[str, ...]:
        """Warning filters of ``-W``."""
        pairs = zip(self.words, (*self.words[1:], ""), strict=False)
        return tuple(
            after if word in _WARNINGS else word.removeprefix("--pythonwarnings=").removeprefix("-W")
            for word, after in pairs
            if word.startswith(_WARNINGS)
        )


@dataclass(frozen=True, eq=False)
class PytestConfig:
    """What pytest, started in one directory, would read.

    ``root`` is pytest's rootdir. ``path`` is the file that wins, None where no file configures
    pytest; ``section`` its table as written (``[tool:pytest]``); ``options`` what stands in it:
    strings and lists of strings, or TOML's own types where ``native`` is true.
    ``broken`` is the cause if pytest would refuse to start (``broken_by``: the file or variable, and a line
    of it, 0 where only that is known); every view then gives pytest's default, and nobody should conclude
    anything from it.
    """

    root: Path
    path: Path | None = None
    section: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    native: bool = False
    command_line: CommandLine = CommandLine()
    env_timeout: str | None = None
    broken: str = ""
    broken_by: tuple[Path | str, int] = ("", 0)

    @cached_property
    def timeout(self) -> Setting | None:
        """pytest-timeout's bound, in seconds, of every test without a mark; None where none is armed.

        ``--timeout`` beats ``PYTEST_TIMEOUT``, which beats the file (pytest-timeout 2.4); 0, a
        negative or an unreadable number bound nothing, nor does anything under ``-p no:timeout``.
        """
        setting = self.command_line.options.get("--timeout")
        if setting is None and self.env_timeout is not None:
            setting = Setting(self.env_timeout, "PYTEST_TIMEOUT", None)
        if setting is None:
            setting = self._text("timeout")
        if setting is None or "timeout" in self.command_line.blocked:
            return None
        try:
            seconds = float(setting.value)
        except ValueError:
            return None
        return Setting(seconds, setting.source, setting.path) if seconds > 0 else None

    @cached_property
    def timeout_method(self) -> Setting | None:
        """``signal`` or ``thread`` where one is asked for; None leaves it to the platform."""
        setting = self.command_line.options.get("--timeout-method") or self._text("timeout_method")
        return setting if setting is not None and setting.value in ("signal", "thread") else None

    @cached_property
    def timeout_func_only(self) -> bool:
        """Whether the bound leaves out fixtures."""
        return self._flag("timeout_func_only")

    @cached_property
    def python_files(self) -> tuple[str, ...]:
        """Globs of the files that are collected."""
        return self._words("python_files", ("test_*.py", "*_test.py"))

    @cached_property
    def python_classes(self) -> tuple[str, ...]:
        """Prefixes or globs of the classes that are collected."""
        return self._words("python_classes", ("Test",))

    @cached_property
    def python_functions(self) -> tuple[str, ...]:
        """Prefixes or globs of the functions and methods that are collected."""
        return self._words("python_functions", ("test",))

    @cached_property
    def testpaths(self) -> tuple[str, ...]:
        """Where tests lie, relative to the root; empty where pytest looks everywhere."""
        return self._words("testpaths", ())

    @cached_property
    def usefixtures(self) -> tuple[str, ...]:
        """Fixtures that every test gets."""
        return self._words("usefixtures", ())

    @cached_property
    def pythonpath(self) -> tuple[Path, ...]:
        """Directories put on ``sys.path``; pytest takes them relative to the file they stand in."""
        base = self.path.parent if self.path is not None else self.root
        return tuple(base / word for word in self._words("pythonpath", ()))

    @cached_property
    def asyncio_mode(self) -> str:
        """pytest-asyncio's mode: ``strict`` (its default) or ``auto``."""
        return "auto" if self._mode("asyncio") == "auto" else "strict"

    @cached_property
    def asyncio_loop_scope(self) -> str:
        """Scope of the loop in which pytest-asyncio runs a test whose mark names none."""
        setting = self._text("asyncio_default_test_loop_scope")
        return "function" if setting is None else str(setting.value)

    @cached_property
    def asyncio_fixture_loop_scope(self) -> str:
        """Scope of the loop of pytest-asyncio's fixtures for one test."""
        setting = self._text("asyncio_default_fixture_loop_scope")
        value = "" if setting is None else str(setting.value)
        return value if value not in ("", "fixture-scope") else "function"

    @cached_property
    def anyio_mode(self) -> str:
        """``auto`` where anyio's plugin takes every async test, else empty."""
        return "auto" if self._mode("anyio") == "auto" else ""

    @cached_property
    def trio_mode(self) -> bool:
        """Whether pytest-trio takes every async test."""
        return self._flag("trio_mode")

    @cached_property
    def asyncio_debug(self) -> bool:
        """Whether the loops of pytest-asyncio are in asyncio's debug mode (pytest-asyncio 1.2)."""
        return "--asyncio-debug" in self.command_line.words or self._flag("asyncio_debug")

    @cached_property
    def filterwarnings(self) -> tuple[str, ...]:
        """Warning filters, one of which is a line of an ini file; what comes later wins."""
        value = self.options.get("filterwarnings")
        lines = value.splitlines() if isinstance(value, str) and not self.native else value
        return tuple(line for line in lines or () if isinstance(line, str) and line.strip())

    @property
    def plugins(self) -> tuple[str, ...]:
        """What ``-p NAME`` loads, in order."""
        return self.command_line.plugins

    @property
    def autoload(self) -> bool:
        """Whether pytest loads plugins by entry points (``PYTEST_DISABLE_PLUGIN_AUTOLOAD``, pytest 8.4)."""
        return self.command_line.autoload

    def _mode(self, plugin: str) -> float | str:
        setting = self.command_line.options.get(f"--{plugin}-mode") or self._text(f"{plugin}_mode")
        return "" if setting is None else setting.value

    def _text(self, name: str) -> Setting | None:
        if name in self.command_line.overrides:
            return self.command_line.overrides[name]
        value = self.options.get(name)
        if not value or not isinstance(value, str) or self.path is None:
            return None
        return Setting(value, f"{self.path.name} {self.section} {name}", self.path)

    def _flag(self, name: str) -> bool:
        override = self.command_line.overrides.get(name)
        value = self.options.get(name) if override is None else override.value
        if isinstance(value, str) and (override is not None or not self.native):
            return value.strip().lower() in _TRUE
        return value is True

    def _words(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        override = self.command_line.overrides.get(name)
        value = self.options.get(name) if override is None else override.value
        try:
            words = _split(value, native=self.native and override is None)
        except ValueError:
            words = None
        return default if words is None else tuple(words)


def find_pytest_config(directory: Path, environment: Mapping[str, str] | None = None) -> PytestConfig:
    """Return what pytest reads when it is started in ``directory`` (absolute) or given its path.

    ``environment`` stands for ``os.environ``. The files of a directory are read once per process.
    Raises nothing for what a file contains; see ``PytestConfig.broken``.
    """
    variables = os.environ if environment is None else environment
    addopts, timeout, disabled = map(variables.get, _VARIABLES)
    return _find(directory, addopts or "", timeout, not disabled)


@cache
def _find(directory: Path, env_addopts: str, env_timeout: str | None, autoload: bool) -> PytestConfig:
    try:
        found = search(directory)
    except BrokenConfigError as error:
        where = error.path, error.line
        return PytestConfig(error.path.parent, error.path, broken=f"{error.path}: {error}", broken_by=where)
    if found is None:
        root, path, table = _root_without_config(directory), None, Table("", {})
    else:
        path, table = found
        root = path.parent
    try:
        command_line = _command_line(table, path, env_addopts, autoload)
    except ValueError as error:  # a quotation that is never closed
        by = path if path is not None and not _is_unclosed(env_addopts) else "PYTEST_ADDOPTS"
        what = f"addopts: {error}" if by is path else str(error)
        return PytestConfig(root, path, table.section, broken=f"{by}: {what}", broken_by=(by, 0))
    return PytestConfig(root, path, table.section, table.options, table.native, command_line, env_timeout)


def forget() -> None:
    """Read the files again when next asked: they have been changed."""
    from asynclint.project.runs import started

    _find.cache_clear()
    search.cache_clear()
    started.forget()


def _is_unclosed(words: str) -> bool:
    try:
        shlex.split(words)
    except ValueError:
        return True
    return False


def _root_without_config(directory: Path) -> Path:
    """Where a pyproject.toml lies, else a setup.py, else here."""
    for name in ("pyproject.toml", "setup.py"):
        for above in (directory, *directory.parents):
            if (above / name).is_file():
                return above
    return directory


def _command_line(table: Table, path: Path | None, env_addopts: str, autoload: bool) -> CommandLine:
    env_words = shlex.split(env_addopts)
    addopts: Any = table.options.get("addopts")
    for option, value in _valued(env_words):
        if option in _OVERRIDE and value.startswith("addopts="):
            addopts = shlex.split(value.removeprefix("addopts="))
    file_words = _split(addopts, native=table.native) or []
    where = f"{path.name} {table.section} addopts" if path is not None else ""
    options: dict[str, Setting] = {}
    overrides: dict[str, Setting] = {}
    plugins: list[str] = []
    blocked: set[str] = set()
    autoload = autoload and _NO_AUTOLOAD not in (*file_words, *env_words)
    for words, source, file in ((file_words, where, path), (env_words, "PYTEST_ADDOPTS", None)):
        for option, value in _valued(words):
            if option == _PLUGIN:
                _load_plugin(value.strip(), plugins, blocked)
            elif option in _OVERRIDE:
                name, _, text = value.partition("=")
                overrides[name] = Setting(text, f"{source} -o {name}", file)
            else:
                name = option.replace("_", "-")
                options[name] = Setting(value, f"{source} {name}", file)
    every = (*file_words, *env_words)
    return CommandLine(options, overrides, tuple(plugins), frozenset(blocked), autoload, every)


def _load_plugin(name: str, plugins: list[str], blocked: set[str]) -> None:
    if name.startswith("no:"):
        blocked.add(name.removeprefix("no:"))
    else:
        blocked -= {name, name.removeprefix("pytest_")}
        plugins.append(name)


def _valued(words: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pick the options that matter here, each with its value."""
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if word in (_PLUGIN, *_OVERRIDE, *_OPTIONS):
            yield word, next(rest, "")
        elif equals and name in ("--override-ini", *_OPTIONS):
            yield name, value
        elif word[:2] in (_PLUGIN, "-o"):  # `-pno:timeout`
            yield word[:2], word[2:]


def _split(value: object, *, native: bool) -> list[str] | None:
    """Words of an option as pytest takes them, None for a type it refuses; raises ValueError."""
    if isinstance(value, str) and not native:
        return shlex.split(value)
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return value
    return None
