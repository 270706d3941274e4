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
        return Use.LOOKS if parent.attr.value in TASK_INSPECTION else Use.SETTLES
    if isinstance(parent, cst.Arg):
        call = function.parent(parent)
        if (
            isinstance(call, cst.Call)
            and isinstance(call.func, cst.Name)
            and call.func.value in LOOKING_CALLS
        ):
            return Use.LOOKS
        return Use.SETTLES
    looking = (
        cst.Comparison,
        cst.ComparisonTarget,
        cst.UnaryOperation,
        cst.BooleanOperation,
        cst.Assert,
        cst.If,
        cst.While,
        cst.FormattedStringExpression,
        cst.Expr,
    )
    return Use.LOOKS if isinstance(parent, looking) else Use.SETTLES
