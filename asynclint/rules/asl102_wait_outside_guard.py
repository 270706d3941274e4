"""ASL102 wait-outside-guard: a test has a guard in its body, and a wait that can hang outside it.

A guard ends what is inside it. What the test awaits before, after or beside it (the server that is
started, the client that is entered, the connection that is closed in the end) can still wait for
ever. This rule reports each async test with a guard in its body that leaves out a wait, where
nothing else bounds the test. It names the first such wait, and shows where more of them stand.

It says nothing where the text can't tell what a guard covers (an exit stack, ``call_later``, a
task that is given one), nor of what holds up no test in practice: a ``put`` into a queue without
a size, a task that the test has cancelled, a task group that is cancelled or whose tasks end.

Why it matters: the author meant the test to be bounded, and everybody takes it to be; when it does
hang, it is the last place where anybody looks.

Bad::

    import asyncio

    import pytest


    @pytest.mark.asyncio
    async def test_worker_answers(worker):
        await worker.start()
        assert await asyncio.wait_for(worker.ask("ping"), 5) == "pong"

Good::

    import asyncio

    import pytest


    @pytest.mark.asyncio
    async def test_worker_answers(worker):
        async with asyncio.timeout(30):
            await worker.start()
            assert await asyncio.wait_for(worker.ask("ping"), 5) == "pong"

Fix: safe. Puts a guard round the whole body, as ASL101 does; the old one stays as it is. The new
one is never shorter than what it surrounds: where the old one's seconds can't be read, there is no
fix, and the report says so.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.finding import Finding, Related, Safety
from asynclint.project.guards.standing import Standing, standing_of
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    from asynclint.project.project import Project
    from asynclint.source.function import Function
    from asynclint.source.outline import Scope as Unit

rule = Rule("ASL102", "wait-outside-guard", Scope.FUNCTION, fix=Safety.SAFE)

SHOWN = 4  # waits that are shown
WIDEST = 60  # characters of one


@rule.trigger
def trigger(unit: Unit, project: Project) -> bool:
    """An async test with a guard in its body and none outside, and a wait that its guard leaves out."""
    return standing_of(unit, project) is Standing.PARTIAL


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """The test's ``def`` line, with a guard for its body."""
    from asynclint.project.guards import bounds, insertion, reach, refusals, runner, standing, tests

    unit = function.scope
    test = tests.test_of(unit, project)
    if test is None or not trigger(unit, project):
        return
    waits = standing.left_out(test, project)
    fix, held_back = None, ""
    try:
        guards = bounds.own_body(test, project).guards
        fix = insertion.guard_fix(unit, test, runner.runner(test, project), project, guards)
    except refusals.NoGuardError as error:
        held_back = str(error)
    where = f"`{_described(waits[0])}` in line {reach.position(waits[0])[0]}"
    others = f"and {len(waits) - 1} more wait" if waits[1:] else "waits"
    message = f"async test {unit.name} can hang: {where} {others} outside its guard"
    span = unit.outline.text.span_of_name(unit.node)
    related = tuple(_related(wait, function) for wait in waits[:SHOWN])
    yield Finding("", span, rule.code, message, fix, held_back, related)


def _related(wait: ast.AST, function: Function) -> Related:
    node = wait.target if isinstance(wait, ast.comprehension) else wait
    return Related("", function.text.span(node), f"`{_described(wait)}` waits outside")


def _described(wait: ast.AST) -> str:
    """A wait in a few words: the keyword, and what is waited for without its arguments."""
    match wait:
        case ast.Await(value=expr):
            words = f"await {_called(expr)}"
        case ast.AsyncFor(target=target, iter=iterated) | ast.comprehension(target=target, iter=iterated):
            words = f"async for {ast.unparse(target)} in {_called(iterated)}"
        case _:
            words = f"async with {_called(wait)}"
    return words if len(words) <= WIDEST else f"{words[: WIDEST - 1]}…"


def _called(expr: ast.AST) -> str:
    if isinstance(expr, ast.Call) and (expr.args or expr.keywords):
        return f"{ast.unparse(expr.func)}(…)"
    return ast.unparse(expr)
