"""What a test asserts of a task."""

from __future__ import annotations

import ast

import libcst as cst

from asynclint.source.function import Function
from asynclint.source.written import called


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

    Nothing else may hold in its place, nor is it a part of something that is compared.
    """
    inner = node
    for outer in function.parents(node):
        match outer:
            case cst.Assert():
                return outer.test is inner
            case cst.Comparison(left=left):
                demanded = left is inner and not is_denied(function, inner)
            case cst.BooleanOperation(operator=operator):
                demanded = isinstance(operator, cst.And)
            case cst.GeneratorExp(elt=element) | cst.ListComp(elt=element):
                demanded = element is inner
            case cst.Arg():
                demanded = True
            case cst.Call(args=[first, *others]) if _assertion(function, outer):
                name = _assertion(function, outer)
                values = [arg.value for arg in others if isinstance(arg.value, cst.Name)]
                equals_true = name in ("assertEqual", "assertIs") and [v.value for v in values[:1]] == [
                    "True"
                ]
                return first is inner and (name == "assertTrue" or equals_true)
            case cst.Call(func=cst.Name(value=name)):
                demanded = name == "all"
            case _:
                demanded = False
        if not demanded:
            return False
        inner = outer
    return False


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
