"""ASL103 unbounded-loop-run: a sync test drives an event loop with no bound.

``asyncio.run(main())``, ``loop.run_until_complete(…)``, ``Runner.run(…)``, ``anyio.run(main)`` and
``trio.run(main)`` in a plain ``def test_…`` return when the coroutine is done. If it waits for
something that never comes, so does the test. This rule reports such a call where nothing bounds
it: no guard in what it drives, no ``wait_for`` round it, and nothing outside the test.

Why it matters: a hang is worse than a failure; it takes the whole run with it and names no test.

Bad::

    import asyncio


    def test_round_trip(server):
        async def main():
            async with server.connect() as connection:
                assert await connection.ask("ping") == "pong"

        asyncio.run(main())

Good::

    import asyncio


    def test_round_trip(server):
        async def main():
            async with asyncio.timeout(30):
                async with server.connect() as connection:
                    assert await connection.ask("ping") == "pong"

        asyncio.run(main())

Fix: safe. Puts a guard round the body of the local coroutine function that is driven; else wraps
the coroutine in ``asyncio.wait_for``, where it is known to be one. ``anyio.run`` and ``trio.run``
take functions: there the guard goes inside or nowhere. With ``guard-style = "mark"`` the test gets
``@pytest.mark.timeout``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.finding import Finding, Fix, Safety
from asynclint.project.guards import bounds, drives, tests
from asynclint.project.guards.around import called_by, speaks_of
from asynclint.project.guards.drives import Drive
from asynclint.project.guards.tests import Test
from asynclint.project.python_version import target_version
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    from asynclint.project.project import Project
    from asynclint.source.function import Function
    from asynclint.source.outline import Scope as Unit

SAME_TASK_SINCE = (3, 12)  # asyncio.wait_for; docs.python.org, "What's New In Python 3.12", asyncio
# By what a test, a coroutine, and what these call notice a task or context of its own; by what a coroutine
# alone notices that it is ended in another way.
LOOKING = frozenset(
    [
        "all_tasks",
        "current_task",
        "ContextVar",
        "copy_context",
        "set_task_factory",
        "KeyboardInterrupt",
        "SIGINT",
    ]
)
CATCHING = frozenset({"CancelledError"})
CONTEXTS = ("ContextVar", "contextvars")  # asyncio.Runner keeps one context for all that it runs

rule = Rule("ASL103", "unbounded-loop-run", Scope.FUNCTION, fix=Safety.SAFE)


@rule.trigger
def trigger(unit: Unit, project: Project) -> bool:
    """A sync test that drives a loop, with nothing outside that bounds it."""
    return not unit.is_async and project.remembered((rule.code, unit), lambda: _is_unbounded(unit, project))


def _is_unbounded(unit: Unit, project: Project) -> bool:
    test = tests.test_of(unit, project)
    if test is None or not any(drives.can_hang(drive, project) for drive in drives.drives(unit, project)):
        return False
    if bounds.own_body(test, project).guards:  # signal.alarm(5), say
        return False
    return bounds.bound(test, project) is None


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """Each unbounded loop run at its call."""
    from asynclint.project.guards import refusals

    unit = function.scope
    test = tests.test_of(unit, project)
    if test is None or not trigger(unit, project):
        return
    for drive in drives.drives(unit, project):
        if not drives.can_hang(drive, project):
            continue
        fix, held_back = None, ""
        try:
            fix = _fix(drive, unit, test, project)
        except refusals.NoGuardError as error:
            held_back = str(error)
        run = ast.unparse(drive.call.func)
        message = f"test {unit.name} can hang: nothing bounds what {run} drives"
        yield Finding("", function.text.span(drive.call), rule.code, message, fix, held_back)


def _fix(drive: Drive, unit: Unit, test: Test, project: Project) -> Fix:
    from asynclint.project.guards import insertion, refusals
    from asynclint.source.wrap import UnwrappableError, wrap_expression

    marked = insertion.mark_fix(test, project)
    if marked is not None:
        return marked
    driven = drives.driven(drive, project)
    if (
        driven is not None
        and driven.scope.parent in (unit, drive.scope)
        and _is_used_once(driven.scope, unit)
    ):
        try:
            return insertion.guard_fix(driven.scope, test, drive.runner, project)
        except refusals.NoGuardError:
            if drive.is_function:
                raise
    if drive.is_function:
        message = "it takes a function that is not this test's alone, so there is no place for a guard"
        raise refusals.NoGuardError(message)
    _refuse_second_task(drive, driven.scope if driven is not None else None, unit, project)
    refusals.refuse_unwrappable(unit, test, project)
    if driven is None:
        seconds = insertion.fitting_seconds(unit, project)
    else:
        given = drives.arguments(drive, driven, project)
        seconds = insertion.fitting_seconds(driven.scope, project, given, unit)
    name, imported = insertion.importable("asyncio", drive.scope, project)
    try:
        edits = wrap_expression(drive.scope, drive.what, f"{name}.wait_for", str(seconds))
    except UnwrappableError as error:
        raise refusals.NoGuardError(str(error)) from error
    imports = (imported,) if imported else ()
    return Fix(f"wrap it in {name}.wait_for(…, {seconds})", edits, Safety.SAFE, imports)


def _is_used_once(function: Unit, unit: Unit) -> bool:
    uses = [n for n in ast.walk(unit.node) if isinstance(n, ast.Name) and n.id == function.name]
    return len(uses) == 1


def _refuse_second_task(drive: Drive, driven: Unit | None, unit: Unit, project: Project) -> None:
    """Before Python 3.12 ``wait_for`` runs what it is given in a task of its own, which a test may notice."""
    from asynclint.project.guards.refusals import NoGuardError

    oldest = project.settings.target_version or target_version(unit.outline.directory)
    if oldest is None or oldest < SAME_TASK_SINCE:
        message = _noticed(drive, driven, unit, project)
        if message:
            raise NoGuardError(message)
    if isinstance(drive.what, ast.Name):
        message = f"{drive.what.id} is used elsewhere too"
        uses = [n for n in ast.walk(unit.node) if isinstance(n, ast.Name) and n.id == drive.what.id]
        if len(uses) > 2:
            raise NoGuardError(message)
    for statement in (s for scope in unit.nested() for s in scope.facts.withs):
        expects = any("aises" in ast.unparse(item.context_expr) for item in statement.items)
        if expects and any(node is drive.call for node in ast.walk(statement)):
            message = "it is expected to fail, which it may do in another way inside wait_for"
            raise NoGuardError(message)


def _noticed(drive: Drive, driven: Unit | None, unit: Unit, project: Project) -> str:
    """What would notice that the coroutine runs in a task and context of its own; empty if nothing does."""
    if driven is None:
        return "who knows what it asks of its task, which wait_for would change before Python 3.12"
    seen = _names(driven) & CATCHING
    functions = [unit, driven, *called_by(unit, project), *called_by(driven, project)]
    for function in functions:
        seen |= _names(function) & LOOKING
    if seen or any(keyword.arg == "context" for keyword in drive.call.keywords):
        return f"it looks at {min(seen, default='its context')}, which wait_for would change"
    again = drives.is_of_runner(drive, project) and len([*drives.drives(unit, project)]) > 1
    if again and any(speaks_of(CONTEXTS, module, project) for module in {f.outline for f in functions}):
        return "another run of the runner may look at its context, which wait_for would change"
    return ""


def _names(function: Unit) -> set[str]:
    nodes = ast.walk(function.node)
    return {
        n.id if isinstance(n, ast.Name) else n.attr for n in nodes if isinstance(n, (ast.Name, ast.Attribute))
    }
