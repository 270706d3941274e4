"""What ``asyncio.wait`` is given, and what it comes back with."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst


def is_timed(call: cst.Call) -> bool:
    """Whether it may come back because the time is up."""
    return any(
        arg.keyword is not None and arg.keyword.value == "timeout" and not _is_none(arg.value)
        for arg in call.args
    )


def sets_of(statement: cst.CSTNode | None) -> Sequence[cst.BaseExpression]:
    """What takes the two sets it returns: ``done, pending = …``; empty where that can't be told."""
    target = statement.targets[0].target if isinstance(statement, cst.Assign) else None
    if not isinstance(target, (cst.Tuple, cst.List)) or len(target.elements) != 2:
        return ()
    return [element.value for element in target.elements]


def count(call: cst.Call, sets: Sequence[cst.BaseExpression] = ()) -> int:
    """How many tasks ``asyncio.wait([task])`` is given; 0 where that can't be read.

    ``done, pending = await asyncio.wait(pending or [task])``: what it left, else as many new ones.
    """
    given = call.args[0].value if call.args else None
    if isinstance(given, cst.BooleanOperation) and isinstance(given.operator, cst.Or):
        given = given.right if sets and given.left.deep_equals(sets[1]) else None
    if isinstance(given, (cst.List, cst.Set, cst.Tuple)):
        return len(given.elements) if all(isinstance(e, cst.Element) for e in given.elements) else 0
    return 0


def _is_none(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Name) and node.value == "None"
