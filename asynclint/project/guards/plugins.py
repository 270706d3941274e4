"""The modules whose fixtures and hooks reach a test: conftest files upward, and pytest's plugins.

Plugins are those of ``pytest_plugins``, of ``-p``, and of the entry points ``pytest11``, of installed
packages and of the project itself (https://docs.pytest.org/en/stable/how-to/writing_plugins.html).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from asynclint.project.config import PytestConfig
from asynclint.project.dependencies import own_plugins
from asynclint.project.environment import installed_plugins, packages_for
from asynclint.project.guards.installed import may_guard
from asynclint.project.index.modules import is_known_package, project_directories
from asynclint.project.project import Project
from asynclint.source.outline import Outline


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


def plugin_modules(outline: Outline, config: PytestConfig, project: Project) -> Sequence[Outline]:
    """The module itself, its conftest files, and the plugins that they and pytest's options load.

    Of installed packages that no file of the project names, only those that may bound a test.
    """
    key = ("plugins", outline, config, project.settings.environment)
    return project.remembered(key, lambda: tuple(_plugin_modules(outline, config, project)))


def _plugin_modules(outline: Outline, config: PytestConfig, project: Project) -> Iterator[Outline]:
    seen: set[Path] = set()
    queue = [outline]
    for path in conftests(outline.directory, config.root):
        loaded = project.modules.load(path)
        if loaded is not None:
            queue.append(loaded)
    for name in config.plugins:
        module = _plugin(name, outline, project)
        if module is not None:
            queue.append(module)
    queue += _of_entry_points(outline, config, project)
    while queue:
        module = queue.pop(0)
        if module.path in seen or module.is_stub:
            continue
        seen.add(module.path)
        yield module
        for name in _pytest_plugins(module):
            named = _plugin(name, module, project)
            if named is not None:
                queue.append(named)


def unread_plugins(outline: Outline, config: PytestConfig, project: Project) -> list[str]:
    """Plugins that a module or pytest's options name, and that are not found as text."""
    named = [(name, outline) for name in (*_pytest_plugins(outline), *config.plugins)]
    return [name for name, origin in named if _plugin(name, origin, project) is None]


def _plugin(name: str, origin: Outline, project: Project) -> Outline | None:
    """A plugin by the name of its module or entry point, of the project or an installed package."""
    name = _entry_points(origin.directory, project).get(name, name)
    found = project.modules.find(name, 0, origin)
    if found is not None or is_known_package(name):
        return found
    return project.with_installed(origin.directory).modules.find(name, 0, origin)


def _pytest_plugins(outline: Outline) -> list[str]:
    names: list[str] = []
    for binding in outline.scope.bindings.get("pytest_plugins", []):
        nodes = ast.walk(binding.value) if binding.value is not None else ()
        names += [n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return names


def _of_entry_points(outline: Outline, config: PytestConfig, project: Project) -> list[Outline]:
    """Plugins that come with what is installed, if they may bound a test."""
    return list(_autoloaded(outline, config, project)) if config.autoload else []


def _autoloaded(outline: Outline, config: PytestConfig, project: Project) -> Iterator[Outline]:
    for name, module in _entry_points(outline.directory, project).items():
        if name in config.command_line.blocked or is_known_package(module):
            continue
        found = project.modules.find(module, 0, outline)
        if found is None:
            wider = project.with_installed(outline.directory)
            found = wider.modules.find(module, 0, outline) if may_guard(module, outline.path, wider) else None
        if found is not None:
            yield found


def _entry_points(directory: Path, project: Project) -> Mapping[str, str]:
    """Modules of the group ``pytest11`` by the names that ``-p`` knows them by."""
    packages = packages_for(directory, project.settings.environment)
    return {**installed_plugins(packages), **own_plugins(directory)}
