"""``# noqa`` comments as edits: those that findings want, and those that suppress nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from asynclint.finding import Edit, Finding, Fix, Position, Safety, Span
from asynclint.rule import UNUSED_NOQA, Rule, all_rules
from asynclint.source.noqa import Noqa, Suppressions
from asynclint.source.text import SourceText

BLANKS = " \t\f"
OURS, OWN = "ASL", "ASL0"  # the codes of rules, and those of asynclint itself


def added(text: SourceText, findings: Sequence[Finding]) -> list[Finding]:
    """The findings with the fix that puts their code into a ``# noqa`` of their line.

    Those of one line share one fix. None where flake8 would not see the comment: behind a ``# noqa`` in a
    string, or on a line that can have none.
    """
    suppressions = Suppressions(text)
    by_lines: dict[int, list[Finding]] = {}
    for finding in findings:
        lines = suppressions.lines_with(finding.span.start.line)
        by_lines.setdefault(lines.start, []).append(finding)
    result = []
    for start, group in by_lines.items():
        codes = sorted({finding.code for finding in group})
        edit = _addition(text, suppressions.noqa_of(start), suppressions.lines_with(start), codes)
        fix = Fix("add # noqa", (edit,), Safety.SAFE) if edit is not None else None
        result += [finding._replace(fix=fix) for finding in group]
    return result


def _addition(text: SourceText, noqa: Noqa | None, lines: range, codes: Sequence[str]) -> Edit | None:
    if noqa is not None:
        if noqa.comment is None or not noqa.codes:
            return None
        end = noqa.span.end
        return Edit(Span(end, end), "".join(_separator(text, noqa) + code for code in codes))
    last = lines.stop - 1
    line = text.lines[last - 1] if last <= len(text.lines) else ""
    if line.startswith("#!"):
        return None
    content = line.rstrip("\r\n")
    code = content.rstrip(BLANKS)
    span = Span(Position(last, len(code)), Position(last, len(content)))
    return Edit(span, f"{'  ' if code else ''}# noqa: {', '.join(codes)}")


def _separator(text: SourceText, noqa: Noqa) -> str:
    """What stands between the codes of a comment."""
    (_, first), *others = noqa.codes
    return text.slice(Span(first.end, others[0][1].start)) if others else ", "


def unused(text: SourceText, found: Iterable[Finding], rules: Iterable[Rule]) -> Iterator[Finding]:
    """Findings of ASL004 about a file: codes in ``# noqa`` comments of which nothing was ``found``.

    ``rules`` are those that judged the file. The codes of others are left alone, as are asynclint's own,
    and those of suites, which are judged elsewhere; of a prefix all codes must have been looked for.
    """
    judged = {rule.code for rule in rules if rule.of_suites is None}
    known = {rule.code for rule in all_rules()}
    suppressions = Suppressions(text)
    at: dict[int, set[str]] = {}
    for finding in found:
        at.setdefault(finding.span.start.line, set()).add(finding.code)
    for noqa in suppressions.listing(OURS):
        here = {code for line in noqa.lines for code in at.get(line, ())}
        idle, unknown = [], []
        for written, _ in noqa.codes:
            code = written.upper()
            meant = {rule for rule in known if rule.startswith(code)}
            if not code.startswith(OURS) or code.startswith(OWN):
                continue
            if not meant:
                unknown.append(written)
            elif meant <= judged and meant.isdisjoint(here):
                idle.append(written)
        if idle or unknown:
            yield _report(text, noqa, idle, unknown)


def _report(text: SourceText, noqa: Noqa, idle: Sequence[str], unknown: Sequence[str]) -> Finding:
    reasons = []
    if idle:
        reasons.append(f"nothing is suppressed by {', '.join(idle)}")
    if unknown:
        reasons.append(f"no rule has the code {', '.join(unknown)}")
    gone = {*idle, *unknown}
    kept = [code for code, _ in noqa.codes if code not in gone]
    if kept:
        span = Span(noqa.codes[0][1].start, noqa.codes[-1][1].end)
        edit = Edit(span, _separator(text, noqa).join(kept))
        fix = Fix(f"remove {', '.join([*idle, *unknown])}", (edit,), Safety.SAFE)
    else:
        fix = Fix("remove the comment", (_removal(text, noqa),), Safety.SAFE)
    return Finding("", noqa.span, UNUSED_NOQA, "; ".join(reasons), fix)


def _removal(text: SourceText, noqa: Noqa) -> Edit:
    """Take a ``# noqa`` away; what else the comment says stays."""
    assert noqa.comment is not None
    start, end = noqa.span.start, noqa.comment.end
    line = text.lines[start.line - 1]
    after = line[noqa.span.end.column : end.column].strip(BLANKS)
    remark = after if after.startswith("#") else after.lstrip(f"{BLANKS},;:-")
    if remark:
        behind = end.column - len(line[: end.column]) + line[: end.column].rindex(remark)
        stop = Position(end.line, behind)
        return Edit(Span(start, stop), "" if remark.startswith("#") else "# ")
    before = line[: start.column].rstrip(BLANKS)
    if before:
        return Edit(Span(Position(start.line, len(before)), end), "")
    last = start.line == len(text.lines)  # a line of its own
    stop = Position(start.line, len(line.rstrip("\r\n"))) if last else Position(start.line + 1, 0)
    return Edit(Span(Position(start.line, 0), stop), "")
