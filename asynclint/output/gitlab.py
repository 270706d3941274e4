"""GitLab's Code Quality report: a JSON list with an object for each problem and finding.

https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from asynclint.finding import Confidence
from asynclint.output.gathered import Gathered, digest, fingerprints
from asynclint.output.places import below, root


def document(gathered: Gathered) -> str:
    """The list, empty where there is nothing to report."""
    return json.dumps([*_problems(gathered), *_findings(gathered)], indent=2) + "\n"


def _problems(gathered: Gathered) -> Iterator[dict[str, Any]]:
    top = root()
    for problem in gathered.problems:
        identity = digest(problem.display, problem.code, problem.message, str(problem.line))
        path, line = below(problem.display, top), max(problem.line, 1)
        yield _issue(problem.message, problem.code, identity, "critical", path, line, line)


def _findings(gathered: Gathered) -> Iterator[dict[str, Any]]:
    top = root()
    for one, identity in zip(gathered.findings, fingerprints(gathered), strict=True):
        finding = one.finding
        severity = "major" if finding.confidence is Confidence.CERTAIN else "minor"
        path, start, end = below(finding.path, top), finding.span.start.line, finding.span.end.line
        yield _issue(finding.message, finding.code, identity, severity, path, start, end)


def _issue(
    message: str, code: str, fingerprint: str, severity: str, path: str, begin: int, end: int
) -> dict[str, Any]:
    return {
        "description": f"{code} {message}",
        "check_name": code,
        "fingerprint": fingerprint,
        "severity": severity,
        "location": {"path": path, "lines": {"begin": begin, "end": end}},
    }
