"""Whether a task ends when it is cancelled, as far as the text of its coroutine tells."""

from __future__ import annotations

import ast

from asynclint.flow.lives import Life
from asynclint.knowledge.asyncs import SLEEPS
from asynclint.project.guards.replaced import is_replaced
from asynclint.project.guards.tests import test_of
from asynclint.project.index.values import Calling, Class, Function, Instance
from asynclint.project.names import chain
from asynclint.project.project import Project
from asynclint.source.nodes import own_nodes
from asynclint.source.outline import Scope
from asynclint.source.written import called

MAX_DEPTH = 3
OWN_LOOP = frozenset({"asyncio.create_task", "asyncio.tasks.create_task"})
# Classes of asyncio whose waits a cancellation goes straight through (its "Synchronization Primitives" and
# "Queues" pages); a Condition takes its lock again first.
THROUGH = frozenset({"Event", "Queue", "PriorityQueue", "LifoQueue"})
HOLDING = (ast.With, ast.AsyncWith, ast.AsyncFor, ast.Yield, ast.YieldFrom)
TRYING = (ast.Try, ast.TryStar)
LEAVING = (ast.Await, ast.Return, ast.Break, ast.Continue)


def ends_when_cancelled(life: Life, project: Project) -> bool:
    """Whether a test's task is of the loop that runs the test, has one name, and lets itself be cancelled."""
    names = chain(life.call.func, life.scope, project.modules)
    if test_of(life.scope, project) is None or life.trace.many or not any(n in OWN_LOOP for n in names):
        return False
    return lets_itself_be_cancelled(life, project, surely=True)


def lets_itself_be_cancelled(life: Life, project: Project, *, surely: bool = False) -> bool:
    """Whether a task is over as soon as it comes to run again, as far as its coroutine is read.

    ``surely`` also where an object may be of an heir or a patched one, whose methods may be others.
    """
    args = life.call.args
    return bool(args) and _lets_itself_be_cancelled(args[0], life.scope, project, 0, surely=surely)


def _lets_itself_be_cancelled(
    coroutine: ast.expr, scope: Scope, project: Project, depth: int, *, surely: bool
) -> bool:
    """Whether all that a coroutine awaits is read, and nothing in it catches or outlasts a cancellation."""
    if isinstance(coroutine, ast.Name):
        return _is_future(coroutine.id, scope)
    if not isinstance(coroutine, ast.Call) or (surely and is_replaced(coroutine.func, scope, project)):
        return False
    if any(name in SLEEPS for name in chain(coroutine.func, scope, project.modules)):
        return True
    value = project.inference.value(coroutine.func, scope)
    if not isinstance(value, Function) or value.calling is not Calling.COROUTINE:
        return False
    if value.scope.outline.is_stub:
        return _is_of_asyncio(value)
    facts, nodes = value.scope.facts, own_nodes(value.scope)
    # a method may be another one's in an heir, a decorator may do anything
    may_be_others = surely and value.receiver is not None and value.receiver.open
    if depth >= MAX_DEPTH or may_be_others or value.scope.decorators or facts.async_fors:
        return False
    if any(isinstance(node, HOLDING) or _holds_on(node) for node in nodes):
        return False
    awaits = [node.value for node in nodes if isinstance(node, ast.Await)]
    return all(
        _lets_itself_be_cancelled(wait, value.scope, project, depth + 1, surely=surely) for wait in awaits
    )


def _holds_on(node: ast.AST) -> bool:
    """A ``try`` that may catch a cancellation, jumps out of it, or waits behind it."""
    if not isinstance(node, TRYING):
        return False
    finishing = (part for statement in node.finalbody for part in ast.walk(statement))
    return bool(node.handlers) or any(isinstance(part, LEAVING) for part in finishing)


def _is_future(name: str, scope: Scope) -> bool:
    """``waiter = loop.create_future()``: what waits for it is cancelled with it."""
    values = [binding.value for binding in scope.bindings.get(name, ())]
    return bool(values) and all(isinstance(v, ast.Call) and called(v) == "create_future" for v in values)


def _is_of_asyncio(function: Function) -> bool:
    receiver = function.receiver
    cls = receiver.cls if isinstance(receiver, Instance) else receiver
    if not isinstance(cls, Class):
        return False
    return cls.scope.name in THROUGH and cls.scope.outline.directory.name == "asyncio"
