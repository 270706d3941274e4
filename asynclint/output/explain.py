"""Rules for reading: the page of one rule, and the table of all."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from asynclint.rule import Rule

if TYPE_CHECKING:
    from rich.text import Text

# Codes of asynclint itself: results like any other, but no rules, so nothing selects them.
OWN_CODES = {
    "ASL001": """unchecked-file: a file could not be checked, because it cannot be read, decoded or parsed.
In flake8, flake8 itself says so (E902, E999).""",
    "ASL002": """internal-error: asynclint failed on this file, which is a bug in asynclint.
The file was left as it is; please report the message together with the file.""",
    "ASL003": """broken-settings: the settings that hold for a file cannot be used, so it was not checked.
The message names the pyproject.toml, the key and what is allowed.""",
}


def find(name: str, rules: Iterable[Rule]) -> Rule | str:
    """The rule of this code or slug (in any case), or one line that says there is none."""
    names = {key: rule for rule in rules for key in (rule.code.lower(), rule.slug)}
    if name.lower() in names:
        return names[name.lower()]
    close = difflib.get_close_matches(name.lower(), names, n=1)
    hint = f"did you mean {close[0].upper() if close[0].startswith('asl') else close[0]}?" if close else ""
    return f'no rule is called "{name}"; {hint or "--list-rules shows them all"}'


def page(rule: Rule) -> Text:
    """The rule's documentation, as its module's docstring has it, headed by its metadata."""
    from rich.text import Text

    lines = rule.docs.strip().split("\n")
    text = Text(f"{rule.code} {rule.slug}", style="bold")
    text.append(f"\n{_on(rule)} · {_fix(rule)} · since {rule.since}\n", style="not bold dim")
    text.append(f"\n{rule.summary}\n", style="not bold")
    for line in lines[1:]:
        if line.endswith("::"):
            text.append(line[:-1] + "\n", style="bold")
        elif line.startswith("    "):
            text.append(line + "\n", style="not bold cyan")
        else:
            text.append(line.replace("``", "`") + "\n", style="not bold")
    return text


def markdown(rule: Rule) -> str:
    """The same page in Markdown: examples are fenced as Python."""
    lines = [f"**{rule.code} {rule.slug}** · {_on(rule)} · {_fix(rule)}", "", rule.summary]
    code: list[str] = []
    for line in [*rule.docs.strip().split("\n")[1:], "end"]:
        if line.startswith("    ") or (code and not line):
            code.append(line[4:])
            continue
        if code:
            lines += ["```python", *"\n".join(code).strip().split("\n"), "```", ""]
            code = []
        lines.append(f"**{line[:-2]}**" if line.endswith("::") else line.replace("``", "`"))
    return "\n".join(lines[:-1]) + "\n"


def table(rules: Sequence[Rule]) -> str:
    """One line a rule: code, slug, whether it is on, the safety of its fix, what it reports."""
    rows = [("code", "slug", "default", "fix", "reports")]
    rows += [
        (
            rule.code,
            rule.slug,
            "on" if rule.default else "off",
            rule.fix.value if rule.fix else "-",
            rule.summary.rstrip("."),
        )
        for rule in rules
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]])
        for row in rows
    )


def _on(rule: Rule) -> str:
    return "on by default" if rule.default else f"off: runs only where {rule.code} is named in full"


def _fix(rule: Rule) -> str:
    return f"{rule.fix.value} fix" if rule.fix else "no fix"
