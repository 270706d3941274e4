"""The run-time oracle on a small suite: each test says, on its ``def`` line, what is armed round it."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parent / "benchmarks"
sys.path.append(str(BENCHMARKS))
compare_guards = importlib.import_module("compare_guards")
SAYS = re.compile(r"def (test_\w+)\(.*# armed: (.+)$", re.MULTILINE)

PACKAGE = """
    import asyncio

    async def fetch():
        async with asyncio.timeout(5):
            await asyncio.sleep(0)

    async def patient(what):
        return await asyncio.wait_for(what, 5)

    def run(what):
        return asyncio.run(what)
"""

CONFTEST = """
    import asyncio, signal, threading
    import pytest

    @pytest.fixture
    def alarmed():
        signal.alarm(60)
        yield
        signal.alarm(0)

    @pytest.fixture(scope="module")
    def alarmed_for_long():
        signal.setitimer(signal.ITIMER_REAL, 60)
        yield
        signal.setitimer(signal.ITIMER_REAL, 0)

    @pytest.fixture
    def watched():
        timer = threading.Timer(60, print)
        timer.start()
        yield
        timer.cancel()

    @pytest.fixture
    def briefly_alarmed():
        signal.alarm(60)
        signal.alarm(0)

    @pytest.fixture
    def set_up():
        asyncio.run(asyncio.wait_for(asyncio.sleep(0), 60))
"""

HELPERS = """
    import asyncio, contextlib, functools

    @contextlib.asynccontextmanager
    async def limited(seconds):
        async with asyncio.timeout(seconds):
            yield

    def bounded(function):
        @functools.wraps(function)
        def run(*args, **kwargs):
            return asyncio.run(asyncio.wait_for(function(*args, **kwargs), 7))
        return run

    def driven(function):
        @functools.wraps(function)
        def run(*args, **kwargs):
            return asyncio.run(function(*args, **kwargs))
        return run

    def cancelled_later(function):
        @functools.wraps(function)
        def run(*args, **kwargs):
            loop = asyncio.new_event_loop()
            task = loop.create_task(function(*args, **kwargs))
            timer = loop.call_later(8, task.cancel)
            try:
                return loop.run_until_complete(task)
            finally:
                timer.cancel()
                loop.close()
        return run

    async def serve():
        async with asyncio.timeout(9):
            await asyncio.sleep(0)
"""

MODULE = """
    import asyncio, contextlib, faulthandler, functools, signal, threading, unittest
    import pytest
    import package
    from asyncio import wait_for as soon
    from helpers import bounded, cancelled_later, driven, limited, serve

    @driven
    async def test_timeout():  # armed: asyncio.timeout 1
        async with asyncio.timeout(1):
            await asyncio.sleep(0)

    @driven
    async def test_timeout_without_a_number():  # armed: nothing
        async with asyncio.timeout(None):
            await asyncio.sleep(0)

    @driven
    async def test_timeout_not_entered():  # armed: nothing
        asyncio.timeout(1)

    @driven
    async def test_rescheduled():  # armed: asyncio.timeout 2
        async with asyncio.timeout(None) as limit:
            limit.reschedule(asyncio.get_running_loop().time() + 2)
            await asyncio.sleep(0)

    @driven
    async def test_wait_for():  # armed: asyncio.wait_for 3
        await soon(asyncio.sleep(0), 3)

    @driven
    async def test_wait_for_ever():  # armed: nothing
        await soon(asyncio.sleep(0), timeout=None)

    @driven
    async def test_gathered():  # armed: asyncio.wait_for 3
        await asyncio.gather(asyncio.wait_for(asyncio.sleep(0), timeout=3))

    @driven
    async def test_stack():  # armed: asyncio.timeout 4
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(asyncio.timeout(4))

    @driven
    async def test_helper():  # armed: asyncio.timeout 5
        async with limited(5):
            await asyncio.sleep(0)

    @driven
    async def test_partial():  # armed: asyncio.wait_for 6
        await functools.partial(asyncio.wait_for, timeout=6)(asyncio.sleep(0))

    @driven
    async def test_nested_function():  # armed: asyncio.timeout 4
        async def inner():
            async with asyncio.timeout(4):
                await package.fetch()
        await inner()

    @driven
    async def test_each():  # armed: asyncio.as_completed 6
        for done in asyncio.as_completed([asyncio.sleep(0)], timeout=6):
            await done

    @driven
    async def test_cancelled():  # armed: loop.call_later 6
        timer = asyncio.get_running_loop().call_later(6, asyncio.current_task().cancel)
        await asyncio.sleep(0)
        timer.cancel()

    @driven
    async def test_called_back():  # armed: nothing
        timer = asyncio.get_running_loop().call_later(6, print)
        await asyncio.sleep(0)
        timer.cancel()

    @driven
    async def test_package_times_itself():  # armed: nothing
        await package.fetch()
        await package.patient(asyncio.sleep(0))

    @driven
    async def test_other_task():  # armed: nothing
        await asyncio.create_task(serve())

    @driven
    async def test_nothing():  # armed: nothing
        await asyncio.sleep(0)

    @bounded
    async def test_decorated():  # armed: asyncio.wait_for 7
        await asyncio.sleep(0)

    @cancelled_later
    async def test_decorator_cancels():  # armed: loop.call_later 8
        await asyncio.sleep(0)

    def test_sync():  # armed: asyncio.timeout 9
        async def main():
            await package.fetch()
            async with asyncio.timeout(9):
                await asyncio.sleep(0)
        asyncio.run(main())

    def test_sync_with_a_task():  # armed: nothing
        async def main():
            await asyncio.create_task(serve())
        asyncio.run(main())

    def test_sync_bounded():  # armed: asyncio.wait_for 2
        asyncio.run(asyncio.wait_for(asyncio.sleep(0), 2))

    def test_helper_drives():  # armed: nothing
        driven(asyncio.sleep)(0)

    def test_package_drives():  # armed: nothing
        package.run(asyncio.sleep(0))

    def test_thread():  # armed: nothing
        thread = threading.Thread(target=lambda: asyncio.run(serve()))
        thread.start()
        thread.join()

    def test_alarm(alarmed):  # armed: signal.alarm 60
        asyncio.run(asyncio.sleep(0))

    def test_module_alarm(alarmed_for_long):  # armed: signal.setitimer 60
        asyncio.run(asyncio.sleep(0))

    @driven
    async def test_module_alarm_again(alarmed_for_long):  # armed: signal.setitimer 60
        await asyncio.sleep(0)

    def test_brief_alarm(briefly_alarmed):  # armed: nothing
        asyncio.run(asyncio.sleep(0))

    @driven
    async def test_watched(watched):  # armed: threading.Timer 60
        await asyncio.sleep(0)

    @driven
    async def test_set_up(set_up):  # armed: nothing
        await asyncio.sleep(0)

    @driven
    async def test_own_timer():  # armed: faulthandler 60, threading.Timer 50
        faulthandler.dump_traceback_later(60, exit=True)
        timer = threading.Timer(50, print)
        timer.start()
        timer.cancel()
        faulthandler.cancel_dump_traceback_later()

    @pytest.mark.parametrize("seconds", [None, 5])
    @driven
    async def test_parametrized(seconds):  # armed: asyncio.timeout 5
        async with asyncio.timeout(seconds):
            await asyncio.sleep(0)

    class Case(unittest.IsolatedAsyncioTestCase):
        async def asyncSetUp(self):
            await asyncio.wait_for(asyncio.sleep(0), 60)
            self.server = asyncio.create_task(serve())

        async def asyncTearDown(self):
            await asyncio.wait_for(self.server, 60)

        async def test_nothing_in_case(self):  # armed: nothing
            await asyncio.sleep(0)

        async def test_timeout_in_case(self):  # armed: asyncio.timeout 1
            async with asyncio.timeout(1):
                await asyncio.sleep(0)

    class TestInherited(Case):
        def _callTestMethod(self, method):
            signal.setitimer(signal.ITIMER_REAL, 60)
            super()._callTestMethod(method)
            signal.setitimer(signal.ITIMER_REAL, 0)

        async def test_alarmed_case(self):  # armed: signal.setitimer 60
            await asyncio.sleep(0)
"""

ANYIO = """
    import anyio, anyio.lowlevel, math, pytest

    @pytest.fixture(params=BACKENDS, autouse=True)
    def anyio_backend(request):
        return request.param

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    async def bounded():
        with anyio.fail_after(9):
            yield

    async def test_fail_after():  # armed: cancel scope 1
        with anyio.fail_after(1):
            await anyio.lowlevel.checkpoint()

    async def test_move_on_after():  # armed: cancel scope 2
        with anyio.move_on_after(2):
            await anyio.lowlevel.checkpoint()

    async def test_moved_deadline():  # armed: cancel scope 3
        with anyio.CancelScope() as scope:
            scope.deadline = anyio.current_time() + 3
            await anyio.lowlevel.checkpoint()

    async def test_deadline_of_a_group():  # armed: cancel scope 4
        async with anyio.create_task_group() as group:
            group.cancel_scope.deadline = anyio.current_time() + 4

    async def test_after_the_group():  # armed: nothing
        await anyio.lowlevel.checkpoint()

    async def test_no_deadline():  # armed: nothing
        with anyio.CancelScope(), anyio.fail_after(None), anyio.move_on_after(math.inf):
            await anyio.lowlevel.checkpoint()

    async def test_sleep():  # armed: nothing
        await anyio.sleep(0.001)

    async def test_child():  # armed: nothing
        async def child():
            with anyio.fail_after(1):
                await anyio.lowlevel.checkpoint()
        async with anyio.create_task_group() as group:
            group.start_soon(child)

    async def test_fixture(bounded):  # armed: cancel scope 9
        await anyio.lowlevel.checkpoint()

    async def test_package():  # armed: nothing
        async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
            port = listener.extra(anyio.abc.SocketAttribute.local_port)
            await (await anyio.connect_tcp("127.0.0.1", port)).aclose()
"""


def run_suite(root: Path, module: str, *arguments: str) -> list[dict[str, Any]]:
    """The oracle's lines for a suite with one module of tests."""
    files = {
        "package.py": PACKAGE,
        "tests/conftest.py": CONFTEST,
        "tests/helpers.py": HELPERS,
        "tests/test_it.py": module,
        "pytest.ini": "[pytest]\npythonpath = . tests\n",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
    out = root / "armed.jsonl"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "oracle", f"--oracle-out={out}", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(BENCHMARKS)}
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


def armed(lines: list[dict[str, Any]]) -> dict[str, set[str]]:
    """What was armed round each test in any of its runs, in the words of the made-up suite."""
    found: dict[str, set[str]] = {}
    for line in lines:
        name = line["name"].rpartition(".")[2]
        told = (f"{a['kind']} {round(a['seconds'])}" for a in line["armed"])
        found.setdefault(name, set()).update(
            text.removeprefix("anyio ").removeprefix("trio ") for text in told
        )
    return found


def said(module: str) -> dict[str, set[str]]:
    """What the made-up suite says."""
    pairs = SAYS.findall(module)
    return {name: set() if told == "nothing" else set(told.split(", ")) for name, told in pairs}


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return run_suite(tmp_path_factory.mktemp("suite"), MODULE)


@pytest.mark.parametrize("name", said(MODULE))
def test_each_guard_and_near_miss(lines: list[dict[str, Any]], name: str) -> None:
    found = armed([line for line in lines if not line["name"].startswith("TestInherited.test_nothing")])
    expected = said(MODULE)[name]
    if name.endswith("_in_case"):  # TestInherited runs it as well, under its own alarm
        found[name] -= {"signal.setitimer 60"}
    assert found[name] == expected


def test_every_test_has_a_line_and_was_seen_to_run(lines: list[dict[str, Any]]) -> None:
    assert all(line["started"] and line["outcome"] == "passed" for line in lines)
    assert set(armed(lines)) == set(said(MODULE))


def test_which_tests_drive_a_loop(lines: list[dict[str, Any]]) -> None:
    drives = {line["name"]: line["drives"] for line in lines}
    assert {drives[name] for name in ("test_sync", "test_sync_bounded", "test_alarm")} == {"itself"}
    assert drives["test_helper_drives"] == "helper"
    assert {drives[name] for name in ("test_package_drives", "test_thread", "test_timeout")} == {""}


def test_what_is_armed_elsewhere_is_told_with_the_reason(lines: list[dict[str, Any]]) -> None:
    elsewhere = {line["name"]: {a["why"] for a in line["elsewhere"]} for line in lines}
    assert elsewhere["test_package_times_itself"] == {"armed by other code than the tests'"}
    assert elsewhere["test_thread"] == {"another thread"}
    assert elsewhere["test_other_task"] == {"another task, or after the test"}


def test_an_inherited_test_is_known_by_its_own_code_too(lines: list[dict[str, Any]]) -> None:
    inherited = next(line for line in lines if line["name"] == "TestInherited.test_nothing_in_case")
    assert inherited["code"]["name"] == "Case.test_nothing_in_case"
    assert [a["kind"] for a in inherited["armed"]] == ["signal.setitimer"]


@pytest.mark.skipif(importlib.util.find_spec("anyio") is None, reason="anyio is not installed")
def test_cancel_scopes(tmp_path: Path) -> None:
    backends = ["asyncio"] + ["trio"] * (importlib.util.find_spec("trio") is not None)
    module = ANYIO.replace("BACKENDS", repr(backends))
    assert armed(run_suite(tmp_path, module)) == said(module)


@pytest.mark.skipif(
    importlib.util.find_spec("pytest_timeout") is None, reason="pytest-timeout is not installed"
)
@pytest.mark.parametrize(("method", "kind"), [("signal", "signal.setitimer"), ("thread", "threading.Timer")])
def test_pytest_timeout(tmp_path: Path, method: str, kind: str) -> None:
    module = "import asyncio\ndef test_it():  # armed: nothing\n    asyncio.run(asyncio.sleep(0))\n"
    found = run_suite(tmp_path, module, "--timeout=30", f"--timeout-method={method}")
    assert armed(found) == {"test_it": {f"{kind} 30"}}


@pytest.mark.parametrize(
    ("options", "found"), [([], set()), (["--oracle-test-code=bases"], {"asyncio.wait_for 7"})]
)
def test_further_test_code(tmp_path: Path, options: list[str], found: set[str]) -> None:
    (tmp_path / "bases").mkdir()
    (tmp_path / "bases" / "runs.py").write_text(dedent(HELPERS), encoding="utf-8")
    module = "import asyncio\nfrom bases.runs import bounded\n@bounded\nasync def test_it():\n    pass\n"
    assert armed(run_suite(tmp_path, module, *options)) == {"test_it": found}


RUN = {
    "path": "tests/test_a.py",
    "async": True,
    "drives": "",
    "outcome": "passed",
    "started": True,
    "elsewhere": [],
}
ARMED = {"kind": "k", "seconds": 5.0, "path": "tests/test_a.py", "line": 3, "in_loop": True, "where": "body"}
PLUGIN = {**ARMED, "path": "/lib/pytest_timeout.py", "in_loop": False, "where": "around"}
BOUND = {"source": "asyncio.timeout", "seconds": 5.0, "in_loop": True, "path": "tests/test_a.py", "line": 3}
SETTING = {
    "source": "tox.ini [pytest] timeout",
    "seconds": 5.0,
    "in_loop": False,
    "path": "tox.ini",
    "line": 2,
}


def seen(name: str, *armed: dict[str, Any], **more: Any) -> dict[str, Any]:
    code = {"path": "tests/test_a.py", "line": 2, "name": name}
    return {**RUN, "nodeid": name, "name": name, "code": code, "armed": list(armed), **more}


def told(name: str, status: str, *bounds: dict[str, Any]) -> dict[str, Any]:
    entry = {"path": "tests/test_a.py", "line": 2, "name": name, "status": status, "waits": True}
    return {**entry, "bounds": list(bounds), "unknown": "@it" if status == "unknown" else ""}


def columns(
    runs: list[dict[str, Any]], tests: list[dict[str, Any]], *, pytest_timeout: bool = True
) -> dict[str, str]:
    found = compare_guards.compare(runs, {"tests": tests}, pytest_timeout=pytest_timeout)
    return {compared.place.rpartition(" ")[2]: compared.column for compared in found}


def test_each_column() -> None:
    runs = [seen(n) for n in ("a", "c", "g", "h")] + [seen(n, ARMED) for n in ("b", "d", "e", "f")]
    tests = [
        told("a", "unbounded"),
        told("b", "bounded", BOUND),
        told("c", "bounded", BOUND),
        told("d", "idle"),
        told("e", "unknown"),
        told("g", "skipped"),
        told("not run", "unbounded"),
    ]
    expected = {"a": "neither", "b": "both", "c": "only said", "d": "only run", "e": "unknown"}
    assert columns(runs, tests) == {**expected, "f": "unlisted", "h": "unlisted"}


def test_runs_of_one_test_count_as_one() -> None:
    runs = [seen("a"), seen("a", ARMED), seen("a", outcome="failed")]
    (compared,) = compare_guards.compare(runs, {"tests": [told("a", "bounded", BOUND)]}, pytest_timeout=True)
    assert (compared.column, compared.partly) == ("both", True)
    assert "in 1 of 2 runs" in compared.saw


@pytest.mark.parametrize(
    "more", [{"outcome": "skipped"}, {"outcome": "failed"}, {"started": False}, {"async": False}]
)
def test_what_is_left_out(more: dict[str, Any]) -> None:
    assert columns([seen("a", ARMED, **more)], [told("a", "unbounded")]) == {}


def test_without_pytest_timeout() -> None:
    runs = [seen("a", PLUGIN), seen("b", PLUGIN, ARMED)]
    tests = [told("a", "bounded", SETTING), told("b", "bounded", BOUND, SETTING)]
    assert columns(runs, tests) == {"a": "both", "b": "both"}
    assert columns(runs, tests, pytest_timeout=False) == {"a": "neither", "b": "both"}


def test_an_inherited_test_is_found_where_it_is_defined_or_run() -> None:
    run = seen("Base.test_a")
    run["code"]["path"] = "tests/bases.py"
    assert columns([run], [{**told("Base.test_a", "unbounded"), "path": "suite/tests/bases.py"}]) == {
        "Base.test_a": "neither"
    }
    assert columns([{**run, "code": None, "name": "T.test_a"}], [told("T.test_a", "unbounded")]) == {
        "T.test_a": "neither"
    }


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    armed_file, guards = tmp_path / "it.jsonl", tmp_path / "it.json"
    armed_file.write_text("".join(json.dumps(run) + "\n" for run in (seen("a", ARMED), seen("b"))))
    guards.write_text(json.dumps({"tests": [told("a", "unbounded"), told("b", "unbounded")]}))
    files = [str(armed_file), str(guards)]
    assert compare_guards.main(files) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "it: only run: tests/test_a.py:2: a"
    assert printed[-1].split()[:4] == ["it", "2", "1", "0"]
    assert "50.00 %" in printed[-1]
    assert compare_guards.main([*files, "--at-least", "98"]) == 1
