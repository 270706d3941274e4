"""The words every room uses: positions, findings, and the edits that repair them. Frozen data, no logic.

Inside asynclint a line is 1-based and a column is 0-based and counts characters
(not bytes, not UTF-16 units); doors convert at their edge.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Position(NamedTuple):
    """A place in a file: 1-based line, 0-based column in characters."""

    line: int
    column: int


class Span(NamedTuple):
    """The text from ``start`` up to, not including, ``end``."""

    start: Position
    end: Position


class Safety(Enum):
    """Whether a fix can change the outcome of a test that passes."""

    SAFE = "safe"
    UNSAFE = "unsafe"


class Confidence(Enum):
    """Whether a report rests on resolved definitions or on how the code around it behaves."""

    CERTAIN = "certain"
    LIKELY = "likely"


class Edit(NamedTuple):
    """Replace the text of ``span`` by ``text``; an empty span inserts."""

    span: Span
    text: str


class Fix(NamedTuple):
    """One repair: all of its edits are applied, or none.

    ``imports`` are modules the edited text needs as ``import <module>`` at the top of the file.
    """

    message: str
    edits: tuple[Edit, ...]
    safety: Safety
    imports: tuple[str, ...] = ()


class Related(NamedTuple):
    """A second place that explains a finding; ``path`` is as displayed."""

    path: str
    span: Span
    message: str


class Finding(NamedTuple):
    """One report.

    ``path`` is as displayed (relative to the working directory where it lies below it).
    ``fix`` is None where there is none; ``held_back`` then says why, if a fix was expected.
    """

    path: str
    span: Span
    code: str
    message: str
    fix: Fix | None = None
    held_back: str = ""
    related: tuple[Related, ...] = ()
    confidence: Confidence = Confidence.CERTAIN
