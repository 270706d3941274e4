"""The fixture that ASL207 adds, run for real: what it fails, what it warns of, what it leaves alone."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from samples import environment, spawn

CONFTEST = """\
    import asyncio

    import pytest
    import pytest_asyncio


    @pytest.fixture(params=["asyncio", "trio"])
    def anyio_backend(request):
        return request.param


    @pytest_asyncio.fixture
    async def ended_by_its_fixture():
        task = asyncio.create_task(asyncio.sleep(3600))
        yield task
        task.cancel()
        await asyncio.wait([task])
"""
TESTS = """\
    import asyncio
    import sys
    import unittest

    import anyio
    import pytest


    async def forever():
        await asyncio.sleep(3600)


    @pytest.mark.asyncio
    async def test_leaks(ended_by_its_fixture):
        asyncio.create_task(forever(), name="of asyncio")


    @pytest.mark.asyncio
    async def test_cancels():  # teardown turns the loop once more, which ends the task
        task = asyncio.create_task(forever())
        await asyncio.sleep(0)
        task.cancel()


    @pytest.mark.asyncio
    async def test_clean(ended_by_its_fixture):
        await asyncio.create_task(asyncio.sleep(0))


    def test_sync():
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        assert sys.get_coroutine_origin_tracking_depth() == 0
        asyncio.run(asyncio.sleep(0))


    @pytest.mark.anyio
    async def test_anyio_leaks(anyio_backend_name):
        if anyio_backend_name == "asyncio":
            asyncio.create_task(forever(), name="of anyio")


    @pytest.mark.anyio
    async def test_anyio_clean():
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 0)


    class TestCase(unittest.IsolatedAsyncioTestCase):
        async def asyncSetUp(self):
            self.task = asyncio.create_task(forever())

        async def asyncTearDown(self):
            self.task.cancel()
            await asyncio.wait([self.task])

        async def test_leaks(self):
            asyncio.create_task(forever(), name="of unittest")

        async def test_clean(self):
            await asyncio.create_task(asyncio.sleep(0))

        def test_sync(self):
            pass
"""
LEFT = ("of anyio", "of asyncio", "of unittest")


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    """A suite of three flavours whose tests all pass."""
    options = "[pytest]\nasyncio_mode = strict\nasyncio_default_fixture_loop_scope = function\n"
    (tmp_path / "pytest.ini").write_text(options, encoding="utf-8")
    (tmp_path / "conftest.py").write_text(dedent(CONFTEST), encoding="utf-8")
    (tmp_path / "test_it.py").write_text(dedent(TESTS), encoding="utf-8")
    return tmp_path


def run_tests(suite: Path) -> str:
    """What pytest says of a suite; the plugins are named, so that no other one of this environment counts."""
    plugins = ["-p", "pytest_asyncio.plugin", "-p", "anyio"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", *plugins],
        cwd=suite,
        env=environment(PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def outcomes(report: str) -> list[str]:
    return sorted(re.findall(r"^((?:PASSED|FAILED|ERROR|SKIPPED) \S+)", report, re.MULTILINE))


def add_check(suite: Path, mode: str) -> None:
    settings = f'[tool.asynclint]\nselect = ["ASL207"]\nleak-check = "{mode}"\n'
    (suite / "pyproject.toml").write_text(settings, encoding="utf-8")
    done = spawn(suite, "--fix", *["--unsafe-fixes"] * (mode == "fail"))
    assert (done.returncode, done.stdout) == (0, ""), done


def test_the_suite_passes_without_the_check(leaky: Path) -> None:
    assert {line.split()[0] for line in outcomes(run_tests(leaky))} == {"PASSED"}


def test_a_test_that_leaves_a_task_behind_fails(leaky: Path) -> None:
    before = outcomes(run_tests(leaky))
    add_check(leaky, "fail")
    report = run_tests(leaky)
    # unittest runs the cleanup within the test; the others end first, so pytest reports an error beside them
    assert set(outcomes(report)) ^ set(before) == {
        "ERROR test_it.py::test_anyio_leaks[asyncio]",
        "ERROR test_it.py::test_leaks",
        "FAILED test_it.py::TestCase::test_leaks",
        "PASSED test_it.py::TestCase::test_leaks",
    }


def test_a_failure_names_the_task_and_where_it_was_made(leaky: Path) -> None:
    add_check(leaky, "fail")
    report = run_tests(leaky)
    lines = (leaky / "test_it.py").read_text(encoding="utf-8").splitlines()
    for name in LEFT:
        found = re.search(
            rf"task left behind: {re.escape(name)} \(forever\), (?:made at|of) (\S+):(\d+)", report
        )
        assert found is not None, (name, report)
        assert Path(found[1]) == leaky / "test_it.py"
        made = lines[int(found[2]) - 1]
        # unittest's tests run before a fixture could ask for origins: the definition is the next best
        assert f'name="{name}"' in made or (name == "of unittest" and made == "async def forever():")


def test_the_warning_changes_no_outcome(leaky: Path) -> None:
    before = outcomes(run_tests(leaky))
    with (leaky / "pytest.ini").open("a", encoding="utf-8") as file:
        file.write("filterwarnings = error\n")
    add_check(leaky, "warn")
    report = run_tests(leaky)
    assert outcomes(report) == before
    warned = re.findall(r"ResourceWarning: task left behind: (.+?) \(", report)
    assert sorted(warned) == list(LEFT)
