"""Async fixtures and awaited methods: what they are, what bounds them, and how guards change what they do."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from small_projects import Files, Small, ask

from asynclint.engine import Fixing
from asynclint.project.guards.halves import waiting
from asynclint.project.guards.setup_bounds import setup_bound
from asynclint.project.guards.setups import Setup, setup_of
from asynclint.project.guards.wrappers import Bound
from asynclint.run import check_files
from asynclint.settings import DEFAULTS
from asynclint.source.files import File

FIXTURE = "@pytest.fixture\nasync def it(x):\n    await x\n    yield\n    await x\n"
USED = "async def test_it(it): ...\n"
USED_TOO = "async def test_it_too(it): ...\n"
UNREAD_MARK = "@pytest.mark.parametrize('x', [pytest.param(1, marks=elsewhere.brief)])\n"
LIMIT = "async def limit():\n    async with asyncio.timeout(5):\n        yield\n"
TIMEOUT = {"pytest.ini": "[pytest]\ntimeout = 5\n"}
FUNC_ONLY = {"pytest.ini": "[pytest]\ntimeout = 5\ntimeout_func_only = true\n"}
CASE = (
    "class Case(unittest.IsolatedAsyncioTestCase):\n    async def asyncSetUp(self):\n        await self.x\n"
)
CLASS_CASE = """
class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        asyncio.run(cls.set_up_async())
    @classmethod
    async def set_up_async(cls):
        await cls.x
    def test_it(self): ...
"""

BOUNDS: dict[str, tuple[str, Files, str]] = {
    "nothing": (FIXTURE + USED, {}, ""),
    "configured": (FIXTURE + USED, TIMEOUT, "pytest.ini [pytest] timeout"),
    "func only": (FIXTURE + USED, FUNC_ONLY, ""),
    "func only, but not by mark": (
        f"{FIXTURE}@pytest.mark.timeout(7, func_only=False)\n{USED}",
        FUNC_ONLY,
        "pytest.mark.timeout",
    ),
    "by mark func only": (f"{FIXTURE}@pytest.mark.timeout(func_only=True)\n{USED}", TIMEOUT, ""),
    "by mark func only, unread": (f"{FIXTURE}@pytest.mark.timeout(func_only=x)\n{USED}", TIMEOUT, "?"),
    "marked off": (f"{FIXTURE}@pytest.mark.timeout(0)\n{USED}", TIMEOUT, ""),
    "no test asks": (FIXTURE, TIMEOUT, "pytest.ini [pytest] timeout"),
    "one test of two is marked": (
        f"{FIXTURE}@pytest.mark.timeout(5)\n{USED}{USED_TOO}",
        {},
        "",
    ),
    "a mark of one test can't be read": (
        f"{FIXTURE}@pytest.mark.timeout(5)\n{USED}{UNREAD_MARK}{USED_TOO}",
        {},
        "?",
    ),
    "the test guards itself": (
        f"{FIXTURE}async def test_it(it):\n    async with asyncio.timeout(5):\n        pass\n",
        {},
        "",
    ),
    "unknown decorator": (FIXTURE.replace("async def", "@elsewhere.limited\nasync def"), {}, "?"),
    "requested timer": (
        "@pytest.fixture\ndef x():\n    signal.alarm(5)\n    yield\n" + FIXTURE + USED,
        {},
        "fixture x",
    ),
    "autouse guard in the loop": (
        f"@pytest.fixture(autouse=True)\n{LIMIT}{FIXTURE}",
        {},
        "?",
    ),
    "broken configuration": (FIXTURE, {"pytest.ini": "[pytest]\naddopts = '\n"}, "?"),
    "set-up of each test is part of its call": (CASE, FUNC_ONLY, "pytest.ini [pytest] timeout"),
    "set-up of the class is not": (CLASS_CASE, FUNC_ONLY, ""),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_bounds(name: str, tmp_path: Path) -> None:
    source, files, expected = BOUNDS[name]
    project = ask(tmp_path, source, files)
    found = setup_bound(the_setup(project), project.project)
    assert (found.source if isinstance(found, Bound) else "" if found is None else "?") == expected


@pytest.mark.parametrize("name", BOUNDS)
def test_only_guards_in_the_loop_count_when_asked_so(name: str, tmp_path: Path) -> None:
    source, files, _ = BOUNDS[name]
    project = ask(tmp_path, source, files)
    picky = project.project.at(replace(DEFAULTS, loop_guards_only=True))
    assert not isinstance(setup_bound(the_setup(project), picky), Bound)


def the_setup(project: Small) -> Setup:
    found = [
        setup_of(scope, project.project) for scope in project.outline().functions if scope.name != "limit"
    ]
    return next(setup for setup in found if setup is not None)


WAITS = {
    "await x\n    yield\n": "1 0 0",
    "yield await x\n": "1 0 0",
    "yield\n    await x\n    await x\n": "0 2 0",
    "async with x:\n        yield\n": "0 0 1",
    "async with x:\n        pass\n    yield\n": "1 0 0",
    "async for y in x:\n        yield\n": "0 0 1",
    "z = [y async for y in x]\n    yield z\n": "1 0 0",
    "signal.alarm(5)\n    await x\n    yield\n": "0 0 0",
    "async with asyncio.timeout(5), x:\n        yield\n": "0 0 0",
    "async with asyncio.timeout(5):\n        await x\n    yield\n    await x\n": "0 1 0",
    "asyncio.get_running_loop().call_later(5, x.cancel)\n    await x\n    yield\n": "0 0 0",
}


@pytest.mark.parametrize("body", WAITS)
def test_each_half_waits_on_its_own(body: str, tmp_path: Path) -> None:
    project = ask(tmp_path, f"@pytest.fixture\nasync def it(x):\n    {body}")
    found = waiting(the_setup(project), project.project)
    assert f"{len(found.before)} {len(found.after)} {len(found.across)}" == WAITS[body]


PROGRAM = '''
import asyncio, contextlib, unittest

class Server:
    async def start(self):
        self.ready = asyncio.Event()
        self.task = asyncio.create_task(self.serve())
        await self.ready.wait()

    async def serve(self):
        self.ready.set()
        await asyncio.Event().wait()

    async def stop(self):
        self.task.cancel()
        await asyncio.wait([self.task])

    async def __aenter__(self):
        await self.start()
        return self

    async def __aexit__(self, *_):
        await self.stop()

class Case(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        """Started here, stopped in the task of the tear-down."""
        self.stack = contextlib.AsyncExitStack()
        self.group = await self.stack.enter_async_context(asyncio.TaskGroup())
        self.server = await self.enterAsyncContext(Server())

    async def asyncTearDown(self):
        self.assertTrue(self.answer.done())
        await self.stack.aclose()

    async def test_server(self):
        self.answer = self.group.create_task(self.server.ready.wait())
        await asyncio.sleep(0.01)
'''


def test_what_outlives_a_guard_of_asyncio_is_undisturbed(tmp_path: Path) -> None:
    """Task groups and tasks that a guarded set-up leaves behind work on as before."""
    path = tmp_path / "test_program.py"
    path.write_text(PROGRAM, encoding="utf-8")
    before = run(path)
    settings = replace(DEFAULTS, select=("ASL104",))
    (result,) = check_files([File(path, "test_program.py")], settings, fixing=Fixing.SAFE, write=True)
    assert result.fixed == 2
    assert result.after.count("asyncio.timeout(30)") == 2
    assert run(path) == before == 0


def run(path: Path) -> int:
    command = [sys.executable, "-W", "error", "-m", "unittest", "-q", path.stem]
    return subprocess.run(command, cwd=path.parent, check=False, capture_output=True, timeout=60).returncode
