"""Cancel scopes of anyio and trio that may outlive a guard.

Both demand that scopes are left in the reverse order. A fixture often starts something before its
``yield`` and stops it behind, and a library's ``start`` may enter a task group by hand: a guard
round either would then be left out of order, which is an error though the guard never fires.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from asynclint.project.guards.around import ENTERING, functions_called
from asynclint.project.guards.refusals import NoGuardError
from asynclint.project.guards.tests import Test
from asynclint.project.index.values import Calling, Function
from asynclint.project.names import chain
from asynclint.project.project import Project
from asynclint.source.outline import Scope

LIBRARIES = ("anyio.", "trio.", "asyncio.")
SCOPES = frozenset({"create_task_group", "open_nursery", "CancelScope", "start_blocking_portal"})
SCOPE_WORDS = ("task_group", "TaskGroup", "nursery", "CancelScope", "fail_after", "move_on_")
OPENING = frozenset({*ENTERING, "__aenter__", "__enter__"})
LEAVING = frozenset({"__aexit__", "__exit__", "pop_all"})
MAX_DEPTH = 4


def refuse_scopes_left_elsewhere(test: Test, project: Project) -> None:
    """Raise NoGuardError where something that a test calls opens a cancel scope and doesn't leave it.

    ``await client.connect()`` may enter a task group that the client's fixture leaves; what ``async with``
    enters it leaves.
    """
    for scope in functions_called(test, project, entered=False):
        if scope.outline.text.has_any(SCOPE_WORDS):
            refuse_outliving_scopes(scope)


def refuse_outliving_scopes(function: Scope) -> None:
    """Raise NoGuardError where a cancel scope may be entered inside a guard and left outside it.

    anyio and trio demand that scopes are left in the reverse order.
    """
    own = {b for b, bindings in function.bindings.items() if bindings[0].kind in ("with", "async with")}
    for call in function.facts.calls:
        if isinstance(call.func, ast.Attribute) and call.func.attr in OPENING:
            root = ast.unparse(call.func.value).partition(".")[0]
            if root not in own:
                message = f"{ast.unparse(call.func)} may open a cancel scope that outlives the guard"
                raise NoGuardError(message)


def refuse_lasting_scopes(function: Scope, within: Sequence[ast.stmt], project: Project) -> None:
    """Raise NoGuardError unless all that some statements of a function call leaves cancel scopes balanced.

    What ``async with`` enters, it leaves; calls of anyio, trio and of objects that they made are
    known; functions of the project are read.
    """
    inside = {id(node) for statement in within for node in ast.walk(statement)}
    found = _lasting(function, inside, project, 0)
    if found:
        message = f"{found} may open or close a cancel scope that outlives the guard"
        raise NoGuardError(message)


def _lasting(function: Scope, inside: set[int] | None, project: Project, depth: int) -> str:
    """The first call in a function that may leave the cancel scopes changed; empty where there is none."""
    for call in function.facts.calls:
        here = inside is None or id(call) in inside
        if here and isinstance(call.func, ast.Attribute) and call.func.attr in OPENING | LEAVING:
            return ast.unparse(call.func)
    for wait in function.facts.awaits:
        if inside is None or id(wait) in inside:
            if not isinstance(wait.value, ast.Call):
                return ast.unparse(wait.value)
            if not _is_balanced(wait.value, function, project, depth):
                return ast.unparse(wait.value.func)
    return ""


def _is_balanced(call: ast.Call, function: Scope, project: Project, depth: int) -> bool:
    if _is_of_library(call.func, function, project):
        return True
    if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
        found = function.lookup(call.func.value.id)
        if found is not None and all(_is_made_by_library(b.value, found[0], project) for b in found[1]):
            return True
    value = project.inference.value(call.func, function)
    if not isinstance(value, Function) or value.calling is not Calling.COROUTINE:
        return False
    if value.scope.outline.is_stub or depth >= MAX_DEPTH:
        return False
    return not _lasting(value.scope, None, project, depth + 1)


def _is_of_library(func: ast.expr, function: Scope, project: Project) -> bool:
    return any(
        name.startswith(LIBRARIES) and name.rpartition(".")[2] not in SCOPES
        for name in chain(func, function, project.modules)
    )


def _is_made_by_library(value: ast.expr | None, scope: Scope, project: Project) -> bool:
    """``listener = await anyio.create_tcp_listener()``."""
    made = value.value if isinstance(value, ast.Await) else value
    return isinstance(made, ast.Call) and _is_of_library(made.func, scope, project)
