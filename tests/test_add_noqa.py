"""--add-noqa: a comment where flake8 looks for it, and not one other byte."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from samples import BAD, GOOD, Asynclint, environment

pytestmark = pytest.mark.slow

HEAD = """\
import asyncio
import pytest

pytestmark = pytest.mark.asyncio


async def work(*names, **more):
    await asyncio.sleep(0)


async def test_it():
    async with asyncio.timeout(30):
        await asyncio.Event().wait()
"""
# What stands in the test, and what becomes of it: @ is where the comment goes.
SHAPES = {
    "plain": "work()@",
    "trailing blanks": "work()@   ",
    "comment": "work()  # why@",
    "type comment": "work()  # type: ignore[unused-coroutine]@",
    "pragma": "work()  # pragma: no cover@",
    "other code": "work()  # noqa: E501@",
    "two other codes": "work()  # noqa:E501,W291@",
    "other code with a remark": "work()  # noqa: E501@ because of that",
    "remark before it": "work()  # why  # noqa: E501@  # type: ignore",
    "call over lines": "work(@\n            1,\n        )",
    "call over lines with a comment": "work(  # first@\n            1,\n        )  # last",
    "string over lines": 'work("""\n  # a\n""")@',
    "string that ends in a call": 'work(1, """\n""",@\n            2)',
    "backslash": "work \\\n            (1)@",
    "two on a line": "work(); work()@",
    "two codes": "work(); asyncio.create_task(work())@",
    "no blank before the comment": "work()# why@",
}


def flake8(cwd: Path) -> str:
    command = [sys.executable, "-m", "flake8", "--isolated", "--select", "ASL,E9", "."]
    done = subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout


def wanted(shape: str) -> str:
    """The text with the comment in it."""
    codes = "ASL201, ASL301" if "create_task" in shape else "ASL301"
    line = re.sub(r"@[ ]+(?=\n|$)", "@", shape)
    if "noqa:E501,W291" in line:
        return line.replace("@", f",{codes}")
    return line.replace("@", f", {codes}" if "noqa" in line else f"  # noqa: {codes}")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_the_comment_is_where_flake8_looks_for_it(suite: Path, asynclint: Asynclint, newline: str) -> None:
    for number, shape in enumerate(SHAPES.values()):
        source = f"{HEAD}        {shape.replace('@', '')}\n        x = 'é'\n"
        (suite / "tests" / f"test_{number}.py").write_bytes(source.replace("\n", newline).encode())
    ran = asynclint("--add-noqa")
    assert (ran.status, ran.out) == (0, "")
    assert ran.err == f"Silenced {len(SHAPES) + 2} findings in {len(SHAPES)} files; 0 left.\n"
    for number, shape in enumerate(SHAPES.values()):
        after = f"{HEAD}        {wanted(shape)}\n        x = 'é'\n".replace("\n", newline)
        raw = (suite / "tests" / f"test_{number}.py").read_bytes()
        assert raw.decode() == after
        compile(raw, shape, "exec")
    assert asynclint("--no-cache").status == 0
    assert asynclint("--extend-select", "ASL004").status == 0, "every comment suppresses something"
    assert flake8(suite) == ""
    assert asynclint("--add-noqa").err == "Silenced 0 findings in 0 files; 0 left.\n"


def test_a_noqa_in_a_string_is_in_the_way(suite: Path, asynclint: Asynclint) -> None:
    path = suite / "tests" / "test_a.py"
    path.write_text(source := f"{HEAD}        work('# noqa: E501')\n")
    ran = asynclint("--add-noqa")
    assert (ran.status, ran.err) == (1, "Silenced 0 findings in 0 files; 1 left.\n")
    assert ran.out.startswith("tests/test_a.py:14:9: ASL301 ")
    assert path.read_text() == source


def test_encodings_and_modes_stay(suite: Path, asynclint: Asynclint) -> None:
    path = suite / "tests" / "test_a.py"
    raw = ("# coding: latin-1\n" + BAD + "# é").encode("latin-1")
    path.write_bytes(raw)
    path.chmod(0o640)
    assert asynclint("--add-noqa").status == 0
    assert path.read_bytes() == raw.replace(b"waits():", b"waits():  # noqa: ASL101")
    assert path.stat().st_mode & 0o777 == 0o640


def test_only_what_is_reported(suite: Path, asynclint: Asynclint) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    (suite / "tests" / "test_b.py").write_text(GOOD)
    asynclint("--write-baseline", "base.json")
    assert asynclint("--add-noqa", "--baseline", "base.json").err.startswith("Silenced 0 ")
    assert asynclint("--add-noqa", "--ignore", "ASL1").err.startswith("Silenced 0 ")
    assert (suite / "tests" / "test_a.py").read_text() == BAD
    assert asynclint("--add-noqa", "--select", "ASL1").err.startswith("Silenced 1 ")


def test_diff_shows_it_and_writes_nothing(suite: Path, asynclint: Asynclint) -> None:
    path = suite / "tests" / "test_a.py"
    path.write_text(BAD)
    ran = asynclint("--add-noqa", "--diff")
    assert (ran.status, ran.err) == (1, "Would silence 1 finding in 1 file; 0 would be left.\n")
    assert "+async def test_waits():  # noqa: ASL101\n" in ran.out
    assert path.read_text() == BAD


def test_configuration_gets_no_comment(suite: Path, asynclint: Asynclint) -> None:
    (suite / "tests" / "test_a.py").write_text(GOOD)
    ini = "[pytest]\nasyncio_mode = strict\n"
    (suite / "pytest.ini").write_text(ini)
    ran = asynclint("--add-noqa", "--extend-select", "ASL401")
    assert (ran.status, ran.err) == (1, "Silenced 0 findings in 0 files; 1 left.\n")
    assert (suite / "pytest.ini").read_text() == ini


def test_a_file_that_cannot_be_written_is_one_line(suite: Path, asynclint: Asynclint) -> None:
    # an encoding in which one text has many forms
    (suite / "tests" / "test_a.py").write_bytes(b"# coding: utf-7\nX = '+AGk-'\n" + BAD.encode())
    ran = asynclint("--add-noqa")
    assert ran.status == 2
    assert "cannot be written: utf-7 would change bytes" in ran.out


@pytest.mark.parametrize(
    "arguments",
    [["--add-noqa", "-"], ["--add-noqa", "--fix"], ["--write-baseline", "b", "--add-noqa"]]
    + [["--write-baseline", "b", option] for option in ("-", "--diff", "--fix")],
)
def test_bad_usage(suite: Path, asynclint: Asynclint, arguments: list[str]) -> None:
    ran = asynclint(*arguments)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"asynclint: {arguments[0]} reads files, and goes alone")
    assert not (suite / "b").exists()
