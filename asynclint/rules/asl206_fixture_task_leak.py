"""ASL206 fixture-task-leak: a fixture or setUp starts a task, and no teardown finishes it.

This rule reports tasks that a pytest fixture, ``setUp``, ``asyncSetUp`` or ``setup_method`` starts and
that are still running when its tests are over: kept in a local name that is not finished behind the
``yield``, or in ``self.task`` where no method of the class, its bases or its heirs does more than look
at it. A task that the fixture yields or returns is left to the tests.

Why it matters: every test that uses the fixture adds a task, and they pile up until the loop is
closed; what they do meanwhile belongs to no test.

Bad::

    import asyncio

    import pytest


    @pytest.fixture
    async def server(make_server):
        server = make_server()
        serving = asyncio.create_task(server.serve())
        yield server
        await server.close()

Good::

    import asyncio

    import pytest


    @pytest.fixture
    async def server(make_server):
        server = make_server()
        serving = asyncio.create_task(server.serve())
        yield server
        await server.close()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

Fix: unsafe. Finishes the task in ``finally`` behind the ``yield``; in ``asyncSetUp`` with cleanups.
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
    from asynclint.source.outline import Scope as Unit

rule = Rule("ASL206", "fixture-task-leak", Scope.FUNCTION, fix=Safety.UNSAFE)


@rule.trigger
def trigger(unit: Unit, project: Project) -> bool:
    """A fixture or method that prepares tests, and starts a task that does not plainly come to its end."""
    return is_setup(unit, project) and may_leave_tasks(unit, project)


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """Each task that no teardown finishes, at the call that starts it."""
    from asynclint.flow.finishing import attempt, finish, finish_in_cleanup
    from asynclint.flow.lives import lives
    from asynclint.project.owners import may_be_finished

    offered = 0
    for life in lives(function, project) if trigger(function.scope, project) else ():
        if life.scope is not function.scope or not life.is_unfinished or life.is_dropped:
            continue
        if any(may_be_finished(name, life.scope, project) for name in life.trace.attributes):
            continue
        in_cleanup = life.scope.name == "asyncSetUp"
        finishing = finish_in_cleanup if in_cleanup else finish
        fix, held_back = attempt(partial(finishing, function, life, project), offered, project)
        offered += fix is not None and not in_cleanup
        message = f"{life.title} is started in {life.scope.name}, and no teardown cancels or awaits it"
        yield Finding("", function.text.span(life.call), rule.code, message, fix, held_back)
