"""Expressions as text."""

from __future__ import annotations

import ast


def written(expr: ast.expr) -> str:
    """An expression as ``ast.unparse`` writes it; names with attributes, nearly all there are, at once."""
    attributes: list[str] = []
    inner = expr
    while isinstance(inner, ast.Attribute):
        attributes.append(inner.attr)
        inner = inner.value
    if not isinstance(inner, ast.Name):
        return ast.unparse(expr)
    return ".".join([inner.id, *reversed(attributes)]) if attributes else inner.id
