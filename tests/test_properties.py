"""What must hold for every file: the fixtures, the demo, what mutation makes of them, and any program at all.

``ASYNCLINT_EXAMPLES=5000`` tries that many programs a test, other ones at each run. benchmarks/fuzz.py asks
more of more; some of its cases, others with each change of the source, are tried here.
"""

from __future__ import annotations

import ast
import codecs
import functools
import io
import os
import re
import subprocess
import sys
import tokenize
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import hypothesmith
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from programs import EVERYTHING, Bench, assert_sound, fixture_sources, reported, unscreened
from samples import BAD, DROPPED, environment
from shapes import functions

import asynclint
from asynclint.engine import Fixing, Result, check_text
from asynclint.rule import Scope, all_rules
from asynclint.source.text import SourceError, SourceText

EXAMPLES = os.environ.get("ASYNCLINT_EXAMPLES")
try_many = settings(
    max_examples=int(EXAMPLES or 60),
    derandomize=EXAMPLES is None,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
pytestmark = pytest.mark.slow

SOURCES = fixture_sources() | {"bad": BAD, "dropped": DROPPED}
OF_FILES = {rule.code for rule in all_rules() if rule.scope is not Scope.SUITE}
ALONE = {name: source for name, source in SOURCES.items() if "/project" not in name}  # of no project
NEWLINES = {"LF": "\n", "CRLF": "\r\n", "CR": "\r"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    directory = tmp_path_factory.mktemp("bench")
    project = '[project]\nname = "bench"\ndependencies = ["pytest-asyncio"]\n'
    (directory / "pyproject.toml").write_text(project, encoding="utf-8")
    return Bench(directory)


@pytest.fixture(scope="module")
def plainly(bench: Bench) -> Callable[[bytes], tuple[list[object], Result]]:
    """What is said of a source in UTF-8, and what fixes leave: most variants are compared with the same."""

    @functools.cache
    def answer(plain: bytes) -> tuple[list[object], Result]:
        return [reported(finding) for finding in bench.findings(plain)], bench.check(plain, Fixing.UNSAFE)

    return answer


def test_every_fixture_is_judged_soundly(bench: Bench) -> None:
    seen: Counter[str] = Counter()
    for name, source in SOURCES.items():
        try:
            seen += assert_sound(bench, source.encode())
        except AssertionError as error:
            error.add_note(name)
            raise
    assert set(seen) >= OF_FILES
    assert seen["safe"] > 10
    assert seen["unsafe"] > seen["safe"]


@pytest.mark.parametrize("variant", ["CRLF", "CR", "BOM", "latin-1", "utf-8", "no final newline"])
def test_encoding_and_newlines_change_no_answer(
    bench: Bench, plainly: Callable[[bytes], tuple[list[object], Result]], variant: str
) -> None:
    seen: Counter[str] = Counter()
    for name, source in ALONE.items():
        plain, other = varied(source, variant)
        if other is None:
            continue
        expected, left = plainly(plain)
        assert [reported(finding) for finding in bench.findings(other)] == expected, name
        right = bench.check(other, Fixing.UNSAFE)
        assert (left.written is None) == (right.written is None), name
        if right.written is not None:
            assert right.written == varied(left.after, variant, again=True)[1], name
            seen["fixed"] += 1
        seen["files"] += 1
        seen["findings"] += len(expected)
    assert seen["files"] > 8
    assert seen["findings"] > 20
    assert seen["fixed"] > 8


def varied(source: str, variant: str, *, again: bool = False) -> tuple[bytes, bytes | None]:
    """A source as plain UTF-8 and as its variant (None where that can't hold it), with the same line numbers.

    ``again`` says that it has the cookie already.
    """
    match variant:
        case "CRLF" | "CR":
            return source.encode(), source.replace("\n", NEWLINES[variant]).encode()
        case "BOM":
            return source.encode(), codecs.BOM_UTF8 + source.encode()
        case "no final newline":
            return source.encode(), source.rstrip("\n").encode()
    cookie = "# coding: latin-1 é"
    body = source.partition("\n")[2] if again else source
    try:
        other = f"{cookie}\n{body}".encode("latin-1" if variant == "latin-1" else "utf-8")
    except UnicodeEncodeError:
        return b"", None
    if variant == "utf-8":
        other = other.replace(b"latin-1", b"utf-8")
    return f"# codec: utf-8 é\n{body}".encode(), other


def test_text_and_flake8_lines_give_the_same_answer(bench: Bench, tmp_path: Path) -> None:
    """flake8 decodes, cuts the lines and parses by itself, and every line end is a line feed to it."""
    seen = 0
    for name, source in SOURCES.items():
        for newline in NEWLINES.values():
            path = tmp_path / "test_program.py"
            path.write_bytes(codecs.BOM_UTF8 + source.replace("\n", newline).encode())
            with tokenize.open(path) as file:
                lines = file.readlines()
            text = SourceText.from_lines(lines)
            tree = ast.parse("".join(lines))
            result = check_text(text, bench.path, "-", EVERYTHING, tree=tree, project=bench.project)
            expected = [reported(finding) for finding in bench.findings(path.read_bytes())]
            assert [reported(finding) for finding in result.findings] == expected, name
            seen += len(expected)
    assert seen > 50


def test_a_screen_that_picks_everything_changes_no_answer(bench: Bench) -> None:
    seen: Counter[object] = Counter()
    for name, source in SOURCES.items():
        on, off = unscreened(SourceText.from_bytes(source.encode()), bench.path, bench.project)
        assert on == off, name
        seen += Counter(code for _, code, *_ in on)
    assert set(seen) == OF_FILES


@pytest.mark.parametrize("seed", range(4))
def test_a_screen_passes_over_nothing_that_is_reported(bench: Bench, seed: int) -> None:
    source = functions(seed, 1500)
    on, off = unscreened(SourceText.from_bytes(source.encode()), bench.path, bench.project)
    assert on == off
    assert {code for _, code, *_ in on} >= {"ASL201", "ASL202", "ASL302", "ASL404"}


@pytest.mark.parametrize("half", [0, 1])
def test_noqa_hides_what_it_names_and_nothing_else(bench: Bench, half: int) -> None:
    """A comment on every other line that is reported: what stands on the lines between must stay."""
    seen = 0
    for name, source in SOURCES.items():
        if "noqa" in source:
            continue
        findings = bench.findings(source.encode())
        lines = io.StringIO(source, newline="").readlines()
        at = {f.span.start.line: f.code for f in findings if may_have_comment(lines[f.span.start.line - 1])}
        commented = dict(sorted(at.items())[half::2])
        for comment in ("# noqa: {}", "# noqa", "# noqa: ASL999"):
            changed = list(lines)
            for line, code in commented.items():
                changed[line - 1] = f"{lines[line - 1].rstrip()}  {comment.format(code)}\n"
            left = {reported(f)[:3] for f in bench.findings("".join(changed).encode())}
            gone = {
                reported(f)[:3]
                for f in findings
                if f.span.start.line in commented
                and (comment == "# noqa" or ("{}" in comment and f.code == commented[f.span.start.line]))
            }
            expected = {reported(f)[:3] for f in findings} - gone
            assert left == expected, f"{name}: {comment}"
            seen += len(commented)
        assert not bench.findings(f"{source}\n# flake8: noqa\n".encode())
    assert seen > 500


def may_have_comment(line: str) -> bool:
    return not line.rstrip().endswith(("\\", '"""', "'''"))


# -- programs nobody wrote

WORDS = [
    "await",
    "async",
    "def",
    "return",
    "yield",
    "asyncio",
    "self",
    "x",
    "None",
    "if",
    "with",
    "not",
    "=",
    ":",
    "(",
]
_PIECE = re.compile(r"\w+|\s+|[^\w\s]")


@st.composite
def mutants(draw: st.DrawFn) -> str:
    """A fixture with a few lines or words removed, doubled, swapped, replaced or moved to the right."""
    source = SOURCES[draw(st.sampled_from(sorted(SOURCES)))]
    for _ in range(draw(st.integers(1, 3))):
        by_line = draw(st.booleans())
        parts = source.splitlines(keepends=True) if by_line else _PIECE.findall(source)
        assume(len(parts) > 2)
        places = st.integers(0, len(parts) - 1)
        one, two = draw(places), draw(places)
        match draw(st.sampled_from(["remove", "double", "swap", "replace", "indent", "join"])):
            case "remove":
                del parts[one]
            case "double":
                parts.insert(two, parts[one])
            case "swap":
                parts[one], parts[two] = parts[two], parts[one]
            case "replace":
                parts[one] = parts[two] if by_line else draw(st.sampled_from(WORDS))
            case "indent" if by_line:
                first, last = min(one, two), max(one, two) + 1
                header = draw(
                    st.sampled_from(["if x:\n", "class C:\n", "def f():\n", "async def test_f(x):\n"])
                )
                moved = [f"    {line}" for line in parts[first:last]]
                indent = re.match(r"\s*", parts[first])
                parts[first:last] = [(indent[0] if indent else "").rstrip("\n") + header, *moved]
            case "join" if by_line:
                parts[one] = parts[one].rstrip("\n") + draw(st.sampled_from(["; ", " \\\n", "\f", "  # é\n"]))
        source = "".join(parts)
    return source


def test_mutants_are_judged_soundly(bench: Bench) -> None:
    seen: Counter[str] = Counter()

    @settings(try_many, max_examples=4 * try_many.max_examples)  # half of them don't parse
    @given(mutants())
    def judge(source: str) -> None:
        seen["all"] += 1
        try:
            SourceText.from_bytes(source.encode()).parse()
        except SourceError:
            with pytest.raises(SourceError):
                bench.check(source.encode())
            return
        seen.update(assert_sound(bench, source.encode()))
        seen["sound"] += 1

    judge()
    assert seen["sound"] > seen["all"] // 10
    assert sum(seen[rule.code] for rule in all_rules()) > 50
    assert seen["unsafe"] > 0


@try_many
@given(source=hypothesmith.from_node())
def test_any_program_is_judged_soundly(bench: Bench, source: str) -> None:
    body = "".join(f"    {line}" for line in io.StringIO(source, newline=""))
    wrapped = f"async def test_it(x):\n    await x\n{body}\n"
    for program in (source, wrapped):
        try:
            compile(program, "-", "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            continue
        assert_sound(bench, program.encode())


@try_many
@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_judged_or_refused(bench: Bench, raw: bytes) -> None:
    with suppress(SourceError):
        assert bench.check(raw, Fixing.UNSAFE).problem is None


FUZZ = Path(__file__).parent / "benchmarks" / "fuzz.py"


@pytest.mark.parametrize(
    ("kind", "count", "told"),
    [
        ("bytes", 50, r"[1-9]\d* refused.* 10 at every door"),
        ("edits", 50, r"[1-9]\d* sound.* 10 at every door"),
        ("orders", 60, r"60 alone.* 15 fixing unsafe"),
    ],
)
def test_other_cases_with_each_change(kind: str, count: int, told: str, tmp_path: Path) -> None:
    package = sorted(Path(asynclint.__file__).parent.rglob("*.py"))
    seed = zlib.crc32(b"".join(path.read_bytes() for path in package))
    command = [sys.executable, FUZZ, "--kind", kind, "--count", count, "--seed", seed, "--failures", tmp_path]
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, env=environment()
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(rf"{kind}: {count} cases", done.stdout)
    for one in told.split(".*"):
        assert re.search(one, done.stdout), done.stdout
