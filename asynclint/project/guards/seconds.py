"""How long: the number an expression stands for, and how long what a function waits for may take."""

from __future__ import annotations

import ast
import math
import operator
import re
import sys
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from asynclint.project.index.classes import ancestors, is_dynamic
from asynclint.project.index.values import Class, Instance
from asynclint.project.names import chain, definition
from asynclint.project.project import Project
from asynclint.source.outline import FUNCTIONS, Outline, Scope

MAX_HOPS = 8


class Unread:
    """The type of ``UNREAD``."""


UNREAD: Final = Unread()
Number = float | None | Unread  # seconds, Python's None, or an expression that can't be read


class Receiver(NamedTuple):
    """An object whose class is known exactly, with the numbers that its constructor put on it."""

    cls: Scope
    stored: tuple[tuple[str, Number], ...] = ()


Environment = Mapping[str, Number | Receiver]  # what names stand for in a function

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

    ``given`` holds what parameters of the scope's function stand for.
    """
    if hops <= 0 or expr is None:
        return UNREAD
    match expr:
        case ast.Constant(value=None):
            return None
        case ast.Constant(value=bool() as flag):
            return UNREAD if flag else 0.0
        case ast.Constant(value=int() | float() as value):
            return float(value) if value < sys.float_info.max else UNREAD
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
        case ast.Name(id=name):
            if given is not None and name in given:
                return _given(name, scope, given)
            return _named(expr, scope, project, hops)
        case ast.Attribute(value=ast.Name(id=name)) if receiver := _receiver(name, given):
            return _of_object(receiver, expr.attr, project, hops)
        case ast.Attribute():
            return _attribute(expr, scope, project, hops)
        case ast.Call():
            return _called(expr, scope, project, given, hops - 1)
    return UNREAD


def _called(call: ast.Call, scope: Scope, project: Project, given: Environment | None, hops: int) -> Number:
    """What the builtins that numbers go through give."""
    match call:
        case ast.Call(func=ast.Name(id="float"), args=[ast.Constant(value=str(text))]):
            try:
                return float(text)
            except ValueError:
                return UNREAD
        case ast.Call(func=ast.Name(id="max" | "min" as pick), args=args, keywords=[]) if args:
            parts = [number(arg, scope, project, given, hops) for arg in args]
            numbers = [part for part in parts if isinstance(part, float)]
            return (max if pick == "max" else min)(numbers) if len(numbers) == len(parts) else UNREAD
        case ast.Call(
            func=ast.Name(id="getattr"), args=[ast.Name(id=name), ast.Constant(value=str(attr)), default]
        ):
            receiver = _receiver(name, given)
            otherwise = number(default, scope, project, given, hops)
            return _of_object(receiver, attr, project, hops, otherwise) if receiver is not None else UNREAD
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


def _given(name: str, scope: Scope, given: Environment) -> Number:
    """What a parameter was given; ``seconds = seconds or 5`` makes another thing of it."""
    value = given[name]
    found = scope.lookup(name)
    is_rebound = found is not None and len(found[1]) > 1
    return UNREAD if isinstance(value, Receiver) or is_rebound else value


def _receiver(name: str, given: Environment | None) -> Receiver | None:
    value = given.get(name) if given is not None else None
    return value if isinstance(value, Receiver) else None


def _of_object(
    receiver: Receiver, name: str, project: Project, hops: int, otherwise: Number = UNREAD
) -> Number:
    """An attribute of an object; ``otherwise`` where it surely has none of that name."""
    stored = dict(receiver.stored)
    if name in stored:
        return stored[name]
    cls = Class(receiver.cls)
    for ancestor in ancestors(cls, project.inference):
        if ancestor is None:
            return UNREAD
        if not ancestor.scope.outline.is_stub and _is_set_later(ancestor.scope, name):
            return UNREAD
        bindings = ancestor.scope.bindings.get(name)
        if bindings:
            value = bindings[0].value if len(bindings) == 1 else None
            return number(value, ancestor.scope, project, None, hops - 1)
    return UNREAD if is_dynamic(cls, project.inference) else otherwise


def _is_set_later(cls: Scope, name: str) -> bool:
    """Whether an attribute is set by a method (``self.limit = 5``), or on the class from outside."""
    outside = rf"(?<![\w.])(?!(?:self|cls)\.{name}\b)[\w.]+\.{name} = |setattr\([^)\n]*\b{name}\b"
    if re.search(outside, cls.outline.text.text):
        return True
    inside = (inner for method in cls.facts.scopes for inner in method.nested())
    return any(target.attr == name for inner in inside for target, _ in inner.facts.attributes)


def bind(
    call: ast.Call,
    function: Scope,
    scope: Scope,
    project: Project,
    *,
    bound: bool,
    given: Environment | None = None,
) -> dict[str, Number | Receiver]:
    """What a call gives a function's parameters, defaults included.

    ``bound`` says that the call leaves out the first parameter (a method on its object); ``given``
    holds what the caller's own parameters stand for.
    """
    node = function.node
    assert isinstance(node, FUNCTIONS)
    outside = function.parent or function
    positional = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args)]
    values: dict[str, Number | Receiver] = dict.fromkeys((arg.arg for arg in function.parameters), UNREAD)
    defaults = node.args.defaults
    for name, default in zip(positional[len(positional) - len(defaults) :], defaults, strict=True):
        values[name] = number(default, outside, project)
    for arg, keyword_default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
        values[arg.arg] = number(keyword_default, outside, project)
    for name, value in zip(positional[1 if bound else 0 :], call.args, strict=False):
        values[name] = _passed(value, scope, project, given)
        if isinstance(value, ast.Starred):
            return dict.fromkeys(values, UNREAD)
    for keyword in call.keywords:
        if keyword.arg is None:
            return dict.fromkeys(values, UNREAD)
        values[keyword.arg] = _passed(keyword.value, scope, project, given)
    return values


def _passed(value: ast.expr, scope: Scope, project: Project, given: Environment | None) -> Number | Receiver:
    receiver = _receiver(value.id, given) if isinstance(value, ast.Name) else None
    return receiver or number(value, scope, project, given)
