"""Print README's table of rules; ``python tests/readme_table.py --write`` puts it into README.md."""

from __future__ import annotations

import argparse
from pathlib import Path

from asynclint.rule import Rule, all_rules

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- rules -->", "<!-- /rules -->"


def table() -> str:
    """The table in Markdown, one line a rule, ending in a newline."""
    head = "| code | name | reports | default | fix |\n|---|---|---|---|---|\n"
    return head + "".join(map(_row, all_rules()))


def _row(rule: Rule) -> str:
    fix = "none" if rule.fix is None else rule.fix.value
    summary = rule.summary.rstrip(".").replace("``", "`").replace("|", "\\|")
    return f"| {rule.code} | {rule.slug} | {summary} | {'on' if rule.default else 'off'} | {fix} |\n"


def with_table(readme: str) -> str:
    """README's text with a fresh table between its markers."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin and end, f"README.md lacks {BEGIN} or {END}"  # noqa: PT018
    return f"{before}{BEGIN}\n{table()}{END}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    if parser.parse_args().write:
        README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(table(), end="")  # noqa: T201


if __name__ == "__main__":
    main()
