"""What ``import asynclint`` offers to programs: check a text, or files, and get findings as data.

Whatever a file holds, nothing is raised: what could not be checked is a result with a ``problem``. Nothing
that is checked is imported or run, no file is changed, and fixes come as edits (``finding.fix.edits``: lines
count from 1, columns from 0 and in characters). Configuration and modules that a verdict leans on are read
once a process; a program that lives on while they change starts a new one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from asynclint.finding import Finding
from asynclint.settings import Overrides, Settings, SettingsError, settings_for
from asynclint.source.files import Problem, absolute

if TYPE_CHECKING:
    from asynclint.engine import Result

StrPath = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of one file.

    ``path`` is as reports show it; ``findings`` are in the order of their places. ``problem`` says why the
    file could not be checked, or not wholly; ``note`` why nothing in it was, such as that it is no test file.
    """

    path: str
    findings: tuple[Finding, ...] = ()
    problem: Problem | None = None
    note: str = ""


def check_source(
    source: str | bytes, path: StrPath | None = None, settings: Settings | None = None
) -> Checked:
    """Check one text, as an editor would that has not saved it yet.

    ``source`` is decoded as Python does it if it comes as bytes. ``path`` places it in its project (the file
    need not exist); without one it is judged by its content alone. ``settings`` None takes those of the
    nearest ``pyproject.toml``, upward from ``path`` or from the working directory.

    >>> import asynclint
    >>> checked = asynclint.check_source('''
    ... async def fetch():
    ...     return 1
    ...
    ... async def test_fetch():
    ...     fetch()
    ... ''')
    >>> [(finding.code, finding.span.start.line) for finding in checked.findings]
    [('ASL301', 6)]
    >>> asynclint.check_source("async def", path="tests/test_it.py").problem.line
    1
    """
    from asynclint.engine import check_text
    from asynclint.source.text import SourceError, SourceText

    display = "stdin" if path is None else os.fspath(path)
    place = None if path is None else absolute(Path(path))
    try:
        known = settings_for(place or Path.cwd(), Overrides()) if settings is None else settings
        raw = source if isinstance(source, bytes) else source.encode("utf-8", "surrogatepass")
        text = SourceText.from_bytes(raw) if isinstance(source, bytes) else SourceText.from_lines([source])
        return _checked(check_text(text, place, display, known))
    except SourceError as error:
        return Checked(display, problem=Problem(display, error.message, error.line, error.column))
    except SettingsError as error:
        return _unusable(error)


def check_paths(
    paths: Iterable[StrPath],
    settings: Settings | None = None,
    *,
    jobs: int = 1,
    cache: bool = False,
) -> Iterator[Checked]:
    """Check files and directories as the command does; yields one result a file, in a fixed order.

    Findings about a whole suite come at the end, in the file that configures it. ``settings`` None takes
    those of the nearest ``pyproject.toml`` for each file. ``jobs`` is the number of processes; more than one
    start as those of ``concurrent.futures`` do, and ask for the same care. ``cache`` reads and writes
    ``.asynclint_cache`` in the project.

    >>> import asynclint
    >>> settings = asynclint.Settings(select=("ASL1",), guard_seconds=10)
    >>> results = asynclint.check_paths(["tests", "missing"], settings)
    >>> for result in results:
    ...     for finding in result.findings:
    ...         print(f"{finding.path}:{finding.span.start.line}: {finding.code}")
    ...     if result.problem:
    ...         print(result.problem.display, result.problem.message)
    tests/test_wait.py:1: ASL101
    missing cannot be read: it does not exist
    """
    from asynclint.collect import collect
    from asynclint.run import Caching, check_groups

    named = [Path(path) for path in paths]
    collected = collect(named, Overrides() if settings is None else _exactly(settings))
    for result, _ in check_groups(collected.groups, jobs=jobs, cache=Caching() if cache else None):
        yield _checked(result)
    for problem in collected.problems:
        yield Checked(problem.display, problem=problem)


def _exactly(settings: Settings) -> Overrides:
    """These settings and no others, whatever files say."""
    values = tuple((field.name, getattr(settings, field.name)) for field in fields(settings))
    return Overrides(values, isolated=True)


def _checked(result: Result) -> Checked:
    return Checked(result.display, result.findings, result.problem, result.note)


def _unusable(error: SettingsError) -> Checked:
    from asynclint.collect import problem_of

    problem = problem_of(error)
    return Checked(problem.display, problem=problem)
