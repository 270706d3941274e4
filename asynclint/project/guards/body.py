"""What a function waits for in its own body, and what bounds those waits there."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from asynclint.knowledge.asyncs import (
    BOUNDED_CALLS,
    CANCEL_SCOPES,
    CHECKPOINTS,
    GUARD_CALLS,
    GUARD_CONTEXTS,
    SLEEPS,
    SLEEPS_UNTIL,
)
from asynclint.project.guards.seconds import Environment, Number, argument, bind, number
from asynclint.project.index.values import Calling, Function, Instance, Result
from asynclint.project.names import chain
from asynclint.project.project import Project
from asynclint.source.outline import Scope

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
    covers still count: what lies outside a guard is another question than whether there is one.
    """
    found = Body()
    facts = function.facts
    for statement in facts.withs:
        for item in statement.items:
            guard = _context_guard(item.context_expr, function, project, given, depth)
            if guard is not None:
                found.guards.append(guard)
            elif isinstance(statement, ast.AsyncWith):
                found.waits.append(item.context_expr)
    for node in facts.awaits:
        _judge_await(node, function, project, given, depth, found)
    found.waits.extend(facts.async_fors)
    return found


def _judge_await(
    node: ast.Await, function: Scope, project: Project, given: Environment | None, depth: int, found: Body
) -> None:
    call = node.value
    if not isinstance(call, ast.Call):
        found.waits.append(node)
        return
    names = chain(call.func, function, project.modules)
    if any(name in SLEEPS or name in SLEEPS_UNTIL or name in CHECKPOINTS for name in names):
        return
    if any(name in BOUNDED_CALLS for name in names):
        if number(argument(call, -1, "timeout"), function, project, given) is None or not _has(
            call, "timeout"
        ):
            found.waits.append(node)
        return
    if any(name in GUARD_CALLS for name in names):
        seconds = number(argument(call, 1, "timeout"), function, project, given)
        if seconds is None:
            found.waits.append(node)
        else:
            found.guards.append(Guard(call, seconds))
        return
    inner = _helper(call, function, project, given, depth)
    if inner is None or inner.waits:
        found.waits.append(node)
    if inner is not None and inner.guards and not inner.waits:
        found.guards.append(Guard(call, inner.guards[0].seconds))


def _has(call: ast.Call, keyword: str) -> bool:
    return any(k.arg == keyword for k in call.keywords)


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
    return None


def _class_guard(value: Instance, node: ast.AST, project: Project, depth: int) -> Guard | None:
    """A context manager class whose ``__enter__``/``__aenter__``/``__init__`` makes a guard."""
    for name in ("__aenter__", "__enter__", "__init__"):
        method = project.inference.attribute(value, name)
        if not isinstance(method, Function) or method.scope.outline.is_stub:
            continue
        for call in method.scope.facts.calls:
            if depth < MAX_DEPTH and _context_guard(call, method.scope, project, None, depth):
                return Guard(node, number(None, method.scope, project))
    return None
