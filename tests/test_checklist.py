"""``--checklist``: the four demands of each suite, and what ``--fix`` adds, by the command itself."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent

import pytest
from samples import Asynclint

from asynclint import checklist
from asynclint.project.project import Project
from asynclint.project.suite import Suite, suite_at

pytestmark = pytest.mark.slow

PYPROJECT = """\
    [project]
    name = "lamp"
    requires-python = ">=3.11"
    dependencies = ["pytest-asyncio>=1.2"]

    [tool.pytest.ini_options]
    asyncio_mode = "auto"
    filterwarnings = [
        "error",
        "ignore::ResourceWarning",
    ]
    """
TESTS = """\
    import asyncio


    async def test_lamp(lamp):
        await lamp.on()


    async def test_flicker(lamp):
        async with asyncio.timeout(5):
            flickering = asyncio.create_task(lamp.flicker())
            await lamp.off()
            flickering.cancel()
    """
DONE = {
    "pytest.ini": "[pytest]\nasyncio_mode = auto\ntimeout = 20\nasyncio_debug = true\n",
    "tests/conftest.py": """\
        import asyncio

        import pytest_asyncio


        @pytest_asyncio.fixture(autouse=True)
        async def no_task_left():
            yield
            assert asyncio.all_tasks() == {asyncio.current_task()}
        """,
    "tests/test_lamp.py": "async def test_lamp(lamp):\n    await lamp.on()\n",
}


def lay(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))


@pytest.fixture
def lacking(suite: Path) -> Path:
    lay(suite, {"pyproject.toml": PYPROJECT, "tests/conftest.py": "", "tests/test_lamp.py": TESTS})
    return suite


@pytest.mark.usefixtures("lacking")
def test_what_is_missing_where_and_what_adds_it(asynclint: Asynclint) -> None:
    ran = asynclint("--checklist")
    assert (ran.status, ran.err) == (1, "")
    assert [" ".join(line.split())[:80] for line in ran.out.splitlines()] == [
        ". (pyproject.toml [tool.pytest.ini_options]): 2 async tests",
        "missing every test gets a timeout 1 of 2 async tests can hang for ever",
        "tests/test_lamp.py:4: test_lamp: unbounded",
        "fix: --fix puts a guard into each (ASL101)",
        "missing cleanup paths are verified 1 of ASL203",
        "tests/test_lamp.py:12: ASL203 flickering.cancel() only asks the task to stop: no",
        "fix: --fix --unsafe-fixes repairs 1",
        "missing debug mode is used on purpose nothing switches asyncio's debug mode on f",
        "pyproject.toml:6: ASL401 nothing switches asyncio's debug mode on for 2 async te",
        "pyproject.toml:10: ASL405 the filter ignore::ResourceWarning hides unclosed tran",
        "fix: --fix --unsafe-fixes sets it",
        "missing pending tasks are inspected nothing looks at asyncio.all_tasks() when an",
        "tests/conftest.py:1",
        "fix: --fix adds a fixture that warns; --fix --unsafe-fixes one that fails the te",
    ]


@pytest.mark.usefixtures("lacking")
def test_json(asynclint: Asynclint) -> None:
    ran = asynclint("--checklist", "--output-format", "json")
    assert ran.status == 1
    (found,) = json.loads(ran.out)["suites"]
    assert (found["root"], found["config"], found["tests"], found["done"]) == (
        ".",
        "pyproject.toml",
        2,
        False,
    )
    assert {demand["name"]: demand["done"] for demand in found["demands"]} == {
        "timeouts": False,
        "cleanup": False,
        "debug-mode": False,
        "pending-tasks": False,
    }
    assert found["demands"][0]["places"] == [
        {"path": "tests/test_lamp.py", "line": 4, "message": "test_lamp: unbounded"}
    ]


def test_done(suite: Path, asynclint: Asynclint) -> None:
    (suite / "pyproject.toml").unlink()
    lay(suite, DONE)
    ran = asynclint("--checklist", "tests")
    assert (ran.status, ran.err) == (0, "")
    assert [" ".join(line.split()) for line in ran.out.splitlines()] == [
        ". (pytest.ini [pytest]): 1 async test",
        "done every test gets a timeout 1 by pytest.ini [pytest] timeout pytest.ini:3",
        "done cleanup paths are verified nothing left of ASL2xx and ASL5xx",
        "done debug mode is used on purpose switched on by asyncio_debug pytest.ini",
        "done pending tasks are inspected something looks at the tasks that are left tests/conftest.py:9",
    ]


def test_fix_adds_what_is_safe(lacking: Path, asynclint: Asynclint) -> None:
    pyproject = (lacking / "pyproject.toml").read_bytes()
    ran = asynclint("--checklist", "--fix", "tests/test_lamp.py")
    assert ran.status == 1
    assert ran.err.splitlines() == ["fixed 1 in tests/test_lamp.py", "fixed 1 in tests/conftest.py"]
    words = [line.split()[0] for line in ran.out.splitlines() if line.startswith("  ") and line[2] != " "]
    assert words == ["done", "missing", "missing", "done"]
    assert "asyncio.timeout(30)" in (lacking / "tests/test_lamp.py").read_text()
    assert "warnings.warn" in (lacking / "tests/conftest.py").read_text()
    assert (lacking / "pyproject.toml").read_bytes() == pyproject


def test_unsafe_fixes_add_the_rest(lacking: Path, asynclint: Asynclint) -> None:
    ran = asynclint("--checklist", "--fix", "--unsafe-fixes")
    assert ran.status == 0, ran.out
    assert "fixed 2 in pyproject.toml" in ran.err
    text = (lacking / "pyproject.toml").read_text()
    assert "[tool.pytest.ini_options]\nasyncio_debug = true\n" in text
    assert "ResourceWarning" not in text
    assert "pytest.fail" in (lacking / "tests/conftest.py").read_text()
    again = asynclint("--checklist", "--fix", "--unsafe-fixes")
    assert (again.status, again.err) == (0, "")


def test_each_suite_has_its_own(lacking: Path, asynclint: Asynclint) -> None:
    lay(lacking / "other", DONE)
    ran = asynclint("--checklist", ".")
    assert [line for line in ran.out.splitlines() if line and line[0] != " "] == [
        "other (pytest.ini [pytest]): 1 async test",
        ". (pyproject.toml [tool.pytest.ini_options]): 2 async tests",
    ]
    assert ran.status == 1


def test_nothing_to_ask(suite: Path, asynclint: Asynclint) -> None:
    lay(suite, {"tests/test_sum.py": "def test_sum():\n    assert 1 + 1 == 2\n"})
    ran = asynclint("--checklist")
    assert (ran.status, ran.out, ran.err) == (0, "", "no async test found in .\n")


@pytest.mark.parametrize("arguments", [["-"], ["--diff"], ["--fix", "--diff"]])
def test_what_it_does_not_go_with(suite: Path, asynclint: Asynclint, arguments: list[str]) -> None:
    assert suite.is_dir()
    ran = asynclint("--checklist", *arguments)
    assert ran.status == 2
    assert "--checklist" in ran.err


def test_a_file_that_cannot_be_read_is_said(lacking: Path, asynclint: Asynclint) -> None:
    (lacking / "tests/test_broken.py").write_text("def (:\n")
    ran = asynclint("--checklist")
    assert ran.status == 2
    assert "tests/test_broken.py:1" in ran.err
    assert "missing" in ran.out


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(
            {"pyproject.toml": PYPROJECT + '\n    [tool.asynclint]\n    ignore = ["ASL207", "ASL4"]\n'},
            id="settings",
        ),
        pytest.param({"tests/conftest.py": "# flake8: noqa\n"}, id="comment"),
    ],
)
@pytest.mark.parametrize("fix", [(), ("--fix",), ("--fix", "--unsafe-fixes")])
def test_what_is_ignored_is_not_missing(
    lacking: Path, asynclint: Asynclint, files: dict[str, str], fix: tuple[str, ...]
) -> None:
    lay(lacking, files)
    ran = asynclint("--checklist", *fix)
    assert ran.status in (0, 1)
    assert "pending tasks are inspected    ASL207 is ignored here" in ran.out
    assert "no test runs on asyncio" not in ran.out
    assert ("ASL401 is ignored here" in ran.out) is ("pyproject.toml" in files)


@pytest.mark.parametrize("fix", [(), ("--fix",), ("--fix", "--unsafe-fixes")])
def test_a_conftest_that_cannot_be_parsed(lacking: Path, asynclint: Asynclint, fix: tuple[str, ...]) -> None:
    (lacking / "tests" / "conftest.py").write_text("\x00")
    ran = asynclint("--checklist", *fix, "tests")
    assert ran.status == 2
    assert "tests/conftest.py:1:1: ASL001 cannot be parsed: it contains a NUL character" in ran.err
    assert "missing  pending tasks are inspected" in ran.out


def test_a_fault_in_one_suite_costs_no_other(
    lacking: Path, asynclint: Asynclint, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(lacking, {f"sub/{name}": text for name, text in DONE.items()})

    def broken(root: Path, project: Project) -> Suite:
        if root.name == "sub":
            raise RecursionError
        return suite_at(root, project)

    monkeypatch.setattr(checklist, "suite_at", broken)
    ran = asynclint("--checklist", "--fix", "--unsafe-fixes", "--quiet")
    assert ran.status == 2
    assert "sub:1:1: ASL001 the suite could not be checked: something in it is nested too deeply" in ran.err
    assert ran.out.startswith(". (pyproject.toml [tool.pytest.ini_options]): 2 async tests")
    assert "sub" not in ran.out


@pytest.mark.usefixtures("lacking")
def test_two_tables_at_once(asynclint: Asynclint) -> None:
    ran = asynclint("--checklist", "--show-guards")
    assert (ran.status, ran.out) == (2, "")
    assert "leave out --checklist" in ran.err


def test_names_of_files_are_printed_harmlessly(lacking: Path, asynclint: Asynclint) -> None:
    (lacking / "tests" / "test_lamp.py").rename(lacking / "tests" / "test_\x1b[31m.py")
    ran = asynclint("--checklist", "--fix")
    assert "fixed 1 in tests/test_\\x1b[31m.py" in ran.err
    assert "\x1b" not in ran.out + ran.err


@pytest.mark.usefixtures("lacking")
def test_what_cannot_be_written_is_said(asynclint: Asynclint, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, _: bytes) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("asynclint.output.fix.write", refuse)
    ran = asynclint("--checklist", "--fix", "--unsafe-fixes", "--jobs", "1")
    assert ran.status == 2
    for name in ("tests/test_lamp.py", "tests/conftest.py", "pyproject.toml"):
        assert f"{name}:1:1: ASL001 cannot be written: Permission denied" in ran.err
    assert "missing  every test gets a timeout" in ran.out
