"""The oldest Python a project says it runs on: fixes may use nothing newer.

Read as text from ``requires-python`` (PEP 621), poetry's ``python`` dependency, or ``python_requires``
of ``setup.cfg`` and ``setup.py``; the nearest directory upward that states one decides.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from asynclint.settings import SettingsError, read_pyproject
from asynclint.source.text import SourceError, SourceText

NEWEST_MINOR = 99  # far above any Python there is: "lowest that satisfies" must end somewhere

# What nearly every project says; packaging costs 40 ms to import.
_PLAIN = re.compile(r"\s*>=\s*3\.(\d{1,2})(?:\.\d+)?\s*(?:,\s*<\s*4(?:\.0)*\s*)?", re.ASCII)


class Stated(NamedTuple):
    """What a project states: the file, the key in it, the specifier as written, the lowest ``(3, minor)``."""

    path: Path
    key: str
    specifier: str
    lowest: tuple[int, int]


def target_version(directory: Path) -> tuple[int, int] | None:
    """The lowest ``(3, minor)`` that the project around ``directory`` supports; None if none is stated."""
    stated = requires_python(directory)
    return stated.lowest if stated else None


@functools.cache
def requires_python(directory: Path) -> Stated | None:
    """The nearest statement upward from ``directory`` (absolute) that packaging understands."""
    for path, key, specifier in _statements(directory):
        lowest = lowest_minor(specifier)
        if lowest is not None:
            return Stated(path, key, specifier, lowest)
    return requires_python(directory.parent) if directory.parent != directory else None


def lowest_minor(specifier: str) -> tuple[int, int] | None:
    """The lowest ``(3, minor)`` of which some patch release satisfies a PEP 440 or poetry specifier.

    ``^3.8``, ``~3.8`` and ``||`` are poetry's (https://python-poetry.org/docs/dependency-specification/).
    None where the text is no specifier, or no Python 3 satisfies it.
    """
    if plain := _PLAIN.fullmatch(specifier):
        return 3, int(plain[1])

    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    lowest: list[int] = []
    try:
        for alternative in specifier.split("||"):
            versions = SpecifierSet(as_pep440(alternative))
            # Of the patch releases only those beside one that is named, the first and the last can differ.
            named = [int(patch) for patch in re.findall(r"\d+\.\d+\.(\d+)", alternative)]
            patches = sorted({0, 999, *named, *(patch + 1 for patch in named)})
            fits = (
                minor
                for minor in range(NEWEST_MINOR + 1)
                if any(versions.contains(f"3.{minor}.{patch}") for patch in patches)
            )
            lowest += [minor for minor in (next(fits, None),) if minor is not None]
    except InvalidSpecifier:
        return None
    return (3, min(lowest)) if lowest else None


def as_pep440(specifier: str) -> str:
    """Poetry's ``^0.14``, ``~1.2``, ``1.2`` and ``*`` as PEP 440 has them; what else there is stays."""
    return ",".join(_clause(clause) for clause in re.split(r"\s*,\s*|\s+(?=[\^~<>=!])", specifier.strip()))


def _clause(clause: str) -> str:
    match = re.fullmatch(r"([\^~])\s*(\d+)(?:\.(\d+))?((?:\.\d+)*)", clause)
    if match is not None:
        caret, major, minor, rest = match.groups()
        within_minor = (caret == "~" or major == "0") and minor is not None
        above = f"{major}.{int(minor) + 1}" if within_minor else str(int(major) + 1)
        return f">={major}.{minor or 0}{rest},<{above}"
    if re.fullmatch(r"[\d.]+(\.\*)?", clause):
        return f"=={clause}"
    return "" if clause == "*" else clause


def _statements(directory: Path) -> Iterator[tuple[Path, str, str]]:
    """File, key and specifier of each statement in one directory, the modern ones first."""
    yield from _of_pyproject(directory / "pyproject.toml")
    yield from _of_setup_cfg(directory / "setup.cfg")
    yield from _of_setup_py(directory / "setup.py")


def _of_pyproject(path: Path) -> Iterator[tuple[Path, str, str]]:
    try:
        document: Any = read_pyproject(path) if path.is_file() else {}
    except (SettingsError, OSError):
        return
    for keys in (("project", "requires-python"), ("tool", "poetry", "dependencies", "python")):
        value = document
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, str) and value.strip():
            yield path, ".".join(keys), value


def _of_setup_cfg(path: Path) -> Iterator[tuple[Path, str, str]]:
    raw = _bytes(path)
    if b"python_requires" not in raw:
        return
    import configparser

    parser = configparser.RawConfigParser()
    try:
        parser.read_string(raw.decode("utf-8", "replace"))
        value = parser.get("options", "python_requires", fallback=None)
    except configparser.Error:
        return
    if value:
        yield path, "[options] python_requires", value


def _of_setup_py(path: Path) -> Iterator[tuple[Path, str, str]]:
    raw = _bytes(path)
    if b"python_requires" not in raw:
        return
    try:
        tree = SourceText.from_bytes(raw).parse()
    except SourceError:
        return
    for node in ast.walk(tree):
        match node:
            case ast.keyword(arg="python_requires", value=ast.Constant(value=str(value))):
                yield path, "python_requires", value


def _bytes(path: Path) -> bytes:
    """The file's content, empty if there is none that can be read."""
    try:
        return path.read_bytes() if path.is_file() else b""
    except OSError:
        return b""
