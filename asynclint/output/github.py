"""Annotations of GitHub Actions: one workflow command for each finding.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions; how they are escaped is in
https://github.com/actions/toolkit, packages/core/src/command.ts. The message repeats the place, since the log
of a run shows nothing but the message.
"""

from __future__ import annotations

from collections.abc import Iterator

from asynclint.finding import Confidence, Position, Span
from asynclint.output import text
from asynclint.output.gathered import Gathered
from asynclint.output.places import below, root


def document(gathered: Gathered) -> str:
    """One line for each problem and finding; nothing where there is none."""
    return "".join(_lines(gathered))


def _lines(gathered: Gathered) -> Iterator[str]:
    top = root()
    for problem in gathered.problems:
        at = Position(problem.line, problem.column)
        message = text.line(problem.display, at, problem.code, problem.message)
        yield _command("error", below(problem.display, top), Span(at, at), problem.code, message)
    for finding in (one.finding for one in gathered.findings):
        level = "error" if finding.confidence is Confidence.CERTAIN else "warning"
        yield _command(level, below(finding.path, top), finding.span, finding.code, text.concise(finding))


def _command(level: str, path: str, span: Span, code: str, message: str) -> str:
    start, end = span.start, span.end
    properties = {"title": code, "file": path, "line": str(max(start.line, 1))}
    if start.line == end.line and start.line:  # columns are of one line only
        properties |= {"col": str(start.column + 1), "endColumn": str(end.column + 1)}
    properties["endLine"] = str(max(end.line, 1))
    stated = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{level} {stated}::{_data(message)}\n"


def _data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")
