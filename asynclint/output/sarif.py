"""SARIF 2.1.0, as GitHub code scanning and other viewers of static analysis read it.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html; what GitHub makes of it:
https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asynclint import __version__
from asynclint.finding import Confidence, Finding, Fix, Span
from asynclint.output.explain import OWN_CODES, markdown, plain
from asynclint.output.gathered import Gathered, fingerprints
from asynclint.output.places import root, uri
from asynclint.rule import Rule, all_rules
from asynclint.source.files import Problem

BASE = "%SRCROOT%"  # GitHub's name for the top of the repository
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

Object = dict[str, Any]


def document(gathered: Gathered) -> str:
    """The log with one run; every rule is described in it, whether it found something or not."""
    top = root()
    rules = [_rule(rule) for rule in all_rules()]
    known = {rule["id"] for rule in rules}
    used = {one.finding.code for one in gathered.findings}
    rules += [_own_code(code) for code in OWN_CODES if code in used - known]
    index = {rule["id"]: number for number, rule in enumerate(rules)}
    driver = {
        "name": "asynclint",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": rules,
        "notifications": [_own_code(code) for code in OWN_CODES],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [_invocation(gathered, top)],
        "originalUriBaseIds": {BASE: {"uri": f"{top.as_uri().rstrip('/')}/"}},
        "columnKind": "unicodeCodePoints",
        "newlineSequences": ["\r\n", "\n", "\r"],
        "results": list(_results(gathered, index, top)),
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(rule: Rule) -> Object:
    """A reportingDescriptor."""
    title, _, body = plain(rule).partition("\n\n")
    return {
        "id": rule.code,
        "name": rule.slug,
        "shortDescription": {"text": rule.summary.rstrip(".").replace("``", "`")},
        "fullDescription": {"text": _first_paragraph(rule)},
        "help": {"text": f"{title}\n\n{body}", "markdown": markdown(rule)},
        "defaultConfiguration": {"enabled": rule.default, "level": "error"},
        "properties": {
            "tags": ["async", "tests"],
            "precision": "high",
            "problem.severity": "error",
            "fix": rule.fix.value if rule.fix else "none",
        },
    }


def _first_paragraph(rule: Rule) -> str:
    paragraphs = rule.docs.split("\n\n", 2)
    return " ".join(paragraphs[1].split()).replace("``", "`")


def _own_code(code: str) -> Object:
    name, _, text = OWN_CODES[code].partition(": ")
    return {"id": code, "name": name, "shortDescription": {"text": " ".join(text.split())}}


def _invocation(gathered: Gathered, top: Path) -> Object:
    """What could not be checked: of the settings it is a fault of configuration, else one of this run."""
    notices: dict[bool, list[Object]] = {False: [], True: []}
    for problem in gathered.problems:
        notices[problem.code == "ASL003"].append(_notification(problem, top))
    return {
        "executionSuccessful": not gathered.problems,
        "toolExecutionNotifications": notices[False],
        "toolConfigurationNotifications": notices[True],
    }


def _notification(problem: Problem, top: Path) -> Object:
    place: Object = {"artifactLocation": _artifact(problem.display, top)}
    if problem.line:
        place["region"] = {"startLine": problem.line, "startColumn": problem.column + 1}
    return {
        "descriptor": {"id": problem.code, "index": list(OWN_CODES).index(problem.code)},
        "level": "error",
        "message": {"text": problem.message},
        "locations": [{"physicalLocation": place}],
    }


def _results(gathered: Gathered, index: dict[str, int], top: Path) -> Iterator[Object]:
    for one, identity in zip(gathered.findings, fingerprints(gathered), strict=True):
        finding = one.finding
        result: Object = {
            "ruleId": finding.code,
            "ruleIndex": index[finding.code],
            "level": "error" if finding.confidence is Confidence.CERTAIN else "warning",
            "message": {"text": finding.message},
            "locations": [{"physicalLocation": _physical(finding.path, finding.span, top)}],
            "partialFingerprints": {"asynclint/v1": identity},
            "properties": {"confidence": finding.confidence.value},
        }
        if finding.related:
            result["relatedLocations"] = list(_related(finding, top))
        if finding.fix is not None:
            result["fixes"] = [_fix(finding, finding.fix, top)]
        elif finding.held_back:
            result["properties"]["noFix"] = finding.held_back
        yield result


def _related(finding: Finding, top: Path) -> Iterator[Object]:
    for number, place in enumerate(finding.related, 1):
        physical = _physical(place.path, place.span, top)
        yield {"id": number, "physicalLocation": physical, "message": {"text": place.message}}


def _fix(finding: Finding, fix: Fix, top: Path) -> Object:
    replacements = [
        {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.text}} for edit in fix.edits
    ]
    return {
        "description": {"text": f"{fix.message} ({fix.safety.value})"},
        "artifactChanges": [{"artifactLocation": _artifact(finding.path, top), "replacements": replacements}],
        "properties": {"safety": fix.safety.value},
    }


def _physical(display: str, span: Span, top: Path) -> Object:
    return {"artifactLocation": _artifact(display, top), "region": _region(span)}


def _artifact(display: str, top: Path) -> Object:
    found = uri(display, top)
    return {"uri": found} if found.startswith("file:") else {"uri": found, "uriBaseId": BASE}


def _region(span: Span) -> Object:
    """Lines and columns from 1, the end not included."""
    return {
        "startLine": max(span.start.line, 1),
        "startColumn": span.start.column + 1,
        "endLine": max(span.end.line, 1),
        "endColumn": span.end.column + 1,
    }
