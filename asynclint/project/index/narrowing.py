"""What a test itself says of a value: ``assert isinstance(reply, Reply)`` behind what ``reply`` is made from.

A value of another class ends the test there, so that whatever it is used for means that class.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from asynclint.project.index.evidence import looks_mocked
from asynclint.source.outline import FUNCTIONS, Binding, Scope

BLOCKS = ("body", "orelse", "finalbody")


def asserted_class(name: str, binding: Binding, scope: Scope) -> ast.expr | None:
    """The class that is asserted of a function's name in the block it is bound in; None where none is."""
    if not isinstance(scope.node, FUNCTIONS) or looks_mocked(binding.value):
        return None
    facts = scope.facts
    if "isinstance" not in facts.functions and "assertIsInstance" not in facts.methods:
        return None
    if not any(_class_of(statement, name) for statement in (*facts.asserts, *facts.expressions)):
        return None
    rebound = {b.node for b in scope.bindings[name] if b is not binding}
    for statement in _behind(binding, scope.node.body):
        cls = _class_of(statement, name)
        if cls is not None or not rebound.isdisjoint(ast.walk(statement)):
            return cls
    return None


def _class_of(statement: ast.stmt, name: str) -> ast.expr | None:
    """``C`` of ``assert isinstance(name, C)`` and of ``self.assertIsInstance(name, C)``."""
    match statement:
        case ast.Assert(test=ast.Call(ast.Name("isinstance"), [ast.Name(checked), cls])):
            return cls if checked == name else None
        case ast.Expr(ast.Call(ast.Attribute(attr="assertIsInstance"), [ast.Name(checked), cls, *_])):
            return cls if checked == name else None
    return None


def _behind(binding: Binding, body: Sequence[ast.stmt]) -> Sequence[ast.stmt]:
    """The statements that run behind a binding, each time, before its block ends."""
    if binding.kind == "param":
        return body
    if binding.kind in ("with", "async with", "for"):
        return getattr(binding.node, "body", ())
    for block in _blocks(body):
        if binding.node in block:
            return block[block.index(binding.node) + 1 :]
    return ()


def _blocks(body: Sequence[ast.stmt]) -> Iterator[Sequence[ast.stmt]]:
    yield body
    for statement in body:
        for part in (statement, *getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
            for block in BLOCKS:
                yield from _blocks(getattr(part, block, ()))
