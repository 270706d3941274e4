"""``# noqa`` comments, counted exactly as flake8 counts them, by flake8's own patterns.

flake8 looks for the comment in all physical lines of the logical line that the reported line belongs
to, which it cuts at every NEWLINE and NL token: a multi-line string and a backslash continuation are one
line to it, the lines of a call between parentheses are not. ``# flake8: noqa`` on a line without code
hides the whole file (https://flake8.pycqa.org/en/latest/user/violations.html).
"""

from __future__ import annotations

import io
import tokenize
from functools import cached_property

from asynclint.source.text import SourceText


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
        searched = self._searched.get(line)
        if searched is None:  # flake8 then takes the physical line, if there is one
            searched = self._lines[line - 1] if 1 <= line <= len(self._lines) else ""
        if "noqa" not in searched.lower():
            return False
        from flake8.violation import Violation  # type: ignore[import-untyped]

        return bool(Violation(code, "", line, 1, "", searched).is_inline_ignored(disable_noqa=False))

    @cached_property
    def _lines(self) -> list[str]:
        """The lines as flake8 reads them: every line end is a line feed."""
        return list(io.StringIO(self._text.text, newline=None))

    @cached_property
    def _searched(self) -> dict[int, str]:
        """The text that is searched for the comment, by reported line; empty if the tokenizer gives up."""
        searched: dict[int, str] = {}
        lines = iter(self._lines)
        first, last = 0, 0
        try:
            tokens = list(tokenize.generate_tokens(lambda: next(lines)))
        except (tokenize.TokenError, SyntaxError):
            return searched
        for token in tokens:
            if token.type in (tokenize.ENDMARKER, tokenize.DEDENT):
                continue
            first = min(first or token.start[0], token.start[0])
            last = max(last, token.end[0])
            if token.type in (tokenize.NL, tokenize.NEWLINE):
                joined = "".join(self._lines[first - 1 : last])
                searched.update(dict.fromkeys(range(first, last + 1), joined))
                first, last = 0, 0
        return searched
