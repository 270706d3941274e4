"""Context managers that are guards, or hold one."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from asynclint.knowledge.asyncs import CANCEL_SCOPES, GUARD_CONTEXTS, TIMERS
from asynclint.project.guards.seconds import UNREAD, Environment, Number, argument, bind, number
from asynclint.project.index.values import Calling, Function, Instance, Result
from asynclint.project.names import chain, definition
from asynclint.project.project import Project
from asynclint.source.outline import Scope

STACK_METHODS = frozenset({"enter_context", "enter_async_context"})
SOUNDS_LIKE_A_GUARD = re.compile(
    r"timeout|time_?limit|fail_after|move_on|deadline|^limit|expire", re.IGNORECASE
)
MAX_DEPTH = 4  # helpers that call helpers


@dataclass(frozen=True, slots=True)
class Guard:
    """Something in a body that ends it when time is up; ``seconds`` may be unreadable, never None.

    ``in_loop`` is False for timers outside the event loop (signals, threads).
    """

    node: ast.AST
    seconds: Number
    in_loop: bool = True


def context_guard(
    expr: ast.expr, function: Scope, project: Project, given: Environment | None, depth: int
) -> Guard | None:
    """The guard that a context manager is; None where it bounds nothing."""
    if not isinstance(expr, ast.Call):
        return _stored_guard(expr, function, project, given, depth)
    names = chain(expr.func, function, project.modules)
    if any(name in GUARD_CONTEXTS for name in names):
        seconds = number(expr.args[0] if expr.args else _first_keyword(expr), function, project, given)
        return None if seconds is None else Guard(expr, seconds)
    if any(name in CANCEL_SCOPES for name in names):
        deadline = argument(expr, -1, "deadline", "relative_deadline")
        return None if deadline is None else Guard(expr, number(deadline, function, project, given))
    if depth >= MAX_DEPTH:
        return None
    partial = _partial_guard(expr, function, project, given, depth)
    if partial is not None:
        return partial
    maker = project.inference.value(expr.func, function)
    if isinstance(maker, Function) and maker.calling is Calling.SYNC:
        return _returned_guard(maker, expr, function, project, given, depth + 1)
    value = project.inference.value(expr, function)
    if isinstance(value, Result) and value.function.calling in (Calling.CONTEXT, Calling.ASYNC_CONTEXT):
        scope = value.function.scope
        bound = value.function.receiver is not None
        inner = bind(expr, scope, function, project, bound=bound, given=given)
        return yield_guard(scope, project, inner, expr, depth + 1)
    if isinstance(value, Instance):
        return _class_guard(value, expr, project, depth + 1)
    if maker is None and value is None and SOUNDS_LIKE_A_GUARD.search(ast.unparse(expr.func)):
        return Guard(expr, UNREAD)  # of another package, or handed in: better silent than wrong
    return None


def _partial_guard(
    expr: ast.Call, function: Scope, project: Project, given: Environment | None, depth: int
) -> Guard | None:
    """``patient = functools.partial(asyncio.timeout, 60)``, entered as ``patient()``."""
    made = definition(expr.func, function, project.modules)
    if made is not None and isinstance(made[0], ast.Lambda):  # patient = lambda: asyncio.timeout(60)
        guard = context_guard(made[0].body, made[1], project, given, depth + 1)
        return None if guard is None else Guard(expr, guard.seconds)
    if made is None or not isinstance(made[0], ast.Call) or not made[0].args:
        return None
    if "functools.partial" not in chain(made[0].func, made[1], project.modules):
        return None
    call = ast.Call(func=made[0].args[0], args=made[0].args[1:] + expr.args, keywords=made[0].keywords)
    guard = context_guard(call, made[1], project, given, depth + 1)
    return None if guard is None else Guard(expr, guard.seconds)


def _returned_guard(
    maker: Function,
    call: ast.Call,
    function: Scope,
    project: Project,
    given: Environment | None,
    depth: int,
) -> Guard | None:
    """``def no_longer(seconds): return asyncio.timeout(seconds)``, entered as ``no_longer(5)``."""
    if maker.scope.outline.is_stub:
        return None
    inner = bind(call, maker.scope, function, project, bound=maker.receiver is not None, given=given)
    values = [r.value for r in maker.scope.facts.returns if r.value is not None]
    guards = [context_guard(value, maker.scope, project, inner, depth) for value in values]
    found = [guard for guard in guards if guard is not None]
    return Guard(call, found[0].seconds) if found and len(found) == len(guards) else None


def _first_keyword(call: ast.Call) -> ast.expr | None:
    return call.keywords[0].value if call.keywords else None


def _stored_guard(
    expr: ast.expr, function: Scope, project: Project, given: Environment | None, depth: int
) -> Guard | None:
    """``limit = asyncio.timeout(5)`` entered further down."""
    if not isinstance(expr, ast.Name):
        return None
    bindings = function.bindings.get(expr.id, [])
    values = [b.value for b in bindings if b.kind == "assign"]
    if len(bindings) != 1 or not values or not isinstance(values[0], ast.Call):
        return None
    guard = context_guard(values[0], function, project, given, depth)
    return None if guard is None else Guard(expr, guard.seconds)


def yield_guard(
    generator: Scope, project: Project, given: Environment | None, node: ast.AST, depth: int = 0
) -> Guard | None:
    """The guard that a generator function (context manager or fixture) holds round its ``yield``."""
    yields = {id(y) for y in generator.facts.yields}
    for statement in generator.facts.withs:
        for item in statement.items:
            guard = context_guard(item.context_expr, generator, project, given, depth)
            if guard is not None and any(id(inner) in yields for inner in ast.walk(statement)):
                return Guard(node, guard.seconds, guard.in_loop)
    for call in generator.facts.calls:
        if cancels_later(call, generator, project):
            return Guard(node, UNREAD)
        if isinstance(call.func, ast.Attribute) and call.func.attr in STACK_METHODS and call.args:
            guard = context_guard(call.args[0], generator, project, given, depth)
            if guard is not None:
                return Guard(node, guard.seconds)
    return Guard(node, UNREAD, in_loop=False) if arms_timer(generator, project, depth) else None


def arms_timer(function: Scope, project: Project, depth: int = 0) -> bool:
    """Whether a function starts a timer outside the loop, itself or through project functions."""
    for scope in function.nested():
        for call in scope.facts.calls:
            if any(name in TIMERS for name in chain(call.func, scope, project.modules)):
                return True
            inner = project.inference.value(call.func, scope) if depth < MAX_DEPTH else None
            if not isinstance(inner, Function) or inner.scope.outline.is_stub or inner.scope is function:
                continue
            if arms_timer(inner.scope, project, depth + 1):
                return True
    return False


def cancels_later(call: ast.Call, scope: Scope, project: Project) -> bool:
    """``loop.call_later(5, task.cancel)``, whatever name the callback goes by."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in ("call_later", "call_at"):
        return False
    return any(_cancels(argument, scope, project) for argument in call.args[1:2])


def _cancels(callback: ast.expr, scope: Scope, project: Project) -> bool:
    """Whether a callback is, or calls, a task's ``cancel`` or a loop's ``stop``."""
    if isinstance(callback, ast.Attribute) and callback.attr in ("cancel", "stop"):
        return True
    if isinstance(callback, ast.Lambda):
        return any(isinstance(n, ast.Call) and _cancels(n.func, scope, project) for n in ast.walk(callback))
    found = scope.lookup(callback.id) if isinstance(callback, ast.Name) else None
    values = [binding.value for binding in found[1]] if found is not None else []
    if any(isinstance(value, ast.Attribute) and value.attr in ("cancel", "stop") for value in values):
        return True
    function = project.inference.value(callback, scope)
    if not isinstance(function, Function) or function.scope.outline.is_stub:
        return False
    ends = [call.func for inner in function.scope.nested() for call in inner.facts.calls]
    return any(isinstance(func, ast.Attribute) and func.attr in ("cancel", "stop") for func in ends)


def _class_guard(value: Instance, node: ast.AST, project: Project, depth: int) -> Guard | None:
    """A context manager class whose ``__enter__``/``__aenter__``/``__init__`` makes a guard."""
    for name in ("__aenter__", "__enter__", "__init__"):
        method = project.inference.attribute(value, name)
        if not isinstance(method, Function) or method.scope.outline.is_stub:
            continue
        for call in method.scope.facts.calls:
            made = depth < MAX_DEPTH and context_guard(call, method.scope, project, None, depth)
            if made or cancels_later(call, method.scope, project):
                return Guard(node, UNREAD)
        if arms_timer(method.scope, project, depth):
            return Guard(node, UNREAD, in_loop=False)
    return None
