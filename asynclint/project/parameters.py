"""What parameters are that have no annotation: pytest fills them with fixtures, decorators with objects."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.project.guards.fixtures import filling
from asynclint.project.index import results
from asynclint.project.index.classes import ancestors
from asynclint.project.index.values import Calling, Class, Function, Instance, Value, agreed

if TYPE_CHECKING:
    from asynclint.project.project import Project
    from asynclint.source.outline import Outline, Scope


def parameter(name: str, function: Scope, project: Project) -> Value | None:
    """What a parameter of a test, a fixture or a decorated function is; None where that can't be told."""
    fixture = filling(name, function, project)
    if fixture is not None:
        giver = Function(fixture.scope, Calling.SYNC)
        given = results.yielded if fixture.scope.is_generator else results.returned
        return given(giver, project.inference)
    handed = _handed_in(name, function, project) if function.decorators else None
    return handed if handed is not None else _wrapped_self(name, function, project)


def _wrapped_self(name: str, wrapper: Scope, project: Project) -> Value | None:
    """``self`` of the function that a decorator puts in place of methods: at least their common base."""
    decorator = wrapper.parent
    if decorator is None or not decorator.is_function or wrapper.parameters[0].arg != name:
        return None
    outline = decorator.outline
    decorated = project.remembered(("classes by decorator", outline), lambda: _classes_by_decorator(outline))
    owners = decorated.get(decorator.name, {})
    families = [list(ancestors(Class(cls), project.inference)) for cls in owners]
    for cls in families[0] if families else ():
        if cls is not None and all(cls in family for family in families):
            return Instance(cls, open=True)
    return None


def _classes_by_decorator(outline: Outline) -> dict[str, dict[Scope, None]]:
    """The classes whose methods have a decorator, by its name."""
    found: dict[str, dict[Scope, None]] = {}
    for cls in outline.classes:
        for method in cls.facts.scopes:
            for decorator in method.decorators if method.is_function else ():
                if isinstance(decorator, ast.Name):
                    found.setdefault(decorator.id, {})[cls] = None
    return found


def _handed_in(name: str, function: Scope, project: Project) -> Value | None:
    """``sftp`` of a test whose decorator calls it as ``test(self, sftp)``."""
    names = [arg.arg for arg in function.parameters]
    calls = [found for decorator in function.decorators for found in _calls_by(decorator, function, project)]
    place = names.index(name)
    if not calls or any(len(call.args) <= place for call, _ in calls):
        return None
    if any(isinstance(a, ast.Starred) for call, _ in calls for a in call.args[: place + 1]):
        return None
    return agreed([project.inference.value(call.args[place], scope) for call, scope in calls])


def _calls_by(decorator: ast.expr, function: Scope, project: Project) -> Iterator[tuple[ast.Call, Scope]]:
    """Where a decorator of the project calls the function that it is given."""
    value = project.inference.value(decorator, function.parent or function)
    if not isinstance(value, Function) or value.scope.outline.is_stub or not value.scope.parameters:
        return
    given = value.scope.parameters[0].arg
    for scope in value.scope.nested():
        for call in scope.facts.calls:
            if isinstance(call.func, ast.Name) and call.func.id == given:
                found = scope.lookup(given)
                if found is not None and found[0] is value.scope:
                    yield call, scope
