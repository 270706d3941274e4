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
from oracle_suite import ANYIO, CONFTEST, HELPERS, MODULE, PACKAGE

BENCHMARKS = Path(__file__).parent / "benchmarks"
SAYS = re.compile(r"def (test_\w+)\(.*# armed: (.+)$", re.MULTILINE)


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
