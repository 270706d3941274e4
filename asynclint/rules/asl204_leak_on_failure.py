"""ASL204 leak-on-failure: a test finishes its task, unless something fails first.

This rule is off by default: it runs only where its full code is named. It reports a task that every
normal path finishes, while an assertion or a wait that comes between its start and its end can fail
or time out before, and no ``finally`` or context manager would finish it then. Sleeps,
checkpoints, polls that sleep and waits for the test's other tasks are not counted.

Why it matters: one failing test leaves a task behind that disturbs the tests after it, and the report
shows their failures beside the one that matters.

Bad::

    import asyncio


    async def test_reader_sees_the_line(reader):
        reading = asyncio.create_task(reader.readline())
        assert await reader.status() == "reading"
        assert await reading == b"line"

Good::

    import asyncio


    async def test_reader_sees_the_line(reader):
        reading = asyncio.create_task(reader.readline())
        try:
            assert await reader.status() == "reading"
            assert await reading == b"line"
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

Fix: unsafe. Puts what follows into ``try`` and cancels and awaits the task in ``finally``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from asynclint.finding import Finding, Safety
from asynclint.project.guards.tests import is_fixture, test_of
from asynclint.project.tasks import starts_tasks
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    from asynclint.project.project import Project
    from asynclint.source.function import Function
    from asynclint.source.outline import Scope as Unit

rule = Rule("ASL204", "leak-on-failure", Scope.FUNCTION, fix=Safety.UNSAFE, default=False)


@rule.trigger
def trigger(unit: Unit, project: Project) -> bool:
    """A test or fixture that starts a task."""
    if not starts_tasks(unit, project):
        return False
    return test_of(unit, project) is not None or is_fixture(unit, project) is not None


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """Each task that a failure would leave behind, at the call that starts it."""
    from asynclint.flow.finishing import attempt, finish
    from asynclint.flow.lives import lives
    from asynclint.flow.related import failing
    from asynclint.flow.states import State

    offered = 0
    for life in lives(function, project) if trigger(function.scope, project) else ():
        if life.raises is None or life.end != State.SETTLED or life.trace.attributes:
            continue
        fix, held_back = attempt(partial(finish, function, life, project), offered, project)
        offered += fix is not None
        related = failing(function, life)
        line = related.span.start.line
        message = f"{life.title} is left running in {life.scope.name} if line {line} fails first"
        yield Finding("", function.text.span(life.call), rule.code, message, fix, held_back, (related,))
