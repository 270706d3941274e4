"""The JSON document of a run, version 1: ``report_v1.schema.json`` beside this file says what each key holds.

Keys may be added to version 1; none is taken away or gets another meaning.
"""

from __future__ import annotations

import json
from typing import Any

from asynclint import __version__
from asynclint.finding import Finding, Fix, Safety, Span
from asynclint.output.explain import names
from asynclint.output.gathered import Gathered
from asynclint.output.statistics import Statistics
from asynclint.source.files import Problem


def document(gathered: Gathered) -> str:
    """The document, in ASCII."""
    slugs = names()
    statistics = Statistics()
    for one in gathered.findings:
        statistics.count(one.finding)
    found = {
        "version": 1,
        "asynclint": __version__,
        "findings": [_finding(one.finding, slugs) for one in gathered.findings],
        "problems": [_problem(problem, slugs) for problem in gathered.problems],
        "statistics": [row._asdict() for row in statistics.rows()],
        "summary": {
            "files": len(gathered.files),
            "findings": len(gathered.findings),
            "problems": len(gathered.problems),
            "safe_fixes": gathered.fixes(Safety.SAFE),
            "unsafe_fixes": gathered.fixes(Safety.UNSAFE),
            "fixed": gathered.fixed,
        },
    }
    return json.dumps(found, indent=2) + "\n"


def _finding(finding: Finding, slugs: dict[str, str]) -> dict[str, Any]:
    return {
        "path": finding.path,
        **_span(finding.span),
        "code": finding.code,
        "name": slugs.get(finding.code, ""),
        "message": finding.message,
        "confidence": finding.confidence.value,
        "related": [
            {"path": place.path, **_span(place.span), "message": place.message} for place in finding.related
        ],
        "fix": None if finding.fix is None else _fix(finding.fix),
        "no_fix": finding.held_back if finding.fix is None else "",
    }


def _fix(fix: Fix) -> dict[str, Any]:
    return {
        "message": fix.message,
        "safety": fix.safety.value,
        "edits": [{**_span(edit.span), "text": edit.text} for edit in fix.edits],
    }


def _span(span: Span) -> dict[str, int]:
    return {
        "line": span.start.line,
        "column": span.start.column + 1,
        "end_line": span.end.line,
        "end_column": span.end.column + 1,
    }


def _problem(problem: Problem, slugs: dict[str, str]) -> dict[str, Any]:
    return {
        "path": problem.display,
        "line": problem.line or None,
        "column": problem.column + 1 if problem.line else None,
        "code": problem.code,
        "name": slugs.get(problem.code, ""),
        "message": problem.message,
    }
