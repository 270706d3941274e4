"""Which guards of a test can run out without anybody noticing, and whether the test is about just that."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from typing import NamedTuple

from asynclint.flow.expiry import LOOPS, TRIES, WAIT_FOR, WITHS, Catch, Expiries, Expiry
from asynclint.flow.notice import (
    bound_names,
    is_assertion,
    is_cleanup,
    is_failure,
    is_harmless,
    may_notice,
    read_names,
)
from asynclint.knowledge.asyncs import (
    BOUNDED_CALLS,
    CANCELLED_ERRORS,
    CHECKPOINTS,
    SLEEPS,
    TIMEOUT_ERRORS,
    TOO_SLOW_ERRORS,
)
from asynclint.project.guards.refusals import fake_clock
from asynclint.project.guards.seconds import number
from asynclint.project.guards.tests import Test
from asynclint.project.index.values import Function
from asynclint.project.names import chain
from asynclint.project.project import Project
from asynclint.source.nodes import end_of, inside, own_nodes, start_of
from asynclint.source.outline import Scope
from asynclint.source.written import argument, called

SHORT = 1.0  # seconds; who waits no longer than that may well wait for the time-out itself
PATIENT = 10.0  # seconds; who waits that long doesn't just listen for a while
TIMED = re.compile(r"time_?d?_?out|times_out|expir|deadline")
WAITING = re.compile(rf"{TIMED.pattern}|blocks|never|forever")
# What is run for a while and then stopped.
SERVICES = re.compile(
    r"forever|^_*(serve|listen|consume|poll|watch|monitor|subscribe)(_|$)|^_*(run|main|spin)$"
    r"|_(serve|loop|worker|run|poll)$|^run_(app|server|worker|until|bot)"
)
STARTING = re.compile(r"^_*start(_polling|_listening|_monitoring|_consuming|_loop|_worker)?$")
SILENCING = re.compile(r"\s*(noqa|type:|pragma|pylint|pyright|fmt|nosec)", re.IGNORECASE)
SPEAKS_OF_EXPIRY = re.compile(
    r"time[sd]? ?-?out|expir|expected|deadline|best.effort|for a (while|bit|moment)|never|no (more|further)",
    re.IGNORECASE,
)
UNSET = frozenset({"Event", "Future", "Queue", "create_future"})  # new ones, which only others can end
BEST_EFFORT = frozenset({"Exception", "BaseException"}) | CANCELLED_ERRORS


class Swallowed(NamedTuple):
    """A guard that can't fail its test: its call, what catches it, and an assertion that is skipped."""

    guard: ast.Call
    by: ast.AST
    assertion: ast.AST | None
    message: str


def swallowed(function: Scope, test: Test, project: Project) -> Iterator[Swallowed]:
    """The swallowed guards of a coroutine function that is a test, or that a sync test drives."""
    judge = _Judge(function, test, project)
    for expiry in Expiries(function, project).find():
        reported, assertion = judge.verdict(expiry)
        if reported:
            by = expiry.caught.by
            yield Swallowed(expiry.guard.call, by, assertion, _message(expiry, assertion))


class _Judge:
    """Judges the expiries of one function."""

    def __init__(self, function: Scope, test: Test, project: Project) -> None:
        self.function = function
        self.test = test
        self.project = project
        # nearly all that runs behind one expiry runs behind the next, too
        self._may_notice = cache(lambda node: may_notice(node, function, project))
        self._asserts = cache(lambda node: is_assertion(node, function, project))

    @cached_property
    def _nodes(self) -> list[ast.AST]:
        return own_nodes(self.function)

    def verdict(self, expiry: Expiry) -> tuple[bool, ast.AST | None]:
        """Whether an expiry is to be reported, and the assertion that is skipped with it.

        It is not where something notices it, or where it may be what the test is about.
        """
        seconds = expiry.guard.seconds
        if not isinstance(seconds, float) or seconds < SHORT or math.isinf(seconds):
            return False, None
        waits = self._waits(expiry)
        if not waits or _goes_round(expiry) or self._is_noticed(expiry):
            return False, None
        if self._never_ends(expiry.work, seconds) or _ends_in_failure(expiry):
            return False, None
        if expiry.caught.how is Catch.RAISES:
            return self._takes_for_expected(expiry, seconds), None
        if expiry.caught.how is Catch.INSIDE and self._is_about_cancelling(expiry):
            return False, None
        assertion = self._skipped_assertion(expiry, waits[0])
        if assertion is not None:
            rest = [node for node in expiry.skipped if start_of(node) > start_of(assertion)]
            # a check of the answer, and then what else comes before time is up
            listens = seconds < PATIENT and any(_is_open(node) for node in rest)
            return not listens, assertion
        return seconds > SHORT and self._is_pointless_otherwise(expiry, waits, seconds), None

    def _calls(self, node: ast.AST, table: frozenset[str]) -> bool:
        if not isinstance(node, ast.Call):
            return False
        return any(name in table for name in chain(node.func, self.function, self.project.modules))

    def _waits(self, expiry: Expiry) -> list[ast.AST]:
        """What may make the time run out; of ``wait_for`` its argument."""
        if self._calls(expiry.guard.call, WAIT_FOR):
            return [] if self._calls(expiry.work[0], SLEEPS | CHECKPOINTS) else [expiry.work[0]]
        return [node for node in expiry.work if self._can_hang(node)]

    def _can_hang(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Await):
            return not self._calls(node.value, SLEEPS | CHECKPOINTS)
        if isinstance(node, ast.While):  # while not server.ready: await sleep(0.01)
            return any(isinstance(inner, ast.Await) for inner in inside(node.body))
        return isinstance(node, (ast.AsyncFor, ast.AsyncWith))

    def _is_noticed(self, expiry: Expiry) -> bool:
        """Whether something that runs after the expiry could make the test fail, or acts on it."""
        if any(map(self._may_notice, expiry.after)):
            return True
        handled = expiry.handler
        if not all(is_harmless(node, self.function, self.project) for node in handled):
            return True
        results = bound_names(expiry.skipped) | bound_names(handled)
        if results & (read_names(expiry.after) | self.function.facts.outer.keys()):
            return True
        unit = self.test.scope  # of a sync test's local main, what the test does with its results
        outside = own_nodes(unit) if unit is not self.function else []
        return any(may_notice(node, unit, self.project) for node in outside)

    def _never_ends(self, work: Iterable[ast.AST], seconds: float) -> bool:
        """Work that only the guard can end: to be cut short is what it is there for."""
        for node in work:
            if isinstance(node, ast.While) and _is_endless(node):
                return True
            if not isinstance(node, ast.Call):
                continue
            if self._calls(node, SLEEPS):
                length = number(argument(node, 0, "delay", "seconds"), self.function, self.project)
                if isinstance(length, float) and length >= seconds:
                    return True
            if called(node).endswith("forever") or self._nobody_ends(node):
                return True
        return False

    def _nobody_ends(self, call: ast.Call) -> bool:
        """``await asyncio.Event().wait()``, and the same of a name that nothing else uses."""
        made = call.func.value if isinstance(call.func, ast.Attribute) else call
        if not isinstance(made, ast.Name):
            return isinstance(made, ast.Call) and called(made) in UNSET and not made.args
        bindings = self.function.bindings.get(made.id, [])
        value = bindings[0].value if len(bindings) == 1 else None
        if not isinstance(value, ast.Call) or called(value) not in UNSET:
            return False
        uses = [n for n in ast.walk(self.test.scope.node) if isinstance(n, ast.Name) and n.id == made.id]
        return len(uses) == 2

    def _skipped_assertion(self, expiry: Expiry, wait: ast.AST) -> ast.AST | None:
        """The first assertion behind a wait; not one on each of the items that come before time is up."""
        each = {
            inner
            for node in expiry.skipped
            if _is_open(node) or (isinstance(node, ast.While) and not _leaves(node.body))
            for inner in inside(node.body)  # type: ignore[attr-defined]
        }
        behind = [node for node in expiry.skipped if end_of(node) > start_of(wait) and node not in each]
        return next(filter(self._asserts, behind), None)

    def _is_pointless_otherwise(self, expiry: Expiry, waits: list[ast.AST], seconds: float) -> bool:
        """Whether a wait with no assertion on it can have no other point than to come to its end."""
        if WAITING.search(self.test.scope.name.lower()) or fake_clock(self.test, self.project):
            return False
        if expiry.caught.how is not Catch.INSIDE and expiry.caught.errors & BEST_EFFORT:
            return False
        if self._is_explained(expiry) or self._cleans_up(expiry, waits) or self._runs_service(expiry, waits):
            return False
        if seconds < PATIENT and any(_is_open(node) for node in expiry.work):
            return False
        cancelled = {
            ast.unparse(node.func.value)
            for node in expiry.after
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and is_cleanup(node)
        }
        for node in expiry.after:
            over = isinstance(node, ast.Await) and ast.unparse(node.value) in cancelled
            if not over and not is_harmless(node, self.function, self.project):
                return False
        return True

    def _is_explained(self, expiry: Expiry) -> bool:
        """A comment in the handler, or one beside what catches that speaks of the time-out."""
        lines = self.function.outline.text.lines
        first, last = start_of(expiry.caught.by)[0], end_of(expiry.caught.by)[0]
        for line in lines[first - 1 : last]:
            _, sign, comment = line.partition("#")
            speaks = bool(expiry.handler) or SPEAKS_OF_EXPIRY.search(comment)
            if sign and speaks and not SILENCING.match(comment):
                return True
        above = lines[first - 2].strip() if first > 1 else ""
        return above.startswith("#") and bool(SPEAKS_OF_EXPIRY.search(above))

    def _cleans_up(self, expiry: Expiry, waits: list[ast.AST]) -> bool:
        """A wait for ``server.wait_closed()``; any behind a ``stop()``; one for a task at the end of all."""
        if all(is_cleanup(node) for node in waits):
            return True
        before = [node for node in self._nodes if end_of(node) <= start_of(expiry.guard.node)]
        statements = [n for n in before if isinstance(n, ast.stmt)]
        if any(is_cleanup(node) for node in (*expiry.handler, *inside(statements[-1:]))):
            return True
        awaited = [node.value if isinstance(node, ast.Await) else node for node in waits]
        if not all(isinstance(node, (ast.Name, ast.Attribute)) for node in awaited):
            return False
        return any(self._may_notice(node) or is_cleanup(node) for node in before)

    def _runs_service(self, expiry: Expiry, waits: list[ast.AST]) -> bool:
        """Work that runs until it is stopped: by its name, or by a loop with waits in what it starts."""
        tasks = [b for n in read_names(expiry.work) for b in self.function.bindings.get(n, [])]
        started = inside(b.value for b in tasks if b.kind == "assign" and b.value is not None)
        calls = [node for node in (*expiry.work, *started) if isinstance(node, ast.Call)]
        if any(SERVICES.search(called(call)) for call in calls):
            return True
        only = [node.value if isinstance(node, ast.Await) else node for node in waits]
        if len(only) == 1 and isinstance(only[0], ast.Call) and STARTING.search(called(only[0])):
            return True
        parts = [part for call in calls for part in (call.func, *call.args)]
        values = [self.project.inference.value(part, self.function) for part in parts]
        scopes = [v.scope for v in values if isinstance(v, Function) and v.scope.is_function]
        nodes = [node for scope in scopes for node in own_nodes(scope)]
        return any(isinstance(node, ast.While) and self._can_hang(node) for node in nodes)

    def _is_about_cancelling(self, expiry: Expiry) -> bool:
        """A test that cancels something itself; or an expiry that comes back at the next await.

        anyio and trio cancel every wait in the scope, asyncio only the one that is under way.
        """
        source = self.test.scope.source
        if "cancel" in re.sub(r"Cancelled(Error)?|get_cancelled_exc_class", "", source).lower():
            return True
        waits = (ast.Await, ast.AsyncFor, ast.AsyncWith)
        level = expiry.guard.name.startswith(("anyio.", "trio."))
        return level and any(isinstance(node, waits) for node in expiry.after)

    def _takes_for_expected(self, expiry: Expiry, seconds: float) -> bool:
        """``raises`` that takes the guard's own error for the one that the work is to raise."""
        by = expiry.caught.by
        assert isinstance(by, ast.Call)
        items = expiry.statement.items if isinstance(expiry.statement, WITHS) else []
        kept = any(item.context_expr is by and item.optional_vars is not None for item in items)
        if kept or seconds <= SHORT or any(keyword.arg == "match" for keyword in by.keywords):
            return False
        if expiry.caught.errors & (TIMEOUT_ERRORS | TOO_SLOW_ERRORS):
            return self._has_own_limit(expiry, seconds)
        return not TIMED.search(self.test.scope.name.lower())

    def _has_own_limit(self, expiry: Expiry, seconds: float) -> bool:
        """``client.get(url, timeout=0.1)`` in a guard of five seconds: that is the time-out it is about."""
        for node in expiry.work:
            if not isinstance(node, ast.Call) or self._calls(node, WAIT_FOR | BOUNDED_CALLS):
                continue
            for keyword in node.keywords:
                own = number(keyword.value, self.function, self.project)
                if "timeout" in (keyword.arg or "") and isinstance(own, float) and own < seconds:
                    return True
        return False


def _is_endless(loop: ast.While) -> bool:
    return isinstance(loop.test, ast.Constant) and bool(loop.test.value) and not _leaves(loop.body)


def _is_open(node: ast.AST) -> bool:
    """``async for`` over whatever comes."""
    return isinstance(node, ast.AsyncFor) and not _leaves(node.body)


def _leaves(body: list[ast.stmt]) -> bool:
    return any(isinstance(node, (ast.Break, ast.Return, ast.Raise)) for node in inside(body))


def _goes_round(expiry: Expiry) -> bool:
    """In a loop that tries again, or asks again and again."""
    jumps = (ast.Break, ast.Continue, ast.Return)
    return any(
        not isinstance(loop, ast.For) or any(isinstance(node, jumps) for node in inside(loop.body))
        for loop in expiry.loops
        if isinstance(loop, LOOPS)
    )


def _ends_in_failure(expiry: Expiry) -> bool:
    """Work whose end is the failure: ``await queue.get()``, then ``pytest.fail("got one")``."""
    skipped = set(expiry.skipped)
    blocks: list[list[ast.stmt]] = [getattr(expiry.statement, "body", []), [*expiry.missed]]
    if isinstance(expiry.statement, TRIES):
        blocks.append(expiry.statement.orelse)
    while blocks:
        for statement in blocks.pop():
            if isinstance(statement, (*WITHS, *TRIES)):
                blocks.append(statement.body)
            node = statement.value if isinstance(statement, ast.Expr) else statement
            if statement in skipped and is_failure(node):
                return True
    return False


def _message(expiry: Expiry, assertion: ast.AST | None) -> str:
    by, line = expiry.caught.by, start_of(expiry.caught.by)[0]
    written = ast.unparse(by) if isinstance(by, ast.Call) else "the bare except"
    if isinstance(by, ast.ExceptHandler) and by.type is not None:
        written = f"except {ast.unparse(by.type)}"
    skipped = f" without the assertion in line {start_of(assertion)[0]}" if assertion is not None else ""
    match expiry.caught.how:
        case Catch.ITSELF:
            what = f"the test passes{skipped}: nothing reads cancelled_caught"
        case Catch.RAISES:
            what = f"{written} in line {line} takes that for the error it expects"
        case Catch.INSIDE:
            what = f"{written} in line {line} catches the cancellation, and the test passes{skipped}"
        case _:
            what = f"{written} in line {line} lets the test pass{skipped}"
    return f"when time is up here, {what}"
