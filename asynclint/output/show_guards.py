"""What ``--show-guards`` prints: each async test with what bounds it, and a summary of each suite.

Three layouts: ``full`` for terminals, by file, ``concise`` lines ``path:line: test: …``, and JSON.

The JSON document is ``{"version": 1, "suites": [...], "tests": [...]}``. A test has ``path`` (as
displayed), ``line`` (1-based, of its ``def``), ``name`` (qualified: ``TestIt.test_a``), ``suite``
(the directory pytest is rooted in, as displayed), ``status`` (``bounded``; ``partial``: a guard in it
leaves out a wait; ``unbounded``; ``unknown``; ``idle``: nothing in it waits; ``skipped``), ``waits``,
``left_out`` (the lines of waits outside the guards in it), ``unknown`` (what can't be read, else "")
and ``bounds``, what matters most first: ``source``, ``seconds`` (null where it can't be read),
``in_loop``, ``path`` and ``line`` (null where it has none). A suite has ``root``, ``config`` (the
file that configures pytest, or null), the number of tests by status, and ``from_above``: what bounds
its tests when pytest is started in a directory above, or null.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from asynclint.output.report import console
from asynclint.output.text import printable
from asynclint.project.guards.standing import Standing
from asynclint.project.guards.survey import Survey, bound_from_above
from asynclint.source.files import shown

if TYPE_CHECKING:
    from rich.text import Text

    from asynclint.project.config import PytestConfig
    from asynclint.project.guards.wrappers import Bound

WIDEST_NAME = 60  # characters; the columns of longer names move
STYLES = {
    Standing.BOUNDED: "green",
    Standing.PARTIAL: "yellow",
    Standing.UNBOUNDED: "bold red",
    Standing.UNKNOWN: "yellow",
    Standing.IDLE: "dim",
    Standing.SKIPPED: "dim",
}


class Row(NamedTuple):
    """One test, and the path of its file as displayed."""

    display: str
    survey: Survey

    @property
    def name(self) -> str:
        """The test's qualified name."""
        return self.survey.test.scope.qualname

    @property
    def line(self) -> int:
        """The line of its ``def``, 1-based."""
        node = self.survey.test.scope.node
        return int(getattr(node, "lineno", 0))


def show(rows: Sequence[Row], stream: TextIO, layout: str, color: str = "auto") -> None:
    """Print rows to ``stream``; ``layout`` is ``full``, ``concise`` or ``json``."""
    if layout == "json":
        stream.write(json.dumps(document(rows), indent=2) + "\n")
        return
    for config, tests in _by_suite(rows):
        if layout == "full":
            terminal = console(stream, color)
            for text in _table(tests):
                terminal.print(text, soft_wrap=True)
            stream.write("\n")
        else:
            stream.writelines(f"{_concise(row)}\n" for row in tests)
        stream.writelines(f"{line}\n" for line in summary(config, tests))


def _by_suite(rows: Sequence[Row]) -> Iterator[tuple[PytestConfig, list[Row]]]:
    """Rows by the configuration that pytest would read for them, in the order they come."""
    suites: dict[tuple[Path, Path | None], list[Row]] = {}
    for row in rows:
        config = row.survey.test.config
        suites.setdefault((config.root, config.path), []).append(row)
    for tests in suites.values():
        yield tests[0].survey.test.config, tests


def summary(config: PytestConfig, tests: Sequence[Row]) -> Iterator[str]:
    """A few lines about one suite."""
    counts = Counter(row.survey.standing for row in tests)
    found = ", ".join(f"{counts[standing]} {standing.value}" for standing in Standing if counts[standing])
    count = f"{len(tests)} async test" if len(tests) == 1 else f"{len(tests)} async tests"
    yield f"{_suite(config)}: {count}: {found}"
    sources = Counter(
        printable(row.survey.bounds[0].source) for row in tests if row.survey.standing is Standing.BOUNDED
    )
    for source, number in sources.most_common():
        yield f"  {number:5} by {source}"
    above = bound_from_above(config)
    if above is not None and counts[Standing.UNBOUNDED]:
        root, bound = shown(above[0].root), above[1]
        yield f"  started in {root}, pytest would bound them: {_seconds(bound)}, {printable(bound.source)}"


def _suite(config: PytestConfig) -> str:
    if config.path is None:
        return f"{shown(config.root)} (pytest is not configured)"
    return f"{shown(config.root)} ({config.path.name} {config.section}".rstrip() + ")"


def _seconds(bound: Bound) -> str:
    seconds = bound.seconds
    if not isinstance(seconds, float):
        return "? s"
    return "no end" if math.isinf(seconds) else f"{seconds:.10g} s"


def _place(bound: Bound, row: Row) -> str:
    """Where a bound stands; empty where its source says so already."""
    if bound.path is None or not bound.line:
        return ""
    here = bound.path == row.survey.test.scope.outline.path
    return f"line {bound.line}" if here else f"{shown(bound.path)}:{bound.line}"


def _concise(row: Row) -> str:
    return printable(f"{row.display}:{row.line}: {row.name}: {_verdict(row)}")


def _verdict(row: Row) -> str:
    standing, survey = row.survey.standing, row.survey
    if standing is Standing.UNKNOWN:
        return f"unknown: can't read {survey.unknown}"
    if standing is Standing.IDLE:
        return "idle: nothing in it waits"
    if standing not in (Standing.BOUNDED, Standing.PARTIAL):
        return str(standing.value)
    bound = survey.bounds[0]
    place = _place(bound, row)
    more = f", and {len(survey.bounds) - 1} more" if len(survey.bounds) > 1 else ""
    said = f"{_seconds(bound)}, {bound.source}"
    if standing is Standing.PARTIAL:
        said = f"partly: line {survey.left_out[0]} waits outside {said}"
    return said + (f" ({place})" if place else "") + more


def _table(tests: Sequence[Row]) -> Iterator[Text]:
    """A heading for each file, a line for each of its tests."""
    from rich.text import Text

    width = min(max((len(row.name) for row in tests), default=0), WIDEST_NAME)
    display = None
    for row in tests:
        if row.display != display:
            display = row.display
            yield Text(f"\n{printable(display)}", style="bold")
        standing = row.survey.standing
        line = Text(f"{row.line:6}  ", style="dim").append(
            f"{printable(row.name):{width}}  ", style="not dim"
        )
        if standing is Standing.BOUNDED:
            bound = row.survey.bounds[0]
            line.append(f"{_seconds(bound):>8}  ", style=STYLES[standing] + " not dim")
            line.append(printable(bound.source), style="not dim").append(f"  {printable(_place(bound, row))}")
        else:
            line.append(printable(_verdict(row)), style=STYLES[standing] + " not dim")
        line.rstrip()
        yield line


def document(rows: Sequence[Row]) -> dict[str, Any]:
    """The JSON document; see the module's docstring."""
    return {
        "version": 1,
        "suites": [_suite_object(config, tests) for config, tests in _by_suite(rows)],
        "tests": [_test_object(row) for row in rows],
    }


def _suite_object(config: PytestConfig, tests: Iterable[Row]) -> dict[str, Any]:
    counts = Counter(row.survey.standing for row in tests)
    above = bound_from_above(config)
    return {
        "root": shown(config.root),
        "config": shown(config.path) if config.path is not None else None,
        **{standing.value: counts[standing] for standing in Standing},
        "from_above": None if above is None else {"root": shown(above[0].root), **_bound_object(above[1])},
    }


def _test_object(row: Row) -> dict[str, Any]:
    survey = row.survey
    return {
        "path": row.display,
        "line": row.line,
        "name": row.name,
        "suite": shown(survey.test.config.root),
        "status": survey.standing.value,
        "waits": survey.waits,
        "left_out": list(survey.left_out),
        "unknown": survey.unknown,
        "bounds": [_bound_object(bound) for bound in survey.bounds],
    }


def _bound_object(bound: Bound) -> dict[str, Any]:
    seconds = bound.seconds
    return {
        "source": bound.source,
        "seconds": seconds if isinstance(seconds, float) and math.isfinite(seconds) else None,
        "in_loop": bound.in_loop,
        "path": shown(bound.path) if bound.path is not None else None,
        "line": bound.line or None,
    }
