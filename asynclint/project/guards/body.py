"""What a function waits for in its own body, and what bounds those waits there."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from asynclint.knowledge.asyncs import (
    BOUNDED_CALLS,
    CHECKPOINTS,
    GATHERING,
    GUARD_CALLS,
    GUARD_CONTEXTS,
    SLEEPS,
    SLEEPS_UNTIL,
    SPAWNS,
)
from asynclint.project.guards.contexts import (
    MAX_DEPTH,
    SOUNDS_LIKE_A_GUARD,
    STACK_METHODS,
    Guard,
    context_guard,
)
from asynclint.project.guards.seconds import UNREAD, Environment, bind, number
from asynclint.project.guards.timers import cancels_later, is_timer
from asynclint.project.index.values import Calling, Function, Mocked
from asynclint.project.names import Chain, chain, definition
from asynclint.project.project import Project
from asynclint.source.outline import Scope
from asynclint.source.written import argument

KNOWN_TOPS = frozenset({"asyncio", "anyio", "trio", "signal", "socket", "pytest", "async_timeout"})


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
    ``given`` holds the values of its parameters.
    """
    key = ("body of", function, frozenset(given.items()) if given else None, depth)
    return project.remembered(key, lambda: _body(function, project, given, depth))


def _body(function: Scope, project: Project, given: Environment | None, depth: int) -> Body:
    found = Body()
    facts = function.facts
    for statement in facts.withs:
        for item in statement.items:
            guard = context_guard(item.context_expr, function, project, given, depth)
            if guard is not None:
                found.guards.append(guard)
            elif (
                isinstance(statement, ast.AsyncWith)
                and not _enters_at_once(item, function, project)
                and not _is_bounded_group(item, function, project, given, depth)
            ):
                found.waits.append(item.context_expr)
    seen = {id(guard.node) for guard in found.guards}
    for call in facts.calls:
        guard = None if id(call) in seen else _call_guard(call, function, project, given, depth)
        if guard is not None:
            found.guards.append(guard)
            seen |= {id(call), id(guard.node)}
    if any(_moves_deadline(target, function) for target, _ in facts.attributes):
        found.guards.append(Guard(function.node, UNREAD))
    for node in facts.awaits:
        if id(node.value) not in seen:
            inner = awaited(node.value, function, project, given, depth)
            if inner is None or inner.waits:
                found.waits.append(node)
            elif inner.guards:
                found.guards.append(Guard(node.value, inner.guards[0].seconds))
    found.waits.extend(facts.async_fors)
    return found


def _enters_at_once(item: ast.withitem, function: Scope, project: Project) -> bool:
    """Context managers that wait for nothing by themselves."""
    expr = item.context_expr
    names = chain(expr.func, function, project.modules) if isinstance(expr, ast.Call) else ()
    return any(name in ("contextlib.nullcontext", "contextlib.AsyncExitStack") for name in names)


def _is_bounded_group(
    item: ast.withitem, function: Scope, project: Project, given: Environment | None, depth: int
) -> bool:
    """A TaskGroup whose tasks are all known to end."""
    if not isinstance(item.context_expr, ast.Call) or not isinstance(item.optional_vars, ast.Name):
        return False
    if "asyncio.TaskGroup" not in chain(item.context_expr.func, function, project.modules):
        return False
    group = item.optional_vars.id
    started = [c for c in function.facts.calls if ast.unparse(c.func) == f"{group}.create_task" and c.args]
    inner = [awaited(call.args[0], function, project, given, depth) for call in started]
    return bool(inner) and all(part is not None and not part.waits for part in inner)


def _call_guard(
    call: ast.Call, function: Scope, project: Project, given: Environment | None, depth: int
) -> Guard | None:
    """The guard that a call makes or is."""
    names = chain(call.func, function, project.modules)
    if any(name in GUARD_CONTEXTS for name in names):
        return context_guard(call, function, project, given, depth)
    for name in names:
        if name in GUARD_CALLS:
            seconds = number(argument(call, GUARD_CALLS[name], "timeout"), function, project, given)
            return None if seconds is None else Guard(call, seconds)
    if is_timer(call, function, project, given):
        return Guard(call, UNREAD, in_loop=False)
    if isinstance(call.func, ast.Attribute) and call.func.attr in STACK_METHODS and call.args:
        entered = context_guard(call.args[0], function, project, given, depth)
        if entered is not None:
            return Guard(call.args[0], entered.seconds, entered.in_loop)
    if cancels_later(call, function, project) or _reschedules(call, names):
        return Guard(call, UNREAD)
    made = definition(call.func, function, project.modules)
    first = made[0].args[:1] if made is not None and isinstance(made[0], ast.Call) else []
    if made is not None and any(n in GUARD_CALLS for f in first for n in chain(f, made[1], project.modules)):
        return Guard(call, UNREAD)  # soon = functools.partial(asyncio.wait_for, timeout=5)
    foreign = names and not project.modules.has_top_level(names[0].partition(".")[0], function.outline.path)
    if foreign and "timeout" in names[0].rpartition(".")[2] and names[0].partition(".")[0] not in KNOWN_TOPS:
        return Guard(call, UNREAD)  # tornado.gen.with_timeout and its like
    return None


def _reschedules(call: ast.Call, names: Chain) -> bool:
    """``limit.reschedule(…)`` of a timeout; not ``trio.lowlevel.reschedule(task)``, a function."""
    return isinstance(call.func, ast.Attribute) and call.func.attr == "reschedule" and not names


def _moves_deadline(target: ast.Attribute, function: Scope) -> bool:
    """``scope.deadline = current_time() + 5``, unless the scope is made here and never entered."""
    if target.attr != "deadline":
        return False
    root = target.value
    while isinstance(root, ast.Attribute):
        root = root.value
    bindings = function.bindings.get(root.id, []) if isinstance(root, ast.Name) else []
    if not bindings or any(binding.kind != "assign" for binding in bindings):
        return True
    entered = [item.context_expr for statement in function.facts.withs for item in statement.items]
    return any(isinstance(expr, ast.Name) and expr.id == ast.unparse(root) for expr in entered)


def awaited(
    expr: ast.expr, function: Scope, project: Project, given: Environment | None, depth: int
) -> Body | None:
    """What an awaited expression waits for, and the guards it brings; None if that is unknown."""
    if isinstance(expr, ast.Name):
        bindings = function.bindings.get(expr.id, [])
        value = bindings[0].value if len(bindings) == 1 and bindings[0].kind == "assign" else None
        if not isinstance(value, ast.Call):
            return None
        return awaited(value, function, project, given, depth)  # task = create_task(…); await task
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
        parts = [awaited(part, function, project, given, depth) for part in expr.args]
        known = [part for part in parts if part is not None and not part.waits]
        return Body(guards=[g for part in known for g in part.guards]) if len(known) == len(parts) else None
    return _helper(expr, function, project, given, depth)


def _helper(
    call: ast.Call, function: Scope, project: Project, given: Environment | None, depth: int
) -> Body | None:
    """The unguarded waits of a coroutine function of the same tests that a call awaits; None if unknown.

    Functions of the package under test are not followed, unless they await what they are given:
    they can hang, which is why the test needs a bound.
    """
    if depth >= MAX_DEPTH:
        return None
    value = project.inference.value(call.func, function)
    if isinstance(value, Mocked) and "side_effect" not in (function.enclosing_class or function).source:
        return Body()  # it answers at once
    if not isinstance(value, Function) or value.calling is not Calling.COROUTINE:
        return None
    bound = value.receiver is not None
    if (
        not project.is_test_code(value.scope.outline.path)
        and not SOUNDS_LIKE_A_GUARD.search(value.scope.name)
        and not _awaits_what_it_is_given(value.scope, call, bound=bound)
    ):
        return None
    inner_given = bind(call, value.scope, function, project, bound=bound, given=given)
    inner = body(value.scope, project, inner_given, depth + 1)
    covered = covered_waits(value.scope, inner)
    return Body([wait for wait in inner.waits if id(wait) not in covered], inner.guards)


def _awaits_what_it_is_given(function: Scope, call: ast.Call, *, bound: bool) -> bool:
    """``soon(client.answer())``, where ``soon`` awaits the parameter that the inner call is given for."""
    parameters = [arg.arg for arg in function.parameters[1 if bound else 0 :]]
    handed = {name for name, value in zip(parameters, call.args, strict=False) if isinstance(value, ast.Call)}
    handed |= {k.arg for k in call.keywords if k.arg is not None and isinstance(k.value, ast.Call)}
    return bool(handed) and any(
        isinstance(node, ast.Name) and node.id in handed
        for wait in function.facts.awaits
        for node in ast.walk(wait.value)
    )


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
