"""What bounds async fixtures and the methods that test cases await round their tests."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from asynclint.project.guards.bounds import (
    bound_of_fixture,
    first_bound,
    of_every_case,
    timer,
)
from asynclint.project.guards.class_bounds import class_bound
from asynclint.project.guards.decorators import decorator_bound
from asynclint.project.guards.fixtures import reaching_fixtures
from asynclint.project.guards.hook_bounds import hook_bound
from asynclint.project.guards.module_bounds import module_bound
from asynclint.project.guards.plugins import plugin_modules
from asynclint.project.guards.setups import Setup, tests_round
from asynclint.project.guards.tests import Mark, is_collected, marks_around, own_marks, read_marks
from asynclint.project.guards.timeout_marks import closest_timeouts
from asynclint.project.guards.wrappers import Bound, Unknown, Verdict
from asynclint.project.project import Project
from asynclint.source.written import argument

# Hooks round the test function alone; a bound there leaves its fixtures as they are.
CALL_HOOKS = frozenset({"pytest_pyfunc_call", "pytest_runtest_call"})


def setup_bound(setup: Setup, project: Project) -> Verdict:
    """What ends a fixture or awaited method when time is up, its own body left out; None if nothing does.

    Guards and decorators of a test function say nothing of its fixtures. Unknown where something
    that can't be read may bound it: callers stay silent.
    """
    return _timers(setup, project) or first_bound(_verdicts(setup, project), project)


def _timers(setup: Setup, project: Project) -> Verdict:
    """pytest-timeout's bound, where it is armed for every test that is known to need the set-up.

    pytest-timeout arms its timer round set-up, call and teardown of a test, fixtures of every scope
    included, unless ``func_only`` leaves them out.
    """
    if project.settings.loop_guards_only:
        return None
    if setup.config.broken:
        return Unknown(setup.config.broken)
    asking = tests_round(setup, project)
    if not asking:
        outside = setup.bases is None and not is_collected(setup.scope.outline, setup.config)
        return _armed((), () if outside else marks_around(setup.test, project), setup, project)
    verdicts = [
        _armed(own_marks(test, project), marks_around(test, project), setup, project) for test in asking
    ]
    if None in verdicts:
        return None
    return next((v for v in verdicts if isinstance(v, Unknown)), verdicts[0])


def _armed(own: Iterable[Mark], around: Iterable[Mark], setup: Setup, project: Project) -> Verdict:
    closest = closest_timeouts(own, around, project)
    return of_every_case(closest, lambda mark: _timer(mark, setup, project))


def _timer(closest: Mark | None, setup: Setup, project: Project) -> Verdict:
    if not setup.is_inside_call:
        stated = argument(closest.call, -1, "func_only") if closest is not None and closest.call else None
        if stated is not None and not isinstance(stated, ast.Constant):
            return Unknown("func_only")
        if setup.config.timeout_func_only if stated is None else bool(stated.value):
            return None
    return timer(closest, setup.test, project)


def _verdicts(setup: Setup, project: Project) -> Iterator[Verdict]:
    """What each thing round a set-up says, the cheapest to ask first."""
    around = setup.scope.parent or setup.scope
    for decorator in setup.scope.decorators:
        if decorator is not setup.decorator and not any(read_marks(decorator, around, project)):
            yield decorator_bound(decorator, around, project)
    yield class_bound(setup.test, project)
    modules = list(plugin_modules(setup.scope.outline, setup.config, project))
    yield hook_bound(modules, None, project, leaving_out=CALL_HOOKS)
    yield module_bound(modules, project, in_class=True)
    for fixture in reaching_fixtures(setup.test, project):
        found = None if fixture is setup.scope else bound_of_fixture(fixture, project)
        if isinstance(found, Bound) and found.in_loop:
            yield Unknown(found.source)  # in the task of that fixture, or of the whole test: plugins differ
        else:
            yield found
