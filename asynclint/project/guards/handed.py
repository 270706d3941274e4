"""What a wrapper does with what it wraps: the names that stand for it, and what is beside it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from asynclint.project.project import Project
from asynclint.source.outline import Scope
from asynclint.source.walk import children
from asynclint.source.written import last_name

STARTING = frozenset(
    ["create_task", "ensure_future", "start_soon", "submit", "run_coroutine_threadsafe", "start"]
)


def wrapped_names(function: Scope) -> set[str]:
    """Parameters of a decorator, and of the decorators it makes if it is a factory."""
    names = {arg.arg for arg in function.parameters}
    for scope in function.facts.scopes:
        if scope.is_function and scope.facts.scopes and not _passes_for_another(scope):
            names |= {arg.arg for arg in scope.parameters} - _starred(scope)
    return names


def standing_for(function: Scope, project: Project) -> frozenset[str]:
    """Names that may stand for what a function wraps or runs, or for something made of it.

    All parameters, those of the functions inside included, except what a wrapper only passes on
    (``*args``); what is made of any of them by an assignment, a loop or a function inside; ``super``.
    """
    return project.remembered(("standing for", function), lambda: _standing_for(function))


def _standing_for(function: Scope) -> frozenset[str]:
    names = {"super"}
    for scope in function.nested():
        names |= {arg.arg for arg in scope.parameters}
        if scope is not function and _passes_for_another(scope):
            names -= _starred(scope)
    made = [(name, _mentioned(node)) for scope in function.nested() for name, node in _makings(scope)]
    grown = True
    while grown:
        more = {name for name, parts in made if name not in names and parts & names}
        names |= more
        grown = bool(more)
    return frozenset(names)


def _makings(scope: Scope) -> Iterator[tuple[str, ast.AST]]:
    """Names of a scope, each with a node that goes into what they stand for."""
    for name, bindings in scope.bindings.items():
        for binding in bindings:
            if binding.value is not None:
                yield name, binding.value
            elif binding.kind in ("def", "class"):
                yield name, binding.node
    for target, value in scope.facts.attributes:
        if value is not None:
            yield root(target), value
    for call in scope.facts.calls:  # tasks.append(test())
        owner = root(call.func) if isinstance(call.func, ast.Attribute) else ""
        found = scope.lookup(owner) if owner else None
        if found is not None and all(b.kind not in ("import", "from", "class") for b in found[1]):
            for part in (*call.args, *call.keywords):
                yield owner, part


def _mentioned(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _passes_for_another(function: Scope) -> bool:
    """Whether a function is decorated with ``functools.wraps(test)``."""
    return any(isinstance(d, ast.Call) and "wraps" in ast.unparse(d.func) for d in function.decorators)


def _starred(function: Scope) -> set[str]:
    node = function.node
    assert not isinstance(node, (ast.Module, ast.ClassDef))
    return {arg.arg for arg in (node.args.vararg, node.args.kwarg) if arg is not None}


def root(expr: ast.expr) -> str:
    """The name that a chain of attributes, calls and items begins with; empty where it is none."""
    while isinstance(expr, (ast.Attribute, ast.Call, ast.Subscript, ast.Await)):
        expr = expr.func if isinstance(expr, ast.Call) else expr.value
    return expr.id if isinstance(expr, ast.Name) else ""


def mentions(node: ast.AST, names: frozenset[str] | set[str]) -> bool:
    """Whether a node names one of these, or gives way to what is run by a ``yield``."""
    stack = [node]
    while stack:
        inner = stack.pop()
        if isinstance(inner, ast.Name):
            if inner.id in names:
                return True
        elif isinstance(inner, (ast.Yield, ast.YieldFrom)):
            return True
        else:
            stack += children(inner)
    return False


def receives(call: ast.Call, names: frozenset[str] | set[str]) -> bool:
    """Whether a call is given one of these names, or the result of calling one."""
    return any(mentions(argument, names) for argument in (*call.args, *(k.value for k in call.keywords)))


def beside(scope: Scope, names: frozenset[str]) -> set[int]:
    """``id`` of the calls of a scope that are entered round, or awaited for, something else than these."""
    found: set[int] = set()
    for statement in scope.facts.withs:
        inside: list[ast.AST] = [*statement.body]
        for item in reversed(statement.items):
            if not any(mentions(node, names) for node in inside):
                found |= {id(node) for node in ast.walk(item.context_expr) if isinstance(node, ast.Call)}
            inside.append(item.context_expr)
    waits = [wait.value for wait in scope.facts.awaits]
    alone = [statement.value for statement in scope.facts.expressions]
    found |= {
        id(call) for call in (*waits, *alone) if isinstance(call, ast.Call) and not mentions(call, names)
    }
    return found


def runs_in_turn(function: Scope, wrapped: set[str]) -> bool:
    """Whether a wrapper plainly calls what it wraps, and starts nothing that would run beside the rest."""
    if starts_beside(function):
        return False
    calls = [call for scope in function.nested() for call in scope.facts.calls]
    return any(isinstance(call.func, ast.Name) and call.func.id in wrapped for call in calls)


def starts_beside(function: Scope) -> bool:
    """Whether a wrapper starts a task, thread or process."""
    return any(last_name(call.func) in STARTING for scope in function.nested() for call in scope.facts.calls)


def cancels(call: ast.Call, scope: Scope, names: frozenset[str]) -> bool:
    """``task.cancel()`` of what is wrapped, unless it only cleans up."""
    func = call.func
    if not isinstance(func, ast.Attribute) or func.attr != "cancel" or root(func) not in names:
        return False
    after = [
        node
        for attempt in ast.walk(scope.node)
        if isinstance(attempt, ast.Try)
        for node in (*attempt.finalbody, *attempt.handlers)
    ]
    return not any(inner is call for node in after for inner in ast.walk(node))


def goes_on_waiting(wait: ast.Call, function: Scope) -> bool:
    """``await asyncio.wait([task], timeout=1)``, and further down ``await task``, done or not."""
    given = {name for part in wait.args[:1] for name in _mentioned(part)}
    nodes = list(ast.walk(function.node))
    if any(isinstance(n, (ast.If, ast.IfExp, ast.Assert)) and n.lineno > wait.lineno for n in nodes):
        return False  # it may look whether it is done
    looped = {id(inner) for node in nodes if isinstance(node, ast.For) for inner in ast.walk(node)}
    for scope in function.nested():
        if any(isinstance(c.func, ast.Attribute) and c.func.attr == "cancel" for c in scope.facts.calls):
            return False
        for later in scope.facts.awaits:
            name = later.value.id if isinstance(later.value, ast.Name) else ""
            if name in given and id(later) not in looped and later.lineno > wait.lineno:
                return True
    return False
