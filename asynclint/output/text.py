"""Findings as lines of text: ``concise`` as flake8 prints them, ``full`` with the source and what helps.

Columns are 1-based here, as flake8 prints them, and only here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from asynclint.finding import Confidence, Finding, Position, Safety, Span

if TYPE_CHECKING:
    from rich.text import Text

# What a terminal would act on instead of showing it: escape sequences, line ends, direction overrides.
_UNPRINTABLE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_WIDEST = 160  # characters of a source line that are shown
_MOST_ROWS = 4  # lines of one finding that are shown


def printable(text: str) -> str:
    """``text`` with control characters written as escapes: names and sources may be hostile."""
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def place(display: str, line: int, column: int) -> str:
    """``path:line:column`` of a 1-based line (0: the file as a whole) and a 0-based column."""
    return printable(f"{display}:{max(line, 1)}:{column + 1}")


def line(display: str, at: Position, code: str, message: str) -> str:
    """One line of concise output: ``path:line:col: CODE message``."""
    return f"{place(display, at.line, at.column)}: {code} {printable(message)}"


def concise(finding: Finding) -> str:
    """One line for one finding."""
    return line(finding.path, finding.span.start, finding.code, finding.message)


def full(findings: Iterable[Finding], source: str, slugs: Mapping[str, str]) -> Iterator[Text]:
    """One block of several lines for each finding in one file.

    ``source`` is the file's text in which the findings' spans lie; ``slugs`` are by code.
    """
    lines = re.split(r"\r\n|\r|\n", source)
    for finding in findings:
        yield _block(finding, lines, slugs.get(finding.code, ""))


def _block(finding: Finding, lines: Sequence[str], slug: str) -> Text:
    from rich.text import Text

    start = finding.span.start
    block = Text(f"{place(finding.path, start.line, start.column)}: ", style="bold")
    block.append(finding.code, style="bold red")
    block.append(f" {slug}\n" if slug else "\n", style="red")
    block.append(f"  {printable(finding.message)}\n", style="not bold")
    rows = [row for row in _rows(finding.span) if row <= len(lines)]
    margin = " " * len(str(max(rows, default=start.line)))
    if rows:
        block.append(f"{margin} |\n", style="not bold blue")
    for previous, row in zip([start.line, *rows], rows, strict=False):
        if row > previous + 1:
            block.append(f"{margin} ...\n", style="not bold blue")
        _append_source(block, row, finding.span, lines[row - 1], margin)
    for style, remark in _remarks(finding):
        block.append(f"{margin} = ", style="not bold blue")
        block.append(f"{printable(remark)}\n", style=f"not bold {style}")
    return block


def _rows(span: Span) -> list[int]:
    """The lines of a span that are shown: all of a few, of many those at its ends."""
    rows = list(range(span.start.line, span.end.line + 1))
    if len(rows) > 1 and span.end.column == 0:  # it ends with the line above
        rows.pop()
    return rows if len(rows) <= _MOST_ROWS else [*rows[: _MOST_ROWS - 1], rows[-1]]


def _append_source(block: Text, row: int, span: Span, source: str, margin: str) -> None:
    """One line, with carets under the part of it that is meant."""
    from rich.cells import cell_len

    begin = span.start.column if row == span.start.line else len(source) - len(source.lstrip())
    stop = span.end.column if row == span.end.line else len(source)
    first = max(0, begin - _WIDEST // 2) if len(source) > _WIDEST else 0
    last = first + _WIDEST
    before, meant, after = (
        printable(part).replace("\t", "    ")
        for part in (source[first:begin], source[begin : min(stop, last)], source[max(stop, begin) : last])
    )
    block.append(f"{row:{len(margin)}} | ", style="not bold blue")
    block.append(f"{before}{meant}{after}\n", style="not bold")
    carets = cell_len(meant.rstrip()) or int(row == span.start.line)
    if carets:
        block.append(f"{margin} | ", style="not bold blue")
        block.append(" " * cell_len(before) + "^" * carets + "\n", style="bold red")


def _remarks(finding: Finding) -> Iterator[tuple[str, str]]:
    """Style and text of what is said below the source."""
    for related in finding.related:
        where = place(related.path, related.span.start.line, related.span.start.column)
        yield "default", f"{where}: {related.message}"
    if finding.confidence is Confidence.LIKELY:
        yield "default", "likely: concluded from how the code around it behaves"
    if finding.fix is not None:
        flags = "--fix" if finding.fix.safety is Safety.SAFE else "--fix --unsafe-fixes"
        yield "green", f"{finding.fix.safety.value} fix ({flags}): {finding.fix.message}"
    elif finding.held_back:
        yield "yellow", f"no fix: {finding.held_back}"
