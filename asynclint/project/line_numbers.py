"""Tests that know the lines they stand in: a fix that adds one may make them fail."""

from __future__ import annotations

import re

from asynclint.finding import Finding, Fix, Safety
from asynclint.project.project import Project
from asynclint.source.outline import Outline

WORDS = (".lineno", ".f_lineno", ".tb_lineno", ".co_firstlineno", "getsource(", "getsourcelines(")
IN_TRACEBACK = re.compile(r"\bline \d+, in\b")
NEWLINE = re.compile(r"\r\n?|\n")


def unshifted(finding: Finding, outline: Outline, project: Project) -> Finding:
    """A finding without its safe fix, where that moves lines that tests of the file look at."""
    fix = finding.fix
    if fix is None or fix.safety is not Safety.SAFE or not _moves_lines(fix):
        return finding
    if not project.remembered(("knows its lines", outline), lambda: _knows_its_lines(outline)):
        return finding
    reason = f"{outline.path.name} has tests that look at line numbers, which it would shift"
    return finding._replace(fix=None, held_back=reason)


def _moves_lines(fix: Fix) -> bool:
    spans = ((edit.span.end.line - edit.span.start.line, edit.text) for edit in fix.edits)
    return bool(fix.imports) or any(lines != len(NEWLINE.findall(text)) for lines, text in spans)


def _knows_its_lines(outline: Outline) -> bool:
    """``record.lineno``, ``assert "test_shop.py:19" in caplog.text``, ``"line 20, in test_shop"``."""
    text = outline.text
    if text.has_any(WORDS) or IN_TRACEBACK.search(text.text):
        return True
    place = f"{outline.path.name}:"
    return place in text.text and re.search(rf"\b{re.escape(place)}\d", text.text) is not None
