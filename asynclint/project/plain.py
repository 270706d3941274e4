"""What plainly comes to its end in the block it begins in: nothing there needs a walk over paths.

``task = asyncio.create_task(…)``, and ``await task`` further down with no jump between the two. This is a
screen: whatever is less plain is for asynclint.flow to judge.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from asynclint.project.project import Project
    from asynclint.source.outline import Scope

BLOCKS = ("body", "orelse", "finalbody")
Ends = Callable[[ast.expr], bool]


class Place(NamedTuple):
    """Where a statement stands: its block, its position there, and what holds the block."""

    block: list[ast.stmt]
    position: int
    holder: ast.stmt | None


Places = dict[ast.stmt, Place]


def ends_plainly(statement: ast.stmt, name: str, ends: Ends, scope: Scope, project: Project) -> bool:
    """Whether what a statement of a scope gives a name is sure to be ended, or returned, behind it.

    ``ends`` knows expressions that do so where a statement evaluates, assigns, asserts or returns them.
    """
    places, jumping = project.remembered(("blocks", scope), lambda: _blocks(scope))
    place = places.get(statement)
    binding = project.remembered(("bound", name, scope), lambda: _binding(name, scope, places))
    while place is not None and binding is not None:
        for later in place.block[place.position + 1 :]:
            if later in binding:  # the name is of something else from there on, or may be
                return False
            if isinstance(later, ast.Return) and isinstance(later.value, ast.Name) and later.value.id == name:
                return True
            if _is_end(later, ends) or (isinstance(later, ast.Try) and _ends(later.finalbody, ends, jumping)):
                return True
            if later in jumping:
                return False
        holder = place.holder
        if isinstance(holder, ast.Try) and place.block is holder.body and binding[holder] < 2:
            return _ends(holder.finalbody, ends, jumping)
        place = places[holder] if isinstance(holder, (ast.With, ast.AsyncWith)) else None
    return False


def _binding(name: str, scope: Scope, places: Places) -> Counter[ast.stmt] | None:
    """How many of several assignments of a name each statement is or holds; None where more binds it."""
    bindings = scope.bindings[name]
    if len(bindings) == 1:
        return Counter()
    nodes = [one.node for one in bindings if one.kind == "assign" and isinstance(one.node, ast.stmt)]
    if len(nodes) < len(bindings) or not places.keys() >= {*nodes}:
        return None
    found = Counter[ast.stmt]()
    for node in nodes:
        outer: ast.stmt | None = node
        while outer is not None:
            found[outer] += 1
            outer = places[outer].holder
    return found


def _ends(block: list[ast.stmt], ends: Ends, jumping: AbstractSet[ast.stmt]) -> bool:
    """Whether a block comes to an end of it before anything can leave the block."""
    for statement in block:
        if _is_end(statement, ends):
            return True
        if statement in jumping:
            return False
    return False


def _is_end(statement: ast.stmt, ends: Ends) -> bool:
    """Whether a statement ends it first of all, be it in ``with`` or ``try``."""
    while isinstance(statement, (ast.With, ast.AsyncWith, ast.Try)):
        statement = statement.body[0]
    match statement:
        case ast.Expr(value) | ast.Assign(value=value) | ast.Return(value=ast.expr() as value):
            return ends(value)
        case ast.Assert(test=ast.Compare(left=left, comparators=[right, *_])):
            return ends(left) or ends(right)
        case ast.Assert(test=ast.UnaryOp(operand=value) | value):
            return ends(value)
    return False


def _blocks(scope: Scope) -> tuple[Places, set[ast.stmt]]:
    """The place of each statement of a scope's own body, and those that may leave the block they are in."""
    places: Places = {}
    blocks: list[tuple[list[ast.stmt], ast.stmt | None]] = []
    if isinstance(scope.node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        blocks.append((scope.node.body, None))
    while blocks:  # no recursion: a chain of ``elif`` is as deep as it is long
        block, holder = blocks.pop()
        for index, statement in enumerate(block):
            places[statement] = Place(block, index, holder)
            if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                inner = (getattr(part, name, []) for part in _parts(statement) for name in BLOCKS)
                blocks.extend((one, statement) for one in inner)
    leaving, breaking = set[ast.stmt](), set[ast.stmt]()
    for statement in places:
        if isinstance(statement, (ast.Return, ast.Raise)):
            _mark(statement, places, leaving, loops=())
        elif isinstance(statement, (ast.Break, ast.Continue)):
            _mark(statement, places, breaking, loops=(ast.For, ast.AsyncFor, ast.While))
    return places, leaving | breaking


def _mark(jump: ast.stmt, places: Places, marked: set[ast.stmt], loops: tuple[type[ast.stmt], ...]) -> None:
    """Mark a jump and what holds it, up to the loop that it is about."""
    outer: ast.stmt | None = jump
    while outer is not None and outer not in marked:
        marked.add(outer)
        block, _, outer = places[outer]
        if isinstance(outer, loops) and block is outer.body:  # type: ignore[attr-defined]
            return


def _parts(statement: ast.stmt) -> list[ast.AST]:
    """A statement, and the handlers and cases in it, which hold statements too."""
    return [statement, *getattr(statement, "handlers", ()), *getattr(statement, "cases", ())]
