"""The documentation is true: examples of rules behave as they say, README shows what there is."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import readme_table
from fixture_folders import Laid, folder_name

from asynclint.rule import Rule, all_rules
from asynclint.settings import settings_for

ROOT = Path(__file__).parent.parent
RULES = pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)


def example(rule: Rule, title: str) -> str:
    """The indented block below ``Bad::`` or ``Good::``."""
    match = re.search(rf"^{title}::\n\n((?:    .*\n|\n)+)", rule.docs, re.MULTILINE)
    assert match is not None, f"{rule.code} has no block {title}::"
    return textwrap.dedent(match[1])


def codes_in(source: str, rule: Rule, directory: Path) -> list[str]:
    """Codes reported in a test module that holds ``source``."""
    (directory / "pyproject.toml").write_text(f'[tool.asynclint]\nselect = ["{rule.code}"]\n')
    suite = directory / "suite"
    suite.mkdir()
    (suite / "test_example.py").write_text(source, encoding="utf-8")
    (result,) = Laid(suite, settings_for(suite)).check([str(suite / "test_example.py")])
    assert result.problem is None, result.problem
    return [finding.code for finding in result.findings]


@RULES
def test_bad_example_is_reported(rule: Rule, tmp_path: Path) -> None:
    assert rule.code in codes_in(example(rule, "Bad"), rule, tmp_path)


@RULES
def test_good_example_is_silent(rule: Rule, tmp_path: Path) -> None:
    assert codes_in(example(rule, "Good"), rule, tmp_path) == []


@RULES
def test_docstring_has_every_section(rule: Rule) -> None:
    first = rule.docs.split("\n", 1)[0]
    assert first == f"{rule.code} {rule.slug}: {rule.summary}"
    assert 10 < len(rule.summary) < 100
    for section in ("\nWhy it matters: ", "\nBad::\n", "\nGood::\n", "\nFix: "):
        assert rule.docs.count(section) == 1, section
    assert ("no fix" in rule.docs.lower()) >= (rule.fix is None)


@RULES
def test_rule_is_named_after_its_file(rule: Rule) -> None:
    assert (ROOT / "asynclint" / "rules" / f"{folder_name(rule)}.py").is_file()
    assert re.fullmatch(r"ASL[1-9]\d\d", rule.code)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.slug)


def test_rules_have_their_own_codes_and_slugs() -> None:
    rules = all_rules()
    assert len({rule.code for rule in rules}) == len({rule.slug for rule in rules}) == len(rules) > 0


def test_readme_table_is_fresh() -> None:
    text = readme_table.README.read_text(encoding="utf-8")
    assert text == readme_table.with_table(text), "run `python tests/readme_table.py --write`"


def test_readme_table_prints() -> None:
    child = subprocess.run(
        [sys.executable, readme_table.__file__], capture_output=True, text=True, check=True, encoding="utf-8"
    )
    assert child.stdout == readme_table.table()
    assert child.stdout.count("\n") == len(all_rules()) + 2
