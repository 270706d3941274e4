"""What settings and options about guards make of the guards that fixes insert."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from samples import BAD, environment, spawn

pytestmark = pytest.mark.slow

MEASURED = """\
import asyncio
import unittest

import pytest


async def rings(seconds=0, timeout=None):
    bell = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, bell.set)
    await bell.wait()


@pytest.mark.parametrize("seconds", [0, 0.4])
def test_slow_for_one_parameter(seconds):
    async def main():
        await rings(seconds)
    asyncio.run(main())


def test_quick():
    asyncio.run(rings())


def test_skipped():
    pytest.skip()
    asyncio.run(rings())


class TestBell(unittest.IsolatedAsyncioTestCase):
    async def test_rings(self):
        await rings(0.6)

    async def test_gives_it_time(self):
        await rings(timeout=15)
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "tests").mkdir()
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nrequires-python = ">=3.11"\n')
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def settings(suite: Path, table: str) -> None:
    with (suite / "pyproject.toml").open("a") as file:
        file.write(f"[tool.asynclint]\n{table}\n")


def guards(suite: Path, *arguments: str) -> list[str]:
    """Seconds of the guards that ``--fix`` would insert, in their order."""
    shown = spawn(suite, "--diff", "--no-cache", *arguments)
    assert "Traceback" not in shown.stderr
    assert shown.returncode == 1, shown
    added = [line for line in shown.stdout.splitlines() if line.startswith("+")]
    return re.findall(r"asyncio\.(?:timeout\(|wait_for\(.*, )([\d.]+)\)", "\n".join(added))


def test_seconds_by_file(suite: Path) -> None:
    for name in ("test_a.py", "test_b.py", "slow/test_c.py"):
        (suite / "tests" / name).parent.mkdir(exist_ok=True)
        (suite / "tests" / name).write_text(BAD)
    settings(suite, 'guard-seconds = 20\nper-file-guard-seconds = {"test_b.py" = 7, "tests/slow/*" = 90.5}')
    assert guards(suite) == ["20", "7", "90.5"]
    assert guards(suite, "--jobs", "2") == ["20", "7", "90.5"]
    assert guards(suite, "--guard-seconds", "3") == ["3", "3", "3"]


def test_guards_by_measured_time(suite: Path) -> None:
    """The report is one that pytest has written of this very suite; its times are made even."""
    (suite / "tests" / "test_a.py").write_text(MEASURED)
    (suite / "tests" / "test_b.py").write_text(BAD)
    subprocess.run(
        [sys.executable, "-m", "pytest", "--junitxml", "report.xml", "tests/test_a.py"],
        cwd=suite,
        env=environment(),
        capture_output=True,
        check=True,
    )
    report = (suite / "report.xml").read_text()
    for name, seconds in {"parameter[0.4]": 0.41, "test_rings": 0.61}.items():  # whatever this machine took
        report = re.sub(rf'({re.escape(name)}" time=")[\d.]+', rf"\g<1>{seconds}", report)
    for name in ("parameter[0]", "test_quick", "test_gives_it_time"):
        report = re.sub(rf'({re.escape(name)}" time=")[\d.]+', r"\g<1>0.001", report)
    (suite / "report.xml").write_text(report)
    settings(suite, "guard-junit-factor = 20")
    slow, quick, skipped, method, longer, absent = guards(suite, "--guard-from-junit", "report.xml")
    assert slow == "9"
    assert quick == "5"  # the floor
    assert skipped == absent == "30"
    assert method == "15"
    assert longer == "25"  # than the timeout inside
    again = guards(suite, "--guard-from-junit", "report.xml", "--guard-seconds", "40", "--jobs", "2")
    assert again == [slow, quick, "40", method, longer, "40"]


@pytest.mark.parametrize("content", ["", "<html/>", "<testsuites/>", "<testsuite><testcase/></testsuite>"])
def test_a_report_that_is_none_ends_the_run_at_once(suite: Path, content: str) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    (suite / "report.xml").write_text(content)
    ran = spawn(suite, "--fix", "--guard-from-junit", "report.xml")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"asynclint: {suite}/report.xml:1: ")
    assert ran.stderr.count("\n") == 1
    assert (suite / "tests" / "test_a.py").read_text() == BAD


def test_show_settings_shows_the_report(suite: Path) -> None:
    (suite / "report.xml").write_text('<testsuite><testcase classname="a" name="test" time="1"/></testsuite>')
    settings(suite, 'per-file-guard-seconds = {"a*" = 3}\nguard-decorators = ["limited"]')
    out = spawn(suite, "--show-settings", "--guard-from-junit", "report.xml").stdout
    rows = {key.strip(): value for key, value in (line.split("  # ") for line in out.splitlines()[2:])}
    assert rows[f"# --guard-from-junit {suite}/report.xml"] == "command line"
    assert rows['per-file-guard-seconds = { "a*" = 3 }'] == f"{suite}/pyproject.toml:5"
    assert rows['guard-decorators = ["limited"]'] == f"{suite}/pyproject.toml:6"
    assert rows["guard-junit-floor = 5"] == "default"
    out = spawn(suite, "--show-settings", "--guard-seconds", "4").stdout
    rows = {key.strip(): value for key, value in (line.split("  # ") for line in out.splitlines()[2:])}
    assert rows["per-file-guard-seconds = {}"] == "command line"
    # What is shown can be pasted.
    (suite / "shown.toml").write_text(out)
    assert spawn(suite, "--show-settings", "--config", "shown.toml").returncode == 0
