"""What becomes of a value on every normal path from where it is made to where its function ends.

The walk follows one local name through one function's statements and keeps two states: the value
is *live* (made, and nobody has finished it or taken it over) or not. Exceptions that end the
function are not followed; ``finally`` blocks are, for every way out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Flag

import libcst as cst

Uses = Callable[[cst.CSTNode], bool]


class State(Flag):
    """What the value may be at a point: a union over the paths that lead there; empty if none does."""

    NOWHERE = 0
    SETTLED = 1
    LIVE = 2


@dataclass(slots=True)
class _Exits:
    """States that leave a block otherwise than by its end."""

    returned: State = State.NOWHERE
    broken: State = State.NOWHERE
    continued: State = State.NOWHERE


@dataclass(slots=True)
class Lifetime:
    """Follows one value.

    ``made`` is the statement that makes it, ``conditional`` whether that stands under an ``if``;
    ``settles`` says of a node whether it uses the value in a way that finishes it or hands it over,
    ``mentions`` whether it looks at the value at all.
    """

    made: cst.CSTNode
    settles: Uses
    mentions: Uses
    conditional: bool = False
    _exits: list[_Exits] = field(default_factory=list)

    def ends_live(self, body: cst.BaseSuite) -> bool:
        """Whether some normal path leaves the function while the value is live."""
        exits = _Exits()
        self._exits = [exits]
        end = self._suite(body, State.SETTLED)
        return bool((end | exits.returned) & State.LIVE)

    def _suite(self, suite: cst.BaseSuite, state: State) -> State:
        for statement in suite.body:
            if state is State.NOWHERE:
                break
            if isinstance(statement, cst.SimpleStatementLine):
                for small in statement.body:
                    state = self._small(small, state)
            elif isinstance(statement, cst.BaseSmallStatement):
                state = self._small(statement, state)
            else:
                state = self._compound(statement, state)
        return state

    def _small(self, node: cst.CSTNode, state: State) -> State:
        if state is State.NOWHERE:
            return state
        if node is self.made:
            return State.LIVE
        if self.settles(node):
            state = State.SETTLED
        exits = self._exits[-1]
        if isinstance(node, cst.Return):
            exits.returned |= state
            return State.NOWHERE
        if isinstance(node, cst.Raise) or _never_returns(node):
            return State.NOWHERE
        if isinstance(node, cst.Break):
            exits.broken |= state
            return State.NOWHERE
        if isinstance(node, cst.Continue):
            exits.continued |= state
            return State.NOWHERE
        return state

    def _compound(self, node: cst.CSTNode, state: State) -> State:
        match node:
            case cst.If():
                return self._if(node, state)
            case cst.For():
                return self._loop(node.body, node.orelse, self._eval(node.iter, state), endless=False)
            case cst.While():
                if self.mentions(node.test):
                    # ``while not task.done(): await sleep(0)`` ends when the task has
                    state = State.SETTLED
                return self._loop(node.body, node.orelse, state, endless=_is_true(node.test))
            case cst.Try() | cst.TryStar():
                return self._try(node, state)
            case cst.With():
                for item in node.items:
                    state = self._eval(item, state)
                return self._suite(node.body, state)
            case cst.Match():
                after = State.NOWHERE
                state = self._eval(node.subject, state)
                for case in node.cases:
                    after |= self._suite(case.body, state)
                catches_all = node.cases and isinstance(node.cases[-1].pattern, cst.MatchAs)
                return after if catches_all else after | state
        return state  # a nested def or class: its body runs another time

    def _eval(self, node: cst.CSTNode, state: State) -> State:
        return State.SETTLED if self.settles(node) else state

    def _if(self, node: cst.If, state: State) -> State:
        state = self._eval(node.test, state)
        then = self._suite(node.body, state)
        match node.orelse:
            case cst.If():
                other = self._if(node.orelse, state)
            case cst.Else():
                other = self._suite(node.orelse.body, state)
            case _:
                other = state
        correlated = self.conditional and bool(state & State.LIVE)
        if State.SETTLED in (then, other) and (self.mentions(node.test) or correlated):
            # ``if not task.done(): await task``; ``if started: await task`` for one made under an ``if``
            return State.SETTLED
        return then | other

    def _loop(self, body: cst.BaseSuite, orelse: cst.Else | None, state: State, *, endless: bool) -> State:
        """A loop is taken to run at least once: one that may not run is the rare case."""
        outer = self._exits[-1]
        inner = _Exits()
        self._exits.append(inner)
        after = self._suite(body, state)
        if self.made_in(body):
            after = self._suite(body, after | inner.continued or State.SETTLED)
        self._exits.pop()
        outer.returned |= inner.returned
        end = State.NOWHERE if endless else after | inner.continued
        if orelse is not None:
            end = self._suite(orelse.body, end)
        return end | inner.broken

    def made_in(self, body: cst.BaseSuite) -> bool:
        """Whether the value is made inside a block, at any depth."""
        stack: list[cst.CSTNode] = [body]
        while stack:
            node = stack.pop()
            if node is self.made:
                return True
            if isinstance(node, (cst.FunctionDef, cst.ClassDef)):
                continue
            stack.extend(child for child in node.children if isinstance(child, cst.CSTNode))
        return False

    def _try(self, node: cst.Try | cst.TryStar, state: State) -> State:
        outer = self._exits[-1]
        inner = _Exits()
        self._exits.append(inner)
        after = self._suite(node.body, state)
        # An exception may come before the value is settled; that it comes from what settles it
        # (``try: await task``, ``except CancelledError``) is the usual case.
        caught = after if after is not State.NOWHERE else state
        if node.orelse is not None:
            after = self._suite(node.orelse.body, after)
        for handler in node.handlers:
            after |= self._suite(handler.body, caught)
        self._exits.pop()
        for name in ("returned", "broken", "continued"):
            leaving = getattr(inner, name)
            if node.finalbody is not None and leaving:
                leaving = self._suite(node.finalbody.body, leaving)
            setattr(outer, name, getattr(outer, name) | leaving)
        return self._suite(node.finalbody.body, after) if node.finalbody is not None else after


def _never_returns(node: cst.CSTNode) -> bool:
    """``pytest.fail(…)``, ``self.skipTest(…)``, ``sys.exit()``, ``assert False``."""
    if isinstance(node, cst.Assert):
        return isinstance(node.test, cst.Name) and node.test.value == "False"
    if not isinstance(node, cst.Expr) or not isinstance(node.value, cst.Call):
        return False
    func = node.value.func
    name = func.attr.value if isinstance(func, cst.Attribute) else getattr(func, "value", "")
    return name in ("fail", "skip", "xfail", "skipTest", "exit", "_exit", "abort")


def _is_true(test: cst.BaseExpression) -> bool:
    return (isinstance(test, cst.Name) and test.value == "True") or (
        isinstance(test, cst.Integer) and test.value != "0"
    )
