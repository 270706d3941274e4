"""ASL202 unfinished-task: a task is kept, but on some normal path nobody finishes it.

A task that a test keeps and never awaits, gathers or cancels is still running when the test is
over. Its work and its exception belong to no test. This rule follows the task through names,
containers, helper functions, branches, loops, ``try`` and ``with`` to every normal end of the
function, and reports one that reaches an end untouched, or only looked at (``task.done()``), or
whose only name is given another value before. Fixtures and ``setUp`` methods are ASL206's. A task is
over when a test has waited for the event that it sets as the last thing it does, or has asserted that a
name holds what it puts there last or that the task is ``cancelled()``, or when the test, or a function of
the project that it calls, has ended all that ``asyncio.all_tasks()`` gives.

Why it matters: an assertion inside the task, or the error that it met, is never seen; the task
then runs on into the next test, or dies with "Task was destroyed but it is pending".

Bad::

    import asyncio


    async def test_writer_flushes(writer):
        flushing = asyncio.create_task(writer.flush())
        async with asyncio.timeout(5):
            await writer.wait_flushed()
        assert not flushing.cancelled()

Good::

    import asyncio


    async def test_writer_flushes(writer):
        flushing = asyncio.create_task(writer.flush())
        async with asyncio.timeout(5):
            await writer.wait_flushed()
            await flushing

Fix: unsafe. Cancels and awaits the task in ``finally`` behind the statements that follow.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from asynclint.finding import Finding, Safety
from asynclint.project.task_ends import may_leave_tasks
from asynclint.project.tasks import is_setup
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    from asynclint.project.project import Project
    from asynclint.source.function import Function

rule = Rule("ASL202", "unfinished-task", Scope.FUNCTION, fix=Safety.UNSAFE)


rule.trigger(may_leave_tasks)


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """Each unfinished task at the call that starts it."""
    from asynclint.flow.announcing import tells_its_end
    from asynclint.flow.fates import Fate
    from asynclint.flow.finishing import attempt, finish
    from asynclint.flow.lives import lives
    from asynclint.flow.related import ways_out
    from asynclint.project.owners import is_finished_elsewhere

    offered = 0
    for life in lives(function, project):
        if not life.is_unfinished or life.is_dropped or is_setup(life.scope, project):
            continue
        if is_finished_elsewhere(life.trace.attributes, life.scope, project) or tells_its_end(life, project):
            continue
        fix, held_back = attempt(partial(finish, function, life, project), offered, project)
        offered += fix is not None
        message = f"{life.title} is never awaited or cancelled on some path, so it outlives {life.scope.name}"
        if Fate.PROVED in life.trace.fates():
            message = f"{life.title} is only asserted to be done: nobody sees what it returns or raises"
        span = function.text.span(life.call)
        yield Finding("", span, rule.code, message, fix, held_back, tuple(ways_out(function, life)))
