"""How often the loops of a function run what is in them."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator

from asynclint.project.guards.seconds import Environment, Number, number
from asynclint.project.names import definition
from asynclint.project.project import Project
from asynclint.source.outline import FUNCTIONS, Scope
from asynclint.source.walk import child_fields

UNKNOWN = math.nan
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)
SAME_LENGTH = frozenset({"enumerate", "reversed", "sorted", "list", "tuple", "iter"})


def repeats(scope: Scope, project: Project, given: Environment | None = None) -> dict[int, float]:
    """``id`` of each call in a loop of a scope's own body to how often it runs; NaN if that can't be told."""
    found: dict[int, float] = {}
    if isinstance(scope.node, (*FUNCTIONS, ast.Lambda)):
        body = scope.node.body
        for node in body if isinstance(body, list) else [body]:
            _count(node, 1.0, scope, project, given, found)
    return found


def _count(
    node: ast.AST,
    times: float,
    scope: Scope,
    project: Project,
    given: Environment | None,
    found: dict[int, float],
) -> None:
    if isinstance(node, (*FUNCTIONS, ast.Lambda, ast.ClassDef)):
        return
    if isinstance(node, ast.Call) and times != 1.0:
        found[id(node)] = times
    inside = times
    repeated: frozenset[str] = frozenset()
    if isinstance(node, (ast.For, ast.AsyncFor)):
        inside, repeated = times * length(node.iter, scope, project, given), frozenset({"body"})
    elif isinstance(node, ast.While):
        inside, repeated = UNKNOWN, frozenset({"body", "test"})
    elif isinstance(node, COMPREHENSIONS):
        for generator in node.generators:
            inside *= length(generator.iter, scope, project, given)
        repeated = frozenset({"elt", "key", "value"})
    for name, child in _children(node):
        _count(child, inside if name in repeated else times, scope, project, given, found)


def _children(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    for name in child_fields(type(node)):
        value = getattr(node, name, None)
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield name, child


def _whole(expr: ast.expr, scope: Scope, project: Project, given: Environment | None) -> Number:
    """A number of ``range``, ``len(CONSTANT)`` too."""
    if isinstance(expr, ast.Call) and isinstance(expr.func, ast.Name) and expr.func.id == "len" and expr.args:
        return length(expr.args[0], scope, project, given)
    return number(expr, scope, project, given)


def length(iterated: ast.expr, scope: Scope, project: Project, given: Environment | None = None) -> float:
    """How many items a ``for`` loop sees; NaN where that can't be told."""
    match iterated:
        case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items):
            return UNKNOWN if any(isinstance(item, ast.Starred) for item in items) else float(len(items))
        case ast.Dict(keys=keys):
            return UNKNOWN if None in keys else float(len(keys))
        case ast.Constant(value=str() | bytes() as text):
            return float(len(text))
        case ast.Call(func=ast.Name(id="range"), args=args, keywords=[]):
            numbers = [_whole(arg, scope, project, given) for arg in args]
            whole = [int(n) for n in numbers if isinstance(n, float) and n.is_integer()]
            if len(whole) != len(args) or not 1 <= len(whole) <= 3 or (len(whole) == 3 and whole[2] == 0):
                return UNKNOWN
            return float(len(range(*whole)))
        case ast.Call(func=ast.Name(id=name), args=[first, *_]) if name in SAME_LENGTH:
            return length(first, scope, project, given)
        case ast.Call(func=ast.Name(id="zip"), args=[_, *_] as args):
            known = [n for n in (length(arg, scope, project, given) for arg in args) if not math.isnan(n)]
            return min(known, default=UNKNOWN)
        case ast.BinOp(left=ast.List() | ast.Tuple() | ast.Constant() as items, op=ast.Mult(), right=times):
            count = number(times, scope, project, given)
            return length(items, scope, project, given) * count if isinstance(count, float) else UNKNOWN
        case ast.Name() | ast.Attribute():
            found = definition(iterated, scope, project.modules)
            if found is not None and isinstance(found[0], ast.expr) and found[0] is not iterated:
                return length(found[0], found[1], project)
    return UNKNOWN
