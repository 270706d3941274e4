"""ASL503 unbalanced-queue: a queue is joined, and a consumer can lose an item without task_done().

``await queue.join()`` comes back when ``task_done()`` has been called once for each item that was put.
This rule reports a ``get()`` in a consumer, a function beside the one that joins, where the work on the
item can fail, or go on with the next, before ``task_done()`` is called, and where nothing calls it at
all. It follows an ``asyncio.Queue`` (by what makes it or its annotation), or an object with the same
methods, into nested functions, methods of the same class and functions of the project that it is handed
to.

It is silent where ``task_done()`` is in a ``finally``, in each handler, or behind work that can't fail;
where errors of the work are caught; for a ``break`` or ``return`` on a last item; for queues that are
stored elsewhere and never done here; where the ``join()`` is expected to raise, or waited for until one
of several things happens.

Why it matters: the consumer's error is not what the test shows. It hangs in ``join()`` until its timeout,
or for ever.

Bad::

    import asyncio


    async def worker(queue: asyncio.Queue, client):
        while True:
            job = await queue.get()
            await client.send(job)
            queue.task_done()


    async def test_jobs(client):
        queue = asyncio.Queue()
        queue.put_nowait("job")
        async with asyncio.timeout(10):
            working = asyncio.create_task(worker(queue, client))
            await queue.join()
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

Good::

    import asyncio


    async def worker(queue: asyncio.Queue, client):
        while True:
            job = await queue.get()
            try:
                await client.send(job)
            finally:
                queue.task_done()


    async def test_jobs(client):
        queue = asyncio.Queue()
        queue.put_nowait("job")
        async with asyncio.timeout(10):
            working = asyncio.create_task(worker(queue, client))
            await queue.join()
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

Fix: unsafe. Puts the work into ``try`` and ``task_done()`` into its ``finally``, where both stand in one
block: a test that waited may go on.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.finding import Edit, Finding, Fix, Related, Safety
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    from asynclint.flow.queues import Unbalanced
    from asynclint.project.project import Project
    from asynclint.source.outline import Scope as Unit

rule = Rule("ASL503", "unbalanced-queue", Scope.MODULE, fix=Safety.UNSAFE)

MANY = 20  # fixes that are worked out at once
WORDS = ("Queue", ".get()", "get_nowait", "task_done")


@rule.trigger
def trigger(unit: Unit, _: Project) -> bool:
    """A module that joins something without arguments, and speaks of queues."""
    text = unit.outline.text.text
    return ".join()" in text and "async def" in text and unit.outline.text.has_any(WORDS)


@rule.check
def check(unit: Unit, project: Project) -> Iterator[Finding]:
    """Each get at its call; at the join where the consumer is in another file."""
    from asynclint.flow.queues import unbalanced
    from asynclint.source.files import shown

    text = unit.outline.text
    for number, found in enumerate(unbalanced(unit.outline, project)):
        there = found.consumer.outline
        if there is not unit.outline:
            related = (Related(shown(there.path), there.text.span(found.get), "got here"),)
            yield Finding(
                "", text.span(found.join), rule.code, _message(found, elsewhere=True), related=related
            )
            continue
        fix, held_back = _fix(found) if number < MANY else (None, "others come first")
        related = (Related("", text.span(found.join), "joined here"),)
        yield Finding("", text.span(found.get), rule.code, _message(found), fix, held_back, related=related)


def _message(found: Unbalanced, *, elsewhere: bool = False) -> str:
    line = f"join() in line {found.join.lineno}"
    what = "what this gets"
    if elsewhere:
        line, what = "this", f"what {found.consumer.name}() gets"
    at = getattr(found.leak.at, "lineno", 0)
    if found.leak.at is None:
        return f"nothing calls task_done() for {what}, so {line} waits for ever"
    how = f"line {at} goes on without it" if found.leak.leaves else f"line {at} fails"
    return f"when {how}, task_done() is not called for {what}, and {line} waits for ever"


def _fix(found: Unbalanced) -> tuple[Fix | None, str]:
    from asynclint.source.wrap import UnwrappableError, wrap_rest, wrap_run

    leak, text = found.leak, found.consumer.outline.text
    done = f"{found.queue}.task_done()"
    edits: tuple[Edit, ...]
    try:
        if leak.never and leak.run:
            edits = (wrap_rest(found.consumer, found.statement, "try:", ("finally:", f"    {done}")),)
        elif leak.done is not None and leak.run:
            column = text.span(leak.done).start.column
            indent = text.lines[leak.done.lineno - 1][:column]
            unit = _unit(found.consumer)
            replaced = Edit(text.span(leak.done), f"finally:{text.newline}{indent}{unit}{done}")
            edits = (wrap_run(found.consumer, leak.run, "try:"), replaced)
        else:
            return None, "the work and task_done() don't stand in one block"
    except UnwrappableError as error:
        return None, str(error)
    return Fix("call task_done() in a finally", edits, Safety.UNSAFE), ""


def _unit(consumer: Unit) -> str:
    """One level of a function's indentation."""
    assert isinstance(consumer.node, (ast.FunctionDef, ast.AsyncFunctionDef))
    inner = consumer.outline.text.lines[consumer.node.body[0].lineno - 1]
    outer = consumer.outline.text.lines[consumer.node.lineno - 1]
    width = len(inner) - len(inner.lstrip()) - (len(outer) - len(outer.lstrip()))
    return inner[:width] if width > 0 else "    "
