"""Guards round the ``yield`` of a fixture, and whether they hold the tests that use it.

A loop guard interrupts the task that entered it. Run with pytest-asyncio 0.23 and 1.5, on Python
3.11 and 3.13: the part of a fixture before its ``yield``, the test, and the part after it are a task
each, so the guard's task is over when time is up, and neither the test nor the fixture notices.
pytest-trio 0.8 cancels the test. anyio 4.16 runs fixtures and tests in one task: on asyncio the test
is cancelled, on trio the plugin's own task is lost and the run hangs.
"""

from __future__ import annotations

import ast

from asynclint.knowledge.asyncs import GUARD_CONTEXTS
from asynclint.project.config import find_pytest_config
from asynclint.project.guards.contexts import (
    MAX_DEPTH,
    STACK_METHODS,
    Guard,
    context_guard,
    yield_guard,
)
from asynclint.project.guards.seconds import UNREAD
from asynclint.project.guards.tests import is_fixture
from asynclint.project.guards.timers import arms_timer
from asynclint.project.index.values import Calling, Result
from asynclint.project.names import chain
from asynclint.project.project import Project
from asynclint.source.outline import Scope
from asynclint.source.written import uncalled


def fixture_guard(fixture: Scope, project: Project) -> Guard | None:
    """The guard of a fixture that ends the tests which use it; None where there is none."""
    guard = yield_guard(fixture, project, None, fixture.node)
    if guard is None or not guard.in_loop or not is_run_apart(fixture, project):
        return guard
    if not held_guards(fixture, project):
        return guard  # of a kind that may reach farther than its task
    return Guard(fixture.node, UNREAD, in_loop=False) if arms_timer(fixture, project) else None


def is_run_apart(fixture: Scope, project: Project) -> bool:
    """Whether an async generator fixture is pytest-asyncio's: in other tasks than the test."""
    decorator = is_fixture(fixture, project)
    if decorator is None or not fixture.is_async or not fixture.is_generator:
        return False
    target = uncalled(decorator)
    names = chain(target, fixture.parent or fixture, project.modules)
    if "pytest_asyncio.fixture" in names:
        return True
    config = find_pytest_config(fixture.outline.directory)
    others = config.trio_mode or config.anyio_mode == "auto"
    others = others or any(arg.arg.startswith("anyio_backend") for arg in fixture.parameters)
    return "pytest.fixture" in names and config.asyncio_mode == "auto" and not others


def held_guards(generator: Scope, project: Project, depth: int = 0) -> list[ast.expr]:
    """Loop guards that a generator enters before a ``yield`` and leaves after it, in its own task."""
    yields = {id(node) for node in generator.facts.yields}
    round_yield = [
        item
        for statement in generator.facts.withs
        if any(id(node) in yields for node in ast.walk(statement))
        for item in statement.items
    ]
    stacks = {item.optional_vars.id for item in round_yield if isinstance(item.optional_vars, ast.Name)}
    entered = [item.context_expr for item in round_yield]
    for call in generator.facts.calls:
        if isinstance(call.func, ast.Attribute) and call.func.attr in STACK_METHODS and call.args:
            entered += call.args[:1] if ast.unparse(call.func.value) in stacks else []
    return [expr for expr in entered if _is_loop_guard(expr, generator, project, depth)]


def _is_loop_guard(expr: ast.expr, scope: Scope, project: Project, depth: int) -> bool:
    """``asyncio.timeout(5)``, a name for it, or a helper that yields inside one."""
    if isinstance(expr, ast.Name):
        bindings = scope.bindings.get(expr.id, [])
        made = bindings[0].value if len(bindings) == 1 and bindings[0].kind == "assign" else None
        return isinstance(made, ast.Call) and _is_loop_guard(made, scope, project, depth)
    if not isinstance(expr, ast.Call) or context_guard(expr, scope, project, None, depth) is None:
        return False
    if any(name in GUARD_CONTEXTS for name in chain(expr.func, scope, project.modules)):
        return True
    value = project.inference.value(expr, scope) if depth < MAX_DEPTH else None
    if not isinstance(value, Result) or value.function.calling not in (
        Calling.CONTEXT,
        Calling.ASYNC_CONTEXT,
    ):
        return False
    helper = value.function.scope
    return bool(held_guards(helper, project, depth + 1)) and not arms_timer(helper, project)
