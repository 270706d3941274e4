"""How long a cold run of asynclint takes, as a multiple of parsing the same files.

    python tests/benchmarks/speed.py [--bounded] [--repeat N] SUITE...

For each suite (a directory), three kinds of child process are measured by their CPU time, user
and system, which the kernel counts (``getrusage``): one that reads and ``ast.parse``s every .py
file that asynclint opens below the suite; ``asynclint --no-cache --jobs 1`` over the suite; and
both with nothing to do (their startup). Each is run N times and the fastest counts.

``--bounded`` puts a timeout of pytest-timeout into the environment, so that no test lacks one:
what is left is the cost of a suite with none of the commonest report, ASL101.

The columns: ``files`` that were read; ``parse`` and ``asynclint``, seconds without startup;
``ratio``, the second by the first; ``whole``, the ratio of the whole process to ``parse``. Only
the ratios can be compared between machines.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PARSE = """
import ast, sys, warnings
warnings.simplefilter("ignore")
for name in sys.stdin.read().splitlines():
    with open(name, "rb") as file:
        try:
            ast.parse(file.read())
        except (SyntaxError, ValueError):
            pass
"""

# Runs asynclint in the child and prints each file it opens, once, in the order of reading.
TRACE = """
import os, sys
seen = {}
def hook(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        seen[os.path.abspath(os.fsdecode(arguments[0]))] = None
from asynclint.cli import run
sys.addaudithook(hook)
sys.stdout = open(os.devnull, "w")
run(sys.argv[1:])
sys.__stdout__.write("\\n".join(seen))
"""

ASYNCLINT = ("--no-cache", "--jobs", "1", "--exit-zero", "--quiet", "--output-format", "concise")


@dataclass(frozen=True)
class Measure:
    """CPU seconds for one suite."""

    name: str
    files: int
    parse: float
    parse_startup: float
    asynclint: float
    asynclint_startup: float

    def row(self) -> tuple[str, ...]:
        parse = max(self.parse - self.parse_startup, 1e-9)
        work = self.asynclint - self.asynclint_startup
        numbers = (parse, work, work / parse, self.asynclint / parse)
        return (self.name, str(self.files), *(f"{number:.2f}" for number in numbers))


def cpu_seconds(command: Sequence[str], environment: dict[str, str], given: str, repeat: int) -> float:
    """CPU time of the fastest of ``repeat`` runs of a child."""
    return min(_cpu_seconds_once(command, environment, given) for _ in range(repeat))


def _cpu_seconds_once(command: Sequence[str], environment: dict[str, str], given: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    child = subprocess.run(
        command, env=environment, input=given, text=True, stdout=subprocess.DEVNULL, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if child.returncode not in (0, 2):  # 2: some file cannot be parsed, the others were checked
        sys.exit(f"{command} ended with status {child.returncode}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def files_read(suite: Path, environment: dict[str, str]) -> list[str]:
    """The .py files below ``suite`` that a run opens."""
    command = [sys.executable, "-c", TRACE, *ASYNCLINT, str(suite)]
    child = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    below = f"{suite}{os.sep}"
    return [name for name in child.stdout.splitlines() if name.endswith(".py") and name.startswith(below)]


def measure(suite: Path, environment: dict[str, str], repeat: int, nothing: Path) -> Measure:
    """Measure one suite; ``nothing`` is an empty directory."""
    names = files_read(suite, environment)
    parse = [sys.executable, "-c", PARSE]
    check = [sys.executable, "-m", "asynclint", *ASYNCLINT]
    return Measure(
        suite.name,
        len(names),
        cpu_seconds(parse, environment, "\n".join(names), repeat),
        cpu_seconds(parse, environment, "", repeat),
        cpu_seconds([*check, str(suite)], environment, "", repeat),
        cpu_seconds([*check, str(nothing)], environment, "", repeat),
    )


def total(measures: Sequence[Measure]) -> Measure:
    """All suites as if they were checked by one process."""
    first = measures[0]
    return Measure(
        "all",
        sum(one.files for one in measures),
        sum(one.parse - one.parse_startup for one in measures) + first.parse_startup,
        first.parse_startup,
        sum(one.asynclint - one.asynclint_startup for one in measures) + first.asynclint_startup,
        first.asynclint_startup,
    )


def print_table(measures: Sequence[Measure]) -> None:
    head = ("suite", "files", "parse s", "asynclint s", "ratio", "whole")
    rows = [head, *(one.row() for one in measures), total(measures).row()]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    for row in rows:
        first, *rest = (
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first, *rest]))
    startup = measures[0]
    print(f"startup: asynclint {startup.asynclint_startup:.2f} s, python {startup.parse_startup:.2f} s")


def main() -> None:
    summary, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("suites", nargs="+", type=Path, metavar="SUITE")
    parser.add_argument("--bounded", action="store_true", help="give every test a timeout")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="runs of each child (default 3)")
    options = parser.parse_args()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    if options.bounded:
        environment["PYTEST_TIMEOUT"] = "60"
    with tempfile.TemporaryDirectory() as nothing:
        print_table(
            [measure(suite.resolve(), environment, options.repeat, Path(nothing)) for suite in options.suites]
        )


if __name__ == "__main__":
    main()
