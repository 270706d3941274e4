"""ASL101 unbounded-test: an async test that waits, and nothing bounds it.

An async test that waits for something which never comes waits for ever. Nothing fails, nothing is
printed: CI hangs until the job is killed, and nobody learns which test it was. This rule reports
each async test that can wait while nothing ends it when time is up: no ``asyncio.timeout`` or
``wait_for`` in its body, no mark, no setting of pytest-timeout, and no decorator, base class,
fixture or hook of the project that puts a bound round it.

Why it matters: a hang is worse than a failure. A failing test names itself in a second; a hanging
one costs an hour of CI and a search.

Bad::

    import asyncio

    import pytest


    @pytest.mark.asyncio
    async def test_worker_answers(worker):
        await worker.start()
        assert await worker.ask("ping") == "pong"

Good::

    import asyncio

    import pytest


    @pytest.mark.asyncio
    async def test_worker_answers(worker):
        async with asyncio.timeout(30):
            await worker.start()
            assert await worker.ask("ping") == "pong"

Fix: safe. Puts a guard round the whole body: ``asyncio.timeout``, ``anyio.fail_after`` or
``trio.fail_after``, as the test's event loop needs it, of ``guard-seconds`` (30) or longer where
bounds and sleeps inside add up to more; with ``guard-style = "mark"``, ``@pytest.mark.timeout`` on
the test, where the project depends on pytest-timeout. There is no fix, and the report says why, where a guard
could change a test that passes: under a fake clock or hypothesis, where no event loop runs, or
where a bound inside can't be read. One line of pytest configuration (``timeout = 60`` with
pytest-timeout) bounds a whole suite.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.finding import Finding, Safety
from asynclint.project.guards.standing import Standing, standing_of
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    from asynclint.project.project import Project
    from asynclint.source.function import Function
    from asynclint.source.outline import Scope as Unit

rule = Rule("ASL101", "unbounded-test", Scope.FUNCTION, fix=Safety.SAFE)


@rule.trigger
def trigger(unit: Unit, project: Project) -> bool:
    """An async test that can hang, with no guard in its body and none outside."""
    return standing_of(unit, project) is Standing.UNBOUNDED


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """The test's ``def`` line, with a guard for its body."""
    from asynclint.project.guards import insertion, refusals, runner, tests

    unit = function.scope
    test = tests.test_of(unit, project)
    if test is None or not trigger(unit, project):
        return
    fix, held_back = None, ""
    try:
        fix = insertion.guard_fix(unit, test, runner.runner(test, project), project)
    except refusals.NoGuardError as error:
        held_back = str(error)
    message = f"async test {unit.name} can hang: it waits, and nothing bounds it"
    yield Finding("", unit.outline.text.span_of_name(unit.node), rule.code, message, fix, held_back)
