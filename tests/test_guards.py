"""What a test waits for and how long a guard must be; which functions are tests and what they drive."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_projects import IT, Files, ask, small

from asynclint.project.guards.body import body
from asynclint.project.guards.drives import can_hang, drives
from asynclint.project.guards.insertion import fitting_guard
from asynclint.project.guards.length import UnreadLengthError, guard_seconds
from asynclint.project.guards.refusals import NoGuardError, refuse_unwrappable
from asynclint.project.guards.runner import runner
from asynclint.project.guards.seconds import Unread, number
from asynclint.project.guards.tests import marks
from asynclint.project.guards.tests import tests as collected

# -- which functions are tests

COLLECTED = """
def test_one(): ...
async def test_two(): ...
def helper():
    def test_nested(): ...
@pytest.fixture
def test_data(): ...
class TestGroup:
    def test_three(self): ...
    def helper(self): ...
class TestMade:
    def __init__(self): ...
    def test_no(self): ...
class TestOff:
    __test__ = False
    def test_no(self): ...
class Plain:
    def test_no(self): ...
class Case(unittest.TestCase):
    def test_four(self): ...
class Derived(Case):
    def test_five(self): ...
if True:
    def test_six(): ...
"""


def test_what_is_collected(tmp_path: Path) -> None:
    project = ask(tmp_path, COLLECTED)
    found = [test.scope.qualname for test in collected(project.outline(), project.project)]
    assert found == [
        "test_one",
        "test_two",
        "TestGroup.test_three",
        "Case.test_four",
        "Derived.test_five",
        "test_six",
    ]


def test_collection_follows_configuration(tmp_path: Path) -> None:
    ini = "[pytest]\npython_files = it_*.py\npython_classes = *Spec\npython_functions = it_*\n"
    project = ask(
        tmp_path,
        "def it_works(): ...\ndef test_no(): ...\nclass MySpec:\n    def it_too(self): ...\n",
        {"pytest.ini": ini},
    )
    assert not list(collected(project.outline(), project.project))
    (tmp_path / "tests/it_is.py").write_text((tmp_path / "tests/test_it.py").read_text())
    found = collected(project.outline("tests/it_is.py"), project.project)
    assert [test.scope.qualname for test in found] == ["it_works", "MySpec.it_too"]


def test_marks_come_in_pytest_s_order(tmp_path: Path) -> None:
    project = ask(
        tmp_path,
        """
limited = pytest.mark.timeout
common = [pytest.mark.slow, limited(1)]
pytestmark = common
@pytest.mark.base
class Base: ...
@pytest.mark.cls
class TestIt(Base):
    pytestmark = pytest.mark.inside
    @limited(3)
    @pytest.mark.asyncio
    async def test_it(self): ...
""",
    )
    names = [mark.name for mark in marks(project.test("TestIt.test_it"), project.project)]
    assert names == ["asyncio", "timeout", "base", "inside", "cls", "slow", "timeout"]


# -- what a body waits for and what bounds it there

WAITS = {
    "await x": (1, 0),
    "await x.get()": (1, 0),
    "await asyncio.sleep(5)": (0, 0),
    "await anyio.lowlevel.checkpoint()": (0, 0),
    "async with x: pass": (1, 0),
    "async for y in x: pass": (1, 0),
    "[y async for y in x]": (1, 0),
    "await asyncio.wait_for(x, 1)": (0, 1),
    "await asyncio.wait_for(x, timeout=None)": (1, 0),
    "await asyncio.wait({x}, timeout=2)": (0, 0),
    "await asyncio.wait({x})": (1, 0),
    "async with asyncio.timeout(1): await x": (1, 1),
    "async with asyncio.timeout(None): await x": (2, 0),
    "with anyio.fail_after(delay=2): await x": (1, 1),
    "with anyio.move_on_after(2) as scope: await x": (1, 1),
    "with trio.CancelScope(deadline=2): await x": (1, 1),
    "with trio.CancelScope(): await x": (1, 0),
    "limit = asyncio.timeout(3)\n    async with limit: await x": (1, 1),
    "async with limited(): await x": (1, 1),
    "async with limited_by(4): await x": (1, 1),
    "async with limited_by(None): await x": (2, 0),
    "async with unlimited(): await x": (2, 0),
    "async with Limit(): await x": (1, 1),
    "await ends()": (0, 0),
    "await guarded()": (0, 1),
    "await hangs()": (1, 0),
    "await recurses()": (1, 0),
    "async def inner(): await x": (0, 0),
}
SUPPORT = """
import asyncio, contextlib
@contextlib.asynccontextmanager
async def limited():
    async with asyncio.timeout(5):
        yield
@contextlib.asynccontextmanager
async def limited_by(seconds=3):
    async with asyncio.timeout(seconds):
        yield
@contextlib.asynccontextmanager
async def unlimited():
    await connect()
    yield
class Limit:
    def __init__(self):
        self.timer = asyncio.timeout(3)
    async def __aenter__(self):
        await self.timer.__aenter__()
    async def __aexit__(self, *info):
        await self.timer.__aexit__(*info)
async def ends(): await asyncio.sleep(1)
async def guarded():
    async with asyncio.timeout(1):
        await connect()
async def hangs(): await connect()
async def recurses(): await recurses()
"""


@pytest.mark.parametrize("statement", WAITS)
def test_waits_and_guards_of_a_body(statement: str, tmp_path: Path) -> None:
    project = ask(
        tmp_path,
        f"from support import *\nasync def test_it(x):\n    {statement}\n",
        {"tests/support.py": SUPPORT},
    )
    found = body(project.function("test_it"), project.project)
    assert (len(found.waits), bool(found.guards)) == WAITS[statement]


# -- how long

NUMBERS = {
    "5": 5.0,
    "-2.5": -2.5,
    "2 * 3 + 1 / 2": 6.5,
    "1 / 0": float("inf"),
    "None": None,
    "True": "?",
    "'5'": "?",
    "float('inf')": float("inf"),
    "float('x')": "?",
    "max(1, 2, 3)": 3.0,
    "min(1, x)": "?",
    "math.inf": float("inf"),
    "LIMIT": 7.0,
    "consts.LIMIT": 7.0,
    "Config.LIMIT": 8.0,
    "Config().LIMIT": 8.0,
    "TWICE": "?",
    "f()": "?",
    "2 ** 3": "?",
}


@pytest.mark.parametrize("text", NUMBERS)
def test_number(text: str, tmp_path: Path) -> None:
    consts = "LIMIT = 7\nTWICE = 1\nTWICE = 2\nclass Base:\n    LIMIT = 8\nclass Config(Base): ...\n"
    project = ask(
        tmp_path,
        f"import consts\nfrom consts import *\nfrom consts import LIMIT, TWICE, Config\n{text}  # ?\n",
        {"consts.py": consts},
    )
    expr, scope = project.asked()
    found = number(expr, scope, project.project)
    assert ("?" if isinstance(found, Unread) else found) == NUMBERS[text]


LENGTHS = {
    "await x": 30,
    "await asyncio.sleep(5)": 30,
    "await asyncio.sleep(25)": 35,
    "await asyncio.sleep(10)\n    await asyncio.sleep(15)": 35,
    "for i in range(10): await asyncio.sleep(4)": 50,
    "for i in range(2, 12, 2):\n        for j in range(3): await asyncio.sleep(4)": 70,
    "async with asyncio.timeout(60): await x": 70,
    "await asyncio.wait_for(x, 60)": 70,
    "await asyncio.wait({x}, timeout=60)": 70,
    "await x.get(timeout=45)": 55,
    "await asyncio.sleep(delay)": "asyncio.sleep(delay)",
    "async with asyncio.timeout_at(5): pass": "asyncio.timeout_at(5)",
    "await asyncio.sleep(LIMIT)": 50,
    "await naps(50)": 60,
    "await naps()": 50,
    "async def inner(): await asyncio.sleep(30)\n    await inner()": 40,
}


@pytest.mark.parametrize("statement", LENGTHS)
def test_guard_is_longer_than_what_it_surrounds(statement: str, tmp_path: Path) -> None:
    helper = "LIMIT = 40\nasync def naps(s=LIMIT): await asyncio.sleep(s)\n"
    source = f"{helper}async def test_it(x, delay):\n    {statement}\n"
    project = ask(tmp_path, source)
    expected = LENGTHS[statement]
    if isinstance(expected, str):
        with pytest.raises(UnreadLengthError) as caught:
            guard_seconds(project.function("test_it"), project.project)
        assert str(caught.value) == expected
    else:
        assert guard_seconds(project.function("test_it"), project.project) == expected


# -- what a sync test drives

DRIVES = {
    "asyncio.run(main())": True,
    "asyncio.run(guarded())": False,
    "asyncio.run(asyncio.wait_for(main(), 3))": False,
    "asyncio.run(asyncio.wait_for(main(), None))": True,
    "asyncio.run(asyncio.sleep(1))": False,
    "asyncio.run(asyncio.wait({x}, timeout=3))": False,
    "coro = main()\n    asyncio.run(coro)": True,
    "anyio.run(main)": True,
    "trio.run(guarded)": False,
    "anyio.run(x)": False,
    "asyncio.get_event_loop().run_until_complete(main())": True,
    "loop.run_until_complete(x)": True,
    "loop.run_until_complete(loop.shutdown_asyncgens())": False,
    "with asyncio.Runner() as r:\n        r.run(main())": True,
    "r = asyncio.Runner()\n    r.run(main())": True,
    "asyncio.run(x.client.get())": True,
    "asyncio.run(decorated())": False,
    "loop = unittest.mock.Mock()\n    loop.run_until_complete(main())": None,
    "x.run(main())": None,
    "asyncio.run(*x)": None,
}


@pytest.mark.parametrize("statement", DRIVES)
def test_drives(statement: str, tmp_path: Path) -> None:
    """True: can hang; False: ends; None: no loop is driven."""
    source = f"""
from elsewhere import unknown
async def guarded():
    async with asyncio.timeout(3):
        await connect()
def test_it(x, loop):
    async def main():
        await x.get()
    @unknown
    async def decorated():
        await x.get()
    {statement}
"""
    project = ask(tmp_path, source)
    scope = project.function("test_it")
    found = [can_hang(drive, project.project) for drive in drives(scope, project.project)]
    expected = DRIVES[statement]
    assert found == ([] if expected is None else [expected])


# -- which guard goes in, and which does not

REFUSED: dict[str, tuple[str, Files, str]] = {
    "yield": ("async def test_it():\n    yield 1", {}, "yield"),
    "hypothesis": (f"from hypothesis import given\n@given()\n{IT}", {}, "hypothesis"),
    "fake clock fixture": ("async def test_it(mock_clock):\n    await mock_clock", {}, "mock_clock"),
    "frozen time": (f"import freezegun\n@freezegun.freeze_time('2020-01-01')\n{IT}", {}, "freezegun"),
    "looptime": (f"@pytest.mark.looptime\n{IT}", {}, "looptime"),
    "looks at the clock": ("async def test_it(x):\n    x.call_at(3)", {}, "call_at"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_no_guard_where_one_could_change_the_test(name: str, tmp_path: Path) -> None:
    source, files, why = REFUSED[name]
    project = ask(tmp_path, source, files)
    test = project.test()
    with pytest.raises(NoGuardError, match=why):
        refuse_unwrappable(test.scope, test, project.project)


FITTING: dict[str, tuple[str, str, str]] = {
    "asyncio": (f"import asyncio\n@pytest.mark.asyncio\n{IT}", "", "async with asyncio.timeout(30):"),
    "under its alias": (
        f"import asyncio as aio\n@pytest.mark.asyncio\n{IT}",
        "",
        "async with aio.timeout(30):",
    ),
    "imported for it": (f"@pytest.mark.trio\n{IT}", "", "with trio.fail_after(30): import trio"),
    "anyio": (f"import anyio\n@pytest.mark.anyio\n{IT}", "", "with anyio.fail_after(30):"),
    "name taken": (
        "@pytest.mark.asyncio\nasync def test_it(asyncio):\n    await asyncio\n",
        "",
        "the name asyncio means something else there",
    ),
    "old Python": (
        f"import asyncio\n@pytest.mark.asyncio\n{IT}",
        "requires-python = '>=3.9'",
        "the project supports Python 3.9, ",
    ),
    "old Python with async-timeout": (
        f"import asyncio\n@pytest.mark.asyncio\n{IT}",
        "requires-python = '>=3.9'\ndependencies = ['async-timeout']",
        "async with async_timeout.timeout(30): import async_timeout",
    ),
    "async-timeout on old Pythons only": (
        f"import asyncio\n@pytest.mark.asyncio\n{IT}",
        "requires-python = '>=3.9'\ndependencies = ['async-timeout; python_version < \"3.11\"']",
        "the project supports Python 3.9, ",
    ),
    "by hand": (
        f"import asyncio\ndef step(f):\n    def inner(): f().send(None)\n    return inner\n@step\n{IT}",
        "",
        "its coroutine is stepped by hand",
    ),
    "unknown loop": (f"import asyncio, trio\n{IT}", "", "can't tell which event loop runs it"),
}


@pytest.mark.parametrize("name", FITTING)
def test_fitting_guard(name: str, tmp_path: Path) -> None:
    source, table, expected = FITTING[name]
    project = small(
        tmp_path, f"import pytest\n{source}", {"pyproject.toml": f"[project]\nname = 'x'\n{table}\n"}
    )
    test = project.test()
    try:
        guard = fitting_guard(test.scope, runner(test, project.project), project.project)
        found = f"{guard.header} import {guard.imported}" if guard.imported else guard.header
    except NoGuardError as error:
        found = str(error)
    assert found.startswith(expected)
