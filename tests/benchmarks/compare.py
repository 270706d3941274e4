"""What asynclint and its neighbours cost on the same test files, side by side in one run.

    python tests/benchmarks/compare.py [--repeat N] SUITE...

Each suite (a directory) is copied, and its test files are named to every tool. Measured is the CPU time of
the whole process, startup included, user and system, in one process (ruff has its threads); of N runs the
fastest counts. ``ratio`` is that time by ``ast.parse`` of the same files without Python's startup; it alone
can be compared between machines. What is measured:

``ast.parse``           the unit
``asynclint``           ``--no-cache``; it reads other modules of the project as well
``asynclint, cached``   a second run
``flake8``              pycodestyle, pyflakes and mccabe alone: no other plugin is found
``… with asynclint``    the plugin beside them, ``cold`` with no cache and ``cached`` in a second run
``… with flake8-async`` that plugin beside them
``ruff``                its nearest rules, ``ASYNC`` and ``RUF006``, without its cache

``flake8 --select`` hides what a plugin says, not what it costs; so the plugins of a run are those of the
distributions that flake8 is shown. A tool that is not installed beside this Python is left out and named.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from speed import ASYNCLINT, PARSE, cpu_seconds

from asynclint.project.cache import NAME as CACHE
from asynclint.project.test_files import is_test_file
from asynclint.settings import DEFAULTS
from asynclint.source.files import File, find

# Runs flake8 with the plugins of the distributions named in its first argument.
FLAKE8 = """
import importlib.metadata, sys
shown, every = {"flake8", *sys.argv.pop(1).split(",")}, importlib.metadata.distributions
def is_shown(distribution):
    points = distribution.entry_points
    return distribution.metadata["name"] in shown or not any(p.group.startswith("flake8.") for p in points)
importlib.metadata.distributions = lambda: filter(is_shown, every())
from flake8.main.cli import main
sys.exit(main(sys.argv[1:]))
"""

WARM = tuple(word for word in ASYNCLINT if word != "--no-cache")


def rows(suite: Path, environment: dict[str, str], repeat: int) -> Iterator[tuple[str, float]]:
    """What was measured, and CPU seconds; ``suite`` may be written to."""
    os.chdir(suite)
    files = [file for file in find([suite], DEFAULTS) if isinstance(file, File)]
    names = sorted(str(file.path) for file in files if is_test_file(file.path))

    def seconds(command: Sequence[str], given: str = "", *, cold: bool = False) -> float:
        times = []
        for _ in range(repeat):
            if cold:
                for cache in suite.rglob(CACHE):
                    shutil.rmtree(cache)
            times.append(cpu_seconds(command, environment, given, 1))
        return min(times)

    python = [sys.executable, "-W", "ignore"]
    flake8 = [*python, "-c", FLAKE8]
    options = ["--isolated", "--exit-zero", "--jobs", "1", "--quiet"]
    parse = [*python, "-c", PARSE]
    yield f"ast.parse, {len(names)} files", seconds(parse, "\n".join(names)) - seconds(parse)
    yield "asynclint", seconds([*python, "-m", "asynclint", *ASYNCLINT, *names])
    cpu_seconds([*python, "-m", "asynclint", *WARM, *names], environment, "", 1)
    yield "asynclint, cached", seconds([*python, "-m", "asynclint", *WARM, *names])
    yield "flake8", seconds([*flake8, "flake8", *options, *names])
    yield "flake8 with asynclint, cold", seconds([*flake8, "asynclint", *options, *names], cold=True)
    yield "flake8 with asynclint, cached", seconds([*flake8, "asynclint", *options, *names])
    if installed("flake8-async"):
        yield "flake8 with flake8-async", seconds([*flake8, "flake8-async", *options, *names])
    if installed("ruff"):
        rules = ["check", "--isolated", "--no-cache", "--exit-zero", "--quiet", "--select", "ASYNC,RUF006"]
        yield "ruff", seconds([sys.executable, "-m", "ruff", *rules, *names])


def installed(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def main() -> None:
    summary, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("suites", nargs="+", type=Path, metavar="SUITE")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="runs of each (default 3)")
    options = parser.parse_args()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    for name in ("asynclint", "flake8", "flake8-async", "ruff"):
        print(f"{name} {installed(name) or 'is not installed: left out'}")
    for suite in [path.resolve() for path in options.suites]:
        with tempfile.TemporaryDirectory() as name:
            copied = Path(name).resolve() / suite.name
            shutil.copytree(suite, copied, symlinks=True, ignore=shutil.ignore_patterns(".git", CACHE))
            print(f"\n{suite.name:32}{'seconds':>8}{'ratio':>8}")
            unit = 0.0
            for what, taken in rows(copied, environment, options.repeat):
                unit = unit or taken
                print(f"{what:32}{taken:8.2f}{taken / unit:8.1f}", flush=True)


if __name__ == "__main__":
    main()
