"""The command in a process of its own: streams, signals, terminals, imports."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from samples import BAD, GOOD, environment, spawn


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A project with an empty configuration."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nrequires-python = ">=3.11"\n')
    return tmp_path


def test_the_module_is_the_command(suite: Path) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    done = spawn(suite)
    assert done.returncode == 1
    assert done.stdout.startswith("tests/test_a.py:7:1: ASL101 ")


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["--list-rules"], ["tests"]])
def test_what_needs_no_tree_imports_none(suite: Path, arguments: list[str]) -> None:
    (suite / "tests" / "test_a.py").write_text(GOOD)
    program = (
        "import sys; from asynclint.cli import run; assert run(sys.argv[1:]) == 0;"
        "sys.exit(str({'libcst', 'rich', 'multiprocessing'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=suite,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.splitlines()[-1] == "set()"


def test_output_survives_a_poor_encoding(suite: Path) -> None:
    (suite / "tests" / "test_é.py").write_text(BAD.replace("test_waits", "test_wäits"))
    done = spawn(suite, "tests", PYTHONIOENCODING="ascii")
    assert done.returncode == 1
    assert done.stdout.startswith("tests/test_\\xe9.py:7:1: ASL101 ")


@pytest.mark.parametrize(("variables", "coloured"), [({"FORCE_COLOR": "1"}, True), ({}, False)])
def test_colour(suite: Path, variables: dict[str, str], coloured: bool) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    done = spawn(suite, "--output-format", "full", **variables)
    assert ("\x1b[" in done.stdout) is coloured


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_full_is_the_default_on_a_terminal(suite: Path) -> None:
    import pty

    (suite / "tests" / "test_a.py").write_text(BAD)
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "asynclint"],
        cwd=suite,
        env=environment(TERM="xterm", NO_COLOR="1"),
        stdout=terminal,
        stderr=subprocess.DEVNULL,
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            chunk = os.read(controller, 4096)
        except OSError:  # Linux' way to say that the other end is closed
            break
        if not chunk:
            break
        shown += chunk
    os.close(controller)
    assert process.wait() == 1
    assert b"7 | async def test_waits():" in shown
    assert b"\x1b[3" not in shown, "NO_COLOR is honoured"


def test_a_closed_pipe_is_quiet(suite: Path) -> None:
    for number in range(300):
        (suite / "tests" / f"test_{number}.py").write_text(BAD)
    process = subprocess.Popen(
        [sys.executable, "-m", "asynclint", "--jobs", "1"],
        cwd=suite,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line(suite: Path) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "asynclint"],
            cwd=suite,
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == "asynclint: standard output: No space left on device\n"
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_an_interrupt_exits_130_without_a_traceback(suite: Path) -> None:
    # Standard input that never ends keeps it busy. What a shell starts with & ignores the signal.
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from asynclint.cli import main; print(flush=True); main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, "-"],
        cwd=suite,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert err == b"asynclint: interrupted\n"


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_interrupt_leaves_whole_files(suite: Path, jobs: str) -> None:
    files = [suite / "tests" / f"test_many_{number}.py" for number in range(200)]
    for file in files:
        file.write_text(BAD)
    process = subprocess.Popen(
        [sys.executable, "-m", "asynclint", "--fix", "--jobs", jobs, "--output-file", "report.txt", "tests"],
        cwd=suite,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    while process.poll() is None and files[0].read_text() == BAD:
        time.sleep(0.01)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert b"Traceback" not in err
    assert process.returncode == 130 or b"Fixed" in err  # it may have been done by then
    assert len({file.read_text() for file in files}) <= 2  # old or new, never half
    assert not list(suite.rglob(".asynclint-*"))
    report = suite / "report.txt"  # it is written whole, which is before the summary, or not at all
    assert report.exists() or b"Fixed" not in err
    assert not report.exists() or {file.read_text() for file in files} == {files[0].read_text()} != {BAD}


def test_profile_says_where_the_time_went_and_changes_no_report(suite: Path) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    plain, timed = spawn(suite, "--no-cache"), spawn(suite, "--no-cache", "--profile", "--jobs", "2")
    assert (timed.returncode, timed.stdout) == (plain.returncode, plain.stdout)
    report, _, table = timed.stderr.partition(plain.stderr)
    assert report == ""
    rows = dict(re.findall(r"^(\D+?) +(\d+\.\d+) s", table, re.MULTILINE))
    total = float(rows.pop("CPU, in all"))
    assert {"parse", "outline", "screen", "rules", "everything else"} <= rows.keys()
    assert sum(map(float, rows.values())) == pytest.approx(total, abs=0.02)
    assert "ASL101" in table


@pytest.mark.parametrize(
    ("setup", "reported"),
    [
        ('re.search("\\d+", text)\nsetup(name="x", cmdclass=versioneer.get_cmdclass())\n', True),
        ('setup(name="x", cmdclass={}, extras_require={"test": ["pytest"], "dev": TEST})\n', True),
        ('setup(name="x", cmdclass={"test": RunTests})\n', False),
        ('print "x"\nsetup(name="x", cmdclass={"test": RunTests})\n', False),
    ],
)
def test_setup_py_is_read_in_silence(suite: Path, setup: str, *, reported: bool) -> None:
    (suite / "setup.py").write_text(setup)
    (suite / "tests" / "test_a.py").write_text(
        "import unittest\n\n\nclass ATest(unittest.TestCase):\n    async def test_a(self): ...\n"
    )
    done = spawn(suite, "tests", "--select", "ASL305", "--quiet", PYTHONWARNINGS="always")
    assert done.stdout.count("ASL305") == reported
    assert done.stderr == ""
