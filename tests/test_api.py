"""What ``import asynclint`` offers to programs."""

from __future__ import annotations

import doctest
import gc
import subprocess
import sys
from pathlib import Path

import pytest
from samples import BAD, GOOD, Asynclint

import asynclint as package
from asynclint import api

WAITS = "async def test_it(queue):\n    await queue.get()\n"


def test_importing_it_costs_nothing() -> None:
    code = """
import sys
import asynclint
own = {name for name in sys.modules if name.startswith("asynclint.")}
assert not own, own
assert asynclint.Finding and asynclint.Settings and asynclint.check_source
assert "libcst" not in sys.modules and "asynclint.engine" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_public_names() -> None:
    for name in package.__all__:
        assert getattr(package, name) is not None
        assert name in dir(package)
    with pytest.raises(AttributeError, match="has no attribute 'check_sauce'"):
        _ = package.check_sauce
    assert not hasattr(package, "StrPath")


def test_it_is_typed(tmp_path: Path) -> None:
    (tmp_path / "uses.py").write_text(
        "import asynclint\n"
        "reveal_type([c.findings[0].span.start.line for c in asynclint.check_paths(['tests'])])\n"
        "reveal_type(asynclint.check_source(b'').problem)\n"
        "asynclint.check_source(1)\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "uses.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert 'Revealed type is "list[int]"' in done.stdout.replace("builtins.", "")
    assert "asynclint.source.files.Problem | None" in done.stdout
    assert "uses.py:4: error" in done.stdout
    assert "Found 1 error" in done.stdout


def test_the_examples(suite: Path) -> None:
    (suite / "tests" / "test_wait.py").write_text(WAITS)
    (suite / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["anyio"]\n')
    found = [test for test in doctest.DocTestFinder().find(api, "api") if test.examples]
    assert [test.name for test in found] == ["api.check_paths", "api.check_source"]
    for test in found:
        assert doctest.DocTestRunner().run(test).failed == 0


def test_a_text_is_judged_in_its_project(suite: Path) -> None:
    (finding,) = package.check_source(BAD, path="tests/test_new.py").findings
    assert (finding.path, finding.code, finding.span.start.line) == ("tests/test_new.py", "ASL101", 7)
    assert finding.fix is not None
    with pytest.raises(AttributeError):
        finding.code = "ASL102"  # type: ignore[misc]
    (suite / "pyproject.toml").write_text('[tool.asynclint]\nignore = ["ASL1"]\n')
    (suite / "inner").mkdir()
    (suite / "inner" / "pyproject.toml").write_text('[tool.asynclint]\nignore = ["ASL101"]\n')
    assert package.check_source(BAD.encode(), suite / "inner" / "test_it.py").findings == ()
    only = package.Settings(select=("ASL2",))
    assert package.check_source(BAD, "tests/test_new.py", only).findings == ()


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def (:\n", "cannot be parsed"),
        (b"x = '\xff'\n", "cannot be decoded"),
        (b"x = '\0'", "NUL"),
        ("x = '\ud800'\n", "cannot be parsed"),
        ("(" * 9999, "cannot be parsed"),
    ],
)
def test_a_problem_is_a_result(source: str | bytes, says: str) -> None:
    checked = package.check_source(source, "tests/test_x.py")
    assert checked.findings == ()
    assert checked.problem is not None
    assert says in checked.problem.message
    assert checked.problem.code == "ASL001"


def test_broken_settings_are_a_result(suite: Path) -> None:
    broken = suite / "broken"
    broken.mkdir()
    (broken / "pyproject.toml").write_text("[tool.asynclint]\nselekt = []\n")
    (broken / "test_a.py").write_text(BAD)
    checked = package.check_source(BAD, broken / "test_a.py")
    assert list(package.check_paths([broken])) == [checked]
    assert checked.problem is not None
    assert (checked.problem.code, checked.problem.line) == ("ASL003", 2)


def test_files_as_the_command_sees_them(suite: Path, asynclint: Asynclint) -> None:
    for name, source in (("test_a.py", BAD), ("test_b.py", GOOD), ("test_c.py", "def (:\n")):
        (suite / "tests" / name).write_text(source)
    (suite / "module.py").write_text("x = 1\n")
    results = {result.path: result for result in package.check_paths(["."])}
    assert sorted(results) == ["module.py", "tests/test_a.py", "tests/test_b.py", "tests/test_c.py"]
    assert "no test file" in results["module.py"].note
    assert results["tests/test_c.py"].problem is not None
    findings = [finding for result in results.values() for finding in result.findings]
    lines = [line for line in asynclint("--no-cache").out.splitlines() if "ASL001" not in line]
    assert [
        f"{f.path}:{f.span.start.line}:{f.span.start.column + 1}: {f.code} {f.message}" for f in findings
    ] == lines
    assert not (suite / ".asynclint_cache").exists()


def test_settings_that_are_given_are_all_there_are(suite: Path) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    (suite / "tests" / "pyproject.toml").write_text("[tool.asynclint]\nselekt = []\n")
    (result,) = package.check_paths([suite / "tests"], package.Settings(extend_select=("ASL108",)))
    assert [finding.code for finding in result.findings] == ["ASL101"]


def test_the_collector_of_a_program_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("async def test_it(x):\n    await x\n")
    assert [len(checked.findings) for checked in package.check_paths([tmp_path])] == [1]
    assert gc.isenabled()
