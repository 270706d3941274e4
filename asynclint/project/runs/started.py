"""Which of a project's recipes start its tests, and which variables reach them there.

A step of a job may hand on to tox, nox, make or a script; each gets the variables that are set so far, tox
only those that it lets in. What is not understood may start tests.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntEnum
from functools import cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from asynclint.project.index.modules import project_directories
from asynclint.project.runs import words
from asynclint.project.runs.named import file_step, make_steps, toml_scripts
from asynclint.project.runs.nox import nox_steps
from asynclint.project.runs.script import Command, Does
from asynclint.project.runs.steps import Environment, Kind, Step, own_variables
from asynclint.project.runs.tox import ini_steps, toml_steps
from asynclint.project.runs.words import MOST, Word
from asynclint.project.runs.workflows import UnreadError, github_steps, gitlab_steps

MAKEFILES = frozenset({"Makefile", "makefile", "GNUmakefile"})
DEEP = 6  # recipes that start recipes
MOST_RUNS = 300  # of one step
MOST_STEPS = 300  # that one step leads to
ASYNCIO_DEBUG = "--asyncio-debug"


class Reach(IntEnum):
    """Whether what stands on a line reaches the tests of a directory."""

    NO = 0
    MAYBE = 1
    SURE = 2


class Run(NamedTuple):
    """A command that runs tests, or may, and what variables it sees; ``start`` is the step it begins with."""

    start: Step
    step: Step
    command: Command
    variables: Environment
    is_sure: bool

    @property
    def path(self) -> Path:
        """The file of its command."""
        return self.step.path

    @property
    def line(self) -> int:
        """The line where a variable would be set for it."""
        return self.step.line or self.command.line


def debug_words(root: Path) -> list[tuple[Word, Reach]]:
    """What is to switch asyncio's debug mode on where a directory's tests are started, and its reach.

    Python takes every value but the empty one for yes
    (https://docs.python.org/3/using/cmdline.html#envvar-PYTHONASYNCIODEBUG).
    """
    named = (*words.variable("PYTHONASYNCIODEBUG", root), *words.variable("PYTHONDEVMODE", root))
    found = [*(word for word in named if word.value), *words.dev_mode(root)]
    given = [Word(ASYNCIO_DEBUG, "1", run.path, run.command.line) for run in _runs(root)
             if ASYNCIO_DEBUG in run.command.words]  # fmt: skip
    return [*((word, reach(word, root)) for word in found), *((word, Reach.SURE) for word in given)]


def reach(word: Word, root: Path) -> Reach:
    """Whether a word reaches the tests of a directory; MAYBE where its file can't be understood."""
    return _reaches(root).get((word.path, word.line), Reach.MAYBE)


def is_understood(word: Word, root: Path) -> bool:
    """Whether the meaning of the line that a word stands on is known."""
    return (word.path, word.line) in _reaches(root)


def starts(root: Path, tests: Path) -> list[Run]:
    """The runs that certainly start the tests below a directory, the one that matters most first.

    That is one of a job for pull requests, else of another job, else of tox, nox, make or a script; before
    these, one that is not confined to other paths than ``tests``.
    """
    order = list(Kind)

    def rank(run: Run) -> tuple[bool, int, bool]:
        return not _covers(run, tests), order.index(run.start.kind), not run.start.is_gate

    found: dict[tuple[Path, int], Run] = {}
    for run in sorted((run for run in _runs(root) if run.is_sure), key=rank):
        found.setdefault((run.path, run.line), run)
    return list(found.values())


def forget() -> None:
    """Read the files again when next asked."""
    words.texts.cache_clear()
    _runs.cache_clear()
    _reaches.cache_clear()
    _steps.cache_clear()


@cache
def _steps(root: Path) -> tuple[Step, ...]:
    """The steps of all recipes of a project."""
    return tuple(step for path, text in words.texts(root) for step in _read(path, text))


def _read(path: Path, text: str) -> list[Step]:
    """The steps of one file; none where it is not understood."""
    readers: list[Callable[[Path, str], Iterable[Step]]] = []
    if path.parent.name == "workflows" and path.suffix in (".yml", ".yaml"):
        readers.append(github_steps)
    elif path.name == ".gitlab-ci.yml":
        readers.append(gitlab_steps)
    elif path.name in ("tox.ini", "setup.cfg"):
        readers.append(ini_steps)
    elif path.suffix == ".toml":
        readers += [toml_steps, toml_scripts]
    elif path.name == "noxfile.py":
        readers.append(nox_steps)
    elif path.name in MAKEFILES:
        readers.append(make_steps)
    try:
        return [step for reader in readers for step in reader(path, text)]
    except UnreadError:
        return []


@cache
def _runs(root: Path) -> tuple[Run, ...]:
    """All runs that are, or may be, of tests below a directory, or of a directory above it."""
    steps = _steps(root)
    found: list[Run] = []
    for step in steps:
        runs = _runs_of((step,), {}, steps, root, iter(range(MOST_STEPS)))
        found += (run for run in islice(runs, MOST_RUNS) if _touches(run, root))
    return tuple(found)


def _runs_of(
    chain: tuple[Step, ...], outside: Environment, steps: Sequence[Step], root: Path, left: Iterator[int]
) -> Iterator[Run]:
    """The runs of the last step of a chain, each of which hands on to the next; no step comes twice.

    Where none of the steps is ``left`` that are followed in all, it may lead anywhere.
    """
    start, step = chain[0], chain[-1]
    go_on = len(chain) < DEEP and next(left, None) is not None
    around = {name: variable for name, variable in outside.items() if step.lets_in(name)}
    around.update(step.variables)
    for number, command in enumerate(step.commands):
        seen = {**around, **{variable.name: variable for variable in own_variables(step, number)}}
        if command.does in (Does.TESTS, Does.UNKNOWN):
            is_sure = command.does is Does.TESTS and _where(step, command) is not None
            yield Run(start, step, command, seen, is_sure)
        elif command.does is not Does.OTHER:
            handed = _handed(step, command, steps, root) if go_on else []
            if not handed:
                yield Run(start, step, command, seen, is_sure=False)
            for inner in handed:
                if inner not in chain:
                    yield from _runs_of((*chain, inner), seen, steps, root, left)


def _handed(step: Step, command: Command, steps: Sequence[Step], root: Path) -> list[Step]:
    """The steps that a command hands on to; none where they can't be told."""
    if command.does is Does.FILE:
        return _file(_where(step, command), command.target[0], root)
    kind = {Does.TOX: Kind.TOX, Does.NOX: Kind.NOX, Does.MAKE: Kind.MAKE, Does.SCRIPT: Kind.SCRIPT}[
        command.does
    ]
    alike = [other for other in steps if other.kind is kind and other is not step]
    here = _where(step, command)
    near = [other for other in alike if here is not None and other.path.parent == here] or alike
    if kind is Kind.MAKE and not command.target:
        return near[:1]
    if any("$" in target or "*" in target for target in command.target):
        return near
    if not command.target:
        return near
    found = [other for target in command.target for other in near if _is_named(other, target)]
    if kind is Kind.TOX and not found:
        found = [other for other in near if other.names == ("",)]
    return found


def _is_named(step: Step, target: str) -> bool:
    return any(
        name == target or (step.kind is Kind.NOX and target.startswith(f"{name}-")) for name in step.names
    )


def _file(directory: Path | None, name: str, root: Path) -> list[Step]:
    """The shell script that a command runs."""
    path = (directory or _repository(root)) / name
    try:
        if not path.is_file() or path.stat().st_size > MOST:
            return []
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    first = text.partition("\n")[0]
    is_shell = first.rstrip().endswith("sh") if first.startswith("#!") else path.suffix == ".sh"
    return [file_step(path, text, directory)] if is_shell else []


def _repository(root: Path) -> Path:
    directories = project_directories(root)
    return directories[-1] if directories else root


def _where(step: Step, command: Command) -> Path | None:
    """The directory that a command runs in; None where it is not known, or not there before the job runs."""
    if step.directory is None or command.directory is None:
        return None
    place = step.directory / command.directory
    return place if os.path.isdir(place) else None  # noqa: PTH112 (a name may be too long for Path)


def _touches(run: Run, root: Path) -> bool:
    """Whether a run may be of tests below a directory: by where it runs, and the paths it names."""
    here = _where(run.step, run.command)
    if here is None:
        return True
    named = _paths(run.command, here) or [here]
    return any(path.is_relative_to(root) or root.is_relative_to(path) for path in named)


def _covers(run: Run, tests: Path) -> bool:
    """Whether a run is of all tests below a directory."""
    here = _where(run.step, run.command)
    named = _paths(run.command, here) if here is not None else []
    return not named or any(tests.is_relative_to(path) for path in named)


def _paths(command: Command, here: Path) -> list[Path]:
    plain = [
        word.partition("::")[0]
        for word in command.words[1:]
        if not word.startswith("-") and word.isprintable()
    ]
    return [path for path in (here / word for word in plain if word) if os.path.exists(path)]  # noqa: PTH110 (so may this)


@cache
def _reaches(root: Path) -> dict[tuple[Path, int], Reach]:
    """For each line that is understood, whether what it says reaches the tests of a directory."""
    found: dict[tuple[Path, int], Reach] = {}

    def say(path: Path, first: int, last: int, reach: Reach) -> None:
        for line in range(first, last + 1):
            found[path, line] = max(found.get((path, line), Reach.NO), reach)

    for step in _steps(root):
        for variable in step.variables.values():
            say(variable.path, variable.line, variable.last, Reach.NO)
        for command in step.commands:
            say(step.path, command.line, command.last, Reach.NO)
    for run in _runs(root):
        reach = Reach.SURE if run.is_sure else Reach.MAYBE
        for variable in run.variables.values():
            say(variable.path, variable.line, variable.last, reach)
        if run.command.options and run.command.does in (Does.TESTS, Does.UNKNOWN):
            say(run.path, run.command.line, run.command.last, reach)
    return found
