"""What bounds a test from outside its body, and what runs it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from small_projects import IN_CLASS, IT, Files, ask, small

from asynclint.project.guards.bounds import bound
from asynclint.project.guards.runner import runner
from asynclint.project.guards.tests import tests as collected
from asynclint.project.guards.wrappers import Bound, Verdict
from asynclint.settings import DEFAULTS

DECORATORS = """
import asyncio, functools
def limited(seconds=5):
    def wrap(f):
        @functools.wraps(f)
        async def inner(*args):
            await asyncio.wait_for(f(*args), seconds)
        return inner
    return wrap
def plain(f):
    @functools.wraps(f)
    def inner(*args):
        asyncio.run(f(*args))
    return inner
class Runs:
    def __init__(self, f): self.f = f
    def __call__(self): asyncio.run(asyncio.wait_for(self.f(), 7))
"""
ASKS = """
import asyncio
class Asks(type):
    def __new__(mcs, name, bases, namespace):
        limit = namespace.get("LIMIT")
        for key, test in list(namespace.items()):
            if key.startswith("test") and limit:
                namespace[key] = mcs.within(test, limit)
        return super().__new__(mcs, name, bases, namespace)
    @staticmethod
    def within(test, seconds):
        def run(self):
            asyncio.run(asyncio.wait_for(test(self), seconds))
        return run
"""
BOUNDS: dict[str, tuple[str, Files, str]] = {
    "nothing": (IT, {}, ""),
    "mark": (f"@pytest.mark.timeout(3)\n{IT}", {}, "3 pytest.mark.timeout"),
    "mark by keyword": (
        f"@pytest.mark.timeout(method='thread', timeout=3)\n{IT}",
        {},
        "3 pytest.mark.timeout",
    ),
    "mark of zero": (f"@pytest.mark.timeout(0)\n{IT}", {"pytest.ini": "[pytest]\ntimeout=5"}, ""),
    "mark that names no number": (
        f"@pytest.mark.timeout(method='thread')\n{IT}",
        {"pytest.ini": "[pytest]\ntimeout=5"},
        "5 pytest.ini [pytest] timeout",
    ),
    "mark of the module": (f"pytestmark = [pytest.mark.timeout(9)]\n{IT}", {}, "9 pytest.mark.timeout"),
    "mark of the class": (f"@pytest.mark.timeout(4)\nclass TestIt:\n{IN_CLASS}", {}, "4 pytest.mark.timeout"),
    "mark of a base class": (
        f"@pytest.mark.timeout(4)\nclass Base: ...\nclass TestIt(Base):\n{IN_CLASS}",
        {},
        "4 pytest.mark.timeout",
    ),
    "mark by a name": (
        f"from support import soon\n@soon\n{IT}",
        {"tests/support.py": "import pytest\nsoon = pytest.mark.timeout(2)"},
        "2 pytest.mark.timeout",
    ),
    "configuration": (
        IT,
        {"pyproject.toml": "[tool.pytest.ini_options]\ntimeout = 60"},
        "60 pyproject.toml [tool.pytest.ini_options] timeout",
    ),
    "shadowed configuration": (IT, {"pytest.ini": "", "setup.cfg": "[tool:pytest]\ntimeout = 60"}, ""),
    "broken configuration": (IT, {"pytest.ini": "[pytest\n"}, "unknown"),
    "decorator of the project": (
        f"from support import *\n@limited()\n{IT}",
        {"tests/support.py": DECORATORS},
        "5 @limited in the loop",
    ),
    "decorator with a number": (
        f"from support import *\n@limited(8)\n{IT}",
        {"tests/support.py": DECORATORS},
        "8 @limited in the loop",
    ),
    "decorator with None": (
        f"from support import *\n@limited(None)\n{IT}",
        {"tests/support.py": DECORATORS},
        "",
    ),
    "decorator that only runs it": (
        f"from support import *\n@plain\n{IT}",
        {"tests/support.py": DECORATORS},
        "",
    ),
    "class as decorator": (
        f"from support import *\n@Runs\n{IT}",
        {"tests/support.py": DECORATORS},
        "7 asyncio.wait_for in the loop",
    ),
    "unknown decorator": (f"from elsewhere import something\n@something\n{IT}", {}, "unknown"),
    "harmless decorators": (
        f"@pytest.mark.asyncio\n@unittest.mock.patch('x')\n@functools.wraps(print)\n{IT}",
        {},
        "",
    ),
    "gen_test": (f"from tornado.testing import gen_test\n@gen_test\n{IT}", {}, "? @tornado.testing.gen_test"),
    "unknown base class": (f"from elsewhere import Base\nclass TestIt(Base):\n{IN_CLASS}", {}, "unknown"),
    "twisted": (
        f"from twisted.trial.unittest import TestCase\nclass TestIt(TestCase):\n{IN_CLASS}",
        {},
        "? class twisted.trial.unittest.TestCase",
    ),
    "isolated": (f"class TestIt(unittest.IsolatedAsyncioTestCase):\n{IN_CLASS}", {}, ""),
    "run method": (
        (
            f"class TestIt(unittest.IsolatedAsyncioTestCase):\n    def run(self, r=None):\n"
            f"        signal.alarm(5)\n        super().run(r)\n{IN_CLASS}"
        ),
        {},
        "? TestIt.run",
    ),
    "alarm in setUp": (
        (
            f"class TestIt(unittest.IsolatedAsyncioTestCase):\n"
            f"    def setUp(self):\n        signal.alarm(5)\n{IN_CLASS}"
        ),
        {},
        "? TestIt.setUp",
    ),
    "metaclass": (
        (
            f"class Meta(type):\n    def __new__(m, n, b, d):\n"
            f"        return wrap(d, asyncio.timeout(3))\nclass TestIt(metaclass=Meta):\n{IN_CLASS}"
        ),
        {},
        "3 Meta.__new__ in the loop",
    ),
    "autouse fixture": (
        IT,
        {
            "tests/conftest.py": "import asyncio, pytest\n@pytest.fixture(autouse=True)\n"
            "async def limit():\n    async with asyncio.timeout(6):\n        yield\n"
        },
        "6 fixture limit in the loop",
    ),
    "requested fixture": (
        "async def test_it(outer):\n    await outer\n",
        {
            "conftest.py": "import signal, pytest\n@pytest.fixture(name='outer')\ndef f(alarm): ...\n"
            "@pytest.fixture\ndef alarm():\n    signal.alarm(3)\n    yield\n"
        },
        "? fixture alarm",
    ),
    "fixture nobody asked for": (
        IT,
        {
            "conftest.py": "import signal, pytest\n@pytest.fixture\n"
            "def alarm():\n    signal.alarm(3)\n    yield\n"
        },
        "",
    ),
    "fixture by mark": (
        f"@pytest.mark.usefixtures('alarm')\n{IT}",
        {
            "conftest.py": "import signal, pytest\n@pytest.fixture\n"
            "def alarm():\n    signal.alarm(3)\n    yield\n"
        },
        "? fixture alarm",
    ),
    "hook": (
        IT,
        {
            "conftest.py": "import pytest\ndef pytest_collection_modifyitems(items):\n"
            "    for item in items:\n        item.add_marker(pytest.mark.timeout(12))\n"
        },
        "12 hook pytest_collection_modifyitems",
    ),
    "hook of a plugin": (
        IT,
        {
            "conftest.py": "pytest_plugins = ['plug']\n",
            "plug.py": "import asyncio\ndef pytest_pyfunc_call(pyfuncitem):\n"
            "    asyncio.run(asyncio.wait_for(pyfuncitem.obj(), 10))\n",
        },
        "10 hook pytest_pyfunc_call in the loop",
    ),
    "hook that some tests are marked by": (
        IT,
        {
            "conftest.py": "import pytest\ndef pytest_collection_modifyitems(items):\n"
            "    for item in items:\n        if 'it' in item.nodeid:\n"
            "            item.add_marker(pytest.mark.timeout(12))\n"
        },
        "unknown",
    ),
    "hook that asks for a mark": (
        IT,
        {
            "conftest.py": "import asyncio\ndef pytest_pyfunc_call(pyfuncitem):\n"
            "    mark = pyfuncitem.get_closest_marker('brief')\n"
            "    asyncio.run(asyncio.wait_for(pyfuncitem.obj(), 10 if mark else None))\n"
        },
        "unknown",
    ),
    "hook that pytest-asyncio comes before": (
        IT,
        {
            "pytest.ini": "[pytest]\nasyncio_mode = auto",
            "conftest.py": "import asyncio\nfrom inspect import iscoroutinefunction\n"
            "def pytest_pyfunc_call(pyfuncitem):\n    if iscoroutinefunction(pyfuncitem.obj):\n"
            "        asyncio.run(asyncio.wait_for(pyfuncitem.obj(), 10))\n",
        },
        "unknown",
    ),
    "marks of some parameters": (
        f"@pytest.mark.parametrize('x', [1, pytest.param(2, marks=pytest.mark.timeout(5))])\n{IT}",
        {},
        "unknown",
    ),
    "marks of some parameters, and a number for the rest": (
        f"@pytest.mark.parametrize('x', [1, pytest.param(2, marks=pytest.mark.timeout(5))])\n{IT}",
        {"pytest.ini": "[pytest]\ntimeout=9"},
        "9 pytest.ini [pytest] timeout",
    ),
    "metaclass that asks for an attribute": (
        f"from support import *\nclass TestIt(unittest.TestCase, metaclass=Asks):\n{IN_CLASS}",
        {"tests/support.py": ASKS},
        "unknown",
    ),
    "metaclass that finds its attribute": (
        f"from support import *\nclass TestIt(unittest.TestCase, metaclass=Asks):\n    LIMIT = 5\n{IN_CLASS}",
        {"tests/support.py": ASKS},
        "? Asks.__new__ in the loop",
    ),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_bound(name: str, tmp_path: Path) -> None:
    source, files, expected = BOUNDS[name]
    project = ask(tmp_path, source, files)
    test = next(collected(project.outline(), project.project))
    assert described(bound(test, project.project)) == expected


def described(verdict: Verdict) -> str:
    if verdict is None:
        return ""
    if not isinstance(verdict, Bound):
        return "unknown"
    seconds = f"{verdict.seconds:g}" if isinstance(verdict.seconds, float) else "?"
    return f"{seconds} {verdict.source}{' in the loop' * verdict.in_loop}"


@pytest.mark.parametrize("name", BOUNDS)
def test_only_guards_in_the_loop_count_when_asked_so(name: str, tmp_path: Path) -> None:
    source, files, expected = BOUNDS[name]
    project = ask(tmp_path, source, files)
    picky = project.project.at(replace(DEFAULTS, loop_guards_only=True))
    found = bound(next(collected(project.outline(), picky)), picky)
    if isinstance(found, Bound):
        assert found.in_loop
        assert described(found) == expected
    else:
        assert not expected.endswith("in the loop")


# -- what runs a test

RUNNERS: dict[str, tuple[str, Files, str]] = {
    "asyncio mark": (f"@pytest.mark.asyncio\n{IT}", {}, "asyncio"),
    "anyio mark": (f"@pytest.mark.anyio\n{IT}", {}, "anyio"),
    "trio mark": (f"@pytest.mark.trio\n{IT}", {}, "trio"),
    "anyio backend": ("async def test_it(anyio_backend): ...", {}, "anyio"),
    "asyncio mode": (IT, {"pytest.ini": "[pytest]\nasyncio_mode = auto"}, "asyncio"),
    "anyio mode": (IT, {"pytest.ini": "[pytest]\nanyio_mode = auto"}, "anyio"),
    "trio mode": (IT, {"pytest.ini": "[pytest]\ntrio_mode = true"}, "trio"),
    "isolated": (f"class TestIt(unittest.IsolatedAsyncioTestCase):\n{IN_CLASS}", {}, "asyncio"),
    "plain case": (f"class TestIt(unittest.TestCase):\n{IN_CLASS}", {}, "unknown"),
    "case that runs its own": (
        (
            f"class TestIt(unittest.TestCase):\n    def _callTestMethod(self, m):\n"
            f"        asyncio.run(m())\n{IN_CLASS}"
        ),
        {},
        "asyncio",
    ),
    "decorator": (f"from support import plain\n@plain\n{IT}", {"tests/support.py": DECORATORS}, "asyncio"),
    "stepped by hand": (
        f"def step(f):\n    def inner():\n        f().send(None)\n    return inner\n@step\n{IT}",
        {},
        "by hand",
    ),
    "trio_test": (f"from trio.testing import trio_test\n@trio_test\n{IT}", {}, "trio"),
    "hook": (
        IT,
        {"conftest.py": "import trio\ndef pytest_pyfunc_call(pyfuncitem):\n    trio.run(pyfuncitem.obj)\n"},
        "trio",
    ),
    "other loops in sight": (IT, {}, "unknown"),
}


@pytest.mark.parametrize("name", RUNNERS)
def test_runner(name: str, tmp_path: Path) -> None:
    source, files, expected = RUNNERS[name]
    project = ask(tmp_path, source, files)
    assert runner(next(collected(project.outline(), project.project)), project.project).value == expected


@pytest.mark.parametrize(
    ("dependencies", "imports", "expected"),
    [
        ('["pytest-asyncio"]', "", "asyncio"),
        ('["pytest-asyncio", "pytest-trio"]', "", "unknown"),
        ("[]", "import asyncio\n", "asyncio"),
        ("[]", "", "unknown"),
    ],
)
def test_runner_by_circumstance(dependencies: str, imports: str, expected: str, tmp_path: Path) -> None:
    pyproject = f"[project]\nname = 'x'\ndependencies = {dependencies}\n"
    project = small(tmp_path, imports + IT, {"pyproject.toml": pyproject})
    assert runner(project.test(), project.project).value == expected
