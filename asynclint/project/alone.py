"""Whether nothing but a test itself can be running on its loop when it blocks: nobody is held up then."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from asynclint.project.called import passed
from asynclint.project.guards.fixtures import reaching_fixtures, requested
from asynclint.project.guards.tests import Test, test_of
from asynclint.project.moments import NEVER, moments
from asynclint.project.project import Project
from asynclint.project.standstill import asks_loop
from asynclint.project.tasks import is_setup, sites, starts_tasks
from asynclint.source.nodes import start_of
from asynclint.source.outline import Scope
from asynclint.source.written import uncalled

LOOPS = (ast.For, ast.AsyncFor, ast.While)
WAITS = (ast.Await, ast.AsyncFor, ast.AsyncWith)
# What a coroutine function is called that may leave something running on the loop, or what it is a method of.
LEAVING = re.compile(
    r"start|serve|listen|launch|connect|subscri|spawn|open|create|enter|set_?up|init"
    r"|client|session|channel|worker|broker|pool",
    re.IGNORECASE,
)
# Methods of loops by which something is run later, or now.
SCHEDULING = frozenset(
    ["call_soon", "call_soon_threadsafe", "call_later", "call_at", "run_in_executor", "run_until_complete"]
)
# Fixtures that run nothing: https://docs.pytest.org/en/stable/reference/fixtures.html, and pytest-mock's.
PLAIN = frozenset(
    [
        *("cache", "doctest_namespace", "monkeypatch", "pytestconfig", "recwarn", "request", "subtests"),
        *("capfd", "capfdbinary", "caplog", "capsys", "capsysbinary", "capteesys", "mocker", "self", "cls"),
        *("record_property", "record_testsuite_property", "record_xml_attribute"),
        *("tmp_path", "tmp_path_factory", "tmpdir", "tmpdir_factory"),
    ]
)


def is_alone(call: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether a test, or what prepares one, makes a call while nothing else can be running on its loop.

    It has started no task by then and not waited; or it starts none at all, and has waited for all that it
    waits for, none of which sounds as if it left something. And no fixture behind it is unknown or does so.
    """
    first = not moments(scope, project).has_waited(call)
    if not first and not _is_last(call, scope, project):
        return False
    before = call if first and not any(_holds(loop, call) for loop in _all(LOOPS, scope)) else None
    if _starts_something(scope, project, before):
        return False
    test = test_of(scope, project)
    if test is None:
        return first and is_setup(scope, project) and _is_plain_setup(scope)
    if test.is_unittest:
        return test.bases is not None and not test.bases.unknown and not _prepares(test)
    fixtures = reaching_fixtures(test, project)
    if requested(test, project) - PLAIN - {fixture.name for fixture in fixtures}:
        return False
    return not any(_leaves_something(fixture, project) for fixture in fixtures)


def _is_last(call: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether a function has done all its waiting by a call, and what it has waited for is over."""
    waited = (passed(wait.value) for wait in scope.facts.awaits)
    funcs = (uncalled(value) for value in waited)
    if moments(scope, project).will_wait(call) or any(LEAVING.search(ast.unparse(func)) for func in funcs):
        return False
    around = (node for node in _all((*LOOPS, ast.AsyncWith), scope) if _holds(node, call))
    return not any(isinstance(part, WAITS) for node in around for part in ast.walk(node))


def _all(kinds: tuple[type[ast.AST], ...], scope: Scope) -> Iterator[ast.AST]:
    return (node for node in ast.walk(scope.node) if isinstance(node, kinds))


def _holds(node: ast.AST, call: ast.Call) -> bool:
    return any(part is call for part in ast.walk(node))


def _starts_something(scope: Scope, project: Project, before: ast.Call | None = None) -> bool:
    """Whether a function starts a task, has something run later, or has a thread ask the loop for something.

    In its own body, only what stands ``before`` a call, if there is one.
    """
    if any(asks_loop(inner, project) for inner in scope.nested() if inner.is_function):
        return True
    if before is None:
        return starts_tasks(scope, project) or not SCHEDULING.isdisjoint(scope.facts.methods)
    scheduled = (call for name in SCHEDULING for call in scope.facts.methods.get(name, ()))
    if any(start_of(call) < start_of(before) for call in (*sites(scope, project), *scheduled)):
        return True
    inner = (nested for nested in scope.nested() if nested is not scope and nested.is_function)
    return any(_starts_something(nested, project) for nested in inner)


def _leaves_something(fixture: Scope, project: Project) -> bool:
    """Whether a fixture starts something, or is async and may do so by what it waits for."""
    waits = fixture.is_async and moments(fixture, project).first_wait != NEVER
    return waits or _starts_something(fixture, project)


def _is_plain_setup(scope: Scope) -> bool:
    """Whether a fixture stands on no other one, but for those that run nothing."""
    return scope.enclosing_class is None and all(arg.arg in PLAIN for arg in scope.parameters)


def _prepares(test: Test) -> bool:
    """Whether the class of a test prepares it on the loop."""
    assert test.bases is not None
    return any("asyncSetUp" in cls.bindings or "setUp" in cls.bindings for cls in test.bases.project)
