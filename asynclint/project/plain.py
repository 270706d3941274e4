"""What plainly comes to its end in the block it begins in: nothing there needs a walk over paths.

``task = asyncio.create_task(…)``, and ``await task`` further down with no jump between the two. This is a
screen: whatever is less plain is for asynclint.flow to judge.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asynclint.project.project import Project
    from asynclint.source.outline import Scope

JUMPS = (ast.Return, ast.Break, ast.Continue, ast.Raise)
BLOCKS = ("body", "orelse", "finalbody")
Ends = Callable[[ast.expr], bool]
Places = dict[ast.stmt, tuple[list[ast.stmt], int]]


def ends_plainly(statement: ast.stmt, scope: Scope, ends: Ends, project: Project) -> bool:
    """Whether an expression statement that ``ends`` knows is sure to run behind a statement of a scope."""
    if scope.is_generator:
        return False
    places, jumping = project.remembered(("blocks", scope), lambda: _blocks(scope))
    block, index = places.get(statement, ([], 0))
    for later in block[index + 1 :]:
        if _is_end(later, ends):
            return True
        if later in jumping:
            return False
    return False


def _is_end(statement: ast.stmt, ends: Ends) -> bool:
    match statement:
        case ast.Expr(value) | ast.Assign(value=value):
            return ends(value)
        case ast.With(body=[first, *_]) | ast.AsyncWith(body=[first, *_]):
            return _is_end(first, ends)
        case ast.Try(body=[first, *_], finalbody=final):
            return _is_end(first, ends) or any(_is_end(last, ends) for last in final)
    return False


def _blocks(scope: Scope) -> tuple[Places, set[ast.stmt]]:
    """The block and index of each statement of a scope's own body, and those that hold a jump."""
    places: Places = {}
    jumping: set[ast.stmt] = set()
    if isinstance(scope.node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        _enter(scope.node.body, places, jumping)
    return places, jumping


def _enter(block: list[ast.stmt], places: Places, jumping: set[ast.stmt]) -> bool:
    """Whether something in a block jumps; its statements are put where they belong."""
    for index, statement in enumerate(block):
        places[statement] = block, index
        if _jumps(statement, places, jumping):
            jumping.add(statement)
    return not jumping.isdisjoint(block)


def _jumps(statement: ast.stmt, places: Places, jumping: set[ast.stmt]) -> bool:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return False
    blocks = [getattr(part, name, []) for part in _parts(statement) for name in BLOCKS]
    inner = [_enter(block, places, jumping) for block in blocks]
    return isinstance(statement, JUMPS) or any(inner)


def _parts(statement: ast.stmt) -> list[ast.AST]:
    """A statement, and the handlers and cases in it, which hold statements too."""
    return [statement, *getattr(statement, "handlers", ()), *getattr(statement, "cases", ())]
