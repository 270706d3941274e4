"""What ``asyncio.wait`` is given, and what it comes back with."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

import libcst as cst

from asynclint.source.function import Function
from asynclint.source.outline import Scope
from asynclint.source.written import called

# Functions that leave a container as it is.
READING = frozenset(
    [
        *("wait", "gather", "as_completed", "len", "list", "tuple", "set", "sorted", "all", "any", "sum"),
        *("next", "iter", "enumerate", "zip", "bool", "repr", "str", "isinstance", "print"),
        *("debug", "info", "warning", "error", "exception", "log"),
    ]
)


def is_timed(call: cst.Call) -> bool:
    """Whether it may come back because the time is up."""
    return any(
        arg.keyword is not None and arg.keyword.value == "timeout" and not _is_none(arg.value)
        for arg in call.args
    )


def sets_of(statement: cst.CSTNode | None) -> Sequence[cst.BaseExpression]:
    """What takes the two sets it returns: ``done, pending = …``; empty where that can't be told."""
    target = statement.targets[0].target if isinstance(statement, cst.Assign) else None
    if not isinstance(target, (cst.Tuple, cst.List)) or len(target.elements) != 2:
        return ()
    return [element.value for element in target.elements]


def left_over(function: Function, statement: cst.CSTNode | None) -> cst.BaseExpression | None:
    """The name that takes what is pending, where it never holds anything else: None or empty before."""
    sets = sets_of(statement)
    if statement is None or not sets or not isinstance(sets[1], cst.Name):
        return None
    name, scope = function.ast_of(sets[1]), function.scope_of(sets[1])
    assert isinstance(name, ast.Name)
    own, bindings = function.ast_of(statement), scope.bindings.get(name.id, ())
    alone = all(binding.node is own or _is_nothing(binding.value) for binding in bindings)
    return sets[1] if alone and name.id not in scope.facts.outer else None


def _is_nothing(value: ast.expr | None) -> bool:
    """``None``, ``[]``, ``set()``."""
    match value:
        case ast.Constant(value=None) | ast.List(elts=[]) | ast.Tuple(elts=[]):
            return True
        case ast.Call(args=[]):
            return called(value) in ("set", "list")
    return False


def count(function: Function, call: cst.Call, left: cst.BaseExpression | None = None) -> int:
    """How many tasks ``asyncio.wait([task])`` is given; 0 where that can't be read.

    ``done, pending = await asyncio.wait(pending or [task])``: what it left, else as many new ones.
    """
    given = call.args[0].value if call.args else None
    if isinstance(given, cst.BooleanOperation) and isinstance(given.operator, cst.Or):
        given = given.right if left is not None and given.left.deep_equals(left) else None
    if isinstance(given, cst.Name):
        return _count_named(given.value, function.scope_of(given), function)
    if isinstance(given, (cst.List, cst.Set, cst.Tuple)):
        return len(given.elements) if all(isinstance(e, cst.Element) for e in given.elements) else 0
    return 0


def _count_named(name: str, scope: Scope, function: Function) -> int:
    """How many there are in ``tasks = [task]`` where nothing is done with it that could add to it."""
    bindings = scope.bindings.get(name, ())
    value = bindings[0].value if len(bindings) == 1 and bindings[0].kind == "assign" else None
    if not isinstance(value, (ast.List, ast.Set, ast.Tuple)):
        return 0
    taken = function.once(("taken names", scope), lambda: set(_taken_in(scope)))
    return (
        0 if name in taken or any(isinstance(part, ast.Starred) for part in value.elts) else len(value.elts)
    )


def _taken_in(scope: Scope) -> Iterator[str]:
    """The names of what calls in a function are methods of, or are given and may change."""
    for node in ast.walk(scope.node):
        if isinstance(node, ast.Call):
            yield from _taken(node)


def _taken(call: ast.Call) -> set[str]:
    given = [] if called(call) in READING else [*call.args, *(keyword.value for keyword in call.keywords)]
    if isinstance(call.func, ast.Attribute):
        given.append(call.func.value)
    return {value.id for value in given if isinstance(value, ast.Name)}


def _is_none(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Name) and node.value == "None"
