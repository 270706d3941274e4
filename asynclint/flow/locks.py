"""From ``acquire`` to ``release``: what can fail, or leave a function, while it holds a lock."""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import libcst as cst

from asynclint.flow.fates import Event, Fate, written_name
from asynclint.flow.lives import Life, life
from asynclint.flow.trace import Trace, unit
from asynclint.knowledge.locks import CALM_CALLS, CALM_METHODS
from asynclint.project.locks import Acquired, acquired, held
from asynclint.project.project import Project
from asynclint.source.function import Function
from asynclint.source.outline import Scope


class Hold(NamedTuple):
    """One lock from where it is acquired, and the calls that release it in the same function."""

    acquired: Acquired
    releases: Sequence[ast.Call]
    life: Life

    @property
    def name(self) -> str:
        """How the lock is written."""
        return ast.unparse(self.acquired.lock)


def holds(function: Function, project: Project) -> Sequence[Hold]:
    """The locks that a function, and what is nested in it, acquires by hand and releases itself.

    Not those that others release too, and those that a test makes for itself and that end with it.
    """
    return function.once("holds", lambda: list(_holds(function, project)))


def _holds(function: Function, project: Project) -> Iterator[Hold]:
    for scope in function.scope.nested():
        own = dict(held(scope, project)) if scope.is_async else {}
        sites = acquired(scope, project) if own else []
        order = {id(call): place for place, call in enumerate(scope.facts.calls)} if own else {}
        for index, found in enumerate(sites):
            releases = own.get(found)
            if releases is None or (not releases and _drains(function, found)):
                continue
            if _are_counted(function, found, releases):
                continue
            near = _until_next(function, found, sites[index + 1 :], releases, order)
            life = _life(function, project, found, near, scope)
            yield Hold(found, near, life)


def _drains(function: Function, found: Acquired) -> bool:
    """``for _ in range(size): await semaphore.acquire()`` waits for all others, and lets nobody in again."""
    return any(isinstance(outer, cst.For) for outer in function.parents(function.cst_of(found.wait)))


def _are_counted(function: Function, found: Acquired, releases: Sequence[ast.Call]) -> bool:
    """Whether a loop of its own releases a lock: as often as it was acquired, one hopes."""
    around = set(function.parents(function.cst_of(found.wait)))
    return any(
        isinstance(outer, (cst.For, cst.While)) and outer not in around
        for release in releases
        for outer in function.parents(function.cst_of(release))
    )


def _until_next(
    function: Function,
    found: Acquired,
    later: Sequence[Acquired],
    releases: Sequence[ast.Call],
    order: Mapping[int, int],
) -> Sequence[ast.Call]:
    """The releases from one acquire to the next in the same block; all of them where a loop comes back."""
    birth = function.cst_of(found.wait)
    if any(isinstance(outer, (cst.For, cst.While)) for outer in function.parents(birth)):
        return releases
    block, lock = _block(function, birth), ast.unparse(found.lock)
    same = (other for other in later if ast.unparse(other.lock) == lock)
    end = next((o for o in same if _block(function, function.cst_of(o.wait)) is block), None)
    first = bisect_left(releases, order[id(found.call)], key=lambda call: order[id(call)])
    last = len(releases)
    if end is not None:
        last = bisect_left(releases, order[id(end.call)], key=lambda call: order[id(call)])
    return releases[first:last]


def _block(function: Function, node: cst.CSTNode) -> cst.CSTNode | None:
    return next((outer for outer in function.parents(node) if isinstance(outer, cst.BaseSuite)), None)


def _life(
    function: Function, project: Project, found: Acquired, releases: Sequence[ast.Call], scope: Scope
) -> Life:
    owner = function.cst_of(scope.node)
    birth = function.cst_of(found.wait)
    assert isinstance(birth, cst.Await)
    trace = Trace()
    ends = (_released_at(function, function.cst_of(call), birth) for call in releases)
    events = [Event(Fate.BORN, birth), *(Event(Fate.FINISHED, end) for end in ends)]
    for event in events:
        trace.events.setdefault(unit(function, event.node, owner), []).append(event)
    failing = function.once("breaks", lambda: _breaks(function))
    return life(function, project, found.call, birth, scope, trace, fallible=True, failing=failing)


def _released_at(function: Function, release: cst.CSTNode, birth: cst.Await) -> cst.CSTNode:
    """The test of ``if acquired:`` round a release, where the acquire gave ``acquired``; else the release."""
    made = function.parent(birth)
    target = made.targets[0].target if isinstance(made, cst.Assign) else None
    around = (outer for outer in function.parents(release) if isinstance(outer, cst.If))
    test = outer.test if (outer := next(around, None)) is not None else None
    is_flag = isinstance(target, cst.Name) and isinstance(test, cst.Name) and test.value == target.value
    return test if is_flag and test is not None else release


def _breaks(function: Function) -> set[cst.CSTNode]:
    """What can fail or be cancelled, with all that holds it."""
    found: set[cst.CSTNode] = set()
    for node in function.nodes:
        if not _can_break(node):
            continue
        for outer in (node, *function.parents(node)):
            if outer in found or isinstance(outer, (cst.FunctionDef, cst.ClassDef, cst.Lambda)):
                break
            found.add(outer)
    return found


def _can_break(node: cst.CSTNode) -> bool:
    match node:
        case cst.Await() | cst.Assert() | cst.Raise() | cst.Yield():
            return not (isinstance(node, cst.Await) and _is_acquire(node.expression))
        case cst.With() | cst.For() | cst.CompFor():
            return node.asynchronous is not None
        case cst.Call() if not _is_acquire(node):
            func = node.func
            if isinstance(func, cst.Attribute):
                return func.attr.value not in CALM_METHODS | {"acquire", "release"}
            return not isinstance(func, cst.Name) or func.value not in CALM_CALLS
    return False


def _is_acquire(expr: cst.BaseExpression) -> bool:
    """``lock.acquire()``, also with a limit."""
    if not isinstance(expr, cst.Call):
        return False
    if written_name(expr) == "wait_for" and expr.args:
        return _is_acquire(expr.args[0].value)
    return written_name(expr) == "acquire"
