"""The seven files pytest looks at, in its order, and which table of each counts.

Facts: pytest 9, https://docs.pytest.org/en/stable/reference/customize.html
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from asynclint.project.ini import parse_ini


class Table(NamedTuple):
    """The options of one file.

    ``section`` is their table as written. ``options`` are strings and lists of strings, or TOML's
    own types where ``native`` is true.
    """

    section: str
    options: Mapping[str, Any]
    native: bool = False


class BrokenConfigError(Exception):
    """A file at ``path`` with which pytest would not start; the message is the cause.

    ``line`` is 1-based, 0 where it is not known.
    """

    def __init__(self, path: Path, cause: object) -> None:
        text = (cause.strerror if isinstance(cause, OSError) else None) or str(cause)
        # iniconfig's place stands before the cause, tomllib's behind it
        place = re.search(r"\bline (\d+)(?:, column \d+)?\b", text)
        self.line = int(place[1]) if place is not None else 0
        super().__init__(re.sub(r"^line \d+: | \(at line \d+, column \d+\)$", "", text))
        self.path = path


@cache
def search(directory: Path) -> tuple[Path, Table] | None:
    """Return the first file that counts, upwards from ``directory``, and its table.

    Raises BrokenConfigError for a file on the way that cannot be read or parsed.
    """
    for name, load in LOADERS.items():
        path = directory / name
        try:
            table = load(path.read_text(encoding="utf-8")) if path.is_file() else None
        except (OSError, ValueError, RecursionError) as error:  # ValueError: encoding, ini and TOML alike
            raise BrokenConfigError(path, error) from error
        if table is not None:
            return path, table
    return None if directory == directory.parent else search(directory.parent)


def _load_pytest_toml(text: str) -> Table:
    document = tomllib.loads(text)
    if "pytest" in document:
        return Table("[pytest]", _subtable(document, "pytest"), native=True)
    stray = [key for key, value in document.items() if not isinstance(value, dict)]
    if stray:
        msg = f"options outside of the table [pytest]: {', '.join(stray)}"
        raise ValueError(msg)
    return Table("[pytest]", {}, native=True)


def _load_pytest_ini(text: str) -> Table:
    return Table("[pytest]", parse_ini(text).get("pytest", {}))


def _load_pyproject(text: str) -> Table | None:
    table = _subtable(_subtable(tomllib.loads(text), "tool"), "pytest")
    native = {key: value for key, value in table.items() if key != "ini_options"}
    if native and table.get("ini_options"):
        msg = "both [tool.pytest] and [tool.pytest.ini_options]; pytest allows one of them"
        raise ValueError(msg)
    if native:
        return Table("[tool.pytest]", native, native=True)
    if "ini_options" not in table:
        return None
    options = _subtable(table, "ini_options")
    texts = {key: value if isinstance(value, list) else str(value) for key, value in options.items()}
    return Table("[tool.pytest.ini_options]", texts)


def _load_tox_ini(text: str) -> Table | None:
    options = parse_ini(text).get("pytest")
    return None if options is None else Table("[pytest]", options)


def _load_setup_cfg(text: str) -> Table | None:
    sections = parse_ini(text)
    if "tool:pytest" in sections:
        return Table("[tool:pytest]", sections["tool:pytest"])
    if "pytest" in sections:
        msg = "in setup.cfg the section must be called [tool:pytest]"
        raise ValueError(msg)
    return None


def _subtable(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    table = document.get(key, {})
    if isinstance(table, dict):
        return table
    msg = f"{key} is not a table"
    raise ValueError(msg)


LOADERS: Mapping[str, Callable[[str], Table | None]] = MappingProxyType(
    {
        "pytest.toml": _load_pytest_toml,
        ".pytest.toml": _load_pytest_toml,
        "pytest.ini": _load_pytest_ini,
        ".pytest.ini": _load_pytest_ini,
        "pyproject.toml": _load_pyproject,
        "tox.ini": _load_tox_ini,
        "setup.cfg": _load_setup_cfg,
    }
)
