"""Where the packages that a project is installed with lie, read as text: nothing is imported or run.

The setting ``environment`` says where; else ``$VIRTUAL_ENV``, then ``.venv`` or ``venv`` beside a project
file, then the Python that runs asynclint. What a ``.pth`` file adds counts too
(https://docs.python.org/3/library/site.html), and so do the packages that setuptools' editable installs
map to their sources.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from asynclint.keys import site_packages
from asynclint.project.index.modules import project_directories
from asynclint.project.index.reading import is_installed

MANY_FILES = 400
FINDER = re.compile(r"import\s+(__editable___\w+_finder)\b")


class Packages(NamedTuple):
    """The packages of one environment, which lies at ``path``; ``origin`` says who named it.

    ``directories`` are searched in turn; ``mapped`` are modules that lie elsewhere, with their package
    directory or file, its suffix left out.
    """

    path: Path
    origin: str
    directories: tuple[Path, ...]
    mapped: tuple[tuple[str, Path], ...] = ()

    def has(self, top: str) -> bool:
        """Whether a top-level module or package of the name is installed."""
        return any(name.partition(".")[0] == top for name, _ in self.mapped) or any(
            (directory / top).is_dir() or (directory / f"{top}.py").is_file()
            for directory in self.directories
        )

    def find(self, module: str) -> Path | None:
        """The source of a module, or of a package its ``__init__``; None for stubs and compiled modules."""
        for name, target in self.mapped:
            if module == name or module.startswith(f"{name}."):
                return _source(target.joinpath(*module[len(name) :].split(".")))
        top, *rest = module.split(".")
        for directory in self.directories:
            found = _source(directory.joinpath(top, *rest))
            if found is not None or _source(directory / top) is not None:
                return found
        return None

    def mentions(self, top: str, said_in: Callable[[bytes], object]) -> bool:
        """Whether a file of a top-level module or package says it; a package of very many files may."""
        for base in self._bases(top):
            files = _sources(base)
            if len(files) > MANY_FILES or any(said_in(_raw(path)) for path in files):
                return True
        return False

    def stamps(self, top: str) -> Sequence[tuple[str, int, int]]:
        """Paths, times and sizes of the files of a top-level module or package that is developed in place.

        What lies in ``site-packages`` comes and goes with changes of that directory.
        """
        return [
            (str(path), stat.st_mtime_ns, stat.st_size)
            for base in self._bases(top)
            if not is_installed(base)
            for path in sorted(_sources(base))[: MANY_FILES + 1]
            for stat in _stats(path)
        ]

    def _bases(self, top: str) -> Sequence[Path]:
        targets = [target for name, target in self.mapped if name.partition(".")[0] == top]
        return (*targets, *(directory / top for directory in self.directories))


def _sources(base: Path) -> list[Path]:
    return [base.with_name(f"{base.name}.py"), *base.rglob("*.py")]


def _stats(path: Path) -> Sequence[os.stat_result]:
    """At most one."""
    try:
        return [path.stat()]
    except OSError:
        return []


def _source(base: Path) -> Path | None:
    for path in (base / "__init__.py", base.with_name(f"{base.name}.py")):
        if path.is_file():
            return path
    return None


@cache
def installed_plugins(packages: Packages) -> Mapping[str, str]:
    """Modules that installed distributions give pytest, by the names ``-p`` knows them by.

    https://packaging.python.org/en/latest/specifications/entry-points/
    """
    found: dict[str, str] = {}
    for directory in packages.directories:
        for file in directory.glob("*-info/entry_points.txt"):
            if b"pytest11" in _raw(file):
                found |= _pytest11(_text(file))
    return found


@cache
def installed_version(packages: Packages, name: str) -> tuple[int, int]:
    """The first two numbers of an installed distribution's version; (0, 0) where it is not installed.

    https://packaging.python.org/en/latest/specifications/recording-installed-packages/
    """
    escaped = re.sub(r"[-_.]+", "_", name)
    for directory in packages.directories:
        for found in directory.glob(f"{escaped}-*.dist-info"):
            numbers = re.match(r"(\d+)(?:\.(\d+))?", found.name[len(escaped) + 1 :])
            if numbers is not None:
                return int(numbers[1]), int(numbers[2] or 0)
    return 0, 0


def _pytest11(text: str) -> dict[str, str]:
    """The group ``pytest11`` of an ``entry_points.txt``; empty where that is broken."""
    from configparser import ConfigParser, Error

    parser = ConfigParser(delimiters=("=",), strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
    try:
        parser.read_string(text)
    except Error:
        return {}
    return dict(parser["pytest11"]) if parser.has_section("pytest11") else {}


def packages_for(directory: Path, setting: Path | None) -> Packages:
    """The packages that files of a directory (absolute) import; ``setting`` is ``environment``'s value."""
    return _packages(project_directories(directory), setting, os.environ.get("VIRTUAL_ENV", ""))


@cache
def _packages(projects: tuple[Path, ...], setting: Path | None, active: str) -> Packages:
    for path, origin in _candidates(projects, setting, active):
        found = site_packages(path)
        if found:
            return _with_added(path, origin, found)
    own = [Path(entry) for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]
    return _with_added(Path(sys.prefix), "the Python that runs asynclint", own)


def _candidates(projects: tuple[Path, ...], setting: Path | None, active: str) -> Iterator[tuple[Path, str]]:
    if setting is not None:
        yield setting, "environment"
    if active:
        yield Path(active).absolute(), "$VIRTUAL_ENV"
    for project in projects:
        for name in (".venv", "venv"):
            yield project / name, f"{name} of {project}"


def _with_added(path: Path, origin: str, directories: Iterable[Path]) -> Packages:
    """The directories, and what their ``.pth`` files add."""
    found: list[Path] = []
    mapped: list[tuple[str, Path]] = []
    for directory in directories:
        found.append(directory)
        for pth in sorted(directory.glob("*.pth")):
            for line in _text(pth).splitlines():
                if finder := FINDER.match(line):
                    mapped += _mapping(directory / f"{finder[1]}.py")
                elif line.strip() and not line.startswith(("#", "import ", "import\t")):
                    added = Path(os.path.normpath(directory / line.strip()))
                    found += [added] if added.is_dir() else []
    mapped.sort(key=lambda item: -len(item[0]))  # a part of a package can lie elsewhere than the rest
    return Packages(path, origin, tuple(dict.fromkeys(found)), tuple(mapped))


def _mapping(finder: Path) -> Iterator[tuple[str, Path]]:
    """The ``MAPPING`` of module names to their sources in a finder that setuptools wrote."""
    try:
        body = ast.parse(_text(finder)).body
    except (SyntaxError, ValueError):
        return
    for statement in body:
        if isinstance(statement, ast.AnnAssign):
            targets: list[ast.expr] = [statement.target]
        else:
            targets = statement.targets if isinstance(statement, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == "MAPPING" for target in targets):
            yield from _pairs(getattr(statement, "value", None))


def _pairs(value: ast.expr | None) -> Iterator[tuple[str, Path]]:
    for key, item in zip(value.keys, value.values, strict=True) if isinstance(value, ast.Dict) else ():
        if isinstance(key, ast.Constant) and isinstance(item, ast.Constant):
            path = Path(str(item.value))
            yield str(key.value), path.with_suffix("") if path.suffix == ".py" else path


def _text(path: Path) -> str:
    return _raw(path).decode("utf-8", errors="replace").removeprefix("\ufeff")


def _raw(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
