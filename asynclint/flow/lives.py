"""From birth to the end: every task that a function starts, and how it ends on every path."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise
from typing import NamedTuple

import libcst as cst

from asynclint.flow.conditions import LOOP_IS_OPEN, Fact, Told, fails_first, known_at, rivals_of
from asynclint.flow.failing import by_block, fails, stops, stops_among
from asynclint.flow.fates import Fate
from asynclint.flow.paths import Paths, Quiet
from asynclint.flow.states import UNFINISHED, Outcome, Split, State
from asynclint.flow.trace import Trace, Tracer
from asynclint.project.project import Project
from asynclint.project.tasks import sites
from asynclint.source.function import Function
from asynclint.source.outline import Scope

CHOICES = (cst.If, cst.IfExp, cst.BooleanOperation, cst.Match)
PASSIVE = {Fate.BORN, Fate.LOOKED, Fate.CHECKED, Fate.PROVED, Fate.CANCELLED, Fate.LOST}


class Life(NamedTuple):
    """One task (or, in a container or loop, several) from the call that makes it to the end.

    ``end`` is the state it may be in when the function ends without an exception; ``returns`` the ``return``
    that leaves it unfinished, ``split`` the condition on which that depends, ``raises`` what can fail
    first while it runs and nobody would finish it then.
    """

    call: ast.Call
    scope: Scope
    trace: Trace
    end: int
    returns: cst.CSTNode | None
    split: Split | None
    raises: cst.CSTNode | None

    @property
    def is_dropped(self) -> bool:
        """Whether no name, or only one that nobody reads, or a container nobody uses, ever holds it."""
        if self.trace.attributes or not self.trace.fates() <= PASSIVE:
            return False
        if not self.trace.names:
            return True
        looked = self.trace.fates() - {Fate.BORN, Fate.LOST}
        return (self.trace.many and not looked - {Fate.LOOKED}) or (self.trace.names == ["_"] and not looked)

    @property
    def is_unfinished(self) -> bool:
        """Whether it may still be running at a normal end, and nobody has asked it to stop."""
        return bool(self.end & UNFINISHED)

    @property
    def is_never_finished(self) -> bool:
        """Whether nothing finishes it on any path."""
        return not self.trace.fates() & {Fate.FINISHED, Fate.HANDED, Fate.SWEPT}

    @property
    def name(self) -> str:
        """The name it is kept under first; "" where it has none."""
        kept = [*self.trace.names, *(f"self.{name}" for name in self.trace.attributes)]
        return kept[0] if kept else ""

    @property
    def title(self) -> str:
        """What reports call it."""
        if not self.name:
            return "the task"
        return f"a task in {self.name}" if self.trace.many else f"task {self.name}"


def lives(function: Function, project: Project) -> Sequence[Life]:
    """The tasks that a function, and what is nested in it, starts, in source order."""
    return function.once("lives", lambda: list(_lives(function, project)))


def _lives(function: Function, project: Project) -> Iterator[Life]:
    tracer = Tracer(function, project)
    for scope in function.scope.nested():
        for call in sites(scope, project) if scope.is_function else ():
            birth = function.cst_of(call)
            assert isinstance(birth, cst.Call)
            yield life(function, project, call, birth, scope, tracer.call(birth, scope), known={LOOP_IS_OPEN})


def life(
    function: Function,
    project: Project,
    call: ast.Call,
    birth: cst.BaseExpression,
    scope: Scope,
    trace: Trace,
    *,
    fallible: bool = False,
    failing: AbstractSet[cst.CSTNode] | None = None,
    known: AbstractSet[Fact] = frozenset(),
) -> Life:
    """How a value ends on every path; a ``fallible`` call may raise instead of making it.

    ``failing`` is what can fail or be cancelled, where that is more than what can fail a test, ``known``
    what conditions say of the world as long as the value is there.
    """
    if Fate.HANDED in {event.fate for event in next(iter(trace.events.values()), [])}:
        return Life(call, scope, trace, State.SETTLED, None, None, None)
    owner = function.cst_of(scope.node)
    assert isinstance(owner, cst.FunctionDef)
    marked: set[cst.CSTNode] = set()
    for unit in trace.events:
        for outer in (unit, *function.parents(unit)):
            if outer in marked or outer is owner:
                break
            marked.add(outer)
    around = list(_inside(function, birth, owner))
    conditional = any(isinstance(outer, CHOICES) for outer in around)
    looped = set() if trace.many or trace.attributes else set(_made_again(around))
    strict = failing is not None
    if failing is None:
        stopping, failing = stops(function, project), fails(function, project)
    else:
        breaks = failing
        stopping = function.once("strict stops", lambda: stops_among(function, breaks))
    tried = set(_tried(around)) if fallible else set(_made_last(function, birth))
    blocks = by_block(function, marked)
    waits = trace.nodes(Fate.WAITED)
    told = Told(
        frozenset(known) | (known_at(function, birth, owner, scope) if conditional else frozenset()),
        rivals_of(function, waits, trace.names),
        bool(waits) and fails_first(function, waits),
    )
    quiet: Quiet = function.once(("quiet", strict, conditional, told), dict)
    paths = Paths(trace.events, blocks, stopping, failing, conditional, told, looped, tried, strict, quiet)
    found: Outcome = paths.suite(owner.body, State.SETTLED)
    return Life(call, scope, trace, found.end | found.returned, found.returns, paths.split, found.raises)


def _made_again(around: Iterable[cst.CSTNode]) -> Iterator[cst.CSTNode]:
    """The loops whose every turn makes a value anew, by what holds the call that makes it."""
    for outer in around:
        if isinstance(outer, (cst.If, cst.Match, cst.Try, cst.TryStar)):
            return
        if isinstance(outer, (cst.For, cst.While)):
            yield outer


def _tried(around: Sequence[cst.CSTNode]) -> Iterator[cst.CSTNode]:
    """The ``try`` statements in whose body a value is made, by what holds the call that makes it."""
    for inner, outer in pairwise(around):
        if isinstance(outer, (cst.Try, cst.TryStar)) and inner is outer.body:
            yield outer


def _made_last(function: Function, birth: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """The ``try`` whose body ends by making a value: what it catches has kept that from being made."""
    statement = function.parent(birth)
    line = function.parent(statement) if isinstance(statement, (cst.Assign, cst.AnnAssign)) else None
    block = function.parent(line) if isinstance(line, cst.SimpleStatementLine) else None
    outer = function.parent(block) if block is not None else None
    if isinstance(outer, (cst.Try, cst.TryStar)) and outer.body is block and block.body[-1] is line:
        yield outer


def _inside(function: Function, node: cst.CSTNode, owner: cst.CSTNode) -> Iterator[cst.CSTNode]:
    for outer in function.parents(node):
        if outer is owner:
            return
        yield outer
