"""What bounds a test, wherever in the project that is said."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial

from asynclint.knowledge.asyncs import TEST_CASES, TIMERS
from asynclint.project.guards.body import Body, body, yield_guard
from asynclint.project.guards.fixtures import plugin_modules, reaching_fixtures
from asynclint.project.guards.seconds import UNREAD, Number, argument, number
from asynclint.project.guards.tests import Mark, Test, bases, marks, read_marks
from asynclint.project.guards.wrappers import Bound, Unknown, Verdict, decorator_bound, search
from asynclint.project.index.values import Class
from asynclint.project.names import chain
from asynclint.project.project import Project
from asynclint.source.outline import Outline, Scope

# Where a test case class or its metaclass can put a bound round every test.
RUN_METHODS = frozenset(
    [
        "run",
        "__call__",
        "__init__",
        "__init_subclass__",
        "__new__",
        "__prepare__",
        "__getattribute__",
        "_callTestMethod",
        "_callSetUp",
        "_callAsync",
        "_callMaybeAsync",
        "_runTest",
        "defaultTestResult",
    ]
)
SETUP_METHODS = frozenset(["setUp", "asyncSetUp", "setup_method", "setUpClass", "setup_class", "_callSetUp"])
HOOKS = frozenset(
    [
        "pytest_pyfunc_call",
        "pytest_runtest_call",
        "pytest_runtest_protocol",
        "pytest_runtest_setup",
        "pytest_collection_modifyitems",
        "pytest_itemcollected",
        "pytest_pycollect_makeitem",
        "pytest_generate_tests",
        "pytest_fixture_setup",
        "pytest_runtestloop",
        "pytest_collection_finish",
    ]
)


def bound(test: Test, project: Project) -> Verdict:
    """What ends a test when time is up, its own body left out; None if nothing does.

    Unknown where something that can't be read may bound it: callers stay silent.
    """
    return stated_bound(test, project) or _from_code(
        test, project, only_loop=project.settings.loop_guards_only
    )


def own_body(test: Test, project: Project) -> Body:
    """Waits and guards of the test function itself."""
    return body(test.scope, project)


def stated_bound(test: Test, project: Project) -> Verdict:
    """pytest-timeout's bound: the closest mark that names a number, else its configuration.

    The cheap part of ``bound``; None with ``loop-guards-only``, since the timer is outside the loop.
    """
    if project.settings.loop_guards_only:
        return None
    if test.config.broken:
        return Unknown(test.config.broken)
    if test.is_unittest and not _pytest_runs(test):
        return None
    configured = test.config.timeout
    closest = next((mark for mark in marks(test, project) if mark.name == "timeout"), None)
    given, seconds = _mark_seconds(closest, project) if closest is not None else (False, None)
    if given:
        off = seconds is None or seconds == 0
        return None if off else Bound(seconds, "pytest.mark.timeout", in_loop=False)
    # a mark with only method= or func_only= inherits the configured number, never a farther mark's
    if configured is not None and isinstance(configured.value, float):
        return Bound(configured.value, configured.source, in_loop=False)
    return None


def _pytest_runs(test: Test) -> bool:
    """Pytest runs unittest cases too, in the files it collects; its timeout then counts."""
    return test.config.path is not None


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


def _from_code(test: Test, project: Project, *, only_loop: bool) -> Verdict:
    unknown: Verdict = None
    for found in _verdicts(test, project):
        if isinstance(found, Bound) and (found.in_loop or not only_loop):
            return found
        if isinstance(found, Unknown):
            unknown = unknown or found
    return unknown


def _verdicts(test: Test, project: Project) -> Iterator[Verdict]:
    """What each thing round a test says, the cheapest to ask first."""
    around = test.scope.parent or test.scope
    for decorator in _wrapping(test.scope, around, project):
        yield decorator_bound(decorator, around, project)
    yield _class_bound(test, project)
    yield project.remembered(("hooks", test.scope.outline), lambda: _hook_bound(test, project))
    yield _fixture_bound(test, project)


def _wrapping(function: Scope, around: Scope, project: Project) -> list[ast.expr]:
    """Decorators that are not marks."""
    return [d for d in function.decorators if not any(True for _ in read_marks(d, around, project))]


def _class_bound(test: Test, project: Project) -> Verdict:
    if test.bases is None:
        return None
    if any(TEST_CASES.get(name, ("", False))[1] for name in test.bases.outside):
        return Bound(UNREAD, "base class", in_loop=False)
    if test.bases.unknown:
        return Unknown("base class")
    key = ("class", test.bases.project[0])
    return project.remembered(key, lambda: _searched_class(test, project))


def _searched_class(test: Test, project: Project) -> Verdict:
    assert test.bases is not None
    unknown: Verdict = None
    for cls in test.bases.project:
        for decorator in _wrapping(cls, cls.parent or cls, project):
            found = decorator_bound(decorator, cls.parent or cls, project)
            if isinstance(found, Bound):
                return found
            unknown = unknown or found
        for method in _running_methods(cls, project):
            found = search(method, project, None)
            if isinstance(found, Bound):
                return Bound(found.seconds, method.qualname, found.in_loop)
            unknown = unknown or found
        for method in cls.facts.scopes:
            if method.name in SETUP_METHODS:
                found = search(method, project, None)
                if isinstance(found, Bound) and not found.in_loop:
                    return Bound(found.seconds, f"{cls.name}.{method.name}", in_loop=False)
    return unknown


def _running_methods(cls: Scope, project: Project) -> list[Scope]:
    """Methods that run tests, of the class and of its metaclass."""
    found = [m for m in cls.facts.scopes if m.is_function and m.name in RUN_METHODS]
    for keyword in cls.node.keywords:  # type: ignore[union-attr]
        if keyword.arg == "metaclass":
            value = project.inference.value(keyword.value, cls.parent or cls)
            if isinstance(value, Class):
                for meta in bases(value.scope, project).project:
                    found += [m for m in meta.facts.scopes if m.is_function and m.name in RUN_METHODS]
    return found


def _hook_bound(test: Test, project: Project) -> Verdict:
    unknown: Verdict = None
    for outline in plugin_modules(test.scope.outline, test.config, project):
        for hook in hooks(outline):
            found = search(hook, project, None)
            if isinstance(found, Bound):
                return Bound(found.seconds, f"{outline.path.name} {hook.name}", found.in_loop)
            unknown = unknown or found
    return unknown


def hooks(outline: Outline) -> list[Scope]:
    """Pytest hooks of a conftest or plugin that can change how a test runs."""
    return [f for f in outline.scope.facts.scopes if f.is_function and f.name in HOOKS]


def _fixture_bound(test: Test, project: Project) -> Verdict:
    for fixture in reaching_fixtures(test, project):
        found = project.remembered(("fixture", fixture), partial(_one_fixture, fixture, project))
        if found is not None:
            return found
    return None


def _one_fixture(fixture: Scope, project: Project) -> Verdict:
    """A guard round a fixture's ``yield``, or a timer it starts."""
    guard = yield_guard(fixture, project, None, fixture.node)
    if guard is not None:
        return Bound(guard.seconds, f"fixture {fixture.name}", in_loop=True)
    for scope in fixture.nested():
        for call in scope.facts.calls:
            if any(name in TIMERS for name in chain(call.func, scope, project.modules)):
                return Bound(UNREAD, f"fixture {fixture.name}", in_loop=False)
    return None
