"""Whether nothing but a test itself can be running on its loop when it blocks: nobody is held up then."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from asynclint.knowledge.asyncs import UNITTEST_CASES
from asynclint.project.called import passed, run_by
from asynclint.project.guards.fixtures import reaching_fixtures, requested
from asynclint.project.guards.tests import Test, test_of
from asynclint.project.moments import NEVER, loops_round, moments
from asynclint.project.project import Project
from asynclint.project.standstill import asks_loop
from asynclint.project.tasks import is_setup, sites
from asynclint.source.nodes import end_of, start_of
from asynclint.source.outline import Scope
from asynclint.source.written import uncalled

# What a coroutine function is called that may leave something running on the loop, or what it is a method of.
LEAVING = re.compile(
    r"start|serve|listen|launch|connect|subscri|spawn|open|create|enter|set_?up|init"
    r"|client|session|channel|worker|broker|pool",
    re.IGNORECASE,
)
# What runs something later, or now: methods of loops, and functions that make tasks of coroutines.
SCHEDULING = frozenset(
    [
        *("gather", "run_in_executor", "run_until_complete"),
        *("call_soon", "call_soon_threadsafe", "call_later", "call_at"),
    ]
)
# What serves from then on: functions and methods of asyncio, classes of aiohttp.
SERVING = frozenset(
    [
        *("start_server", "start_unix_server", "create_server", "create_unix_server"),
        *("create_datagram_endpoint", "TCPSite", "UnixSite", "SockSite"),
    ]
)
MAX_DEPTH = 2  # functions that call functions
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
    loops = loops_round(call, scope, project)
    first = not moments(scope, project).has_waited(call)
    if _waits_in(loops, scope) or not (first or _is_last(call, scope, project)):
        return False
    until = max([start_of(call), *map(end_of, loops)]) if first else None
    if _starts_something(scope, project, until):
        return False
    test = test_of(scope, project)
    if test is None:
        return first and is_setup(scope, project) and _is_plain_setup(scope)
    if test.is_unittest:
        return not _prepares(test)
    fixtures = reaching_fixtures(test, project)
    if requested(test, project) - PLAIN - {fixture.name for fixture in fixtures}:
        return False
    return not any(_leaves_something(fixture, project) for fixture in fixtures)


def _is_last(call: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether a function has done all its waiting by a call, and what it has waited for sounds over."""
    waited = (passed(wait.value) for wait in scope.facts.awaits)
    funcs = (uncalled(value) for value in waited)
    if moments(scope, project).will_wait(call):
        return False
    if any(LEAVING.search(ast.unparse(func)) or _leads_to_start(func, scope, project, 0) for func in funcs):
        return False
    entered = (statement for statement in scope.facts.withs if isinstance(statement, ast.AsyncWith))
    return not any(start_of(held) <= start_of(call) <= end_of(held) for held in entered)


def _waits_in(loops: Sequence[ast.AST], scope: Scope) -> bool:
    """Whether a function waits in a loop: what stands there may come behind it."""
    waits = [node for node in (*scope.facts.awaits, *scope.facts.withs) if not isinstance(node, ast.With)]
    inside = (loop for loop in loops for wait in waits if start_of(loop) <= start_of(wait) <= end_of(loop))
    return any(True for _ in inside) or any(isinstance(loop, ast.AsyncFor) for loop in loops)


def _starts_something(unit: Scope, project: Project, until: tuple[int, int] | None = None) -> bool:
    """Whether a function starts a task, has something run later, or has a thread ask the loop for something.

    Only what stands before a place (line and column as ast has them), if there is one.
    """
    started = project.remembered(("starts something", unit), lambda: list(_started(unit, project)))
    return any(until is None or start_of(node) < until for node in started)


def _started(unit: Scope, project: Project) -> Iterator[ast.AST]:
    """What starts something in a function and those inside it: calls, also of what does so itself."""
    for scope in unit.nested():
        if not scope.is_function:
            continue
        if asks_loop(scope, project):
            yield scope.node
        yield from _direct_starts(scope, project)
        for call in scope.facts.calls:
            handed = (run_by(arg, scope, project) for arg in call.args if isinstance(arg, ast.Name))
            asks = any(function is not None and asks_loop(function, project) for function in handed)
            if asks or _leads_to_start(call.func, scope, project, 0):
                yield call


def _direct_starts(scope: Scope, project: Project) -> Iterator[ast.AST]:
    """Calls in a function's own body that start something."""
    yield from sites(scope, project)
    facts = scope.facts
    awaited = {id(value) for wait in facts.awaits for value in (wait.value, passed(wait.value))}
    for name in SCHEDULING | SERVING:
        named = (*facts.methods.get(name, ()), *facts.functions.get(name, ()))
        yield from (call for call in named if name in SERVING or id(call) not in awaited)


def _leads_to_start(func: ast.expr, scope: Scope, project: Project, depth: int) -> bool:
    """Whether a function of the project that is called starts something, or calls one that does."""
    function = run_by(func, scope, project)
    if function is None or depth > MAX_DEPTH:
        return False

    def leads() -> bool:
        if any(True for _ in _direct_starts(function, project)):
            return True
        calls = function.facts.calls
        return any(_leads_to_start(call.func, function, project, depth + 1) for call in calls)

    return project.remembered(("leads to start", function, depth), leads)


def _leaves_something(fixture: Scope, project: Project) -> bool:
    """Whether a fixture starts something, or is async and may do so by what it waits for."""
    waits = fixture.is_async and moments(fixture, project).first_wait != NEVER
    return waits or _starts_something(fixture, project)


def _is_plain_setup(scope: Scope) -> bool:
    """Whether a fixture stands on no other one, but for those that run nothing."""
    return scope.enclosing_class is None and all(arg.arg in PLAIN for arg in scope.parameters)


def _prepares(test: Test) -> bool:
    """Whether the class of a test may prepare it on the loop."""
    if test.bases is None or test.bases.unknown or not UNITTEST_CASES.issuperset(test.bases.outside):
        return True
    return any("asyncSetUp" in cls.bindings or "setUp" in cls.bindings for cls in test.bases.project)
