"""ASL201 dropped-task: a task is started and nobody keeps it.

The event loop holds tasks by weak reference only. A task that nobody keeps can be garbage
collected in the middle of its work, its exception is never seen, and it goes on into whatever test
comes next. This rule reports ``asyncio.create_task``, ``ensure_future``, ``run_coroutine_threadsafe``
and a loop's ``create_task`` as a bare statement, assigned to ``_``, kept only by
``.add_done_callback(…)``, or put into a local container that nobody uses. What a TaskGroup or nursery
starts is theirs.

Why it matters: the test passes whether or not the task does what it should.

Bad::

    import asyncio


    async def test_consumer_drains_the_queue(queue, consume):
        asyncio.create_task(consume(queue))
        async with asyncio.timeout(5):
            await queue.join()

Good::

    import asyncio


    async def test_consumer_drains_the_queue(queue, consume):
        consumer = asyncio.create_task(consume(queue))
        try:
            async with asyncio.timeout(5):
                await queue.join()
        finally:
            consumer.cancel()
            await asyncio.gather(consumer, return_exceptions=True)

Fix: unsafe. Keeps the task, and cancels and awaits it in ``finally`` behind the statements that
follow: a test that leant on the task outliving it would change.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from asynclint.finding import Finding, Safety
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    from asynclint.project.project import Project
    from asynclint.source.function import Function
    from asynclint.source.outline import Scope as Unit

rule = Rule("ASL201", "dropped-task", Scope.FUNCTION, fix=Safety.UNSAFE)


@rule.trigger
def trigger(unit: Unit, project: Project) -> bool:
    """A call that starts a task."""
    from asynclint.project.tasks import may_leave_tasks

    return may_leave_tasks(unit, project)


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """Each dropped task at the call that starts it."""
    from asynclint.flow.finishing import attempt, finish
    from asynclint.flow.lives import lives

    offered = 0
    for life in lives(function, project):
        if not life.is_dropped or _is_expected_to_fail(function, life.call):
            continue
        fix, held_back = attempt(partial(finish, function, life, project), offered)
        offered += fix is not None
        started = ast.unparse(life.call.func)
        message = f"the task that {started} starts is not kept, so it can vanish or outlive the test"
        yield Finding("", function.text.span(life.call), rule.code, message, fix, held_back)


def _is_expected_to_fail(function: Function, call: ast.Call) -> bool:
    """``with pytest.raises(TypeError): asyncio.create_task(42)``: no task is ever made."""
    import libcst as cst

    for outer in function.parents(function.cst_of(call)):
        if isinstance(outer, cst.With):
            items = function.module.code_for_node(outer.items[0]) if outer.items else ""
            return "aises" in items and len(outer.body.body) == 1
    return False
