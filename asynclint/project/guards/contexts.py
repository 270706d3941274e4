"""Context managers that are guards, or hold one."""

from __future__ import annotations

import ast
import re
from typing import NamedTuple

from asynclint.knowledge.asyncs import CANCEL_SCOPES, GUARD_CONTEXTS
from asynclint.project.guards.installed import may_guard
from asynclint.project.guards.objects import inherited, object_of
from asynclint.project.guards.seconds import UNREAD, Environment, Number, Receiver, bind, number
from asynclint.project.guards.timers import arms_timer, cancels_later, own_method
from asynclint.project.index.modules import is_known_package
from asynclint.project.index.values import Calling, Function, Instance, Result
from asynclint.project.names import Chain, chain, definition
from asynclint.project.project import Project
from asynclint.source.outline import Scope
from asynclint.source.written import argument

STACK_METHODS = frozenset({"enter_context", "enter_async_context"})
SOUNDS_LIKE_A_GUARD = re.compile(
    r"timeout|time_?limit|fail_after|move_on|deadline|^limit|expire", re.IGNORECASE
)
MAX_DEPTH = 4  # helpers that call helpers


class Guard(NamedTuple):
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
        return _class_guard(value, expr, function, project, given, depth + 1)
    if maker is None and value is None:
        return _guard_elsewhere(expr, names, function, project, given, depth)
    return None


def _guard_elsewhere(
    expr: ast.Call,
    names: Chain,
    function: Scope,
    project: Project,
    given: Environment | None,
    depth: int,
) -> Guard | None:
    """The guard that a context manager of another package is, or of one that is handed in."""
    if names and not is_known_package(names[0]):
        wider = project.with_installed(function.outline.directory)
        read = wider is not project and may_guard(names[0], function.outline.path, wider)
        guard = context_guard(expr, function, wider, given, depth) if read else None
        if guard is not None:
            return guard
    if SOUNDS_LIKE_A_GUARD.search(ast.unparse(expr.func)):
        return Guard(expr, UNREAD)  # better silent than wrong
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
        name = f"{project.modules.name(maker.scope.outline)}.{maker.scope.name}"
        return Guard(call, UNREAD) if name in GUARD_CONTEXTS else None  # a fixture gave it
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


def _class_guard(
    value: Instance,
    expr: ast.Call,
    function: Scope,
    project: Project,
    given: Environment | None,
    depth: int,
) -> Guard | None:
    """A context manager class whose ``__enter__``/``__aenter__``/``__init__`` makes a guard."""
    key = ("guards of class", value.cls.scope)
    if not project.remembered(
        key, lambda: _guards_of_class(value, expr, function, project, None, None, depth)
    ):
        return None  # whatever it is made with
    made = object_of(expr, function, project, given)
    return _guards_of_class(value, expr, function, project, given, made, depth)


def _guards_of_class(
    value: Instance,
    expr: ast.Call,
    function: Scope,
    project: Project,
    given: Environment | None,
    made: Receiver | None,
    depth: int,
) -> Guard | None:
    """The guard that entering an object makes; ``made`` are the numbers it was made with, if known."""
    for name in ("__aenter__", "__enter__", "__init__"):
        method = project.inference.attribute(value, name)
        if not isinstance(method, Function) or method.scope.outline.is_stub:
            continue
        for scope in _own_steps(method.scope, value, project):
            inner: dict[str, Number | Receiver] = {}
            if made is not None and scope is method.scope and name == "__init__":
                inner = bind(expr, scope, function, project, bound=True, given=given)
            if made is not None and scope.parameters:
                inner[scope.parameters[0].arg] = made
            entered = {id(item.context_expr) for with_ in scope.facts.withs for item in with_.items}
            for call in scope.facts.calls:
                if id(call) in entered:
                    continue  # over by the time the method returns
                guard = context_guard(call, scope, project, inner, depth) if depth < MAX_DEPTH else None
                if guard is not None or cancels_later(call, scope, project, value):
                    return Guard(expr, UNREAD if guard is None else guard.seconds)
        if arms_timer(method.scope, project, depth):
            return Guard(expr, UNREAD, in_loop=False)
    return None


def _own_steps(method: Scope, receiver: Instance, project: Project) -> list[Scope]:
    """A method, and the methods of the same object that it calls: ``self.start()``, ``super().start()``."""
    steps = [method]
    for scope in steps:
        for call in scope.facts.calls:
            step = own_method(call.func, scope, receiver, project) or inherited(call.func, scope, project)
            if step is not None and not step.scope.outline.is_stub and step.scope not in steps:
                steps.append(step.scope)
    return steps
