"""asynclint's words in the protocol's: positions, edits, diagnostics.

The protocol counts lines from 0 and columns in units of the encoding that was agreed on, UTF-16 if none was
(https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/#position).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.uris import from_fs_path

from asynclint.finding import Finding, Position, Related, Span
from asynclint.rule import all_rules
from asynclint.source.files import absolute
from asynclint.source.text import SourceError, SourceText

if TYPE_CHECKING:
    from asynclint.server.checks import Checked
    from asynclint.settings import SettingsError

Measure = Callable[[str], int]  # units of the client in a piece of a line
FADED = frozenset({"ASL004", "ASL305"})  # what does nothing, and what never runs


class Places:
    """Places in one text as the client counts them."""

    def __init__(self, text: SourceText | None, measure: Measure) -> None:
        self._lines = text.lines if text is not None else []
        self._bom = "\ufeff" if text is not None and text.bom else ""
        self._measure = measure

    def position(self, place: Position) -> types.Position:
        """The client's position; a place outside the text is at its nearer end."""
        line = max(place.line, 1)
        if line > len(self._lines):
            return types.Position(line - 1, 0 if self._lines else place.column)
        head = self._lines[line - 1].rstrip("\r\n")[: place.column]
        return types.Position(line - 1, self._measure(self._bom * (line == 1) + head))

    def range(self, span: Span) -> types.Range:
        """The client's range."""
        return types.Range(self.position(span.start), self.position(span.end))

    def whole_line(self, line: int, column: int) -> types.Range:
        """From a place to the end of its line (1-based), the way to show what has no end of its own."""
        line = min(max(line, 1), max(len(self._lines), 1))
        end = len(self._lines[line - 1]) if self._lines else 0
        return self.range(Span(Position(line, min(column, end)), Position(line, end)))


def edits(before: SourceText, after: str, places: Places) -> list[types.TextEdit]:
    """The edits that make ``after`` of a text, each of whole lines."""
    old, new = before.lines, SourceText.from_lines([after]).lines
    starts = [0]
    for line in old:
        starts.append(starts[-1] + len(line))
    found = []
    for kind, start, end, new_start, new_end in SequenceMatcher(None, old, new).get_opcodes():
        if kind != "equal":
            span = Span(before.position(starts[start]), before.position(starts[end]))
            found.append(types.TextEdit(places.range(span), "".join(new[new_start:new_end])))
    return found


class Diagnostics:
    """What was found in one document, as the client shows it.

    ``text_at`` gives the text of another file (absolute), None where it can't be read.
    """

    def __init__(
        self, checked: Checked, measure: Measure, text_at: Callable[[Path], SourceText | None]
    ) -> None:
        self._checked = checked
        self._measure = measure
        self._text_at = text_at
        self.places = Places(checked.text, measure)

    def all(self) -> list[types.Diagnostic]:
        """Every finding by position, and what could not be checked."""
        return [*self._problem(), *map(self.of, self._checked.result.findings)]

    def of(self, finding: Finding) -> types.Diagnostic:
        """One finding."""
        tags = [types.DiagnosticTag.Unnecessary] if finding.code in FADED else None
        page = page_of(finding.code)
        return types.Diagnostic(
            self.places.range(finding.span),
            finding.message,
            types.DiagnosticSeverity.Warning,
            finding.code,
            types.CodeDescription(page) if page else None,
            "asynclint",
            tags,
            [self._related(place) for place in finding.related] or None,
        )

    def _problem(self) -> Iterator[types.Diagnostic]:
        problem = self._checked.result.problem
        if problem is not None:
            broken = self._checked.broken
            yield types.Diagnostic(
                self.places.whole_line(problem.line, problem.column),
                problem.message,
                types.DiagnosticSeverity.Error,
                problem.code,
                source="asynclint",
                related_information=_where(broken) if broken is not None else None,
            )

    def _related(self, place: Related) -> types.DiagnosticRelatedInformation:
        result = self._checked.result
        path = result.path if place.path == result.display else absolute(Path(place.path))
        places = self.places
        if path != result.path:
            places = Places(self._text_at(path) if path is not None else None, self._measure)
        uri = from_fs_path(str(path)) if path is not None else result.display
        return types.DiagnosticRelatedInformation(
            types.Location(uri or "", places.range(place.span)), place.message
        )


def _where(broken: SettingsError) -> list[types.DiagnosticRelatedInformation] | None:
    if broken.path is None:
        return None
    start = types.Position(max(broken.line - 1, 0), 0)
    uri = from_fs_path(str(broken.path)) or ""
    place = types.Location(uri, types.Range(start, start))
    return [types.DiagnosticRelatedInformation(place, broken.message)]


def page_of(code: str) -> str:
    """Where a rule's page can be read: its own file, whose head it is. Empty for asynclint's own codes."""
    import asynclint.rules

    name = next((rule.name for rule in all_rules() if rule.code == code), None)
    directory = Path(asynclint.rules.__path__[0])
    return (from_fs_path(str(directory / f"{name}.py")) or "") if name is not None else ""


def text_of(path: Path) -> SourceText | None:
    """The text of a file of the disk; None where it can't be read."""
    try:
        return SourceText.from_bytes(path.read_bytes())
    except (OSError, SourceError):
        return None
