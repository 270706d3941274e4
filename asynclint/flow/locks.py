"""From ``acquire`` to ``release``: what can fail, or leave a function, while it holds a lock."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import libcst as cst

from asynclint.flow.fates import Event, Fate, written_name
from asynclint.flow.lives import Life, life
from asynclint.flow.trace import Trace, unit
from asynclint.knowledge.locks import CALM_CALLS, CALM_METHODS
from asynclint.project.guards.tests import test_of
from asynclint.project.locks import Acquired, acquired
from asynclint.project.project import Project
from asynclint.source.function import Function
from asynclint.source.outline import Scope


@dataclass(frozen=True)
class Hold:
    """One lock from where it is acquired, and the calls that release it in the same function."""

    acquired: Acquired
    releases: Sequence[ast.Call]
    life: Life

    @property
    def name(self) -> str:
        """How the lock is written."""
        return ast.unparse(self.acquired.lock)


def holds(function: Function, project: Project) -> Sequence[Hold]:
    """The locks that a function, and what is nested in it, acquires by hand and releases itself.

    Not those that others release too, and those that a test makes for itself and that end with it.
    """
    return function.once("holds", lambda: list(_holds(function, project)))


def _holds(function: Function, project: Project) -> Iterator[Hold]:
    for scope in function.scope.nested():
        for found in acquired(scope, project) if scope.is_async else ():
            lock = ast.unparse(found.lock)
            if _dies_with_test(found.lock, scope, project) or _is_released_elsewhere(lock, scope):
                continue
            releases = [call for call in scope.facts.calls if _releases(call, lock)]
            if not releases and not _is_never_released(found.lock, scope):
                continue
            yield Hold(found, releases, _life(function, project, found, releases, scope))


def _releases(call: ast.Call, lock: str) -> bool:
    func = call.func
    own = isinstance(func, ast.Attribute) and func.attr == "release" and ast.unparse(func.value) == lock
    return own and not call.args  # pool.release(connection)


def _is_released_elsewhere(lock: str, scope: Scope) -> bool:
    """Whether another function of the class, or one round or in this one, only releases it."""
    outer = list(scope.around())
    method = next((s for s in outer if s.enclosing_class is not None), None)
    around = method.enclosing_class if method is not None and "." in lock else None
    around = around or [s for s in outer if s.is_function][-1]
    for other in around.nested():
        if other is not scope and not other.is_class:
            done = {
                name
                for call in other.facts.calls
                for name in ("acquire", "release")
                if _calls(call, lock, name)
            }
            if done == {"release"} or _is_given_away(lock, other):
                return True
    return _is_given_away(lock, scope)


def _is_never_released(lock: ast.expr, scope: Scope) -> bool:
    """Whether a module has no release of a lock, and gives it to nobody who might release it."""
    name = _name(lock)
    used: set[int] = set()
    for node in ast.walk(scope.outline.tree):
        if isinstance(node, ast.Attribute) and _name(node.value) == name:
            if node.attr == "release":
                return False
            used.add(id(node.value))
        elif isinstance(node, ast.withitem):
            used.add(id(node.context_expr))
        elif _name(node) == name and isinstance(node.ctx, ast.Load) and id(node) not in used:  # type: ignore[attr-defined]
            return False
    return True


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _calls(call: ast.Call, lock: str, method: str) -> bool:
    func = call.func
    return isinstance(func, ast.Attribute) and func.attr == method and ast.unparse(func.value) == lock


def _is_given_away(lock: str, scope: Scope) -> bool:
    """Whether the release itself is handed on: ``task.add_done_callback(lock.release)``."""
    called = {id(node.func) for node in ast.walk(scope.node) if isinstance(node, ast.Call)}
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == "release"
        and id(node) not in called
        and ast.unparse(node.value) == lock
        for node in ast.walk(scope.node)
    )


def _dies_with_test(lock: ast.expr, scope: Scope, project: Project) -> bool:
    """Whether a test acquires what was made for it alone: where it fails, nobody needs the lock any more."""
    test = [outer for outer in scope.around() if outer.is_function][-1]
    own = test.parameters[0].arg if test.enclosing_class is not None and test.parameters else ""
    root = lock.value if isinstance(lock, ast.Attribute) else lock
    of_self = root is not lock and isinstance(root, ast.Name) and root.id == own
    local = root is lock and isinstance(root, ast.Name) and root.id in test.bindings
    return (of_self or local) and test_of(test, project) is not None


def _life(
    function: Function, project: Project, found: Acquired, releases: Sequence[ast.Call], scope: Scope
) -> Life:
    owner = function.cst_of(scope.node)
    birth = function.cst_of(found.wait)
    assert isinstance(birth, cst.Await)
    trace = Trace()
    events = [Event(Fate.BORN, birth), *(Event(Fate.FINISHED, function.cst_of(call)) for call in releases)]
    for event in events:
        trace.events.setdefault(unit(function, event.node, owner), []).append(event)
    failing = function.once("breaks", lambda: _breaks(function))
    return life(function, project, found.call, birth, scope, trace, fallible=True, failing=failing)


def _breaks(function: Function) -> set[cst.CSTNode]:
    """What can fail or be cancelled, with all that holds it."""
    found: set[cst.CSTNode] = set()
    for node in function.nodes:
        if not _can_break(node):
            continue
        for outer in (node, *function.parents(node)):
            if outer in found or isinstance(outer, (cst.FunctionDef, cst.ClassDef, cst.Lambda)):
                break
            found.add(outer)
    return found


def _can_break(node: cst.CSTNode) -> bool:
    match node:
        case cst.Await() | cst.Assert() | cst.Raise() | cst.Yield():
            return not (isinstance(node, cst.Await) and _is_acquire(node.expression))
        case cst.With() | cst.For() | cst.CompFor():
            return node.asynchronous is not None
        case cst.Call() if not _is_acquire(node):
            func = node.func
            if isinstance(func, cst.Attribute):
                return func.attr.value not in CALM_METHODS | {"acquire", "release"}
            return not isinstance(func, cst.Name) or func.value not in CALM_CALLS
    return False


def _is_acquire(expr: cst.BaseExpression) -> bool:
    """``lock.acquire()``, also with a limit."""
    if not isinstance(expr, cst.Call):
        return False
    if written_name(expr) == "wait_for" and expr.args:
        return _is_acquire(expr.args[0].value)
    return written_name(expr) == "acquire"
