"""What an editor offers to do: the fix of each finding, and all safe fixes at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from asynclint.finding import Finding, Safety

if TYPE_CHECKING:
    from asynclint.server.documents import Document
    from asynclint.server.translate import Diagnostics
    from asynclint.source.text import SourceText

QUICK_FIX = types.CodeActionKind.QuickFix
FIX_ALL = "source.fixAll.asynclint"


def is_asked(kind: str, only: Sequence[str] | None) -> bool:
    """Whether a client that asks for some kinds of actions, or for none in particular, asks for this one."""
    return only is None or any(kind == asked or kind.startswith(f"{asked}.") for asked in only)


def quick_fixes(document: Document, wanted: types.Range, shown: Diagnostics) -> Iterator[types.CodeAction]:
    """The fixes of findings that a range touches, without their edits; ``data`` says whose they are.

    Safe ones are preferred: an editor may apply them unasked. Unsafe ones say what they are.
    """
    findings = document.checked.result.findings if document.checked is not None else ()
    for finding in findings:
        diagnostic = shown.of(finding)
        if finding.fix is None or not _touch(diagnostic.range, wanted):
            continue
        is_safe = finding.fix.safety is Safety.SAFE
        title = f"asynclint ({finding.code}): {finding.fix.message}"
        yield types.CodeAction(
            title if is_safe else f"{title} (unsafe)",
            QUICK_FIX,
            [diagnostic],
            is_preferred=is_safe,
            data={"uri": document.uri, "version": document.version, "finding": _name(finding)},
        )


def silencers(document: Document, wanted: types.Range, shown: Diagnostics) -> Iterator[types.CodeAction]:
    """A ``# noqa`` for each finding that a range touches and that can have one, without its edit."""
    findings = document.checked.result.findings if document.checked is not None else ()
    for finding in findings:
        diagnostic = shown.of(finding)
        if _touch(diagnostic.range, wanted) and _silenced(document.text, finding).fix is not None:
            title = f"asynclint: disable {finding.code} for this line"
            data = {"uri": document.uri, "version": document.version, "finding": _name(finding)}
            yield types.CodeAction(title, QUICK_FIX, [diagnostic], data=data | {"noqa": True})


def fix_all(document: Document) -> types.CodeAction:
    """All safe fixes, without their edits."""
    data = {"uri": document.uri, "version": document.version}
    return types.CodeAction("asynclint: apply all safe fixes", FIX_ALL, data=data)


def finding_of(document: Document, data: Any) -> Finding | None:
    """The finding that a quick fix was offered for; None where it isn't found any more."""
    findings = document.checked.result.findings if document.checked is not None else ()
    return next((finding for finding in findings if _name(finding) == data["finding"]), None)


def _name(finding: Finding) -> list[object]:
    """What tells the findings of one text apart, in words of JSON."""
    return [finding.code, finding.span.start.line, finding.span.start.column, finding.message]


def with_noqa(text: SourceText, finding: Finding) -> str:
    """A text with a ``# noqa`` for one finding in it."""
    return with_fix(text, _silenced(text, finding))


def _silenced(text: SourceText, finding: Finding) -> Finding:
    """A finding whose fix is a ``# noqa``; without one where that would not be seen."""
    from asynclint.suppress.comments import added

    return added(text, [finding])[0]


def with_fix(text: SourceText, finding: Finding) -> str:
    """A text with the fix of one finding in it, safe or not."""
    from asynclint.output.fix import apply

    return apply(text, [finding], unsafe=True).text


def _touch(one: types.Range, two: types.Range) -> bool:
    """Whether two ranges share a line: that of a cursor is empty, and stands anywhere in it."""
    return one.start.line <= two.end.line and two.start.line <= one.end.line
