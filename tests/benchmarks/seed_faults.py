"""How many faults of one kind a rule finds, where real code has the cure of each written out.

    python tests/benchmarks/seed_faults.py [--kind KIND]... [--most N] [--missed] DIRECTORY...

Each kind takes one cure away: a close, a release, a ``_threadsafe``, a ``raise``. Every place of the
directories' .py files where such a cure stands is a site; each gives one mutant, which is checked in
memory by the kind's rule alone, with ``scope = "all"`` (nothing is written, nothing is run).

A mutant is *found* if the rule reports more of its outermost function than it did of the unchanged one:
anywhere in that function, at the mutated statement or where the resource is made (kinds marked
``module``: anywhere in the file). A mutant that Python can't compile is no site.

The table: ``sites``, ``found``, the share, and ``loud``: sites whose function was reported before.
``--missed`` prints the place and the mutated line of each that was not found. ``--most N`` takes N sites
of each kind, spread evenly over all. A site says nothing of whether its mutant is a fault in truth (a
``call_soon_threadsafe`` may be called on the loop all along): read what is missed.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from asynclint.engine import check_text
from asynclint.knowledge.locks import CALM_CALLS, CALM_METHODS
from asynclint.processes import pause_collector
from asynclint.project.project import Project
from asynclint.settings import Settings
from asynclint.source.text import SourceError, SourceText

Change = tuple[int, int, str]  # offsets and new text
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
MADE_BY = re.compile(
    r"^(open_(unix_)?connection|start_(unix_)?server|create_subprocess_(exec|shell)|create_(unix_)?connection"
    r"|create_(unix_)?server|create_datagram_endpoint|new_event_loop|Runner|ClientSession|AsyncClient)$"
)
CLOSES = frozenset({"close", "aclose", "shutdown", "abort"})
REAPS = frozenset({"wait", "communicate"})
LOCKS = re.compile(r"lock|sem(aphore)?s?$|cond(ition)?$|mutex", re.IGNORECASE)
MAKES_LOCKS = r"\b(Lock|StrictFIFOLock|Semaphore|BoundedSemaphore|Condition|CapacityLimiter)\("
BLOCKING = re.compile(
    r"^(time\.sleep|subprocess\.\w+|os\.(system|wait\w*)|socket\.(create_connection|getaddrinfo|gethostby\w+)"
    r"|requests\.\w+|urllib\.request\.urlopen|select\.select|\w*(thread|queue|future)\w*\.(join|get|put|result))$"
)


@dataclass
class Source:
    """A file, its tree, and who holds what."""

    path: Path
    text: SourceText
    tree: ast.Module
    parents: dict[ast.AST, ast.AST] = field(default_factory=dict)

    def start(self, node: ast.AST) -> int:
        return self.text.offset(self.text.span(node).start)

    def end(self, node: ast.AST) -> int:
        return self.text.offset(self.text.span(node).end)

    def code(self, node: ast.AST) -> str:
        return self.text.slice(self.text.span(node))

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        while node in self.parents:
            node = self.parents[node]
            yield node

    def function(self, node: ast.AST) -> ast.AST | None:
        """The innermost function round a node."""
        return next((outer for outer in self.around(node) if isinstance(outer, FUNCTIONS)), None)

    def outermost(self, node: ast.AST) -> ast.AST | None:
        return next((o for o in reversed([*self.around(node)]) if isinstance(o, FUNCTIONS)), None)

    def all(self, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
        return (node for node in (self.tree, *self.parents) if isinstance(node, kinds))


@dataclass(frozen=True)
class Mutant:
    """One change of a file, at a node of it."""

    node: ast.AST
    changes: tuple[Change, ...]


Sites = Callable[[Source], Iterator[Mutant]]


@dataclass(frozen=True)
class Kind:
    """A kind of fault: its rule, words of files that can have it, where it can be made, where it shows."""

    code: str
    words: str
    sites: Sites
    where: str = "function"


# -- text


def read(path: Path) -> Source | None:
    try:
        text = SourceText.from_bytes(path.read_bytes())
        tree = text.parse()
    except (OSError, SourceError):
        return None
    source = Source(path, text, tree)
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            source.parents[child] = node
    return source


def dropped(source: Source, statement: ast.AST) -> Mutant:
    """``pass`` for a statement."""
    return Mutant(statement, ((source.start(statement), source.end(statement), "pass"),))


def line_start(source: Source, line: int) -> int:
    return sum(map(len, source.text.lines[: line - 1]))


def dedented(source: Source, body: list[ast.stmt], column: int) -> list[Change] | None:
    """Changes that move a block to a column; None where a line is not just the block's."""
    first, last = body[0], body[-1]
    shift = first.col_offset - column
    head = source.text.lines[first.lineno - 1][: first.col_offset]
    if shift <= 0 or head.strip():
        return None
    inside: set[int] = set()
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, (ast.Constant, ast.JoinedStr)) and node.end_lineno is not None:
                inside.update(range(node.lineno + 1, node.end_lineno + 1))
    changes = []
    for number in range(first.lineno, (last.end_lineno or last.lineno) + 1):
        line = source.text.lines[number - 1]
        if number not in inside and line[:shift].isspace() and line.strip():
            at = line_start(source, number)
            changes.append((at, at + shift, ""))
    return changes


def unwrapped(source: Source, block: ast.With | ast.AsyncWith, before: str, after: str = "") -> Mutant | None:
    """A ``with`` statement turned into a statement before its body, and one behind it."""
    moved = dedented(source, block.body, block.col_offset)
    if moved is None:
        return None
    start, first = source.start(block), block.body[0]
    header = (start, line_start(source, first.lineno), before + "\n")
    changes = [header, *moved]
    last = block.body[-1]
    if after and not isinstance(last, (ast.Return, ast.Raise, ast.Continue, ast.Break)):
        end = source.end(last)
        changes.append((end, end, f"\n{' ' * block.col_offset}{after}"))
    return Mutant(block, tuple(changes))


def without_finally(source: Source, block: ast.Try) -> Mutant | None:
    """``try: A finally: B`` turned into ``A`` and then ``B``."""
    if block.handlers or block.orelse:
        return None
    body = dedented(source, block.body, block.col_offset)
    final = dedented(source, block.finalbody, block.col_offset)
    if body is None or final is None:
        return None
    opened = (source.start(block), line_start(source, block.body[0].lineno), "pass\n")
    # ``finally:`` and what stands round it: from the end of the body's last line on
    end = line_start(source, (block.body[-1].end_lineno or 0) + 1)
    closed = (end, line_start(source, block.finalbody[0].lineno), "")
    return Mutant(block, (opened, *body, closed, *final))


def with_import(source: Source, mutant: Mutant, module: str) -> Mutant:
    """The mutant with a module imported, on the line of the first import that may have company."""
    for statement in source.tree.body:
        future = isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
        if isinstance(statement, (ast.Import, ast.ImportFrom)) and not future:
            at = source.start(statement)
            return Mutant(mutant.node, (*mutant.changes, (at, at, f"import {module}; ")))
    return mutant


def called(call: ast.AST) -> tuple[str, str]:
    """``("loop", "call_soon")`` of ``loop.call_soon(…)``; the receiver is source text."""
    if not isinstance(call, ast.Call):
        return "", ""
    if isinstance(call.func, ast.Attribute):
        return ast.unparse(call.func.value), call.func.attr
    return "", getattr(call.func, "id", "")


def bare_call(statement: ast.AST) -> ast.Call | None:
    """The call of a statement that is nothing else, awaited or not."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    value = value.value if isinstance(value, ast.Await) else value
    return value if isinstance(value, ast.Call) else None


def made_in(source: Source, function: ast.AST, name: str) -> ast.Call | None:
    """The call whose result a name, or the last or first part of a tuple, gets in a function."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            names = {
                part.id for target in node.targets for part in ast.walk(target) if isinstance(part, ast.Name)
            }
            value = node.value.value if isinstance(node.value, ast.Await) else node.value
            if name in names and isinstance(value, ast.Call):
                return value
    return None


# -- kinds


def is_maker(call: ast.expr) -> bool:
    """A maker of asyncio, a loop, aiohttp or httpx; not one that is given a transport (nothing is held)."""
    receiver, name = called(call)
    given = {keyword.arg for keyword in call.keywords} if isinstance(call, ast.Call) else set()
    modules = receiver in ("", "asyncio", "aiohttp", "httpx", "httpx2", "uvloop") or receiver.endswith("loop")
    held = not given & {"transport", "mounts", "app"}
    return bool(MADE_BY.match(name)) and (modules or receiver.endswith("loop()")) and held


def close(source: Source) -> Iterator[Mutant]:
    """ASL404: the only closing call of a resource made in the function; ``async with make() as x``."""
    for statement in source.all(ast.Expr):
        call = bare_call(statement)
        receiver, name = called(call) if call is not None else ("", "")
        function = source.function(statement)
        if name not in CLOSES | REAPS or function is None or not receiver.isidentifier():
            continue
        maker = made_in(source, function, receiver)
        if maker is None or not is_maker(maker):
            continue
        closes = REAPS if called(maker)[1].startswith("create_subprocess") else CLOSES
        ends = [c for c in source.all(ast.Call) if called(c)[0] == receiver and called(c)[1] in closes]
        if sum(source.function(end) is function for end in ends) == 1 and name in closes:
            yield dropped(source, statement)
    for block in source.all(ast.With, ast.AsyncWith):
        assert isinstance(block, (ast.With, ast.AsyncWith))
        item = block.items[0]
        if len(block.items) == 1 and isinstance(item.optional_vars, ast.Name):
            expr = item.context_expr
            if is_maker(expr.value if isinstance(expr, ast.Await) else expr):
                mutant = unwrapped(source, block, f"{item.optional_vars.id} = {source.code(expr)}")
                if mutant is not None:
                    yield mutant


def can_break(statement: ast.stmt) -> bool:
    """Whether a statement waits, raises, or calls what may."""
    for node in ast.walk(statement):
        name = called(node)[1]
        calm = name in CALM_CALLS | CALM_METHODS or not isinstance(node, ast.Call)
        if not calm or isinstance(node, (ast.Await, ast.Assert, ast.Raise, ast.AsyncFor, ast.AsyncWith)):
            return True
    return False


def ends_with_test(source: Source, node: ast.AST, name: str) -> bool:
    """Whether a lock is made by the test itself that a node stands in, or in whose function it does."""
    test = source.outermost(node)
    if not isinstance(test, FUNCTIONS) or not test.name.startswith("test"):
        return False
    names = (
        part for part in ast.walk(test) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    )
    return name in {part.id for part in names}


def release(source: Source) -> Iterator[Mutant]:
    """ASL501: ``async with lock`` turned into acquire and release; a release taken out of ``finally``."""
    for block in source.all(ast.AsyncWith):
        assert isinstance(block, ast.AsyncWith)
        item = block.items[0]
        lock = ast.unparse(item.context_expr)
        if ends_with_test(source, block, lock) or not any(map(can_break, block.body)):
            continue  # nobody needs it any more
        if len(block.items) == 1 and item.optional_vars is None and "(" not in lock and LOCKS.search(lock):
            mutant = unwrapped(source, block, f"await {lock}.acquire()", f"{lock}.release()")
            if mutant is not None:
                yield mutant
    for block in source.all(ast.Try):
        assert isinstance(block, ast.Try)
        frees = [called(c)[1] == "release" for c in map(bare_call, block.finalbody) if c is not None]
        function = source.function(block)
        if (
            any(frees)
            and any(map(can_break, block.body))
            and not any(
                ends_with_test(source, block, called(c)[0]) for c in map(bare_call, block.finalbody) if c
            )
            and isinstance(function, ast.AsyncFunctionDef)
            and ".acquire()" in source.code(function)
        ):
            mutant = without_finally(source, block)
            if mutant is not None:
                yield mutant


THREAD = (
    r"(target=|to_thread(\.run_sync)?\(|submit\(|run_in_executor\([^,()]+,"
    r"|Timer\([^,()]+,)"
)


def threadsafe(source: Source) -> Iterator[Mutant]:
    """ASL402: ``call_soon`` for ``call_soon_threadsafe``, ``create_task`` for a coroutine sent over.

    In a function that the file itself hands to a thread, as far as its text tells.
    """
    for call in source.all(ast.Call):
        assert isinstance(call, ast.Call)
        _, name = called(call)
        inner = next((o for o in source.around(call) if isinstance(o, (*FUNCTIONS, ast.Lambda))), None)
        written = source.code(inner) if isinstance(inner, ast.Lambda) else getattr(inner, "name", "")
        handed = re.search(rf"{THREAD}\s*(self\.)?{re.escape(written)}", source.text.text)
        if not written or not handed or isinstance(inner, ast.AsyncFunctionDef):
            continue
        if name == "call_soon_threadsafe" and isinstance(call.func, ast.Attribute):
            end = source.end(call.func)
            yield Mutant(call, ((end - len("_threadsafe"), end, ""),))
        elif name == "run_coroutine_threadsafe" and len(call.args) == 2 and not call.keywords:
            text = f"{source.code(call.args[1])}.create_task({source.code(call.args[0])})"
            yield Mutant(call, ((source.start(call), source.end(call), text),))


def reraise(source: Source) -> Iterator[Mutant]:
    """ASL502: the ``raise`` that a handler of CancelledError or BaseException round an ``await`` ends with.

    No sites are a handler behind one of CancelledError; a ``raise`` under a condition or of another
    error, which say that some cancellations are
    to stop there; a local coroutine of a test, whose mutant is the idiom of recording a cancellation; and
    trio's and anyio's own classes, which come again at the next wait.
    """
    for handler in source.all(ast.ExceptHandler):
        assert isinstance(handler, ast.ExceptHandler)
        caught = ast.unparse(handler.type) if handler.type is not None else "BaseException"
        block, function, last = source.parents[handler], source.function(handler), handler.body[-1]
        if not re.search(r"\b(CancelledError|BaseException)\b", caught):
            continue
        earlier = block.handlers[: block.handlers.index(handler)] if isinstance(block, ast.Try) else []
        if any(one.type is not None and "Cancelled" in ast.unparse(one.type) for one in earlier):
            continue  # it never comes here
        if not isinstance(function, ast.AsyncFunctionDef) or not isinstance(last, ast.Raise):
            continue
        outermost = source.outermost(handler)
        if function is not outermost and getattr(outermost, "name", "").startswith("test"):
            continue
        waits = isinstance(block, ast.Try) and any(
            isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith))
            for s in block.body
            for node in ast.walk(s)
        )
        raises = [node for s in handler.body for node in ast.walk(s) if isinstance(node, ast.Raise)]
        if waits and len(raises) == 1 and (last.exc is None or ast.unparse(last.exc) == handler.name):
            yield dropped(source, last)


def task_done(source: Source) -> Iterator[Mutant]:
    """ASL503: a ``task_done()`` removed, and one taken out of its ``finally``."""
    for statement in source.all(ast.Expr):
        call = bare_call(statement)
        if call is None or called(call)[1] != "task_done":
            continue
        if not isinstance(source.function(statement), ast.AsyncFunctionDef):
            continue
        yield dropped(source, statement)
        block = source.parents[statement]
        if isinstance(block, ast.Try) and statement in block.finalbody:
            mutant = without_finally(source, block)
            if mutant is not None:
                yield mutant


def generator_functions(source: Source) -> set[str]:
    """Names of asynchronous generator functions that yield inside ``try`` and ``finally``, or ``with``."""
    return {
        function.name
        for function in source.all(ast.AsyncFunctionDef)
        if isinstance(function, ast.AsyncFunctionDef)
        and not function.decorator_list
        and any(
            isinstance(block, (ast.With, ast.AsyncWith)) or (isinstance(block, ast.Try) and block.finalbody)
            for node in ast.walk(function)
            if isinstance(node, ast.Yield) and source.function(node) is function
            for block in source.around(node)
        )
    }


def left_early(source: Source) -> Iterator[Mutant]:
    """ASL504: a loop over such a generator that goes to its end, with a ``break`` behind its first turn."""
    makers = generator_functions(source)
    for loop in source.all(ast.AsyncFor):
        assert isinstance(loop, ast.AsyncFor)
        last, leaving = loop.body[-1], (ast.Break, ast.Return, ast.Raise, ast.Continue)
        head = source.text.lines[last.lineno - 1][: last.col_offset]
        left = any(isinstance(node, (ast.Break, ast.Return)) for node in ast.walk(loop))
        if called(loop.iter)[1] in makers and not left and not isinstance(last, leaving) and not head.strip():
            end = source.end(last)
            yield Mutant(loop, ((end, end, f"\n{head}break"),))


def aclosing(source: Source) -> Iterator[Mutant]:
    """ASL504: ``async with aclosing(x) as y`` turned into ``y = x``; the ``aclose()`` of a generator."""
    makers = generator_functions(source)
    for block in source.all(ast.AsyncWith):
        assert isinstance(block, ast.AsyncWith)
        item = block.items[0]
        expr = item.context_expr
        if (
            len(block.items) == 1
            and called(expr)[1] == "aclosing"
            and isinstance(expr, ast.Call)
            and expr.args
            and called(expr.args[0])[1] in makers
        ):
            given = source.code(expr.args[0])
            before = "pass" if item.optional_vars is None else f"{source.code(item.optional_vars)} = {given}"
            mutant = unwrapped(source, block, before)
            if mutant is not None:
                yield mutant
    for statement in source.all(ast.Expr):
        call = bare_call(statement)
        function = source.function(statement)
        if call is not None and called(call)[1] == "aclose" and function is not None:
            maker = made_in(source, function, called(call)[0])
            if maker is not None and called(maker)[1] in makers:
                yield dropped(source, statement)


def blocking(source: Source) -> Iterator[Mutant]:
    """ASL403: ``time.sleep`` for a library's ``sleep``; a blocking call not handed to a thread any more."""
    for wait in source.all(ast.Await):
        assert isinstance(wait, ast.Await)
        call = wait.value
        receiver, name = called(call)
        if not isinstance(call, ast.Call) or not isinstance(source.function(wait), ast.AsyncFunctionDef):
            continue
        start, end = source.start(wait), source.end(wait)
        if name == "sleep" and receiver in ("asyncio", "anyio", "trio") and len(call.args) == 1:
            if ast.unparse(call.args[0]) not in ("0", "0.0"):
                text = f"time.sleep({source.code(call.args[0])})"
                yield with_import(source, Mutant(wait, ((start, end, text),)), "time")
            continue
        skipped = {"to_thread": 0, "run_sync": 0, "run_in_executor": 1}.get(name, -1)
        given = call.args[skipped + 1 :] if skipped >= 0 else []
        if given and ast.unparse(given[0]) == "0":
            continue  # time.sleep(0) does not block
        if skipped >= 0 and len(call.args) > skipped and BLOCKING.match(ast.unparse(call.args[skipped])):
            text = f"{source.code(call.args[skipped])}({', '.join(map(source.code, given))})"
            yield Mutant(wait, ((start, end, text),))


def close_on_self(source: Source) -> Iterator[Mutant]:
    """ASL404: the only closing call of what a class keeps on ``self`` when it is set up, or in private."""
    for cls in source.all(ast.ClassDef):
        made: dict[str, ast.AST] = {}
        for node in ast.walk(cls):
            value = node.value if isinstance(node, ast.Assign) else None
            value = value.value if isinstance(value, ast.Await) else value
            if isinstance(node, ast.Assign) and value is not None and is_maker(value):
                parts = [part for target in node.targets for part in ast.walk(target)]
                kept = {ast.unparse(part) for part in parts if isinstance(part, ast.Attribute)}
                made |= dict.fromkeys((name for name in kept if name.startswith("self.")), node)
        closing = [(s, called(c)) for s in ast.walk(cls) if (c := bare_call(s)) is not None]
        for statement, (receiver, name) in closing:
            only = sum(r == receiver and n in CLOSES for _, (r, n) in closing) == 1
            if receiver in made and name in CLOSES and only:
                yield dropped(source, statement)


KINDS = {
    "close": Kind("ASL404", "close|shutdown|abort|wait|communicate|with", close),
    "close_on_self": Kind("ASL404", "close|shutdown|kill|terminate|abort", close_on_self, "module"),
    "release": Kind("ASL501", MAKES_LOCKS, release),
    "threadsafe": Kind("ASL402", "_threadsafe", threadsafe),
    "reraise": Kind("ASL502", "raise", reraise),
    "task_done": Kind("ASL503", "task_done", task_done, "module"),
    "aclosing": Kind("ASL504", "aclos", aclosing),
    "left_early": Kind("ASL504", "async for", left_early),
    "blocking": Kind("ASL403", "sleep|to_thread|run_sync|run_in_executor", blocking),
}


# -- measuring


@dataclass
class Tally:
    """What became of one kind's mutants."""

    sites: int = 0
    found: int = 0
    loud: int = 0
    missed: list[str] = field(default_factory=list)


def mutated(source: Source, mutant: Mutant) -> SourceText | None:
    """The changed text; None where Python can't compile it."""
    text = source.text.text
    for start, end, new in sorted(mutant.changes, reverse=True):
        text = text[:start] + new + text[end:]
    try:
        changed = SourceText.from_bytes(source.text.encode(text))
        compile(changed.text, str(source.path), "exec", dont_inherit=True)
    except (SourceError, SyntaxError, ValueError):
        return None
    return changed


def reports(text: SourceText, source: Source, kind: Kind, project: Project) -> list[int]:
    """Lines of the rule's reports."""
    settings = Settings(scope="all", select=(kind.code,))
    return [
        finding.span.start.line
        for finding in check_text(text, source.path, str(source.path), settings, project=project).findings
    ]


def score(source: Source, mutants: Iterable[Mutant], kind: Kind, project: Project, tally: Tally) -> None:
    """Check each mutant of a file, and leave the project with the unchanged one."""
    before: list[int] | None = None
    for mutant in mutants:
        changed = mutated(source, mutant)
        if changed is None:
            continue
        if before is None:
            before = reports(source.text, source, kind, project)
        outer = source.outermost(mutant.node) if kind.where == "function" else source.tree.body[-1]
        first = getattr(outer, "lineno", 1) if kind.where == "function" else 1
        last = getattr(outer, "end_lineno", None) or len(source.text.lines)
        moved = len(changed.lines) - len(source.text.lines)
        had = sum(first <= line <= last for line in before)
        has = sum(first <= line <= last + moved for line in reports(changed, source, kind, project))
        tally.sites += 1
        tally.loud += had > 0
        tally.found += has > had
        if has <= had:
            line = getattr(mutant.node, "lineno", 0)
            tally.missed.append(f"{source.path}:{line}: {source.text.lines[line - 1].strip()}")
    if before is not None:
        project.begin(source.path, source.text, source.tree)


def sites_in(path: Path, kind: Kind) -> tuple[Source | None, list[Mutant]]:
    """A file with its mutants of one kind; None where it has none."""
    try:
        if not re.search(kind.words, path.read_text("utf-8", errors="replace")):
            return None, []
    except OSError:
        return None, []
    source = read(path)
    return source, list(kind.sites(source)) if source is not None else []


def measure(directories: Iterable[Path], name: str, most: int) -> Tally:
    """All mutants of one kind, or so many of them."""
    kind, tally = KINDS[name], Tally()
    files = [(directory, path) for directory in directories for path in sorted(directory.rglob("*.py"))]
    chosen: set[tuple[Path, int]] | None = None
    if most:
        sites = [(path, index) for _, path in files for index in range(len(sites_in(path, kind)[1]))]
        chosen = {sites[number * len(sites) // most] for number in range(most)} if sites else set()
    projects: dict[Path, Project] = {}
    for directory, path in files:
        source, mutants = sites_in(path, kind)
        taken = [m for index, m in enumerate(mutants) if chosen is None or (path, index) in chosen]
        if source is not None and taken:
            project = projects.setdefault(directory, Project(Settings(scope="all")))
            score(source, taken, kind, project, tally)
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("directories", nargs="+", type=Path)
    parser.add_argument("--kind", action="append", choices=sorted(KINDS))
    parser.add_argument("--most", type=int, default=0, help="sites of each kind (default: all)")
    parser.add_argument("--missed", action="store_true", help="print those that were not found")
    arguments = parser.parse_args()
    pause_collector()
    directories = [directory.resolve() for directory in arguments.directories]
    print(f"{'kind':<12}{'rule':<8}{'sites':>6}{'found':>7}{'share':>8}{'loud':>6}")
    for name in arguments.kind or KINDS:
        tally = measure(directories, name, arguments.most)
        share = f"{tally.found / tally.sites:.1%}" if tally.sites else "-"
        print(
            f"{name:<12}{KINDS[name].code:<8}{tally.sites:>6}{tally.found:>7}{share:>8}{tally.loud:>6}",
            flush=True,
        )
        if arguments.missed:
            print(*tally.missed, sep="\n", file=sys.stderr)


if __name__ == "__main__":
    main()
