"""What was found in a file as JSON, and back. The file's own name is put in when it is shown."""

from __future__ import annotations

from typing import Any, NamedTuple

from asynclint.finding import Confidence, Edit, Finding, Fix, Position, Related, Safety, Span


class Judged(NamedTuple):
    """What is found in a file before anything is suppressed; paths in it are empty where they are its own.

    ``content`` is the digest of its bytes. ``counts`` are its unbounded and its other async tests, and
    whether pytest runs them; None where nobody asked.
    """

    content: str
    findings: tuple[Finding, ...]
    counts: tuple[int, int, bool] | None = None

    @property
    def fixable(self) -> bool:
        """Whether anything of it can be repaired."""
        return any(finding.fix is not None for finding in self.findings)


def dump(judged: Judged) -> dict[str, Any]:
    """As JSON's own types."""
    findings = [_finding(finding) for finding in judged.findings]
    return {"content": judged.content, "findings": findings, "counts": judged.counts}


def load(stored: Any, raw: bytes) -> Judged:
    """What was found in a file of this content.

    Raises KeyError, TypeError, ValueError or ArithmeticError for what ``dump`` did not write of it.
    """
    counts = stored["counts"]
    if counts is not None:
        unbounded, others, by_pytest = counts
        counts = (int(unbounded), int(others), bool(by_pytest))
    findings = tuple(map(_load_finding, stored["findings"]))
    lines = raw.count(b"\n") + raw.count(b"\r") + 1
    if not all(_fits(finding.span, lines, len(raw)) for finding in findings):
        raise ValueError(findings)
    return Judged(_text(stored["content"]), findings, counts)


def _fits(span: Span, lines: int, size: int) -> bool:
    """Whether a file of at most so many lines and bytes may have such lines and columns."""
    start, end = span.start, span.end
    return (
        1 <= start.line <= end.line <= lines
        and min(start.column, end.column) >= 0
        and max(start.column, end.column) <= size
    )


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "path": finding.path,
        "span": _span(finding.span),
        "code": finding.code,
        "message": finding.message,
        "fix": _fix(finding.fix) if finding.fix is not None else None,
        "held_back": finding.held_back,
        "related": [[place.path, _span(place.span), place.message] for place in finding.related],
        "confidence": finding.confidence.value,
    }


def _fix(fix: Fix) -> dict[str, Any]:
    return {
        "message": fix.message,
        "edits": [[_span(edit.span), edit.text] for edit in fix.edits],
        "safety": fix.safety.value,
        "imports": fix.imports,
    }


def _span(span: Span) -> list[int]:
    return [span.start.line, span.start.column, span.end.line, span.end.column]


def _load_finding(stored: Any) -> Finding:
    fix = stored["fix"]
    return Finding(
        _text(stored["path"]),
        _load_span(stored["span"]),
        _text(stored["code"]),
        _text(stored["message"]),
        _load_fix(fix) if fix is not None else None,
        _text(stored["held_back"]),
        tuple(Related(_text(path), _load_span(span), _text(text)) for path, span, text in stored["related"]),
        Confidence(stored["confidence"]),
    )


def _load_fix(stored: Any) -> Fix:
    return Fix(
        _text(stored["message"]),
        tuple(Edit(_load_span(span), _text(text)) for span, text in stored["edits"]),
        Safety(stored["safety"]),
        tuple(map(_text, stored["imports"])),
    )


def _load_span(stored: Any) -> Span:
    line, column, end_line, end_column = map(int, stored)
    return Span(Position(line, column), Position(end_line, end_column))


def _text(stored: Any) -> str:
    if not isinstance(stored, str):
        raise TypeError(stored)
    return stored
