"""``# noqa`` comments, counted exactly as flake8 counts them, by flake8's own patterns.

flake8 looks for the comment in all physical lines of the logical line that the reported line belongs
to, which it cuts at every NEWLINE and NL token: a multi-line string and a backslash continuation are one
line to it, the lines of a call between parentheses are not. ``# flake8: noqa`` on a line without code
hides the whole file (https://flake8.pycqa.org/en/latest/user/violations.html).
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from asynclint.finding import Position, Span
from asynclint.source.text import SourceText

_CODE = re.compile(r"[^,\s]+")
_LONG_STRING = re.compile(r"\"{3}|'{3}")
_LONG_FSTRING = re.compile(r"[ft]r?(\"{3}|'{3})", re.IGNORECASE)  # PEP 498, PEP 750


class Noqa(NamedTuple):
    """What flake8 takes for the ``# noqa`` of some lines (1-based).

    ``span`` is from ``#`` to the last code; ``codes`` are as written, none for a blanket comment.
    ``comment`` is the span of the whole comment, None where the words stand in a string.
    """

    lines: range
    span: Span
    codes: tuple[tuple[str, Span], ...]
    comment: Span | None


class Suppressions:
    """The ``# noqa`` comments of one source; costs next to nothing where the word doesn't occur."""

    def __init__(self, text: SourceText) -> None:
        self._text = text
        self._any = "noqa" in text.text.lower()

    @cached_property
    def whole_file(self) -> bool:
        """Whether ``# flake8: noqa`` hides every finding of the file."""
        if not self._any:
            return False
        from flake8.defaults import NOQA_FILE  # type: ignore[import-untyped]

        return any(map(NOQA_FILE.match, self._lines))

    def hides(self, line: int, code: str) -> bool:
        """Whether a finding with this code, reported on this 1-based line, is suppressed."""
        if not self._any:
            return False
        if self.whole_file:
            return True
        searched = self._searched(self.lines_with(line))
        if "noqa" not in searched.lower():
            return False
        from flake8.violation import Violation  # type: ignore[import-untyped]

        return bool(Violation(code, "", line, 1, "", searched).is_inline_ignored(disable_noqa=False))

    def lines_with(self, line: int) -> range:
        """The physical lines in which flake8 looks for the comment of what is reported on this one."""
        alone = range(line, line + 1)
        return alone if self._is_alone(line) else self._groups.get(line) or alone

    def _is_alone(self, line: int) -> bool:
        """Whether a line that code begins in shares no string and no backslash with another, by its looks.

        Cutting the file into tokens takes far longer. Code inside a string looks like any other.
        """
        before, own = self._searched(range(line - 1, line)), self._searched(range(line, line + 1))
        joined = before.endswith("\\\n") or own.endswith("\\\n")
        return not (joined or _LONG_STRING.search(own) or self._has_code_in_strings)

    @cached_property
    def _has_code_in_strings(self) -> bool:
        return _LONG_FSTRING.search(self._text.text) is not None

    def noqa_of(self, line: int) -> Noqa | None:
        """The comment that decides about this line; only the first of several counts."""
        from flake8.violation import _find_noqa

        lines = self.lines_with(line)
        searched = self._searched(lines)
        match = _find_noqa(searched)
        if match is None:
            return None

        def place(offset: int) -> Position:
            start = searched.rfind("\n", 0, offset) + 1
            return Position(lines.start + searched.count("\n", 0, offset), offset - start)

        listed = match["codes"] or ""
        at = match.start("codes")
        codes = tuple(
            (code[0], Span(place(at + code.start()), place(at + code.end())))
            for code in _CODE.finditer(listed)
        )
        span = Span(place(match.start()), codes[-1][1].end if codes else place(match.end()))
        comment = self._comments.get(span.start.line)
        inside = comment is not None and comment.start <= span.start
        return Noqa(lines, span, codes, comment if inside else None)

    def listing(self, prefix: str) -> Iterator[Noqa]:
        """Every comment that lists codes and that flake8 looks at, on lines that hold ``prefix``."""
        if not self._any:
            return
        seen = -1
        words = ("noqa", prefix.lower())
        lines = [n for n, text in enumerate(self._lines, 1) if all(word in text.lower() for word in words)]
        for line in lines:
            found = self.noqa_of(line)
            if found is not None and found.comment is not None and found.codes and found.lines.start > seen:
                seen = found.lines.start
                yield found

    @cached_property
    def _lines(self) -> list[str]:
        """The lines as flake8 reads them: every line end is a line feed."""
        return list(io.StringIO(self._text.text, newline=None))

    def _searched(self, lines: range) -> str:
        return "".join(self._lines[max(lines.start, 1) - 1 : max(lines.stop, 1) - 1])

    @cached_property
    def _groups(self) -> dict[int, range]:
        """The lines that are searched together, by each of them; empty if the tokenizer gives up."""
        groups: dict[int, range] = {}
        first, last = 0, 0
        for token in self._tokens:
            if token.type in (tokenize.ENDMARKER, tokenize.DEDENT):
                continue
            first = min(first or token.start[0], token.start[0])
            last = max(last, token.end[0])
            if token.type in (tokenize.NL, tokenize.NEWLINE):
                lines = range(first, last + 1)
                groups.update(dict.fromkeys(lines, lines))
                first, last = 0, 0
        return groups

    @cached_property
    def _comments(self) -> dict[int, Span]:
        return {
            token.start[0]: Span(Position(*token.start), Position(*token.end))
            for token in self._tokens
            if token.type == tokenize.COMMENT
        }

    @cached_property
    def _tokens(self) -> list[tokenize.TokenInfo]:
        lines = iter(self._lines)
        try:
            return list(tokenize.generate_tokens(lambda: next(lines)))
        except (tokenize.TokenError, SyntaxError):
            return []
