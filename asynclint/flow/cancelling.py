"""Whether a coroutine ends when it is cancelled, as far as its text tells."""

from __future__ import annotations

import ast

from asynclint.flow.expiry import own_nodes
from asynclint.knowledge.asyncs import SLEEPS
from asynclint.project.index.values import Calling, Class, Function, Instance
from asynclint.project.names import chain
from asynclint.project.project import Project
from asynclint.source.outline import Scope

MAX_DEPTH = 3
# Context managers and methods of asyncio that a cancellation goes straight through (its "Synchronization
# Primitives" and "Queues" pages).
THROUGH = frozenset({"asyncio.locks", "asyncio.queues"})


def lets_itself_be_cancelled(
    coroutine: ast.expr | None, scope: Scope, project: Project, depth: int = 0
) -> bool:
    """Whether all that a coroutine awaits is read, and nothing in it catches or outlasts a cancellation."""
    if not isinstance(coroutine, ast.Call):
        return False
    if any(name in SLEEPS for name in chain(coroutine.func, scope, project.modules)):
        return True
    value = project.inference.value(coroutine.func, scope)
    if not isinstance(value, Function) or value.calling is not Calling.COROUTINE:
        return False
    if value.scope.outline.is_stub:
        return _is_of_asyncio(value)
    nodes = own_nodes(value.scope)
    if depth >= MAX_DEPTH or any(isinstance(node, HOLDING) for node in nodes):
        return False
    awaits = [node.value for node in nodes if isinstance(node, ast.Await)]
    return all(lets_itself_be_cancelled(awaited, value.scope, project, depth + 1) for awaited in awaits)


HOLDING = (ast.Try, ast.TryStar, ast.With, ast.AsyncWith, ast.AsyncFor, ast.Yield, ast.YieldFrom)


def _is_of_asyncio(function: Function) -> bool:
    receiver = function.receiver
    cls = receiver.cls if isinstance(receiver, Instance) else receiver
    path = (cls.scope if isinstance(cls, Class) else function.scope).outline.path
    return f"{path.parent.name}.{path.stem}" in THROUGH
