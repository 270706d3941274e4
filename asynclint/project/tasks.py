"""Where tasks are made."""

from __future__ import annotations

import ast

from asynclint.knowledge.asyncs import LOOP_GETTERS, SPAWN_METHODS, SPAWNS
from asynclint.project.index.values import Calling, Function
from asynclint.project.names import chain
from asynclint.project.project import Project
from asynclint.source.outline import Scope

MAX_DEPTH = 3


def spawns(call: ast.Call, scope: Scope, project: Project, depth: int = 0) -> bool:
    """Whether a call starts a task that is its caller's to finish.

    ``asyncio.create_task`` and its kin, a loop's ``create_task``, and project functions that do
    nothing with the task but return it. Not the methods of a TaskGroup or nursery: the group owns those.
    """
    if any(name in SPAWNS for name in chain(call.func, scope, project.modules)):
        return True
    if isinstance(call.func, ast.Attribute) and call.func.attr in SPAWN_METHODS:
        return _is_loop(call.func.value, scope, project)
    return depth < MAX_DEPTH and _wraps_spawn(call, scope, project, depth)


def _is_loop(receiver: ast.expr, scope: Scope, project: Project) -> bool:
    """An event loop, by construction or by what everybody calls one (fixtures hand them out)."""
    if isinstance(receiver, ast.Call):
        if any(name in LOOP_GETTERS for name in chain(receiver.func, scope, project.modules)):
            return True
        return isinstance(receiver.func, ast.Attribute) and receiver.func.attr in (
            "get_loop",
            "get_event_loop",
        )
    name = receiver.attr if isinstance(receiver, ast.Attribute) else getattr(receiver, "id", "")
    return name == "loop" or name.endswith("_loop")


def _wraps_spawn(call: ast.Call, scope: Scope, project: Project, depth: int) -> bool:
    if not _may_be_wrapper(call.func, scope):
        return False
    value = project.inference.value(call.func, scope)
    if not isinstance(value, Function) or value.calling is not Calling.SYNC or value.scope.outline.is_stub:
        return False
    returns = value.scope.facts.returns
    return bool(returns) and all(
        isinstance(r.value, ast.Call) and spawns(r.value, value.scope, project, depth + 1) for r in returns
    )


def _may_be_wrapper(func: ast.expr, scope: Scope) -> bool:
    """A plain function, or a method on ``self``: what any other object starts is that object's to finish."""
    if isinstance(func, ast.Attribute):
        if not isinstance(func.value, ast.Name):
            return False
        if func.value.id in ("self", "cls"):
            return True
        found = scope.lookup(func.value.id)
        return found is not None and found[1][0].kind in ("import", "from")
    found = scope.lookup(func.id) if isinstance(func, ast.Name) else None
    return found is not None and found[1][0].kind in ("def", "from")
