"""The command: what it prints where, and how it exits."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from samples import BAD, DROPPED, GOOD, Asynclint, Ran, spawn

from asynclint import __version__
from asynclint.rule import all_rules


def test_nothing_to_report(suite: Path, asynclint: Asynclint) -> None:
    (suite / "tests" / "test_a.py").write_text(GOOD)
    assert asynclint() == Ran(0, "", "No findings in 1 file.\n")


def test_findings_are_flake8_lines_on_standard_output(suite: Path, asynclint: Asynclint) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    (suite / "tests" / "test_b.py").write_text(GOOD)
    ran = asynclint()
    assert ran.status == 1
    assert ran.out.startswith("tests/test_a.py:7:1: ASL101 ")
    assert ran.out.count("\n") == 1
    assert ran.err == "Found 1 finding in 1 of 2 files; --fix repairs 1.\n"


def test_quiet_and_exit_zero(suite: Path, asynclint: Asynclint) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    ran = asynclint("--quiet", "--exit-zero", "--no-cache")
    assert (ran.status, ran.err) == (0, "")
    assert "ASL101" in ran.out


def test_exit_zero_does_not_hide_a_file_that_was_not_checked(suite: Path, asynclint: Asynclint) -> None:
    (suite / "tests" / "test_a.py").write_text("def (:\n")
    assert asynclint("--exit-zero").status == 2


def test_a_broken_file_is_one_line_and_the_rest_is_checked(suite: Path, asynclint: Asynclint) -> None:
    (suite / "tests" / "test_a.py").write_text("x = 1\ndef (:\n")
    (suite / "tests" / "test_b.py").write_bytes(b"# coding: nonsense\n")
    (suite / "tests" / "test_c.py").write_bytes(b"x = '\xff'\n")
    (suite / "tests" / "test_d.py").write_text(BAD)
    ran = asynclint("tests", "absent.py")
    assert ran.status == 2
    lines = ran.out.splitlines()
    assert [line.split(" ")[:2] for line in lines] == [
        ["absent.py:1:1:", "ASL001"],
        ["tests/test_a.py:2:5:", "ASL001"],
        ["tests/test_b.py:1:1:", "ASL001"],
        ["tests/test_c.py:1:6:", "ASL001"],
        ["tests/test_d.py:7:1:", "ASL101"],
    ]
    assert "4 could not be checked" in ran.err


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_one_line(suite: Path, asynclint: Asynclint) -> None:
    path = suite / "tests" / "test_a.py"
    path.write_text(BAD)
    path.chmod(0)
    ran = asynclint()
    assert (ran.status, ran.out) == (2, "tests/test_a.py:1:1: ASL001 cannot be read: Permission denied\n")


DROPS = "import asyncio\n\nasync def test_it():\n    asyncio.sleep(1)\n"
UNREADABLE = [
    ("pytest.ini", "[pytest\n", "pytest.ini:1:1", "nothing to continue: '[pytest'"),
    ("tox.ini", "[tox]\na = 1\n[pytest]\na = 1\na = 2\n", "tox.ini:5:1", "a duplicate"),
    ("setup.cfg", "[metadata]\nname = a\nnothing\n", "setup.cfg:3:1", "neither a section nor `name = value`"),
    ("pytest.toml", "[pytest]\naddopts = \n", "pytest.toml:2:1", "Invalid value"),
    ("pytest.ini", "[pytest]\naddopts = -k 'open\n", "pytest.ini:2:1", "addopts: No closing quotation"),
]


@pytest.mark.parametrize(("name", "text", "place", "cause"), UNREADABLE)
@pytest.mark.parametrize(
    "command", [(), ("--show-guards",), ("--add-noqa", "--diff"), ("-", "--stdin-filename", "tests/x.py")]
)
def test_a_configuration_that_pytest_cannot_read_is_one_line_and_the_rest_is_checked(
    suite: Path, asynclint: Asynclint, command: tuple[str, ...], name: str, text: str, place: str, cause: str
) -> None:
    (suite / "tests" / "test_a.py").write_text(DROPS)
    (suite / name).write_text(text)
    ran = asynclint(*command, stdin=DROPS if command[:1] == ("-",) else None)
    assert ran.status == 2
    lines = [line for line in (ran.out + ran.err).splitlines() if "ASL003" in line]
    (line,) = lines
    assert line.startswith(f"{place}: ASL003 pytest can't read it, so no test is known to be unbounded: ")
    assert cause in line
    if command in ((), ("-", "--stdin-filename", "tests/x.py")):
        assert "ASL301" in ran.out


def test_words_that_pytest_cannot_read_are_blamed_on_their_variable(
    suite: Path, asynclint: Asynclint, monkeypatch: pytest.MonkeyPatch
) -> None:
    (suite / "tests" / "test_a.py").write_text(DROPS)
    (suite / "pyproject.toml").write_text("[tool.pytest.ini_options]\naddopts = '-ra'\n")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-k 'open")
    ran = asynclint()
    assert ran.status == 2
    assert ran.out.startswith("PYTEST_ADDOPTS:1:1: ASL003 ")
    assert "pyproject" not in ran.out
    assert "ASL301" in ran.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bogus"], "No such option '--bogus'."),
        (["--select", "ASL9"], '--select: no rule has a code that starts with "ASL9"'),
        (["--extend-ignore", "E501"], '--extend-ignore: no rule has a code that starts with "E501"'),
        (["--guard-seconds", "soon"], "--guard-seconds: must be a number of seconds above 0, not 'soon'"),
        (["--target-version", "3"], '--target-version: must be a string such as "3.11"'),
        (["--lsp", "tests"], "--lsp serves an editor, which says what to check: leave out tests"),
        (["--jobs", "0"], "Invalid value for '--jobs'"),
        (["--output-format", "xml"], "Invalid value for '--output-format'"),
        (["--config", "absent.toml"], "Invalid value for '--config': File 'absent.toml' does not exist."),
        (["--explain", "ASL1O1"], '--explain: no rule is called "ASL1O1"; did you mean ASL101?'),
        (
            ["--explain", "asl30"],
            '--explain: "asl30" begins several codes, and one is explained at a time: ASL301,',
        ),
        (["-", "tests"], "- reads standard input alone"),
    ],
)
def test_bad_usage_is_one_line_and_exit_2(
    suite: Path, asynclint: Asynclint, arguments: list[str], message: str
) -> None:
    ran = asynclint(*arguments)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"asynclint: {message}")
    assert ran.err.count("\n") == 1


def test_a_broken_pyproject_is_one_line_and_the_rest_is_checked(suite: Path, asynclint: Asynclint) -> None:
    for name, body in (("a", "guard-second = 1"), ("b", "guard-seconds = 1")):
        tests = suite / name / "tests"
        tests.mkdir(parents=True)
        (suite / name / "pyproject.toml").write_text(f"[tool.asynclint]\n{body}\n")
        (tests / "test_x.py").write_text(BAD)
        (tests / "test_y.py").write_text(BAD)
    ran = asynclint("a", "b")
    assert ran.status == 2
    lines = ran.out.splitlines()
    assert lines[0].startswith('a/pyproject.toml:2:1: ASL003 [tool.asynclint] unknown key "guard-second"')
    assert [line.split(":")[0] for line in lines[1:]] == ["b/tests/test_x.py", "b/tests/test_y.py"]


def test_toml_that_cannot_be_parsed(suite: Path, asynclint: Asynclint) -> None:
    (suite / "tests" / "test_a.py").write_text(DROPPED)
    (suite / "pyproject.toml").write_text("[[[\n")
    ran = asynclint()
    assert ran.status == 2
    assert ran.out.startswith("pyproject.toml:1:")
    assert "ASL003 invalid TOML" in ran.out
    assert ran.out.count("\n") == 1
    isolated = asynclint("--isolated")  # pytest would not start
    assert isolated.status == 2
    assert "pyproject.toml:1:1: ASL003 pytest can't read it" in isolated.out
    assert "ASL201" in isolated.out


def test_select_and_ignore(suite: Path, asynclint: Asynclint) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    assert asynclint("--select", "ASL2,ASL3").status == 0
    assert asynclint("--select", "ASL1").status == 1
    assert asynclint("--ignore", "ASL1").status == 0
    assert asynclint("--ignore", "ASL1", "--extend-select", "ASL101").status == 1
    assert asynclint("--extend-ignore", "ASL101").status == 0


def test_an_off_rule_runs_only_by_its_full_code(
    suite: Path, asynclint: Asynclint, monkeypatch: pytest.MonkeyPatch
) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    rule = next(rule for rule in all_rules() if rule.code == "ASL101")
    monkeypatch.setattr(rule, "default", False)
    assert asynclint().status == 0
    assert asynclint("--select", "ASL10").status == 0
    assert asynclint("--select", "ASL101").status == 1
    assert asynclint("--extend-select", "ASL101").status == 1


def test_settings_of_the_nearest_pyproject_and_the_command_line_wins(
    suite: Path, asynclint: Asynclint
) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    (suite / "ours.toml").write_text('[tool.asynclint]\nselect = ["ASL2"]\n')
    assert asynclint("--config", "ours.toml").status == 0
    assert asynclint("--config", "ours.toml", "--select", "ASL1").status == 1
    (suite / "pyproject.toml").write_text('[tool.asynclint]\nper-file-ignores = {"tests/*" = ["ASL1"]}\n')
    # Settings are read once in a process: another one sees the new file.
    assert spawn(suite).returncode == 0
    assert spawn(suite, "--isolated").returncode == 1


def test_fix_writes_the_file_and_reports_what_is_left(suite: Path, asynclint: Asynclint) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    (suite / "tests" / "test_b.py").write_text(DROPPED)
    (suite / "tests" / "test_c.py").write_text(GOOD)
    ran = asynclint("--fix")
    assert ran.status == 1
    assert ran.out.startswith("tests/test_b.py:13:9: ASL201 ")
    assert ran.out.count("\n") == 1
    assert ran.err == ("Fixed 1 finding in 1 file; 1 left (1 of them has an unsafe fix: --unsafe-fixes).\n")
    assert "asyncio.timeout(30)" in (suite / "tests" / "test_a.py").read_text()
    assert (suite / "tests" / "test_b.py").read_text() == DROPPED
    again = asynclint("--fix")
    assert again.err.startswith("Fixed 0 findings in 0 files; 1 left")
    unsafe = asynclint("--fix", "--unsafe-fixes")
    assert (unsafe.status, unsafe.out) == (0, "")
    assert unsafe.err == "Fixed 1 finding in 1 file; 0 left.\n"
    assert asynclint().status == 0


def test_guard_seconds_reach_the_fix(suite: Path, asynclint: Asynclint) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    assert asynclint("--fix", "--guard-seconds", "7").status == 0
    assert "asyncio.timeout(7)" in (suite / "tests" / "test_a.py").read_text()


def test_diff_prints_a_patch_and_writes_nothing(suite: Path, asynclint: Asynclint) -> None:
    path = suite / "tests" / "test_a.py"
    path.write_text(BAD)
    (suite / "tests" / "test_b.py").write_text(DROPPED)
    ran = asynclint("--diff")
    assert ran.status == 1
    assert path.read_text() == BAD
    assert ran.out.startswith("--- tests/test_a.py")
    assert "+    async with asyncio.timeout(30):" in ran.out
    assert "test_b.py" not in ran.out
    assert ran.err.startswith("Would fix 1 finding in 1 file; 1 would be left")
    subprocess.run(
        ["patch", "-p0"], input=ran.out, text=True, check=True, stdout=subprocess.DEVNULL, cwd=suite
    )
    expected = path.read_text()
    path.write_text(BAD)
    asynclint("--fix")
    assert path.read_text() == expected


def test_diff_with_nothing_to_change_exits_0_in_spite_of_findings(suite: Path, asynclint: Asynclint) -> None:
    (suite / "tests" / "test_b.py").write_text(DROPPED)
    ran = asynclint("--diff")
    assert (ran.status, ran.out) == (0, "")
    assert asynclint("--diff", "--fix", "--unsafe-fixes").status == 1
    assert (suite / "tests" / "test_b.py").read_text() == DROPPED


def test_diff_keeps_problems_out_of_the_patch(suite: Path, asynclint: Asynclint) -> None:
    (suite / "tests" / "test_a.py").write_text("def (:\n")
    ran = asynclint("--diff")
    assert (ran.status, ran.out) == (2, "")
    assert "tests/test_a.py:1:5: ASL001" in ran.err


def test_a_file_that_is_no_test_file_gets_a_note(suite: Path, asynclint: Asynclint) -> None:
    (suite / "app.py").write_text("x = 1\n")
    ran = asynclint("app.py")
    assert (ran.status, ran.out) == (0, "")
    assert ran.err.startswith("app.py: ")
    assert asynclint("--quiet", "app.py").err == ""
    assert asynclint("-q", "app.py").err == ""


def test_an_empty_directory_says_so(suite: Path, asynclint: Asynclint) -> None:
    assert asynclint("tests") == Ran(0, "", "no test file found in tests\n")


def test_without_a_path_the_testpaths_of_pytest_are_checked(suite: Path, asynclint: Asynclint) -> None:
    for name in ("unit", "other"):
        (suite / name).mkdir()
        (suite / name / "test_a.py").write_text(BAD)
    (suite / "pytest.ini").write_text("[pytest]\ntestpaths = un*\n    absent\n")
    assert asynclint().out.startswith("unit/test_a.py:")
    assert "other" not in asynclint().out
    assert asynclint(".").out.startswith("other/test_a.py:")


def test_a_path_named_twice_is_checked_once(suite: Path, asynclint: Asynclint) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    assert asynclint("tests", "tests/test_a.py", ".").out.count("\n") == 1


def test_exclude(suite: Path, asynclint: Asynclint) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    (suite / "tests" / "test_b.py").write_text(BAD)
    assert asynclint("--exclude", "test_a*").out.startswith("tests/test_b.py")
    assert asynclint("--exclude", "test_a*,test_b.py").out == ""
    assert asynclint("--exclude", "test_*", "tests/test_a.py").status == 1
    assert asynclint("--exclude", "test_*", "--force-exclude", "tests/test_a.py").status == 0


def test_full_output_shows_line_caret_slug_and_fix(suite: Path, asynclint: Asynclint) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    ran = asynclint("--output-format", "full")
    lines = ran.out.splitlines()
    assert lines[0] == "tests/test_a.py:7:1: ASL101 unbounded-test"
    assert "7 | async def test_waits():" in lines
    assert any(line.startswith("  | ^") for line in lines)
    assert any(line.startswith("  = safe fix (--fix): ") for line in lines)
    assert "\x1b" not in ran.out


def test_full_output_shows_related_places(suite: Path, asynclint: Asynclint) -> None:
    (suite / "tests" / "test_a.py").write_text(f"{BAD}    await asyncio.wait_for(event.wait(), 5)\n")
    lines = asynclint("--output-format", "full").out.splitlines()
    assert lines[0] == "tests/test_a.py:7:1: ASL102 wait-outside-guard"
    assert "  = tests/test_a.py:9:5: `await event.wait()` waits outside" in lines


def test_several_processes_agree_with_one(suite: Path, asynclint: Asynclint) -> None:
    for number in range(30):
        (suite / "tests" / f"test_{number:02}.py").write_text((BAD, DROPPED, GOOD, "def (:\n")[number % 4])
    one = asynclint("--jobs", "1")
    assert one.status == 2
    many = spawn(suite, "--jobs", "3")
    assert (many.returncode, many.stdout, many.stderr) == (2, one.out, one.err)


def test_version_help_rules_settings(suite: Path, asynclint: Asynclint) -> None:
    assert asynclint("--version") == Ran(0, f"asynclint {__version__}\n", "")
    for flag in ("-h", "--help"):
        assert "--unsafe-fixes" in asynclint(flag).out
    listing = asynclint("--list-rules").out.splitlines()
    assert len(listing) == len(all_rules()) + 1
    assert listing[1].startswith("ASL101  unbounded-test")


@pytest.mark.parametrize("name", ["ASL101", "asl101", "unbounded-test"])
def test_explain(suite: Path, asynclint: Asynclint, name: str) -> None:
    ran = asynclint("--explain", name)
    assert ran.status == 0
    assert ran.out.startswith("ASL101 unbounded-test\non by default · safe fix · since 0.1\n")
    assert "Bad:\n" in ran.out
    assert "    " in ran.out


@pytest.mark.parametrize("code", ["ASL001", "ASL002", "ASL003"])
def test_explain_knows_the_codes_of_asynclint_itself(suite: Path, asynclint: Asynclint, code: str) -> None:
    assert asynclint("--explain", code).out.startswith(f"{code} ")


def test_show_settings_says_where_each_value_comes_from(suite: Path, asynclint: Asynclint) -> None:
    inner = suite / "inner"
    inner.mkdir()
    (inner / "pyproject.toml").write_text(
        '[project]\nrequires-python = ">=3.9"\n[tool.asynclint]\nguard-seconds = 3\n'
        'extend-select = ["ASL201"]\nper-file-ignores = {"a*.py" = ["ASL1"]}\n'
    )
    out = asynclint("--show-settings", "inner", "--extend-select", "ASL202", "--loop-guards-only").out
    rows = dict(line.split("  # ") for line in out.splitlines()[2:])
    rows = {key.strip(): value for key, value in rows.items()}
    assert rows['select = ["ASL"]'] == "default"
    assert rows["guard-seconds = 3"] == f"{inner}/pyproject.toml:4"
    assert rows['extend-select = ["ASL201", "ASL202"]'] == f"{inner}/pyproject.toml:5, command line"
    assert rows["loop-guards-only = true"] == "command line"
    assert rows['per-file-ignores = { "a*.py" = ["ASL1"] }'] == f"{inner}/pyproject.toml:6"
    assert rows['target-version = "3.9"'] == f'{inner}/pyproject.toml project.requires-python = ">=3.9"'
    stated = asynclint("--show-settings", "inner", "--target-version", "3.10").out
    assert 'target-version = "3.10"' in stated
    # What is shown can be pasted.
    (suite / "shown.toml").write_text(out)
    assert asynclint("--show-settings", "--config", "shown.toml").status == 0


def test_show_settings_says_what_flake8_is_told(suite: Path, asynclint: Asynclint) -> None:
    (suite / "setup.cfg").write_text("[metadata]\nname = x\n")
    (suite / "tox.ini").write_text(
        "[flake8]\nmax-line-length = 100\nselect = E,\n    ASL\nextend_ignore = ASL103\n"
        "asynclint-config = a.toml\n"
    )
    out = asynclint("--show-settings").out
    shown = [line.split("  # ") for line in out.splitlines() if line.startswith("# flake8")]
    assert [assignment.rstrip() for assignment, _ in shown] == [
        "# flake8: select = E, ASL",
        "# flake8: extend-ignore = ASL103",
        "# flake8: asynclint-config = a.toml",
    ]
    assert {origin for _, origin in shown} == {f"{suite}/tox.ini [flake8], for flake8 alone"}
    for body in ("max-line-length = 100", "a = 1\na = 2", "[[["):
        (suite / "tox.ini").write_text(f"[flake8]\n{body}\n")
        assert "flake8" not in asynclint("--show-settings").out


def test_show_settings_of_several_paths(suite: Path, asynclint: Asynclint) -> None:
    (suite / "inner").mkdir()
    (suite / "inner" / "pyproject.toml").write_text("[tool.asynclint]\nguard-seconds = 7\n")
    ran = asynclint("--show-settings", ".", "inner")
    assert ran.status == 0
    seconds = [line.split()[2] for line in ran.out.splitlines() if line.startswith("guard-seconds")]
    assert seconds == ["30", "7"]


def test_show_settings_of_a_broken_file(suite: Path, asynclint: Asynclint) -> None:
    (suite / "inner").mkdir()
    (suite / "inner" / "pyproject.toml").write_text("[tool.asynclint]\nscope = 3\n")
    ran = asynclint("--show-settings", "inner")
    assert (ran.status, ran.out) == (2, "")
    assert "pyproject.toml:2: [tool.asynclint] scope: must be" in ran.err


def test_hostile_names_cannot_drive_the_terminal(suite: Path, asynclint: Asynclint) -> None:
    (suite / "tests" / "test_\x1b[31m\nred.py").write_text("def (:\n")
    ran = asynclint("tests")
    assert ran.status == 2
    assert ran.out.startswith("tests/test_\\x1b[31m\\nred.py:1:5: ASL001 ")


def test_a_bug_is_one_line_that_says_how_to_report_it(
    suite: Path, asynclint: Asynclint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asynclint.keys.PARSERS", None)
    ran = asynclint("--select", "ASL1")
    assert ran.status == 2
    assert ran.err.startswith("asynclint: internal error: TypeError: ")
    assert "ASYNCLINT_TRACEBACK=1" in ran.err
    assert ran.err.count("\n") == 1
    monkeypatch.setenv("ASYNCLINT_TRACEBACK", "1")
    with pytest.raises(TypeError):
        asynclint("--select", "ASL1")
