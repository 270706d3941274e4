"""What went wrong while something was checked, as results: faults of asynclint, and what is too much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from asynclint.finding import Position
from asynclint.source.files import Problem, shown
from asynclint.source.function import UnparsedError
from asynclint.source.outline import Scope

FAULT = "ASL002"  # the code of a problem that is asynclint's own


def first_of(problems: Sequence[Problem]) -> Problem | None:
    """One line for all that went wrong in a file."""
    if len(problems) < 2:
        return problems[0] if problems else None
    first = min(problems, key=lambda problem: (problem.code != FAULT, problem.line))
    return replace(first, message=f"{first.message} (and {len(problems) - 1} more in this file)")


def fault(unit: Scope, display: str, error: Exception) -> Problem:
    """What went wrong with a function, class or module, at its place."""
    position = Position(1, 0) if unit.parent is None else unit.outline.text.span(unit.node).start
    if isinstance(error, UnparsedError):
        return Problem(display, str(error), position.line, position.column)
    if isinstance(error, RecursionError):
        message = f"{unit.qualname or 'the module'} could not be checked: it is nested too deeply"
        return Problem(display, message, position.line, position.column)
    return _fault_in(unit.qualname or "the module", display, position, error)


def fault_of_file(display: str, error: Exception) -> Problem:
    """What went wrong with a file before or after its functions were checked."""
    if isinstance(error, RecursionError):
        return Problem(display, "the module could not be checked: it is nested too deeply")
    return _fault_in("the module", display, Position(1, 0), error)


def fault_of_suite(root: Path, error: Exception) -> Problem:
    """What went wrong with a whole suite, by the directory of its configuration."""
    if isinstance(error, RecursionError):
        message = "the suite could not be checked: something in it is nested too deeply"
        return Problem(shown(root), message)
    return _fault_in("the suite", shown(root), Position(1, 0), error)


def _fault_in(name: str, display: str, position: Position, error: Exception) -> Problem:
    cause = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    message = f"{name} could not be checked, which is a fault of asynclint; please report it: {cause}"
    return Problem(display, message, position.line, position.column, FAULT)
