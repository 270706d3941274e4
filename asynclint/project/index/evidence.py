"""What the text of a module says against taking a name at its word."""

from __future__ import annotations

import ast


def looks_mocked(expr: ast.expr | None) -> bool:
    """Whether a value is made by something with "mock" or "autospec" in its name."""
    if isinstance(expr, ast.Await):
        expr = expr.value
    if not isinstance(expr, ast.Call):
        return False
    name = ast.unparse(expr.func).lower()
    return "mock" in name or "autospec" in name
