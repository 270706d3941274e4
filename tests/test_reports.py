"""Reports for people: their forms, colours and progress, and the files they go to."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from samples import BAD, DROPPED, GOOD, Asynclint, environment, spawn

pytestmark = pytest.mark.slow

MACHINE = ("json", "sarif", "github", "gitlab", "junit")
MULTILINE = DROPPED.replace("create_task(work())", "create_task(\n            work(),\n        )")


# -- --output-file


@pytest.mark.parametrize("name", ["full", "concise", *MACHINE])
def test_the_output_file_gets_what_would_be_printed(suite: Path, asynclint: Asynclint, name: str) -> None:
    (suite / "tests" / "test_é.py").write_text(BAD)
    printed = asynclint("--output-format", name)
    ran = asynclint("--output-format", name, "--output-file", "reports/new/a.txt")
    assert (ran.status, ran.out, ran.err) == (1, "", printed.err)
    assert (suite / "reports/new/a.txt").read_text(encoding="utf-8") == printed.out
    assert list((suite / "reports/new").iterdir()) == [suite / "reports/new/a.txt"]


def test_tables_and_patches_go_to_the_output_file_too(suite: Path, asynclint: Asynclint) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    for flags in (
        ("--diff",),
        ("--statistics",),
        ("--show-guards", "--output-format", "json"),
        ("--checklist",),
    ):
        printed = asynclint(*flags)
        ran = asynclint(*flags, "--output-file", "out.txt")
        assert (ran.status, ran.out, ran.err) == (printed.status, "", printed.err)
        assert (suite / "out.txt").read_text() == printed.out != ""


def test_the_output_file_is_replaced_and_keeps_its_mode(suite: Path, asynclint: Asynclint) -> None:
    target = suite / "report.txt"
    asynclint("--output-file", "report.txt")
    plain = suite / "plain.txt"
    plain.write_text("")
    assert target.stat().st_mode == plain.stat().st_mode, "a new file has the mode that any new file has"
    target.write_text("old\n" * 1000)
    target.chmod(0o600)
    (suite / "tests" / "test_a.py").write_text(BAD)
    asynclint("--output-file", "report.txt")
    assert target.read_text().count("\n") == 1
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_and_devices_are_written_to_and_not_replaced(suite: Path) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    pipe = suite / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True)
    assert spawn(suite, "--output-format", "json", "--output-file", "pipe").returncode == 1
    out, _ = reader.communicate(timeout=60)
    assert json.loads(out)["summary"]["findings"] == 1
    assert pipe.is_fifo()
    done = spawn(suite, "--output-file", "/dev/stdout")
    assert done.stdout.startswith("tests/test_a.py:7:1: ASL101 ")
    assert spawn(suite, "--output-file", "-").stdout == done.stdout
    assert not (suite / "-").exists()


def test_an_output_file_that_cannot_be_written_is_one_line(suite: Path, asynclint: Asynclint) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    (suite / "file").write_text("")
    ran = asynclint("--output-file", "file/report.txt")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("asynclint: --output-file file/report.txt: cannot be written: ")
    assert ran.err.count("\n") == 1


# -- --statistics


def test_statistics_count_by_code(suite: Path, asynclint: Asynclint) -> None:
    for name, source in (("a", BAD), ("b", BAD), ("c", DROPPED)):
        (suite / "tests" / f"test_{name}.py").write_text(source)
    ran = asynclint("--statistics")
    assert ran.status == 1
    assert [line.split() for line in ran.out.splitlines()] == [
        ["found", "code", "name", "safe", "fix", "unsafe", "fix"],
        ["2", "ASL101", "unbounded-test", "2"],
        ["1", "ASL201", "dropped-task", "1"],
    ]
    assert ran.err.startswith(
        "Found 3 findings in 3 of 3 files; --fix repairs 2, --fix --unsafe-fixes 1 more."
    )
    assert "; --fix --unsafe-fixes repairs 1." in asynclint("--statistics", "--ignore", "ASL101").err
    (suite / "tests" / "test_c.py").write_text("def (:\n")
    broken = asynclint("--statistics", "--fix")
    assert broken.status == 2
    assert broken.out.startswith("tests/test_c.py:1:5: ASL001 ")
    assert "found" not in broken.out, "nothing is left to count"


# -- full


def block(suite: Path, asynclint: Asynclint, source: str) -> list[str]:
    (suite / "tests" / "test_a.py").write_text(source, encoding="utf-8")
    return asynclint("--output-format", "full", "--select", "ASL201").out.splitlines()


def test_full_shows_every_line_of_a_finding(suite: Path, asynclint: Asynclint) -> None:
    lines = block(suite, asynclint, MULTILINE)
    assert lines[2:9] == [
        "   |",
        "13 |         asyncio.create_task(",
        "   |         ^^^^^^^^^^^^^^^^^^^^",
        "14 |             work(),",
        "   |             ^^^^^^^",
        "15 |         )",
        "   |         ^",
    ]


def test_full_leaves_out_the_middle_of_a_long_finding(suite: Path, asynclint: Asynclint) -> None:
    lines = block(suite, asynclint, MULTILINE.replace("work(),", "work(),\n" * 90 + "\n"))
    at = lines.index("    ...")
    assert lines[at - 2 : at] == [" 15 | work(),", "    | ^^^^^^^"]
    assert lines[at + 1] == "106 |         )"
    assert lines[3] == " 13 |         asyncio.create_task("


def test_full_puts_carets_under_wide_characters_and_tabs(suite: Path, asynclint: Asynclint) -> None:
    source = DROPPED.replace("asyncio.create_task(work())", "assert '漢字';\tasyncio.create_task(work('漢'))")
    lines = block(suite, asynclint, source)
    code, carets = lines[3], lines[4]
    assert "\t" not in code
    before, _, meant = code.partition("asyncio.create")
    assert carets.index("^") == len(before) + 2, "two cells for each of two characters"
    assert carets.count("^") == len("asyncio.create" + meant) + 1


# -- colour, progress


@pytest.mark.parametrize(
    ("arguments", "variables", "coloured"),
    [
        ((), {}, False),
        (("--color", "always"), {}, True),
        (("--color", "always"), {"NO_COLOR": "1"}, True),
        (("--color", "always"), {"TERM": "dumb"}, True),
        (("--color", "never"), {"FORCE_COLOR": "1"}, False),
        (("--color", "auto"), {"FORCE_COLOR": "1"}, True),
        (("--color", "auto"), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colour(suite: Path, arguments: tuple[str, ...], variables: dict[str, str], coloured: bool) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    done = spawn(suite, "--output-format", "full", *arguments, **variables)
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-9]m", done.stdout)) is coloured
    if "never" in arguments:
        assert "\x1b" not in done.stdout


@pytest.mark.parametrize("table", ["--show-guards", "--checklist"])
def test_colour_of_tables(suite: Path, asynclint: Asynclint, table: str) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    for colour in ("always", "never"):
        ran = asynclint(table, "--output-format", "full", "--color", colour)
        assert ("\x1b[" in ran.out) is (colour == "always")


IMPATIENT = """
import asynclint.output.progress as progress
from asynclint.cli import main

progress.DELAY = progress.PAUSE = 0
main()
"""


def on_a_terminal(suite: Path, *arguments: str) -> tuple[int, bytes]:
    """Exit status, and what a terminal is sent that both streams of the command go to."""
    import pty

    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", IMPATIENT, *arguments],
        cwd=suite,
        env=environment(TERM="xterm", COLUMNS="120"),
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    sent = b""
    while True:
        try:
            chunk = os.read(controller, 4096)
        except OSError:  # Linux' way to say that the other end is closed
            break
        if not chunk:
            break
        sent += chunk
    os.close(controller)
    return process.wait(), sent


def screen(sent: str) -> list[str]:
    """The lines that are left on a terminal: enough of its control sequences for what rich sends."""
    rows, row, column = [""], 0, 0
    for piece in re.findall(r"\x1b\[[?0-9;]*[A-Za-z]|[^\x1b]", sent):
        if piece == "\r":
            column = 0
        elif piece == "\n":
            row += 1
            rows += [""] * (row == len(rows))
        elif re.fullmatch(r"\x1b\[\d*A", piece):
            row -= int(piece[2:-1] or 1)
        elif piece == "\x1b[2K":
            rows[row] = ""
        elif not piece.startswith("\x1b"):
            rows[row] = rows[row][:column].ljust(column) + piece + rows[row][column + 1 :]
            column += 1
    return [text.rstrip() for text in rows if text.strip()]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_progress_bar_leaves_no_trace_between_results(suite: Path, asynclint: Asynclint) -> None:
    for number in range(12):
        (suite / "tests" / f"test_{number:02}.py").write_text((BAD, GOOD, GOOD, "def (:\n")[number % 4])
    expected = asynclint("--output-format", "concise")
    words = ("--output-format", "concise", "--no-cache")
    status, sent = on_a_terminal(suite, *words)
    assert status == 2
    text = sent.decode()
    assert "checking" in text
    assert "12/12" in text
    assert screen(text) == [*expected.out.splitlines(), *expected.err.splitlines()]
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l"), "the cursor is shown again"
    for flag in ("--no-progress", "--quiet"):
        assert b"checking" not in on_a_terminal(suite, *words, flag)[1]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_short_run_shows_no_progress_bar(suite: Path) -> None:
    from asynclint.output.progress import DELAY, Progress

    class Terminal:
        def isatty(self) -> bool:
            return True

        def write(self, text: str) -> None:
            raise AssertionError(text)

    assert DELAY >= 0.5
    Progress(Terminal(), 2).advance()  # type: ignore[arg-type]


def test_without_a_terminal_there_is_no_progress_bar(suite: Path) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    done = subprocess.run(
        [sys.executable, "-c", IMPATIENT],
        cwd=suite,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "checking" not in done.stderr + done.stdout
