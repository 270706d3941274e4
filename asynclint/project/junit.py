"""How long tests took, as pytest's JUnit report (``--junitxml``) says.

A report names a test by a dotted class name, which starts with the path of its module from pytest's
rootdir, and a name with the id of its parameters
(https://docs.pytest.org/en/stable/how-to/output.html#creating-junitxml-format-files).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple, NoReturn
from xml.parsers import expat

from asynclint.project.config import find_pytest_config
from asynclint.settings import SettingsError

_ROOTS = ("testsuites", "testsuite")
_NOT_PASSED = ("skipped", "failure", "error")
_TESTS = ("tests", "test")


class Measured(NamedTuple):
    """The slowest run of a test, in seconds, and whether every run of it passed."""

    seconds: float
    passed: bool

    def __or__(self, other: Measured) -> Measured:
        return Measured(max(self.seconds, other.seconds), self.passed and other.passed)


@dataclass(frozen=True, eq=False)
class Times:
    """What reports say: by class name and test name, and of all tests of one name together."""

    tests: Mapping[tuple[str, str], Measured]
    names: Mapping[str, Measured]

    def of(self, path: Path, qualname: str) -> Measured | None:
        """The time of a test in a module (absolute), say ``TestLine.test_opens``; None if it is not there.

        A method counts with the methods of its name in all classes: heirs run it as their own.
        """
        owner, _, name = qualname.rpartition(".")
        known = [
            key for module in _module_names(path) if (key := (_joined(module, owner), name)) in self.tests
        ]
        exact = (_joined(_from_root(path), owner), name)
        if not known or (exact not in known and len(known) > 1):
            return None
        return self.names[name] if owner else self.tests[exact if exact in known else known[0]]


@cache
def read(paths: tuple[Path, ...]) -> Times:
    """The times in all of the reports; raises SettingsError for a file that is no report."""
    tests: dict[tuple[str, str], Measured] = {}
    names: dict[str, Measured] = {}
    for path in paths:
        for owner, name, measured in _Reader(path).cases():
            key = (owner, name)
            tests[key] = tests[key] | measured if key in tests else measured
            names[name] = names[name] | measured if name in names else measured
    return Times(tests, names)


def _joined(module: Sequence[str], owner: str) -> str:
    return ".".join((*module, owner) if owner else module)


def _from_root(path: Path) -> tuple[str, ...]:
    root = find_pytest_config(path.parent).root
    return (path.relative_to(root) if path.is_relative_to(root) else path).with_suffix("").parts


def _module_names(path: Path) -> list[tuple[str, ...]]:
    """Names that a module may have in a report: from pytest's root, from above it, from in ``tests``."""
    whole = path.with_suffix("").parts[1:]
    inside = _from_root(path)
    found = [whole[start:] for start in range(len(whole) - len(inside) + 1)]
    return [*found, inside[1:]] if inside[0] in _TESTS and len(inside) > 1 else found


class _Reader:
    """Reads one report as a stream; entities, which need a DOCTYPE, are refused with it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parser = parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = self._doctype
        self._began = False
        self._case = ("", "", 0.0)
        self._passed = True
        self._cases: list[tuple[str, str, Measured]] = []

    def cases(self) -> list[tuple[str, str, Measured]]:
        """Class name, test name and time of each testcase; raises SettingsError."""
        try:
            self._parser.Parse(self._path.read_bytes(), True)
        except OSError as error:
            message = f"cannot be read: {error.strerror or error}"
            raise SettingsError(message, self._path) from None
        except expat.ExpatError as error:
            message = f"is no XML: {expat.ErrorString(error.code)}"
            raise SettingsError(message, self._path, error.lineno, error.offset) from None
        except (LookupError, ValueError) as error:  # of an encoding that Python lacks
            message = f"is no XML: {error}"
            raise SettingsError(message, self._path) from None
        if not self._cases:
            self._refuse("has no testcase")
        return self._cases

    def _start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if not self._began and tag not in _ROOTS:
            self._refuse(f"is no JUnit report: it begins with <{tag[:40]}>, not <testsuites>")
        self._began = True
        if tag == "testcase":
            self._case = self._identity(attributes)
            self._passed = True
        elif tag in _NOT_PASSED:
            self._passed = False

    def _end(self, tag: str) -> None:
        if tag == "testcase":
            owner, name, seconds = self._case
            self._cases.append((owner, name, Measured(seconds, self._passed)))

    def _identity(self, attributes: Mapping[str, str]) -> tuple[str, str, float]:
        for attribute in ("classname", "name", "time"):
            if attribute not in attributes:
                self._refuse(f"has a testcase without {attribute}")
        stated = attributes["time"]
        try:
            seconds = float(stated)
        except ValueError:
            seconds = math.nan
        if not 0 <= seconds < math.inf:
            self._refuse(f"has a testcase whose time is no number of seconds: {stated[:40]!r}")
        name = re.split(r"\W", attributes["name"], maxsplit=1)[0]  # the id of parameters stands behind it
        return attributes["classname"], name, seconds

    def _doctype(self, *_: object) -> None:
        self._refuse("has a DOCTYPE, which no JUnit report needs")

    def _refuse(self, message: str) -> NoReturn:
        raise SettingsError(message, self._path, self._parser.CurrentLineNumber)
