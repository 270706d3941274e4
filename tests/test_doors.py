"""One answer at every door: flake8 and the command report the same for every fixture there is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from samples import environment

from asynclint.rule import Scope, all_rules

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All fixtures below one directory, each folder with its own settings and its rule named in full."""
    root = tmp_path_factory.mktemp("doors")
    # What is left after a fix belongs here as well: it must be as clean at both doors.
    shutil.copytree(ROOT / "fixtures", root / "fixtures", ignore=shutil.ignore_patterns("__pycache__", ".*"))
    for folder in (root / "fixtures").glob("asl*"):
        settings = folder / "settings.toml"
        own = settings.read_text(encoding="utf-8") if settings.exists() else ""
        code = folder.name.partition("_")[0].upper()
        table = f'[tool.asynclint]\nextend-select = ["{code}"]\n{own}'
        (folder / "pyproject.toml").write_text(table, encoding="utf-8")
    (root / ".flake8").write_text("[flake8]\n")
    return root


def door(root: Path, *command: str, stdin: str | None = None) -> list[str]:
    """What one door says on standard output, a line for each finding."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=root,
        env=environment(),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1) or "ASL003 pytest can't read it" in done.stdout, done.stderr
    return sorted(line.removeprefix("./") for line in done.stdout.splitlines())


# What concerns a whole suite is for the command alone.
SUITE_CODES = {rule.code for rule in all_rules() if rule.scope is Scope.SUITE}
TIME_BOUNDS = ",".join(rule.code for rule in all_rules() if rule.code.startswith("ASL1"))


@pytest.mark.parametrize(
    ("flake8_arguments", "arguments"),
    [
        (["--select", "ASL"], []),
        (["--select", "ASL2,ASL3,ASL4,ASL5"], ["--extend-ignore", TIME_BOUNDS]),
        (["--select", "ASL", "--extend-ignore", "ASL301"], ["--extend-ignore", "ASL301"]),
        (["--select", "ASL", "--jobs", "2"], ["--jobs", "2"]),
    ],
)
def test_flake8_reports_what_the_command_reports(
    everything: Path, flake8_arguments: Sequence[str], arguments: Sequence[str]
) -> None:
    # By name, so that neither door's own excludes decide; both skip what is no test file.
    files = sorted(str(path.relative_to(everything)) for path in everything.rglob("*.py"))
    if arguments:  # what is selected, and by how many processes, can be told from fewer
        files = [name for name in files if "/asl1" not in name]
    command = door(everything, "asynclint", "--quiet", "--output-format", "concise", *arguments, *files)
    flake8 = door(everything, "flake8", *flake8_arguments, *files)
    reported = {line.split(" ", 2)[1] for line in command}
    of_files = [line for line in command if ".py:" in line.split(" ", 1)[0]]  # flake8 sees no others
    assert flake8 == [line for line in of_files if line.split(" ", 2)[1] not in SUITE_CODES]
    assert len(reported) > 1
    if not arguments:
        assert reported >= {rule.code for rule in all_rules()}


def test_standard_input_is_judged_alike(everything: Path) -> None:
    name = "fixtures/legacy_suite/tests/test_orders.py"
    source = (everything / name).read_text(encoding="utf-8")
    command = door(everything, "asynclint", "--quiet", "--stdin-filename", name, "-", stdin=source)
    flake8 = door(everything, "flake8", "--select", "ASL", "--stdin-display-name", name, "-", stdin=source)
    assert flake8 == command
    assert command
    nameless = door(everything, "asynclint", "--quiet", "-", stdin=source)
    assert door(everything, "flake8", "--select", "ASL", "-", stdin=source) == nameless
    assert nameless
