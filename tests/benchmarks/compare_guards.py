"""How often ``asynclint --show-guards`` says what ``oracle.py`` saw.

    cd SUITE
    PYTHONPATH=ASYNCLINT/tests/benchmarks python -m pytest -p oracle --oracle-out=/tmp/SUITE.jsonl
    asynclint --show-guards --output-format json . > /tmp/SUITE.json
    python ASYNCLINT/tests/benchmarks/compare_guards.py /tmp/SUITE.jsonl /tmp/SUITE.json

Several suites: several pairs of files; each is called by the name of its first file. Run both in the
directory that pytest is rooted in, so that paths agree, and with the suite's own settings.

Compared are async tests, and sync tests that drive a loop themselves (through a helper only if asynclint
lists them), of which a run passed (or failed as its mark expects). Runs of one function, by parameters
or in several classes, count as one test: armed if a timer was armed round any of them. The two agree on
a test if a timer was armed round it and asynclint names a bound, or neither. The columns:

``tests``      compared
``armed``      a timer was armed round it, of which ``partly`` in some of its runs only
``both``, ``neither``: agreement
``only said``  asynclint names a bound that was not armed
``only run``   a timer was armed that asynclint does not know
``unknown``    asynclint says that it can't tell: counted as disagreement
``unlisted``   asynclint does not list the test: counted as disagreement
``agree``      the share of the tests
``left out``   async tests that did not run, were skipped or failed, or whose function was not seen to
               run; listed by asynclint or not

``--without-pytest-timeout`` leaves pytest-timeout out on both sides, which otherwise settles every test of
a suite that configures it. ``--seconds`` lists tests as well where both name a bound, and a
number that asynclint read is not among those armed. Each disagreement is printed with both sides.
The exit status is 1 if the share of any suite is below ``--at-least`` (a percentage, default 0).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Key = tuple[str, str]  # path and qualified name

COLUMNS = ("both", "neither", "only said", "only run", "unknown", "unlisted")
AGREEMENT = COLUMNS[:2]


@dataclass
class Ran:
    """One test function as it ran: all its runs together."""

    keys: tuple[Key, ...]
    line: int
    runs: int = 0
    bounded_runs: int = 0
    is_async: bool = False
    drives: str = ""
    armed: list[dict[str, Any]] = field(default_factory=list)
    elsewhere: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Compared:
    """One test, its column, and both sides in words."""

    column: str
    place: str
    said: str
    saw: str
    partly: bool
    differ: bool


def is_pytest_timeouts(bound: dict[str, Any]) -> bool:
    """Whether a bound that asynclint names is pytest-timeout's: a mark, an option or a setting."""
    source = str(bound["source"])
    configured = (
        not bound["in_loop"] and not str(bound["path"] or "").endswith(".py") and "timeout" in source.lower()
    )
    return configured or source.startswith("pytest.mark.timeout")


def armed_in(line: dict[str, Any], *, pytest_timeout: bool) -> list[dict[str, Any]]:
    """The timers of a run."""
    return [a for a in line["armed"] if pytest_timeout or Path(a["path"]).name != "pytest_timeout.py"]


def ran(lines: Iterable[dict[str, Any]], *, pytest_timeout: bool) -> tuple[list[Ran], int]:
    """The tests that ran, and how many did not (or not to a good end)."""
    found: dict[Key, Ran] = {}
    idle: set[Key] = set()
    for line in lines:
        code = line["code"] or {"path": line["path"], "name": line["name"], "line": 0}
        own = (code["path"], code["name"].replace(".<locals>", ""))
        if not line["started"] or line["outcome"] not in ("passed", "xfailed"):
            if line["async"] or line["drives"] == "itself":
                idle.add(own)
            continue
        test = found.setdefault(own, Ran((own, (line["path"], line["name"])), code["line"]))
        armed = armed_in(line, pytest_timeout=pytest_timeout)
        test.runs += 1
        test.bounded_runs += bool(armed)
        test.is_async = test.is_async or line["async"]
        test.drives = "itself" if "itself" in (test.drives, line["drives"]) else test.drives or line["drives"]
        test.armed += [a for a in armed if a not in test.armed]
        test.elsewhere += [a for a in line["elsewhere"] if a not in test.elsewhere]
    return [test for test in found.values() if test.is_async or test.drives], len(idle - found.keys())


class Said:
    """What asynclint says, by path and name."""

    def __init__(self, document: dict[str, Any], *, pytest_timeout: bool) -> None:
        self.tests: dict[str, list[dict[str, Any]]] = {}
        for test in document["tests"]:
            kept = [b for b in test["bounds"] if pytest_timeout or not is_pytest_timeouts(b)]
            only = {**test, "bounds": kept}
            if test["status"] == "bounded" and not kept:
                only["status"] = "unknown" if test["unknown"] else "unbounded"
            self.tests.setdefault(test["name"], []).append(only)

    def of(self, test: Ran) -> dict[str, Any] | None:
        """The nearest entry of that name in that file."""
        for path, name in test.keys:
            fitting = [t for t in self.tests.get(name, ()) if _same(t["path"], path)]
            if fitting:
                return min(fitting, key=lambda t: abs(int(t["line"]) - test.line))
        return None


def _same(one: str, other: str) -> bool:
    one, other = Path(one).as_posix(), Path(other).as_posix()
    return one == other or one.endswith("/" + other) or other.endswith("/" + one)


def compare(
    lines: Iterable[dict[str, Any]], document: dict[str, Any], *, pytest_timeout: bool
) -> Iterator[Compared]:
    """Each test that ran, with what asynclint says of it."""
    said = Said(document, pytest_timeout=pytest_timeout)
    for test in ran(lines, pytest_timeout=pytest_timeout)[0]:
        entry = said.of(test)
        if entry is not None and entry["status"] == "skipped":
            continue
        if entry is None and not test.is_async and test.drives != "itself":
            continue
        bounds = entry["bounds"] if entry is not None else []
        if entry is None:
            column = "unlisted"
        elif entry["status"] == "unknown":
            column = "unknown"
        else:
            column = {(1, 1): "both", (0, 0): "neither", (1, 0): "only said", (0, 1): "only run"}[
                bool(bounds), bool(test.armed)
            ]
        read = {b["seconds"] for b in bounds} - {None}
        measured = [a["seconds"] for a in test.armed if a["seconds"] is not None]
        differ = column == "both" and not all(any(abs(m - s) < 0.1 for m in measured) for s in read)
        place = f"{test.keys[0][0]}:{entry['line'] if entry else test.line}: {test.keys[0][1]}"
        partly = 0 < test.bounded_runs < test.runs
        yield Compared(column, place, _said(entry), _saw(test), partly, differ)


def _said(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return "not listed"
    bounds = "; ".join(
        f"{_number(b['seconds'])} {b['source']} ({b['path']}:{b['line']})" for b in entry["bounds"]
    )
    unknown = f" can't read {entry['unknown']}" if entry["status"] == "unknown" else ""
    return f"{entry['status']}{unknown}" + (f": {bounds}" if bounds else "")


def _saw(test: Ran) -> str:
    runs = f", in {test.bounded_runs} of {test.runs} runs" if 0 < test.bounded_runs < test.runs else ""
    armed = "; ".join(
        f"{_number(a['seconds'])} {a['kind']} ({a['path']}:{a['line']}, {a['where']})" for a in test.armed
    )
    others = [a for a in test.elsewhere if not a["why"].startswith("armed by other code")]
    told = "; ".join(f"{a['kind']} ({a['path']}:{a['line']}: {a['why']})" for a in others[:4])
    return (f"armed{runs}: {armed}" if armed else "nothing armed") + (f" | elsewhere: {told}" if told else "")


def _number(seconds: float | None) -> str:
    return "? s" if seconds is None else f"{seconds:g} s"


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        yield "  ".join((row[0].ljust(widths[0]), *cells)).rstrip()


def _row(name: str, found: Sequence[Compared], left_out: int) -> tuple[str, ...]:
    counts = Counter(c.column for c in found)
    partly = sum(c.partly for c in found)
    armed = sum(not c.saw.startswith("nothing") for c in found)
    share = _share(found)
    numbers = (len(found), armed, partly, *(counts[column] for column in COLUMNS))
    return (name, *map(str, numbers), f"{share:.2f} %", str(left_out))


def _share(found: Sequence[Compared]) -> float:
    """Percentage of agreement."""
    return 100 * sum(c.column in AGREEMENT for c in found) / len(found) if found else 100.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table and the disagreements."""
    parser = argparse.ArgumentParser(description="How often --show-guards says what oracle.py saw.")
    parser.add_argument("files", nargs="+", type=Path, metavar="ARMED GUARDS")
    parser.add_argument("--without-pytest-timeout", action="store_true")
    parser.add_argument("--seconds", action="store_true")
    parser.add_argument("--at-least", type=float, default=0.0, metavar="PERCENT")
    given = parser.parse_args(arguments)
    if len(given.files) % 2:
        parser.error("files come in pairs: what the oracle wrote, and what asynclint printed")
    rows: list[tuple[str, ...]] = [("suite", "tests", "armed", "partly", *COLUMNS, "agree", "left out")]
    everything: list[Compared] = []
    all_left_out, lowest = 0, 100.0
    for armed, guards in zip(given.files[::2], given.files[1::2], strict=True):
        with armed.open(encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        document = json.loads(guards.read_text(encoding="utf-8"))
        timeout = not given.without_pytest_timeout
        found = list(compare(lines, document, pytest_timeout=timeout))
        left_out = ran(lines, pytest_timeout=timeout)[1]
        rows.append(_row(armed.stem, found, left_out))
        everything, all_left_out, lowest = (
            everything + found,
            all_left_out + left_out,
            min(lowest, _share(found)),
        )
        for compared in found:
            if compared.column not in AGREEMENT or (given.seconds and compared.differ):
                column = "seconds" if compared.column in AGREEMENT else compared.column
                print(f"{armed.stem}: {column}: {compared.place}")
                print(f"    said: {compared.said}\n    run:  {compared.saw}")
    if len(rows) > 2:
        rows.append(_row("all", everything, all_left_out))
    print(*_table(rows), sep="\n")
    return int(lowest < given.at_least)


if __name__ == "__main__":
    sys.exit(main())
