"""Programs nobody wrote, and what must hold for each of them.

    python tests/benchmarks/fuzz.py [--kind KIND]... [--count N] [--seconds N] [--seed S] [SUITE...]
    python tests/benchmarks/fuzz.py --replay DIRECTORY

The kinds: ``programs``, frames of asynchronous code filled with what hypothesmith makes; ``bytes``, test
files of the suites (directories; the fixtures of this repository where none is named) with some bytes
changed; ``edits``, such files with tokens, lines or functions removed, doubled or swapped; ``orders``, the
files of some suites as they are, in any order. Cases go on until ``--count`` of each kind are done or
``--seconds`` have passed for it; which they are, the kind, the seed, the suites and the number decide.

Each is judged where its file stands, in a project that has judged the cases before it. It must be judged or
refused in one line (a function that libcst can't parse, too), spans lie in the file, fixed text compiles and
is not fixed again, and nothing outside the edits changes. Of some, by their number, it is asked as well
whether the answer is the same with triggers that pick everything and in a project of their own; some are
written to a directory, a batch at a time, which one process, two processes, a run that fills a cache, one
that reads it, and flake8 must judge alike. Of files in any order it is asked whether they are judged, and
some fixed, as in a project of their own. How often each was asked is printed.

A case that fails is saved, byte for byte, with what it takes to replay it beside it (``.json``).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import libcst
from fuzz_cases import KINDS, Case
from programs import EVERYTHING, FIXTURES, Bench, assert_sound, reported, unscreened
from samples import environment

from asynclint.engine import MAX_SIZE, Fixing, Result
from asynclint.project.project import Project
from asynclint.rule import Scope, all_rules
from asynclint.run import Caching, check_files
from asynclint.settings import DEFAULTS
from asynclint.source.files import File, find
from asynclint.source.text import SourceError, SourceText

BATCH = 100
# What takes longer is asked of one case in so many
EVERY = {"both fixings": 4, "screen": 10, "alone": 20, "doors": 5, "fixed": 4}
SUITE_CODES = {rule.code for rule in all_rules() if rule.scope is Scope.SUITE}


@dataclass
class Fuzzer:
    """Judges cases; ``seen`` counts what they held."""

    failures: Path
    suites: Sequence[Path] = ()
    seen: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    project: Project = field(default_factory=lambda: Project(EVERYTHING))
    begun: int = 1  # the number of the first case that the project has judged
    batch: list[Case] = field(default_factory=list)

    def judge(self, case: Case) -> None:
        """Ask all that is asked of one case; a failure is saved."""
        self.seen["cases"] += 1
        if case.afresh or self.project.modules.size > MAX_SIZE:  # as in a run
            self.project.fold()
            self.project, self.begun = Project(EVERYTHING), case.number
        try:
            self.seen += self.ask(case)
        except Exception:
            self.fail(case, traceback.format_exc())
        if case.kind in ("bytes", "edits") and not case.place.name.startswith("test_"):
            self.project, self.begun = Project(EVERYTHING), case.number + 1  # a changed conftest.py counts
        if case.number % EVERY["doors"] == 0:
            self.batch.append(case)
        if len(self.batch) == BATCH:
            self.end_batch()

    def ask(self, case: Case) -> Counter[str]:
        bench = Bench(case.place.parent, case.place.name, self.project)
        try:
            text = SourceText.from_bytes(case.raw)
            text.parse()
        except SourceError:
            try:
                bench.check(case.raw, Fixing.UNSAFE)
            except SourceError:
                return Counter({"refused": 1})
            message = "judged though it cannot be parsed"
            raise AssertionError(message) from None
        problem = bench.check(case.raw).problem
        if problem is not None and not is_known_to_libcst(text.text):
            assert len(problem.message.splitlines()) == 1
            return Counter({"refused in part": 1})
        by_turns = (Fixing.SAFE, Fixing.UNSAFE)
        fixings = by_turns if case.number % EVERY["both fixings"] == 0 else (by_turns[case.number // 2 % 2],)
        seen = assert_sound(bench, case.raw, marked=False, fixings=fixings)
        if case.number % EVERY["screen"] == 0 and is_known_to_libcst(text.text):
            on, off = unscreened(text, case.place, self.project)
            assert on == off, "triggers that pick everything change the answer"
            seen["screened"] += 1
        if case.number % EVERY["alone"] == 0:
            here = [reported(finding) for finding in bench.findings(case.raw)]
            alone = Bench(bench.directory, bench.name).findings(case.raw)
            assert [reported(finding) for finding in alone] == here, "a project of its own changes the answer"
            seen["alone"] += 1
        seen["sound"] += 1
        return seen

    def end_batch(self) -> None:
        """Lay the cases side by side and ask whether every door and way to run says the same of them."""
        batch, self.batch = self.batch, []
        if not batch:
            return
        with tempfile.TemporaryDirectory() as name:
            root = Path(name).resolve()
            codes = json.dumps([rule.code for rule in all_rules() if rule.code not in SUITE_CODES])
            table = f'[project]\nname = "x"\n[tool.asynclint]\nextend-select = {codes}\n'
            (root / "pyproject.toml").write_text(table, encoding="utf-8")
            for case in batch:
                (root / f"test_{case.number:06}.py").write_bytes(case.raw)
            try:
                assert_doors_agree(root)
            except Exception:
                self.fail(batch[0], traceback.format_exc(), batch)
        self.seen["at every door"] += len(batch)

    def fail(self, case: Case, error: str, cases: Sequence[Case] = ()) -> None:
        self.failed += 1
        directory = self.failures / f"{case.kind}-{case.seed}-{case.number}"
        directory.mkdir(parents=True, exist_ok=True)
        for one in cases or (case,):
            (directory / f"test_{one.number:06}.py").write_bytes(one.raw)
        facts = {"kind": case.kind, "seed": case.seed, "number": case.number, "place": str(case.place)}
        facts |= {"begun": self.begun, "suites": [str(suite) for suite in self.suites]}
        (directory / "case.json").write_text(json.dumps(facts | {"error": error}, indent=2), encoding="utf-8")
        print(f"failed: {directory}\n{error.rstrip().splitlines()[-1]}", flush=True)
        where = " ".join(map(str, self.suites))
        print(f"    --replay {directory}")
        print(f"    or: --kind {case.kind} --seed {case.seed} --first {self.begun} {where}", flush=True)


def is_known_to_libcst(source: str) -> bool:
    """Whether libcst can parse what Python can: not ``a in.5``, which it fails to validate."""
    try:
        libcst.parse_module(source)
    except (libcst.ParserSyntaxError, libcst.CSTValidationError):
        return False
    return True


def assert_doors_agree(root: Path) -> None:
    """One process, two, a cold and a warm cache, and flake8 say the same of the files of a directory."""
    files = [file for file in find([root], DEFAULTS) if isinstance(file, File)]
    cache = Caching(root / ".cache")
    one = answers(check_files(files, EVERYTHING))
    assert answers(check_files(files, EVERYTHING, jobs=2)) == one, "two processes change an answer"
    assert answers(check_files(files, EVERYTHING, cache=cache)) == one, "keeping changes an answer"
    assert answers(check_files(files, EVERYTHING, cache=cache)) == one, "the cache changes an answer"
    refused = {name for name, _, problem in one if problem}
    judged = [name for name, *_ in one if name not in refused]
    command = said(root, "asynclint", "--no-cache", "--output-format", "concise", *judged)
    flake8 = said(root, "flake8", "--isolated", "--select", "ASL", *judged)
    assert flake8 == command, sorted(set(flake8) ^ set(command))[:5]


def answers(results: Iterator[Result]) -> list[tuple[str, list[object], object]]:
    return [(str(r.path), [reported(finding) for finding in r.findings], r.problem) for r in results]


def said(root: Path, *command: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", *command],
        cwd=root,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr[-2000:]
    return sorted(done.stdout.splitlines())


class Orders(Fuzzer):
    """Judges files of suites only by whether they are judged alike in any order and alone."""

    def __init__(self, failures: Path, suites: Sequence[Path] = ()) -> None:
        super().__init__(failures, suites)
        self.alone: dict[tuple[Path, Fixing], object] = {}

    def ask(self, case: Case) -> Counter[str]:
        fixing = Fixing.UNSAFE if case.number % EVERY["fixed"] == 0 else Fixing.NONE
        try:
            here = self.answer(case, fixing, self.project)
        except SourceError:
            return Counter({"refused": 1})
        if (case.place, fixing) not in self.alone:
            self.alone[case.place, fixing] = self.answer(case, fixing, Project(EVERYTHING))
        assert here == self.alone[case.place, fixing], "what was judged before changes the answer"
        seen = Counter({"alone": 1, f"fixing {fixing.value}": 1})
        return seen + Counter(str(finding[1]) for finding in here[0])

    @staticmethod
    def answer(case: Case, fixing: Fixing, project: Project) -> tuple[list[tuple[object, ...]], bytes | None]:
        result = Bench(case.place.parent, case.place.name, project).check(case.raw, fixing)
        assert result.problem is None, result.problem
        return [reported(finding) for finding in result.findings], result.written

    def end_batch(self) -> None:
        self.batch = []


def fuzzer_for(kind: str, failures: Path, suites: Sequence[Path]) -> Fuzzer:
    return (Orders if kind == "orders" else Fuzzer)(failures, suites)


def fuzz(kind: str, options: argparse.Namespace, suites: Sequence[Path]) -> int:
    """Judge cases of one kind, print what they held, and give how many failed."""
    fuzzer = fuzzer_for(kind, options.failures, suites)
    until = time.monotonic() + (options.seconds or float("inf"))
    cases = KINDS[kind](options.seed, suites)
    for case in islice(cases, options.first - 1, None):
        fuzzer.judge(case)
        if fuzzer.seen["cases"] >= (options.count or float("inf")) or time.monotonic() > until:
            break
        if fuzzer.seen["cases"] % 1000 == 0:
            print(f"{kind}: {case.number} judged, {fuzzer.failed} failed", flush=True)
    fuzzer.end_batch()
    rules = sum(number for name, number in fuzzer.seen.items() if name.startswith("ASL"))
    facts = {name: number for name, number in fuzzer.seen.items() if not name.startswith("ASL")}
    facts |= {"findings": rules, "failed": fuzzer.failed}
    print(f"{kind}: " + ", ".join(f"{number} {name}" for name, number in facts.items()), flush=True)
    return fuzzer.failed


def replay(directory: Path) -> int:
    """Judge a failed case again: a batch at every door; else the case alone, then after those before it."""
    facts = json.loads((directory / "case.json").read_text(encoding="utf-8"))
    suites, place = [Path(suite) for suite in facts["suites"]], Path(facts["place"])
    saved = sorted(directory.glob("test_*.py"))
    if len(saved) > 1:
        assert_doors_agree(directory)
        return 0
    case = Case(facts["kind"], facts["seed"], facts["number"], place, saved[0].read_bytes())
    print("alone:", dict(fuzzer_for(case.kind, directory, suites).ask(case)))
    fuzzer = fuzzer_for(case.kind, directory / "again", suites)
    for earlier in islice(KINDS[case.kind](case.seed, suites), facts["begun"] - 1, case.number):
        fuzzer.judge(earlier)
    return 1 if fuzzer.failed else 0


def main() -> int:
    summary, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("suites", nargs="*", type=Path, metavar="SUITE")
    parser.add_argument("--kind", choices=KINDS, action="append", help="default: all, one after the other")
    parser.add_argument("--count", type=int, help="cases of each kind (default 200 without --seconds)")
    parser.add_argument("--seconds", type=float, help="time for each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--first", type=int, default=1, metavar="NUMBER", help="leave out the cases before it"
    )
    parser.add_argument("--failures", type=Path, default=Path("fuzz-failures"), metavar="DIRECTORY")
    parser.add_argument("--replay", type=Path, metavar="DIRECTORY", help="judge a failed case again")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.replay:
        return replay(options.replay)
    if not options.count and not options.seconds:
        options.count = 200
    suites = [suite.resolve() for suite in options.suites] or [FIXTURES]
    failed = sum([fuzz(kind, options, suites) for kind in options.kind or KINDS])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
