"""Plain functions that do their work when they are called, whether or not what they return is awaited."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from asynclint.project.index.classes import ancestors
from asynclint.project.index.values import Calling, Class, Function, Instance, Module
from asynclint.project.project import Project
from asynclint.project.tasks import starts_tasks
from asynclint.source.outline import Outline, Scope
from asynclint.source.written import called

MAX_DEPTH = 3
LOGS = re.compile(r"^(self\.)?_?(log|logger|logging|warnings)\b", re.IGNORECASE)


def has_started_a_task(call: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether a plain function has started a task: who doesn't care need not await what it gives then."""
    plain = _plain(project.inference.value(call.func, scope))
    return plain is not None and starts_tasks(plain, project)


def may_work_at_once(call: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether what is called is a plain function that does its work at once, as far as is known.

    Where it is not known, the methods of that name are asked that classes have which the module imports.
    """
    inference = project.inference
    value = inference.value(call.func, scope)
    if value is None and isinstance(call.func, ast.Attribute):
        key = ("imported methods", scope.outline, called(call))
        found = project.remembered(key, lambda: _imported_methods(called(call), scope.outline, project))
    else:
        if isinstance(value, Instance):
            value = inference.attribute(value, "__call__")
        plain = _plain(value)
        found = [plain] if plain is not None else []
    return bool(found) and all(_works(method, project) for method in found)


def _plain(value: object) -> Scope | None:
    """The definition of a plain function."""
    if not isinstance(value, Function) or value.calling is not Calling.SYNC or value.scope.outline.is_stub:
        return None
    return value.scope


def _imported_methods(name: str, outline: Outline, project: Project) -> list[Scope]:
    """The methods of one name that the classes have which a module imports."""
    families = (ancestors(cls, project.inference) for cls in _imported(outline, project))
    return [method for method in (_method(name, family) for family in families) if method is not None]


def _imported(outline: Outline, project: Project) -> list[Class]:
    """The classes that a module imports, by themselves or with their module."""

    def found() -> Iterator[Class]:
        for name, bindings in outline.scope.bindings.items():
            if any(binding.kind in ("import", "from") for binding in bindings):
                value = project.inference.name(name, outline.scope)
                if isinstance(value, Class) and not value.scope.outline.is_stub:
                    yield value
                elif isinstance(value, Module) and not value.outline.is_stub:
                    yield from map(Class, value.outline.classes)

    return project.remembered(("imported classes", outline), lambda: list(found()))


def _method(name: str, family: tuple[Class | None, ...]) -> Scope | None:
    """The method of a class or of the first base that has one of that name."""
    methods = (scope for cls in family if cls is not None for scope in cls.scope.facts.scopes)
    return next((scope for scope in methods if scope.is_function and scope.name == name), None)


def _works(function: Scope, project: Project, depth: int = 0) -> bool:
    """Whether a plain function calls or changes something, besides making what it returns."""
    if function.is_async or function.is_generator or depth > MAX_DEPTH:
        return False
    facts = function.facts
    if facts.attributes or facts.fors or facts.withs:
        return True
    acts = (statement.value for statement in facts.expressions if isinstance(statement.value, ast.Call))
    if any(not LOGS.search(ast.unparse(act.func)) for act in acts):
        return True
    calls = (statement.value for statement in facts.returns if isinstance(statement.value, ast.Call))
    inner = (_plain(project.inference.value(call.func, function)) for call in calls)
    return any(_works(made, project, depth + 1) for made in inner if made is not None)
