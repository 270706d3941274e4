"""What a test asserts of a task."""

from __future__ import annotations

import ast
from collections.abc import Sequence

import libcst as cst

from asynclint.source.function import Function
from asynclint.source.written import called

EQUAL = frozenset(
    ["assertEqual", "assertIs", "assertListEqual", "assertTupleEqual", "assertSetEqual", "assertCountEqual"]
)


def is_asserted(function: Function, node: cst.CSTNode) -> bool:
    """Whether a node is part of what an assertion looks at."""
    for outer in function.parents(node):
        if isinstance(outer, cst.Assert) or _assertion(function, outer):
            return True
        if isinstance(outer, (cst.BaseSmallStatement, cst.BaseCompoundStatement)):
            break
    return False


def is_demanded(function: Function, node: cst.CSTNode) -> bool:
    """Whether an assertion fails unless a node is true: alone, with ``and``, in ``all(…)``.

    Also as one of several that are compared with as many ``True``: ``[a.done(), b.done()] == [True, True]``.
    """
    inner, collected, place = node, False, slice(None)
    for outer in function.parents(node):
        match outer:
            case cst.Assert():
                return outer.test is inner and not collected
            case cst.BooleanOperation(operator=cst.And()) | cst.Arg() | cst.Element():
                pass
            case cst.GeneratorExp(elt=part) | cst.ListComp(elt=part) | cst.SetComp(elt=part) if part is inner:
                collected = True
            case cst.List(elements) | cst.Tuple(elements):
                collected, place = True, slice((number := elements.index(inner)), number + 1)
            case cst.Comparison(left=left, comparisons=[cst.ComparisonTarget(operator, right)]):
                other = right if left is inner else left
                if not _says_true(operator, other, collected, place):
                    return False
                collected = False
            case cst.ComparisonTarget():
                continue  # the comparison knows it as one of its sides
            case cst.Call(args=args) if _assertion(function, outer):
                return _asserts_true(_assertion(function, outer), args, inner, collected, place)
            case cst.Call(func=cst.Name(value="all")):
                collected = False
            case cst.Call(func=cst.Name(value="bool")) if not collected:
                pass
            case _:
                return False
        inner = outer
    return False


def _asserts_true(
    name: str, args: Sequence[cst.Arg], inner: cst.CSTNode, collected: bool, place: slice
) -> bool:
    """``assertTrue(x)``, ``assertEqual(x, True)``, ``assertIs(True, x)``."""
    if name == "assertTrue":
        return args[0] is inner and not collected
    others = [arg.value for arg in args[:2] if arg is not inner]
    return name in EQUAL and len(others) == 1 and _says_true(cst.Equal(), others[0], collected, place)


def _says_true(operator: cst.BaseCompOp, other: cst.BaseExpression, collected: bool, place: slice) -> bool:
    """Whether what is compared with something is true; where ``collected``, the parts of it at a place."""
    if not collected and isinstance(other, cst.Name):
        said = "False" if isinstance(operator, (cst.NotEqual, cst.IsNot)) else "True"
        return other.value == said
    if isinstance(other, cst.BinaryOperation):  # ``[True] * 3``
        other, place = other.left, slice(None)
    parts = other.elements if isinstance(other, (cst.List, cst.Tuple, cst.Set)) else ()
    trues = [isinstance(part.value, cst.Name) and part.value.value == "True" for part in parts[place]]
    return collected and isinstance(operator, cst.Equal) and bool(trues) and all(trues)


def is_denied(function: Function, node: cst.CSTNode) -> bool:
    """``assert not task.done()``, ``assert task.done() is False``, ``self.assertFalse(task.done())``."""
    match function.parent(node):
        case cst.Comparison(comparisons=[cst.ComparisonTarget(operator=operator, comparator=right), *_]):
            affirming = "False" if isinstance(operator, (cst.NotEqual, cst.IsNot)) else "True"
            return not (isinstance(right, cst.Name) and right.value == affirming)
        case cst.Arg() as arg:
            call = function.parent(arg)
            others = [a.value for a in call.args[:2] if a is not arg] if isinstance(call, cst.Call) else []
            denying = "True" if "Not" in _assertion(function, call) else "False"
            denied = any(isinstance(other, cst.Name) and other.value == denying for other in others)
            return denied or _assertion(function, call) == "assertFalse"
        case cst.UnaryOperation():
            return True
    return False


def is_gone(function: Function, node: cst.CSTNode) -> bool:
    """``task not in asyncio.all_tasks()``, ``self.assertNotIn(task, asyncio.all_tasks())``."""
    match function.parent(node):
        case cst.Comparison(comparisons=[cst.ComparisonTarget(operator=cst.NotIn(), comparator=tasks)]) as it:
            return isinstance(function.parent(it), cst.Assert) and _are_all(function, tasks)
        case cst.Arg() as arg:
            call = function.parent(arg)
            given = call.args if isinstance(call, cst.Call) else ()
            is_left_out = _assertion(function, call) == "assertNotIn" and len(given) > 1
            return is_left_out and arg is given[0] and _are_all(function, given[1].value)
    return False


def _are_all(function: Function, tasks: cst.CSTNode) -> bool:
    twin = function.ast_of(tasks) if isinstance(tasks, cst.Call) else None
    return isinstance(twin, ast.Call) and called(twin) == "all_tasks" and not twin.args


def _assertion(function: Function, call: cst.CSTNode | None) -> str:
    """The last part of the name of an assertion that is called: ``assertTrue``; else empty."""
    twin = function.ast_of(call) if isinstance(call, cst.Call) else None
    name = called(twin) if isinstance(twin, ast.Call) else ""
    return name if name.startswith("assert") else ""
