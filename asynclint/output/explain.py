"""Rules for reading: the page of one rule, and the table of all."""

from __future__ import annotations

import difflib
import re
import textwrap
from collections.abc import Iterator, Sequence
from enum import Enum
from itertools import groupby
from typing import TYPE_CHECKING

from asynclint.rule import Rule

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

WIDEST = 100  # columns of a page

# Codes of asynclint itself: results like any other, but no rules, so nothing selects them.
OWN_CODES = {
    "ASL001": """unchecked-file: a file could not be checked, because it cannot be read, decoded or parsed.
In flake8, flake8 itself says so (E902, E999).""",
    "ASL002": """internal-error: asynclint failed on this file, which is a bug in asynclint.
The file was left as it is; please report the message together with the file.""",
    "ASL003": """broken-settings: the settings that hold for a file cannot be used, so it was not checked.
The message names the file (pyproject.toml, or the baseline), the line, and what is allowed.
At the command, a file that configures pytest and that pytest can't read is one, too: the files are checked
then, but nothing is said of time bounds.""",
    "ASL004": """unused-noqa: a `# noqa` comment lists a code of asynclint that suppresses nothing there.
Off: it runs only where ASL004 is named in full, beside the rules (`--extend-select ASL004`), because what
does nothing here may be needed elsewhere: with other settings, or where more packages are installed.
Judged are only codes of rules that ran on the file; a code that no rule has is reported, too.
Blanket comments and codes of other tools are left alone.
Safe fix: removes these codes, and the whole comment where it says nothing else.""",
}


def find(name: str, rules: Sequence[Rule]) -> Rule | str:
    """The rule of this code or slug (in any case), or one line that says there is none."""
    names = {key: rule for rule in rules for key in (rule.code.lower(), rule.slug)}
    if name.lower() in names:
        return names[name.lower()]
    family = [rule.code for rule in rules if rule.code.lower().startswith(name.lower())]
    if family:
        return f'"{name}" begins several codes, and one is explained at a time: {", ".join(family)}'
    close = difflib.get_close_matches(name.lower(), names, n=1)
    hint = f"did you mean {close[0].upper() if close[0].startswith('asl') else close[0]}?" if close else ""
    return f'no rule is called "{name}"; {hint or "--list-rules shows them all"}'


def names() -> dict[str, str]:
    """The name of each code: the slug of a rule, or what a code of asynclint itself is called."""
    from asynclint.rule import all_rules

    own = {code: text.partition(":")[0] for code, text in OWN_CODES.items()}
    return own | {rule.code: rule.slug for rule in all_rules()}


def plain(rule: Rule) -> str:
    """The rule's documentation as text, as its module's docstring has it, headed by its metadata."""
    head = f"{rule.code} {rule.slug}\n{_metadata(rule)}\n\n{rule.summary}\n"
    lines = rule.docs.strip().split("\n")[1:]
    body = (line[:-1] if line.endswith("::") else line for line in lines)
    return f"{head}{_inline(chr(10).join(body))}\n"


def markdown(rule: Rule) -> str:
    """The same as Markdown; its examples are fenced, and its sections have headings."""
    pieces = [f"# {rule.code} {rule.slug}", _metadata(rule), _inline(_capital(rule.summary))]
    for kind, text in _parts(rule.docs):
        if kind is Part.CODE:
            pieces.append(f"```python\n{text}\n```")
        else:
            pieces.append(f"## {text}" if kind is Part.HEADING else _inline(text))
    return "\n\n".join(pieces) + "\n"


def print_page(rule: Rule, terminal: Console) -> None:
    """Print the rule's page on a terminal: wrapped to its width, examples in colour."""
    from rich.syntax import Syntax
    from rich.text import Text

    width = min(terminal.width, WIDEST)
    # of the sixteen colours that every terminal has, and that its owner chose
    highlighter = Syntax("", "python", theme="ansi_dark", background_color="default")
    terminal.print(Text(f"{rule.code} {rule.slug}", style="bold"))
    terminal.print(Text(_metadata(rule), style="dim"), width=width)
    terminal.print(_marked(f"\n{_capital(rule.summary)}"), width=width)
    for kind, text in _parts(rule.docs):
        if kind is Part.CODE:
            for line in highlighter.highlight(text).split():
                terminal.print(Text("    ").append_text(line), soft_wrap=True)
        elif kind is Part.HEADING:
            terminal.print(Text(f"\n{text}", style="bold"))
        else:
            terminal.print(_marked(f"\n{text}" if kind is Part.PARAGRAPH else text), width=width)
    terminal.print()


def print_own_code(code: str, terminal: Console) -> None:
    """Print what one of asynclint's own codes means."""
    from rich.text import Text

    name, _, text = OWN_CODES[code].partition(": ")
    terminal.print(Text(f"{code} {name}", style="bold"), soft_wrap=True)
    if terminal.is_terminal:
        terminal.print(_marked(_capital(" ".join(text.split()))), width=min(terminal.width, WIDEST))
    else:
        terminal.print(text, soft_wrap=True)


class Part(Enum):
    """What a docstring is made of."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    ITEM = "item"  # of a list, or what stands right below a heading
    CODE = "code"


def _parts(docs: str) -> Iterator[tuple[Part, str]]:
    """The parts of a rule's docstring below its first line; paragraphs are one line each."""
    lines = docs.strip().split("\n")[1:]
    for indented, group in groupby(_filled(lines), lambda line: line.startswith("    ")):
        if indented:
            yield Part.CODE, textwrap.dedent("\n".join(group)).strip("\n")
            continue
        for block in re.split(r"\n\s*\n", "\n".join(group).strip("\n")):
            yield from _prose(block)


def _filled(lines: Sequence[str]) -> Iterator[str]:
    """The lines, with the empty ones inside an example indented as it is."""
    for number, line in enumerate(lines):
        following = next((later for later in lines[number:] if later), "")
        before = next((earlier for earlier in reversed(lines[:number]) if earlier), "")
        inside = not line and following.startswith("    ") and before.startswith("    ")
        yield "    " if inside else line


def _prose(block: str) -> Iterator[tuple[Part, str]]:
    heading = re.match(r"(Why it matters|Fix): |(Bad|Good)::\s*\Z", block)
    if heading:
        yield Part.HEADING, heading[1] or heading[2]
        block = block[heading.end() :]
    kind = Part.ITEM if heading else Part.PARAGRAPH
    for text in re.split(r"\n(?=- )", block):
        if text.strip():
            joined = " ".join(text.split())
            yield kind, _capital(joined) if heading else joined
        kind = Part.ITEM


def _capital(text: str) -> str:
    """With a capital, unless it begins with code."""
    return text[:1].upper() + text[1:] if re.match(r"[a-z]+(?![\w.(])", text) else text


def _inline(text: str) -> str:
    return text.replace("``", "`")


def _marked(text: str) -> Text:
    """Text with what stands between double backquotes in colour."""
    from rich.text import Text

    marked = Text()
    for number, piece in enumerate(text.split("``")):
        marked.append(piece, style="cyan" if number % 2 else "")
    return marked


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


def _metadata(rule: Rule) -> str:
    on = "on by default" if rule.default else f"off: runs only where {rule.code} is named in full"
    fix = f"{rule.fix.value} fix" if rule.fix else "no fix"
    return f"{on} · {fix} · since {rule.since}"
