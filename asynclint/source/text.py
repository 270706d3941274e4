r"""Bytes become text and text becomes bytes: encoding, BOM and line ends stay what they were.

This is the only line table. Lines end where Python's tokenizer ends them, at ``\n``, ``\r\n`` and ``\r``,
so their numbers are those of ``ast``; ``str.splitlines`` would also break at form feeds and U+2028.
"""

from __future__ import annotations

import ast
import codecs
import io
import re
import tokenize
import warnings
from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from asynclint.finding import Position, Span

_FIRST_TWO_LINES = re.compile(rb"(?:[^\r\n]*(?:\r\n|\r|\n|\Z)){2}")
_LINE_END = re.compile(r"\r\n|\r|\n")
_DEFINITION = re.compile(r"(?:async[\s\\]+)?(?:def|class)[\s\\]+\w+")


class SourceError(Exception):
    """A source that cannot be decoded, parsed or encoded; ``str()`` of it is one clear line.

    ``line`` is 1-based, 0 where unknown; ``column`` is 0-based and counts characters.
    """

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message, line, column)  # all three, so that it can be pickled
        self.message = message
        self.line = line
        self.column = column

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class SourceText:
    """One source as bytes and as text.

    ``text`` has no BOM and keeps its line ends; ``bom`` is empty where there was none.
    """

    raw: bytes
    text: str
    encoding: str
    bom: bytes = b""

    @classmethod
    def from_bytes(cls, raw: bytes) -> SourceText:
        """Decode a file as Python does: BOM, then the cookie of PEP 263, else UTF-8.

        Raises SourceError for an unknown cookie, a cookie that contradicts the BOM, a byte that is not
        of the encoding, and a NUL byte.
        """
        bom = codecs.BOM_UTF8 if raw.startswith(codecs.BOM_UTF8) else b""
        encoding = _encoding(raw, bom)
        body = raw[len(bom) :]
        try:
            text = body.decode(encoding)
        except UnicodeDecodeError as error:
            line, column = _place(body, error.start, encoding)
            message = f"cannot be decoded: byte 0x{body[error.start]:02x} is not valid {encoding}"
            raise SourceError(message, line, column) from error
        except (LookupError, ValueError) as error:  # codecs such as rot13 or idna
            message = f"cannot be decoded: {encoding} is not an encoding for text"
            raise SourceError(message, _cookie_line(raw)) from error
        if "\0" in text:
            line, column = _place(body, max(body.find(b"\0"), 0), encoding)
            message = "cannot be parsed: it contains a NUL character"
            raise SourceError(message, line, column)
        return cls(raw, text, encoding, bom)

    @classmethod
    def from_lines(cls, lines: Sequence[str]) -> SourceText:
        """Take text that somebody else decoded, such as flake8; its encoding counts as UTF-8."""
        text = "".join(lines)
        bom = codecs.BOM_UTF8 if text.startswith("\ufeff") else b""
        raw = text.encode("utf-8", "surrogatepass")
        return cls(raw, text[1:] if bom else text, "utf-8", bom)

    @cached_property
    def lines(self) -> list[str]:
        """The lines, each with its own line end; the last may have none."""
        return list(io.StringIO(self.text, newline=""))

    @cached_property
    def newline(self) -> str:
        """The file's own line end: that of its first line, a line feed where it has none."""
        found = _LINE_END.search(self.text)
        return found.group() if found else "\n"

    @cached_property
    def _starts(self) -> list[int]:
        """The offset at which each line starts, the empty one after a final line end included."""
        starts = [0, *accumulate(map(len, self.lines))]
        if self.lines and not self.lines[-1].endswith(("\n", "\r")):
            starts.pop()
        return starts

    def has_any(self, words: Collection[str]) -> bool:
        """Whether one of some words (a tuple or frozenset) is in the text, be it inside a longer one."""
        found = self._words.get(words)
        if found is None:
            found = self._words[words] = any(word in self.text for word in words)
        return found

    def is_between(self, word: str, first: int, last: int) -> bool:
        """Whether a word is somewhere in the lines from ``first`` to ``last`` (1-based)."""
        starts = self._starts
        return self.text.find(word, starts[first - 1], starts[last] if last < len(starts) else None) >= 0

    @cached_property
    def _words(self) -> dict[Collection[str], bool]:
        return {}

    def offset(self, position: Position) -> int:
        """Characters of ``text`` before ``position``; raises ValueError for a place outside it."""
        starts = self._starts
        if 1 <= position.line <= len(starts):
            offset = starts[position.line - 1] + position.column
            limit = starts[position.line] if position.line < len(starts) else len(self.text)
            if position.column >= 0 and offset <= limit:
                return offset
        message = f"no such place in the source: line {position.line}, column {position.column}"
        raise ValueError(message)

    def position(self, offset: int) -> Position:
        """The place of the character at ``offset``; the inverse of ``offset()``."""
        if not 0 <= offset <= len(self.text):
            message = f"no such place in the source: offset {offset}"
            raise ValueError(message)
        line = bisect_right(self._starts, offset)
        return Position(line, offset - self._starts[line - 1])

    def slice(self, span: Span) -> str:
        """The text of ``span``."""
        return self.text[self.offset(span.start) : self.offset(span.end)]

    def column(self, line: int, utf8_column: int) -> int:
        """The column in characters of ``ast``'s column, which counts bytes of UTF-8.

        A place outside the line counts as its nearer end: below Python 3.12 ``ast`` gives such places
        inside f-strings.
        """
        if not 1 <= line <= len(self.lines) or utf8_column <= 0:
            return 0
        head = self.lines[line - 1][:utf8_column]
        if head.isascii():
            return len(head)
        return len(head.encode("utf-8", "replace")[:utf8_column].decode("utf-8", "ignore"))

    def span(self, node: ast.AST) -> Span:
        """The span of a node that has positions, such as a statement, expression, argument or alias."""
        line: int = getattr(node, "lineno")  # noqa: B009 (only subclasses of ast.AST declare it)
        start = getattr(node, "col_offset", 0)
        end_line: int = getattr(node, "end_lineno", None) or line
        end = getattr(node, "end_col_offset", None) or start
        return Span(Position(line, self.column(line, start)), Position(end_line, self.column(end_line, end)))

    def span_of_name(self, node: ast.AST) -> Span:
        """From ``def``, ``async`` or ``class`` to the end of the name it defines; decorators left out."""
        span = self.span(node)
        found = _DEFINITION.match(self.text, self.offset(span.start))
        return Span(span.start, self.position(found.end())) if found else span

    def parse(self) -> ast.Module:
        """Parse the text, printing no SyntaxWarning; raises SourceError where Python cannot."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse(self.text)
        except SyntaxError as error:
            message = f"cannot be parsed: {error.msg}"
            raise SourceError(message, error.lineno or 0, max((error.offset or 1) - 1, 0)) from error
        except ValueError as error:  # NUL before Python 3.11.4, a lone surrogate
            message = f"cannot be parsed: {error}"
            raise SourceError(message) from error
        except (RecursionError, MemoryError, SystemError) as error:
            # how the parser and the builder of the tree give up on depth, by version of Python
            message = "cannot be parsed: it is nested too deeply for this Python"
            raise SourceError(message) from error

    def encode(self, text: str) -> bytes:
        """``text`` as bytes of this file: its BOM and encoding.

        Raises SourceError if the encoding lacks a character, or if the file would change elsewhere
        because its own bytes are not what its text encodes to (as in UTF-7 or ISO-2022).
        """
        if text == self.text:
            return self.raw
        if self._encode(self.text) != self.raw:
            message = f"cannot be written: {self.encoding} would change bytes that no fix touches"
            raise SourceError(message)
        return self._encode(text)

    def _encode(self, text: str) -> bytes:
        try:
            return self.bom + text.encode(self.encoding)
        except UnicodeEncodeError as error:
            at = SourceText.from_lines([text[: error.start]])
            place = at.position(len(at.text))
            message = f"cannot be written: {text[error.start]!a} has no place in {self.encoding}"
            raise SourceError(message, place.line, place.column) from error
        except UnicodeError as error:  # idna: a label too long
            message = f"cannot be written: {error}"
            raise SourceError(message) from error


def _encoding(raw: bytes, bom: bytes) -> str:
    match = _FIRST_TWO_LINES.match(raw)
    head = match.group() if match else raw
    if b"coding" not in head:
        return "utf-8"
    # Only ASCII is shown to detect_encoding: it wants UTF-8 of lines that declare another encoding.
    # Lines are cut here because it is given them: a readline of bytes doesn't end one at a lone "\r".
    ascii_head = head[len(bom) :].decode("ascii", "replace").encode("ascii", "replace")
    lines = iter((bom + ascii_head).splitlines(keepends=True))
    try:
        encoding = tokenize.detect_encoding(lines.__next__)[0]
    except SyntaxError as error:
        cause = error.msg if "unknown" in error.msg else "its encoding cookie contradicts its UTF-8 BOM"
        message = f"cannot be decoded: {cause}"
        raise SourceError(message, _cookie_line(raw)) from error
    return "utf-8" if bom else encoding


def _cookie_line(raw: bytes) -> int:
    first = re.split(rb"[\r\n]", raw, maxsplit=1)[0]
    return 1 if b"coding" in first else 2


def _place(body: bytes, index: int, encoding: str) -> tuple[int, int]:
    """Line and column of a byte."""
    before = body[:index]
    line = before.count(b"\n") + before.count(b"\r") - before.count(b"\r\n") + 1
    start = max(before.rfind(b"\n"), before.rfind(b"\r")) + 1
    try:
        return line, len(before[start:].decode(encoding, "replace"))
    except UnicodeError:  # idna can't replace
        return line, len(before) - start
