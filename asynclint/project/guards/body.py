"""What a function waits for in its own body, and what bounds those waits there."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from asynclint.knowledge.asyncs import (
    BOUNDED_CALLS,
    CANCEL_SCOPES,
    CHECKPOINTS,
    GATHERING,
    GUARD_CALLS,
    GUARD_CONTEXTS,
    SLEEPS,
    SLEEPS_UNTIL,
    SPAWNS,
    TIMERS,
)
from asynclint.project.guards.seconds import UNREAD, Environment, Number, argument, bind, number
from asynclint.project.index.values import Calling, Function, Instance, Result
from asynclint.project.names import chain, definition
from asynclint.project.project import Project
from asynclint.source.outline import Scope

STACK_METHODS = frozenset({"enter_context", "enter_async_context"})
MAX_DEPTH = 4  # helpers that call helpers; deeper counts as a wait that can hang


@dataclass(frozen=True, slots=True)
class Guard:
    """Something in a body that ends it when time is up; ``seconds`` may be unreadable, never None."""

    node: ast.AST
    seconds: Number


@dataclass(slots=True)
class Body:
    """The waits of a function that can hang, and the guards it holds."""

    waits: list[ast.AST] = field(default_factory=list)
    guards: list[Guard] = field(default_factory=list)


def body(function: Scope, project: Project, given: Environment | None = None, depth: int = 0) -> Body:
    """Waits and guards of a function's own body.

    A wait is an ``await``, ``async with`` or ``async for`` that may never end. Waits that a guard
    covers still count: what lies outside a guard is another question than whether there is one. A
    guard counts however it is put to use: entered, awaited, given to an exit stack or a task group.
    """
    found = Body()
    facts = function.facts
    for statement in facts.withs:
        for item in statement.items:
            guard = _context_guard(item.context_expr, function, project, given, depth)
            if guard is not None:
                found.guards.append(guard)
            elif isinstance(statement, ast.AsyncWith) and not _is_bounded_group(
                item, function, project, given
            ):
                found.waits.append(item.context_expr)
    seen = {id(guard.node) for guard in found.guards}
    for call in facts.calls:
        guard = None if id(call) in seen else _call_guard(call, function, project, given, depth)
        if guard is not None:
            found.guards.append(guard)
            seen.add(id(call))
    if any(target.attr == "deadline" for target, _ in facts.attributes):
        found.guards.append(Guard(function.node, UNREAD))  # scope.deadline = current_time() + 5
    for node in facts.awaits:
        if id(node.value) not in seen:
            inner = _awaited(node.value, function, project, given, depth)
            if inner is None or inner.waits:
                found.waits.append(node)
            elif inner.guards:
                found.guards.append(Guard(node.value, inner.guards[0].seconds))
    found.waits.extend(facts.async_fors)
    return found


def _is_bounded_group(
    item: ast.withitem, function: Scope, project: Project, given: Environment | None
) -> bool:
    """A TaskGroup whose tasks are all known to end."""
    if not isinstance(item.context_expr, ast.Call) or not isinstance(item.optional_vars, ast.Name):
        return False
    if "asyncio.TaskGroup" not in chain(item.context_expr.func, function, project.modules):
        return False
    group = item.optional_vars.id
    started = [c for c in function.facts.calls if ast.unparse(c.func) == f"{group}.create_task" and c.args]
    inner = [_awaited(call.args[0], function, project, given, 0) for call in started]
    return bool(inner) and all(part is not None and not part.waits for part in inner)


def _call_guard(
    call: ast.Call, function: Scope, project: Project, given: Environment | None, depth: int
) -> Guard | None:
    """The guard that a call makes or is."""
    names = chain(call.func, function, project.modules)
    if any(name in GUARD_CONTEXTS for name in names):
        return _context_guard(call, function, project, given, depth)
    for name in names:
        if name in GUARD_CALLS:
            seconds = number(argument(call, GUARD_CALLS[name], "timeout"), function, project, given)
            return None if seconds is None else Guard(call, seconds)
        if name in TIMERS:
            return Guard(call, UNREAD)
    if isinstance(call.func, ast.Attribute) and call.func.attr == "reschedule":
        return Guard(call, UNREAD)
    return None


def _awaited(
    expr: ast.expr, function: Scope, project: Project, given: Environment | None, depth: int
) -> Body | None:
    """What an awaited expression waits for, and the guards it brings; None if that is unknown."""
    if isinstance(expr, ast.Name):
        bindings = function.bindings.get(expr.id, [])
        value = bindings[0].value if len(bindings) == 1 and bindings[0].kind == "assign" else None
        if not isinstance(value, ast.Call):
            return None
        return _awaited(value, function, project, given, depth)  # task = create_task(…); await task
    if not isinstance(expr, ast.Call):
        return None
    names = chain(expr.func, function, project.modules)
    if any(name in SLEEPS or name in SLEEPS_UNTIL or name in CHECKPOINTS for name in names):
        return Body()
    if any(name in BOUNDED_CALLS for name in names):
        limit = argument(expr, -1, "timeout")
        return None if limit is None or number(limit, function, project, given) is None else Body()
    for name in names:
        if name in GUARD_CALLS:
            guard = _call_guard(expr, function, project, given, depth)
            return None if guard is None else Body(guards=[guard])
    if any(name in GATHERING or name in SPAWNS for name in names) and expr.args:
        parts = [_awaited(part, function, project, given, depth) for part in expr.args]
        known = [part for part in parts if part is not None and not part.waits]
        return Body(guards=[g for part in known for g in part.guards]) if len(known) == len(parts) else None
    return _helper(expr, function, project, given, depth)


def _helper(
    call: ast.Call, function: Scope, project: Project, given: Environment | None, depth: int
) -> Body | None:
    """The unguarded waits of a coroutine function of the same tests that a call awaits; None if unknown.

    Functions of the package under test are not followed: they can hang, which is why the test
    needs a bound.
    """
    if depth >= MAX_DEPTH:
        return None
    value = project.inference.value(call.func, function)
    if not isinstance(value, Function) or value.calling is not Calling.COROUTINE:
        return None
    if not project.is_test_code(value.scope.outline.path):
        return None
    bound = value.receiver is not None
    inner_given = bind(call, value.scope, function, project, bound=bound, given=given)
    inner = body(value.scope, project, inner_given, depth + 1)
    covered = covered_waits(value.scope, inner)
    return Body([wait for wait in inner.waits if id(wait) not in covered], inner.guards)


def covered_waits(function: Scope, found: Body) -> set[int]:
    """``id`` of the waits of a body that lie inside one of its guards."""
    guards = {id(guard.node) for guard in found.guards}
    covered: set[int] = set()
    for statement in function.facts.withs:
        positions = [i for i, item in enumerate(statement.items) if id(item.context_expr) in guards]
        if not positions:
            continue
        inside: list[ast.AST] = [item.context_expr for item in statement.items[positions[0] + 1 :]]
        inside += statement.body
        for root in inside:
            covered.update(id(node) for node in ast.walk(root))
    return covered


def _context_guard(
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
        if not project.is_test_code(value.function.scope.outline.path):
            return None
        scope = value.function.scope
        bound = value.function.receiver is not None
        inner = bind(expr, scope, function, project, bound=bound, given=given)
        return yield_guard(scope, project, inner, expr, depth + 1)
    if isinstance(value, Instance) and project.is_test_code(value.cls.scope.outline.path):
        return _class_guard(value, expr, project, depth + 1)
    return None


def _partial_guard(
    expr: ast.Call, function: Scope, project: Project, given: Environment | None, depth: int
) -> Guard | None:
    """``patient = functools.partial(asyncio.timeout, 60)``, entered as ``patient()``."""
    made = definition(expr.func, function, project.modules)
    if made is None or not isinstance(made[0], ast.Call) or not made[0].args:
        return None
    if "functools.partial" not in chain(made[0].func, made[1], project.modules):
        return None
    call = ast.Call(func=made[0].args[0], args=made[0].args[1:] + expr.args, keywords=made[0].keywords)
    guard = _context_guard(call, made[1], project, given, depth + 1)
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
    if not project.is_test_code(maker.scope.outline.path):
        return None
    inner = bind(call, maker.scope, function, project, bound=maker.receiver is not None, given=given)
    values = [r.value for r in maker.scope.facts.returns if r.value is not None]
    guards = [_context_guard(value, maker.scope, project, inner, depth) for value in values]
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
    guard = _context_guard(values[0], function, project, given, depth)
    return None if guard is None else Guard(expr, guard.seconds)


def yield_guard(
    generator: Scope, project: Project, given: Environment | None, node: ast.AST, depth: int = 0
) -> Guard | None:
    """The guard that a generator function (context manager or fixture) holds round its ``yield``."""
    yields = {id(y) for y in generator.facts.yields}
    for statement in generator.facts.withs:
        for item in statement.items:
            guard = _context_guard(item.context_expr, generator, project, given, depth)
            if guard is not None and any(id(inner) in yields for inner in ast.walk(statement)):
                return Guard(node, guard.seconds)
    for call in generator.facts.calls:
        if isinstance(call.func, ast.Attribute) and call.func.attr in STACK_METHODS and call.args:
            guard = _context_guard(call.args[0], generator, project, given, depth)
            if guard is not None:
                return Guard(node, guard.seconds)
    return None


def _class_guard(value: Instance, node: ast.AST, project: Project, depth: int) -> Guard | None:
    """A context manager class whose ``__enter__``/``__aenter__``/``__init__`` makes a guard."""
    for name in ("__aenter__", "__enter__", "__init__"):
        method = project.inference.attribute(value, name)
        if not isinstance(method, Function) or method.scope.outline.is_stub:
            continue
        for call in method.scope.facts.calls:
            if depth < MAX_DEPTH and _context_guard(call, method.scope, project, None, depth):
                return Guard(node, UNREAD)
    return None
