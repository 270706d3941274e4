"""Names that the tests put something else in place of: mocks, patches, assignments."""

from __future__ import annotations

import ast

from asynclint.project.config import find_pytest_config
from asynclint.project.guards.fixtures import Fixture, visible_fixtures
from asynclint.project.guards.plugins import plugin_modules
from asynclint.project.index.values import Function, Instance
from asynclint.project.project import Project
from asynclint.source.outline import Outline, Scope

PATCHES = frozenset(
    ["patch", "object", "setattr", "multiple", "delattr", "spy", "stub", "dict", "patch_object", "replace"]
)


def is_replaced(func: ast.expr, scope: Scope, project: Project) -> bool:
    """Whether part of a dotted name is patched somewhere, or a parameter that a mocking fixture fills."""
    parts = _parts(func)
    outline = scope.outline
    patched = project.remembered(("replaced", outline), lambda: _replaced_names(outline, project))
    if any(part in patched for part in parts) or _is_mocked_parameter(parts[0], scope, project):
        return True
    value = project.inference.value(func, scope)
    receiver = value.receiver if isinstance(value, Function) else None
    cls = receiver.cls if isinstance(receiver, Instance) else receiver
    return cls is not None and cls.scope.name in patched


def _parts(expr: ast.expr) -> list[str]:
    """``["client", "send"]`` of ``client.send``; the root is empty where it is no name."""
    parts: list[str] = []
    while isinstance(expr, ast.Attribute):
        parts.insert(0, expr.attr)
        expr = expr.value
    return [expr.id if isinstance(expr, ast.Name) else "", *parts]


def _replaced_names(outline: Outline, project: Project) -> frozenset[str]:
    config = find_pytest_config(outline.path.parent)
    names: set[str] = set()
    for module in plugin_modules(outline, config, project):
        for scope in module.scope.nested():
            names |= _patched_in(scope)
    return frozenset(names)


def _patched_in(scope: Scope) -> set[str]:
    names: set[str] = set()
    own = scope.parameters[0].arg if scope.enclosing_class is not None and scope.parameters else ""
    for target, _ in scope.facts.attributes:
        if not (isinstance(target.value, ast.Name) and target.value.id == own):
            names.add(target.attr)
    names |= {name for name, kind in scope.facts.outer.items() if kind == "global" and name in scope.bindings}
    for call in scope.facts.calls:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if name in PATCHES:
            names |= {_text(argument).rpartition(".")[2] for argument in call.args} - {""}
            names |= {keyword.arg for keyword in call.keywords if keyword.arg and name == "multiple"}
    return names


def _text(expr: ast.expr) -> str:
    """A string, or the last piece of an f-string (``f"{__name__}.fetch"``)."""
    if isinstance(expr, ast.JoinedStr) and expr.values:
        expr = expr.values[-1]
    return expr.value if isinstance(expr, ast.Constant) and isinstance(expr.value, str) else ""


def _is_mocked_parameter(name: str, scope: Scope, project: Project) -> bool:
    """Whether a name is a test's parameter, and the fixture behind it makes a mock."""
    found = scope.lookup(name) if name else None
    if found is None or found[1][0].kind != "param":
        return False
    config = find_pytest_config(scope.outline.path.parent)
    for fixture in visible_fixtures(scope.outline, config, project):
        if fixture.name == name and _makes_mock(fixture):
            return True
    return False


def _makes_mock(fixture: Fixture) -> bool:
    text = fixture.scope.outline.text
    source = text.slice(text.span(fixture.scope.node)).lower()
    return "mock" in source or "autospec" in source
