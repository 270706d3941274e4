"""What the text of a module says, before anything in it is resolved."""

from __future__ import annotations

import ast

from asynclint.source.written import written


def looks_mocked(expr: ast.expr | None) -> bool:
    """Whether a value is made by something with "mock" or "autospec" in its name."""
    if isinstance(expr, ast.Await):
        expr = expr.value
    if not isinstance(expr, ast.Call):
        return False
    name = written(expr.func).lower()
    return "mock" in name or "autospec" in name
