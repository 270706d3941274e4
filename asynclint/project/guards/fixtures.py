"""Fixtures and hooks that reach a test: its module's, those of conftest files upward, and of local plugins."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from asynclint.project.config import PytestConfig
from asynclint.project.guards.tests import Test, is_fixture, marks
from asynclint.project.index.modules import project_directories
from asynclint.project.project import Project
from asynclint.source.outline import Outline, Scope


@cache
def conftests(directory: Path, root: Path) -> tuple[Path, ...]:
    """The conftest.py files that pytest loads for tests of a directory, nearest first."""
    projects = project_directories(directory)
    top = projects[-1] if projects else root
    found = []
    for here in (directory, *directory.parents):
        path = here / "conftest.py"
        if path.is_file():
            found.append(path)
        if here in (top, root) and not (here == root and root in top.parents):
            break
    return tuple(found)


def plugin_modules(outline: Outline, config: PytestConfig, project: Project) -> Iterator[Outline]:
    """The module itself, its conftest files, and the project's modules they name in ``pytest_plugins``."""
    seen: set[Path] = set()
    queue = [outline]
    for path in conftests(outline.path.parent, config.root):
        loaded = project.modules.load(path)
        if loaded is not None:
            queue.append(loaded)
    for name in config.plugins:
        module = project.modules.find(name, 0, outline)
        if module is not None:
            queue.append(module)
    while queue:
        module = queue.pop(0)
        if module.path in seen or module.is_stub:
            continue
        seen.add(module.path)
        yield module
        for name in _pytest_plugins(module):
            named = project.modules.find(name, 0, module)
            if named is not None:
                queue.append(named)


def _pytest_plugins(outline: Outline) -> list[str]:
    names = []
    for binding in outline.scope.bindings.get("pytest_plugins", []):
        for node in ast.walk(binding.value) if binding.value is not None else ():
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                names.append(node.value)
    return names


def reaching_fixtures(test: Test, project: Project) -> Iterator[Scope]:
    """Fixtures that pytest sets up round a test: autouse ones, requested ones, and what those request."""
    reach: list[Scope] = []
    for outline in plugin_modules(test.scope.outline, test.config, project):
        reach += module_fixtures(outline, project)
    if test.bases is not None:
        for cls in test.bases.project:
            reach += [f for f in cls.facts.scopes if f.is_function and is_fixture(f, project)]
    wanted = {arg.arg for arg in test.scope.parameters} | _used_by_mark(test, project)
    done: set[int] = set()
    growing = True
    while growing:
        growing = False
        for fixture in reach:
            decorator = is_fixture(fixture, project)
            if id(fixture) in done or decorator is None:
                continue
            if _is_autouse(decorator) or _fixture_name(fixture, decorator) in wanted:
                done.add(id(fixture))
                wanted |= {arg.arg for arg in fixture.parameters}
                growing = True
                yield fixture


def module_fixtures(outline: Outline, project: Project) -> list[Scope]:
    """Fixtures that a module defines at its top level."""
    return [f for f in outline.scope.facts.scopes if f.is_function and f.decorators and is_fixture(f, project)]


def _used_by_mark(test: Test, project: Project) -> set[str]:
    names = set()
    for mark in marks(test, project):
        if mark.name == "usefixtures" and mark.call is not None:
            names |= {a.value for a in mark.call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)}
    return names


def _is_autouse(decorator: ast.expr) -> bool:
    if not isinstance(decorator, ast.Call):
        return False
    return any(
        k.arg == "autouse" and not (isinstance(k.value, ast.Constant) and not k.value.value)
        for k in decorator.keywords
    )


def _fixture_name(fixture: Scope, decorator: ast.expr) -> str:
    for keyword in decorator.keywords if isinstance(decorator, ast.Call) else ():
        if keyword.arg == "name" and isinstance(keyword.value, ast.Constant):
            return str(keyword.value.value)
    return fixture.name
