"""Queues that somebody joins, and consumers that may not say that an item is done.

``await queue.join()`` comes back when ``task_done()`` was called once for each item that was put. A consumer
that fails between ``get()`` and ``task_done()`` leaves it waiting for ever. All on ast.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from asynclint.flow.expiry import inside, own_nodes
from asynclint.flow.notice import called
from asynclint.flow.settling import Leak, leak_behind
from asynclint.project.guards.wrappers import project_function
from asynclint.project.index.values import Instance
from asynclint.project.project import Project
from asynclint.source.outline import Binding, Outline, Scope

GETS = frozenset({"get", "get_nowait"})
JOINS = frozenset({"join"})
DONE = "task_done"
EXPECTING = frozenset({"raises", "assertRaises", "assertRaisesRegex", "move_on_after"})
MAX_HOPS = 3

Key = tuple[Scope, str]  # who binds it: a function or module and a name, a class and an attribute


@dataclass(frozen=True, slots=True)
class Unbalanced:
    """A ``get()`` of a queue that is joined, and how its item may never be done.

    ``statement`` holds the get, ``queue`` is the queue as written there.
    """

    get: ast.Call
    statement: ast.stmt
    queue: str
    consumer: Scope
    join: ast.Call
    joiner: Scope
    leak: Leak


def unbalanced(outline: Outline, project: Project) -> Iterator[Unbalanced]:
    """What may leave the joins of a module waiting, each ``get`` once."""
    found: dict[ast.Call, Unbalanced] = {}
    scopes = list(outline.scope.nested())
    for scope in scopes:
        for join in _calls(scope, JOINS):
            key = _key(join.func.value, scope)  # type: ignore[attr-defined]
            if join.args or join.keywords or key is None or not is_queue(join.func.value, scope, project):  # type: ignore[attr-defined]
                continue
            if _is_expected_to_hang(join, scope):
                continue
            for one in _Uses(key, scopes, project).leaks(join, scope):
                found.setdefault(one.get, one)
    yield from found.values()


def is_queue(expr: ast.expr, scope: Scope, project: Project) -> bool:
    """Whether an expression is an asyncio.Queue, by what makes it or how it is annotated."""
    value = project.inference.value(expr, scope)
    if not isinstance(value, Instance):
        return False
    cls = value.cls.scope
    return cls.outline.is_stub and cls.outline.path.parent.name == "asyncio" and cls.name.endswith("Queue")


def _calls(scope: Scope, names: frozenset[str]) -> Iterator[ast.Call]:
    for call in scope.facts.calls:
        if isinstance(call.func, ast.Attribute) and call.func.attr in names:
            yield call


def _key(expr: ast.expr, scope: Scope) -> Key | None:
    """Who holds a queue; None for what is reached in another way."""
    if isinstance(expr, ast.Name):
        found = scope.lookup(expr.id)
        return (found[0], expr.id) if found is not None else None
    if not isinstance(expr, ast.Attribute) or not isinstance(expr.value, ast.Name):
        return None
    for around in scope.around():
        owner = around.enclosing_class
        if owner is not None and around.parameters:
            return (owner, expr.attr) if around.parameters[0].arg == expr.value.id else None
    return None


def _is_expected_to_hang(join: ast.Call, scope: Scope) -> bool:
    for statement in scope.facts.withs:
        entered = (item.context_expr for item in statement.items)
        expects = any(isinstance(call, ast.Call) and called(call) in EXPECTING for call in entered)
        if expects and any(node is join for node in inside(statement.body)):
            return True
    return False


class _Uses:
    """What the scopes of a module do with one queue."""

    def __init__(self, key: Key, scopes: Sequence[Scope], project: Project) -> None:
        self.project = project
        self.key = key
        self.scopes = scopes

    @cached_property
    def holders(self) -> dict[Scope, list[Key]]:
        """The scopes that can name the queue, with its keys there: callees that are handed it, too."""
        found: dict[Scope, list[Key]] = {}
        queue: list[tuple[Key, Sequence[Scope], int]] = [(self.key, self.scopes, 0)]
        seen = {self.key}
        while queue:
            key, scopes, hops = queue.pop()
            for scope in scopes:
                found.setdefault(scope, []).append(key)
                for given in self._handed(key, scope) if hops < MAX_HOPS else ():
                    if given not in seen:
                        seen.add(given)
                        queue.append((given, list(given[0].nested()), hops + 1))
        return found

    def _handed(self, key: Key, scope: Scope) -> Iterator[Key]:
        for call in scope.facts.calls:
            given: list[tuple[int | str, ast.expr]] = list(enumerate(call.args))
            given += [(keyword.arg or "", keyword.value) for keyword in call.keywords]
            for place, value in given:
                if not isinstance(value, (ast.Name, ast.Attribute)) or _key(value, scope) != key:
                    continue
                callee = project_function(call.func, scope, self.project)
                name = _parameter(callee, place) if callee is not None else ""
                if callee is not None and name:
                    yield callee, name

    @cached_property
    def done_in(self) -> set[Scope]:
        """The scopes that call ``task_done`` on it."""
        return {scope for scope in self.holders if any(self._own(scope, frozenset({DONE})))}

    @cached_property
    def escapes(self) -> bool:
        """Whether something unread may have the queue: it is stored, returned, or handed elsewhere."""
        if self.key[0].is_class:
            return False
        for scope, keys in self.holders.items():
            for binding in _bindings(scope):
                value = binding.value
                if isinstance(value, (ast.Name, ast.Attribute)) and _key(value, scope) in keys:
                    return True
            returned = [node.value for node in scope.facts.returns]
            stored = [value for _, value in scope.facts.attributes]
            for value in (*returned, *stored):
                if isinstance(value, (ast.Name, ast.Attribute)) and _key(value, scope) in keys:
                    return True
        return False

    def _own(self, scope: Scope, names: frozenset[str]) -> Iterator[ast.Call]:
        keys = self.holders[scope]
        for call in _calls(scope, names):
            key = _key(call.func.value, scope)  # type: ignore[attr-defined]
            if key is not None and key in keys:
                yield call

    def leaks(self, join: ast.Call, joiner: Scope) -> Iterator[Unbalanced]:
        """The ``get`` calls of consumers, joiner aside, whose items may never be done."""
        for scope in self.holders:
            if scope is joiner or not scope.is_async:
                continue
            for get in self._own(scope, GETS):
                statement = _statement(get, scope)
                queue = ast.unparse(get.func.value)  # type: ignore[attr-defined]
                if statement is None:
                    continue
                leak = leak_behind(statement, scope, queue)
                if leak is None:
                    continue
                if leak.never and (self.escapes or self.done_in):
                    continue
                yield Unbalanced(get, statement, queue, scope, join, joiner, leak)


def _bindings(scope: Scope) -> Iterator[Binding]:
    for bindings in scope.bindings.values():
        yield from bindings


def _parameter(function: Scope, place: int | str) -> str:
    if isinstance(place, str):
        return place if any(parameter.arg == place for parameter in function.parameters) else ""
    parameters = [p.arg for p in function.parameters]
    if function.enclosing_class is not None:
        parameters = parameters[1:]
    return parameters[place] if place < len(parameters) else ""


def _statement(get: ast.Call, scope: Scope) -> ast.stmt | None:
    """The simple statement that a get stands in."""
    for node in own_nodes(scope):
        simple = isinstance(node, (ast.Assign, ast.AnnAssign, ast.Expr))
        if simple and any(part is get for part in ast.walk(node)):
            assert isinstance(node, ast.stmt)
            return node
    return None
