"""Async tests and fixtures that nothing runs: only where all that could run them is read."""

from __future__ import annotations

import ast
from collections.abc import Container, Iterator
from enum import Enum
from functools import cache
from pathlib import Path

from asynclint.knowledge.asyncs import PLAIN_BASES, RUNNING_PLUGINS
from asynclint.project.config import PytestConfig, find_pytest_config
from asynclint.project.dependencies import dependencies
from asynclint.project.environment import installed_plugins, packages_for
from asynclint.project.guards.backends import REQUESTS
from asynclint.project.guards.fixtures import reached_tests, requested
from asynclint.project.guards.hook_bounds import hooks
from asynclint.project.guards.plugins import plugin_modules, unread_plugins
from asynclint.project.guards.tests import Test, bases, is_collected, marks, read_marks, tests_in
from asynclint.project.index.classes import is_dynamic
from asynclint.project.index.modules import project_directories
from asynclint.project.index.values import Class
from asynclint.project.names import chain
from asynclint.project.project import Project
from asynclint.source.outline import Outline, Scope
from asynclint.source.text import SourceError, SourceText
from asynclint.source.written import last_name, uncalled

PLAIN_CASES = frozenset({"unittest.TestCase", "unittest.case.TestCase"})
# Methods with which a test case runs its tests in a way of its own.
RUNNING_METHODS = frozenset(
    ["run", "__call__", "debug", "_callTestMethod", "__getattr__", "__getattribute__", "__init_subclass__"]
)
# Words of code that may put other functions in the place of a module's tests.
REWRITING = ("setattr(", "vars(", "__dict__", "load_tests", "globals(")
# A loader or runner by which setuptools runs a project's unittest tests in the project's own way.
TEST_RUNNERS = ("test_loader", "test_runner")
COMMANDS = ("cmdclass", *TEST_RUNNERS)
# Marks that run nothing (https://docs.pytest.org/en/stable/reference/reference.html#marks).
PLAIN_MARKS = frozenset(
    ["filterwarnings", "parametrize", "skip", "skipif", "usefixtures", "xfail", "timeout"]
)
ASYNCIO_MARK = "asyncio"
# Before, it took every async fixture unless it was told not to: "legacy" (its changelog, 0.17.0 and 0.19.0).
PLUGIN, STRICT_SINCE = "pytest-asyncio", (0, 19)


class Idle(Enum):
    """Why an async test never runs, in words that follow its name."""

    GENERATOR = "is an asynchronous generator, which nothing iterates"
    PLAIN_CASE = "is called by unittest.TestCase, which drops the coroutine"
    UNMARKED = "has no asyncio mark, which pytest-asyncio's strict mode asks for"
    UNCOLLECTED = "is never collected, because its class has an __init__"


def reason(function: Scope, project: Project) -> Idle | None:
    """Why an async test never runs; None where something may run it."""
    test = tests_in(function.outline, project).get(function)
    if test is None:
        return Idle.UNCOLLECTED if _is_passed_over(function, project) else None
    if not _leave_it_async(function, project) or may_be_driven(function.outline, project):
        return None
    if function.is_generator:
        return Idle.GENERATOR
    if test.is_unittest:
        return Idle.PLAIN_CASE if _is_plain_case(test, project) else None
    return Idle.UNMARKED if _lacks_mark(test, project) else None


def may_be_driven(outline: Outline, project: Project) -> bool:
    """Whether hooks or plugins may run a module's async tests, or set up its fixtures, in their own way."""
    return project.remembered(("may be driven", outline), lambda: _may_be_driven(outline, project))


def _may_be_driven(outline: Outline, project: Project) -> bool:
    config = find_pytest_config(outline.directory)
    directory = outline.directory
    modules = list(plugin_modules(outline, config, project))
    depends = dependencies(directory)
    known = {name.replace("-", "_") for name in RUNNING_PLUGINS}
    installed = (
        installed_plugins(packages_for(directory, project.settings.environment)) if config.autoload else {}
    )
    return (
        any(hooks(module, project) for module in modules)
        or any(unread_plugins(module, config, project) for module in modules)
        or any(depends.has(name, (3, 11)) for name in RUNNING_PLUGINS)
        or any(module.partition(".")[0] in known for module in installed.values())
    )


def _leave_it_async(function: Scope, project: Project) -> bool:
    """Whether each decorator of a test is a mark, or unittest's own."""
    around = function.parent or function
    for decorator in function.decorators:
        target = uncalled(decorator)
        is_unittest = any(name.startswith("unittest.") for name in chain(target, around, project.modules))
        if not is_unittest and not any(True for _ in read_marks(decorator, around, project)):
            return False
    return True


def _is_plain_case(test: Test, project: Project) -> bool:
    """A class whose only foreign base is ``unittest.TestCase``, and that runs its tests in no other way."""
    assert test.bases is not None
    if test.bases.unknown or not set(test.bases.outside) <= PLAIN_CASES | PLAIN_BASES:
        return False
    if _has_test_command(test.scope.outline.directory):
        return False
    for cls in test.bases.project:
        if is_dynamic(Class(cls), project.inference) or RUNNING_METHODS & cls.bindings.keys():
            return False
        if cls.node.keywords or any(word in cls.outline.text.text for word in REWRITING):  # type: ignore[union-attr]
            return False
    return True


@cache
def _has_test_command(directory: Path) -> bool:
    """Whether the nearest ``setup.py`` upward has a command of its own by which tests are run."""
    setup = next((found for found in project_directories(directory) if (found / "setup.py").is_file()), None)
    try:
        text = SourceText.from_bytes((setup / "setup.py").read_bytes()) if setup is not None else None
    except (OSError, SourceError):
        return False
    if text is None or not text.has_any(COMMANDS):
        return False
    try:
        nodes = list(ast.walk(text.parse()))
    except SourceError:  # nobody knows
        return True
    classes = {node.name for node in nodes if isinstance(node, ast.ClassDef)}
    return any(_sets_test_command(node, classes) for node in nodes)


def _sets_test_command(node: ast.AST, classes: Container[str]) -> bool:
    """``{"test": PyTest}``, ``dict(test=PyTest)``, ``commands["test"] = PyTest``; ``test_runner="…"``.

    Not an extra of that name, which is a list of requirements.
    """
    match node:
        case ast.keyword(arg=name) if name in TEST_RUNNERS:
            return True
        case (
            ast.keyword(arg="test", value=value)
            | ast.Assign(targets=[ast.Subscript(slice=ast.Constant("test"))], value=value)
        ):
            return _is_class(value, classes)
        case ast.Dict(keys, values):
            pairs = zip(keys, values, strict=True)
            return any(
                isinstance(k, ast.Constant) and k.value == "test" and _is_class(v, classes) for k, v in pairs
            )
    return False


def _is_class(value: ast.expr, classes: Container[str]) -> bool:
    """``PyTest``, ``commands.PyTest``, as far as the letters tell; or one of the file's own ``classes``."""
    name = last_name(value)
    return name in classes or (name[:1].isupper() and not name.isupper())


def _lacks_mark(test: Test, project: Project) -> bool:
    """A test in strict mode without a mark, beside others that have one."""
    if not _is_strict(test.scope.outline, test.config):
        return False
    if test.bases is not None and test.bases.unknown:
        return False
    names = {mark.name for mark in marks(test, project)}
    if names & {"", ASYNCIO_MARK, "anyio", "trio"} or names - PLAIN_MARKS:
        return False
    if requested(test, project) & REQUESTS or _has_others(test.scope.outline, project):
        return False
    return _has_marked_tests(test.scope.outline, project)


def _has_marked_tests(outline: Outline, project: Project) -> bool:
    """Whether async tests of a module are marked for pytest-asyncio: asked for each that isn't."""

    def found() -> bool:
        tests = (test for test in tests_in(outline, project).values() if test.scope.is_async)
        return any(mark.name == ASYNCIO_MARK for test in tests for mark in marks(test, project))

    return project.remembered(("marked for asyncio", outline), found)


def _is_strict(outline: Outline, config: PytestConfig) -> bool:
    """Whether pytest-asyncio runs a module's async tests, in strict mode, and no other plugin does."""
    if config.asyncio_mode != "strict" or config.anyio_mode or config.trio_mode:
        return False
    return "asyncio_mode" in config.options or dependencies(outline.directory).has(PLUGIN, (3, 11))


def _has_others(outline: Outline, project: Project) -> bool:
    return project.remembered(("other runners", outline), lambda: any(_others(outline)))


def _others(outline: Outline) -> Iterator[str]:
    """Other frameworks with a runner of their own that a module imports."""
    for bindings in outline.scope.bindings.values():
        for binding in bindings:
            top = binding.module.partition(".")[0] if binding.kind in ("import", "from") else ""
            if top in ("anyio", "trio", "curio", "twisted", "tornado"):
                yield top


def _is_passed_over(function: Scope, project: Project) -> bool:
    """Whether a function is named as a test, in a class that pytest passes over for its ``__init__``."""
    cls, config = function.enclosing_class, find_pytest_config(function.outline.directory)
    if cls is None or not is_collected(function.outline, config) or "__test__" in cls.bindings:
        return False
    found = bases(cls, project)
    if found.unknown or found.is_unittest or found.outside or cls.parent is not function.outline.scope:
        return False
    named = _is_named_as_test(function, cls, config)
    has_init = any(binding.kind == "def" for binding in cls.bindings.get("__init__", []))
    if not named or not has_init or not _leave_it_async(function, project):
        return False
    if _is_called(cls) or _is_part_of_package(cls, project):
        return False
    return not may_be_driven(function.outline, project)


def _is_called(cls: Scope) -> bool:
    """Whether its module makes objects of a class: it is no class of tests then, whatever its name."""
    return any(cls.name in scope.facts.functions for scope in cls.outline.scope.nested())


def _is_part_of_package(cls: Scope, project: Project) -> bool:
    """Whether a class is for others to use, whatever its name: its package's ``__init__.py`` imports it."""
    init = project.modules.load(cls.outline.directory / "__init__.py")
    return init is not None and cls.name in init.scope.bindings


def _is_named_as_test(function: Scope, cls: Scope, config: PytestConfig) -> bool:
    return any(cls.name.startswith(p) for p in config.python_classes) and any(
        function.name.startswith(p) for p in config.python_functions
    )


def ignored_fixture(function: Scope, project: Project) -> bool:
    """Whether an async fixture of ``pytest.fixture`` reaches only tests that pytest-asyncio runs strictly.

    Only tests of its own module count as users; without any, nobody knows who they are.
    """
    outline = function.outline
    config = find_pytest_config(outline.directory)
    if not _is_strict(outline, config):
        return False
    is_old = dependencies(outline.directory).is_before(PLUGIN, STRICT_SINCE, (3, 11))
    if is_old and "asyncio_mode" not in config.options:
        return False
    if _has_others(outline, project) or may_be_driven(outline, project):
        return False
    users = reached_tests(outline, project).get(function, [])
    return bool(users) and all(_is_asyncio(test, project) for test in users)


def _is_asyncio(test: Test, project: Project) -> bool:
    names = {mark.name for mark in marks(test, project)}
    if names & {"", "anyio", "trio"} or requested(test, project) & REQUESTS or test.is_unittest:
        return False
    return ASYNCIO_MARK in names and test.scope.is_async
