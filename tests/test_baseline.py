"""The baseline: what it records is not reported, wherever it moves, and what is new is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import BAD, DROPPED, Asynclint, environment, spawn

from asynclint.cli import run
from asynclint.rule import all_rules

FIXTURES = Path(__file__).parents[1] / "fixtures"

LEGACY = """\
import asyncio

import pytest


async def work(*names):
    await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_drops():
    asyncio.create_task(work('a', 'b'))
    asyncio.create_task(work('a', 'b'))
    await asyncio.Event().wait()


class TestMore:
    @pytest.mark.asyncio
    async def test_drops(self):
        asyncio.create_task(
            work("a",
                 'b'))
        await asyncio.Event().wait()


@pytest.mark.asyncio
async def test_forgets():
    async with asyncio.timeout(30):
        work('c')
        await asyncio.Event().wait()
"""
FINDINGS = 6  # two unbounded tests, three dropped tasks, one coroutine


def entries(path: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(path.read_text())["findings"]
    return found


@pytest.fixture
def legacy(suite: Path, asynclint: Asynclint) -> Path:
    """A suite whose findings are all in base.json, as its pyproject.toml says."""
    (suite / "tests" / "test_a.py").write_text(LEGACY)
    with (suite / "pyproject.toml").open("a") as file:
        file.write('[tool.asynclint]\nbaseline = "base.json"\n')
    ran = asynclint("--write-baseline", "base.json")
    assert (ran.status, ran.out) == (0, "")
    assert ran.err == f"base.json records {FINDINGS} findings in 1 file.\n"
    return suite


def flake8(cwd: Path, *arguments: str) -> list[str]:
    command = [sys.executable, "-m", "flake8", "--isolated", "--select", "ASL", *arguments, "tests"]
    done = subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_what_is_recorded_is_not_reported(legacy: Path, asynclint: Asynclint) -> None:
    ran = asynclint()
    assert (ran.status, ran.out) == (0, "")
    assert ran.err == f"No findings in 1 file, {FINDINGS} in the baseline.\n"
    assert asynclint("--no-baseline").out.count("\n") == FINDINGS
    assert asynclint("--isolated", "--baseline", "base.json").status == 0
    assert asynclint("--isolated").status == 1


def test_every_door_honours_it(legacy: Path) -> None:
    done = spawn(legacy)
    assert (done.returncode, done.stdout) == (0, "")
    assert flake8(legacy) == []
    (legacy / "tests" / "test_b.py").write_text(BAD)
    assert spawn(legacy, "--quiet").stdout.splitlines() == flake8(legacy)
    source = (legacy / "tests" / "test_a.py").read_text()
    command = [sys.executable, "-m", "asynclint", "--stdin-filename", "tests/test_a.py", "-"]
    assert subprocess.run(command, cwd=legacy, input=source, text=True, check=False).returncode == 0


def test_the_file_reads_well(legacy: Path) -> None:
    text = (legacy / "base.json").read_text()
    assert '{"file": "tests/test_a.py", "code": "ASL101", "in": "TestMore.test_drops", ' in text
    assert json.loads(text)["asynclint-baseline"] == 1
    rows = entries(legacy / "base.json")
    assert text.count("\n") == len(rows) + 5
    assert rows == sorted(rows, key=lambda row: (row["code"], row["in"], row["at"]))
    twice = [row for row in rows if row["count"] == 2]
    assert [(row["in"], row["at"]) for row in twice] == [
        ("test_drops", "asyncio.create_task(work('a', 'b'))")
    ]


def test_formatters_and_inserted_lines_bring_nothing_back(legacy: Path, asynclint: Asynclint) -> None:
    path = legacy / "tests" / "test_a.py"
    for width in ("40", "120"):
        command = [sys.executable, "-m", "ruff", "format", "--isolated", "--quiet", "--line-length", width]
        subprocess.run([*command, str(path)], check=True)
        assert path.read_text() != LEGACY
        assert asynclint().err == f"No findings in 1 file, {FINDINGS} in the baseline.\n"
    path.write_text(path.read_text().replace("import pytest\n", "import pytest\n\nX = '''\n\n'''\n"))
    assert asynclint().status == 0


BLOCKS = LEGACY.split("\n\n\n")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(BLOCKS[1:]), gaps=st.lists(st.integers(0, 3), min_size=4, max_size=4))
def test_reordered_functions_bring_nothing_back(order: list[str], gaps: list[int], legacy: Path) -> None:
    between = [gap * "\n" + "# moved\n" for gap in gaps]
    moved = "\n\n".join(part for pair in zip(between, order, strict=True) for part in pair)
    (legacy / "tests" / "test_a.py").write_text(f"{BLOCKS[0]}\n\n{moved}\n")
    assert run(["--no-cache", "--quiet"]) == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("class TestMore:\n", "class TestMore:\n    async def test_more(self):\n        work('c')\n\n"),
        ("        work('c')\n", "        work('c')\n        work('c')\n"),
        ("work('c')", "work('d')"),
        ("test_forgets", "test_renamed"),
    ],
)
def test_what_is_new_is_reported(legacy: Path, asynclint: Asynclint, old: str, new: str) -> None:
    path = legacy / "tests" / "test_a.py"
    assert old in LEGACY
    path.write_text(LEGACY.replace(old, new))
    ran = asynclint()
    assert (ran.status, ran.out.count("\n")) == (1, 1)
    assert flake8(legacy) == ran.out.splitlines()


def test_a_third_of_two_is_the_last(legacy: Path, asynclint: Asynclint) -> None:
    line = "    asyncio.create_task(work('a', 'b'))\n"
    (legacy / "tests" / "test_a.py").write_text(LEGACY.replace(line * 2, line * 3))
    assert asynclint().out.startswith("tests/test_a.py:14:5: ASL201 ")


def test_entries_that_are_fixed_are_said_once(legacy: Path, asynclint: Asynclint) -> None:
    path = legacy / "tests" / "test_a.py"
    path.write_text(LEGACY.replace("work('c')", "await work('c')"))
    (legacy / "tests" / "test_b.py").write_text("async def test_b(): ...\n")
    fixed = "1 entry of the baseline is fixed: --write-baseline renews it.\n"
    assert fixed in asynclint().err
    assert fixed in asynclint().err, "from the cache, too"
    assert "fixed" not in asynclint("--select", "ASL1").err, "nobody looked for it"
    assert "fixed" not in asynclint("tests/test_b.py").err, "nor there"
    path.write_text("def broken(\n")
    assert "fixed" not in asynclint().err


def test_renewing(legacy: Path, asynclint: Asynclint) -> None:
    base, path = legacy / "base.json", legacy / "tests" / "test_a.py"
    (legacy / "tests" / "test_b.py").write_text(DROPPED)
    assert (
        "records 7 findings in 2 files, 6 of them not looked for"
        in asynclint("--write-baseline", "base.json", "tests/test_b.py").err
    )
    path.write_text(BAD)
    asynclint("--write-baseline", "base.json", "--select", "ASL1")
    assert {row["code"] for row in entries(base)} == {"ASL101", "ASL201", "ASL301"}, "others stay"
    asynclint("--write-baseline", "base.json")
    assert [(row["file"], row["code"]) for row in entries(base)] == [
        ("tests/test_a.py", "ASL101"),
        ("tests/test_b.py", "ASL201"),
    ]
    before = base.stat()
    asynclint("--write-baseline", "base.json")
    assert base.stat() == before, "the same content is not written again"
    path.unlink()
    asynclint("--write-baseline", "base.json", "tests/test_b.py")
    assert [row["file"] for row in entries(base)] == ["tests/test_b.py"], "a file that is gone has none"


@pytest.mark.parametrize(
    ("content", "where", "says"),
    [
        ("{\n<<<<<<< HEAD\n}", ":2:1: ", "not valid JSON"),
        ("[]", ":1:1: ", "another kind of file"),
        ('{"asynclint-baseline": 2, "findings": []}', ":1:1: ", "newer asynclint"),
        ('{"asynclint-baseline": 1, "findings": [\n{"file": 1}\n]}', ":2:1: ", "entry 1"),
        (b'{"\xff": 1}', ":1:1: ", "not valid JSON"),
        ("[" * 99_999, ":1:1: ", "not valid JSON"),
        (None, ":1:1: ", "cannot be read: No such file"),
    ],
)
def test_a_broken_baseline_is_one_error(
    legacy: Path, asynclint: Asynclint, content: str | bytes | None, where: str, says: str
) -> None:
    base = legacy / "base.json"
    if content is None:
        base.unlink()
    else:
        base.write_bytes(content.encode() if isinstance(content, str) else content)
    ran = asynclint()
    assert ran.status == 2
    (line,) = ran.out.splitlines()
    assert line.startswith(f"base.json{where}ASL003 the baseline")
    assert says in line
    assert "asynclint --write-baseline writes" in line
    (at_flake8,) = flake8(legacy, "--jobs", "1")
    assert at_flake8.startswith("tests/test_a.py:1:1: ASL003 ")
    assert says in at_flake8


def test_a_broken_baseline_is_renewed_and_no_other_file_is(legacy: Path, asynclint: Asynclint) -> None:
    base = legacy / "base.json"
    good = base.read_text()
    base.write_text(good.replace("\n", "\n=======\n", 1))
    assert asynclint("--write-baseline", "base.json").status == 0
    assert base.read_text() == good
    ran = asynclint("--write-baseline", "pyproject.toml")
    assert ran.status == 2
    assert "is no baseline, so it is not overwritten" in ran.err
    assert asynclint("--write-baseline", "missing/base.json").status == 2


def test_fix_repairs_what_is_reported_only(legacy: Path, asynclint: Asynclint) -> None:
    path = legacy / "tests" / "test_a.py"
    new = "\n\n@pytest.mark.asyncio\nasync def test_new():\n    await asyncio.Event().wait()\n"
    path.write_text(LEGACY + new)
    ran = asynclint("--fix")
    assert (ran.status, ran.err) == (0, f"Fixed 1 finding in 1 file; 0 left, {FINDINGS} in the baseline.\n")
    assert path.read_text().startswith(LEGACY)
    assert asynclint("--fix", "--select", "ASL101", "--no-baseline").err.startswith("Fixed 2 findings")
    assert asynclint().err.splitlines() == [
        "No findings in 1 file, 4 in the baseline.",
        "2 entries of the baseline are fixed: --write-baseline renews it.",
    ]


def test_one_rule_at_a_time(suite: Path, asynclint: Asynclint) -> None:
    """README's guide: --fix of one rule leaves what other rules say as it is."""
    path = suite / "tests" / "test_a.py"
    path.write_text(LEGACY)
    assert asynclint("--fix", "--select", "ASL101").err == "Fixed 2 findings in 1 file; 0 left.\n"
    assert path.read_text().count("asyncio.timeout(30)") == 3
    assert {line.split()[1] for line in asynclint().out.splitlines()} == {"ASL201", "ASL301"}


@pytest.mark.slow
def test_every_fixture_survives_a_formatter(tmp_path: Path) -> None:
    left = shutil.ignore_patterns("__pycache__", ".*", "project_broken")  # that one ends with status 2
    shutil.copytree(FIXTURES, tmp_path / "fixtures", ignore=left)
    arguments = ("--no-cache", "--extend-select", ",".join(rule.code for rule in all_rules()))
    recorded = spawn(tmp_path, *arguments, "--write-baseline", "base.json").stderr
    number = int(re.fullmatch(r"base.json records (\d+) findings in \d+ files.\n", recorded)[1])  # type: ignore[index]
    assert number > 800
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--quiet", "--line-length", "60"]
    subprocess.run([*command, "."], cwd=tmp_path, check=True)
    done = spawn(tmp_path, *arguments, "--baseline", "base.json")
    assert (done.returncode, done.stdout) == (0, "")
    assert f", {number} in the baseline" in done.stderr


def test_what_noqa_suppresses_takes_no_entry(legacy: Path, asynclint: Asynclint) -> None:
    line = "    asyncio.create_task(work('a', 'b'))"
    (legacy / "tests" / "test_a.py").write_text(
        LEGACY.replace(f"{line}\n{line}", f"{line}  # noqa: ASL201\n{line}\n{line}")
    )
    assert asynclint().status == 0
    assert flake8(legacy) == []


def test_suites_too(suite: Path, asynclint: Asynclint) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    (suite / "tests" / "conftest.py").write_text("")
    config = '[project]\nname = "x"\ndependencies = ["pytest-asyncio"]\n[tool.pytest.ini_options]\n'
    (suite / "pyproject.toml").write_text(config)
    select = ("--extend-select", "ASL207,ASL401")
    assert "records 3 findings in 3 files" in asynclint("--write-baseline", "base.json", *select).err
    (suite / "pyproject.toml").write_text(f"# moved\n{config}")
    ran = asynclint("--baseline", "base.json", *select)
    assert (ran.status, ran.out) == (0, "")
    assert ", 3 in the baseline" in ran.err
    (suite / "pyproject.toml").write_text(config + "asyncio_debug = true\n")
    spawn(suite, "--write-baseline", "base.json", *select)  # configuration is read once a process
    assert {row["code"] for row in entries(suite / "base.json")} == {"ASL101", "ASL207"}


def test_the_cache_knows_of_no_baseline(suite: Path, asynclint: Asynclint) -> None:
    (suite / "tests" / "test_a.py").write_text(LEGACY)
    assert asynclint("--cache-dir", "cache").status == 1
    asynclint("--cache-dir", "cache", "--write-baseline", "base.json")
    assert asynclint("--cache-dir", "cache", "--baseline", "base.json").status == 0
    assert asynclint("--cache-dir", "cache").out.count("\n") == FINDINGS
    rows = (suite / "base.json").read_text().splitlines(keepends=True)
    (suite / "base.json").write_text("".join(row for row in rows if "ASL301" not in row))
    # of the sorted rows the last has gone, and with it goes a comma
    (suite / "base.json").write_text((suite / "base.json").read_text().replace("},\n  ]", "}\n  ]"))
    assert "ASL301" in asynclint("--cache-dir", "cache", "--baseline", "base.json").out


def test_a_baseline_that_cannot_be_written_is_one_line(legacy: Path, asynclint: Asynclint) -> None:
    ran = asynclint("--write-baseline", "tests/test_a.py/base.json")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("asynclint: --write-baseline tests/test_a.py/base.json: cannot be written: ")
    assert ran.err.count("\n") == 1
