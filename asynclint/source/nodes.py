"""The nodes of a function by their positions."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from asynclint.source.outline import FUNCTIONS, Scope
from asynclint.source.walk import children

NESTED = (*FUNCTIONS, ast.ClassDef, ast.Lambda)


def inside(roots: Iterable[ast.AST]) -> list[ast.AST]:
    """What runs when these nodes do, by position: the nodes in them, nested functions left out."""
    found: list[ast.AST] = []
    stack = list(roots)
    while stack:
        node = stack.pop()
        if isinstance(node, NESTED):
            continue
        if hasattr(node, "lineno"):
            found.append(node)
        stack += children(node)
    return sorted(found, key=start_of)


def own_nodes(function: Scope) -> list[ast.AST]:
    """What runs when a function does, by position."""
    assert isinstance(function.node, FUNCTIONS)
    return inside(function.node.body)


def start_of(node: ast.AST) -> tuple[int, int]:
    """1-based line, and 0-based column in bytes: for comparison only."""
    return node.lineno, node.col_offset  # type: ignore[attr-defined]


def end_of(node: ast.AST) -> tuple[int, int]:
    """As ``start_of``, for the end."""
    return node.end_lineno, node.end_col_offset  # type: ignore[attr-defined]
