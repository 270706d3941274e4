"""What ``asynclint --fix`` does to real suites beyond what it means to do: nothing, if all is well.

    python tests/benchmarks/differential.py [--run COMMAND] [--options OPTIONS] SUITE...

Each suite (a directory) is copied and fixed there, with asynclint's OPTIONS if any are given, such as
``--options "--target-version 3.11"``. What had no safe fix is byte-identical, what compiled compiles, no
unused import has come (ruff's F401), and a second ``--fix`` changes nothing. In a copy that ruff has
formatted first, lines as long as they like, nothing is left to format.

``--run`` runs the suite's tests in the copy, before and after, and compares the outcome of each, for instance
``--run "/path/to/python -m pytest -q tests"``, with what the suite needs installed there. Where tests changed
their outcome, they are run in both states three times more, without the others: what differs in one state, or
in neither from the other, is flaky.

Prints a line for each suite and below it what changed that must not. Exit status 1: something did.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

sys.path.insert(0, str(Path(__file__).parents[1]))

from samples import environment

Texts = dict[Path, bytes]  # by path below the suite
Outcomes = dict[str, str]  # of tests, by class and name
WIDEST = "line-length = 320"  # ruff's own limit
LONGEST = 1200  # seconds a suite's tests may take


def texts(root: Path) -> Texts:
    found = (path for path in root.rglob("*.py") if path.is_file() and not path.is_symlink())
    return {path.relative_to(root): path.read_bytes() for path in found}


def asynclint(root: Path, *options: str) -> str:
    command = [sys.executable, "-m", "asynclint", "--no-cache", "--output-format", "json", *options, "."]
    done = subprocess.run(
        command, cwd=root, env=environment(), capture_output=True, text=True, check=False, errors="replace"
    )
    assert done.returncode in (0, 1, 2), done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert "ASL002" not in done.stdout, done.stdout
    return done.stdout


def fixable(report: str) -> dict[Path, int]:
    """How many findings of each file have a safe fix, by a report in JSON."""
    found: dict[Path, int] = {}
    for finding in json.loads(report)["findings"]:
        if (finding["fix"] or {}).get("safety") == "safe":
            path = Path(finding["path"])
            found[path] = found.get(path, 0) + 1
    return found


def ruff(root: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "ruff", *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return done.stdout


def unformatted(root: Path) -> set[str]:
    """The files that ruff would format, lines as long as it allows; those it can't parse are left out."""
    report = ruff(root, "format", "--check", "--isolated", "--config", WIDEST, "--no-respect-gitignore", ".")
    return {line for line in report.splitlines() if line.startswith("Would reformat:")}


def unused_imports(root: Path, paths: Iterable[Path]) -> set[str]:
    names = sorted(map(str, paths))
    if not names:
        return set()
    options = ("--isolated", "--select", "F401", "--output-format", "json", "--no-cache")
    report = json.loads(ruff(root, "check", *options, *names))
    return {f"{found['filename']}: {found['message']}" for found in report if found["code"] == "F401"}


def compiling(files: Texts) -> set[Path]:
    found = set()
    for path, raw in files.items():
        try:
            compile(raw, str(path), "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            continue
        found.add(path)
    return found


def run_tests(root: Path, command: str, only: Iterable[str] = ()) -> Outcomes:
    """The outcome of each test: passed, failure, error or skipped; ``only`` of some and their namesakes."""
    names = sorted({name.rpartition("::")[2].partition("[")[0] for name in only})
    chosen = ["-k", " or ".join(names)] if names else []
    with tempfile.TemporaryDirectory() as name:
        report = Path(name, "report.xml")
        done = subprocess.run(
            [*shlex.split(command), f"--junitxml={report}", *chosen],
            cwd=root,
            env=environment(PYTHONDONTWRITEBYTECODE="1"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=LONGEST,
        )
        if not report.exists():
            raise RuntimeError((done.stdout + done.stderr)[-1000:])
        cases = ET.parse(report).iter("testcase")
        outcomes: Outcomes = {}
        for case in cases:
            name = f"{case.get('classname')}::{case.get('name')}"
            outcome = next(
                (kind.tag for kind in case if kind.tag in ("failure", "error", "skipped")), "passed"
            )
            outcomes[name] = "error" if outcomes.get(name) == "error" else outcome
        return outcomes


def changes(before: Outcomes, after: Outcomes) -> dict[str, str]:
    """Tests with another outcome, and which."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {name: f"{before.get(name)} → {after.get(name)}" for name in names}


def lay(root: Path, files: Texts) -> None:
    for path, raw in files.items():
        (root / path).write_bytes(raw)


def compare_tests(root: Path, command: str, before: Texts, after: Texts) -> Iterator[str]:
    """Run the tests in both states and give those that differ between them; the number of all is printed."""
    lay(root, before)
    old = run_tests(root, command)
    lay(root, after)
    changed = changes(old, run_tests(root, command))
    passed = sum(outcome == "passed" for outcome in old.values())
    print(f"    {len(old)} tests, {passed} passed; {len(changed)} with another outcome", flush=True)
    if not changed:
        return
    for name in changed:
        print(f"    {name}: {changed[name]}", flush=True)
    seen: dict[str, list[set[str | None]]] = {name: [set(), set()] for name in changed}
    for _ in range(3):
        for state, files in enumerate((before, after)):
            lay(root, files)
            outcomes = run_tests(root, command, changed)
            for name, kinds in seen.items():
                kinds[state].add(outcomes.get(name))
    for name, (one, two) in seen.items():
        if len(one) == len(two) == 1 and one != two:
            yield f"{name}: {changed[name]}"


def unsound(root: Path, options: Sequence[str]) -> Iterator[str]:
    """What ``--fix`` did to a copy of a suite that it must not do."""
    before, found = texts(root), fixable(asynclint(root, *options))
    asynclint(root, "--fix", *options)
    after = texts(root)
    changed = {path for path in after if after[path] != before.get(path)}
    number = sum(found.values())
    print(f"    {len(before)} files, {number} safe fixes, {len(changed)} files changed", flush=True)
    yield from (f"{path} was changed and had nothing to fix" for path in sorted(changed - set(found)))
    yield from (f"{path} has gone" for path in sorted(set(before) - set(after)))
    yield from (f"{path} does not compile" for path in sorted(compiling(before) - compiling(after)))
    unused = unused_imports(root, changed)
    asynclint(root, "--fix", *options)
    again = texts(root)
    yield from (f"{path} was changed again" for path in sorted(p for p in again if again[p] != after[p]))
    lay(root, before)
    yield from sorted(unused - unused_imports(root, changed))
    ruff(root, "format", "--isolated", "--config", WIDEST, "--no-respect-gitignore", ".")
    stubborn = unformatted(root)
    asynclint(root, "--fix", *options)
    yield from sorted(unformatted(root) - stubborn)
    lay(root, after)


def compare(suite: Path, root: Path, options: Sequence[str], command: str | None) -> bool:
    """Whether all is well with one suite, in a copy of it."""
    print(suite.name, flush=True)
    shutil.copytree(suite, root, symlinks=True, ignore=shutil.ignore_patterns(".git", ".venv", "__pycache__"))
    before = texts(root)
    wrong = list(unsound(root, options))
    if command is not None and not wrong:
        wrong += compare_tests(root, command, before, texts(root))
    for what in wrong:
        print(f"    WRONG: {what}", flush=True)
    return not wrong


def main() -> int:
    summary, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("suites", nargs="+", type=Path, metavar="SUITE")
    parser.add_argument("--run", metavar="COMMAND", help="pytest for the suite")
    parser.add_argument("--options", default="", metavar="OPTIONS", help="of asynclint, in one argument")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    well = []
    for suite in arguments.suites:
        with tempfile.TemporaryDirectory() as name:
            root = Path(name).resolve() / suite.name
            well.append(compare(suite, root, shlex.split(arguments.options), arguments.run))
    return 0 if all(well) else 1


if __name__ == "__main__":
    sys.exit(main())
