"""How each use of a local name treats the task it holds."""

from __future__ import annotations

import ast
from enum import Enum

import libcst as cst

from asynclint.knowledge.asyncs import TASK_INSPECTION
from asynclint.source.function import Function
from asynclint.source.outline import Scope

LOOKING_CALLS = frozenset(
    ["print", "repr", "str", "id", "type", "bool", "isinstance", "hash", "len", "format", "hasattr"]
)


class Use(Enum):
    """What one use does to a task: ends or hands it on, only looks at it, or waits in a nested function."""

    SETTLES = "settles"
    LOOKS = "looks"
    CLOSED_OVER = "closed over"


def uses_of(function: Function, scope: Scope, name: str) -> dict[cst.CSTNode, Use]:
    """Every load of a name that a scope binds, by its libcst node."""
    found: dict[cst.CSTNode, Use] = {}
    for node in function.nodes:
        if not isinstance(node, cst.Name) or not _loads(function, node, name):
            continue
        seen_from = function.scope_of(node)
        owner = seen_from.lookup(name)
        if owner is None or owner[0] is not scope:
            continue
        found[node] = Use.CLOSED_OVER if seen_from is not scope else _use(function, node)
    return found


def _loads(function: Function, node: cst.Name, name: str) -> bool:
    try:
        paired = function.ast_of(node)
    except KeyError:  # an attribute's or keyword's name
        return False
    return isinstance(paired, ast.Name) and paired.id == name and isinstance(paired.ctx, ast.Load)


def _use(function: Function, node: cst.Name) -> Use:
    parent = function.parent(node)
    if isinstance(parent, cst.Attribute):
        return _use_of_attribute(function, parent)
    if isinstance(parent, cst.Arg):
        call = function.parent(parent)
        name = call.func.value if isinstance(call, cst.Call) and isinstance(call.func, cst.Name) else ""
        return Use.LOOKS if name in LOOKING_CALLS else Use.SETTLES
    held: cst.CSTNode = node
    while isinstance(parent, cst.BooleanOperation):  # the value flows on: await (task or other)
        held, parent = parent, function.parent(parent)
    if isinstance(parent, (cst.If, cst.While, cst.IfExp)):
        return Use.LOOKS if parent.test is held else Use.SETTLES
    return Use.LOOKS if isinstance(parent, LOOKING) else Use.SETTLES


LOOKING = (
    cst.Comparison,
    cst.ComparisonTarget,
    cst.UnaryOperation,
    cst.Assert,
    cst.FormattedStringExpression,
    cst.Expr,
)


def _use_of_attribute(function: Function, attribute: cst.Attribute) -> Use:
    """``task.done()`` looks; ``poll(task.done)`` and ``over = task.done()`` may well act on it."""
    call = function.parent(attribute)
    if attribute.attr.value not in TASK_INSPECTION:
        return Use.SETTLES
    if not isinstance(call, cst.Call) or call.func is not attribute:
        return Use.SETTLES
    return Use.SETTLES if isinstance(function.parent(call), (cst.Assign, cst.NamedExpr)) else Use.LOOKS
