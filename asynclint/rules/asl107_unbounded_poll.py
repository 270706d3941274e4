"""ASL107 unbounded-poll: a test polls a condition in a loop, and nothing bounds the loop.

``while not server.ready: await asyncio.sleep(0.01)`` ends when the condition holds. If it never
does, the loop goes on for ever: each of its sleeps ends, so the test never looks stuck. This rule
reports ``while`` loops of async tests that only sleep, where nothing inside leaves the loop and
nothing bounds the test. It is off by default, since many suites poll in helpers that it can't see
the callers of.

Why it matters: it is the commonest way for a test to hang that waits for nothing in particular.

Bad::

    import asyncio

    import pytest


    @pytest.mark.asyncio
    async def test_server_gets_ready(server):
        server.start_in_background()
        while not server.ready:
            await asyncio.sleep(0.01)

Good::

    import asyncio

    import pytest


    @pytest.mark.asyncio
    async def test_server_gets_ready(server):
        server.start_in_background()
        async with asyncio.timeout(5):
            while not server.ready:
                await asyncio.sleep(0.01)

Fix: no fix. How long the condition may take is the test's to say.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.finding import Finding
from asynclint.knowledge.asyncs import CHECKPOINTS, SLEEPS
from asynclint.project.guards import bounds, tests
from asynclint.project.names import chain
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    from asynclint.project.project import Project
    from asynclint.source.function import Function
    from asynclint.source.outline import Scope as Unit

rule = Rule("ASL107", "unbounded-poll", Scope.FUNCTION, default=False)


@rule.trigger
def trigger(unit: Unit, project: Project) -> bool:
    """A polling loop in an async test that nothing bounds."""
    if not unit.is_async or not any(_polls(unit, project)):
        return False
    test = tests.test_of(unit, project)
    if test is None or bounds.own_body(test, project).guards:
        return False
    return bounds.bound(test, project) is None


def _polls(unit: Unit, project: Project) -> Iterator[ast.While]:
    """``while`` loops in which every await is a sleep, and which only their condition ends."""
    nested = {id(inner) for scope in unit.facts.scopes for inner in ast.walk(scope.node)}
    for loop in ast.walk(unit.node):
        if not isinstance(loop, ast.While) or id(loop) in nested:
            continue
        inside = [node for statement in loop.body for node in ast.walk(statement) if id(node) not in nested]
        if any(isinstance(node, (ast.Break, ast.Return, ast.Raise, ast.Assert)) for node in inside):
            continue
        calls = [node.value for node in inside if isinstance(node, ast.Await)]
        names = [chain(c.func, unit, project.modules) if isinstance(c, ast.Call) else () for c in calls]
        if names and all(any(n in SLEEPS or n in CHECKPOINTS for n in chained) for chained in names):
            yield loop


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """Each polling loop at its first line."""
    if not trigger(function.scope, project):
        return
    for loop in _polls(function.scope, project):
        span = function.text.span(loop.test)
        message = f"this loop polls while {ast.unparse(loop.test)}, and nothing bounds it"
        if isinstance(loop.test, ast.UnaryOp) and isinstance(loop.test.op, ast.Not):
            message = f"this loop polls for {ast.unparse(loop.test.operand)}, and nothing bounds it"
        yield Finding("", span, rule.code, message)
