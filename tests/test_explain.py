"""``--explain``: the page of a rule on a terminal, in a pipe, and as Markdown."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console
from samples import Asynclint

from asynclint.output.explain import OWN_CODES, markdown, names, plain, print_own_code, print_page
from asynclint.rule import Rule, all_rules

RULES = pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)


def on_terminal(rule: Rule, width: int) -> str:
    stream = io.StringIO()
    print_page(rule, Console(file=stream, width=width, force_terminal=True, color_system="standard"))
    return stream.getvalue()


def uncoloured(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def words(text: str) -> list[str]:
    """The words in order, without what lays them out."""
    return re.sub(r"```python|[`#:]|^- ", "", text, flags=re.MULTILINE).lower().split()


@RULES
def test_a_page_loses_no_word(rule: Rule) -> None:
    everything = words(plain(rule))
    assert words(uncoloured(on_terminal(rule, 100))) == everything
    assert words(markdown(rule)) == everything


@RULES
def test_a_page_fits_the_terminal_and_its_examples_can_be_copied(rule: Rule) -> None:
    page = uncoloured(on_terminal(rule, 60))
    for line in page.splitlines():
        assert len(line.rstrip()) <= 60 or line.startswith("    ") or " " not in line.strip(), line
    wide = uncoloured(on_terminal(rule, 300))
    for title in ("Bad", "Good"):
        block = re.search(rf"^{title}::\n\n((?:    .*\n|\n)+)", rule.docs, re.MULTILINE)
        assert block is not None
        for line in filter(None, block[1].splitlines()):
            assert f"\n{line}\n" in wide, "as it is, with no blank at its end"
    assert all(len(line) <= 104 for line in wide.splitlines())


def test_examples_are_coloured(asynclint: Asynclint) -> None:
    coloured = asynclint("--explain", "ASL101", "--color", "always").out
    assert re.search(r"\x1b\[[0-9;]*masync\x1b\[0m", coloured)
    assert "\n\x1b[1mWhy it matters\x1b[0m\n" in coloured
    for arguments in ((), ("--color", "never")):
        assert "\x1b" not in asynclint("--explain", "ASL101", *arguments).out


@pytest.mark.parametrize("code", OWN_CODES)
def test_own_codes_have_pages_and_names(code: str) -> None:
    stream = io.StringIO()
    print_own_code(code, Console(file=stream, width=50, force_terminal=True, color_system=None))
    heading, *lines = stream.getvalue().splitlines()
    assert heading == f"{code} {names()[code]}"
    assert len(lines) >= 2
    assert max(map(len, lines)) <= 50
    assert words(" ".join(lines)) == words(OWN_CODES[code].partition(": ")[2])
