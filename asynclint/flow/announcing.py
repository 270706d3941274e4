"""Whether a task says itself that it is over: the last it does is to set an event that somebody looks at."""

from __future__ import annotations

import ast

from asynclint.flow.expiry import own_nodes
from asynclint.flow.lives import Life
from asynclint.project.index.values import Calling, Function
from asynclint.project.project import Project


def tells_its_end(life: Life, project: Project) -> bool:
    """``await done.wait()``, ``assert done.is_set()``, where ``done.set()`` is the last that the task does.

    Nothing waits behind it, so the task is over when whoever waits for the event comes to run.
    """
    made = life.call.args[0] if life.call.args else None
    value = project.inference.value(made.func, life.scope) if isinstance(made, ast.Call) else None
    if not isinstance(value, Function) or value.calling is not Calling.COROUTINE:
        return False
    event = _last_event(value.scope.node)
    if event is None or value.scope.lookup(event) != life.scope.lookup(event):
        return False
    seen = (node for node in own_nodes(life.scope) if isinstance(node, ast.Attribute))
    return any(
        node.attr in ("wait", "is_set") and isinstance(node.value, ast.Name) and node.value.id == event
        for node in seen
    )


def _last_event(coroutine: ast.AST) -> str | None:
    """``done`` where a coroutine function ends with ``done.set()``, in a ``finally`` too."""
    last: ast.AST = coroutine
    while True:
        if isinstance(last, (ast.Try, ast.TryStar)) and last.finalbody:
            last = last.finalbody[-1]
        elif isinstance(last, (ast.AsyncFunctionDef, ast.With)):
            last = last.body[-1]
        else:
            break
    call = last.value if isinstance(last, ast.Expr) else None
    func = call.func if isinstance(call, ast.Call) else None
    if not isinstance(func, ast.Attribute) or func.attr != "set" or not isinstance(func.value, ast.Name):
        return None
    return func.value.id
