"""What the text of a module says against taking a name at its word."""

from __future__ import annotations

import ast

from asynclint.source.outline import Outline


def exports(module: Outline, name: str) -> bool:
    """Whether ``from module import *`` brings a name (language reference, "the import statement")."""
    listed = module.scope.bindings.get("__all__")
    if listed is None:
        return not name.startswith("_") or module.is_stub
    values = [b.value for b in listed]
    if len(values) == 1 and isinstance(values[0], (ast.List, ast.Tuple)):
        return any(isinstance(e, ast.Constant) and e.value == name for e in values[0].elts)
    return True


def looks_mocked(expr: ast.expr | None) -> bool:
    """Whether a value is made by something with "mock" or "autospec" in its name."""
    if isinstance(expr, ast.Await):
        expr = expr.value
    if not isinstance(expr, ast.Call):
        return False
    name = ast.unparse(expr.func).lower()
    return "mock" in name or "autospec" in name
