"""ASL106 swallowed-timeout: when the time of a guard is up, the test passes.

A guard turns a hang into a failure, unless something catches the failure. ``except TimeoutError:
pass`` round the guard does, and so do ``suppress(TimeoutError)``, an ``except BaseException``
*inside* the guard (that is where the cancellation arrives), ``raises(OSError)`` round it (a
TimeoutError is an OSError), and ``move_on_after`` when nobody reads its ``cancelled_caught``.

To wait *for* the time-out is right, and many tests do. So this rule follows what runs after it to
the end of the test. It reports a guard only where nothing there could notice, and where the work
inside is meant to end: because assertions are skipped with it, or because all else says so. It is
silent for guards of up to a second, for work that never ends by itself, for cleaning up, for loops
that try again, for fake clocks, and wherever a later assertion, read or wait may tell.

Why it matters: the test is green, and has checked nothing.

Bad::

    import asyncio


    async def test_greeting(client):
        try:
            async with asyncio.timeout(5):
                greeting = await client.receive()
                assert greeting == "hello"
        except TimeoutError:
            pass

Good::

    import asyncio


    async def test_greeting(client):
        async with asyncio.timeout(5):
            greeting = await client.receive()
            assert greeting == "hello"


    async def test_no_second_greeting(client):
        await client.receive()
        try:
            async with asyncio.timeout(5):
                await client.receive()
        except TimeoutError:
            return
        raise AssertionError("greeted twice")

Fix: no fix. Whether the guard or what catches it has to go is the test's to say.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.finding import Finding, Related
from asynclint.knowledge.asyncs import GUARD_WORDS
from asynclint.rule import Rule, Scope
from asynclint.source.written import called

if TYPE_CHECKING:
    from asynclint.flow.swallowed import Swallowed
    from asynclint.project.project import Project
    from asynclint.source.function import Function
    from asynclint.source.outline import Scope as Unit

rule = Rule("ASL106", "swallowed-timeout", Scope.FUNCTION)

HARMLESS = frozenset({"patch", "open", "timeout", "fail_after", "ClientSession"})  # they catch nothing


@rule.trigger
def trigger(unit: Unit, project: Project) -> bool:
    """A test with a guard, and something in it that could catch what the guard raises."""
    return bool(_swallowed(unit, project))


def _swallowed(unit: Unit, project: Project) -> list[Swallowed]:
    return project.remembered((rule.code, unit), lambda: list(_search(unit, project)))


def _search(unit: Unit, project: Project) -> Iterator[Swallowed]:
    if not unit.outline.text.has_any(GUARD_WORDS) or not _may_catch(unit):
        return
    from asynclint.flow.swallowed import swallowed
    from asynclint.project.guards import drives, tests

    test = tests.test_of(unit, project)
    if test is None:
        return
    if unit.is_async:
        yield from swallowed(unit, test, project)
        return
    for drive in drives.drives(unit, project):
        driven = drives.driven(drive, project)
        if driven is not None and driven.scope.parent in (unit, drive.scope):
            yield from swallowed(driven.scope, test, project)


def _may_catch(unit: Unit) -> bool:
    """Whether something in a function catches exceptions: a handler, or a context manager by any name."""
    if unit.says("except"):
        return True
    entered = (item.context_expr for s in unit.nested() for with_ in s.facts.withs for item in with_.items)
    return any(isinstance(expr, ast.Call) and called(expr) not in HARMLESS for expr in entered)


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """Each swallowed guard at its call, with what swallows it and what it skips beside it."""
    text = function.text
    for found in _swallowed(function.scope, project):
        related = [
            Related("", text.span(node), remark)
            for node, remark in ((found.by, "caught here"), (found.assertion, "skipped then"))
            if node is not None and node is not found.guard
        ]
        yield Finding("", text.span(found.guard), rule.code, found.message, related=tuple(related))
