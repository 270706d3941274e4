"""What the text of a module says, before anything in it is resolved."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from asynclint.source.written import written

if TYPE_CHECKING:
    from asynclint.project.project import Project
    from asynclint.source.outline import Outline

GUARD_WORDS = re.compile(r"timeout|wait_for|fail_a|move_on_a")


def names_a_guard(outline: Outline, project: Project) -> bool:
    """Whether a module has the name of a guard in it anywhere; without one it has no guard."""
    key = ("names a guard", outline)
    return project.remembered(key, lambda: GUARD_WORDS.search(outline.text.text) is not None)


def looks_mocked(expr: ast.expr | None) -> bool:
    """Whether a value is made by something with "mock" or "autospec" in its name."""
    if isinstance(expr, ast.Await):
        expr = expr.value
    if not isinstance(expr, ast.Call):
        return False
    name = written(expr.func).lower()
    return "mock" in name or "autospec" in name
