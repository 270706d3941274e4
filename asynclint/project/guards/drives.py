"""Places where a sync function drives an event loop, and whether what it drives is bounded."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from asynclint.knowledge.asyncs import LOOP_GETTERS, LOOP_RUNS, RUNNERS
from asynclint.project.called import named
from asynclint.project.guards.body import awaited, body, covered_waits
from asynclint.project.guards.replaced import is_replaced
from asynclint.project.guards.runner import Runner
from asynclint.project.guards.seconds import Environment, bind
from asynclint.project.index.values import Calling, Function
from asynclint.project.names import chain
from asynclint.project.project import Project
from asynclint.source.outline import Scope

# Loop methods that only tidy up.
TIDYING = frozenset({"shutdown_asyncgens", "shutdown_default_executor", "aclose"})
_RUNS = frozenset({"run"})  # the last part of each name in LOOP_RUNS, and of a runner's method


class Drive(NamedTuple):
    """A call that runs a loop until ``what`` is done; ``is_function`` where it takes the function itself."""

    call: ast.Call
    what: ast.expr
    runner: Runner
    is_function: bool
    scope: Scope


def drives(unit: Scope, project: Project) -> Iterator[Drive]:
    """Loop-driving calls in a sync function, and in sync functions nested in it that it calls itself."""
    for scope in unit.nested():
        if scope is unit or (scope.is_function and not scope.is_async and _runs_here(scope)):
            yield from own_drives(scope, project)


def _runs_here(function: Scope) -> bool:
    """Whether a nested function runs in its test: called, or decorated (``@benchmark``), not a thread's."""
    assert function.parent is not None
    calls = function.parent.facts.calls
    called = any(isinstance(call.func, ast.Name) and call.func.id == function.name for call in calls)
    return called or bool(function.decorators)


def own_drives(scope: Scope, project: Project) -> Iterator[Drive]:
    """Loop-driving calls in a function's own body."""
    runs = named(scope, _RUNS, LOOP_RUNS, project)
    for call in (*runs, *scope.facts.methods.get("run_until_complete", ())):
        if not call.args or isinstance(call.args[0], ast.Starred):
            continue
        what = call.args[0]
        name = next((n for n in chain(call.func, scope, project.modules) if n in LOOP_RUNS), "")
        if name:
            top = name.partition(".")[0]
            loop = {"anyio": Runner.ANYIO, "trio": Runner.TRIO}.get(top, Runner.ASYNCIO)
            yield Drive(call, what, loop, LOOP_RUNS[name] == "function", scope)
        elif isinstance(call.func, ast.Attribute):
            receiver = call.func.value
            until = call.func.attr == "run_until_complete" and _is_loop(receiver, scope, project)
            if until or (call.func.attr == "run" and _is_runner(receiver, scope, project)):
                yield Drive(call, what, Runner.ASYNCIO, False, scope)


def is_of_runner(drive: Drive, project: Project) -> bool:
    """Whether an ``asyncio.Runner`` drives it."""
    func = drive.call.func
    named = any(name in LOOP_RUNS for name in chain(func, drive.scope, project.modules))
    return not named and isinstance(func, ast.Attribute) and _is_runner(func.value, drive.scope, project)


def _is_loop(receiver: ast.expr, scope: Scope, project: Project) -> bool:
    """Whether something could be a real loop: not a mock that the test made itself."""
    if isinstance(receiver, ast.Call):
        return bool(set(chain(receiver.func, scope, project.modules)) & LOOP_GETTERS) or isinstance(
            receiver.func, ast.Attribute
        )
    if not isinstance(receiver, ast.Name):
        return True
    found = scope.lookup(receiver.id)
    values = [b.value for b in found[1]] if found is not None else []
    return not any(isinstance(v, ast.Call) and "mock" in ast.unparse(v.func).lower() for v in values)


def _is_runner(receiver: ast.expr, scope: Scope, project: Project) -> bool:
    if isinstance(receiver, ast.Name):
        found = scope.lookup(receiver.id)
        values = [b.value for b in found[1]] if found is not None else []
        receiver = values[0] if len(values) == 1 and values[0] is not None else receiver
    if not isinstance(receiver, ast.Call):
        return False
    return any(name in RUNNERS for name in chain(receiver.func, scope, project.modules))


def driven(drive: Drive, project: Project) -> Function | None:
    """The coroutine function whose coroutine is driven, where it is known."""
    scope = drive.scope
    expr = _followed(drive.what, scope) if not drive.is_function else drive.what
    target = expr if drive.is_function else expr.func if isinstance(expr, ast.Call) else None
    value = project.inference.value(target, scope) if target is not None else None
    return value if isinstance(value, Function) and value.calling is Calling.COROUTINE else None


def arguments(drive: Drive, function: Function, project: Project) -> Environment | None:
    """Values of the parameters of the coroutine function that is driven."""
    expr = _followed(drive.what, drive.scope)
    if not isinstance(expr, ast.Call) or drive.is_function:
        return None
    return bind(expr, function.scope, drive.scope, project, bound=function.receiver is not None)


def _followed(expr: ast.expr, scope: Scope) -> ast.expr:
    """``coro = main()``, then ``asyncio.run(coro)``."""
    if isinstance(expr, ast.Name):
        bindings = scope.bindings.get(expr.id, [])
        if len(bindings) == 1 and bindings[0].kind == "assign" and bindings[0].value is not None:
            return bindings[0].value
    return expr


def can_hang(drive: Drive, project: Project) -> bool:
    """Whether what is driven waits with nothing to end it; False where that can't be told."""
    scope = drive.scope
    expr = _followed(drive.what, scope)
    # anyio.run(sleep, 1) is anyio.run's way to say asyncio.run(sleep(1))
    called = ast.Call(func=drive.what, args=drive.call.args[1:], keywords=[]) if drive.is_function else expr
    if _tidies(called) or is_replaced(drive.call.func, scope, project):
        return False
    found = awaited(called, scope, project, None, 0)
    if found is not None:
        return bool(found.waits)
    function = driven(drive, project)
    if function is not None:
        if not project.is_test_code(function.scope.outline.path):
            return True
        given = arguments(drive, function, project)
        inner = body(function.scope, project, given)
        covered = covered_waits(function.scope, inner)
        return not inner.guards and any(id(wait) not in covered for wait in inner.waits)
    if drive.is_function:
        return isinstance(expr, ast.Attribute)  # a method of something; a name may be a decorated function
    if not isinstance(expr, ast.Call):
        return isinstance(expr, (ast.Name, ast.Attribute))  # a future or task made elsewhere
    # a local function under an unknown decorator may well bound itself
    bound = scope.lookup(expr.func.id) if isinstance(expr.func, ast.Name) else None
    local = bound is not None and any(binding.kind == "def" for binding in bound[1])
    return not local or bool(chain(expr.func, scope, project.modules))


def _tidies(expr: ast.expr) -> bool:
    return isinstance(expr, ast.Call) and isinstance(expr.func, ast.Attribute) and expr.func.attr in TIDYING
