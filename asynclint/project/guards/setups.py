"""Async code that runs round tests: fixtures, and what test cases await before and after each test."""

from __future__ import annotations

import ast
from typing import NamedTuple

from asynclint.project.config import PytestConfig, find_pytest_config
from asynclint.project.guards.drives import own_drives
from asynclint.project.guards.fixtures import reached_tests
from asynclint.project.guards.tests import (
    Bases,
    Test,
    bases,
    is_collected,
    is_fixture,
    tests_in,
)
from asynclint.project.names import chain
from asynclint.project.project import Project
from asynclint.source.outline import Scope
from asynclint.source.written import uncalled

# Methods that test case classes of other packages await round each test
# (https://docs.python.org/3/library/unittest.html, aiohttp's and asynctest's documentation).
AWAITED_METHODS = {
    "unittest.IsolatedAsyncioTestCase": ("asyncSetUp", "asyncTearDown"),
    "unittest.async_case.IsolatedAsyncioTestCase": ("asyncSetUp", "asyncTearDown"),
    "aiohttp.test_utils.AioHTTPTestCase": ("asyncSetUp", "asyncTearDown", "setUpAsync", "tearDownAsync"),
    "asynctest.TestCase": ("setUp", "tearDown"),
}


class Setup(NamedTuple):
    """An async fixture, or a method that a test case awaits; ``decorator`` makes it a fixture."""

    scope: Scope
    config: PytestConfig
    bases: Bases | None
    decorator: ast.expr | None

    @property
    def test(self) -> Test:
        """A test that stands where it stands, for what bounds and disturbs both alike."""
        return Test(self.scope, self.config, self.bases)

    @property
    def is_inside_call(self) -> bool:
        """Whether pytest counts it to the call of each test: unittest's methods, those of the class aside."""
        of_class = any(isinstance(d, ast.Name) and d.id == "classmethod" for d in self.scope.decorators)
        return self.decorator is None and not of_class


def setup_of(scope: Scope, project: Project) -> Setup | None:
    """The fixture or awaited method that an outermost async function is; None where it is neither."""
    if not scope.is_async:
        return None
    owner = scope.enclosing_class
    decorator = is_fixture(scope, project) if scope.decorators else None
    if decorator is None and (owner is None or not _sounds_like_setup(scope.name)):
        return None
    config = find_pytest_config(scope.outline.directory)
    if decorator is not None:
        if _makes_context(scope, project):
            return None
        return Setup(scope, config, bases(owner, project) if owner is not None else None, decorator)
    assert owner is not None
    if project.settings.scope != "all" and not project.is_test_code(scope.outline.path):
        return None  # a base class that a library offers to its users' tests, and to their bounds
    found = _test_case(owner, project)
    if found is None or not _is_awaited(scope.name, found, project):
        return None
    return Setup(scope, config, found, None)


def _sounds_like_setup(name: str) -> bool:
    plain = name.replace("_", "").lower()
    return "setup" in plain or "teardown" in plain


def _makes_context(function: Scope, project: Project) -> bool:
    """``@fixture`` over ``@asynccontextmanager``: tests get the context manager, and enter it themselves."""
    around = function.parent or function
    targets = [uncalled(d) for d in function.decorators]
    return any(name.startswith("contextlib.") for t in targets for name in chain(t, around, project.modules))


def _test_case(cls: Scope, project: Project) -> Bases | None:
    """The bases of a unittest class, or of a class of the module that is one and inherits ``cls``."""
    for heir in (cls, *reversed(cls.outline.classes)):
        found = bases(heir, project)
        if found.is_unittest and cls in found.project:
            return found
    return None


def _is_awaited(name: str, of: Bases, project: Project) -> bool:
    """Whether a test case's own base awaits the method, or a class of the project drives a loop with it."""
    if any(name in AWAITED_METHODS.get(base, ()) for base in of.outside):
        return True
    for cls in of.project:
        for method in cls.facts.scopes:
            if method.is_function and not method.is_async and method.parameters:
                called = f"{method.parameters[0].arg}.{name}()"
                if any(ast.unparse(drive.what) == called for drive in own_drives(method, project)):
                    return True
    return False


def tests_round(setup: Setup, project: Project) -> list[Test]:
    """The tests of its own module that a fixture or method runs for.

    None are known of a conftest's, a plugin's or a base class's: their tests lie elsewhere.
    """
    if setup.decorator is None:
        owner = setup.scope.enclosing_class
        return [
            test
            for test in tests_in(setup.scope.outline, project).values()
            if test.bases is not None and owner in test.bases.project
        ]
    if not is_collected(setup.scope.outline, setup.config):
        return []
    return reached_tests(setup.scope.outline, project).get(setup.scope, [])


def is_awaited_by_tests(setup: Setup, project: Project) -> bool:
    """Whether a test awaits the fixture itself (``await prepare``).

    No plugin runs it then: it is a helper, and what bounds the test bounds it.
    """
    name = setup.scope.name
    awaits = [
        wait.value
        for test in (tests_round(setup, project) if setup.decorator is not None else ())
        for scope in test.scope.nested()
        for wait in scope.facts.awaits
    ]
    return any(isinstance(value, ast.Name) and value.id == name for value in awaits)
