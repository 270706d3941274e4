"""asynclint over its own tests; and the proof that the fixture tests can fail."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from fixture_folders import folders
from samples import environment

from asynclint.run import check_files
from asynclint.settings import settings_for
from asynclint.source.files import File, find

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]

SILENT = """
from asynclint.rule import all_rules

for rule in all_rules():
    rule.checked = lambda subject, project: iter(())
"""
NOISY = """
from asynclint.finding import Finding
from asynclint.rule import all_rules


def everywhere(rule):
    def check(subject, project):
        scope = getattr(subject, "scope", subject)  # of a function; a module is its own
        yield Finding("", scope.outline.text.span(scope.node.body[0]), rule.code, "sabotaged")

    return check


for rule in all_rules():
    rule.triggered, rule.checked = None, everywhere(rule)
"""


def test_own_tests_are_clean() -> None:
    settings = settings_for(ROOT)
    files = [file for file in find([ROOT / "tests"], settings) if isinstance(file, File)]
    assert len(files) > 25
    for result in check_files(files, settings):
        assert (result.findings, result.problem, result.note) == ((), None, ""), result.display


@pytest.mark.parametrize(
    ("sabotage", "test", "says", "reddened"),
    [
        (SILENT, "test_bad_is_reported", "missed alarm", sum(len(folder.bad) for folder in folders())),
        (NOISY, "test_good_is_silent", "false alarm", sum(len(folder.good) for folder in folders())),
    ],
)
def test_a_sabotaged_rule_turns_its_fixtures_red(
    sabotage: str, test: str, says: str, reddened: int, tmp_path: Path
) -> None:
    (tmp_path / "sabotage.py").write_text(sabotage)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "sabotage", "-k", test]
    done = subprocess.run(
        [*command, "tests/test_rules.py"],
        cwd=ROOT,
        env=environment(PYTHONPATH=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
    )
    summary = done.stdout.splitlines()[-1]
    assert done.returncode == 1, done.stdout
    assert re.match(rf"{reddened} failed, \d+ deselected", summary), summary
    assert reddened > 0
    assert done.stdout.count(says) >= reddened
