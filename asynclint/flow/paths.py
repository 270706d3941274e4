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

from asynclint.flow.conditions import Told, is_exhausted
from asynclint.flow.fates import RAISES, Event, Fate, written_name
from asynclint.flow.leaving import is_true, never_returns
from asynclint.flow.states import UNFINISHED, UNSETTLED, Outcome, Split, State, changed, settled
from asynclint.knowledge.asyncs import EXPECTING

SMALL = (cst.SimpleStatementLine, cst.SimpleStatementSuite)


class Branch(NamedTuple):
    """An ``if`` or ``elif``: whether its test is about the value, the states behind it, and its block.

    ``without`` is the state where the test has come out false.
    """

    test: cst.CSTNode
    mentioned: bool
    state: int
    without: int
    out: Outcome
    then: Outcome


class Stops(NamedTuple):
    """Where a block may be left in the middle, by index.

    ``turns`` are the statements that hold other blocks or leave this one, ``breaks`` those that can but fail.
    """

    turns: Sequence[int]
    breaks: Sequence[int]


# What comes of a statement that does nothing with the value, by the state in which it is met.
Quiet = dict[tuple[cst.CSTNode, int], tuple[Outcome, Split | None]]


@dataclass
class Paths:
    """One walk.

    ``events`` are a trace's, by unit; ``marked`` the statements of each block that hold one, by index, and
    ``stops`` those that hold a jump or can fail; ``fails`` are the units that can. ``conditional`` says
    that the value is made under an ``if``, ``told`` what conditions then tell, ``looped`` are the loops it
    is made in, ``tried`` the ``try`` statements that catch what making it may raise. ``strict``: what fails
    may be a cancellation, and handlers that catch less than everything don't catch it. ``quiet`` is shared
    by all walks of a function that agree in ``fails``, ``conditional``, ``strict`` and ``told``: statements
    in which nothing is done with the value are the same to all of them.
    """

    events: Mapping[cst.CSTNode, Sequence[Event]]
    marked: Mapping[cst.BaseSuite, Sequence[int]]
    stops: Mapping[cst.BaseSuite, Stops]
    fails: AbstractSet[cst.CSTNode]
    conditional: bool
    told: Told
    looped: AbstractSet[cst.CSTNode]
    tried: AbstractSet[cst.CSTNode] = frozenset()
    strict: bool = False
    quiet: Quiet = field(default_factory=dict)
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
        stops = self.stops.get(body)
        for index in (*self.marked.get(body, ()), len(body.body)):
            if stops is not None and out.end & UNSETTLED:  # what lies between can end the function, or fail
                self._between(body, stops, range(behind, index), out)
            if index < len(body.body):
                self._statement(body.body[index], out)
            behind = index + 1
        return out

    def _between(self, body: cst.BaseSuite, stops: Stops, where: range, out: Outcome) -> None:
        """Walk statements that do nothing with the value."""
        start = where.start
        turns = stops.turns[bisect_left(stops.turns, start) : bisect_left(stops.turns, where.stop)]
        for turn in (*turns, where.stop):
            if out.raises is None:  # one that fails does what all that follow it would do
                first = bisect_left(stops.breaks, start)
                if first < len(stops.breaks) and stops.breaks[first] < turn:
                    self._statement(body.body[stops.breaks[first]], out)
            if turn < where.stop:
                self._quietly(body.body[turn], out)
            start = turn + 1

    def _quietly(self, statement: cst.CSTNode, out: Outcome) -> None:
        if isinstance(statement, (cst.SimpleStatementLine, cst.BaseSmallStatement)) or not out.end:
            self._statement(statement, out)
            return
        found = self.quiet.get((statement, out.end))
        if found is None:
            walk = Paths(
                {},
                {},
                self.stops,
                self.fails,
                self.conditional,
                self.told,
                frozenset(),
                strict=self.strict,
                quiet=self.quiet,
            )
            found = self.quiet[statement, out.end] = walk._compound(statement, out.end), walk.split
        inner, split = found
        self.split = self.split or split
        out.join(inner)
        out.end = inner.end

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
        before = out.end
        self._eval(node, out)
        match node:
            case cst.Return():
                out.entered |= before
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
            out.end = changed(out.end, event.fate)
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
                    out.end = settled(out.end)
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
        """An ``elif`` is the ``else`` of what stands before it; a chain may be longer than calls go deep."""
        chain = [self._branch(node, state)]
        while isinstance(node.orelse, cst.If):
            node = node.orelse
            chain.append(self._branch(node, chain[-1].without))
        state = chain[-1].without
        other = Outcome(state) if node.orelse is None else self.suite(node.orelse.body, state)
        for branch in reversed(chain):
            other = self._either(branch, other)
        return other

    def _branch(self, node: cst.If, state: int) -> Branch:
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
        idle = idle or self.told.is_over(node.test, truth=True, pending=bool(state & State.PENDING))
        over = self.told.is_over(node.test, truth=False, pending=bool(state & State.PENDING))
        then = self.suite(node.body, settled(state) if reborn or idle else state)
        if then.end and is_exhausted(node):
            then = replace(then, end=State.NOWHERE)
        return Branch(node.test, mentioned, state, settled(state) if over else state, out, then)

    def _either(self, branch: Branch, other: Outcome) -> Outcome:
        """What an ``if`` comes to, by what its own block does and what happens else."""
        state, out, then = branch.state, branch.out, branch.then
        out.join(then)
        out.join(other)
        ends = [then.end, other.end]
        stays = then.end != State.NOWHERE and other.end != State.NOWHERE
        correlated = branch.mentioned or (self.conditional and stays and bool(state & State.LIVE))
        # ``if task.exception(): …`` behind a wait that leaves tasks pending only where one has failed
        correlated = correlated or (self.told.fails_first and bool(state & State.PENDING))
        if correlated and then.end != other.end:
            # ``if not task.done(): await task``; ``if started: await task`` for one made under an ``if``
            ends = [settled(end) if end == state else end for end in ends]
        live = [bool(end & State.LIVE) for end in ends]
        if self.split is None and state & State.LIVE and live[0] != live[1]:
            self.split = Split(branch.test, live[0])
        out.end = ends[0] | ends[1]
        return out

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
        out.entered |= inner.entered | (after if endless else State.NOWHERE)
        out.returns = inner.returns
        out.raises = out.raises or inner.raises
        out.end = State.NOWHERE if endless else settled(after) if ends else after
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
            inner = replace(inner, end=inner.settled_before_return or out.end, raises=None)
        raised = out.raises
        out.join(inner)
        out.end = inner.end
        if swallows and not self.strict:  # what fails inside is expected to; that nothing does is a failure
            fails = any(map(expects, node.items)) and out.end & State.LIVE
            out.raises = raised or (node if fails else None)
        return out

    def _match(self, node: cst.Match, out: Outcome) -> Outcome:
        """One of several cases is taken to fit what has a name: a test is given what it has cases for."""
        self._eval(node.subject, out)
        state, after = out.end, State.NOWHERE
        for case in node.cases:
            inner = self.suite(case.body, state)
            out.join(inner)
            after |= inner.end
        last = node.cases[-1]
        catches_all = isinstance(last.pattern, cst.MatchAs) and last.pattern.pattern is None
        given = isinstance(node.subject, cst.Name) and len(node.cases) > 1
        fits = given or (catches_all and last.guard is None)
        out.end = after if fits else after | state
        return out

    def _try(self, node: cst.Try | cst.TryStar, state: int) -> Outcome:
        inner = self.suite(node.body, state)
        out = Outcome(inner.end)
        out.join(inner)
        # An exception may come before the value is settled; that it comes from what settles it
        # (``try: await task``, ``except CancelledError``) is the usual case, also before a ``return``.
        caught = state if node in self.tried else inner.end or inner.settled_before_return or state
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
        out = Outcome(State.NOWHERE, entered=before.entered)
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


def expects(item: cst.WithItem) -> bool:
    """``with raises(ValueError):``, which fails where nothing is raised."""
    return _enters(item, EXPECTING)


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
