"""Which parts of a function leave it in the middle, and which can fail there."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from operator import itemgetter

import libcst as cst

from asynclint.flow.leaving import is_true, never_returns
from asynclint.flow.paths import Stops, expects
from asynclint.knowledge.asyncs import CHECKPOINTS, GUARD_CONTEXTS, SETTLING, SLEEPS, TASK_GROUPS
from asynclint.project.names import chain
from asynclint.project.project import Project
from asynclint.project.tasks import spawns
from asynclint.source.function import Function
from asynclint.source.outline import Scope
from asynclint.source.written import called

STACKS = frozenset({"contextlib.AsyncExitStack", "contextlib.nullcontext"})
JUMPS = (cst.Return, cst.Break, cst.Continue)
JUMPING = (*JUMPS, cst.Raise, cst.Assert, cst.Expr, cst.While)  # what ``_jumps`` holds of, at most
SMALL = (cst.SimpleStatementLine, cst.BaseSmallStatement)
CLOSED = (cst.FunctionDef, cst.ClassDef, cst.Lambda)


def stops(function: Function, project: Project) -> Mapping[cst.BaseSuite, Stops]:
    """What in each block leaves it, loops endlessly or can fail."""
    return function.once("stops", lambda: stops_among(function, fails(function, project)))


def stops_among(function: Function, failing: AbstractSet[cst.CSTNode]) -> dict[cst.BaseSuite, Stops]:
    """The same, where other nodes than usual can fail."""
    leaving = jumps(function)
    return {
        block: Stops(
            [
                index
                for index in places
                if not isinstance(block.body[index], SMALL) or block.body[index] in leaving
            ],
            [
                index
                for index in places
                if isinstance(block.body[index], SMALL) and block.body[index] not in leaving
            ],
        )
        for block, places in by_block(function, leaving | failing).items()
    }


def jumps(function: Function) -> set[cst.CSTNode]:
    """Jumps and endless loops, and what holds them inside one function."""
    return function.once("jumps", lambda: _marked(function, filter(_jumps, function.nodes_of(*JUMPING))))


def by_block(function: Function, nodes: Iterable[cst.CSTNode]) -> dict[cst.BaseSuite, list[int]]:
    """The places in their blocks of those nodes that are statements."""
    places = function.once("places", lambda: _places(function))
    found: dict[cst.BaseSuite, list[int]] = {}
    for block, index in sorted((places[node] for node in nodes if node in places), key=itemgetter(1)):
        found.setdefault(block, []).append(index)
    return found


def _places(function: Function) -> dict[cst.CSTNode, tuple[cst.BaseSuite, int]]:
    blocks = function.nodes_of(cst.IndentedBlock, cst.SimpleStatementSuite)
    return {line: (block, index) for block in blocks for index, line in enumerate(block.body)}


def fails(function: Function, project: Project) -> set[cst.CSTNode]:
    """Nodes that can fail or wait, and what holds them inside one function.

    Assertions, ``raise``, and waits for anything but sleeps, checkpoints and the function's own tasks.
    """
    return function.once("fails", lambda: _marked(function, _failing(function, project)))


def _marked(function: Function, nodes: Iterable[cst.CSTNode]) -> set[cst.CSTNode]:
    found: set[cst.CSTNode] = set()
    for node in nodes:
        for outer in (node, *function.parents(node)):
            if outer in found or isinstance(outer, CLOSED):
                break
            found.add(outer)
    return found


def _jumps(node: cst.CSTNode) -> bool:
    return (
        isinstance(node, JUMPS) or never_returns(node) or (isinstance(node, cst.While) and is_true(node.test))
    )


def _failing(function: Function, project: Project) -> Iterable[cst.CSTNode]:
    for node in function.nodes_of(cst.Assert, cst.Raise, cst.Call, cst.Await, cst.With, cst.For):
        match node:
            case cst.Assert() | cst.Raise():
                yield node
            case cst.Call() if _asserts(node):
                item = function.parent(node)
                if not isinstance(item, cst.WithItem) or not expects(item):  # there the ``with`` can fail
                    yield node
            case cst.Await():
                twin = function.ast_of(node)
                assert isinstance(twin, ast.Await)
                if not _is_calm(twin.value, function.scope_of(node), project):
                    yield node
            case cst.With() if any(expects(item) for item in node.items):
                if not _ends_tasks(function, node, project):
                    yield node
            case cst.With() if node.asynchronous is not None:
                twin = function.ast_of(node)
                assert isinstance(twin, ast.AsyncWith)
                scope = function.scope_of(node)
                for item, entered in zip(node.items, twin.items, strict=True):
                    if not _is_guard(entered.context_expr, scope, project):
                        yield item
            case cst.For() if node.asynchronous is not None:
                yield node.iter


def _asserts(call: cst.Call) -> bool:
    name = call.func.attr if isinstance(call.func, cst.Attribute) else call.func
    return isinstance(name, cst.Name) and name.value.startswith("assert")


def _ends_tasks(function: Function, node: cst.With, project: Project) -> bool:
    """``with raises(CancelledError): await other`` for one of the function's own tasks."""
    twin = function.ast_of(node)
    assert isinstance(twin, (ast.With, ast.AsyncWith))
    scope = function.scope_of(node)
    awaits = [getattr(statement, "value", None) for statement in twin.body]
    return all(isinstance(a, ast.Await) and _is_calm(a.value, scope, project) for a in awaits)


def _is_calm(awaited: ast.expr, scope: Scope, project: Project) -> bool:
    """Sleeps, checkpoints, and tasks that this function has started itself, with or without a limit."""
    if isinstance(awaited, ast.Name):
        return _holds_tasks(awaited.id, scope, project)
    if not isinstance(awaited, ast.Call):
        return False
    names = chain(awaited.func, scope, project.modules)
    if any(name in SLEEPS or name in CHECKPOINTS or name in SETTLING for name in names):
        return True
    own = any(name.startswith("asyncio.") for name in names) and called(awaited) in (
        "wait_for",
        "gather",
        "wait",
    )
    return own and all(
        _is_calm(part, scope, project) for argument in awaited.args[:1] for part in _parts(argument)
    )


def _holds_tasks(name: str, scope: Scope, project: Project, hops: int = 3) -> bool:
    """Whether a name holds, or goes over, tasks that its function starts."""
    found = scope.lookup(name)
    for binding in found[1] if found is not None and hops else ():
        for node in ast.walk(binding.value) if binding.value is not None else ():
            if isinstance(node, ast.Call) and spawns(node, scope, project):
                return True
            if (
                isinstance(node, ast.Name)
                and node.id != name
                and _holds_tasks(node.id, scope, project, hops - 1)
            ):
                return True
    return False


def _parts(argument: ast.expr) -> list[ast.expr]:
    inner = argument.value if isinstance(argument, ast.Starred) else argument
    return inner.elts if isinstance(inner, (ast.List, ast.Set, ast.Tuple)) else [inner]


def _is_guard(entered: ast.expr, scope: Scope, project: Project) -> bool:
    """A guard or a task group: entering it never waits."""
    names = chain(entered.func, scope, project.modules) if isinstance(entered, ast.Call) else ()
    return any(name in GUARD_CONTEXTS or name in TASK_GROUPS or name in STACKS for name in names)
