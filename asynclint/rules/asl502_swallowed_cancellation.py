"""ASL502 swallowed-cancellation: a coroutine catches its own cancellation and goes on.

A task is cancelled by an exception: ``CancelledError`` is raised at the ``await`` where it waits. Who
catches it there, by name, by ``BaseException`` or by a bare ``except``, and doesn't raise it again
takes the cancellation back. This rule reports such a handler round an ``await`` where the coroutine
then goes round its loop once more, waits for something else, or returns to a caller that awaits it as
if all were done. Coroutines that are started as tasks and end behind the handler, or put things in
order there, are right: that is how a worker comes to its end. So is what a test's local
coroutine does when it catches ``CancelledError`` by name; and what cancels a test itself is its guard,
which is ASL106's matter.

It is silent in trio's code, whose cancellation comes again at the next wait, in Twisted's, where it is an
``Exception``, and where it may be another task's: after ``task.cancel()`` (the right way to end one's own
task), round ``await task``, round a wait that only a cancellation ends; where the error is kept or handed on,
or a flag is set that is looked at, also by a method; where ``cancelling()`` or ``uncancel()`` is used; in
cleanup; where a comment, a docstring or a name says that it is on purpose; and where a handler by name closes
everything down, only reports that it ends, or ends its loop: that is how a program is told to stop.

Why it matters: ``asyncio.timeout`` never fires, a task group never ends, and a test that cancels such a
task hangs or leaves it behind.

Bad::

    import asyncio


    async def worker(queue):
        while True:
            try:
                job = await queue.get()
                await job()
            except BaseException:
                print("job failed")


    async def test_worker(queue):
        working = asyncio.create_task(worker(queue))
        await queue.join()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

Good::

    import asyncio


    async def worker(queue):
        while True:
            try:
                job = await queue.get()
                await job()
            except Exception:
                print("job failed")


    async def test_worker(queue):
        working = asyncio.create_task(worker(queue))
        await queue.join()
        working.cancel()
        try:
            await working
        except asyncio.CancelledError:
            pass

Fix: no fix. Whether to raise again, or to catch less, depends on what has to be put in order first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.finding import Finding, Position, Related, Span
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    import ast

    from asynclint.flow.cancellations import Swallowing
    from asynclint.project.project import Project
    from asynclint.source.function import Function
    from asynclint.source.outline import Scope as Unit
    from asynclint.source.text import SourceText

rule = Rule("ASL502", "swallowed-cancellation", Scope.FUNCTION)

WORDS = ("except:", "BaseException", "Cancelled", "get_cancelled_exc_class")


@rule.trigger
def trigger(unit: Unit, project: Project) -> bool:
    """A coroutine function with a handler that a cancellation comes to, and that doesn't raise."""
    if not unit.outline.text.has_any(WORDS):
        return False
    return unit.says("except") and unit.says("async def") and bool(_swallowing(unit, project))


def _swallowing(unit: Unit, project: Project) -> list[Swallowing]:
    from asynclint.flow.cancellations import is_mistake, swallowing

    def search() -> list[Swallowing]:
        found = (s for scope in unit.nested() if scope.is_async for s in swallowing(scope, project))
        return [one for one in found if is_mistake(one, unit, project)]

    return project.remembered((rule.code, unit), search)


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """Each handler at its ``except``, with the first wait that it surrounds."""
    text = function.text
    for found in _swallowing(function.scope, project):
        caught = "the bare except" if found.handler.type is None else "this"
        message = f"{caught} catches the cancellation of {found.scope.name}(), and {found.onward.value}"
        related = (Related("", text.span(found.wait), "cancelled here"),)
        yield Finding("", _head(found.handler, text), rule.code, message, related=related)


def _head(handler: ast.ExceptHandler, text: SourceText) -> Span:
    """``except CancelledError as error``, up to what is caught."""
    start = text.span(handler).start
    if handler.type is not None:
        return Span(start, text.span(handler.type).end)
    return Span(start, Position(start.line, start.column + len("except")))
