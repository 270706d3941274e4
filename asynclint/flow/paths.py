"""Where a value is when a function ends, on every path: a walk over statements that knows their order.

A state is what the value may be at a point, a union over the paths that lead there. Normal paths and
failing ones are told apart: an exception that ends the function is followed through ``finally`` and
handlers, and remembered only where the value is still live.

Each block is walked once for each state it is entered with, so the walk is linear in the function.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import libcst as cst

from asynclint.flow.conditions import Fact, contradicts, is_exhausted, is_over_without
from asynclint.flow.fates import RAISES, Event, Fate, written_name


class State:
    """What the value may be: flags joined by ``|``; plain numbers take a tenth of the time of enum's."""

    NOWHERE = 0  # no path leads here
    SETTLED = 1  # not made yet, finished, or handed on
    LIVE = 2
    CANCELLED = 4  # asked to end, and not awaited since
    PENDING = 8  # asyncio.wait may have left it running
    LOST = 16  # live, and nobody has it any more


UNFINISHED = State.LIVE | State.LOST
UNSETTLED = UNFINISHED | State.CANCELLED | State.PENDING
SMALL = (cst.SimpleStatementLine, cst.SimpleStatementSuite)
FLAGS = (State.SETTLED, State.LIVE, State.CANCELLED, State.PENDING, State.LOST)
_SETTLE = {State.LIVE: State.SETTLED, State.CANCELLED: State.SETTLED, State.PENDING: State.SETTLED}
_NEXT: dict[Fate, dict[int, int]] = {
    Fate.BORN: {State.SETTLED: State.LIVE, State.CANCELLED: State.LIVE, State.PENDING: State.LIVE,
                State.LIVE: State.LIVE | State.LOST},
    Fate.FINISHED: _SETTLE,
    Fate.HANDED: _SETTLE,
    Fate.SWEPT: _SETTLE | {State.LOST: State.SETTLED},
    Fate.CANCELLED: {State.LIVE: State.CANCELLED, State.PENDING: State.CANCELLED},
    Fate.WAITED: {State.LIVE: State.PENDING, State.CANCELLED: State.SETTLED},
    Fate.PROVED: {State.CANCELLED: State.SETTLED, State.PENDING: State.SETTLED},
    Fate.CHECKED: {State.PENDING: State.SETTLED},
    Fate.LOST: {State.LIVE: State.LOST},
}  # fmt: skip


@dataclass(slots=True)
class Outcome:
    """How a block is left: at its end, by ``return``, ``break``, ``continue``; each with its states.

    ``returns`` is the ``return`` that leaves it while the value is unfinished, ``raises`` what can fail
    in it while the value is live and end the function so.
    """

    end: int
    returned: int = State.NOWHERE
    broken: int = State.NOWHERE
    continued: int = State.NOWHERE
    returns: cst.CSTNode | None = None
    raises: cst.CSTNode | None = None

    def join(self, other: Outcome) -> None:
        """Add the ways in which another block is left, its end left out."""
        self.returned |= other.returned
        self.broken |= other.broken
        self.continued |= other.continued
        self.returns = self.returns or other.returns
        self.raises = self.raises or other.raises


class Split(NamedTuple):
    """A condition on which it depends whether the value is finished; ``when`` it is not."""

    test: cst.CSTNode
    when: bool


@dataclass
class Paths:
    """One walk.

    ``events`` are a trace's, by unit; ``marked`` the statements of each block that hold one, by index, and
    ``stops`` those that hold a jump or can fail; ``fails`` are the units that can. ``conditional`` says
    that the value is made under an ``if``, ``known`` what such conditions said then, ``looped`` are the
    loops it is made in, ``tried`` the ``try`` statements that catch what making it may raise, ``rivals``
    the tasks of which one or it has ended, ``fails_first`` that ``asyncio.wait`` leaves it only where
    another has failed. ``strict``: what fails may be a cancellation, and handlers that
    catch less than everything don't catch it.
    """

    events: Mapping[cst.CSTNode, Sequence[Event]]
    marked: Mapping[cst.CSTNode, Sequence[int]]
    stops: Mapping[cst.CSTNode, Sequence[int]]
    fails: AbstractSet[cst.CSTNode]
    conditional: bool
    looped: AbstractSet[cst.CSTNode]
    tried: AbstractSet[cst.CSTNode] = frozenset()
    known: frozenset[Fact] = frozenset()
    rivals: frozenset[str] = frozenset()
    fails_first: bool = False
    strict: bool = False
    split: Split | None = None
    _known: dict[tuple[cst.CSTNode, int], Outcome] = field(default_factory=dict)

    def suite(self, body: cst.BaseSuite, state: int) -> Outcome:
        """Walk a block that is entered in a state."""
        found = self._known.get((body, state))
        if found is None:
            found = self._known[body, state] = self._walk(body, state)
        return found

    def _walk(self, body: cst.BaseSuite, state: int) -> Outcome:
        out, behind = Outcome(state), 0
        stops = self.stops.get(body, ())
        for index in (*self.marked.get(body, ()), len(body.body)):
            if out.end & UNSETTLED:  # what lies between can end the function, or fail
                for stop in stops[bisect_left(stops, behind) : bisect_left(stops, index)]:
                    self._statement(body.body[stop], out)
            if index < len(body.body):
                self._statement(body.body[index], out)
            behind = index + 1
        return out

    def _statement(self, statement: cst.CSTNode, out: Outcome) -> None:
        if not out.end:
            return
        if isinstance(statement, cst.SimpleStatementLine):
            for small in statement.body:
                self._small(small, out)
        elif isinstance(statement, cst.BaseSmallStatement):
            self._small(statement, out)
        else:
            inner = self._compound(statement, out.end)
            out.join(inner)
            out.end = inner.end

    def _small(self, node: cst.CSTNode, out: Outcome) -> None:
        if not out.end:
            return
        self._eval(node, out)
        match node:
            case cst.Return():
                out.returned |= out.end
                if out.end & UNFINISHED:
                    out.returns = out.returns or node
            case cst.Break():
                out.broken |= out.end
            case cst.Continue():
                out.continued |= out.end
            case _ if not never_returns(node):
                return
        out.end = State.NOWHERE

    def _eval(self, node: cst.CSTNode, out: Outcome) -> None:
        """Take the events of a unit; what fails in it fails after them."""
        for event in self.events.get(node, ()):
            out.end = _after(out.end, event.fate)
        if node in self.fails and out.end & State.LIVE:
            out.raises = out.raises or node

    def _compound(self, node: cst.CSTNode, state: int) -> Outcome:
        out = Outcome(state)
        match node:
            case cst.If():
                return self._if(node, state)
            case cst.For():
                self._eval(node.iter, out)
                self._eval(node.target, out)
                return self._loop(node, out, endless=False)
            case cst.While():
                ends = self._mentions(node.test)
                if ends:  # ``while not task.done(): await sleep(0)`` ends when the task has
                    out.end = _settled(out.end)
                return self._loop(node, out, endless=is_true(node.test), ends=ends)
            case cst.Try() | cst.TryStar():
                return self._try(node, state)
            case cst.With():
                return self._with(node, out)
            case cst.Match():
                return self._match(node, out)
            case _:  # a nested def or class
                self._eval(node, out)
        return out

    def _if(self, node: cst.If, state: int) -> Outcome:
        out = Outcome(state)
        self._eval(node.test, out)
        state, mentioned = out.end, self._mentions(node.test)
        if mentioned and state & State.PENDING:  # ``if pending:``, ``if done:``
            state = (state & ~State.PENDING) | State.SETTLED
        # ``if task is None or task.done(): task = create_task(…)``
        reborn = mentioned and self._is_born_in(node.body)
        # ``if task.done(): break``: where nothing is done with the value, nothing is left to do
        idle = mentioned and node.body not in self.marked
        # ``if not wanted: return`` where the value is made ``if wanted``
        idle = idle or self._is_over(node.test, state, truth=True)
        then = self.suite(node.body, _settled(state) if reborn or idle else state)
        if then.end and is_exhausted(node):
            then = replace(then, end=State.NOWHERE)
        without = _settled(state) if self._is_over(node.test, state, truth=False) else state
        match node.orelse:
            case cst.If():
                other = self._if(node.orelse, without)
            case cst.Else():
                other = self.suite(node.orelse.body, without)
            case _:
                other = Outcome(without)
        out.join(then)
        out.join(other)
        ends = [then.end, other.end]
        stays = then.end != State.NOWHERE and other.end != State.NOWHERE
        correlated = mentioned or (self.conditional and stays and bool(state & State.LIVE))
        # ``if task.exception(): …`` behind a wait that leaves tasks pending only where one has failed
        correlated = correlated or (self.fails_first and bool(state & State.PENDING))
        if correlated and then.end != other.end:
            # ``if not task.done(): await task``; ``if started: await task`` for one made under an ``if``
            ends = [_settled(end) if end == state else end for end in ends]
        live = [bool(end & State.LIVE) for end in ends]
        if self.split is None and state & State.LIVE and live[0] != live[1]:
            self.split = Split(node.test, live[0])
        out.end = ends[0] | ends[1]
        return out

    def _is_over(self, test: cst.BaseExpression, state: int, *, truth: bool) -> bool:
        """Whether a condition, come out so, says that the value was not made, or has ended."""
        if state & State.PENDING and is_over_without(test, self.rivals, truth=truth):
            return True
        return contradicts(test, self.known, truth=truth)

    def _is_born_in(self, body: cst.BaseSuite) -> bool:
        """Whether a block itself makes the value."""
        lines = [body.body[index] for index in self.marked.get(body, ())]
        units = [u for line in lines for u in (line.body if isinstance(line, SMALL) else [line])]
        return any(event.fate is Fate.BORN for unit in units for event in self.events.get(unit, ()))

    def _mentions(self, test: cst.CSTNode) -> bool:
        """Whether a condition asks about the value, rather than making it."""
        events = self.events.get(test, ())
        return bool(events) and all(event.fate is not Fate.BORN for event in events)

    def _loop(self, node: cst.For | cst.While, out: Outcome, *, endless: bool, ends: bool = False) -> Outcome:
        """A loop is taken to run at least once: one that may not run is the rare case.

        One that ``ends`` with the value leaves nothing of what a turn starts: ``while task: …``.
        """
        inner = self.suite(node.body, out.end)
        after = inner.end | inner.continued
        returned, broken = inner.returned, inner.broken
        if node in self.looped:  # the next time round, what is made here is made again
            inner = self.suite(node.body, after or State.SETTLED)
            after |= inner.end | inner.continued
            returned |= inner.returned
            broken |= inner.broken
            if endless:  # what a turn loses is lost, although no path leads out
                returned |= after & State.LOST
        out.returned |= returned
        out.returns = inner.returns
        out.raises = out.raises or inner.raises
        out.end = State.NOWHERE if endless else _settled(after) if ends else after
        if node.orelse is not None and out.end:
            orelse = self.suite(node.orelse.body, out.end)
            out.join(orelse)
            out.end = orelse.end
        out.end |= broken
        return out

    def _with(self, node: cst.With, out: Outcome) -> Outcome:
        for item in node.items:
            self._eval(item, out)
        inner = self.suite(node.body, out.end)
        swallows = any(_enters(item, RAISES) for item in node.items)
        if swallows and not inner.end:
            inner = Outcome(out.end, inner.returned, inner.broken, inner.continued, inner.returns)
        raised = out.raises
        out.join(inner)
        out.end = inner.end
        if swallows and not self.strict:  # what fails inside is expected to; that nothing does is a failure
            fails = any(map(expects, node.items)) and out.end & State.LIVE
            out.raises = raised or (node if fails else None)
        return out

    def _match(self, node: cst.Match, out: Outcome) -> Outcome:
        self._eval(node.subject, out)
        state, after = out.end, State.NOWHERE
        for case in node.cases:
            inner = self.suite(case.body, state)
            out.join(inner)
            after |= inner.end
        last = node.cases[-1].pattern if node.cases else None
        catches_all = isinstance(last, cst.MatchAs) and last.pattern is None
        out.end = after if catches_all else after | state
        return out

    def _try(self, node: cst.Try | cst.TryStar, state: int) -> Outcome:
        inner = self.suite(node.body, state)
        out = Outcome(inner.end)
        out.join(inner)
        # An exception may come before the value is settled; that it comes from what settles it
        # (``try: await task``, ``except CancelledError``) is the usual case.
        caught = state if node in self.tried else inner.end or state
        if inner.raises is not None:
            if self.strict:
                caught |= State.LIVE
            if any(_catches(h, inner.raises, strict=self.strict) for h in node.handlers):
                out.raises = None
        if node.orelse is not None and out.end:
            orelse = self.suite(node.orelse.body, out.end)
            out.join(orelse)
            out.end = orelse.end
        for handler in node.handlers:
            handled = self.suite(handler.body, caught)
            out.join(handled)
            out.end |= handled.end
        return out if node.finalbody is None else self._finally(node.finalbody.body, out)

    def _finally(self, body: cst.BaseSuite, before: Outcome) -> Outcome:
        """Every way out of a ``try`` leads through its ``finally``."""
        out = Outcome(State.NOWHERE)
        for name in ("end", "returned", "broken", "continued"):
            leaving = getattr(before, name)
            if leaving:
                inner = self.suite(body, leaving)
                out.join(inner)
                setattr(out, name, getattr(out, name) | inner.end)
        if out.returned & UNFINISHED:
            out.returns = out.returns or before.returns
        if before.raises is not None:
            failing = self.suite(body, State.LIVE)
            out.raises = before.raises if failing.end & State.LIVE else failing.raises or out.raises
        return out


def _after(state: int, fate: Fate) -> int:
    changes, after = _NEXT.get(fate, {}), State.NOWHERE
    for flag in FLAGS:
        if state & flag:
            after |= changes.get(flag, flag)
    return after


def _settled(state: int) -> int:
    """The state where a condition on the value itself has said that nothing is left to do."""
    return (state & State.LOST) | State.SETTLED if state & UNSETTLED else state


def expects(item: cst.WithItem) -> bool:
    """``with raises(ValueError):``, which fails where nothing is raised."""
    return _enters(item, RAISES - {"suppress"})


def _enters(item: cst.WithItem, names: AbstractSet[str]) -> bool:
    return isinstance(item.item, cst.Call) and written_name(item.item) in names


def _catches(
    handler: cst.ExceptHandler | cst.ExceptStarHandler, failing: cst.CSTNode, *, strict: bool
) -> bool:
    """Whether a handler may catch what fails: an assertion only by a name for every exception."""
    if not isinstance(failing, cst.Assert) and not strict:
        return True
    names = {"BaseException"} if strict else {"Exception", "BaseException", "AssertionError"}
    kinds = handler.type.elements if isinstance(handler.type, cst.Tuple) else ()
    written: list[cst.BaseExpression | None] = [kind.value for kind in kinds] or [handler.type]
    return any(kind is None or getattr(kind, "value", "") in names for kind in written)


def never_returns(node: cst.CSTNode) -> bool:
    """``raise``, ``pytest.fail(…)``, ``self.skipTest(…)``, ``sys.exit()``, ``assert False``."""
    if isinstance(node, cst.Raise):
        return True
    if isinstance(node, cst.Assert):
        return isinstance(node.test, cst.Name) and node.test.value == "False"
    if not isinstance(node, cst.Expr) or not isinstance(node.value, cst.Call):
        return False
    name, func = written_name(node.value), node.value.func
    if name == "abort":  # that of a transport does
        return (
            isinstance(func, cst.Attribute) and isinstance(func.value, cst.Name) and func.value.value == "os"
        )
    return name in ("fail", "skip", "xfail", "skipTest", "exit", "_exit")


def is_true(test: cst.BaseExpression) -> bool:
    """``while True``, ``while 1``."""
    return (isinstance(test, cst.Name) and test.value == "True") or (
        isinstance(test, cst.Integer) and test.value != "0"
    )
