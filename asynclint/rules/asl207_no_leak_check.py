"""ASL207 no-leak-check: nothing in the suite looks for tasks that a test leaves behind.

A task that is still running when its test ends is cancelled with the event loop, if at all, and
nobody hears of it. Where tests share a loop it goes on in the next test. This rule looks at a suite
as a whole: it reports, once, at the topmost ``conftest.py`` that all async tests get, that no
fixture, hook, ``tearDown`` or cleanup asks ``asyncio.all_tasks()`` what is left, and that no
plugin known to do so (such as pyleak) is in use. It is off by default, and runs at the command
only: flake8 sees one file at a time. Suites on trio, which has no tasks that outlive their nursery,
are silent, and so are those whose event loop can't be told.

Why it matters: each leaked task is a wait, a connection or an error that belongs to one test and
shows in another, or nowhere. Fixing the leaks that a reader sees leaves those that nobody sees.

Bad::

    # conftest.py
    import pytest


    @pytest.fixture
    def numbers():
        return [1, 2, 3]

Good::

    # conftest.py
    import asyncio

    import pytest
    import pytest_asyncio


    @pytest_asyncio.fixture
    async def loop():
        return asyncio.get_running_loop()


    @pytest.fixture(autouse=True)
    def no_task_left_behind(loop):
        before = asyncio.all_tasks(loop)
        yield None
        assert asyncio.all_tasks(loop) <= before

Fix: unsafe. Adds an autouse fixture to that ``conftest.py``, for what runs the suite's tests:
pytest-asyncio, anyio, ``unittest.IsolatedAsyncioTestCase`` under pytest, or several of them. It
fails an async test that leaves a task behind, names the task and the line where its coroutine was
made, and cancels and awaits it. It is set up first and torn down last, so tasks that other fixtures
finish don't count, nor do tasks that were there before. With ``leak-check = "warn"`` the fixture
only warns and ends nothing; the fix is then safe, unless something in the suite makes event loops
itself and might notice that one is made earlier. There is no fix, and the report says why, where a
home-made runner drives the tests, or where they run in loops of several scopes. Where there is no such
``conftest.py``, ``asynclint --checklist --fix`` creates it, unless a module would be imported from another
place because of it, or nothing says that pytest runs the tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from asynclint.finding import Finding, Position, Safety, Span
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    from asynclint.project.project import Project

rule = Rule("ASL207", "no-leak-check", Scope.SUITE, fix=Safety.UNSAFE, default=False)


@rule.trigger
def trigger(root: Path, project: Project) -> bool:
    """A suite with tests on asyncio, and nothing that looks at their tasks."""
    from asynclint.project.leaks import checks, flavours
    from asynclint.project.suite import suite_at

    suite = suite_at(root, project)
    return bool(flavours.flavours(suite, project)) and not checks.checks_tasks(suite, project)


@rule.check
def check(root: Path, project: Project) -> Iterator[Finding]:
    """The first line of the suite's conftest, with a fixture to add."""
    from asynclint.project.leaks import fixture, flavours
    from asynclint.project.suite import suite_at

    suite = suite_at(root, project)
    fix, held_back = None, ""
    try:
        fix = fixture.fixture_fix(suite, project)
    except fixture.NoFixtureError as error:
        held_back = str(error)
    count = flavours.flavours(suite, project).total()
    tests = "the async test" if count == 1 else f"any of the {count} async tests"
    message = f"nothing looks at asyncio.all_tasks() when {tests} of this suite ends"
    start = Position(1, 0)
    yield Finding("", Span(start, start), rule.code, message, fix, held_back)
