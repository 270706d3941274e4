"""Where tasks are made."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from asynclint.knowledge.asyncs import LOOP_GETTERS, SPAWN_METHODS, SPAWNS
from asynclint.project.called import kept, may_be_plain, named
from asynclint.project.guards.replaced import is_replaced
from asynclint.project.guards.tests import is_fixture
from asynclint.project.index.evidence import looks_mocked
from asynclint.project.index.values import Calling, Function, Instance
from asynclint.project.names import chain
from asynclint.project.project import Project
from asynclint.source.outline import Scope
from asynclint.source.written import called

MAX_DEPTH = 3
SETUP = re.compile(r"(async)?set_?up(_method|_class|Class)?|setup_async|setUpAsync", re.IGNORECASE)
LOOP_CALLS = ("get_running_loop", "get_event_loop", "new_event_loop")
SPAWN_NAMES = frozenset({"create_task", "ensure_future", "run_coroutine_threadsafe"})


def sites(scope: Scope, project: Project) -> list[ast.Call]:
    """The calls in a scope's own body that start a task which is for it to finish, in source order."""
    return project.remembered(("task sites", scope), lambda: list(_sites(scope, project)))


def starts_tasks(unit: Scope, project: Project) -> bool:
    """Whether a function, or what is nested in it, starts a task."""
    return project.remembered(
        ("starts tasks", unit),
        lambda: any(sites(scope, project) for scope in unit.nested() if scope.is_function),
    )


def is_setup(scope: Scope, project: Project) -> bool:
    """Whether a function is a fixture, or a method that prepares the tests of its class."""
    if scope.enclosing_class is not None and SETUP.fullmatch(scope.name):
        return True
    return bool(scope.decorators) and is_fixture(scope, project) is not None


def _sites(scope: Scope, project: Project) -> Iterator[ast.Call]:
    """Functions of other names that start tasks are found where a statement has nothing but their call."""
    facts = scope.facts
    may_spawn = {id(call) for call in named(scope, SPAWN_NAMES, SPAWNS, project)}
    may_spawn |= {id(made.value) for made in kept(scope, project) if made.function.calling is Calling.SYNC}
    for call in facts.calls if may_spawn else ():
        if id(call) in may_spawn and spawns(call, scope, project):
            yield call


def spawns(call: ast.Call, scope: Scope, project: Project, depth: int = 0) -> bool:
    """Whether a call starts a task that is its caller's to finish.

    ``asyncio.create_task`` and its kin, a loop's ``create_task``, and project functions that do
    nothing with the task but return it. Not the methods of a TaskGroup or nursery: the group owns those.
    """
    named = any(name in SPAWNS for name in chain(call.func, scope, project.modules))
    method = isinstance(call.func, ast.Attribute) and call.func.attr in SPAWN_METHODS
    if named or method:
        if not named and not is_loop(call.func.value, scope, project):  # type: ignore[attr-defined]
            return False
        return not is_replaced(call.func, scope, project) and not _is_task_already(call, scope, project)
    return depth < MAX_DEPTH and _wraps_spawn(call, scope, project, depth)


def is_loop(receiver: ast.expr, scope: Scope, project: Project) -> bool:
    """An event loop, by construction or by what everybody calls one (fixtures hand them out)."""
    if isinstance(receiver, ast.Call):
        if any(name in LOOP_GETTERS for name in chain(receiver.func, scope, project.modules)):
            return True
        return isinstance(receiver.func, ast.Attribute) and receiver.func.attr in (
            "get_loop",
            "get_event_loop",
        )
    name = receiver.attr if isinstance(receiver, ast.Attribute) else getattr(receiver, "id", "")
    if (name != "loop" and not name.endswith("_loop")) or "mock" in name.lower():
        return False
    found = scope.lookup(name) if isinstance(receiver, ast.Name) else None
    bindings = found[1] if found is not None else []
    if any(binding.kind == "async with" or looks_mocked(binding.value) for binding in bindings):
        return False  # async with asyncio.TaskGroup() as loop
    named = [binding.value for binding in bindings if isinstance(binding.value, ast.Name)]
    if any(not other.id.endswith("loop") for other in named):
        return False  # loop = group
    value = project.inference.value(receiver, scope)
    return not isinstance(value, Instance) or value.cls.scope.outline.is_stub


def _wraps_spawn(call: ast.Call, scope: Scope, project: Project, depth: int) -> bool:
    if not may_be_plain(call.func, scope):
        return False
    value = project.inference.value(call.func, scope)
    if not isinstance(value, Function) or value.calling is not Calling.SYNC or value.scope.outline.is_stub:
        return False
    returns = value.scope.facts.returns
    return bool(returns) and all(
        isinstance(r.value, ast.Call) and spawns(r.value, value.scope, project, depth + 1) for r in returns
    )


def _is_task_already(call: ast.Call, scope: Scope, project: Project) -> bool:
    """``ensure_future(task)`` gives back the task or future it is given."""
    name = called(call)
    argument = call.args[0] if call.args else None
    if name != "ensure_future":
        return False
    if isinstance(argument, ast.Call):  # of a function that is no coroutine function, and returns a future
        function = project.inference.value(argument.func, scope)
        return isinstance(function, Function) and function.calling is Calling.SYNC
    # under a name it may be a future that somebody else made, unless it is seen to be a coroutine
    inference = project.inference
    return isinstance(argument, ast.Name) and not inference.is_coroutine(inference.value(argument, scope))
