"""What of a suite, or of the plugins it loads, looks at the tasks that are left when a test ends.

Whatever may do so counts: a fixture, a hook, a method of a test class, a function in a module beside the
tests. Only what a test itself asks of ``asyncio.all_tasks()`` says nothing of the other tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from asynclint.knowledge.leak_checks import LEAK_BASES, LEAK_MARKS, LEAK_PACKAGES, LEAK_PLUGINS, TASK_LISTS
from asynclint.project.config import find_pytest_config
from asynclint.project.dependencies import dependencies
from asynclint.project.environment import installed_plugins, packages_for
from asynclint.project.guards.tests import is_collected, is_fixture, tests_in
from asynclint.project.guards.wrappers import project_function
from asynclint.project.index.values import Class, Function
from asynclint.project.names import known
from asynclint.project.project import Project
from asynclint.project.suite import Suite
from asynclint.source.outline import Outline, Scope

WORDS = re.compile(rb"all_tasks|get_running_tasks")
_PACKAGES = "|".join(sorted(LEAK_PACKAGES)).encode()
_MARKS = "|".join(sorted(LEAK_MARKS)).encode()
_PLUGINS = "|".join(sorted(LEAK_PLUGINS)).encode()
# ``import pyleak``, ``@pytest.mark.no_leaks``, ``item.add_marker("no_leaks")``, ``pytest_plugins = "…"``
NAMED = re.compile(
    rb"^[ \t]*(?:import|from)[ \t]+(?:%b)\b|\bmark\.(?:%b)\b|[\"'](?:%b)[\"']|\b(?:%b)\b"
    % (_PACKAGES, _MARKS, _MARKS, _PLUGINS),
    re.MULTILINE,
)
# What pytest calls for every test of a module or class (https://docs.pytest.org/en/stable/how-to/xunit_setup.html).
AROUND = ("pytest_", "setup_", "teardown_", "setUp", "tearDown")
MAX_DEPTH = 3  # functions that call functions


def checks_tasks(suite: Suite, project: Project) -> bool:
    """Whether something looks, or may look, at the tasks that the tests of a suite leave behind."""
    loaded = suite.modules(project)
    sources = suite.sources(project)
    if any(NAMED.search(source) for source in sources.values()) or _has_plugin(suite, project):
        return True
    outlines = [project.modules.load(path) for path, source in sources.items() if WORDS.search(source)]
    return (
        any(_looks(outline, project) for outline in outlines if outline is not None)
        or any(_borrows(outline, project) for outline in loaded.values())
        or _inherits(suite, project)
    )


def _has_plugin(suite: Suite, project: Project) -> bool:
    """A plugin that is installed, or a dependency that brings it."""
    depends = dependencies(suite.directory)
    if any(depends.has(name, (3, 11)) for name in LEAK_PLUGINS):
        return True
    installed = installed_plugins(packages_for(suite.directory, project.settings.environment))
    blocked = suite.config.command_line.blocked
    modules = [module for name, module in installed.items() if suite.config.autoload and name not in blocked]
    return any(module.partition(".")[0] in LEAK_PLUGINS for module in modules)


def _looks(outline: Outline, project: Project) -> bool:
    return project.remembered(("looks at tasks", outline), lambda: any(_lookers(outline, project)))


def _lookers(outline: Outline, project: Project) -> Iterator[Scope]:
    """Functions of a module that ask for tasks, and run for more than one test as far as one sees."""
    asking = [function for function in outline.functions if _asks(function, project)]
    if not is_collected(outline, find_pytest_config(outline.directory)):
        yield from (function for function in asking if not function.name.startswith("test"))
        return
    around = list(_around(outline, project))
    for function in asking:
        if function in around or any(_calls(other, function.name) for other in around):
            yield function


def _around(outline: Outline, project: Project) -> Iterator[Scope]:
    """Functions of a module that run round its tests: fixtures, hooks, methods that are no tests."""
    tests = tests_in(outline, project)
    for function in outline.functions:
        named = function.enclosing_class is not None and function.name.startswith("test")
        if function not in tests and not named and _is_around(function, project):
            yield function


def _is_around(function: Scope, project: Project) -> bool:
    """Whether a function runs without a test calling it: a fixture, a hook, a method."""
    if function.enclosing_class is not None or function.name.startswith(AROUND):
        return True
    return bool(function.decorators) and is_fixture(function, project) is not None


def _calls(function: Scope, name: str) -> bool:
    calls = (call for scope in function.nested() for call in scope.facts.calls)
    return any(getattr(call.func, "id", getattr(call.func, "attr", "")) == name for call in calls)


def _asks(function: Scope, project: Project, depth: int = 0) -> bool:
    """Whether a function, or one of the project that it calls, asks for the tasks of a loop."""
    for scope in function.nested():
        for call in scope.facts.calls:
            given = (call.func, *call.args, *(keyword.value for keyword in call.keywords))
            if any(known(expr, scope, project.modules, TASK_LISTS) for expr in given):
                return True
            called = project_function(call.func, scope, project) if depth < MAX_DEPTH else None
            if called is None or called is function or not _mentions(called, project):
                continue
            if _asks(called, project, depth + 1):
                return True
    return False


def _mentions(scope: Scope, project: Project) -> bool:
    outline = scope.outline
    key = ("mentions tasks", outline)
    return not outline.is_stub and project.remembered(key, lambda: bool(WORDS.search(outline.text.raw)))


def _borrows(outline: Outline, project: Project) -> bool:
    """Whether a module calls round its tests, or imports, something from elsewhere that asks for tasks."""
    return project.remembered(("borrows", outline), lambda: any(_borrowed(outline, project)))


def _borrowed(outline: Outline, project: Project) -> Iterator[bool]:
    yield from (_asks(function, project) for function in _around(outline, project))
    for name, bindings in outline.scope.bindings.items():
        if any(binding.kind == "from" for binding in bindings):
            value = project.inference.name(name, outline.scope)
            if isinstance(value, (Function, Class)) and _mentions(value.scope, project):
                yield any(_asks(function, project) for function in _functions(value.scope))


def _functions(scope: Scope) -> Iterable[Scope]:
    return [scope] if scope.is_function else [inner for inner in scope.facts.scopes if inner.is_function]


def _inherits(suite: Suite, project: Project) -> bool:
    """Whether a base class of the tests asks for tasks in a method that is no test."""
    bases = [test.bases for _, tests in suite.tests for test in tests if test.bases is not None]
    if any(name in LEAK_BASES for found in bases for name in found.outside):
        return True
    classes = dict.fromkeys(cls for found in bases for cls in found.project if _mentions(cls, project))
    methods = [method for cls in classes for method in _functions(cls) if not method.name.startswith("test")]
    return any(_asks(method, project) for method in methods)
