"""Which backends anyio's pytest plugin runs a test on, as far as text tells."""

from __future__ import annotations

import ast

from asynclint.project.dependencies import dependencies
from asynclint.project.guards.fixtures import reaching_fixtures, visible_fixtures
from asynclint.project.guards.tests import Test, marks
from asynclint.project.names import definition
from asynclint.project.project import Project
from asynclint.source.outline import Scope

Backends = frozenset[str]
UNKNOWN: Backends = frozenset()
BACKEND = "anyio_backend"
REQUESTS = frozenset({BACKEND, f"{BACKEND}_name", f"{BACKEND}_options"})


def anyio_backends(test: Test, project: Project) -> Backends:
    """Names of the backends; empty where anyio's plugin doesn't run the test, or they can't be read.

    The closest of a ``parametrize`` of ``anyio_backend`` and a fixture of that name decides; without
    either, anyio 4 takes every backend that is installed.
    """
    return project.remembered((BACKEND, test.scope), lambda: _backends(test, project))


def _backends(test: Test, project: Project) -> Backends:
    if not _is_run_by_anyio(test, project):
        return UNKNOWN
    for mark in marks(test, project):
        given = mark.call.args if mark.name == "parametrize" and mark.call is not None else []
        if len(given) > 1 and isinstance(given[0], ast.Constant) and given[0].value == BACKEND:
            return _listed(given[1], mark.scope, project)
    for cls in test.bases.project if test.bases is not None else ():
        if BACKEND in cls.bindings:
            return UNKNOWN
    for fixture in visible_fixtures(test.scope.outline, test.config, project):
        if fixture.name == BACKEND:
            return _of_fixture(fixture.scope, project)
    has_trio = dependencies(test.scope.outline.directory).has("trio", (3, 11))
    return frozenset({"asyncio", "trio"} if has_trio else {"asyncio"})


def _is_run_by_anyio(test: Test, project: Project) -> bool:
    if test.is_unittest:
        return False
    scopes = (test.scope, *reaching_fixtures(test, project))
    if test.config.anyio_mode == "auto" or any(arg.arg in REQUESTS for s in scopes for arg in s.parameters):
        return True
    return any(mark.name == "anyio" for mark in marks(test, project))


def _of_fixture(fixture: Scope, project: Project) -> Backends:
    for decorator in fixture.decorators:
        for keyword in decorator.keywords if isinstance(decorator, ast.Call) else ():
            if keyword.arg == "params":
                return _listed(keyword.value, fixture.parent or fixture, project)
    returned = [_name(statement.value, fixture, project) for statement in fixture.facts.returns]
    return frozenset(returned) if returned and all(returned) else UNKNOWN


def _listed(expr: ast.expr, scope: Scope, project: Project) -> Backends:
    """Names in a list of parameters; none where one of them can't be read."""
    found = definition(expr, scope, project.modules)
    if found is not None and isinstance(found[0], ast.expr):
        expr, scope = found[0], found[1]
    if not isinstance(expr, (ast.List, ast.Tuple)):
        return UNKNOWN
    names = [_name(part, scope, project) for part in expr.elts]
    return frozenset(names) if all(names) else UNKNOWN


def _name(expr: ast.expr | None, scope: Scope, project: Project) -> str:
    """``"trio"``, ``("trio", {…})`` or ``pytest.param(…)`` of either; empty where it can't be read."""
    found = definition(expr, scope, project.modules) if expr is not None else None
    if found is not None and isinstance(found[0], ast.expr):
        expr, scope = found[0], found[1]
    if isinstance(expr, ast.Tuple) and expr.elts:
        expr = expr.elts[0]
    elif isinstance(expr, ast.Call) and expr.args and ast.unparse(expr.func).endswith("param"):
        skipped = any(keyword.arg == "marks" for keyword in expr.keywords)  # perhaps a skip
        return "" if skipped else _name(expr.args[0], scope, project)
    return expr.value if isinstance(expr, ast.Constant) and isinstance(expr.value, str) else ""
