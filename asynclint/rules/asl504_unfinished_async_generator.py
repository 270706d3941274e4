"""ASL504 unfinished-async-generator: an async generator with cleanup is left in the middle and not closed.

This rule reports an asynchronous generator of the project that is gone through in part (``async for``
with ``break`` or ``return``, ``anext``, ``asend``) and neither closed with ``aclose()`` or ``aclosing``
nor gone through to its end nor handed on, where the generator yields inside ``try``/``finally`` or a
``with`` block. Generators that have nothing to undo behind their ``yield``, that may have yielded their last
item, or that only close an iterable that they are given, are left alone. So are those whose owner is told
to stop behind that, where it may end them, and those whose end a test asserts upon.

Why it matters: ``break`` does not close an asynchronous generator. Its ``finally`` runs when the garbage
collector has found it and the loop has come round to it, in another task (with other context variables,
outside every timeout and task group), and never if the loop is closed before. See PEP 533.

Bad::

    async def rows(connection):
        try:
            for number in range(10):
                yield await connection.fetch(number)
        finally:
            await connection.close()


    async def test_first_row(connection):
        async for row in rows(connection):
            assert row == "first"
            break
        assert connection.closed

Good::

    import contextlib


    async def rows(connection):
        try:
            for number in range(10):
                yield await connection.fetch(number)
        finally:
            await connection.close()


    async def test_first_row(connection):
        async with contextlib.aclosing(rows(connection)) as found:
            async for row in found:
                assert row == "first"
                break
        assert connection.closed

Fix: unsafe. Puts ``async with contextlib.aclosing(…)`` round the loop, or round what follows.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from asynclint.finding import Finding, Safety
from asynclint.project.generators import may_leave_generators
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    from asynclint.project.project import Project
    from asynclint.source.function import Function

rule = Rule("ASL504", "unfinished-async-generator", Scope.FUNCTION, fix=Safety.UNSAFE)


rule.trigger(may_leave_generators)


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """Each generator that is left in the middle, at the call that makes it."""
    from asynclint.flow.finishing import attempt
    from asynclint.flow.generators import close, unfinished

    offered = 0
    for left in unfinished(function, project):
        fix, held_back = attempt(partial(close, function, left, project), offered, project)
        offered += fix is not None
        made = ast.unparse(left.call.func)
        message = (
            f"{made} is left in the middle and not closed: what it cleans up is done later, in another task"
        )
        yield Finding("", function.text.span(left.call), rule.code, message, fix, held_back)
