"""One frozen Settings, whichever door it came through; how it is read, and which rules it switches on.

Settings live in ``[tool.asynclint]`` of the nearest ``pyproject.toml`` upward that has such a table, as
ruff does it. What a door was told directly (:class:`Overrides`) wins over the file.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asynclint.keys import parse, site_packages

if TYPE_CHECKING:
    from asynclint.rule import Rule

TABLE = "[tool.asynclint]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a run was asked to do; see README for each key.

    ``guard_seconds`` are seconds; ``target_version`` is ``(3, minor)`` or None to read ``requires-python``.
    Globs that a file gives with a slash are absolute here: they are meant from that file's directory.
    ``environment`` is an absolute path, of a directory or of a Python in it; ``baseline`` one of a file.
    ``guard_from_junit`` are absolute paths, and has no key: measured times belong to one run. Nor has
    ``fixes``, whether those that take long are worked out: flake8 shows none.
    """

    select: tuple[str, ...] = ("ASL",)
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    extend_ignore: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    exclude: tuple[str, ...] = ()
    extend_exclude: tuple[str, ...] = ()
    guard_style: str = "auto"
    guard_seconds: float = 30
    per_file_guard_seconds: tuple[tuple[str, float], ...] = ()
    guard_from_junit: tuple[Path, ...] = ()
    guard_junit_factor: float = 10
    guard_junit_floor: float = 5
    loop_guards_only: bool = False
    guard_decorators: tuple[str, ...] = ()
    guard_fixtures: tuple[str, ...] = ()
    guard_base_classes: tuple[str, ...] = ()
    leak_check: str = "fail"
    blocking_calls: tuple[str, ...] = ()
    target_version: tuple[int, int] | None = None
    scope: str = "tests"
    environment: Path | None = None
    baseline: Path | None = None
    fixes: bool = True

    def guard_seconds_for(self, path: Path) -> float:
        """Seconds of the guards that fixes insert in a file (absolute); the last glob that matches wins."""
        matching = (
            seconds for glob, seconds in reversed(self.per_file_guard_seconds) if _matches(path, glob)
        )
        return next(matching, self.guard_seconds)


DEFAULTS = Settings()


class SettingsError(Exception):
    """A setting that cannot be used; ``str()`` is one line that names the place, the key and what is allowed.

    ``path`` is the file at fault, None where the command line is; ``line`` is 1-based, 0 where unknown;
    ``column`` is 0-based; ``message`` is the line without the place.
    """

    def __init__(self, message: str, path: Path | None = None, line: int = 0, column: int = 0) -> None:
        place = "" if path is None else f"{path}:{line}: " if line else f"{path}: "
        super().__init__(place + message)
        self.message = message
        self.path = path
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Overrides:
    """What a door was told beside the files: ``values`` by field name of Settings.

    ``config`` replaces the search for a ``pyproject.toml``; ``isolated`` reads none at all.
    """

    values: tuple[tuple[str, Any], ...] = ()
    config: Path | None = None
    isolated: bool = False


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings as files give them, the file with the table (None: defaults), and the keys set in it."""

    settings: Settings
    path: Path | None = None
    keys: frozenset[str] = frozenset()


def settings_for(path: Path, overrides: Overrides = Overrides()) -> Settings:
    """The settings that hold for the file or directory ``path`` (absolute); raises SettingsError."""
    return _settings_in(path if path.is_dir() else path.parent, overrides)


@functools.cache
def _settings_in(directory: Path, overrides: Overrides) -> Settings:
    return override(loaded_for(directory, overrides).settings, overrides)


def loaded_for(directory: Path, overrides: Overrides) -> Loaded:
    """What the files say for ``directory`` before the overrides win; raises SettingsError."""
    if overrides.isolated:
        return Loaded(DEFAULTS)
    if overrides.config is not None:
        return load_file(overrides.config)
    return load(directory)


def override(settings: Settings, overrides: Overrides) -> Settings:
    """``settings`` with the overrides' values: those of ``extend-…`` are added, the others replace."""
    values = {
        field: getattr(settings, field) + value if field.startswith("extend_") else value
        for field, value in overrides.values
    }
    return replace(settings, **values) if values else settings


@functools.cache
def load(start: Path) -> Loaded:
    """Settings from the nearest ``pyproject.toml`` with our table, upward from ``start`` (absolute).

    Raises SettingsError: a file on the way cannot be read, is no TOML, or its table is wrong.
    """
    candidate = start / "pyproject.toml"
    try:
        if candidate.is_file() and _table(candidate) is not None:
            return load_file(candidate)
    except PermissionError:  # of the directory: a search past it is all one can do
        pass
    return load(start.parent) if start.parent != start else Loaded(DEFAULTS)


@functools.cache
def load_file(path: Path) -> Loaded:
    """Settings from the table of this very TOML file (``--config``); raises SettingsError."""
    table = _table(path)
    if table is None:
        message = f"has no {TABLE} table"
        raise SettingsError(message, path)
    values = {}
    for key, value in table.items():
        try:
            values[_field(key)] = parse(key, value)
        except ValueError as error:
            message = f"{TABLE} {error}"
            globs = value if isinstance(value, dict) else ()
            inner = [glob for glob in globs if str(error).startswith(f'{key} "{glob}"')]
            raise SettingsError(message, path, line_of(path, key, *inner)) from None
    for field in ("exclude", "extend_exclude"):
        if field in values:
            values[field] = tuple(_anchored(glob, path.parent) for glob in values[field])
    for field in ("per_file_ignores", "per_file_guard_seconds"):
        if field in values:
            values[field] = tuple((_anchored(glob, path.parent), value) for glob, value in values[field])
    if "environment" in values:
        values["environment"] = _environment(values["environment"], path)
    if "baseline" in values:
        values["baseline"] = Path(os.path.abspath(path.parent / values["baseline"]))  # noqa: PTH100 (follows links)
    return Loaded(replace(DEFAULTS, **values), path, frozenset(values))


@functools.cache
def read_pyproject(path: Path) -> Mapping[str, Any]:
    """The whole TOML document; SettingsError names file, line and cause if it cannot be read."""
    import tomllib

    raw, line, column = b"", 0, 0
    try:
        raw = path.read_bytes()
        return tomllib.loads(raw.decode("utf-8"))
    except OSError as error:
        cause = f"cannot be read: {error.strerror or error}"
    except UnicodeDecodeError as error:
        cause, line = "cannot be read: not UTF-8, as TOML must be", raw.count(b"\n", 0, error.start) + 1
    except ValueError as error:  # TOMLDecodeError, or an integer of too many digits
        # Only Python 3.14 gives the place as attributes; "(at end of document)" has no numbers.
        message, _, place = str(error).partition(" (at ")
        cause, line = f"invalid TOML: {message}", raw.count(b"\n") + 1
        if match := re.match(r"line (\d+), column (\d+)", place):
            line, column = int(match[1]), int(match[2]) - 1
    except RecursionError:
        cause = "invalid TOML: nested too deeply"
    raise SettingsError(cause, path, line, column)


def _table(path: Path) -> Mapping[str, Any] | None:
    tool = read_pyproject(path).get("tool")
    table = tool.get("asynclint") if isinstance(tool, dict) else None
    if table is not None and not isinstance(table, dict):
        message = f"{TABLE} must be a table"
        raise SettingsError(message, path, line_of(path))
    return table


def line_of(path: Path, *keys: str) -> int:
    """The line of ``keys``, one within the other, in our table of a TOML file: tomllib keeps no positions.

    Where that takes more than a look, the line of the table or key around it; 0 where that does, too.
    """
    lines = list(_keys_in(path.read_text("utf-8", errors="replace")))
    wanted = ("tool", "asynclint", *keys)
    for depth in range(len(wanted), 1, -1):
        for number, found in lines:
            if found[:depth] == wanted[:depth]:
                return number
    return 0


def _keys_in(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Line and parts of each table's and key's name that stands at the beginning of a line."""
    part = r"""[\w-]+|"[^"]*"|'[^']*'"""
    name = rf"(?:{part})(?:\s*\.\s*(?:{part}))*"
    key = re.compile(rf"\s*(?P<table>\[+)?\s*(?P<name>{name})\s*(?(table)\]|=)")
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.split("\n"), 1):
        if match := key.match(line):
            parts = tuple(part.strip("\"'") for part in re.findall(part, match["name"]))
            if match["table"]:
                table = parts
            yield number, parts if match["table"] else (*table, *parts)


def _environment(value: Path, file: Path) -> Path:
    found = file.parent / value
    if not site_packages(found):
        message = f"{TABLE} environment: must be a virtual environment or its Python, but {found} has no "
        raise SettingsError(message + "site-packages", file, line_of(file, "environment"))
    return found


def _anchored(glob: str, directory: Path) -> str:
    return str(directory / glob) if "/" in glob else glob


def from_text(key: str, text: str) -> tuple[str, Any]:
    """Field name and value of an option given as text: lists are separated by commas or spaces.

    Raises SettingsError that names the option.
    """
    value: Any = text
    if key == "guard-seconds":
        try:
            value = float(text)
        except ValueError:
            value = text
    elif key not in ("target-version", "scope", "guard-style"):
        value = [part for part in re.split(r"[,\s]+", text) if part] or [""]
    try:
        return _field(key), parse(key, value)
    except ValueError as error:
        message = f"--{error}"
        raise SettingsError(message) from None


def _field(key: str) -> str:
    return key.replace("-", "_")


class Selection:
    """Which codes are on for one file: the longest matching prefix of select against ignore, as in flake8.

    A tie is ignored. *Off* rules are on only where select names their full code.
    ``path`` (absolute; None where a file has no name) chooses among ``per-file-ignores``.
    """

    def __init__(self, settings: Settings, path: Path | None = None) -> None:
        self._select = (*settings.select, *settings.extend_select)
        extra = _ignored_in(path, settings.per_file_ignores) if path and settings.per_file_ignores else ()
        self._ignore = (*settings.ignore, *settings.extend_ignore, *extra)

    def enabled(self, rule: Rule) -> bool:
        """Whether ``rule`` runs and reports."""
        return self.code_on(rule.code, rule.default)

    def ignored(self, code: str) -> bool:
        """Whether ``code`` is switched off by what ignores it, on or off by default."""
        return _longest(code, self._ignore) >= max(_longest(code, self._select), 1)

    def code_on(self, code: str, default: bool = True) -> bool:
        """Whether ``code`` is reported; ``default`` False asks for its full name in select."""
        selected = _longest(code, self._select) if default else len(code) * (code in self._select)
        return selected > _longest(code, self._ignore)


def _longest(code: str, prefixes: Iterable[str]) -> int:
    return max((len(prefix) for prefix in prefixes if code.startswith(prefix)), default=0)


def _ignored_in(path: Path, per_file: Iterable[tuple[str, tuple[str, ...]]]) -> tuple[str, ...]:
    return tuple(code for glob, codes in per_file if _matches(path, glob) for code in codes)


def _matches(path: Path, glob: str) -> bool:
    """Whether a glob matches as in flake8: the base name, or the whole path if there is a slash."""
    subject = str(path) if "/" in glob else path.name
    return fnmatch(subject, glob) or ("**/" in glob and fnmatch(subject, glob.replace("**/", "")))
