"""Where coroutines are made and not awaited at once, as definitions or as the code around tell."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from asynclint.finding import Confidence
from asynclint.project.guards.replaced import is_replaced
from asynclint.project.index.witnesses import is_awaited_elsewhere, loose_calls
from asynclint.project.project import Project
from asynclint.source.outline import Outline, Scope


def loose(scope: Scope, project: Project) -> list[tuple[ast.Call, Confidence]]:
    """Calls in a scope's own body that give a coroutine, and are neither awaited nor a statement."""
    return project.remembered(("loose coroutines", scope), lambda: list(_loose(scope, project)))


def makes_loose_coroutines(unit: Scope, project: Project) -> bool:
    """Whether a function, or what is nested in it, makes a coroutine and does not await it at once."""
    return any(loose(scope, project) for scope in unit.nested() if scope.is_function)


def _loose(scope: Scope, project: Project) -> Iterator[tuple[ast.Call, Confidence]]:
    statements = {id(statement.value) for statement in scope.facts.expressions}
    for call in loose_calls(scope):
        confidence = makes_coroutine(call, scope, project) if id(call) not in statements else None
        if confidence is not None:
            yield call, confidence


def makes_coroutine(call: ast.Call, scope: Scope, project: Project) -> Confidence | None:
    """How sure it is that a call gives a coroutine; None where it is not, or something replaces it.

    CERTAIN by what is called; LIKELY where that can't be told and the module awaits the same call of
    the same thing elsewhere.
    """
    func, inference = call.func, project.inference
    if not isinstance(func, (ast.Name, ast.Attribute)):
        return None
    if inference.is_coroutine(inference.value(call, scope)):
        sure = Confidence.CERTAIN
    elif inference.value(func, scope) is None and is_awaited_elsewhere(call, scope, project):
        sure = Confidence.LIKELY
    else:
        return None
    if is_replaced(func, scope, project):
        return None
    redefined = isinstance(func, ast.Attribute) and func.attr in _redefined(scope.outline, project)
    return None if redefined else sure


def _redefined(outline: Outline, project: Project) -> frozenset[str]:
    """Names of plain methods in the heirs that a module defines anywhere: a fake client's ``read``."""

    def found() -> frozenset[str]:
        heirs = [s for s in outline.scope.nested() if isinstance(s.node, ast.ClassDef) and s.node.bases]
        methods = (method for heir in heirs for method in heir.facts.scopes if method.is_function)
        return frozenset(method.name for method in methods if not method.is_async)

    return project.remembered(("plain methods of heirs", outline), found)
