"""Where a setting of pytest's stands in its file, and that file with a setting more or an entry less.

Neither iniconfig nor tomllib keeps places, so lines are looked for: a header, below it a key, below that
an entry.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from itertools import takewhile

from asynclint.finding import Edit, Position, Span
from asynclint.project.config import PytestConfig
from asynclint.project.ini import parse_ini
from asynclint.source.text import SourceText

_COMMENT = ("#", ";")
_HEADER = re.compile(r"\s*(\[[^\[\]]+\])\s*([#;].*)?$")


class ConfigLines:
    """The lines of the table that configures pytest; ``text`` is its file's."""

    def __init__(self, config: PytestConfig, text: SourceText) -> None:
        self.config = config
        self.text = text
        self.is_toml = config.path is not None and config.path.suffix == ".toml"

    @property
    def header(self) -> int:
        """The 1-based line of the table's header; 0 where there is none."""
        return next((number for number, line in self._headers() if line == self.config.section), 0)

    def key(self, name: str) -> int:
        """The line where a key is set; that of the header where it can't be found."""
        pattern = re.compile(rf"\s*[\"']?{re.escape(name)}[\"']?\s*[=:]")
        found = (number for number, line in self._own() if pattern.match(line))
        return next(found, self.header or 1)

    def entry(self, name: str, entry: str) -> int:
        """The line of one entry of a list; that of its key where it can't be found."""
        start = self.key(name)
        written = {entry, entry.replace("\\", "\\\\").replace('"', '\\"')}
        below = (
            number for number, line in self._own() if number >= start and any(w in line for w in written)
        )
        return next(below, start)

    def remark(self, number: int) -> str:
        """The comment at an entry, and the lines of the one right above it."""
        lines = self.text.lines
        said = [lines[number - 1].rpartition("#")[2]] if "#" in lines[number - 1] else []
        above = [line.strip() for line in reversed(lines[: number - 1])]
        said += takewhile(lambda line: line.startswith(_COMMENT), above)
        return "\n".join(said)

    def span(self, number: int) -> Span:
        """What stands on a line, without the white space before and the comment behind it."""
        line = self.text.lines[number - 1].rstrip() if number <= len(self.text.lines) else ""
        start = len(line) - len(line.lstrip())
        return Span(Position(number, start), Position(number, len(line)))

    def added(self, line: str) -> Edit | None:
        """The edit that sets a key in the table; None where the file would not say so then."""
        if not self.header:
            return None
        place = Position(self.header + 1, 0)
        newline = self.text.newline
        lead = "" if self.text.lines[self.header - 1].endswith(("\n", "\r")) else newline
        if lead:
            place = Position(self.header, len(self.text.lines[self.header - 1]))
        edit = Edit(Span(place, place), f"{lead}{line}{newline}")
        return edit if self._is_sound(edit) else None

    def without(self, number: int, entry: str) -> Edit | None:
        """The edit that takes an entry away which has a line of its own; None where it has not."""
        line = self.text.lines[number - 1]
        quoted = r"(\"{1}|'{1}|\"{3}|'{3})" if self.is_toml else "()"
        comment = r"\s*(#.*)?" if self.is_toml else ""
        own = re.fullmatch(rf"\s+{quoted}(.*)\1\s*,?{comment}\s*", line)
        if own is None or entry not in own[2].replace('\\"', '"').replace("\\\\", "\\"):
            return None
        edit = Edit(Span(Position(number, 0), Position(number + 1, 0)), "")
        return edit if self._is_sound(edit) else None

    def _headers(self) -> Iterator[tuple[int, str]]:
        for number, line in enumerate(self.text.lines, 1):
            match = _HEADER.match(line.rstrip())
            if match is not None:
                yield number, re.sub(r"\s+", "", match[1])

    def _own(self) -> Iterator[tuple[int, str]]:
        """The lines below the table's header, up to the next; comments are left out."""
        headers = dict(self._headers())
        inside = False
        for number, line in enumerate(self.text.lines, 1):
            if number in headers:
                inside = headers[number] == self.config.section
            elif inside and not line.lstrip().startswith(_COMMENT):
                yield number, line

    def _is_sound(self, edit: Edit) -> bool:
        """Whether the file can still be read."""
        start, end = self.text.offset(edit.span.start), self.text.offset(edit.span.end)
        changed = self.text.text[:start] + edit.text + self.text.text[end:]
        try:
            if self.is_toml:
                tomllib.loads(changed.replace("\r\n", "\n"))
            else:
                parse_ini(changed)
        except (ValueError, RecursionError):
            return False
        return True
