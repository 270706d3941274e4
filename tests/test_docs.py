"""The documentation is true: examples of rules behave as they say, README shows what there is."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest
import readme
from fixture_folders import Laid, folder_name

from asynclint import cli
from asynclint.keys import PARSERS
from asynclint.rule import Rule, Scope, all_rules
from asynclint.settings import settings_for

ROOT = Path(__file__).parent.parent
RULES = pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)


def example(rule: Rule, title: str) -> str:
    """The indented block below ``Bad::`` or ``Good::``."""
    match = re.search(rf"^{title}::\n\n((?:    .*\n|\n)+)", rule.docs, re.MULTILINE)
    assert match is not None, f"{rule.code} has no block {title}::"
    return textwrap.dedent(match[1])


def codes_in(source: str, rule: Rule, directory: Path) -> list[str]:
    """Codes reported in a test module, or for a suite rule in a conftest, that holds ``source``."""
    project = '[project]\nname = "example"\ndependencies = ["pytest-asyncio"]\n'
    (directory / "pyproject.toml").write_text(f'{project}[tool.asynclint]\nselect = ["{rule.code}"]\n')
    suite = directory / "suite"
    suite.mkdir()
    if rule.scope is Scope.SUITE:  # the example is the conftest of a suite with an async test
        (suite / "conftest.py").write_text(source, encoding="utf-8")
        source = "import pytest\n\n\n@pytest.mark.asyncio\nasync def test_it(): ...\n"
    (suite / "test_example.py").write_text(source, encoding="utf-8")
    results = Laid(suite, settings_for(suite)).check([str(suite)])
    assert [result.problem for result in results if result.problem] == []
    return [finding.code for result in results for finding in result.findings]


@RULES
def test_bad_example_is_reported(rule: Rule, tmp_path: Path) -> None:
    codes = codes_in(example(rule, "Bad"), rule, tmp_path)
    assert rule.code in codes, f"{rule.code} does not report its own example below Bad::"


@RULES
def test_good_example_is_silent(rule: Rule, tmp_path: Path) -> None:
    codes = codes_in(example(rule, "Good"), rule, tmp_path)
    assert codes == [], f"{rule.code} reports its own example below Good::"


@RULES
def test_docstring_has_every_section(rule: Rule) -> None:
    assert "TODO" not in rule.docs, f"{rule.name}.py: fill in what says TODO in its docstring"
    first = rule.docs.split("\n", 1)[0]
    assert first == f"{rule.code} {rule.slug}: {rule.summary}"
    assert 10 < len(rule.summary) < 100
    for section in ("\nWhy it matters: ", "\nBad::\n", "\nGood::\n", "\nFix: "):
        assert rule.docs.count(section) == 1, section
    what, _, rest = rule.docs.partition("\n\n")[2].partition("Why it matters: ")
    assert len(what.split()) > 20, "what it does, in a paragraph"
    repair = rest.partition("\nFix: ")[2].lower()
    said = "no fix" if rule.fix is None else rule.fix.value
    assert re.search(rf"\b{said}\b", repair.partition("\n\n")[0]), f"Fix: says that it is {said}"


@RULES
def test_rule_is_named_after_its_file(rule: Rule) -> None:
    assert (ROOT / "asynclint" / "rules" / f"{folder_name(rule)}.py").is_file()
    assert re.fullmatch(r"ASL[1-9]\d\d", rule.code)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.slug)


def test_rules_have_their_own_codes_and_slugs() -> None:
    rules = all_rules()
    assert len({rule.code for rule in rules}) == len({rule.slug for rule in rules}) == len(rules) > 0


def test_generated_parts_of_readme_are_fresh() -> None:
    text = readme.README.read_text(encoding="utf-8")
    assert text == readme.fresh(text), "run `python tests/readme.py --write`"
    assert all(rule.code in text for rule in all_rules())


def test_readme_names_every_setting() -> None:
    table = readme.README.read_text(encoding="utf-8").partition("<!-- settings -->")[2]
    first_cells = re.findall(r"^\| (`.*?) \|", table.partition("<!-- /settings -->")[0], re.MULTILINE)
    assert re.findall(r"`([^`]+)`", " ".join(first_cells)) == list(PARSERS)


def test_readme_uses_options_that_exist() -> None:
    text = readme.README.read_text(encoding="utf-8")
    used = set(re.findall(r"(?<=[ `])--[a-z][a-z-]+", text))
    known = {name for option in cli.command.params for name in option.opts}
    others = {"--quiet", "--editable", "--version", "--junitxml"}  # of pip, flake8 and pytest
    assert used - others <= known
    assert {"--fix", "--diff", "--explain"} <= used
