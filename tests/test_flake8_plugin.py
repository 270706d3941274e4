"""The flake8 plugin, in real flake8 runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from samples import BAD, DROPPED, environment

# An off rule: the plugin's own module of rules with one switched off, in flake8's own process.
SWITCH_OFF = """\
import sys
from asynclint.rule import all_rules
next(rule for rule in all_rules() if rule.code == "ASL101").default = False
from flake8.main.cli import main
raise SystemExit(main(sys.argv[1:]))
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A project with an empty configuration of flake8, asynclint and pytest."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "pyproject.toml").write_text('[project]\nrequires-python = ">=3.11"\n')
    configure(tmp_path)
    return tmp_path


def configure(suite: Path, *lines: str) -> None:
    (suite / ".flake8").write_text("\n".join(["[flake8]", *lines, ""]))


def flake8(
    suite: Path, *arguments: str, stdin: str | None = None, program: str | None = None
) -> subprocess.CompletedProcess[str]:
    start = ["-m", "flake8"] if program is None else ["-c", program]
    return subprocess.run(
        [sys.executable, *start, *arguments],
        cwd=suite,
        env=environment(),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def test_findings_with_flake8s_columns(suite: Path) -> None:
    (suite / "tests" / "test_a.py").write_text(DROPPED)
    done = flake8(suite)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("./tests/test_a.py:13:9: ASL201 ")
    assert done.stdout.count("\n") == 1


def test_version_is_listed(suite: Path) -> None:
    assert "asynclint: " in flake8(suite, "--version").stdout or "ASL: " in flake8(suite, "--version").stdout


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        ([], True),
        (["--select", "ASL"], True),
        (["--select", "ASL101"], True),
        (["--select", "E,W,F"], False),
        (["--ignore", "E501"], True),
        (["--ignore", "ASL1"], False),
        (["--extend-ignore", "ASL101"], False),
        (["--per-file-ignores", "tests/test_a.py:ASL101"], False),
        (["--per-file-ignores", "tests/test_b.py:ASL101"], True),
        (["--jobs", "1"], True),
        (["--disable-noqa"], True),
    ],
)
def test_flake8s_own_selection(suite: Path, arguments: list[str], reported: bool) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    assert ("ASL101" in flake8(suite, *arguments).stdout) is reported


def test_codes_in_flake8s_configuration(suite: Path) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    configure(suite, "extend-ignore = ASL101,E203")
    assert flake8(suite).stdout == ""
    configure(suite, "per-file-ignores =", "    tests/*: ASL1, E501")
    assert flake8(suite).stdout == ""


@pytest.mark.parametrize(
    ("comment", "arguments", "reported"),
    [
        ("# noqa", [], False),
        ("# noqa: ASL101", [], False),
        ("# noqa: ASL1", [], False),
        ("# noqa: E501", [], True),
        ("# noqa: ASL101", ["--disable-noqa"], True),
    ],
)
def test_noqa(suite: Path, comment: str, arguments: list[str], reported: bool) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD.replace("waits():", f"waits():  {comment}"))
    assert ("ASL101" in flake8(suite, *arguments).stdout) is reported


def test_standard_input(suite: Path) -> None:
    nameless = flake8(suite, "-", stdin=BAD)
    assert nameless.stdout.startswith("stdin:7:1: ASL101 ")
    named = flake8(suite, "--stdin-display-name", "tests/test_new.py", "-", stdin=BAD)
    assert named.stdout.startswith("tests/test_new.py:7:1: ASL101 ")


def test_standard_input_is_read_and_not_the_file_of_that_name(suite: Path) -> None:
    (suite / "tests" / "test_a.py").write_text("x = 1\n")
    done = flake8(suite, "--stdin-display-name", "tests/test_a.py", "-", stdin=BAD)
    assert "ASL101" in done.stdout
    (suite / "tests" / "test_a.py").write_text(BAD)
    assert flake8(suite, "--stdin-display-name", "tests/test_a.py", "-", stdin="x = 1\n").stdout == ""


def test_several_processes_agree_with_one(suite: Path) -> None:
    for number in range(12):
        (suite / "tests" / f"test_{number:02}.py").write_text(BAD if number % 2 else DROPPED)
    one = flake8(suite, "--jobs", "1")
    assert one.stdout.count("\n") == 12
    assert flake8(suite, "--jobs", "3").stdout == one.stdout


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        ([], False),
        (["--select", "ASL"], False),
        (["--select", "ASL10"], False),
        (["--select", "ASL101"], True),
        (["--extend-select", "ASL101"], True),
        (["--select", "ASL101", "--ignore", "ASL101"], False),
        (["--ignore", "E501"], False),
    ],
)
def test_an_off_rule_runs_only_by_its_full_code(suite: Path, arguments: list[str], reported: bool) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    done = flake8(suite, "--jobs", "1", *arguments, program=SWITCH_OFF)
    assert done.stderr == ""
    assert ("ASL101" in done.stdout) is reported


def test_an_off_rule_named_in_pyproject_runs_too(suite: Path) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    (suite / "pyproject.toml").write_text('[tool.asynclint]\nextend-select = ["ASL101"]\n')
    assert "ASL101" in flake8(suite, "--jobs", "1", program=SWITCH_OFF).stdout


def test_settings_of_the_nearest_pyproject(suite: Path) -> None:
    inner = suite / "inner" / "tests"
    inner.mkdir(parents=True)
    (suite / "tests" / "test_a.py").write_text(BAD)
    (inner / "test_a.py").write_text(BAD)
    (suite / "inner" / "pyproject.toml").write_text('[tool.asynclint]\nignore = ["ASL1"]\n')
    assert [line.split(":")[0] for line in flake8(suite).stdout.splitlines()] == ["./tests/test_a.py"]


def test_asynclint_config(suite: Path) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    (suite / "ours.toml").write_text('[tool.asynclint]\nselect = ["ASL2"]\n')
    assert flake8(suite, "--asynclint-config", "ours.toml").stdout == ""
    configure(suite, "asynclint-config = ours.toml")
    assert flake8(suite).stdout == ""
    assert "ASL003" in flake8(suite, "--asynclint-config", "absent.toml").stdout


def test_asynclint_options_beat_pyproject(suite: Path) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    (suite / "shop.py").write_text("import time\n\n\nasync def wait():\n    time.sleep(1)\n")
    assert "ASL101" in flake8(suite).stdout
    assert "ASL403" not in flake8(suite).stdout
    (suite / "pyproject.toml").write_text('[tool.asynclint]\nscope = "tests"\n')
    configure(suite, "asynclint-scope = all")
    assert "./shop.py:5:5: ASL403" in flake8(suite).stdout
    configure(suite, "asynclint-blocking-calls = shop.fetch, shop.Client.fetch\nasynclint-scope = all")
    (suite / "shop.py").write_text("def fetch(): ...\n\n\nasync def wait():\n    fetch()\n")
    assert "./shop.py:5:5: ASL403" in flake8(suite).stdout


def test_asynclint_loop_guards_only(suite: Path) -> None:
    source = (
        "import pytest\n\n\n@pytest.mark.timeout(5)\nasync def test_waits(queue):\n    await queue.get()\n"
    )
    (suite / "tests" / "test_a.py").write_text(source)
    assert "ASL101" not in flake8(suite).stdout
    assert "ASL101" in flake8(suite, "--asynclint-loop-guards-only").stdout
    configure(suite, "asynclint-loop-guards-only = true")
    assert "ASL101" in flake8(suite).stdout


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("asynclint-scope = some", 'ASL003 asynclint-scope: must be "tests" or "all", not \'some\''),
        ("asynclint-target-version = 2.7", "ASL003 asynclint-target-version: must be a string"),
        (
            "asynclint-environment = nowhere",
            "ASL003 asynclint-environment: no virtual environment",
        ),
    ],
)
def test_an_option_that_cannot_be_used_is_one_finding(suite: Path, given: str, said: str) -> None:
    for name in ("test_a.py", "test_b.py"):
        (suite / "tests" / name).write_text(BAD)
    configure(suite, given)
    found = [line for line in flake8(suite, "--jobs", "1").stdout.splitlines() if "ASL" in line]
    assert len(found) == 1
    assert said in found[0]


def test_a_broken_pyproject_is_one_finding_that_names_it(suite: Path) -> None:
    for name in ("test_a.py", "test_b.py"):
        (suite / "tests" / name).write_text(BAD)
    (suite / "pyproject.toml").write_text("[tool.asynclint]\nguard-second = 1\n")
    done = flake8(suite, "--jobs", "1")
    assert done.stderr == ""
    # flake8 takes the files of a directory in no order.
    assert done.stdout.startswith(("./tests/test_a.py:1:1: ASL003 ", "./tests/test_b.py:1:1: ASL003 "))
    assert f'{suite}/pyproject.toml:2: [tool.asynclint] unknown key "guard-second"' in done.stdout
    assert done.stdout.count("\n") == 1


def test_a_fault_of_ours_is_a_finding_and_flake8_goes_on(suite: Path) -> None:
    # A rule that fails: flake8 alone would stop at a plugin's exception.
    program = SWITCH_OFF.replace(".default = False", ".triggered = lambda *_: 1 / 0")
    (suite / "tests" / "test_a.py").write_text(f"{BAD}\n\n\n\n{BAD}")
    done = flake8(suite, "--jobs", "1", program=program)
    assert done.stderr == ""
    assert "ASL002" in done.stdout
    assert "ZeroDivisionError" in done.stdout
    assert "E303" in done.stdout, "the other plugins have run"


def test_a_fault_outside_of_rules_names_the_file(suite: Path) -> None:
    program = "import asynclint.run\nasynclint.run.check_text = None\n" + SWITCH_OFF
    (suite / "tests" / "test_a.py").write_text(BAD)
    done = flake8(suite, "--jobs", "1", program=program)
    assert done.stderr == ""
    assert done.stdout.startswith(
        "./tests/test_a.py:1:1: ASL002 asynclint failed on ./tests/test_a.py: TypeError"
    )


@pytest.mark.parametrize(
    "source",
    [
        "\ufeff" + BAD,
        BAD.replace("\n", "\r\n"),
        BAD + "x = '\u2028\x0c'\n",
        BAD.rstrip("\n"),
        BAD.replace("event = ", 'text = "éééé"; event = '),
    ],
)
def test_unusual_files(suite: Path, source: str) -> None:
    path = suite / "tests" / "test_a.py"
    path.write_bytes(source.encode())
    done = flake8(suite, "--select", "ASL")
    assert done.stdout.startswith("./tests/test_a.py:7:1: ASL101 ")
    assert done.stdout.count("\n") == 1


def test_a_syntax_error_is_left_to_flake8(suite: Path) -> None:
    (suite / "tests" / "test_a.py").write_text("def (:\n")
    done = flake8(suite)
    assert "E999" in done.stdout
    assert "ASL" not in done.stdout


def test_a_file_that_is_no_test_file_needs_no_tree(suite: Path) -> None:
    (suite / "app.py").write_text("import asyncio\n\n\nasync def main():\n    await asyncio.sleep(0)\n")
    (suite / "tests" / "test_a.py").write_text("def test_sync():\n    assert True\n")
    program = (
        "import sys; from flake8.main.cli import main; assert main(sys.argv[1:]) == 0;"
        "sys.exit(str({'libcst', 'rich', 'click'} & set(sys.modules)))"
    )
    assert flake8(suite, "--jobs", "1", program=program).stderr.splitlines()[-1:] == ["set()"]


def test_a_file_that_is_known_needs_no_rules(suite: Path) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    program = (
        "import sys; from flake8.main.cli import main; assert main(sys.argv[1:]) == 1;"
        "sys.exit(str(sorted(name for name in sys.modules if name.startswith('asynclint.rules.'))))"
    )
    first, second = (flake8(suite, "--select", "ASL", "--jobs", "1", program=program) for _ in range(2))
    assert "asynclint.rules.asl101_unbounded_test" in first.stderr
    assert second.stderr.splitlines()[-1:] == ["[]"]
    assert second.stdout == first.stdout != ""
