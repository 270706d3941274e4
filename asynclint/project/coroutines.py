"""Where coroutines are made and not awaited at once, as definitions or as the code around tell."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from enum import Enum

from asynclint.finding import Confidence
from asynclint.project.guards.replaced import is_replaced
from asynclint.project.index.values import Callback, Class, Function, Pending, Value
from asynclint.project.index.witnesses import is_awaited_elsewhere, loose_calls
from asynclint.project.project import Project
from asynclint.source.outline import Outline, Scope


class Evidence(Enum):
    """What says that a call gives a coroutine."""

    DEFINITION = "what is called"
    ANNOTATION = "what is called is annotated as giving something to await"
    USE = "the module awaits the same call of the same thing elsewhere"

    @property
    def confidence(self) -> Confidence:
        """How sure that makes a report."""
        return Confidence.CERTAIN if self is Evidence.DEFINITION else Confidence.LIKELY


def loose(scope: Scope, project: Project) -> list[tuple[ast.Call, Evidence]]:
    """Calls in a scope's own body that give a coroutine, and are neither awaited nor a statement."""
    return project.remembered(("loose coroutines", scope), lambda: list(_loose(scope, project)))


def makes_loose_coroutines(unit: Scope, project: Project) -> bool:
    """Whether a function, or what is nested in it, makes a coroutine and does not await it at once."""
    return any(loose(scope, project) for scope in unit.nested() if scope.is_function)


def _loose(scope: Scope, project: Project) -> Iterator[tuple[ast.Call, Evidence]]:
    statements = {id(statement.value) for statement in scope.facts.expressions}
    for call in loose_calls(scope, project):
        evidence = makes_coroutine(call, scope, project) if id(call) not in statements else None
        if evidence is not None:
            yield call, evidence


def makes_coroutine(call: ast.Call, scope: Scope, project: Project) -> Evidence | None:
    """What says that a call gives a coroutine; None where nothing does, or something replaces it."""
    evidence = _evidence(call, scope, project)
    if evidence is None or is_replaced(call.func, scope, project):
        return None
    redefined = isinstance(call.func, ast.Attribute) and call.func.attr in _redefined(scope.outline, project)
    return None if redefined else evidence


def _evidence(call: ast.Call, scope: Scope, project: Project) -> Evidence | None:
    func, inference = call.func, project.inference
    value = inference.value(call, scope)
    given = inference.pending(value)
    if given is not None and given.lazy:
        return Evidence.DEFINITION
    is_parameter = isinstance(func, ast.Name) and isinstance(inference.value(func, scope), Callback)
    if is_parameter and isinstance(value, Pending):  # an object of a class may have been started
        return Evidence.ANNOTATION
    if _may_be_awaited(value, func, scope, project) and is_awaited_elsewhere(call, scope, project):
        return Evidence.USE
    return None


def _may_be_awaited(value: Value | None, func: ast.expr, scope: Scope, project: Project) -> bool:
    """Whether nothing that is known of a call says that its result can't be awaited."""
    called = project.inference.value(func, scope)
    if value is not None:
        return project.inference.pending(value) is not None and not isinstance(called, Class)
    if called is None or not isinstance(called, Function) or called.scope.outline.is_stub:
        return called is None
    node = called.scope.node
    annotated = isinstance(node, ast.FunctionDef) and node.returns is not None
    return annotated or any(found.value is not None for found in called.scope.facts.returns)


def _redefined(outline: Outline, project: Project) -> frozenset[str]:
    """Names of plain methods in the heirs that a module defines anywhere: a fake client's ``read``."""

    def found() -> frozenset[str]:
        heirs = [s for s in outline.scope.nested() if isinstance(s.node, ast.ClassDef) and s.node.bases]
        plain = {m.name for heir in heirs for m in heir.facts.scopes if m.is_function and not m.is_async}
        assigned = {n for heir in heirs for n, found in heir.bindings.items() if found[-1].kind == "assign"}
        return frozenset(plain | assigned)

    return project.remembered(("plain methods of heirs", outline), found)
