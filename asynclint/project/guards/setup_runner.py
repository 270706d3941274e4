"""Which loop runs an async fixture or awaited method: it decides which guard can be put into it."""

from __future__ import annotations

import ast

from asynclint.project.dependencies import dependencies
from asynclint.project.guards.fixtures import reaching_fixtures, visible_fixtures
from asynclint.project.guards.hook_bounds import hooks
from asynclint.project.guards.plugins import plugin_modules
from asynclint.project.guards.runner import Runner, driver, of_test_case, runner
from asynclint.project.guards.setups import Setup, tests_round
from asynclint.project.names import chain
from asynclint.project.project import Project

# Fixture decorators whose loop is known; a plain pytest.fixture is run by whichever plugin takes it.
DECORATORS = {
    "pytest_asyncio.fixture": Runner.ASYNCIO,
    "pytest_trio.trio_fixture": Runner.TRIO,
    "trio_fixture": Runner.TRIO,
}
BACKEND = frozenset({"anyio_backend", "anyio_backend_name", "anyio_backend_options"})


def setup_runner(setup: Setup, project: Project) -> Runner:
    """What runs a fixture or awaited method, by the project's own facts."""
    if setup.decorator is None:
        return of_test_case(setup.test, project)
    target = setup.decorator.func if isinstance(setup.decorator, ast.Call) else setup.decorator
    names = chain(target, setup.scope.parent or setup.scope, project.modules)
    for name, loop in DECORATORS.items():
        if name in names:
            return loop
    if not any(name in ("pytest.fixture", "pytest.yield_fixture") for name in names):
        return Runner.UNKNOWN
    claims = {
        loop
        for loop, claimed in (
            (Runner.ASYNCIO, setup.config.asyncio_mode == "auto"),
            (Runner.TRIO, setup.config.trio_mode),
            (Runner.ANYIO, setup.config.anyio_mode == "auto" or _asks_for_backend(setup, project)),
        )
        if claimed
    }
    # in strict mode pytest-asyncio leaves plain fixtures alone, whatever its tests are
    asking = {runner(test, project) for test in tests_round(setup, project)}
    claims |= asking - {Runner.ASYNCIO} if Runner.ASYNCIO not in claims else asking
    if claims:
        return claims.pop() if len(claims) == 1 else Runner.UNKNOWN
    return _of_hooks(setup, project) or _by_circumstance(setup, project)


def _asks_for_backend(setup: Setup, project: Project) -> bool:
    """The plugin of anyio runs the async fixtures of a test that has ``anyio_backend`` among its fixtures."""
    scopes = (setup.scope, *reaching_fixtures(setup.test, project))
    return any(arg.arg in BACKEND for scope in scopes for arg in scope.parameters)


def _of_hooks(setup: Setup, project: Project) -> Runner | None:
    for outline in plugin_modules(setup.scope.outline, setup.config, project):
        for hook in hooks(outline, project):
            if hook.name == "pytest_fixture_setup":
                return driver(hook, project)
    return None


def _by_circumstance(setup: Setup, project: Project) -> Runner:
    """Nothing claims it: anyio's guard fits every loop, aiohttp's plugin has but one."""
    outline = setup.scope.outline
    depends = dependencies(outline.directory)
    if any(fixture.name == "anyio_backend" for fixture in visible_fixtures(outline, setup.config, project)):
        return Runner.ANYIO
    if depends.has("anyio", (3, 11)) or depends.has("pytest-trio", (3, 11)):
        return Runner.UNKNOWN
    return Runner.ASYNCIO if depends.has("pytest-aiohttp", (3, 11)) else Runner.UNKNOWN
