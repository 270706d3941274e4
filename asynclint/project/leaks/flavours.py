"""What runs the async tests of a suite, as far as the tasks that they leave behind are concerned."""

from __future__ import annotations

import ast
from collections import Counter
from enum import Enum

from asynclint.project.guards.backends import REQUESTS, anyio_backends
from asynclint.project.guards.fixtures import requested
from asynclint.project.guards.runner import Runner, runner
from asynclint.project.guards.tests import Test, marks
from asynclint.project.project import Project
from asynclint.project.suite import Suite

# Test case classes that give each test a loop of their own and take addAsyncCleanup
# (https://docs.python.org/3/library/unittest.html#unittest.IsolatedAsyncioTestCase; aiohttp 3.8 and later).
ISOLATED = frozenset(
    [
        "unittest.IsolatedAsyncioTestCase",
        "unittest.async_case.IsolatedAsyncioTestCase",
        "aiohttp.test_utils.AioHTTPTestCase",
    ]
)
UNREAD = "?"


class Flavour(Enum):
    """Who gives a test its asyncio event loop."""

    UNITTEST = "unittest"
    ASYNCIO = "pytest-asyncio"
    ANYIO = "anyio"
    OTHER = "a runner of its own"


def flavours(suite: Suite, project: Project) -> Counter[Flavour]:
    """How many async tests of a suite run on asyncio, by flavour; unread ones are left out."""
    return project.remembered(("flavours", suite), lambda: _counted(suite, project))


def _counted(suite: Suite, project: Project) -> Counter[Flavour]:
    found = (flavour(test, project) for _, tests in suite.tests for test in tests)
    return Counter(one for one in found if one is not None)


def flavour(test: Test, project: Project) -> Flavour | None:
    """Who gives an async test its loop; None where no asyncio loop runs it, or nobody can tell."""
    if test.is_unittest:
        assert test.bases is not None
        if not test.bases.unknown and any(name in ISOLATED for name in test.bases.outside):
            return Flavour.UNITTEST
        return Flavour.OTHER if runner(test, project) is Runner.ASYNCIO else None
    names = {mark.name for mark in marks(test, project)}
    if "" in names or "trio" in names or (test.bases is not None and test.bases.unknown):
        return None
    if "anyio" in names or test.config.anyio_mode == "auto" or requested(test, project) & REQUESTS:
        if anyio_backends(test, project) == {"trio"}:
            return None
        # pytest-asyncio's auto mode takes the same tests, and the fixtures
        return Flavour.OTHER if test.config.asyncio_mode == "auto" else Flavour.ANYIO
    if "asyncio" in names or (test.config.asyncio_mode == "auto" and not test.config.trio_mode):
        return Flavour.ASYNCIO
    return Flavour.OTHER if runner(test, project) is Runner.ASYNCIO else None


def loop_scopes(suite: Suite, project: Project) -> set[str]:
    """Scopes of the loops in which pytest-asyncio runs a suite's tests; ``?`` for one that can't be read."""
    return {
        _loop_scope(test, project)
        for _, tests in suite.tests
        for test in tests
        if flavour(test, project) is Flavour.ASYNCIO
    }


def _loop_scope(test: Test, project: Project) -> str:
    """Closest mark first; its ``scope`` was what pytest-asyncio 0.23 called ``loop_scope``."""
    for mark in marks(test, project):
        if mark.name == "asyncio":
            for keyword in mark.call.keywords if mark.call is not None else ():
                named = keyword.arg == "loop_scope" and isinstance(keyword.value, ast.Constant)
                return str(keyword.value.value) if named else UNREAD  # type: ignore[attr-defined]
            return test.config.asyncio_loop_scope
    return test.config.asyncio_loop_scope
