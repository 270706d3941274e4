"""How each async test of a module is bounded: what ``--show-guards`` shows and the end of a report counts."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from asynclint.project.config import PytestConfig, find_pytest_config
from asynclint.project.guards.body import body
from asynclint.project.guards.bounds import own_body, stated_bound, verdicts
from asynclint.project.guards.contexts import Guard
from asynclint.project.guards.drives import can_hang, driven, drives
from asynclint.project.guards.reach import position
from asynclint.project.guards.runner import Runner, runner
from asynclint.project.guards.standing import Standing, left_out, standing
from asynclint.project.guards.tests import Test, marks, tests_in
from asynclint.project.guards.wrappers import Bound, Unknown
from asynclint.project.project import Project
from asynclint.project.tally import Tally
from asynclint.source.outline import Outline, Scope


class Survey(NamedTuple):
    """One async test, or sync test that drives a loop, and all that bounds it, what matters most first.

    ``waits`` says whether it can hang; ``left_out`` are the lines (1-based) of its waits that the guards
    in its body do not cover, if it has any; ``unknown`` is what may bound it and can't be read, else "".
    """

    test: Test
    standing: Standing
    waits: bool
    bounds: tuple[Bound, ...]
    left_out: tuple[int, ...]
    unknown: str


def survey(outline: Outline, project: Project) -> Iterator[Survey]:
    """The async tests of a module, in source order."""
    for test in tests_in(outline, project).values():
        if test.scope.is_async:
            if not test.scope.is_generator:
                yield _surveyed(test, bool(own_body(test, project).waits), [], project)
        else:
            found = list(drives(test.scope, project))
            if found:
                inside = [f.scope for drive in found if (f := driven(drive, project)) is not None]
                yield _surveyed(test, any(can_hang(d, project) for d in found), inside, project)


def _surveyed(test: Test, waits: bool, driven_inside: list[Scope], project: Project) -> Survey:
    guards = [bound_of(guard, test.scope) for guard in own_body(test, project).guards]
    for scope in driven_inside:
        guards += [bound_of(guard, scope) for guard in body(scope, project).guards]
    outside, unknown = [], ""
    for verdict in (stated_bound(test, project), *verdicts(test, project)):
        if isinstance(verdict, Bound):
            if verdict.in_loop or not project.settings.loop_guards_only:
                outside.append(verdict)
        elif isinstance(verdict, Unknown):
            unknown = unknown or verdict.source
    if test.scope.is_async and test.is_unittest and runner(test, project) is Runner.UNKNOWN:
        unknown = unknown or "what runs it"
    lines = [position(wait)[0] for wait in left_out(test, project)] if test.scope.is_async and guards else []
    if any(mark.name == "skip" for mark in marks(test, project)):
        stands = Standing.SKIPPED
    elif outside or (guards and not lines):
        stands = Standing.BOUNDED
    elif unknown:
        stands = Standing.UNKNOWN
    elif guards:
        stands = Standing.PARTIAL
    else:
        stands = Standing.UNBOUNDED if waits else Standing.IDLE
    bounds = [*outside, *guards] if lines else [*guards, *outside]
    return Survey(test, stands, waits, tuple(dict.fromkeys(bounds)), tuple(lines), unknown)


def bound_of(guard: Guard, function: Scope) -> Bound:
    """A guard in a function's body as a bound, named as it is written there."""
    node = guard.node
    name = ast.unparse(node.func) if isinstance(node, ast.Call) else "deadline"
    line: int = getattr(node, "lineno", 0)
    return Bound(guard.seconds, name, guard.in_loop, function.outline.path, line)


def tally(outline: Outline, project: Project) -> Tally | None:
    """Count a module's async tests; None where none can hang, or pytest's configuration bounds them all."""
    if find_pytest_config(outline.directory).timeout is not None and not project.settings.loop_guards_only:
        return None
    found = [test for test in tests_in(outline, project).values() if test.scope.is_async]
    counts = Counter(standing(test, project) for test in found)
    unbounded = counts[Standing.UNBOUNDED]
    others = counts[Standing.BOUNDED] + counts[Standing.PARTIAL] + counts[Standing.UNKNOWN]
    if not unbounded and not others:
        return None
    config = found[0].config
    by_pytest = config.path is not None or not all(test.is_unittest for test in found)
    return Tally(config, unbounded, others, by_pytest)


def bound_from_above(config: PytestConfig) -> tuple[PytestConfig, Bound] | None:
    """What bounds the tests of a project with settings of its own when pytest is started above it.

    pytest reads one file; started in a directory above, it is another one
    (https://docs.pytest.org/en/stable/reference/customize.html#finding-the-rootdir).
    """
    if config.path is None:
        return None
    above = config
    while above.root.parent != above.root and above.path is not None:
        above = find_pytest_config(above.root.parent)
        timeout = above.timeout
        if above.path is not None and timeout is not None and isinstance(timeout.value, float):
            return above, Bound(timeout.value, timeout.source, False, timeout.path)
    return None
