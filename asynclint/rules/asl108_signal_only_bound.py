"""ASL108 signal-only-bound: an async test whose only bound is pytest-timeout's signal.

pytest-timeout's usual method is ``SIGALRM``: when time is up, an exception is raised in whatever
the main thread runs at that moment. If the event loop is waiting, that ends the test. If the alarm
lands in another task or in a callback, the exception belongs to that task, or the loop logs it, and
the test goes on waiting; there is no second alarm. This rule reports async tests that wait with no
other bound than that: no guard in the body, and none from a decorator, base class, fixture or hook.
It is off by default, since most hangs are waits of an idle loop, which the alarm does end.

Why it matters: the test that hangs in spite of its timeout is the one nobody looks for.

Bad::

    import asyncio

    import pytest


    @pytest.mark.asyncio
    @pytest.mark.timeout(60)
    async def test_worker_answers(busy_worker):
        assert await busy_worker.ask("ping") == "pong"

Good::

    import asyncio

    import pytest


    @pytest.mark.asyncio
    @pytest.mark.timeout(60)
    async def test_worker_answers(busy_worker):
        async with asyncio.timeout(30):
            assert await busy_worker.ask("ping") == "pong"

Fix: safe. Puts a guard round the whole body, as for unbounded-test; the outer bound stays. The other
way out is ``timeout_method = thread``, which ends the whole run when time is up.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.finding import Finding, Safety
from asynclint.project.guards import bounds, tests
from asynclint.project.guards.wrappers import Bound
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    from asynclint.project.project import Project
    from asynclint.source.function import Function
    from asynclint.source.outline import Scope as Unit

rule = Rule("ASL108", "signal-only-bound", Scope.FUNCTION, fix=Safety.SAFE, default=False)


@rule.trigger
def trigger(unit: Unit, project: Project) -> bool:
    """An async test that can hang, bounded by pytest-timeout's alarm and nothing else."""
    if not unit.is_async or unit.is_generator:  # pytest runs no test that yields
        return False
    test = tests.test_of(unit, project)
    stated = bounds.stated_bound(test, project) if test is not None else None
    if test is None or not isinstance(stated, Bound) or stated.method != "signal":
        return False
    found = bounds.own_body(test, project)
    return bool(found.waits) and not found.guards and bounds.bound_by_code(test, project) is None


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """The test's ``def`` line, with a guard for its body."""
    from asynclint.project.guards import insertion, refusals, runner

    unit = function.scope
    test = tests.test_of(unit, project)
    stated = bounds.stated_bound(test, project) if test is not None else None
    if test is None or not isinstance(stated, Bound) or not trigger(unit, project):
        return
    fix, held_back = None, ""
    try:
        fix = insertion.body_guard_fix(unit, test, runner.runner(test, project), project)
    except refusals.NoGuardError as error:
        held_back = str(error)
    message = (
        f"async test {unit.name} can hang: its only bound is the signal of {stated.source}, "
        "which another task can swallow"
    )
    yield Finding("", unit.outline.text.span_of_name(unit.node), rule.code, message, fix, held_back)
