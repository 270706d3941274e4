"""Whether what a consumer does with an item of a queue always ends in ``task_done()``."""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from asynclint.flow.expiry import LOOPS, TRIES, WITHS
from asynclint.project.index.values import Function, Instance
from asynclint.project.names import chain as chained
from asynclint.project.project import Project
from asynclint.source.nodes import end_of, inside, own_nodes, start_of
from asynclint.source.outline import FUNCTIONS, Scope
from asynclint.source.written import called, last_name

DONE = "task_done"
# Calls that don't fail, so to speak.
SAFE = frozenset(
    ["append", "add", "appendleft", "discard", "print", "debug", "info", "warning", "error", "exception",
     "log", "len", "str", "repr", "isinstance", "set", "clear", "put_nowait", "sleep", "time", "monotonic",
     "perf_counter", "get_running_loop", "qsize", "empty", "format", "id", "bool", "current_task",
     "get_name", "checkpoint", "setdefault", "extend", "get_nowait", DONE]
)  # fmt: skip
GETTING = frozenset({"get", "get_nowait", "wait_for", "cast"})
JUMPS = (ast.Return, ast.Break, ast.Continue, ast.Raise)
BROAD = frozenset({"Exception", "BaseException"})


class Leak(NamedTuple):
    """Where the work on an item can end without ``task_done()``.

    ``at`` fails or leaves; None with ``never``: there is no ``task_done()`` at all. ``run`` are the
    statements from behind the get up to ``done``, where all of them stand in one block.
    """

    at: ast.AST | None
    leaves: bool = False
    never: bool = False
    run: tuple[ast.stmt, ...] = ()
    done: ast.stmt | None = None


def leak_behind(get: ast.stmt, consumer: Walk, queue: str) -> Leak | None:
    """How the item that a statement gets may never be done; None where it always is, or who knows."""
    walk = consumer.of(queue)
    if any(walk.has_done(block.finalbody) for block in walk.tries_around(get)):
        return None
    path = walk.behind(get)
    first = next(path, None)
    block = first[1] if first is not None else []
    rest = (statement for statement, _ in chain([first] if first is not None else [], path))
    leak = walk.follow(rest, walk.risk_of_get(get))
    if leak is None or leak is _UNKNOWN:
        return None
    if leak.never and walk.is_done_somewhere:
        return None
    if leak.done in block and get in block:
        start, end = block.index(get) + 1, block.index(leak.done)
        run = tuple(block[start:end])
        if run and not walk.has_done(run):
            return Leak(leak.at, leak.leaves, False, run, leak.done)
    if leak.never and get in block:
        return Leak(leak.at, leak.leaves, True, tuple(block[block.index(get) + 1 :]))
    return leak


_UNKNOWN = Leak(None)
_SETTLED = Leak(None)


class Walk:
    """The statements of one consumer, and whether ``queue``, as written, is done in them."""

    def __init__(self, consumer: Scope, project: Project) -> None:
        self.consumer = consumer
        self.project = project
        self.queue = ""
        self.done: dict[str, list[tuple[int, int]]] = {}
        for node in own_nodes(consumer):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == DONE:
                self.done.setdefault(ast.unparse(node.func.value), []).append(start_of(node))
        self.parents: dict[ast.AST, tuple[ast.AST, str]] = {}
        stack: list[ast.AST] = [consumer.node]
        while stack:
            node = stack.pop()
            for name, value in ast.iter_fields(node):
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, (ast.stmt, ast.ExceptHandler, ast.match_case)):
                        self.parents[child] = node, name
                        if not isinstance(child, (*FUNCTIONS, ast.ClassDef)):
                            stack.append(child)

    def of(self, queue: str) -> Walk:
        """The same, asked about one queue."""
        self.queue = queue
        return self

    @property
    def is_done_somewhere(self) -> bool:
        """Whether the consumer calls ``task_done`` at all."""
        return self.queue in self.done

    def is_done(self, node: ast.AST) -> bool:
        """``queue.task_done()``, of this queue as it is written at the get."""
        return (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == DONE
            and ast.unparse(node.func.value) == self.queue
        )

    def has_done(self, statements: Sequence[ast.stmt]) -> bool:
        """Whether ``task_done`` is called in statements of one block."""
        places = self.done.get(self.queue, []) if statements else []
        if not places:
            return False
        first = bisect_left(places, start_of(statements[0]))
        return first < len(places) and places[first] < end_of(statements[-1])

    def tries_around(self, statement: ast.AST) -> Iterator[ast.Try]:
        while statement in self.parents:
            statement, name = self.parents[statement]
            if isinstance(statement, ast.Try) and name in ("body", "orelse"):
                yield statement

    def behind(self, statement: ast.AST) -> Iterator[tuple[ast.stmt, list[ast.stmt]]]:
        """What runs after a statement up to the end of its loop's round, with the block it stands in."""
        while statement in self.parents:
            parent, name = self.parents[statement]
            held = getattr(parent, name)
            if name in ("body", "orelse", "finalbody") and isinstance(held, list):
                yield from ((one, held) for one in held[held.index(statement) + 1 :])
                if isinstance(parent, TRIES) and name == "body":
                    yield from ((one, parent.orelse) for one in parent.orelse)
            if isinstance(parent, LOOPS) and name == "body":
                return
            statement = parent

    def risk_of_get(self, get: ast.stmt) -> ast.AST | None:
        """What may fail in the statement of the get itself: ``handle(await queue.get())``."""
        calls = (node for node in inside([get]) if isinstance(node, ast.Call))
        return next((call for call in calls if called(call) not in SAFE | GETTING), None)

    def follow(self, statements: Iterable[ast.stmt], risk: ast.AST | None = None) -> Leak | None:
        """The first leak on the way to ``task_done``; None where there is none, _UNKNOWN where unsure."""
        rest = iter(statements)
        for statement in rest:
            if self._is_last_item(statement):
                continue
            if self.has_done([statement]):
                return self._settle(statement, risk)
            if isinstance(statement, JUMPS):
                return Leak(statement, leaves=True) if risk is None else Leak(risk)
            leaving = self._leaves(statement)
            if leaving is not None:
                done = (s for s in rest if isinstance(s, ast.Expr) and self.is_done(s.value))
                return Leak(leaving, leaves=True, done=next(done, None))
            if risk is None:
                risk = self._risk(statement)
        return Leak(None, never=True)

    def _is_last_item(self, statement: ast.stmt) -> bool:
        """``if item is None: queue.task_done(); break``."""
        if not isinstance(statement, ast.If) or self.has_done(statement.orelse):
            return False
        return self.has_done(statement.body) and isinstance(statement.body[-1], JUMPS)

    def _settle(self, statement: ast.stmt, risk: ast.AST | None) -> Leak | None:
        """What a statement that holds ``task_done`` says."""
        if isinstance(statement, ast.Expr):
            return Leak(risk, done=statement) if risk is not None else None
        if risk is not None:
            return Leak(risk)
        if isinstance(statement, ast.Try):
            if self.has_done(statement.finalbody):
                return None
            in_handlers = [self.has_done(handler.body) for handler in statement.handlers]
            if all(in_handlers) and in_handlers:
                return None
            if any(in_handlers) or not self.has_done([*statement.body, *statement.orelse]):
                return _UNKNOWN
            first = next((r for s in statement.body if (r := self._risk(s)) is not None), None)
            done_first = bool(statement.body) and self.has_done(statement.body[:1])
            return Leak(first) if first is not None and not done_first else None
        if isinstance(statement, WITHS):
            return self.follow(statement.body)
        return _UNKNOWN

    def _leaves(self, statement: ast.stmt) -> ast.AST | None:
        """``if …: continue`` without ``task_done``; a ``break`` or ``return`` there is the end of all."""
        for node in inside([statement]):
            if isinstance(node, ast.Continue) and not self._in_inner_loop(node, statement):
                return node
        return None

    def _in_inner_loop(self, node: ast.AST, outermost: ast.stmt) -> bool:
        while node is not outermost and node in self.parents:
            if isinstance(node, LOOPS):
                return True
            node = self.parents[node][0]
        return isinstance(node, LOOPS)

    def _risk(self, statement: ast.stmt) -> ast.AST | None:
        """What in a statement may fail so that the rest is skipped."""
        if isinstance(statement, TRIES) and statement.handlers:
            return None
        if isinstance(statement, ast.With) and "suppress" in ast.unparse(statement.items[0].context_expr):
            return None
        if isinstance(statement, ast.If) and isinstance(statement.body[-1], (ast.Break, ast.Return)):
            return None if not statement.orelse else self._risk(statement.orelse[0])
        kept = {id(part) for node in inside([statement]) for part in self._kept(node)}
        for node in inside([statement]):
            if isinstance(node, (ast.Assert, ast.Raise)):
                return node
            if isinstance(node, ast.Call) and id(node) not in kept and called(node) not in SAFE:
                return node
            if isinstance(node, ast.Await) and not isinstance(node.value, ast.Call):
                return node
        return None

    def _kept(self, node: ast.AST) -> Iterator[ast.AST]:
        """A call that keeps to itself whatever fails, and what fails only inside of it.

        ``gather(job(), return_exceptions=True)``, ``asyncio.wait([create_task(job())])``; a function of the
        project that catches all; ``await other.put(item)``.
        """
        if not isinstance(node, ast.Call):
            return
        if called(node) == "put" and isinstance(node.func, ast.Attribute):
            other = self.project.inference.value(node.func.value, self.consumer)
            if isinstance(other, Instance) and other.cls.scope.outline.directory.name == "asyncio":
                yield node
        names = chained(node.func, self.consumer, self.project.modules)
        flags = [k.value.value for k in node.keywords if isinstance(k.value, ast.Constant)]
        if "asyncio.wait" in names or ("asyncio.gather" in names and True in flags):
            yield from ast.walk(node)
        elif self._catches_all(node):
            yield node

    def _catches_all(self, call: ast.Call) -> bool:
        value = self.project.inference.value(call.func, self.consumer)
        body = getattr(value.scope.node, "body", []) if isinstance(value, Function) else []
        if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body = body[1:]
        if len(body) != 1 or not isinstance(body[0], ast.Try):
            return False
        handlers = body[0].handlers
        broad = any(h.type is None or last_name(h.type) in BROAD for h in handlers)
        return broad and not any(isinstance(n, ast.Raise) for h in handlers for n in ast.walk(h))
