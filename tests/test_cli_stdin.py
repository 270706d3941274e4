"""The command on standard input."""

from __future__ import annotations

from pathlib import Path

import pytest
from samples import BAD, DROPPED, GOOD, Asynclint


def test_standard_input(suite: Path, asynclint: Asynclint) -> None:
    ran = asynclint("-", stdin=BAD)
    assert ran.status == 1
    assert ran.out.startswith("stdin:7:1: ASL101 ")
    named = asynclint("-", "--stdin-filename", "tests/test_new.py", stdin=BAD)
    assert named.out.startswith("tests/test_new.py:7:1: ASL101 ")
    assert asynclint("-", stdin=GOOD).status == 0


def test_standard_input_belongs_to_the_project_of_its_name(suite: Path, asynclint: Asynclint) -> None:
    (suite / "inner" / "tests").mkdir(parents=True)
    (suite / "inner" / "pyproject.toml").write_text('[tool.asynclint]\nignore = ["ASL1"]\n')
    assert asynclint("-", "--stdin-filename", "inner/tests/test_new.py", stdin=BAD).status == 0
    assert asynclint("-", "--stdin-filename", "tests/test_new.py", stdin=BAD).status == 1


@pytest.mark.parametrize("flags", [("--fix",), ("--fix", "--unsafe-fixes")])
def test_fixing_standard_input_prints_the_text(suite: Path, asynclint: Asynclint, flags: tuple[str]) -> None:
    ran = asynclint("-", *flags, stdin=BAD + "# é\r\n")
    assert ran.status == 0
    assert "    async with asyncio.timeout(30):\n        event" in ran.out
    assert ran.out.endswith("# é\r\n")
    assert ran.err == "Fixed 1 finding in 1 file; 0 left.\n"


@pytest.mark.parametrize(
    "source", [GOOD, "def (:\n", "# coding: nonsense\n", "", "x = 1", GOOD.replace("\n", "\r\n")]
)
def test_fixing_standard_input_never_loses_it(suite: Path, asynclint: Asynclint, source: str) -> None:
    assert asynclint("-", "--fix", "--stdin-filename", "tests/test_x.py", stdin=source).out == source


def test_findings_left_in_fixed_standard_input_go_to_standard_error(
    suite: Path, asynclint: Asynclint
) -> None:
    ran = asynclint("-", "--fix", stdin=DROPPED)
    assert (ran.status, ran.out) == (1, DROPPED)
    assert ran.err.startswith("stdin:13:9: ASL201 ")


def test_diff_of_standard_input(suite: Path, asynclint: Asynclint) -> None:
    ran = asynclint("-", "--diff", "--stdin-filename", "tests/test_x.py", stdin=BAD)
    assert ran.status == 1
    assert ran.out.startswith("--- tests/test_x.py")


def test_text_without_a_name_is_judged_by_what_it_holds(asynclint: Asynclint) -> None:
    body = "import asyncio\n\nasync def work():\n    asyncio.sleep(1)\n"
    for less in ("", "\nfrom testing_tools import kiln\n", "\nfrom .pytest_kiln import heat\n"):
        ran = asynclint("-", stdin=body + less)
        assert (ran.status, ran.out) == (0, ""), less
        assert ran.err.startswith("stdin: no test file by its name or content, so it was not checked")
    for more in (
        "\ndef test_it():\n    pass\n",
        "\nclass TestIt:\n    def test_it(self):\n        pass\n",
        "\nfrom pytest import mark\n",
        "\nimport pytest_asyncio as aio\n",
        "\nimport unittest\n\nclass It(unittest.TestCase):\n    pass\n",
    ):
        ran = asynclint("-", stdin=body + more)
        assert (ran.status, ran.out.split()[1]) == (1, "ASL301"), more
