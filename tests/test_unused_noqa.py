"""ASL004: comments that suppress nothing, judged only where their rules have looked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from samples import BAD, Asynclint, environment

ON = ("--extend-select", "ASL004")
HEAD = """\
import asyncio
import pytest


async def work():
    await asyncio.sleep(0)


"""
# A line, what it says of it (nothing: silent), and what --fix leaves of it (None: no line).
LINES = [
    ("x = 1  # noqa: ASL101", "nothing is suppressed by ASL101", "x = 1"),
    ("x = 1  # noqa: ASL101, ASL301", "nothing is suppressed by ASL101, ASL301", "x = 1"),
    ("x = 1  # noqa: ASL999", "no rule has the code ASL999", "x = 1"),
    ("x = 1  # noqa: asl101", "nothing is suppressed by asl101", "x = 1"),
    (
        "x = 1  # noqa: ASL101,E501,ASL999 why",
        "nothing is suppressed by ASL101; no rule has the code ASL999",
        "x = 1  # noqa: E501 why",
    ),
    ("x = 1  # noqa: E501 ASL101", "nothing is suppressed by ASL101", "x = 1  # noqa: E501"),
    ("x = 1  # noqa: ASL101 because", "nothing is suppressed by ASL101", "x = 1  # because"),
    ("x = 1  # noqa: ASL101 - because", "nothing is suppressed by ASL101", "x = 1  # because"),
    ("x = 1  # noqa: ASL101  # more", "nothing is suppressed by ASL101", "x = 1  # more"),
    ("x = 1  # type: ignore  # noqa: ASL101", "nothing is suppressed by ASL101", "x = 1  # type: ignore"),
    ("x = 1  # type: x # noqa: ASL101 # z", "nothing is suppressed by ASL101", "x = 1  # type: x # z"),
    ("x = '''\n'''  # noqa: ASL101", "nothing is suppressed by ASL101", "x = '''\n'''"),
    ("    # noqa: ASL101", "nothing is suppressed by ASL101", None),
    ("x = 1  # noqa", "", ""),
    ("x = 1  # noqa because", "", ""),
    ("x = 1  # noqa: E501", "", ""),
    ("x = '# noqa: ASL101'", "", ""),
    ("x = '# noqa: ASL101'  # noqa: ASL101", "", ""),
    ("x = 1  # noqa: ASL204", "", ""),  # off, so nobody has looked
    ("x = 1  # noqa: ASL2", "", ""),  # of these, too
    ("x = 1  # noqa: ASL207", "", ""),  # of suites
    ("x = 1  # noqa: ASL001, ASL004", "", ""),  # asynclint's own
    ("x = 1  # noqa: ASLAN1", "no rule has the code ASLAN1", "x = 1"),
]  # fmt: skip


def flake8(cwd: Path, *arguments: str) -> list[str]:
    command = [sys.executable, "-m", "flake8", "--isolated", *arguments, "tests"]
    done = subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_lines(suite: Path, asynclint: Asynclint, newline: str) -> None:
    source = HEAD + "\n".join(line for line, _, _ in LINES)
    path = suite / "tests" / "test_a.py"
    path.write_bytes(source.replace("\n", newline).encode())
    ran = asynclint(*ON)
    said = [line.partition(" ASL004 ")[2] for line in ran.out.splitlines()]
    assert said == [message for _, message, _ in LINES if message]
    assert asynclint(*ON).out == ran.out, "from the cache"
    # what noqa itself names at ASL004 is left to flake8, which has the same pattern
    assert flake8(suite, "--select", "ASL", "--extend-select", "ASL004") == ran.out.splitlines()
    assert asynclint("--fix", *ON).status == 0
    left = HEAD + "\n".join(fixed if message else line for line, message, fixed in LINES if fixed is not None)
    assert path.read_bytes() == left.replace("\n", newline).encode()
    compile(path.read_bytes(), "fixed", "exec")
    assert asynclint(*ON).status == 0


def test_what_suppresses_is_used(suite: Path, asynclint: Asynclint) -> None:
    source = BAD.replace("waits():", "waits():  # noqa: ASL101") + "    asyncio.ensure_future(\n"
    source += "        event.wait())  # noqa: ASL201\n"
    (suite / "tests" / "test_a.py").write_text(source)
    ran = asynclint(*ON)
    assert [line.split()[1] for line in ran.out.splitlines()] == ["ASL201", "ASL004"], "one line too low"


@pytest.mark.parametrize(
    "arguments",
    [(), ("--select", "ASL"), ("--select", "ASL0"), (*ON, "--ignore", "ASL1"), (*ON, "--select", "ASL2")],
)
def test_nobody_has_looked(suite: Path, asynclint: Asynclint, arguments: tuple[str, ...]) -> None:
    (suite / "tests" / "test_a.py").write_text("x = 1  # noqa: ASL101\n")
    ran = asynclint(*arguments)
    assert ran.out == ""
    assert (ran.status == 2) == ("ASL0" in arguments)


def test_files_where_a_rule_is_ignored_and_others(suite: Path, asynclint: Asynclint) -> None:
    (suite / "pyproject.toml").write_text(
        '[tool.asynclint]\nscope = "all"\nextend-select = ["ASL004"]\n'
        'per-file-ignores = { "test_a.py" = ["ASL101"], "test_b.py" = ["ASL004"] }\n'
    )
    for name in ("tests/test_a.py", "tests/test_b.py", "module.py"):
        (suite / name).write_text("x = 1  # noqa: ASL101\n")
    assert asynclint().status == 0
    (suite / "module.py").write_text("x = 1  # noqa: ASL301\n")
    assert asynclint().out.startswith("module.py:1:8: ASL004 ")


def test_what_the_baseline_records_is_used(suite: Path, asynclint: Asynclint) -> None:
    path = suite / "tests" / "test_a.py"
    path.write_text(BAD)
    asynclint("--write-baseline", "base.json")
    path.write_text(BAD.replace("waits():", "waits():  # noqa: ASL101"))
    assert asynclint("--baseline", "base.json", *ON).status == 0


def test_a_whole_file(suite: Path, asynclint: Asynclint) -> None:
    (suite / "tests" / "test_a.py").write_text("# flake8: noqa\nx = 1  # noqa: ASL101\n")
    assert asynclint(*ON).status == 0
    assert flake8(suite, "--extend-select", "ASL004") == []


def test_explained(asynclint: Asynclint) -> None:
    assert asynclint("--explain", "asl004").out.startswith("ASL004 unused-noqa\n")
