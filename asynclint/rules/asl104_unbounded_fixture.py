"""ASL104 unbounded-fixture: an async fixture that waits, and nothing bounds it.

A guard in a test's body ends the test, not what runs round it: a fixture that waits for a server
which never starts, or for one which never stops, hangs the run before the test has begun or after
it has passed. This rule reports async fixtures, ``asyncSetUp``, ``asyncTearDown`` and their like
that can wait while nothing ends them: no guard of their own and no timer of pytest-timeout, which
runs during set-up and teardown too, unless ``func_only`` is on. A guard before the ``yield`` says
nothing of what follows it. It is off by default: where pytest-timeout is configured there is
nothing to do, and elsewhere the tests come first.

Why it matters: a run that hangs in a fixture names no test, and guards in the tests can't help.

Bad::

    import pytest_asyncio


    @pytest_asyncio.fixture
    async def server(make_server):
        server = make_server()
        await server.start()
        yield server
        await server.stop()

Good::

    import asyncio

    import pytest_asyncio


    @pytest_asyncio.fixture
    async def server(make_server):
        async with asyncio.timeout(30):
            server = make_server()
            await server.start()
        yield server
        async with asyncio.timeout(30):
            await server.stop()

Fix: safe. Puts one guard round what comes before the ``yield`` and one round what comes after it,
never one across it; a fixture without ``yield`` and a method get one round the body. There is no
fix, and the report says why, where the two can't be held apart (``async with`` round the
``yield``), where no guard fits the event loop, or where anyio or trio may enter a cancel scope on
one side of the ``yield`` and leave it on the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.finding import Finding, Safety
from asynclint.project.guards import halves, setup_bounds, setups
from asynclint.project.guards.halves import Waiting
from asynclint.project.guards.setups import Setup
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    from asynclint.project.project import Project
    from asynclint.source.function import Function
    from asynclint.source.outline import Scope as Unit

rule = Rule("ASL104", "unbounded-fixture", Scope.FUNCTION, fix=Safety.SAFE, default=False)


@rule.trigger
def trigger(unit: Unit, project: Project) -> bool:
    """An async fixture or awaited method that can hang, and nothing bounds it."""
    return unit.is_async and _unbounded(unit, project) is not None


def _unbounded(unit: Unit, project: Project) -> tuple[Setup, Waiting] | None:
    return project.remembered((rule.code, unit), lambda: _judged(unit, project))


def _judged(unit: Unit, project: Project) -> tuple[Setup, Waiting] | None:
    setup = setups.setup_of(unit, project)
    if setup is None:
        return None
    waits = halves.waiting(setup, project)
    if not waits or setups.is_awaited_by_tests(setup, project):
        return None
    if setup_bounds.setup_bound(setup, project) is not None:
        return None
    return setup, waits


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """The fixture's ``def`` line, with a guard for each part that waits."""
    from asynclint.project.guards import refusals, setup_fix

    unit = function.scope
    found = _unbounded(unit, project)
    if found is None:
        return
    setup, waits = found
    fix, held_back = None, ""
    try:
        fix = setup_fix.setup_fix(setup, waits, project)
    except refusals.NoGuardError as error:
        held_back = str(error)
    name = unit.name if setup.decorator is None else f"async fixture {unit.name}"
    message = f"{name} can hang: it waits{_where(unit, waits)}, and nothing bounds it"
    yield Finding("", unit.outline.text.span_of_name(unit.node), rule.code, message, fix, held_back)


def _where(unit: Unit, waits: Waiting) -> str:
    if not unit.is_generator:
        return ""
    before = waits.before or waits.across
    after = waits.after or waits.across
    return f" {'before and after' if before and after else 'before' if before else 'after'} its yield"
