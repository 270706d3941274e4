"""The vocabulary of recipes: steps of a job, environments of tox, sessions of nox, targets of make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from asynclint.project.runs.script import Command


class Kind(Enum):
    """What a step belongs to."""

    CI = "a job of continuous integration"
    TOX = "an environment of tox"
    NOX = "a session of nox"
    MAKE = "a target of make"
    SCRIPT = "a script of the project"


class Variable(NamedTuple):
    """An environment variable that is set on the lines ``line`` (1-based) to ``last`` of a file."""

    name: str
    value: str
    path: Path
    line: int
    last: int


Environment = Mapping[str, Variable]


@dataclass(frozen=True, eq=False)
class Step:
    """Commands that run one after the other, with the variables that are set for all of them.

    ``names`` are those by which tox, nox or make are asked for it; ``line`` is where a variable would be set
    for it, 0 for the line of each command. ``directory`` is where it runs, None where that is not known.
    ``passes`` are patterns of the variables that reach it from outside, None for all. ``is_gate`` tells a job
    that runs on every pull request.
    """

    kind: Kind
    path: Path
    names: tuple[str, ...]
    line: int
    commands: Sequence[Command]
    variables: Environment = field(default_factory=dict)
    directory: Path | None = None
    passes: tuple[str, ...] | None = None
    is_gate: bool = False

    def lets_in(self, name: str) -> bool:
        """Whether a variable that is set outside reaches the commands; tox minds no case."""
        passes = self.passes
        return passes is None or any(fnmatchcase(name, pattern.upper()) for pattern in passes)


def own_variables(step: Step, number: int) -> Iterator[Variable]:
    """The variables that the commands up to one of a step set for it: exports before it, then its own."""
    for command in step.commands[:number]:
        for name, value in command.exports:
            yield Variable(name, value, step.path, command.line, command.last)
    command = step.commands[number]
    for name, value in command.sets:
        yield Variable(name, value, step.path, command.line, command.last)
