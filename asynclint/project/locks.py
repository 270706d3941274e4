"""Where locks are acquired that somebody has to release."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from asynclint.knowledge.locks import LOCKS
from asynclint.project.guards.tests import bases, test_of
from asynclint.project.index.values import Calling, Function, Instance
from asynclint.project.names import known
from asynclint.project.project import Project
from asynclint.source.outline import Outline, Scope
from asynclint.source.written import last_name


class Acquired(NamedTuple):
    """``await lock.acquire()``: the ``await``, and what is acquired."""

    wait: ast.Await
    call: ast.Call
    lock: ast.expr


@dataclass
class LockCalls:
    """What a class, or an outermost function, does with its locks, by how they are written.

    ``releases`` by scope, in source order; ``releasing`` are the scopes that release and never acquire one;
    ``given`` the locks whose ``release`` itself is handed on (``task.add_done_callback(lock.release)``).
    """

    releases: dict[tuple[Scope, str], list[ast.Call]]
    releasing: dict[str, list[Scope]]
    given: set[str]

    def is_released_elsewhere(self, lock: str, scope: Scope) -> bool:
        """Whether another scope, or a callback, is there to release a lock."""
        return lock in self.given or any(other is not scope for other in self.releasing.get(lock, ()))


def lock_calls(around: Scope, project: Project) -> LockCalls:
    """The calls of ``acquire`` and ``release`` in a class or function, and what is nested in it."""
    return project.remembered(("lock calls", around), lambda: _lock_calls(around))


def _lock_calls(around: Scope) -> LockCalls:
    found = LockCalls({}, {}, set())
    called: set[int] = set()
    for scope in around.nested():
        done: dict[str, set[str]] = {}
        for call in scope.facts.calls:
            func = call.func
            if isinstance(func, ast.Attribute) and func.attr in ("acquire", "release"):
                called.add(id(func))
                lock = ast.unparse(func.value)
                done.setdefault(lock, set()).add(func.attr)
                if func.attr == "release" and not call.args:  # pool.release(connection)
                    found.releases.setdefault((scope, lock), []).append(call)
        for lock, methods in done.items():
            if methods == {"release"}:
                found.releasing.setdefault(lock, []).append(scope)
    for node in ast.walk(around.node):
        if isinstance(node, ast.Attribute) and node.attr == "release" and id(node) not in called:
            found.given.add(ast.unparse(node.value))
    return found


def is_never_released(lock: ast.expr, outline: Outline, project: Project) -> bool:
    """Whether a module makes a lock, has no release of it, and gives it to nobody who might release it."""
    name = last_name(lock)
    return project.remembered(("never released", outline, name), lambda: _is_never_released(name, outline))


def _is_never_released(name: str, outline: Outline) -> bool:
    used: set[int] = set()
    is_made = False
    for node in ast.walk(outline.tree):
        if isinstance(getattr(node, "ctx", None), ast.Store) and last_name(node) == name:
            is_made = True
        if isinstance(node, ast.Attribute) and last_name(node.value) == name:
            if node.attr == "release":
                return False
            used.add(id(node.value))
        elif isinstance(node, ast.withitem):
            used.add(id(node.context_expr))
        elif (
            isinstance(getattr(node, "ctx", None), ast.Load)
            and last_name(node) == name
            and id(node) not in used
        ):
            return False
    return is_made


def acquired(scope: Scope, project: Project) -> list[Acquired]:
    """The locks that a scope's own body acquires by hand, in source order."""
    return project.remembered(("acquired", scope), lambda: list(_acquired(scope, project)))


def may_hold(unit: Scope, project: Project) -> bool:
    """Whether a function, or what is nested in it, acquires a lock that is for it to release."""
    return any(held(scope, project) for scope in unit.nested() if scope.is_async)


def held(scope: Scope, project: Project) -> list[tuple[Acquired, Sequence[ast.Call]]]:
    """The locks that a scope's own body acquires by hand, with the calls in it that release them.

    Not those that others release too, and those that a test makes for itself and that end with it.
    """
    return project.remembered(("held", scope), lambda: list(_held(scope, project)))


def _held(scope: Scope, project: Project) -> Iterator[tuple[Acquired, Sequence[ast.Call]]]:
    for found in acquired(scope, project):
        lock = ast.unparse(found.lock)
        if _dies_with_test(found.lock, scope, project) or is_signal(found.lock, scope, project):
            continue
        calls = lock_calls(_around(lock, scope), project)
        releases = calls.releases.get((scope, lock), [])
        if calls.is_released_elsewhere(lock, scope):
            continue
        if releases or is_never_released(found.lock, scope.outline, project):
            yield found, releases


def _around(lock: str, scope: Scope) -> Scope:
    """The class whose methods share a lock of ``self``; else the outermost function."""
    outer = list(scope.around())
    method = next((s for s in outer if s.enclosing_class is not None), None)
    if method is not None and method.enclosing_class is not None and "." in lock:
        return method.enclosing_class
    return [s for s in outer if s.is_function][-1]


def _dies_with_test(lock: ast.expr, scope: Scope, project: Project) -> bool:
    """Whether a test acquires what was made for it alone: where it fails, nobody needs the lock any more."""
    test = [outer for outer in scope.around() if outer.is_function][-1]
    own = test.parameters[0].arg if test.enclosing_class is not None and test.parameters else ""
    root = lock.value if isinstance(lock, ast.Attribute) else lock
    while isinstance(root, ast.Attribute):
        root = root.value
    if not isinstance(root, ast.Name):
        return False
    of_self = root is not lock and root.id == own
    return (of_self or root.id in test.bindings) and test_of(test, project) is not None


def _acquired(scope: Scope, project: Project) -> Iterator[Acquired]:
    """Not what ``async with await pool.acquire()`` enters: leaving the block gives that back."""
    entered = {id(item.context_expr) for block in scope.facts.withs for item in block.items}
    for wait in scope.facts.awaits:
        call = wait.value
        if id(wait) in entered:
            continue
        if isinstance(call, ast.Call) and call.args and last_name(call.func) == "wait_for":
            call = call.args[0]
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        if call.func.attr == "acquire" and is_lock(call.func.value, scope, project):
            yield Acquired(wait, call, call.func.value)


def is_lock(expr: ast.expr, scope: Scope, project: Project) -> bool:
    """Whether an expression is a lock by how it is made, by its annotation or by its methods."""
    value = project.inference.value(expr, scope)
    if isinstance(value, Instance):
        return _is_lock_object(value, expr, scope, project)
    held = expr.value if isinstance(expr, ast.Subscript) else expr
    given = [
        found for found in _bound(held, scope, project) if not _is_none(found[0]) or found[1] is not None
    ]
    makes = _makes_lock if held is expr else _makes_locks
    return bool(given) and all(makes(*found, project) for found in given)


def is_signal(expr: ast.expr, scope: Scope, project: Project) -> bool:
    """Whether it is a ``Semaphore(0)``: what is acquired there is news from another task."""
    made = (value for value, _, _ in _bound(expr, scope, project) if isinstance(value, ast.Call))
    return any(
        call.args and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0 for call in made
    )


def _bound(
    held: ast.expr, scope: Scope, project: Project
) -> list[tuple[ast.expr | None, ast.expr | None, Scope]]:
    """The values and annotations that a name or an attribute of ``self`` is given, and where."""
    if isinstance(held, ast.Name):
        found = scope.lookup(held.id)
        return [(b.value, b.annotation, found[0]) for b in found[1]] if found is not None else []
    if isinstance(held, ast.Attribute) and isinstance(held.value, ast.Name):
        return list(_of_attribute(held.value.id, held.attr, scope, project))
    return []


def _is_none(value: ast.expr | None) -> bool:
    """Nothing yet."""
    return value is None or (isinstance(value, ast.Constant) and value.value is None)


def _is_lock_object(value: Instance, expr: ast.expr, scope: Scope, project: Project) -> bool:
    """An object of a class of locks, or of one that can be entered, acquired and released as one can."""
    cls, inference = value.cls.scope, project.inference
    if f"{project.modules.name(cls.outline)}.{cls.name}" in LOCKS:
        return not _is_own(expr, scope)
    if cls.outline.is_stub or _is_own(expr, scope):
        return False
    acquire = inference.attribute(value, "acquire")
    return (
        isinstance(acquire, Function)
        and acquire.calling is Calling.COROUTINE
        and all(isinstance(inference.attribute(value, name), Function) for name in ("release", "__aenter__"))
    )


def _is_own(expr: ast.expr, scope: Scope) -> bool:
    """``self`` in a method of the lock itself."""
    return isinstance(expr, ast.Name) and any(
        outer.enclosing_class is not None and outer.parameters and outer.parameters[0].arg == expr.id
        for outer in scope.around()
    )


def _of_attribute(
    receiver: str, name: str, scope: Scope, project: Project
) -> Iterator[tuple[ast.expr | None, ast.expr | None, Scope]]:
    """What ``self.lock`` is given in the class and its bases."""
    method = next((s for s in scope.around() if s.is_function and s.enclosing_class is not None), None)
    if method is None or not method.parameters or method.parameters[0].arg != receiver:
        return
    assert method.enclosing_class is not None
    for cls in bases(method.enclosing_class, project).project:
        yield from ((b.value, b.annotation, cls) for b in cls.bindings.get(name, ()))
        for inner in cls.facts.scopes:
            for target, value in inner.facts.attributes if inner.is_function else ():
                own = inner.parameters[0].arg if inner.parameters else ""
                if target.attr == name and isinstance(target.value, ast.Name) and target.value.id == own:
                    yield value, None, inner


def _makes_lock(value: ast.expr | None, annotation: ast.expr | None, scope: Scope, project: Project) -> bool:
    if annotation is not None:  # ``asyncio.Lock | None``, too
        names = (node for node in ast.walk(annotation) if isinstance(node, (ast.Name, ast.Attribute)))
        return any(known(name, scope, project.modules, LOCKS) for name in names)
    if isinstance(value, ast.IfExp):
        return any(_makes_lock(part, None, scope, project) for part in (value.body, value.orelse))
    if isinstance(value, ast.BoolOp):
        return _makes_lock(value.values[-1], None, scope, project)
    return isinstance(value, ast.Call) and bool(known(value.func, scope, project.modules, LOCKS))


def _makes_locks(value: ast.expr | None, annotation: ast.expr | None, scope: Scope, project: Project) -> bool:
    """``defaultdict(asyncio.Lock)``, ``{key: Lock() for key in keys}``, ``dict[str, Lock]``."""
    if annotation is not None:
        return _makes_lock(None, annotation, scope, project)
    if isinstance(value, ast.Call) and last_name(value.func) == "defaultdict" and value.args:
        return bool(known(value.args[0], scope, project.modules, LOCKS))
    if isinstance(value, (ast.DictComp, ast.ListComp)):
        return _makes_lock(
            value.value if isinstance(value, ast.DictComp) else value.elt, None, scope, project
        )
    parts = value.values if isinstance(value, ast.Dict) else value.elts if isinstance(value, ast.List) else []
    return bool(parts) and all(_makes_lock(part, None, scope, project) for part in parts)
