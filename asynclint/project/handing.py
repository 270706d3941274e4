"""What is given to code that may do anything with it, by how it is written; see asynclint.flow.fates."""

from __future__ import annotations

import ast

from asynclint.knowledge.asyncs import (
    BOUNDED_CALLS,
    CONTAINER_TAKES,
    CONTAINERS,
    GATHERING,
    LOOKING_CALLS,
    PASSED_ON,
    PASSING_CALLS,
    UNBOUND,
)
from asynclint.project.index.values import Function
from asynclint.project.names import chain
from asynclint.project.project import Project
from asynclint.source.outline import Scope
from asynclint.source.written import called

MADE = (ast.List, ast.Set, ast.Dict, ast.Tuple, ast.ListComp, ast.SetComp, ast.DictComp)
SEEN_THROUGH = LOOKING_CALLS | PASSING_CALLS | CONTAINER_TAKES | {"run_until_complete"}


def hands_on(call: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether a call is of something that can't be read: it may end what it is given, or keep it."""
    name = called(call)
    if name in SEEN_THROUGH or name.startswith("assert"):
        return False
    for dotted in chain(call.func, scope, project.modules):
        passes = dotted.startswith("asyncio.") and dotted.endswith(PASSED_ON)
        if passes or dotted in GATHERING or dotted in BOUNDED_CALLS or dotted.startswith(UNBOUND):
            return False
    value = project.inference.value(call.func, scope)
    return not isinstance(value, Function) or value.scope.outline.is_stub


def is_container(name: str, scope: Scope) -> bool:
    """Whether a name is local, and given nothing but containers that are made on the spot."""
    found = scope.bindings.get(name, []) if name not in scope.facts.outer else []
    values = [binding.value for binding in found if binding.kind == "assign"]
    return bool(values) and all(
        isinstance(value, MADE) or (isinstance(value, ast.Call) and called(value) in CONTAINERS)
        for value in values
    )
