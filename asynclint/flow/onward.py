"""How a function goes on behind one of its handlers, and what else of it tells what the handler is for.

Worked out once for a function and asked for each of its handlers. All on ast.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from collections.abc import Iterator
from enum import Enum
from functools import cached_property

from asynclint.flow.expiry import LOOPS
from asynclint.source.nodes import end_of, inside, own_nodes, start_of
from asynclint.source.outline import FUNCTIONS, Scope
from asynclint.source.written import called

WAITS = (ast.Await, ast.AsyncFor, ast.AsyncWith)
JUMPS = (ast.Break, ast.Continue, ast.Return)
# What ends another task before one awaits it.
CANCELLING = frozenset({"cancel", "cancelled", "cancel_called", "throw"})
# Errors of a first try that did not wait.
NOT_YET = frozenset(
    ["WouldBlock", "QueueEmpty", "QueueFull", "Empty", "Full", "BlockingIOError", "KeyError", "IndexError",
     "LookupError", "AttributeError"]
)  # fmt: skip
CANCELS_ALL = re.compile(r"^_*cancel(_all|_task|_pending|_child|_worker|$)")


class Onward(Enum):
    """How a function goes on behind a handler that swallows a cancellation."""

    LOOP = "the loop goes on"
    WAIT = "the function waits again"
    RETURN = "the function returns as if it had been done"


class Course:
    """The statements of one coroutine function: where they stand, and which waits lie behind them."""

    def __init__(self, function: Scope) -> None:
        self.nodes = own_nodes(function)
        self.parents: dict[ast.AST, tuple[ast.AST, str]] = {}
        stack: list[ast.AST] = [function.node]
        while stack:
            node = stack.pop()
            for name, value in ast.iter_fields(node):
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, (ast.stmt, ast.ExceptHandler, ast.match_case)):
                        self.parents[child] = node, name
                        if not isinstance(child, (*FUNCTIONS, ast.ClassDef)):
                            stack.append(child)

    @cached_property
    def waits(self) -> list[tuple[int, int]]:
        """Where the function waits, in order."""
        return [start_of(node) for node in self.nodes if isinstance(node, WAITS)]

    @cached_property
    def cancels(self) -> int:
        """The first line that cancels something, or looks whether it was; 0 where none does."""
        attributes = (node for node in self.nodes if isinstance(node, ast.Attribute))
        lines = (start_of(n)[0] for n in attributes if n.attr in CANCELLING or CANCELS_ALL.search(n.attr))
        return min(lines, default=0)

    @cached_property
    def cancelled(self) -> dict[str, int]:
        """What is cancelled, as written, and the first line that does."""
        found: dict[str, int] = {}
        for node in self.nodes:
            if isinstance(node, ast.Attribute) and node.attr == "cancel":
                found.setdefault(ast.unparse(node.value), node.lineno)
        return found

    @cached_property
    def futures(self) -> set[str]:
        """Names and attributes that the function sets to a future it makes, as written."""
        made = (n for n in self.nodes if isinstance(n, (ast.Assign, ast.AnnAssign)))
        return {
            ast.unparse(target)
            for node in made
            if isinstance(node.value, ast.Call) and called(node.value) in ("create_future", "Future")
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        }

    @cached_property
    def looked_at(self) -> dict[str, int]:
        """Names that decide something, and the last line where they do; in a loop's condition: for ever."""
        found: dict[str, int] = {}
        for node in self.nodes:
            flag = isinstance(node, ast.While)  # of self, or another object
            for asked, line in _asked(node):
                for part in ast.walk(asked):
                    if isinstance(part, ast.Name) or (flag and isinstance(part, ast.Attribute)):
                        name = ast.unparse(part)
                        found[name] = max(found.get(name, 0), line)
        return found

    @cached_property
    def flags(self) -> set[str]:
        """Attributes that the conditions of loops look at, as written."""
        loops = (node for node in self.nodes if isinstance(node, ast.While))
        return {ast.unparse(p) for loop in loops for p in ast.walk(loop.test) if isinstance(p, ast.Attribute)}

    def in_cleanup(self, statement: ast.AST) -> bool:
        """Whether it stands in a ``finally`` or a handler: what went before has ended in some way.

        Not in a handler of what only says that there is nothing yet: the work begins there.
        """
        while statement in self.parents:
            statement, name = self.parents[statement]
            if name == "finalbody":
                return True
            if isinstance(statement, ast.ExceptHandler):
                caught = ast.unparse(statement.type) if statement.type is not None else ""
                if caught.rpartition(".")[2] not in NOT_YET:
                    return True
        return False

    def onward(self, block: ast.AST, handler: ast.ExceptHandler) -> Onward:
        """What the function does once the handler of a ``try`` is done."""
        loop = self._loop(block)
        exits = [type(node) for node in inside(handler.body) if isinstance(node, JUMPS)]
        falls = not isinstance(handler.body[-1], JUMPS)
        if (falls or ast.Continue in exits) and loop is not None and self._repeats(block, loop):
            return Onward.LOOP
        behind: ast.AST | None = block if falls else None
        if not falls and exits[-1] is ast.Break:
            behind = loop
        return Onward.WAIT if behind is not None and self._waits_behind(behind) else Onward.RETURN

    def _loop(self, statement: ast.AST) -> ast.AST | None:
        """The innermost loop in whose body a statement stands."""
        while statement in self.parents:
            statement, name = self.parents[statement]
            if isinstance(statement, LOOPS) and name == "body":
                return statement
        return None

    def _blocks(self, statement: ast.AST) -> Iterator[tuple[ast.AST, list[ast.stmt], ast.AST]]:
        """A statement, the block it stands in, whose that is; then the same of that, and so on outwards."""
        while statement in self.parents:
            parent, name = self.parents[statement]
            held = getattr(parent, name)
            if isinstance(held, list) and name not in ("handlers", "cases"):
                yield statement, held, parent
            statement = parent

    def _repeats(self, block: ast.AST, loop: ast.AST) -> bool:
        """Whether the loop goes round again: no block round the ``try`` ends in a jump out of it."""
        for statement, held, parent in self._blocks(block):
            if held[-1] is not statement and isinstance(held[-1], (ast.Break, ast.Return, ast.Raise)):
                return False
            if parent is loop:
                break
        return True

    def _waits_behind(self, statement: ast.AST) -> bool:
        for inner, held, _ in self._blocks(statement):
            first = bisect_right(self.waits, end_of(inner))
            if first < len(self.waits) and self.waits[first] < end_of(held[-1]):
                return True
        return False


def _asked(node: ast.AST) -> Iterator[tuple[ast.AST, int]]:
    if isinstance(node, ast.While):
        yield node.test, node.end_lineno or node.lineno
    elif isinstance(node, (ast.If, ast.IfExp, ast.Assert)):
        yield node.test, node.lineno
    elif isinstance(node, ast.Return) and node.value is not None:
        yield node.value, node.lineno
    elif isinstance(node, ast.Raise) and node.exc is not None:
        yield node.exc, node.lineno
