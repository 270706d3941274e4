"""Whether nothing but a test itself can be running on its loop when it blocks: nobody is held up then."""

from __future__ import annotations

import ast

from asynclint.project.guards.fixtures import reaching_fixtures, requested
from asynclint.project.guards.tests import Test, test_of
from asynclint.project.moments import moments
from asynclint.project.project import Project
from asynclint.project.tasks import is_setup, starts_tasks
from asynclint.source.outline import Scope

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
    """Whether a test, or what prepares one, makes a call before anything else can run on its loop.

    It has not waited by then, and starts no task; and no fixture behind it is async or unknown.
    """
    if moments(scope, project).has_waited(call) or _starts_something(scope, project):
        return False
    test = test_of(scope, project)
    if test is None:
        return is_setup(scope, project) and _is_plain_setup(scope)
    if test.is_unittest:
        return test.bases is not None and not test.bases.unknown and not _prepares(test)
    fixtures = reaching_fixtures(test, project)
    if requested(test, project) - PLAIN - {fixture.name for fixture in fixtures}:
        return False
    return not any(fixture.is_async or _starts_something(fixture, project) for fixture in fixtures)


def _starts_something(scope: Scope, project: Project) -> bool:
    return starts_tasks(scope, project) or not SCHEDULING.isdisjoint(scope.facts.methods)


def _is_plain_setup(scope: Scope) -> bool:
    """Whether a fixture stands on no other one, but for those that run nothing."""
    return scope.enclosing_class is None and all(arg.arg in PLAIN for arg in scope.parameters)


def _prepares(test: Test) -> bool:
    """Whether the class of a test prepares it on the loop."""
    assert test.bases is not None
    return any("asyncSetUp" in cls.bindings or "setUp" in cls.bindings for cls in test.bases.project)
