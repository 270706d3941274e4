"""Words about environment variables in files that start tests: tox, nox, hatch, CI workflows, make, scripts.

Where a word stands is found here; ``started`` tells whether it reaches the tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from asynclint.project.index.modules import project_directories

#: what starts tests, from a project's directory
FILES = (
    "tox.ini",
    "tox.toml",
    "setup.cfg",
    "pyproject.toml",
    "pytest.ini",
    "pytest.toml",
    "noxfile.py",
    "tasks.py",
    "Makefile",
    "makefile",
    "GNUmakefile",
    "justfile",
    "Justfile",
    "Taskfile.yml",
    "hatch.toml",
    "pixi.toml",
    "Dockerfile",
    ".env",
    ".envrc",
    ".gitlab-ci.yml",
    ".travis.yml",
    ".cirrus.yml",
    "appveyor.yml",
    "azure-pipelines.yml",
)
GLOBS = (".github/workflows/*.y*ml", ".github/actions/*/*.y*ml", ".circleci/*.y*ml", "*.sh", "ci/*", ".ci/*",
         "scripts/*", "tools/*.sh")  # fmt: skip
MOST = 300_000  # bytes; a longer file is no recipe
#: ``NAME = 1``, ``NAME: "1"``, ``env["NAME"] = "1"``, ``ENV NAME 1``
ASSIGNED = r"\b%s\b[\"']?\]?(?:[ \t]*[:=,][ \t]*|[ \t]+)(?P<quote>[\"']?)(?P<value>[^\s\"'#}\])]*)"
DEV = re.compile(r"-X[ \t\"',]*dev\b")
NOTES = ("#", ";", "//", "REM ")


class Word(NamedTuple):
    """A variable that is set on a line (1-based) of a file, and its value; ``-X dev`` as a variable, too."""

    name: str
    value: str
    path: Path
    line: int


def variable(name: str, root: Path) -> Iterator[Word]:
    """Where an environment variable is set, the file and its lines in order."""
    pattern = re.compile(ASSIGNED % name)
    for path, text in texts(root):
        if name in text:
            for number, line in _lines(text):
                match = pattern.search(line)
                if match is not None:
                    yield Word(name, match["value"].rstrip(","), path, number)


def dev_mode(root: Path) -> Iterator[Word]:
    """Where Python is started with ``-X dev``."""
    for path, text in texts(root):
        for number, line in _lines(text):
            if DEV.search(line):
                yield Word("-X dev", "1", path, number)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.lstrip().startswith(NOTES):
            yield number, line


@cache
def texts(root: Path) -> tuple[tuple[Path, str], ...]:
    """The files that may start the tests of a directory, from there up to the repository's root."""
    found: dict[Path, str] = {}
    for directory in dict.fromkeys((root, *project_directories(root))):
        globbed = (path for glob in GLOBS for path in sorted(directory.glob(glob)))
        for path in (*(directory / name for name in FILES), *globbed):
            try:
                if path not in found and path.is_file() and path.stat().st_size <= MOST:
                    found[path] = path.read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
    return tuple(found.items())
