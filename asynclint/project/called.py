"""What a scope calls: the first questions of triggers, answered once for all of them."""

from __future__ import annotations

import ast
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

from asynclint.project.index.values import Class, Function
from asynclint.project.names import chain
from asynclint.project.project import Project
from asynclint.source.outline import FUNCTIONS, Scope
from asynclint.source.written import last_name

PASSING = ("wait_for", "shield")


@dataclass(frozen=True, slots=True)
class Kept:
    """A call, or the ``await`` of one (``value``), that an assignment keeps or a statement is.

    ``function`` is what it calls: one of the project or of an installed package.
    """

    value: ast.expr
    function: Function


def kept(scope: Scope, project: Project) -> Sequence[Kept]:
    """What a scope keeps of what functions give that it calls plainly or on ``self``, in source order."""
    if not scope.facts.kept:
        return ()
    return project.remembered(("kept", scope), lambda: tuple(_kept(scope, project)))


def _kept(scope: Scope, project: Project) -> Iterator[Kept]:
    for value in scope.facts.kept:
        call = passed(value.value) if isinstance(value, ast.Await) else value
        if isinstance(call, ast.Call) and may_be_plain(call.func, scope):
            function = project.inference.value(call.func, scope)
            if isinstance(function, Function) and not function.scope.outline.is_stub:
                yield Kept(value, function)


def always_raises(call: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether it calls a function that gives nothing back: it is annotated so, or ends in a ``raise``."""
    value = project.inference.value(call.func, scope)
    node = value.scope.node if isinstance(value, Function) else None
    if not isinstance(node, FUNCTIONS):
        return False
    if node.returns is not None:
        return last_name(node.returns) in ("NoReturn", "Never")
    assert isinstance(value, Function)
    return isinstance(node.body[-1], ast.Raise) and not value.scope.facts.returns


def passed(expr: ast.expr) -> ast.expr:
    """``connect()`` of ``wait_for(connect(), 5)``."""
    while isinstance(expr, ast.Call) and last_name(expr.func) in PASSING and expr.args:
        expr = expr.args[0]
    return expr


def may_be_plain(func: ast.expr, scope: Scope) -> bool:
    """A plain function, or a method on ``self``: what any other object makes is that object's to end."""
    if isinstance(func, ast.Attribute):
        if not isinstance(func.value, ast.Name):
            return False
        if func.value.id in ("self", "cls"):
            return True
        found = scope.lookup(func.value.id)
        return found is not None and found[1][0].kind in ("import", "from")
    found = scope.lookup(func.id) if isinstance(func, ast.Name) else None
    return found is not None and found[1][0].kind in ("def", "from")


def named(
    scope: Scope, last_names: frozenset[str], dotted: Container[str], project: Project
) -> Iterator[ast.Call]:
    """Calls in a scope's own body that may be of what a table holds, by dotted names and by their last parts.

    Whatever has such a last name is one, and a plain name that is imported as one of the dotted names.
    """
    facts = scope.facts
    for name in facts.methods.keys() & last_names:
        yield from facts.methods[name]
    for name in facts.functions.keys() & last_names:
        yield from facts.functions[name]
    for name, dotted_names in _renamed(scope, project).items():
        if name not in last_names and any(other in dotted for other in dotted_names):
            yield from facts.functions[name]


def _renamed(scope: Scope, project: Project) -> Mapping[str, tuple[str, ...]]:
    """Dotted names of the functions that a scope calls by a name that an import or assignment gives them."""
    if not scope.facts.functions:
        return {}
    return project.remembered(("renamed", scope), lambda: dict(_aliases(scope, project)))


def _aliases(scope: Scope, project: Project) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, calls in scope.facts.functions.items():
        found = scope.lookup(name)
        if found is None:
            if scope.outline.scope.facts.stars:
                yield name, chain(calls[0].func, scope, project.modules)
        elif found[1][0].kind in ("from", "import", "assign"):
            yield name, chain(calls[0].func, scope, project.modules)


def run_by(func: ast.expr, scope: Scope, project: Project) -> Scope | None:
    """The function of the project that a call of ``func`` runs; what makes an object is its ``__init__``."""
    value = project.inference.value(func, scope)
    if isinstance(value, Class):
        value = project.inference.attribute(value, "__init__")
    if not isinstance(value, Function) or value.scope.outline.is_stub or not value.scope.is_function:
        return None
    return value.scope
