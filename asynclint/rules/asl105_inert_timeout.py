"""ASL105 inert-timeout: a guard that looks as if it bounded a test, and cannot fire.

A guard that never fires is worse than none: whoever reads the test believes that it is bounded.
This rule reports, each at the guard itself:

- a limit that is no limit: ``timeout(None)``, ``wait_for(…, None)``, ``fail_after(math.inf)``,
  unless the guard is looked at or given a time later, or a timeout is expected, which then comes from inside;
- a guard that is built and never entered;
- ``with asyncio.timeout(…)``, which is entered with ``async with``, and ``async with`` round anyio's
  and trio's guards, which are entered with ``with``: both raise TypeError;
- a guard with no wait inside, where the loop never gets to end anything;
- one of asyncio's guards in a test that anyio's plugin runs on trio too;
- a guard round the ``yield`` of a pytest-asyncio fixture: the test runs in another task;
- ``@pytest.mark.timeout`` without a number, which aborts the whole run, and
  ``@pytest.mark.timeout(0)``, which switches the limit off, on a test that nothing else bounds.

Why it matters: the hang that the guard was written for hangs all the same.

Bad::

    import asyncio

    import pytest


    @pytest.mark.asyncio
    async def test_answers(worker):
        async with asyncio.timeout(None):
            assert await worker.ask("ping") == "pong"


    @pytest.mark.asyncio
    async def test_starts(worker):
        asyncio.timeout(5)
        await worker.start()

Good::

    import asyncio

    import pytest


    @pytest.mark.asyncio
    async def test_answers(worker):
        async with asyncio.timeout(5):
            assert await worker.ask("ping") == "pong"


    @pytest.mark.asyncio
    async def test_starts(worker):
        async with asyncio.timeout(5):
            await worker.start()

Fix: unsafe. Changes ``with`` to ``async with`` and back where that is all that is wrong: the test
then gets as far as it never got before. How long a guard should last is the test's to say.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.finding import Edit, Finding, Fix, Position, Safety, Span
from asynclint.knowledge.asyncs import GUARD_WORDS
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    from asynclint.project.guards.inert import Inert
    from asynclint.project.project import Project
    from asynclint.source.outline import Scope as Unit

rule = Rule("ASL105", "inert-timeout", Scope.MODULE, fix=Safety.UNSAFE)

ASYNC = re.compile(r"async[ \t]+(?=with\b)")


@rule.trigger
def trigger(module: Unit, _: Project) -> bool:
    """A module that names a guard."""
    return module.outline.text.has_any(GUARD_WORDS)


@rule.check
def check(module: Unit, project: Project) -> Iterator[Finding]:
    """Guards in functions at their calls, and marks where they stand."""
    from asynclint.project.guards.inert import inert_guards
    from asynclint.project.guards.inert_marks import inert_marks
    from asynclint.project.guards.tests import test_of

    text = module.outline.text
    for function in module.outline.functions:
        for guard in inert_guards(function, test_of(function, project), project):
            fix, held_back = _reentered(guard, function)
            yield Finding("", text.span(guard.call), rule.code, guard.why, fix, held_back)
    for mark in inert_marks(module.outline, project):
        yield Finding("", text.span(mark.node), rule.code, mark.why)


def _reentered(guard: Inert, function: Unit) -> tuple[Fix | None, str]:
    """``with`` for ``async with`` or the reverse; or why not."""
    statement = guard.entered
    if statement is None:
        return None, ""
    if len(statement.items) > 1:
        return None, "the statement enters other context managers too"
    text = function.outline.text
    start = text.span(statement).start
    if isinstance(statement, ast.With):
        inside = next(s for s in function.nested() if statement in s.facts.withs)
        if not inside.is_async:
            return None, f"{inside.name} is not async"
        return Fix("enter it with async with", (Edit(Span(start, start), "async "),), Safety.UNSAFE), ""
    written = ASYNC.match(text.slice(text.span(statement)))
    if written is None:
        return None, "async and with stand on lines of their own"
    end = Position(start.line, start.column + written.end())
    return Fix("enter it with a plain with", (Edit(Span(start, end), ""),), Safety.UNSAFE), ""
