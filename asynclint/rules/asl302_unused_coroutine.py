"""ASL302 unused-coroutine: a coroutine is given a name, and nothing ever awaits it.

This rule reports a call of a coroutine function whose coroutine is assigned and then neither awaited,
handed on, returned, stored nor closed anywhere.

Why it matters: the work that the test seems to do never runs.

Bad::

    class Door:
        async def open(self): ...


    async def test_door_opens():
        door = Door()
        opened = door.open()

Good::

    class Door:
        async def open(self): ...


    async def test_door_opens():
        door = Door()
        opened = await door.open()

Fix: unsafe. Awaits the coroutine: the test then does what it seemed to do.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.finding import Finding, Safety
from asynclint.project.coroutines import Evidence, makes_loose_coroutines
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    from asynclint.project.project import Project
    from asynclint.source.function import Function

rule = Rule("ASL302", "unused-coroutine", Scope.FUNCTION, fix=Safety.UNSAFE)


rule.trigger(makes_loose_coroutines)


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """Each coroutine that nobody awaits, at the call that makes it."""
    from asynclint.flow.coroutines import await_fix, coroutines
    from asynclint.flow.fates import Fate

    for coroutine in coroutines(function, project):
        if not coroutine.trace.names or Fate.USED in coroutine.trace.fates():
            continue
        fix, held_back = await_fix(function, coroutine.call, coroutine.scope)
        called, name = ast.unparse(coroutine.call.func), coroutine.trace.names[0]
        message = f"coroutine {called}(…) is kept as {name} and never awaited, so it does nothing"
        if coroutine.evidence is Evidence.ANNOTATION:
            message = f"{called}(…) gives an awaitable that is kept as {name} and never awaited"
        elif coroutine.evidence is Evidence.USE:
            message = f"{called}(…) is awaited elsewhere and not here, and nobody awaits {name} either"
        span, sure = function.text.span(coroutine.call), coroutine.evidence.confidence
        yield Finding("", span, rule.code, message, fix, held_back, confidence=sure)
