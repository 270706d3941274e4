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
        case ast.Expr(value) | ast.Assign(value=value) | ast.Return(value=ast.expr() as value):
            return ends(value)
        case ast.Assert(test=ast.Compare(left=left, comparators=[right, *_])):
            return ends(left) or ends(right)
        case ast.Assert(test=ast.UnaryOp(operand=value) | value):
            return ends(value)
        case ast.With(body=[first, *_]) | ast.AsyncWith(body=[first, *_]):
            return _is_end(first, ends)
        case ast.Try(body=[first, *_], finalbody=final):
            return _is_end(first, ends) or any(_is_end(last, ends) for last in final)
    return False


def _blocks(scope: Scope) -> tuple[Places, set[ast.stmt]]:
    """The block and index of each statement of a scope's own body, and those that hold a jump."""
    places: Places = {}
    holders: dict[ast.stmt, ast.stmt | None] = {}
    blocks: list[tuple[list[ast.stmt], ast.stmt | None]] = []
    if isinstance(scope.node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        blocks.append((scope.node.body, None))
    while blocks:  # no recursion: a chain of ``elif`` is as deep as it is long
        block, holder = blocks.pop()
        for index, statement in enumerate(block):
            places[statement], holders[statement] = (block, index), holder
            if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                inner = (getattr(part, name, []) for part in _parts(statement) for name in BLOCKS)
                blocks.extend((one, statement) for one in inner)
    jumping: set[ast.stmt] = set()
    for statement in places:
        outer: ast.stmt | None = statement if isinstance(statement, JUMPS) else None
        while outer is not None and outer not in jumping:
            jumping.add(outer)
            outer = holders[outer]
    return places, jumping


def _parts(statement: ast.stmt) -> list[ast.AST]:
    """A statement, and the handlers and cases in it, which hold statements too."""
    return [statement, *getattr(statement, "handlers", ()), *getattr(statement, "cases", ())]
