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


def last_name(func: ast.AST) -> str:
    """``b`` of ``a.b`` and of ``b``; empty for what is neither an attribute nor a name."""
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")


def called(call: ast.Call) -> str:
    """The last name of what is called; empty where it has none."""
    return last_name(call.func)


def uncalled(expr: ast.expr) -> ast.expr:
    """What a call calls, any other expression as it is: ``x`` of the decorators ``@x`` and ``@x(…)``."""
    return expr.func if isinstance(expr, ast.Call) else expr


def argument(call: ast.Call, position: int, *names: str) -> ast.expr | None:
    """An argument by position (-1: by none) or keyword; None if it isn't given or may hide in ``*args``."""
    if position >= 0 and len(call.args) > position:
        if any(isinstance(arg, ast.Starred) for arg in call.args[: position + 1]):
            return None
        return call.args[position]
    return next((keyword.value for keyword in call.keywords if keyword.arg in names), None)
