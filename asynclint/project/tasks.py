"""Where tasks are made."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from functools import partial

from asynclint.knowledge.asyncs import GATHERING, LOOP_GETTERS, SPAWN_METHODS, SPAWNS
from asynclint.project.called import kept, may_be_plain, named
from asynclint.project.guards.replaced import is_replaced
from asynclint.project.guards.tests import is_fixture
from asynclint.project.index.evidence import looks_mocked
from asynclint.project.index.values import Calling, Function, Instance
from asynclint.project.names import chain
from asynclint.project.plain import ends_plainly
from asynclint.project.project import Project
from asynclint.source.outline import Scope
from asynclint.source.written import called, last_name

MAX_DEPTH = 3
SETUP = re.compile(r"(async)?set_?up(_method|_class|Class)?|setup_async|setUpAsync", re.IGNORECASE)
LOOP_CALLS = ("get_running_loop", "get_event_loop", "new_event_loop")
JOINING = ("gather", "wait_for", "wait")
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


def may_leave_tasks(unit: Scope, project: Project) -> bool:
    """Whether a function, or what is nested in it, starts a task that is not plainly awaited further down."""
    return starts_tasks(unit, project) and project.remembered(
        ("may leave tasks", unit),
        lambda: any(
            not _is_plainly_awaited(call, scope, project)
            for scope in unit.nested()
            if scope.is_function
            for call in sites(scope, project)
        ),
    )


def _is_plainly_awaited(call: ast.Call, scope: Scope, project: Project) -> bool:
    named = named_by(call, scope, project)
    if named is None:  # await create_task(…), await gather(create_task(…), create_task(…))
        return call in project.remembered(("waited for", scope), lambda: set(_waited(scope, project)))
    statement, name = named
    if name in project.remembered(("awaited by others", scope), lambda: set(_awaited_by_others(scope))):
        return True
    waits_for = partial(_waits_for, name, scope, project)
    return project.remembered(
        ("plainly awaited", statement, name, scope),
        lambda: ends_plainly(statement, name, waits_for, scope, project),
    )


def _awaited_by_others(scope: Scope) -> Iterator[str]:
    """Names of a function that functions inside await: those may be called at any time."""
    for inner in scope.nested()[1:]:
        for wait in inner.facts.awaits:
            if isinstance(wait.value, ast.Name):
                found = inner.lookup(wait.value.id)
                if found is not None and found[0] is scope:
                    yield wait.value.id


def _waits_for(name: str, scope: Scope, project: Project, value: ast.expr) -> bool:
    """``await task``, ``await gather(*tasks)``, ``loop.run_until_complete(task)``, ``task.result()``."""
    match value:
        case (
            ast.Await(value=waited)
            | ast.Call(func=ast.Attribute(attr="run_until_complete"), args=[waited], keywords=[])
        ):
            joined = _joined(waited, scope, project)
            return any(isinstance(part, ast.Name) and part.id == name for part in joined)
        case ast.Call(func=ast.Attribute(value=ast.Name(id=asked), attr="result" | "exception")):
            return asked == name
    return False


def _waited(scope: Scope, project: Project) -> Iterator[ast.expr]:
    for wait in scope.facts.awaits:
        yield from (wait.value, *_joined(wait.value, scope, project))


def _joined(waited: ast.expr, scope: Scope, project: Project) -> Iterator[ast.expr]:
    """What is waited for to the end by who waits for an expression."""
    if not isinstance(waited, ast.Call):
        yield waited
        return
    names = chain(waited.func, scope, project.modules) if last_name(waited.func) in JOINING else ()
    if any(name in GATHERING or name == "asyncio.wait_for" for name in names):
        yield from (part.value if isinstance(part, ast.Starred) else part for part in waited.args)
    elif "asyncio.wait" in names and len(waited.args) == 1 and not waited.keywords:
        given = waited.args[0]
        yield from given.elts if isinstance(given, (ast.List, ast.Set, ast.Tuple)) else [given]


def named_by(
    value: ast.expr, scope: Scope, project: Project
) -> tuple[ast.Assign | ast.AnnAssign, str] | None:
    """The statement that gives an expression, or a display of several, its one name, and that name.

    None where it has none or more. Other statements may give the name to something else.
    """
    return project.remembered(("named", scope), lambda: dict(_named(scope))).get(value)


def _named(scope: Scope) -> Iterator[tuple[ast.expr, tuple[ast.Assign | ast.AnnAssign, str]]]:
    for name, bindings in scope.bindings.items():
        for binding in bindings:
            node, value = binding.node, binding.value
            if value is None:
                continue
            if isinstance(node, ast.AnnAssign) or (isinstance(node, ast.Assign) and len(node.targets) == 1):
                for part in _parts(value) if binding.kind == "assign" else (value,):
                    yield part, (node, name)


def _parts(value: ast.expr) -> Sequence[ast.expr]:
    match value:
        case ast.List(elts=parts) | ast.Set(elts=parts) | ast.Tuple(elts=parts):
            return parts
        case ast.ListComp(elt=part) | ast.SetComp(elt=part):
            return [part]
    return [value]


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
