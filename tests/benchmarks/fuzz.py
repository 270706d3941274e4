"""Programs nobody wrote, and what must hold for each of them.

    python tests/benchmarks/fuzz.py [--kind KIND]... [--count N] [--seconds N] [--seed S] [SUITE...]
    python tests/benchmarks/fuzz.py --replay DIRECTORY

The kinds: ``programs``, which hypothesmith makes from Python's grammar; ``bytes``, test files of the suites
(directories; the fixtures of this repository where none is named) with some bytes changed; ``edits``, such
files with tokens, lines or functions removed, doubled or swapped; ``orders``, the files of a suite as they
are, in any order. Cases go on until ``--count`` of each kind are done or ``--seconds`` have passed for it.

Each is judged where its file stands, in a project that has judged the cases before it. It must be judged or
refused in one line, spans lie in the file, fixed text compiles and is not fixed again, and nothing outside
the edits changes. Of some, by their number, it is asked as well whether the answer is the same with triggers
that pick everything and in a project of their own. Of each batch the files are written to a directory, which
one process, two processes, a run that fills a cache, one that reads it, and flake8 must judge alike.

A case that fails is saved, byte for byte, with what it takes to replay it beside it (``.json``).
"""

from __future__ import annotations

import argparse
import io
import json
import random
import re
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from programs import EVERYTHING, FIXTURES, Bench, assert_sound, reported, unscreened
from samples import environment

from asynclint.engine import Fixing, Result
from asynclint.project.project import Project
from asynclint.rule import Scope, all_rules
from asynclint.run import Caching, check_files
from asynclint.settings import DEFAULTS
from asynclint.source.files import File, find
from asynclint.source.text import SourceError, SourceText

BATCH = 100
LARGEST = 30_000  # bytes of a file to mutate: a case is then judged in some tenths of a second
EVERY = {"screen": 5, "alone": 20}  # what takes longer is asked of one case in so many
TOKEN = re.compile(r"\w+|[ \t\f]+|\r\n|\r|\n|[^\w\s]")
BYTES = b"\0\r\n\f\t \\'\"#()[]{}:;\xef\xbb\xbf\xe9\xff\x80@=*"
SUITE_CODES = {rule.code for rule in all_rules() if rule.scope is Scope.SUITE}


@dataclass(frozen=True)
class Case:
    """One text, and where it stands (absolute)."""

    kind: str
    seed: int
    number: int
    place: Path
    raw: bytes


@dataclass
class Fuzzer:
    """Judges cases; ``seen`` counts what they held."""

    failures: Path
    seen: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    project: Project = field(default_factory=lambda: Project(EVERYTHING))
    batch: list[Case] = field(default_factory=list)

    def judge(self, case: Case) -> None:
        """Ask all that is asked of one case; a failure is saved."""
        self.seen["cases"] += 1
        if self.project.modules.size > 3_000_000:  # as in a run
            self.project = Project(EVERYTHING)
        try:
            self.seen += self.ask(case)
        except Exception:
            self.fail(case, traceback.format_exc())
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
        seen = assert_sound(bench, case.raw, marked=False)
        if case.number % EVERY["screen"] == 0:
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
        (directory / "case.json").write_text(json.dumps(facts | {"error": error}, indent=2), encoding="utf-8")
        print(f"failed: {directory}\n{error.rstrip().splitlines()[-1]}", flush=True)


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


# -- where cases come from


def test_files(suites: Sequence[Path]) -> list[Path]:
    found = (file for suite in suites for file in find([suite], DEFAULTS) if isinstance(file, File))
    return [file.path for file in found if Project(DEFAULTS).is_test_code(file.path)]


def mutated(kind: str, change: Callable[[random.Random, bytes], bytes]) -> Source:
    def cases(seed: int, suites: Sequence[Path]) -> Iterator[Case]:
        files = [path for path in test_files(suites) if 0 < path.stat().st_size <= LARGEST]
        number = 0
        while files:
            number += 1
            chance = random.Random(f"{kind} {seed} {number}")
            path = chance.choice(files)
            yield Case(kind, seed, number, path, change(chance, path.read_bytes()))

    return cases


def with_other_bytes(chance: random.Random, raw: bytes) -> bytes:
    """A few bytes replaced, removed or put in; or every line end another."""
    changed = bytearray(raw)
    if chance.random() < 0.3:
        return raw.replace(b"\r\n", b"\n").replace(b"\n", chance.choice([b"\r\n", b"\r"]))
    for _ in range(chance.choice([1, 1, 1, 2, 8])):
        at = chance.randrange(len(changed) + 1)
        new = bytes([chance.choice(BYTES) if chance.random() < 0.7 else chance.randrange(256)])
        changed[at : at + chance.choice([0, 1])] = new if chance.random() < 0.7 else b""
    return bytes(changed)


def with_edits(chance: random.Random, raw: bytes) -> bytes:
    """Tokens, lines or blocks removed, doubled or swapped, as by a slip in an editor."""
    text = raw.decode("utf-8", "surrogateescape")
    for _ in range(chance.choice([1, 1, 2, 3])):
        parts = chance.choice([blocks, lines, statements, words])(text)
        if len(parts) < 3:
            continue
        one, two = chance.randrange(len(parts)), chance.randrange(len(parts))
        match chance.choice(["remove", "double", "swap", "move"]):
            case "remove":
                del parts[one]
            case "double":
                parts.insert(one, parts[one])
            case "swap":
                parts[one], parts[two] = parts[two], parts[one]
            case "move":
                parts.insert(two, parts.pop(one))
        text = "".join(parts)
    return text.encode("utf-8", "surrogateescape")


def words(text: str) -> list[str]:
    return TOKEN.findall(text)


def lines(text: str) -> list[str]:
    return list(io.StringIO(text, newline=""))


def statements(text: str) -> list[str]:
    """Lines, and with each the deeper ones below it."""
    parts: list[str] = []
    depth = 0
    for line in lines(text):
        indent = len(line) - len(line.lstrip())
        if parts and line.strip() and indent > depth:
            parts[-1] += line
        else:
            parts.append(line)
            depth = indent or 4
    return parts


def blocks(text: str) -> list[str]:
    """What blank lines part."""
    return re.split(r"(?<=\n)(?=\s*\n)", text)


def programs(seed: int, suites: Sequence[Path]) -> Iterator[Case]:
    """What hypothesmith makes, as it is and in the body of a test by turns."""
    import hypothesmith
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    place = FIXTURES / "test_program.py"
    number = 0
    made: list[str] = []

    @settings(
        max_examples=BATCH,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(source=hypothesmith.from_node())
    def keep(source: str) -> None:
        made.append(source)

    while True:
        made.clear()
        seeded(seed * 1_000_003 + number)(keep)()
        for source in made:
            number += 1
            if number % 2:
                body = "".join(f"    {line}" for line in io.StringIO(source, newline=""))
                source = f"async def test_it(x):\n    await x\n{body}\n"
            yield Case("programs", seed, number, place, source.encode("utf-8", "surrogatepass"))


def orders(seed: int, suites: Sequence[Path]) -> Iterator[Case]:
    """The files of suites as they are, those of one suite after each other in any order."""
    number = 0
    while True:
        for suite in suites:
            files = test_files([suite])
            random.Random(f"orders {seed} {number}").shuffle(files)
            for path in files:
                number += 1
                yield Case("orders", seed, number, path, path.read_bytes())


Source = Callable[[int, Sequence[Path]], Iterator[Case]]
KINDS: dict[str, Source] = {
    "programs": programs,
    "bytes": mutated("bytes", with_other_bytes),
    "edits": mutated("edits", with_edits),
    "orders": orders,
}


class Orders(Fuzzer):
    """Judges files of suites only by whether they are judged alike in any order and alone."""

    def __init__(self, failures: Path) -> None:
        super().__init__(failures)
        self.alone: dict[Path, list[object]] = {}

    def ask(self, case: Case) -> Counter[str]:
        try:
            here = Bench(case.place.parent, case.place.name, self.project).findings(case.raw)
        except SourceError:
            return Counter({"refused": 1})
        if case.place not in self.alone:
            found = Bench(case.place.parent, case.place.name).findings(case.raw)
            self.alone[case.place] = [reported(finding) for finding in found]
        now = [reported(finding) for finding in here]
        assert now == self.alone[case.place], "what was judged before changes the answer"
        return Counter({"alone": 1}) + Counter(finding.code for finding in here)

    def end_batch(self) -> None:
        self.batch = []


def fuzz(kind: str, options: argparse.Namespace, suites: Sequence[Path]) -> int:
    """Judge cases of one kind, print what they held, and give how many failed."""
    fuzzer = (Orders if kind == "orders" else Fuzzer)(options.failures)
    until = time.monotonic() + (options.seconds or float("inf"))
    for case in KINDS[kind](options.seed, suites):
        fuzzer.judge(case)
        if fuzzer.seen["cases"] >= (options.count or float("inf")) or time.monotonic() > until:
            break
    fuzzer.end_batch()
    rules = sum(number for name, number in fuzzer.seen.items() if name.startswith("ASL"))
    facts = {name: number for name, number in fuzzer.seen.items() if not name.startswith("ASL")}
    facts |= {"findings": rules, "failed": fuzzer.failed}
    print(f"{kind}: " + ", ".join(f"{number} {name}" for name, number in facts.items()), flush=True)
    return fuzzer.failed


def replay(directory: Path) -> int:
    """Judge the files of a failed case again, the first alone where it stood; the error is raised."""
    facts = json.loads((directory / "case.json").read_text(encoding="utf-8"))
    cases = [
        Case(facts["kind"], facts["seed"], 0, Path(facts["place"]), path.read_bytes())
        for path in sorted(directory.glob("test_*.py"))
    ]
    fuzzer = Fuzzer(directory)
    for case in cases:
        print(dict(fuzzer.ask(case)))
    if len(cases) > 1:
        assert_doors_agree(directory)
    return 0


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
