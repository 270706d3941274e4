"""Fixtures and hooks that reach a test: of its module, of conftest files upward, and of local plugins."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
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
    names: list[str] = []
    for binding in outline.scope.bindings.get("pytest_plugins", []):
        nodes = ast.walk(binding.value) if binding.value is not None else ()
        names += [n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return names


@dataclass(frozen=True, slots=True)
class Fixture:
    """A pytest fixture: its function, the name tests request it by, whether every test gets it."""

    scope: Scope
    name: str
    autouse: bool


def reaching_fixtures(test: Test, project: Project) -> list[Scope]:
    """Fixtures that pytest sets up round a test: autouse ones, requested ones, and what those request."""
    return _reached(test, project)[0]


def requested(test: Test, project: Project) -> set[str]:
    """Names of the fixtures that reach a test, those that are defined nowhere in the project included."""
    return _reached(test, project)[1]


def _reached(test: Test, project: Project) -> tuple[list[Scope], set[str]]:
    return project.remembered(("reaching", test.scope), lambda: _reaching(test, project))


def _reaching(test: Test, project: Project) -> tuple[list[Scope], set[str]]:
    outline = test.scope.outline
    waiting = list(visible_fixtures(outline, test.config, project))
    for cls in test.bases.project if test.bases is not None else ():
        waiting += _fixtures(cls, project)
    outer = test.scope.enclosing_class
    while outer is not None:
        waiting += [f for f in _fixtures(outer, project) if f not in waiting]
        outer = outer.enclosing_class
    wanted = {arg.arg for arg in test.scope.parameters} | _used_by_mark(test, project)
    found: list[Scope] = []
    names: set[str] = set()
    growing = True
    while growing:
        reached = [f for f in waiting if f.autouse or f.name in wanted]
        waiting = [f for f in waiting if f not in reached]
        growing = bool(reached)
        for fixture in reached:
            found.append(fixture.scope)
            names.add(fixture.name)
            wanted |= {arg.arg for arg in fixture.scope.parameters}
    return found, wanted | names


def visible_fixtures(outline: Outline, config: PytestConfig, project: Project) -> list[Fixture]:
    """Fixtures that tests of a module can request: its own, its conftest files' and local plugins'."""
    return project.remembered(("fixtures", outline), lambda: _visible_fixtures(outline, config, project))


def _visible_fixtures(outline: Outline, config: PytestConfig, project: Project) -> list[Fixture]:
    return [
        f for module in plugin_modules(outline, config, project) for f in _fixtures(module.scope, project)
    ]


def _fixtures(owner: Scope, project: Project) -> list[Fixture]:
    """Fixtures that a module or class defines."""
    return project.remembered(("fixtures of", owner), lambda: list(_defined_fixtures(owner, project)))


def _defined_fixtures(owner: Scope, project: Project) -> Iterator[Fixture]:
    for scope in owner.facts.scopes:
        decorator = is_fixture(scope, project) if scope.is_function and scope.decorators else None
        if decorator is not None:
            yield Fixture(scope, _fixture_name(scope, decorator), _is_autouse(decorator))
    if owner.parent is None:
        yield from _imported_fixtures(owner, project)


def _imported_fixtures(module: Scope, project: Project) -> Iterator[Fixture]:
    """Fixtures that a conftest or test module imports from another module of the project."""
    for name, bindings in module.bindings.items():
        for binding in bindings:
            if binding.kind == "from":
                origin = project.modules.find(binding.module, binding.level, module.outline)
                yield from _fixtures_named(origin, binding.member, name, project)
    for star in module.facts.stars:
        origin = project.modules.find(star.module, star.level, module.outline)
        yield from _fixtures_named(origin, "", "", project)


def _fixtures_named(origin: Outline | None, member: str, name: str, project: Project) -> Iterator[Fixture]:
    if origin is None or origin.is_stub or "fixture" not in origin.text.text:
        return
    for fixture in _fixtures(origin.scope, project):
        if not member or fixture.scope.name == member:
            own_name = fixture.name != fixture.scope.name or not name
            yield Fixture(fixture.scope, fixture.name if own_name else name, fixture.autouse)


def _used_by_mark(test: Test, project: Project) -> set[str]:
    names = set()
    for mark in marks(test, project):
        if mark.name == "usefixtures" and mark.call is not None:
            names |= {
                a.value for a in mark.call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)
            }
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
