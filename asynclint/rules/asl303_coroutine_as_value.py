"""ASL303 coroutine-as-value: a coroutine is used as if it were what it returns.

Calling a coroutine function runs nothing: it gives a coroutine, which is true, equal to nothing else,
and has none of the attributes of the result. This rule reports a coroutine that is asserted, compared,
tested for truth, negated, subscripted, iterated, formatted, given to ``len`` and its like or to an
assertion method, or whose attribute is read, where the call is or where a name for it is, when nothing
awaits it. So is a future (of ``asyncio.gather``, of an executor), or another object with ``__await__``,
that is compared with a literal, subscripted, iterated or unpacked, or whose attribute is read, where its
class has nothing for that.

Why it matters: ``assert check()`` passes whatever ``check`` would have found.

Bad::

    class Door:
        async def is_open(self):
            return True


    async def test_door_opens():
        door = Door()
        assert door.is_open()

Good::

    class Door:
        async def is_open(self):
            return True


    async def test_door_opens():
        door = Door()
        assert await door.is_open()

Fix: unsafe. Awaits the coroutine: the test then sees what it returns.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.finding import Finding, Related, Safety
from asynclint.project.coroutines import Evidence, makes_loose_coroutines
from asynclint.project.misused import misused, misuses_awaitables
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    from asynclint.project.project import Project
    from asynclint.source.function import Function
    from asynclint.source.outline import Scope as Unit

rule = Rule("ASL303", "coroutine-as-value", Scope.FUNCTION, fix=Safety.UNSAFE)


@rule.trigger
def trigger(unit: Unit, project: Project) -> bool:
    """A coroutine, or another object to await, that is not awaited at once."""
    return makes_loose_coroutines(unit, project) or misuses_awaitables(unit, project)


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """Each coroutine that is taken for its result, at the call that makes it."""
    from asynclint.flow.coroutines import await_fix, coroutines
    from asynclint.flow.fates import Fate
    from asynclint.flow.purpose import is_on_purpose, is_tried
    from asynclint.flow.related import span_of

    for coroutine in coroutines(function, project):
        used = coroutine.trace.nodes(Fate.USED)
        if not used:
            continue
        fix, held_back = await_fix(function, coroutine.call, coroutine.scope)
        called = ast.unparse(coroutine.call.func)
        message = f"coroutine {called}(…) is not awaited, and used as if it were what it returns"
        if coroutine.evidence is Evidence.ANNOTATION:
            message = f"{called}(…) gives an awaitable, which is used as if it were its result"
        elif coroutine.evidence is Evidence.USE:
            message = f"{called}(…) is awaited elsewhere and not here, where what it returns is used"
        span = function.text.span(coroutine.call)
        related = tuple(
            Related("", span_of(function, node), "it is used here") for node in used if coroutine.trace.names
        )
        sure = coroutine.evidence.confidence
        yield Finding("", span, rule.code, message, fix, held_back, related, confidence=sure)
    reported = {coroutine.call for coroutine in coroutines(function, project)}
    for call, scope, uses in misused(function.scope, project):
        tried = all(is_tried(function, use) for use in uses)
        if call in reported or tried or is_on_purpose(function, call, project, used=True):
            continue
        fix, held_back = await_fix(function, call, scope)
        message = f"{ast.unparse(call.func)}(…) gives an awaitable, which is used as if it were its result"
        related = tuple(
            Related("", function.text.span(use), "it is used here") for use in uses if use is not call
        )
        yield Finding("", function.text.span(call), rule.code, message, fix, held_back, related)
