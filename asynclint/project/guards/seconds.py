"""How long: the number an expression stands for, and how long what a function waits for may take."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Final

from asynclint.project.index.classes import ancestors
from asynclint.project.index.values import Class, Instance
from asynclint.project.names import chain, definition
from asynclint.project.project import Project
from asynclint.source.outline import FUNCTIONS, Outline, Scope

MAX_HOPS = 8


class Unread:
    """The type of ``UNREAD``."""


UNREAD: Final = Unread()
Number = float | None | Unread  # seconds, Python's None, or an expression that can't be read
Environment = Mapping[str, Number]

_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda a, b: a / b if b else math.inf,
}


def number(
    expr: ast.AST | None,
    scope: Scope,
    project: Project,
    given: Environment | None = None,
    hops: int = MAX_HOPS,
) -> Number:
    """The number (or None) an expression always evaluates to, constants of the project followed.

    ``given`` holds the values of parameters of the scope's function.
    """
    if hops <= 0 or expr is None:
        return UNREAD
    match expr:
        case ast.Constant(value=None):
            return None
        case ast.Constant(value=bool() as flag):
            return UNREAD if flag else 0.0
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = number(operand, scope, project, given, hops - 1)
            return -inner if isinstance(inner, float) else UNREAD
        case ast.BinOp(left=left, op=op, right=right):
            apply = _OPERATORS.get(type(op))
            a = number(left, scope, project, given, hops - 1)
            b = number(right, scope, project, given, hops - 1)
            if apply is None or not isinstance(a, float) or not isinstance(b, float):
                return UNREAD
            return apply(a, b)
        case ast.Call(func=ast.Name(id="float"), args=[ast.Constant(value=str(text))]):
            try:
                return float(text)
            except ValueError:
                return UNREAD
        case ast.Call(func=ast.Name(id="max" | "min" as pick), args=args, keywords=[]) if args:
            parts = [number(arg, scope, project, given, hops - 1) for arg in args]
            numbers = [part for part in parts if isinstance(part, float)]
            return (max if pick == "max" else min)(numbers) if len(numbers) == len(parts) else UNREAD
        case ast.Name(id=name):
            if given is not None and name in given:
                return given[name]
            return _named(expr, scope, project, hops)
        case ast.Attribute():
            return _attribute(expr, scope, project, hops)
    return UNREAD


def _named(expr: ast.expr, scope: Scope, project: Project, hops: int) -> Number:
    if "math.inf" in chain(expr, scope, project.modules):
        return math.inf
    found = definition(expr, scope, project.modules)
    if found is None:
        return UNREAD
    node, owner = found
    value = number(node, owner, project, None, hops - 1) if node is not expr else UNREAD
    if isinstance(value, Unread):
        return UNREAD
    name = expr.id if isinstance(expr, ast.Name) else getattr(expr, "attr", "")
    return UNREAD if any(_is_rebound(name, where.outline, project) for where in {scope, owner}) else value


def _is_rebound(name: str, outline: Outline, project: Project) -> bool:
    """Whether a module gives a name another value from a function or through an attribute."""
    key = ("rebound", name, outline)
    pattern = rf"\bglobal\b[^\r\n]*\b{name}\b|\.{name} = "
    return project.remembered(key, lambda: re.search(pattern, outline.text.text) is not None)


def _attribute(expr: ast.Attribute, scope: Scope, project: Project, hops: int) -> Number:
    """``module.NAME``, or a constant of a class: ``self.TIMEOUT``, ``Base.TIMEOUT``."""
    read = _named(expr, scope, project, hops)
    if not isinstance(read, Unread):
        return read
    receiver = project.inference.value(expr.value, scope)
    cls = receiver.cls if isinstance(receiver, Instance) else receiver
    if not isinstance(cls, Class):
        return UNREAD
    name, text = expr.attr, cls.scope.outline.text.text
    defined = sum(expr.attr in other.bindings for other in cls.scope.outline.classes)
    if defined > 1 or re.search(rf"\.{name} = ", text):
        return UNREAD  # of a subclass, or of the object itself
    for ancestor in ancestors(cls, project.inference):
        if ancestor is None:
            return UNREAD
        bindings = ancestor.scope.bindings.get(expr.attr)
        if bindings:
            value = bindings[0].value if len(bindings) == 1 else None
            return number(value, ancestor.scope, project, None, hops - 1)
    return UNREAD


def argument(call: ast.Call, position: int, *names: str) -> ast.expr | None:
    """An argument by position or keyword; None where it isn't given or may hide in ``*args``."""
    if position >= 0 and len(call.args) > position:
        if any(isinstance(arg, ast.Starred) for arg in call.args[: position + 1]):
            return None
        return call.args[position]
    return next((keyword.value for keyword in call.keywords if keyword.arg in names), None)


def bind(
    call: ast.Call,
    function: Scope,
    scope: Scope,
    project: Project,
    *,
    bound: bool,
    given: Environment | None = None,
) -> dict[str, Number]:
    """Numbers that a call gives a function's parameters, defaults included.

    ``bound`` says that the call leaves out the first parameter (a method on its object); ``given``
    holds the values of the caller's own parameters.
    """
    node = function.node
    assert isinstance(node, FUNCTIONS)
    outside = function.parent or function
    positional = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args)]
    values: dict[str, Number] = dict.fromkeys((arg.arg for arg in function.parameters), UNREAD)
    defaults = node.args.defaults
    for name, default in zip(positional[len(positional) - len(defaults) :], defaults, strict=True):
        values[name] = number(default, outside, project)
    for arg, keyword_default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
        values[arg.arg] = number(keyword_default, outside, project)
    for name, value in zip(positional[1 if bound else 0 :], call.args, strict=False):
        values[name] = number(value, scope, project, given)
        if isinstance(value, ast.Starred):
            return dict.fromkeys(values, UNREAD)
    for keyword in call.keywords:
        if keyword.arg is None:
            return dict.fromkeys(values, UNREAD)
        values[keyword.arg] = number(keyword.value, scope, project, given)
    return values
