"""Code that is never run: behind a return, a raise, a break or a continue, and beside ``if True``."""

from __future__ import annotations

import ast

from asynclint.project.project import Project
from asynclint.source.outline import Scope

JUMPS = (ast.Return, ast.Raise, ast.Break, ast.Continue)


def is_dead(node: ast.expr, scope: Scope, project: Project) -> bool:
    """Whether a function never comes to a part of it."""
    dead = project.remembered(("dead code", scope), lambda: _dead(scope.node))
    return any(start <= node.lineno <= end for start, end in dead)


def _dead(root: ast.AST) -> list[tuple[int, int]]:
    """The lines behind such a statement, to the end of its block; of the other branch of ``if True``."""
    found: list[tuple[int, int]] = []
    for node in ast.walk(root):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Constant):
            never = node.orelse if node.test.value else node.body
            found += [(part.lineno, part.end_lineno or part.lineno) for part in never]
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if not isinstance(block, list):
                continue
            at = next((i for i, part in enumerate(block) if isinstance(part, JUMPS)), len(block))
            if at + 1 < len(block):
                found.append((block[at + 1].lineno, block[-1].end_lineno))
    return found
