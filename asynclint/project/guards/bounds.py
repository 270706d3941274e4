"""What bounds a test, wherever in the project that is said."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from asynclint.project.config import Setting
from asynclint.project.guards.backends import anyio_backends
from asynclint.project.guards.body import Body, body
from asynclint.project.guards.class_bounds import class_bound
from asynclint.project.guards.decorators import decorator_bound
from asynclint.project.guards.fixtures import reaching_fixtures, requested
from asynclint.project.guards.hook_bounds import hook_bound
from asynclint.project.guards.module_bounds import module_bound
from asynclint.project.guards.plugins import plugin_modules
from asynclint.project.guards.seconds import UNREAD, Number, number
from asynclint.project.guards.tests import Mark, Test, marks_around, own_marks, read_marks
from asynclint.project.guards.timeout_marks import closest_timeouts
from asynclint.project.guards.wrappers import (
    Bound,
    Unknown,
    Verdict,
    bound_at,
    is_listed,
)
from asynclint.project.guards.yields import fixture_guard, held_guards
from asynclint.project.project import Project
from asynclint.source.outline import Scope
from asynclint.source.written import argument


def bound(test: Test, project: Project) -> Verdict:
    """What ends a test when time is up, its own body left out; None if nothing does.

    Unknown where something that can't be read may bound it: callers stay silent.
    """
    return stated_bound(test, project) or bound_by_code(test, project)


def own_body(test: Test, project: Project) -> Body:
    """Waits and guards of the test function itself; with ``loop-guards-only``, guards in the loop."""
    key = ("body", test.scope, project.settings.loop_guards_only)
    return project.remembered(key, lambda: _own_body(test, project))


def _own_body(test: Test, project: Project) -> Body:
    found = body(test.scope, project)
    if project.settings.loop_guards_only:
        found = Body(found.waits, [guard for guard in found.guards if guard.in_loop])
    return found


def stated_bound(test: Test, project: Project) -> Verdict:
    """pytest-timeout's bound: the closest mark that names a number, else its configuration.

    The cheap part of ``bound``; None with ``loop-guards-only``, since the timer is outside the loop.
    """
    if project.settings.loop_guards_only:
        return None
    if test.config.broken:
        return Unknown(test.config.broken)
    if _is_bound_anew(test.scope):
        return Unknown(f"{test.scope.name} is bound anew")
    closest = closest_timeouts(own_marks(test, project), marks_around(test, project), project)
    return of_every_case(closest, lambda mark: timer(mark, test, project))


def of_every_case(closest: list[Mark | None] | Unknown, armed: Callable[[Mark | None], Verdict]) -> Verdict:
    """What bounds a test whatever its parameters are; Unknown where only some of them have a bound."""
    if isinstance(closest, Unknown):
        return closest
    verdicts = [
        armed(mark) if mark is None or mark.name else armed(None) or Unknown("marks of parameters")
        for mark in closest
    ]
    if all(verdict is None for verdict in verdicts):
        return None
    unsure = next((verdict for verdict in verdicts if not isinstance(verdict, Bound)), verdicts[0])
    return unsure or Unknown("marks of some parameters")


def timer(closest: Mark | None, test: Test, project: Project) -> Verdict:
    """What pytest-timeout arms for the timeout mark that counts and for the number that is configured."""
    configured = _configured_timeout(test)
    given, seconds = _mark_seconds(closest, project) if closest is not None else (False, None)
    method = _method(closest, test)
    if closest is not None and closest.call is not None and given and seconds is not None:
        if isinstance(seconds, float) and seconds <= 0:
            return None
        stated = bound_at(closest.call, closest.scope, "pytest.mark.timeout", seconds, in_loop=False)
        return stated._replace(method=method)
    # a mark with None, or with only method= or func_only=, inherits the configured number, never a
    # farther mark's
    if configured is not None and isinstance(configured.value, float):
        return Bound(configured.value, configured.source, False, configured.path, method=method)
    return None


def _method(mark: Mark | None, test: Test) -> str:
    """How pytest-timeout interrupts the test: ``signal``, its default outside Windows, or ``thread``."""
    stated = argument(mark.call, 1, "method") if mark is not None and mark.call is not None else None
    if stated is not None:
        return str(stated.value) if isinstance(stated, ast.Constant) else ""
    return str(test.config.timeout_method.value) if test.config.timeout_method is not None else "signal"


def _is_bound_anew(function: Scope) -> bool:
    """``test_a = pytest.mark.timeout(5)(test_a)`` under the definition."""
    owner = function.parent
    return owner is not None and any(b.kind != "def" for b in owner.bindings.get(function.name, []))


def _configured_timeout(test: Test) -> Setting | None:
    """The number that pytest's configuration gives a test; it runs unittest cases too where it has one."""
    return test.config.timeout if not test.is_unittest or test.config.path is not None else None


def _mark_seconds(mark: Mark, project: Project) -> tuple[bool, Number]:
    call = mark.call
    if call is None:
        return False, None
    value = argument(call, 0, "timeout", "seconds")
    if value is None:
        hidden = any(isinstance(a, ast.Starred) for a in call.args) or any(
            k.arg is None for k in call.keywords
        )
        return hidden, UNREAD
    return True, number(value, mark.scope, project)


def bound_by_code(test: Test, project: Project) -> Verdict:
    """What decorators, base classes, hooks and fixtures put round a test; see ``bound``."""
    return first_bound(verdicts(test, project), project)


def first_bound(found_in_turn: Iterable[Verdict], project: Project) -> Verdict:
    """The first bound that counts; Unknown where there is none and something can't be read."""
    unknown: Verdict = None
    for found in found_in_turn:
        if isinstance(found, Bound) and (found.in_loop or not project.settings.loop_guards_only):
            return found
        if isinstance(found, Unknown):
            unknown = unknown or found
    return unknown


def verdicts(test: Test, project: Project) -> Iterator[Verdict]:
    """What each thing round a test says, the cheapest to ask first."""
    around = test.scope.parent or test.scope
    owner = test.bases.project[0] if test.bases is not None else None
    for decorator in _wrapping(test.scope, around, project):
        yield decorator_bound(decorator, around, project, owner)
    yield class_bound(test, project)
    modules = list(plugin_modules(test.scope.outline, test.config, project))
    yield hook_bound(modules, test, project)
    yield module_bound(modules, project, in_class=test.bases is not None)
    yield _fixture_bound(test, project)


def _wrapping(function: Scope, around: Scope, project: Project) -> list[ast.expr]:
    """Decorators that are not marks."""
    return [d for d in function.decorators if not any(True for _ in read_marks(d, around, project))]


def _fixture_bound(test: Test, project: Project) -> Verdict:
    wanted = requested(test, project)
    listed = next((n for n in sorted(wanted) if is_listed(n, (), project.settings.guard_fixtures)), "")
    if listed:
        return bound_at(test.scope.node, test.scope, f"fixture {listed}", UNREAD, in_loop=True)
    for fixture in reaching_fixtures(test, project):
        found = bound_of_fixture(fixture, project)
        if found is not None and not (found.in_loop and _is_lost_on_trio(fixture, test, project)):
            return found
    return None


def bound_of_fixture(fixture: Scope, project: Project) -> Bound | None:
    """What a fixture puts round the tests that get it."""
    return project.remembered(("fixture", fixture), partial(_one_fixture, fixture, project))


def _is_lost_on_trio(fixture: Scope, test: Test, project: Project) -> bool:
    """A guard that an anyio fixture holds round its ``yield`` while the test runs on trio."""
    on_trio = fixture.is_async and "trio" in anyio_backends(test, project)
    return on_trio and bool(held_guards(fixture, project))


def _one_fixture(fixture: Scope, project: Project) -> Bound | None:
    """A guard round a fixture's ``yield`` that holds its tests, or a timer it starts."""
    guard = fixture_guard(fixture, project)
    if guard is not None:
        line = getattr(guard.node, "lineno", 0)
        return Bound(guard.seconds, f"fixture {fixture.name}", guard.in_loop, fixture.outline.path, line)
    return None
