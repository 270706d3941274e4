"""Where the cases of fuzz.py come from: each kind is a stream that its seed and its suites decide."""

from __future__ import annotations

import ast
import io
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from programs import FIXTURES

from asynclint.project.test_files import is_test_file
from asynclint.settings import DEFAULTS
from asynclint.source.files import File, find

LARGEST = 6_000  # bytes of a file to mutate: what is larger is cut, so that a case is judged in a moment
AT_A_TIME = 50  # cases of one suite
TOKEN = re.compile(r"\w+|[ \t\f]+|\r\n|\r|\n|[^\w\s]")
BYTES = b"\0\r\n\f\t \\'\"#()[]{}:;\xef\xbb\xbf\xe9\xff\x80@=*"


@dataclass(frozen=True)
class Case:
    """One text, and where it stands (absolute); ``afresh`` where a new project begins with it."""

    kind: str
    seed: int
    number: int
    place: Path
    raw: bytes
    afresh: bool = False


def test_files(suites: Sequence[Path]) -> list[Path]:
    found = (file for suite in suites for file in find([suite], DEFAULTS) if isinstance(file, File))
    return [file.path for file in found if is_test_file(file.path)]


# -- files of suites, changed


def mutated(kind: str, change: Callable[[random.Random, bytes], bytes]) -> Source:
    def cases(seed: int, suites: Sequence[Path]) -> Iterator[Case]:
        files = {suite: [path for path in test_files([suite]) if path.stat().st_size] for suite in suites}
        some = [suite for suite in suites if files[suite]]
        number = 0
        while some:
            # a while in one suite: to read what its tests import takes longer than to judge them
            suite = random.Random(f"{kind} {seed} {number // AT_A_TIME}").choice(some)
            number += 1
            chance = random.Random(f"{kind} {seed} {number}")
            path = chance.choice(files[suite])
            yield Case(kind, seed, number, path, change(chance, shortened(chance, path.read_bytes())))

    return cases


def shortened(chance: random.Random, raw: bytes) -> bytes:
    """The file without some of the definitions at its top, until it is short enough."""
    if len(raw) <= LARGEST:
        return raw
    try:
        tree = ast.parse(raw)
    except (SyntaxError, ValueError):
        return raw[:LARGEST]
    spans = []
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            spans.append((first - 1, node.end_lineno or node.lineno))
    parts = raw.splitlines(keepends=True)  # of bytes: at line ends alone
    size = len(raw)
    for first, last in chance.sample(spans, len(spans)):
        if size <= LARGEST:
            break
        size -= sum(map(len, parts[first:last]))
        parts[first:last] = [b""] * (last - first)
    return b"".join(parts)


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
    """Tokens, lines or blocks removed, doubled or swapped, as by a slip in an editor.

    Most slips leave nothing that can be parsed, and these are refused in no time: a few are tried.
    """
    edited = raw
    for _ in range(4):
        edited = edited_once(chance, raw)
        try:
            ast.parse(edited)
        except (SyntaxError, ValueError):
            continue
        break
    return edited


def edited_once(chance: random.Random, raw: bytes) -> bytes:
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


# -- files of suites as they are


def orders(seed: int, suites: Sequence[Path]) -> Iterator[Case]:
    """Some files of some suites in any order, those of one suite among each other or mixed with others'.

    Every other round begins a project, the others go on in the one that has judged the last.
    """
    files = {suite: test_files([suite]) for suite in suites}
    number = turn = 0
    while any(files.values()):
        turn += 1
        chance = random.Random(f"orders {seed} {turn}")
        some = chance.sample(list(suites), min(chance.choice([1, 1, 2, 3]), len(suites)))
        paths = [path for suite in some for path in files[suite]]
        paths = chance.sample(paths, min(len(paths), chance.choice([5, 20, 80])))
        for index, path in enumerate(paths):
            number += 1
            yield Case("orders", seed, number, path, path.read_bytes(), index == 0 and chance.random() < 0.5)


# -- programs nobody wrote

FRAMES = (
    """\
{s}
""",
    """\
async def test_it(x):
    await x
{i}
""",
    """\
async def test_it({n}):
    task = asyncio.create_task({e})
    try:
{ii}
    finally:
        task.cancel()
        await {e2}
""",
    """\
@pytest.fixture
async def {n}({n2}):
    async with asyncio.timeout({e}) as scope:
        yield {e2}
    {n2} = loop.create_task({e3})
{i}
""",
    """\
class TestIt(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.{n} = asyncio.ensure_future({e})
    async def test_it(self):
        self.assertEqual(await {e2}, {e3})
        self.{n2}({e4})
{ii}
""",
    """\
async def {n}(): return {e}
async def test_it({n2}):
    {n}(); assert {n}() == {e2}; {n2} = {n}()
    with pytest.raises({e3}):
        await asyncio.wait_for({n}(), {e4})
{i}
""",
    """\
async def test_it(lock, queue):
    await lock.acquire()
    while {e}: await asyncio.sleep({e2})
{i}
    async for {n} in {e3}:
        if {e4}: break
    lock.release()
    await queue.join()
""",
    """\
def test_it({n}):
    async def main({n2}={e}):
        await {e2}
{ii}
    asyncio.run(main({e3}))
    time.sleep({e4})
    threading.Thread(target=lambda: loop.call_soon({e})).start()
""",
    """\
@{e}
@pytest.mark.asyncio
async def test_it({n}: {e2}) -> {e3}:
    {s1}
    try: await {e4}
    except (asyncio.CancelledError, {e}): {s1}
    async with {e2} as {n2}, {e3}: {s1}
    {n} = await asyncio.wait([{e4}], timeout={e})
""",
)
HEAD = "import asyncio, pytest, threading, time, unittest\n"
NAMES = ["x", "asyncio", "self", "task", "é", "lock", "test_it", "main", "fixture", "timeout"]
AT_ONCE = 60  # pieces that hypothesmith is asked for at a time
KEPT = 600  # pieces to choose from


def programs(seed: int, suites: Sequence[Path]) -> Iterator[Case]:
    """Frames of asynchronous code, filled with what hypothesmith makes; by turns all in one place."""
    places = [FIXTURES / "test_program.py", FIXTURES / "asl101_unbounded_test" / "test_program.py"]
    statements, expressions, number = list[str](), list[str](), 0
    while True:
        statements = (made(seed * 1_000_003 + number, STATEMENTS) + statements)[:KEPT]
        expressions = (made(seed * 1_000_003 + number, EXPRESSIONS) + expressions)[:KEPT]
        done = number
        while number < done + 5 * AT_ONCE:
            number += 1
            chance = random.Random(f"programs {seed} {number}")
            source = filled(chance, statements, expressions)
            place = places[number % 2]
            yield Case("programs", seed, number, place, source.encode("utf-8", "surrogatepass"))


STATEMENTS = ("Module", "FunctionDef", "ClassDef", "With", "Try", "If", "SimpleStatementLine", "For")
EXPRESSIONS = (
    "Call",
    "Lambda",
    "Comparison",
    "ListComp",
    "FormattedString",
    "Attribute",
    "Subscript",
    "Dict",
)


def made(seed: int, kinds: Sequence[str]) -> list[str]:
    """Pieces of some kinds of libcst's nodes, each once, in the order of their making."""
    import hypothesmith
    import libcst as cst
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    pieces: list[str] = []
    for kind in kinds:

        @seeded(seed)
        @settings(
            max_examples=AT_ONCE // len(kinds),
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(source=hypothesmith.from_node(getattr(cst, kind), auto_target=False))
        def keep(source: str) -> None:
            pieces.append(source)

        keep()
    return list(dict.fromkeys(pieces))


def filled(chance: random.Random, statements: Sequence[str], expressions: Sequence[str]) -> str:
    """A program that can be parsed, or the last of a few tries."""
    source = ""
    for _ in range(6):
        body = "".join(chance.choice(statements) for _ in range(chance.choice([1, 1, 2, 4])))
        parts = {name: f"({chance.choice(expressions)})" for name in ("e", "e2", "e3", "e4")}
        parts |= {name: chance.choice(NAMES) for name in ("n", "n2")}
        parts |= {"s": body, "s1": chance.choice(["pass", "raise", "return", "await x", "yield", "x()"])}
        parts |= {"i": indented(body, 4), "ii": indented(body, 8)}
        source = chance.choice(["", HEAD]) + chance.choice(FRAMES).format(**parts)
        try:
            compile(source, "-", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError):
            continue
        break
    return source


def indented(source: str, by: int) -> str:
    return "".join(" " * by + line for line in lines(source))


Source = Callable[[int, Sequence[Path]], Iterator[Case]]
KINDS: dict[str, Source] = {
    "programs": programs,
    "bytes": mutated("bytes", with_other_bytes),
    "edits": mutated("edits", with_edits),
    "orders": orders,
}
