"""Where coroutines are made and not awaited at once."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from asynclint.project.guards.replaced import is_replaced
from asynclint.project.project import Project
from asynclint.source.outline import Outline, Scope


def loose(scope: Scope, project: Project) -> list[ast.Call]:
    """Calls of coroutine functions in a scope's own body that are neither awaited nor a statement."""
    return project.remembered(("loose coroutines", scope), lambda: list(_loose(scope, project)))


def makes_loose_coroutines(unit: Scope, project: Project) -> bool:
    """Whether a function, or what is nested in it, makes a coroutine and does not await it at once."""
    return any(loose(scope, project) for scope in unit.nested() if scope.is_function)


def _loose(scope: Scope, project: Project) -> Iterator[ast.Call]:
    done = {id(wait.value) for wait in scope.facts.awaits}
    done |= {id(statement.value) for statement in scope.facts.expressions}
    for call in scope.facts.calls:
        if id(call) not in done and makes_coroutine(call, scope, project):
            yield call


def makes_coroutine(call: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether a call is known to give a coroutine, and nothing in sight puts another thing in its place."""
    func, inference = call.func, project.inference
    if not isinstance(func, (ast.Name, ast.Attribute)):
        return False
    if not inference.is_coroutine(inference.value(call, scope)) or is_replaced(func, scope, project):
        return False
    return isinstance(func, ast.Name) or func.attr not in _redefined(scope.outline, project)


def _redefined(outline: Outline, project: Project) -> frozenset[str]:
    """Names of plain methods in the heirs that a module defines anywhere: a fake client's ``read``."""

    def found() -> frozenset[str]:
        heirs = [s for s in outline.scope.nested() if isinstance(s.node, ast.ClassDef) and s.node.bases]
        methods = (method for heir in heirs for method in heir.facts.scopes if method.is_function)
        return frozenset(method.name for method in methods if not method.is_async)

    return project.remembered(("plain methods of heirs", outline), found)
