"""Which loop runs an async test: it decides which guard can be put into its body."""

from __future__ import annotations

import ast
from enum import Enum

from asynclint.knowledge.asyncs import TEST_CASES
from asynclint.project.dependencies import dependencies
from asynclint.project.guards.fixtures import reaching_fixtures
from asynclint.project.guards.hook_bounds import hooks
from asynclint.project.guards.plugins import plugin_modules
from asynclint.project.guards.tests import Test, marks, read_marks
from asynclint.project.guards.wrappers import project_function
from asynclint.project.index.decorators import calling
from asynclint.project.index.values import Calling
from asynclint.project.names import chain
from asynclint.project.project import Project
from asynclint.source.outline import Scope
from asynclint.source.written import uncalled

ASYNCIO_PACKAGES = ("pytest-asyncio", "pytest-aiohttp", "pytest-asyncio-cooperative", "pytest-tornasync")
MAX_DEPTH = 3  # runners that call runners


class Runner(Enum):
    """What drives a test's coroutine."""

    ASYNCIO = "asyncio"
    ANYIO = "anyio"  # asyncio or trio, as the anyio plugin decides
    TRIO = "trio"
    BY_HAND = "by hand"  # coroutine.send(None): no loop at all
    UNKNOWN = "unknown"


def runner(test: Test, project: Project) -> Runner:
    """What runs an async test, by the project's own facts."""
    around = test.scope.parent or test.scope
    for decorator in test.scope.decorators:
        if any(True for _ in read_marks(decorator, around, project)):
            continue
        found = _of_decorator(decorator, test.scope, around, project)
        if found is not None:
            return found
    if test.bases is not None and test.is_unittest:
        return project.remembered(("runner", test.bases.project[0]), lambda: of_test_case(test, project))
    names = {mark.name for mark in marks(test, project)}
    if "trio" in names:
        return Runner.TRIO
    wanted = {
        arg.arg for scope in (test.scope, *reaching_fixtures(test, project)) for arg in scope.parameters
    }
    if "anyio" in names or wanted & {"anyio_backend", "anyio_backend_name", "anyio_backend_options"}:
        return Runner.ANYIO
    if "asyncio" in names or "asyncio_cooperative" in names or "gen_test" in names:
        return Runner.ASYNCIO
    if test.config.trio_mode:
        return Runner.TRIO
    if test.config.anyio_mode == "auto":
        return Runner.ANYIO
    if test.config.asyncio_mode == "auto":
        return Runner.ASYNCIO
    key = ("runner", test.scope.outline)
    return project.remembered(key, lambda: _of_hooks(test, project) or _by_circumstance(test, project))


def of_test_case(test: Test, project: Project) -> Runner:
    """What runs the coroutines of a unittest class."""
    assert test.bases is not None
    if any(TEST_CASES.get(name, ("", False))[0] == "asyncio" for name in test.bases.outside):
        return Runner.ASYNCIO
    for cls in test.bases.project:
        for method in cls.facts.scopes:
            found = (
                driver(method, project) if method.is_function and not method.name.startswith("test") else None
            )
            if found is not None:
                return found
        for keyword in cls.node.keywords:  # type: ignore[union-attr]
            value = (
                project.inference.value(keyword.value, cls.parent or cls)
                if keyword.arg == "metaclass"
                else None
            )
            scope = getattr(value, "scope", None)
            for method in scope.facts.scopes if isinstance(scope, Scope) else ():
                found = driver(method, project)
                if found is not None:
                    return found
    return Runner.UNKNOWN


def _of_decorator(decorator: ast.expr, test: Scope, scope: Scope, project: Project) -> Runner | None:
    target = uncalled(decorator)
    if "trio.testing.trio_test" in chain(target, scope, project.modules):
        return Runner.TRIO
    if "tornado.testing.gen_test" in chain(target, scope, project.modules):
        return Runner.ASYNCIO
    function = project_function(target, scope, project)
    found = driver(function, project) if function is not None else None
    if found is None and function is not None and calling(test, project.inference) is Calling.SYNC:
        return Runner.UNKNOWN  # it makes the test a plain function, and nobody sees how
    return found


def driver(function: Scope, project: Project, depth: int = 0) -> Runner | None:
    """The loop that a wrapper drives a coroutine with, in it or in project functions it calls.

    Stepping by hand is the answer only where no loop is found: a socket has a ``send`` too.
    """
    by_hand: Runner | None = None
    for scope in function.nested():
        for call in scope.facts.calls:
            found = _loop_of(call, scope, project)
            if found is None and depth < MAX_DEPTH:
                inner = project_function(call.func, scope, project)
                if inner is not None and inner is not function:
                    found = driver(inner, project, depth + 1)
            if found is Runner.BY_HAND:
                by_hand = found
            elif found is not None:
                return found
    return by_hand


def _loop_of(call: ast.Call, scope: Scope, project: Project) -> Runner | None:
    """The loop that a call itself starts."""
    names = chain(call.func, scope, project.modules)
    if any(n.startswith("trio.") and n.endswith((".run", ".trio_test", ".start_guest_run")) for n in names):
        return Runner.TRIO
    if "anyio.run" in names:
        return Runner.ANYIO
    if "asyncio.run" in names or "uvloop.run" in names:
        return Runner.ASYNCIO
    if isinstance(call.func, ast.Attribute):
        if call.func.attr == "run_until_complete":
            return Runner.ASYNCIO
        if call.func.attr == "__await__" or (call.func.attr == "send" and len(call.args) == 1):
            return Runner.BY_HAND
    return None


def _of_hooks(test: Test, project: Project) -> Runner | None:
    for outline in plugin_modules(test.scope.outline, test.config, project):
        for hook in hooks(outline, project):
            found = driver(hook, project)
            if found is not None:
                return found
    return None


def _by_circumstance(test: Test, project: Project) -> Runner:
    """No mark, mode or hook says it: asyncio where the project has its plugin and no other loop is near."""
    for outline in plugin_modules(test.scope.outline, test.config, project):
        tops = {
            binding.module.partition(".")[0]
            for bindings in outline.scope.bindings.values()
            for binding in bindings
            if binding.kind in ("import", "from")
        }
        if tops & {"trio", "anyio", "curio", "twisted"}:
            return Runner.UNKNOWN
    depends = dependencies(test.scope.outline.directory)
    if depends.has("pytest-trio", (3, 11)) or depends.has("anyio", (3, 11)):
        return Runner.UNKNOWN
    if any(depends.has(name, (3, 11)) for name in ASYNCIO_PACKAGES):
        return Runner.ASYNCIO
    imported = "asyncio" in {
        b.module
        for bs in test.scope.outline.scope.bindings.values()
        for b in bs
        if b.kind in ("import", "from")
    }
    return Runner.ASYNCIO if imported else Runner.UNKNOWN
