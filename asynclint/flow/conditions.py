"""What conditions say where a value is made, and which others say the contrary."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

import libcst as cst

from asynclint.flow.waits import is_timed, sets_of
from asynclint.source.function import Function
from asynclint.source.outline import Scope

Fact = tuple[str, bool]  # a name, or ``name is None``, and whether it is true
# Where a task runs, its loop is open: nothing is left to finish behind ``if loop.is_closed():``.
LOOP_IS_OPEN: Fact = ("loop.is_closed()", False)


class Told(NamedTuple):
    """What conditions say, where a value is made, of whether it is there and still to be ended.

    ``known`` are facts that held then, ``rivals`` the tasks of which one or it has ended, ``fails_first``
    that ``asyncio.wait`` leaves it only where another has failed.
    """

    known: frozenset[Fact] = frozenset()
    rivals: frozenset[str] = frozenset()
    fails_first: bool = False

    def is_over(self, test: cst.BaseExpression, *, truth: bool, pending: bool) -> bool:
        """Whether a condition, come out so, says that the value was not made, or has ended."""
        if pending and is_over_without(test, self.rivals, truth=truth):
            return True
        return contradicts(test, self.known, truth=truth)


def known_at(function: Function, birth: cst.CSTNode, owner: cst.CSTNode, scope: Scope) -> frozenset[Fact]:
    """What the conditions round a node say of names that keep their value: ``if wanted: task = …``."""
    found: set[Fact] = set()
    inner = birth
    for outer in function.parents(birth):
        if outer is owner:
            break
        if isinstance(outer, (cst.If, cst.IfExp)) and inner is not outer.test:
            found.update(facts(outer.test, truth=inner is not outer.orelse))
        elif isinstance(outer, cst.BooleanOperation) and inner is outer.right:  # client or make_client()
            found.update(facts(outer.left, truth=isinstance(outer.operator, cst.And)))
        inner = outer
    return frozenset((said, truth) for said, truth in found if _is_kept(said.split()[0], function, scope))


def rivals_of(function: Function, waits: Iterable[cst.CSTNode], names: Collection[str]) -> frozenset[str]:
    """The other of two tasks of which ``asyncio.wait`` saw one end: where it has not, the value has.

    Not where the time may have run out first, unless a condition asks whether anything is done.
    """
    found: set[str] = set()
    for wait in waits:
        call = wait.expression if isinstance(wait, cst.Await) else None
        first = call.args[0].value if isinstance(call, cst.Call) and call.args else None
        given = _tasks_in(function, first.value) if isinstance(first, cst.Name) else first
        if not isinstance(given, (cst.List, cst.Set, cst.Tuple)) or len(given.elements) != 2:
            continue
        assert isinstance(call, cst.Call)
        if is_timed(call) and not _asks_for_done(function, wait):
            continue
        waited = {_written(element.value) for element in given.elements}
        found |= waited - set(names) if waited & set(names) else set()
    return frozenset(name for name in found if name)


def _tasks_in(function: Function, name: str) -> cst.CSTNode | None:
    """``(one, other)`` for ``tasks`` after ``tasks = (one, other)``, where nothing else has that name."""
    made = [
        node.value
        for node in function.nodes_of(cst.Assign)
        if any(_written(target.target) == name for target in node.targets)
    ]
    return made[0] if len(made) == 1 else None


def _written(node: cst.CSTNode) -> str:
    """``task``, ``self.task``; empty for all else."""
    match node:
        case cst.Name(value=name):
            return name
        case cst.Attribute(value=cst.Name(value="self"), attr=cst.Name(value=name)):
            return f"self.{name}"
    return ""


def fails_first(function: Function, waits: Iterable[cst.CSTNode]) -> bool:
    """Whether each ``asyncio.wait`` lasts until all are done, or one has failed."""
    calls = [wait.expression for wait in waits if isinstance(wait, cst.Await)]
    return all(
        isinstance(call, cst.Call)
        and any("FIRST_EXCEPTION" in function.module.code_for_node(arg.value) for arg in call.args)
        and not is_timed(call)
        for call in calls
    )


def _asks_for_done(function: Function, wait: cst.CSTNode) -> bool:
    """``if not done: …`` after ``done, pending = await asyncio.wait(…)``."""
    sets = sets_of(function.parent(wait))
    return any(
        isinstance(done, cst.Name) and said == done.value
        for done in sets[:1]
        for node in function.nodes
        if isinstance(node, cst.If)
        for said, _ in facts(node.test, truth=False)
    )


def is_over_without(test: cst.BaseExpression, rivals: frozenset[str], *, truth: bool) -> bool:
    """Whether a condition, come out so, says that a rival runs.

    ``rival in done``, ``rival.done()``, ``rival and rival.done()``, ``first is rival`` of the first of them.
    """
    match test:
        case cst.UnaryOperation(operator=cst.Not()):
            return is_over_without(test.expression, rivals, truth=not truth)
        case cst.Comparison(left=left, comparisons=[cst.ComparisonTarget(operator=how, comparator=right)]):
            if isinstance(left, cst.Name) and _written(right) in rivals:
                return isinstance(how, cst.IsNot if truth else cst.Is)
            return _written(left) in rivals and isinstance(how, cst.NotIn if truth else cst.In)
        case cst.Call(func=cst.Attribute(value=asked, attr=cst.Name(value="done"))):
            return _written(asked) in rivals and not truth
        case cst.BooleanOperation(operator=cst.And(), left=left) if _written(left) in rivals and not truth:
            return is_over_without(test.right, rivals, truth=False)
    return False


def is_exhausted(node: cst.If) -> bool:
    """``if a or b:`` with ``if a: return …`` and ``if b: return …`` in it: no way leads to its end."""
    left = list(_alternatives(node.test))
    for statement in node.body.body if len(left) > 1 else ():
        if isinstance(statement, cst.If) and _leaves(statement.body):
            left = [test for test in left if not test.deep_equals(statement.test)]
    return not left


def _alternatives(test: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    if isinstance(test, cst.BooleanOperation) and isinstance(test.operator, cst.Or):
        yield from _alternatives(test.left)
        yield from _alternatives(test.right)
    else:
        yield test


def _leaves(body: cst.BaseSuite) -> bool:
    """Whether a block ends with a jump."""
    last = body.body[-1] if body.body else None
    small = last.body[-1] if isinstance(last, cst.SimpleStatementLine) else last
    return isinstance(small, (cst.Return, cst.Raise, cst.Break, cst.Continue))


def contradicts(test: cst.BaseExpression, known: frozenset[Fact], *, truth: bool) -> bool:
    """Whether a condition can't come out so where the value has been made."""
    return bool(known) and any((said, not value) in known for said, value in facts(test, truth=truth))


def facts(test: cst.BaseExpression, *, truth: bool) -> Iterator[Fact]:
    """What follows for single names from a condition's being true, or false."""
    match test:
        case cst.Name(value=name):
            yield name, truth
            if truth:
                yield f"{name} is None", False
        case cst.UnaryOperation(operator=cst.Not()):
            yield from facts(test.expression, truth=not truth)
        case cst.BooleanOperation(operator=operator) if isinstance(operator, cst.And) is truth:
            yield from facts(test.left, truth=truth)
            yield from facts(test.right, truth=truth)
        case cst.Call(func=cst.Attribute(value=asked, attr=cst.Name(value="is_closed"))) if _is_loop(asked):
            yield LOOP_IS_OPEN[0], truth
        case cst.Comparison(left=cst.Name(value=name), comparisons=[cst.ComparisonTarget() as only]):
            if isinstance(only.comparator, cst.Name) and only.comparator.value == "None":
                yield from _of_none(name, only.operator, truth=truth)


def _is_loop(asked: cst.BaseExpression) -> bool:
    """``loop``, ``self._loop``, ``asyncio.get_running_loop()``."""
    named = asked.func if isinstance(asked, cst.Call) else asked
    last = named.attr if isinstance(named, cst.Attribute) else named
    return isinstance(last, cst.Name) and last.value.rpartition("_")[2] == "loop"


def _of_none(name: str, operator: cst.BaseCompOp, *, truth: bool) -> Iterator[Fact]:
    if isinstance(operator, (cst.Is, cst.IsNot)):
        is_none = isinstance(operator, cst.Is) is truth
        yield f"{name} is None", is_none
        if is_none:
            yield name, False


def _is_kept(name: str, function: Function, scope: Scope) -> bool:
    """Whether a function gives a name one value, once: a parameter, or an assignment in no loop."""
    bindings = scope.bindings.get(name, ())
    if len(bindings) != 1 or any(name in inner.facts.outer for inner in scope.nested()):
        return False
    if bindings[0].kind != "assign":
        return bindings[0].kind == "param"
    around = function.parents(function.cst_of(bindings[0].node))
    return not any(isinstance(outer, (cst.For, cst.While)) for outer in around)
