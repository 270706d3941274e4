"""What a whole run found, kept until its end for the formats that are one document.

Findings are kept without the texts they were found in, so that memory doesn't grow with the tree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from asynclint.finding import Edit, Finding, Fix, Safety, Span
from asynclint.output.imports import add_imports, drop_imports, is_read_alone, left_behind
from asynclint.source.files import Problem
from asynclint.source.text import SourceError, SourceText


class Reported(NamedTuple):
    """A finding whose fix says all in its edits, its imports too; ``line`` is the one it begins in."""

    finding: Finding
    line: str


@dataclass
class Gathered:
    """The files that were checked, by display; their findings; what could not be checked; fixes applied."""

    files: list[str] = field(default_factory=list)
    findings: list[Reported] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    fixed: int = 0

    def add(self, display: str, findings: Sequence[Finding], source: str, fixed: int) -> None:
        """Keep what was found in one file; ``source`` is the text in which the findings' spans lie."""
        self.files.append(display)
        self.fixed += fixed
        if not findings:
            return
        text = SourceText.from_lines([source])
        completing = Completing(text)
        for finding in findings:
            row = finding.span.start.line
            line = text.lines[row - 1].rstrip("\r\n") if row <= len(text.lines) else ""
            fix = completing.fix(finding)
            self.findings.append(Reported(finding._replace(fix=fix), line))

    def sort(self) -> None:
        """Bring everything into the order of path, line and column, whatever order it came in."""
        self.files = sorted(set(self.files))
        self.findings.sort(key=lambda one: (one.finding.path, one.finding.span, one.finding.code))
        self.problems.sort(key=lambda problem: (problem.display, problem.line, problem.column, problem.code))

    def fixes(self, safety: Safety) -> int:
        """How many findings have a fix of this safety."""
        return sum(one.finding.fix is not None and one.finding.fix.safety is safety for one in self.findings)


class Completing:
    """Completes the fixes of one text; what an import adds to it is worked out once for all that need it."""

    def __init__(self, text: SourceText) -> None:
        self._text = text
        self._added: dict[tuple[str, ...], tuple[str, Sequence[Edit]] | None] = {(): (text.text, ())}

    def fix(self, finding: Finding) -> Fix | None:
        """The fix with edits for imports that it needs or leaves unused; None if there is none, or can't be.

        A place behind a line's end is the beginning of the next line, as editors want it.
        """
        fix, text = finding.fix, self._text
        if fix is None:
            return None
        edits = tuple(sorted((e._replace(span=_span(text, e.span)) for e in fix.edits), key=lambda e: e.span))
        gone: set[str] = set()
        fixed = text.text
        for edit in reversed(edits):
            start, end = text.offset(edit.span.start), text.offset(edit.span.end)
            gone |= left_behind(text.text[start:end], edit.text)
            fixed = fixed[:start] + edit.text + fixed[end:]
        added = self._with_imports(fix.imports)
        if added is None:
            return None
        longer, imports = added
        whole = sorted((*imports, *edits), key=lambda edit: edit.span)
        if not gone or not is_read_alone(finding.path):
            return fix._replace(edits=tuple(whole), imports=())
        with suppress(SourceError):  # the fix alone may not compile
            dropped = drop_imports(SourceText.from_lines([longer]), gone, SourceText.from_lines([fixed]))
            changes = imports if dropped == longer else _difference(text, dropped)
            with_dropped = sorted((*changes, *edits), key=lambda edit: edit.span)
            if all(one.span.end <= two.span.start for one, two in pairwise(with_dropped)):
                whole = with_dropped
        return fix._replace(edits=tuple(whole), imports=())

    def _with_imports(self, modules: tuple[str, ...]) -> tuple[str, Sequence[Edit]] | None:
        """The text with imports, and the edits that put them there; None where it can't be parsed."""
        if modules not in self._added:
            try:
                longer = add_imports(self._text, modules)
                self._added[modules] = longer, _difference(self._text, longer)
            except SourceError:
                self._added[modules] = None
        return self._added[modules]


def _span(text: SourceText, span: Span) -> Span:
    return Span(text.position(text.offset(span.start)), text.position(text.offset(span.end)))


def _difference(text: SourceText, after: str) -> Sequence[Edit]:
    """The one edit that makes ``after`` of a text; none if they are equal."""
    before = text.text
    if before == after:
        return ()
    limit = min(len(before), len(after))
    start = next((at for at in range(limit) if before[at] != after[at]), limit)
    limit -= start
    tail = next((at for at in range(limit) if before[-1 - at] != after[-1 - at]), limit)
    span = Span(text.position(start), text.position(len(before) - tail))
    return (Edit(span, after[start : len(after) - tail]),)


def fingerprints(gathered: Gathered) -> list[str]:
    """For each finding what tells it from all others, and stays the same where lines above it change.

    It is made of path, code, source line and, of findings alike in these, the number.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    found = []
    for one in gathered.findings:
        parts = (one.finding.path, one.finding.code, " ".join(one.line.split()))
        seen[parts] += 1
        found.append(digest(*parts, str(seen[parts])))
    return found


def digest(*parts: str) -> str:
    """A fingerprint of texts, as 64 hexadecimal digits."""
    import hashlib

    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
