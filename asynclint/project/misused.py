"""Futures and other objects to await that are taken for what awaiting them gives."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

from asynclint.project.coroutines import with_packages
from asynclint.project.guards.replaced import is_replaced
from asynclint.project.index.awaitables import is_object_to_await
from asynclint.project.index.classes import may_have
from asynclint.project.index.values import Class, Instance
from asynclint.project.index.witnesses import loose_calls
from asynclint.project.plain import naming
from asynclint.project.project import Project
from asynclint.source.outline import Scope
from asynclint.source.written import called

LITERALS = (ast.Constant, ast.Dict, ast.JoinedStr, ast.List, ast.Set, ast.Tuple)
COMPARED = {ast.Eq: "__eq__", ast.NotEq: "__eq__", ast.Lt: "__lt__", ast.Gt: "__gt__"}
ASSERTED = frozenset({"assertEqual", "assertNotEqual", "assertListEqual", "assertDictEqual"})


class Use(NamedTuple):
    """Where an expression stands, and the attribute that what it evaluates to has to have there."""

    expr: ast.expr
    needs: str


class Misused(NamedTuple):
    """A call in a scope that gives an object to await, and where that is taken for a result."""

    call: ast.Call
    scope: Scope
    uses: Sequence[ast.expr]


def misuses_awaitables(unit: Scope, project: Project) -> bool:
    """Whether a function, or what is nested in it, takes an object to await for its result."""
    return next(misused(unit, project), None) is not None


def misused(unit: Scope, project: Project) -> Iterator[Misused]:
    """Each such call: ``first, second = asyncio.gather(…)``, ``assert pool.submit(…) == 2``."""
    for scope in unit.nested():
        if scope.is_function:
            yield from project.remembered(("misused", scope), partial(_misused, scope, project))


def _misused(scope: Scope, project: Project) -> Sequence[Misused]:
    inference, found = with_packages(scope.outline, project).inference, []
    statements = {id(statement.value) for statement in scope.facts.expressions}
    for call in loose_calls(scope, project):
        if id(call) in statements:
            continue
        value = inference.value(call, scope)
        if not isinstance(value, Instance) or not is_object_to_await(value, inference):
            continue
        needs = _uses_of(call, scope, project)
        uses = [use.expr for use in needs if _lacks(value.cls, use.needs, scope, project)]
        if uses and not is_replaced(call.func, scope, project):
            found.append(Misused(call, scope, uses))
    return found


def _lacks(cls: Class, name: str, scope: Scope, project: Project) -> bool:
    """Whether the objects of a class surely have no such attribute, and nobody gives them one."""
    inference = with_packages(scope.outline, project).inference
    if cls.scope.outline.is_stub:  # a task factory, or another loop, makes tasks with other attributes
        special = name.startswith("__")
        return special and (name == "__iter__" or not may_have(cls, name, inference))
    return not may_have(cls, name, inference) and f".{name} = " not in scope.outline.text.text


def _uses_of(call: ast.Call, scope: Scope, project: Project) -> Iterator[Use]:
    """What is done with a call's value where it is made, or by the one name that it has."""
    uses = project.remembered(("uses", scope), lambda: list(_uses(scope)))
    yield from (use for use in uses if use.expr is call)
    named = naming(call, scope, project)
    if named is None or named.many or named.name in scope.facts.outer:
        return
    bindings = [b for inner in scope.nested() for b in inner.bindings.get(named.name, [])]
    if [binding.kind for binding in bindings] == ["assign"]:
        names = (use for use in uses if isinstance(use.expr, ast.Name))
        yield from (use for use in names if isinstance(use.expr, ast.Name) and use.expr.id == named.name)


def _uses(scope: Scope) -> Iterator[Use]:
    for node in ast.walk(scope.node):
        match node:
            case ast.Subscript(value=value, ctx=ast.Load()):
                yield Use(value, "__getitem__")
            case ast.Attribute(value=value, attr=name, ctx=ast.Load()) if not name.startswith("_"):
                yield Use(value, name)
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARED:
                yield from _compared(left, right, COMPARED[type(op)])
            case ast.Assign(targets=[ast.Tuple() | ast.List()], value=value):
                yield Use(value, "__iter__")
            case ast.For(iter=value) | ast.comprehension(iter=value, is_async=0):
                yield Use(value, "__iter__")
            case ast.Call(func=ast.Name(id="len"), args=[value]):
                yield Use(value, "__len__")
            case ast.Call(func=ast.Attribute(), args=[first, second, *_]) if called(node) in ASSERTED:
                yield from _compared(first, second, "__eq__")


def _compared(one: ast.expr, other: ast.expr, needs: str) -> Iterator[Use]:
    """What is compared with a literal."""
    for side, against in ((one, other), (other, one)):
        if isinstance(against, LITERALS):
            yield Use(side, needs)
