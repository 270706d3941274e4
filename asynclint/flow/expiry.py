"""What a function does when the time of one of its guards is up: who catches it, what is skipped, what runs.

All on ast. What a guard raises is followed outwards to the ``except``, ``suppress(…)`` or
``raises(…)`` that catches it; ``move_on_after`` catches its own; and a handler *inside* a guard
that catches the cancellation leaves the guard with nothing to raise.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from asynclint.knowledge.asyncs import (
    CANCELLED_ERRORS,
    DEADLINES,
    GUARD_CALLS,
    GUARD_CONTEXTS,
    MOVING_ON,
    OS_ERRORS,
    TASK_GROUPS,
    TIMEOUT_ERRORS,
    TOO_SLOW_ERRORS,
)
from asynclint.project.guards.contexts import context_guard
from asynclint.project.guards.seconds import Number, number
from asynclint.project.names import chain, definition, known
from asynclint.project.project import Project
from asynclint.source.nodes import NESTED, end_of, inside, start_of
from asynclint.source.outline import Scope
from asynclint.source.written import argument, uncalled, written

WAIT_FOR = frozenset(name for name, position in GUARD_CALLS.items() if position >= 0)
GUARDS = GUARD_CONTEXTS - DEADLINES
LOOPS = (ast.For, ast.AsyncFor, ast.While)
WITHS = (ast.With, ast.AsyncWith)
TRIES = (ast.Try, ast.TryStar)


class Catch(Enum):
    """What catches the expiry of a guard."""

    HANDLER = "except"
    SUPPRESS = "suppress"
    RAISES = "raises"
    ITSELF = "the guard itself"
    INSIDE = "something inside the guard"


class Guarded(NamedTuple):
    """A guard in use: its call, its dotted name, its seconds, and what it bounds, by position.

    ``node`` is the ``with`` that enters it, or the ``await`` of ``wait_for``.
    """

    call: ast.Call
    name: str
    seconds: Number
    node: ast.AST
    work: tuple[ast.AST, ...]


class Caught(NamedTuple):
    """What catches an expiry: a handler or context manager, and the dotted names of what it catches."""

    how: Catch
    by: ast.AST
    errors: frozenset[str]


class Expiry(NamedTuple):
    """One way in which a guard's time can be up without an exception that leaves the function.

    Execution goes on behind ``statement``. ``work`` is what is cut short, ``skipped`` that and what
    else is left out, ``after`` what runs then up to the end of the function: flat, by position, and
    nested functions left out. ``missed`` are the statements behind it that a ``return`` in the
    handler leaves out. ``loops`` are those round the statement, innermost first.
    """

    guard: Guarded
    caught: Caught
    statement: ast.stmt
    work: tuple[ast.AST, ...]
    skipped: tuple[ast.AST, ...]
    after: tuple[ast.AST, ...]
    missed: tuple[ast.stmt, ...]
    loops: tuple[ast.AST, ...]

    @property
    def handler(self) -> list[ast.AST]:
        """What the ``except`` that catches it does; empty where something else does."""
        return inside(self.caught.by.body) if isinstance(self.caught.by, ast.ExceptHandler) else []


def error_names(expr: ast.AST | None, scope: Scope, project: Project) -> frozenset[str]:
    """Dotted names of the exception classes in an ``except`` clause; of a bare one, BaseException."""
    if expr is None:
        return frozenset({"BaseException"})
    if isinstance(expr, ast.Tuple):
        return frozenset().union(*(error_names(part, scope, project) for part in expr.elts))
    if isinstance(expr, ast.Call):  # except anyio.get_cancelled_exc_class()
        return frozenset(chain(expr.func, scope, project.modules))
    if isinstance(expr, ast.Name) and scope.lookup(expr.id) is None:
        return frozenset({expr.id})
    made = definition(expr, scope, project.modules)
    if made is not None and isinstance(made[0], ast.Tuple):
        return error_names(made[0], made[1], project)
    return frozenset(chain(expr, scope, project.modules))


def _catching(guard: str) -> frozenset[str]:
    """Every class whose ``except`` catches what a guard raises."""
    own = TOO_SLOW_ERRORS if guard.startswith("trio.") else TIMEOUT_ERRORS | OS_ERRORS
    return own | {"Exception", "BaseException"}


class Expiries:
    """The caught expiries of one function."""

    def __init__(self, function: Scope, project: Project) -> None:
        self.function = function
        self.project = project
        self._known_inside: dict[ast.AST, Sequence[ast.AST]] = {}

    @cached_property
    def _places(self) -> dict[ast.AST, tuple[ast.AST, str]]:
        """Every node of the function, with its parent and the field that it is in."""
        places: dict[ast.AST, tuple[ast.AST, str]] = {}
        stack: list[ast.AST] = [self.function.node]
        while stack:
            node = stack.pop()
            for field, value in ast.iter_fields(node):
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, ast.AST):
                        places[child] = (node, field)
                        if not isinstance(child, NESTED):
                            stack.append(child)
        return places

    def find(self) -> Iterator[Expiry]:
        """Those of context managers first, then those of ``wait_for``.

        Not those in an ``except`` or ``finally`` block: what is done when something has failed
        already, or to clean up.
        """
        for expiry in self._all():
            if not any(
                isinstance(parent, ast.ExceptHandler) or field == "finalbody"
                for parent, field, _ in self._around(expiry.statement)
            ):
                yield expiry

    def _all(self) -> Iterator[Expiry]:
        for statement in self.function.facts.withs:
            for index, item in enumerate(statement.items):
                guard = self._entered(statement, index, item)
                if guard is None or self._is_looked_at(item):
                    continue
                if guard.name in MOVING_ON:
                    yield self._expiry(guard, Caught(Catch.ITSELF, guard.call, frozenset()), statement)
                else:
                    yield from self._caught(guard, statement.items[:index])
                yield from self._caught_inside(guard)
        for node in self.function.facts.awaits:
            call = node.value
            name = self._known(call, WAIT_FOR)
            if name and isinstance(call, ast.Call) and call.args:
                seconds = number(argument(call, GUARD_CALLS[name], "timeout"), self.function, self.project)
                work = tuple(self._inside(call.args[:1]))
                yield from self._caught(Guarded(call, name, seconds, node, work), [])

    def _known(self, expr: ast.AST, table: frozenset[str]) -> str:
        """The name by which a table holds what an expression calls."""
        if not isinstance(expr, ast.Call):
            return ""
        return known(expr.func, self.function, self.project.modules, table)

    def _entered(self, statement: ast.With | ast.AsyncWith, index: int, item: ast.withitem) -> Guarded | None:
        """The guard that a ``with`` enters, also where ``limit = asyncio.timeout(5)`` made it before."""
        call: ast.expr | None = item.context_expr
        if isinstance(call, ast.Name):
            bindings = self.function.bindings.get(call.id, [])
            call = bindings[0].value if len(bindings) == 1 and bindings[0].kind == "assign" else None
        name = self._known(call, GUARDS) if call is not None else ""
        if not name or not isinstance(call, ast.Call):
            return None
        guard = context_guard(call, self.function, self.project, None, 0)
        work = self._inside([*(i.context_expr for i in statement.items[index + 1 :]), *statement.body])
        return None if guard is None else Guarded(call, name, guard.seconds, statement, tuple(work))

    def _is_looked_at(self, item: ast.withitem) -> bool:
        """``as scope``, and then ``scope`` is read: for its ``cancelled_caught``, or moved, or cancelled."""
        target = item.optional_vars or item.context_expr
        if isinstance(target, ast.Call):
            return False
        reads = self._reads.get(written(target), ())
        return any(node is not item.context_expr for node in reads)

    @cached_property
    def _reads(self) -> Mapping[str, Sequence[ast.AST]]:
        """Where the function reads a name or an attribute, as it is written."""
        found: dict[str, list[ast.AST]] = {}
        for node in ast.walk(self.function.node):
            if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load):
                found.setdefault(written(node), []).append(node)
        return found

    def _inside(self, roots: Iterable[ast.AST]) -> list[ast.AST]:
        """The same as ``inside``; each expiry asks about nearly all that the one before it did."""
        parts = [part for part in map(self._held, roots) if part]
        found = [node for part in parts for node in part]
        in_order = all(start_of(one[-1]) < start_of(two[0]) for one, two in pairwise(parts))
        return found if in_order else sorted(found, key=start_of)

    def _held(self, root: ast.AST) -> Sequence[ast.AST]:
        found = self._known_inside.get(root)
        if found is None:
            found = self._known_inside[root] = inside([root])
        return found

    def _around(self, node: ast.AST) -> Iterator[tuple[ast.AST, str, ast.AST]]:
        """What holds a node, innermost first: parent, the field, and the child in that field."""
        while node is not self.function.node:
            parent, field = self._places[node]
            yield parent, field, node
            node = parent

    def _caught(self, guard: Guarded, before: list[ast.withitem]) -> Iterator[Expiry]:
        """The nearest thing round a guard that catches what it raises; ``before`` is in the same ``with``."""
        errors = _catching(guard.name)
        caught = self._catching_item(before, errors)
        if caught is not None and isinstance(guard.node, ast.stmt):
            yield self._expiry(guard, caught, guard.node)
            return
        for parent, field, _ in self._around(guard.node):
            if isinstance(parent, ast.ExceptHandler) or field == "finalbody":
                return
            if isinstance(parent, WITHS) and field == "body":
                if any(self._is_group(item.context_expr) for item in parent.items):
                    return
                caught = self._catching_item(parent.items, errors)
            elif isinstance(parent, TRIES) and field == "body":
                caught = self._catching_handler(parent, errors)
            if caught is not None and isinstance(parent, ast.stmt):
                yield self._expiry(guard, caught, parent)
                return

    def _is_group(self, expr: ast.expr) -> bool:
        """What comes out of a task group is a group, which ``except TimeoutError`` doesn't catch."""
        func = uncalled(expr)
        return bool(known(func, self.function, self.project.modules, TASK_GROUPS))

    def _catching_handler(self, statement: ast.Try | ast.TryStar, wanted: frozenset[str]) -> Caught | None:
        for handler in statement.handlers:
            errors = error_names(handler.type, self.function, self.project)
            if errors & wanted:
                return Caught(Catch.HANDLER, handler, errors)
        return None

    def _catching_item(self, items: list[ast.withitem], wanted: frozenset[str]) -> Caught | None:
        """``suppress(…)`` or ``raises(…)`` of one of these errors."""
        for item in reversed(items):
            call = item.context_expr
            if not isinstance(call, ast.Call):
                continue
            names = chain(call.func, self.function, self.project.modules)
            method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
            if "contextlib.suppress" in names:
                how, classes = Catch.SUPPRESS, call.args
            elif "pytest.raises" in names or method == "assertRaises":
                how, classes = Catch.RAISES, call.args[:1]
            else:
                continue
            errors = error_names(ast.Tuple(elts=classes), self.function, self.project)
            if errors & wanted:
                return Caught(how, call, errors)
        return None

    def _caught_inside(self, guard: Guarded) -> Iterator[Expiry]:
        """Handlers in the guard's own block that catch the cancellation by which it ends its work."""
        wanted = CANCELLED_ERRORS | {"BaseException"}
        for node in guard.work:
            caught = None
            if isinstance(node, TRIES):
                caught = self._catching_handler(node, wanted)
            elif isinstance(node, WITHS):
                caught = self._catching_item(node.items, wanted)
            if caught is None or caught.how is Catch.RAISES or self._is_deeper(node, guard):
                continue
            assert isinstance(node, (*TRIES, *WITHS))
            own = tuple(self._inside(node.body))
            inner = Guarded(guard.call, guard.name, guard.seconds, node, own)
            yield self._expiry(inner, Caught(Catch.INSIDE, caught.by, caught.errors), node)

    def _is_deeper(self, node: ast.AST, guard: Guarded) -> bool:
        """Whether another guard, a handler or a ``finally`` stands between a node and a guard's ``with``."""
        for parent, field, _ in self._around(node):
            if parent is guard.node:
                return False
            if isinstance(parent, ast.ExceptHandler) or (isinstance(parent, TRIES) and field != "body"):
                return True
            if isinstance(parent, WITHS) and any(self._known(i.context_expr, GUARDS) for i in parent.items):
                return True
        return True

    def _expiry(self, guard: Guarded, caught: Caught, statement: ast.stmt) -> Expiry:
        bodies: list[ast.AST] = list(getattr(statement, "body", []))
        if isinstance(statement, TRIES):
            bodies += statement.orelse
        run_anyway = self._finally_between(guard.node, statement)
        kept = set(self._inside(run_anyway))
        since = start_of(self._statement_of(guard.node))
        skipped = {n for n in self._inside(bodies) if end_of(n) > since} | set(guard.work)
        behind = dict.fromkeys(self._inside([*run_anyway, *self._after(statement, caught.by)]))
        missed: list[ast.stmt] = []
        if isinstance(caught.by, ast.ExceptHandler) and isinstance(caught.by.body[-1], ast.Return):
            following = (n for n in self._after(statement, None) if isinstance(n, ast.stmt))
            missed = [node for node in following if node not in behind]
            skipped |= set(self._inside(missed))
        # in a loop, what is skipped may come once more, and its time will be up once more
        after = [node for node in behind if node in kept or node not in skipped]
        loops = tuple(parent for parent, _, _ in self._around(statement) if isinstance(parent, LOOPS))
        left_out = tuple(sorted(skipped - kept, key=start_of))
        return Expiry(guard, caught, statement, guard.work, left_out, tuple(after), tuple(missed), loops)

    def _statement_of(self, node: ast.AST) -> ast.AST:
        while not isinstance(node, ast.stmt):
            node, _ = self._places[node]
        return node

    def _finally_between(self, node: ast.AST, statement: ast.stmt) -> list[ast.stmt]:
        """``finally`` blocks that are passed on the way out to what catches."""
        found: list[ast.stmt] = []
        for parent, field, _ in self._around(node) if node is not statement else ():
            if parent is statement:
                break
            if isinstance(parent, TRIES) and field == "body":
                found += parent.finalbody
        return found

    def _after(self, statement: ast.stmt, by: ast.AST | None) -> Iterator[ast.AST]:
        """What runs behind a statement: the handler, the rest of each block round it, ``finally`` blocks."""
        ended = False
        if isinstance(by, ast.ExceptHandler):
            yield from by.body
            ended = isinstance(by.body[-1], ast.Return)
        if isinstance(statement, TRIES):
            yield from statement.finalbody
        for parent, field, child in self._around(statement):
            block = getattr(parent, field)
            for following in block[block.index(child) + 1 :] if isinstance(child, ast.stmt) else ():
                if ended:
                    break
                yield following
                ended = isinstance(following, ast.Return)
            if isinstance(parent, TRIES):
                yield from parent.orelse if field == "body" and not ended else []
                yield from parent.finalbody if field != "finalbody" else []
            elif isinstance(parent, LOOPS) and not ended:
                yield from parent.body
                yield from parent.orelse
            elif isinstance(parent, WITHS):
                yield from (item.context_expr for item in parent.items if _expects(item.context_expr))


def _expects(expr: ast.expr) -> bool:
    """Context managers that may fail at their end: ``raises``, ``warns``, ``assertLogs`` and their like."""
    func = ast.unparse(uncalled(expr)).lower()
    return any(word in func for word in ("raises", "warn", "assert", "expect", "check"))
