"""``--show-guards``: what bounds each async test, by the command itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent

import pytest

from asynclint.run import check_files, survey_files
from asynclint.settings import Settings
from asynclint.source.files import File, Problem, find

pytestmark = pytest.mark.slow

FIXTURES = Path(__file__).parent.parent / "fixtures"

SUITE = ". (pyproject.toml [tool.pytest.ini_options])"
FILES = {
    "pyproject.toml": '[project]\nname = "lamp"\n[tool.pytest.ini_options]\ntimeout = 60\n',
    "tests/conftest.py": """\
        import asyncio, functools

        def limited(test):
            @functools.wraps(test)
            async def wrapper(*args):
                return await asyncio.wait_for(test(*args), 7)
            return wrapper
        """,
    "tests/test_lamp.py": """\
        import asyncio
        import pytest
        from conftest import limited

        async def test_configured(lamp):
            await lamp.on()

        class TestLamp:
            @pytest.mark.timeout(5)
            async def test_marked(self, lamp):
                await lamp.on()

        async def test_guarded(lamp):
            async with asyncio.timeout(3):
                await lamp.on()

        @pytest.mark.timeout(0)
        @limited
        async def test_limited(lamp):
            await lamp.on()

        @pytest.mark.timeout(0)
        async def test_free(lamp):
            await lamp.on()

        @pytest.mark.timeout(0)
        async def test_idle(lamp):
            await asyncio.sleep(0)

        @pytest.mark.skip
        async def test_skipped(lamp):
            await lamp.on()

        @pytest.mark.timeout(0)
        @lamp.decorated
        async def test_unread(lamp):
            await lamp.on()

        @pytest.mark.timeout(0)
        async def test_partly(lamp):
            async with asyncio.timeout(2):
                await lamp.on()
            await lamp.off()

        @pytest.mark.timeout(0)
        def test_driven(lamp):
            async def main():
                await asyncio.wait_for(lamp.on(), timeout=lamp.patience)
            asyncio.run(main())

        def test_sync(lamp):
            assert lamp
        """,
}


def write(root: Path, files: dict[str, str]) -> None:
    for name, source in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(dedent(source), encoding="utf-8")


def show_guards(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "asynclint", "--show-guards", *arguments],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_lines(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    ran = show_guards(tmp_path)
    assert ran.stderr == ""
    assert ran.returncode == 0
    assert ran.stdout.splitlines() == [
        "tests/test_lamp.py:5: test_configured: 60 s, pyproject.toml [tool.pytest.ini_options] timeout",
        "tests/test_lamp.py:10: TestLamp.test_marked: 5 s, pytest.mark.timeout (line 9)",
        "tests/test_lamp.py:13: test_guarded: 3 s, asyncio.timeout (line 14), and 1 more",
        "tests/test_lamp.py:19: test_limited: 7 s, @limited (tests/conftest.py:6)",
        "tests/test_lamp.py:23: test_free: unbounded",
        "tests/test_lamp.py:27: test_idle: idle: nothing in it waits",
        "tests/test_lamp.py:31: test_skipped: skipped",
        "tests/test_lamp.py:36: test_unread: unknown: can't read lamp.decorated",
        "tests/test_lamp.py:40: test_partly: partly: line 43 waits outside 2 s, asyncio.timeout (line 41)",
        "tests/test_lamp.py:46: test_driven: ? s, asyncio.wait_for (line 48)",
        f"{SUITE}: 10 async tests: 5 bounded, 1 partial, 1 unbounded, 1 unknown, 1 idle, 1 skipped",
        "      1 by pyproject.toml [tool.pytest.ini_options] timeout",
        "      1 by pytest.mark.timeout",
        "      1 by asyncio.timeout",
        "      1 by @limited",
        "      1 by asyncio.wait_for",
    ]


def test_json(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    document = json.loads(show_guards(tmp_path, "tests", "--output-format", "json").stdout)
    assert document["version"] == 1
    assert document["suites"] == [
        {
            "root": ".",
            "config": "pyproject.toml",
            "bounded": 5,
            "partial": 1,
            "unbounded": 1,
            "unknown": 1,
            "idle": 1,
            "skipped": 1,
            "from_above": None,
        }
    ]
    tests = {test["name"]: test for test in document["tests"]}
    assert tests["test_guarded"] == {
        "path": "tests/test_lamp.py",
        "line": 13,
        "name": "test_guarded",
        "suite": ".",
        "status": "bounded",
        "waits": True,
        "left_out": [],
        "unknown": "",
        "bounds": [
            {
                "source": "asyncio.timeout",
                "seconds": 3.0,
                "in_loop": True,
                "path": "tests/test_lamp.py",
                "line": 14,
            },
            {
                "source": "pyproject.toml [tool.pytest.ini_options] timeout",
                "seconds": 60.0,
                "in_loop": False,
                "path": "pyproject.toml",
                "line": None,
            },
        ],
    }
    assert tests["test_driven"]["bounds"][0]["seconds"] is None
    assert tests["test_unread"]["unknown"] == "lamp.decorated"


def test_full_groups_by_file(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    lines = show_guards(tmp_path, "--output-format", "full").stdout.splitlines()
    assert lines[:3] == [
        "",
        "tests/test_lamp.py",
        "     5  test_configured           60 s  pyproject.toml [tool.pytest.ini_options] timeout",
    ]
    assert "    19  test_limited               7 s  @limited  tests/conftest.py:6" in lines


def test_loop_guards_only(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    out = show_guards(tmp_path, "--loop-guards-only").stdout
    assert "test_configured: unbounded" in out
    assert "test_guarded: 3 s, asyncio.timeout (line 14)\n" in out


def test_settings_below_the_root_shadow_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "tox.ini": "[pytest]\ntimeout = 20\n",
            "plugin/pytest.ini": "[pytest]\n",
            "plugin/test_it.py": "async def test_it(x):\n    await x\n",
        },
    )
    assert show_guards(tmp_path, "plugin").stdout.splitlines() == [
        "plugin/test_it.py:1: test_it: unbounded",
        "plugin (pytest.ini [pytest]): 1 async test: 1 unbounded",
        "  started in ., pytest would bound them: 20 s, tox.ini [pytest] timeout",
    ]
    document = json.loads(show_guards(tmp_path, "--output-format=json").stdout)
    assert document["suites"][0]["from_above"]["seconds"] == 20


@pytest.mark.parametrize(
    ("table", "decorated"),
    [
        ('guard-decorators = ["lamp.decorated"]', "? s, @lamp.decorated (line 35)"),
        ('guard-decorators = ["decorated"]', "? s, @lamp.decorated (line 35)"),
        ('guard-fixtures = ["lamp"]', "? s, fixture lamp (line 36)"),
    ],
)
def test_guards_that_the_settings_name(tmp_path: Path, table: str, decorated: str) -> None:
    write(tmp_path, FILES)
    with (tmp_path / "pyproject.toml").open("a") as file:
        file.write(f"[tool.asynclint]\n{table}\n")
    assert f"test_unread: {decorated}\n" in show_guards(tmp_path).stdout


def test_base_classes_that_the_settings_name(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "pyproject.toml": '[tool.asynclint]\nguard-base-classes = ["elsewhere.Patient"]\n',
            "test_it.py": (
                "import elsewhere\nclass TestIt(elsewhere.Patient):\n"
                "    async def test_it(self):\n        await self.x\n"
            ),
        },
    )
    assert "TestIt.test_it: ? s, class elsewhere.Patient (line 2)\n" in show_guards(tmp_path).stdout


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"test_broken.py": "async def test(:\n", "test_it.py": "async def test_it(x): await x\n"})
    ran = show_guards(tmp_path)
    assert ran.returncode == 2
    assert "test_it.py:1: test_it: unbounded" in ran.stdout
    assert ran.stderr.startswith("test_broken.py:1:16: ASL001 ")


def test_nothing_to_show(tmp_path: Path) -> None:
    write(tmp_path, {"test_it.py": "def test_it(): pass\n"})
    ran = show_guards(tmp_path)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "no async test found in .\n")


def check(root: Path, *arguments: str) -> list[str]:
    command = [sys.executable, "-m", "asynclint", *arguments]
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return ran.stderr.splitlines()


UNBOUNDED = "import asyncio\n" + "".join(
    f"async def test_{number}(x):\n    await x\n" for number in range(12)
)


@pytest.mark.parametrize(
    ("files", "way_out"),
    [
        (
            {"pyproject.toml": '[project]\nname = "lamp"\n'},
            "timeout = 60 under [tool.pytest.ini_options] in pyproject.toml",
        ),
        (
            {"pyproject.toml": '[project]\nname = "lamp"\n[tool.pytest]\nminversion = "9"\n'},
            'timeout = "60" under [tool.pytest] in pyproject.toml',
        ),
        ({"setup.cfg": "[tool:pytest]\n"}, "timeout = 60 under [tool:pytest] in setup.cfg"),
    ],
)
def test_a_suite_without_bounds_is_told_the_ways_out(
    tmp_path: Path, files: dict[str, str], way_out: str
) -> None:
    write(tmp_path, {**files, "test_it.py": UNBOUNDED})
    assert check(tmp_path) == [
        "Found 12 findings in 1 of 1 file; --fix repairs 12.",
        "Nothing bounds any of the 12 async tests that wait.",
        f"  One line bounds them all, with pytest-timeout: {way_out};",
        "  or asynclint --fix puts a guard into each.",
    ]


def test_a_suite_with_one_bound_is_told_nothing(tmp_path: Path) -> None:
    bounded = "async def test_bounded(x):\n    await asyncio.wait_for(x, 1)\n"
    write(tmp_path, {"test_it.py": UNBOUNDED, "test_two.py": f"import asyncio\n{bounded}"})
    assert len(check(tmp_path)) == 1


def test_few_tests_are_no_suite(tmp_path: Path) -> None:
    write(tmp_path, {"test_it.py": "async def test_it(x):\n    await x\n"})
    assert len(check(tmp_path)) == 1


def projects() -> Sequence[Path]:
    return sorted(path for path in FIXTURES.glob("asl*/project*") if path.is_dir())


@pytest.mark.parametrize("project", projects(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_unbounded_and_partial_are_what_is_reported(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_TIMEOUT", raising=False)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    files = [found for found in find([project], Settings()) if isinstance(found, File)]
    shown, codes = set(), {"unbounded": "ASL101", "partial": "ASL102"}
    for surveyed in survey_files(files, Settings()):
        assert not isinstance(surveyed, Problem)
        file, tests = surveyed
        shown |= {
            (file.display, survey.test.scope.name, codes[survey.standing.value])
            for survey in tests
            if survey.standing.value in codes and survey.test.scope.is_async
        }
    reported = {
        (result.display, finding.message.split()[2], finding.code)
        for result in check_files(files, Settings(select=("ASL101", "ASL102")))
        for finding in result.findings
    }
    assert shown == reported
