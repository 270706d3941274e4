"""JUnit's XML, as CI systems read it: a suite for each file, a failed test for each finding in it.

A file without findings is a test that passes; one that could not be checked is an error. There is no
standard; https://github.com/testmoapp/junitxml says what the readers have in common.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from asynclint.output import text
from asynclint.output.explain import names
from asynclint.output.gathered import Gathered

# what XML 1.0 cannot say, not even as a character reference: https://www.w3.org/TR/xml/#charsets
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def document(gathered: Gathered) -> str:
    """The document, in ASCII, which every encoding of a stream has."""
    top = ET.Element("testsuites", name="asynclint")
    cases: dict[str, list[ET.Element]] = {display: [] for display in gathered.files}
    for display, case in _cases(gathered):
        cases.setdefault(display, []).append(case)
    for display, found in sorted(cases.items()):
        found = found or [ET.Element("testcase", name="no findings", classname=_xml(display), time="0")]
        suite = ET.SubElement(top, "testsuite", {"name": _xml(display), **_counts(found)})
        suite.extend(found)
    top.attrib.update(_counts(list(top.iter("testcase"))))
    ET.indent(top)
    raw: bytes = ET.tostring(top, encoding="us-ascii", xml_declaration=True)
    return raw.decode("ascii") + "\n"


def _cases(gathered: Gathered) -> Iterator[tuple[str, ET.Element]]:
    slugs = names()
    for problem in gathered.problems:
        place = problem.display, problem.line, problem.column
        yield problem.display, _case("error", *place, problem.code, slugs, problem.message, "")
    for one in gathered.findings:
        finding, start = one.finding, one.finding.span.start
        place = finding.path, start.line, start.column
        yield finding.path, _case("failure", *place, finding.code, slugs, finding.message, one.line)


def _case(
    verdict: str,
    display: str,
    line: int,
    column: int,
    code: str,
    slugs: dict[str, str],
    message: str,
    source: str,
) -> ET.Element:
    """A test whose name tells it from the others of its class; the class is the file."""
    name = f"{code} {slugs.get(code, '')} ({max(line, 1)}:{column + 1})"
    attributes = {"name": name, "classname": _xml(display), "file": _xml(display), "line": str(max(line, 1))}
    case = ET.Element("testcase", attributes, time="0")
    failure = ET.SubElement(case, verdict, type=code, message=_xml(message))
    failure.text = _xml(f"{text.place(display, line, column)}: {code} {message}\n{source}".rstrip())
    return case


def _counts(cases: list[ET.Element]) -> dict[str, str]:
    failures = sum(case.find("failure") is not None for case in cases)
    errors = sum(case.find("error") is not None for case in cases)
    counts = {"tests": len(cases), "failures": failures, "errors": errors, "skipped": 0, "time": 0}
    return {name: str(count) for name, count in counts.items()}


def _xml(value: str) -> str:
    return _NO_XML.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), value)
