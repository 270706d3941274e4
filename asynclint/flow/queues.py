"""Queues that somebody joins, and consumers that may not say that an item is done.

``await queue.join()`` comes back when ``task_done()`` was called once for each item that was put. A consumer
that fails between ``get()`` and ``task_done()`` leaves it waiting for ever. All on ast.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import NamedTuple

from asynclint.flow.settling import Leak, Walk, leak_behind
from asynclint.project.guards.wrappers import project_function
from asynclint.project.index.values import Calling, Function, Instance
from asynclint.project.project import Project
from asynclint.source.nodes import inside, own_nodes
from asynclint.source.outline import Outline, Scope
from asynclint.source.written import called

GETS = frozenset({"get", "get_nowait"})
JOINS = frozenset({"join"})
DONE = "task_done"
EXPECTING = frozenset({"raises", "assertRaises", "assertRaisesRegex", "move_on_after"})
GROUPS = frozenset({"TaskGroup", "create_task_group", "open_nursery"})
STARTS = frozenset({"create_task", "start_soon"})
MAX_HOPS = 3

Key = tuple[Scope, str]  # who binds it: a function or module and a name, a class and an attribute


class Unbalanced(NamedTuple):
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
    scopes = _Scopes(outline, project)
    uses: dict[Key, _Uses] = {}
    for scope in scopes.all:
        joins = list(_calls(scope, JOINS))
        excused = _excused(scope) if joins else frozenset()
        for join in joins:
            receiver = join.func.value  # type: ignore[attr-defined]
            key = _key(receiver, scope) if not (join.args or join.keywords) else None
            if key is None or join in excused or not is_queue(receiver, scope, project):
                continue
            if key not in uses:
                uses[key] = _Uses(key, scopes)
            for one in uses[key].leaks(join, scope):
                found.setdefault(one.get, one)
    yield from found.values()


def is_queue(expr: ast.expr, scope: Scope, project: Project) -> bool:
    """Whether an expression is an asyncio.Queue, by what makes it or how it is annotated.

    Or of a class that does the same: ``get`` and ``join`` are coroutine functions, ``task_done`` is not.
    """
    value = project.inference.value(expr, scope)
    if not isinstance(value, Instance):
        return False
    cls = value.cls.scope
    if cls.outline.is_stub:
        return cls.outline.directory.name == "asyncio" and cls.name.endswith("Queue")
    methods = [project.inference.attribute(value, name) for name in ("get", "join", DONE)]
    calling = [method.calling for method in methods if isinstance(method, Function)]
    return calling == [Calling.COROUTINE, Calling.COROUTINE, Calling.SYNC]


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
            if around.parameters[0].arg == expr.value.id:
                return owner, expr.attr
            break
    found = scope.lookup(expr.value.id)  # queue.async_q
    return (found[0], ast.unparse(expr)) if found is not None else None


def _excused(scope: Scope) -> AbstractSet[ast.AST]:
    """The calls of a function that may wait for ever: they are expected to, or raced against others."""
    hanging = (
        node for statement in scope.facts.withs if _expects(statement) for node in inside(statement.body)
    )
    return {*hanging, *_raced(scope)}


def _expects(statement: ast.With | ast.AsyncWith) -> bool:
    entered = (item.context_expr for item in statement.items)
    return any(isinstance(call, ast.Call) and called(call) in EXPECTING for call in entered)


def _raced(scope: Scope) -> Iterator[ast.AST]:
    """``asyncio.wait({create_task(queue.join()), failed}, return_when=FIRST_COMPLETED)``: not alone."""
    waits = (call for call in scope.facts.calls if called(call) == "wait")
    if any("FIRST_" in ast.unparse(keyword.value) for call in waits for keyword in call.keywords):
        awaited = {wait.value for wait in scope.facts.awaits}
        yield from (call for call in scope.facts.calls if call not in awaited)


class _Scopes:
    """The scopes of a module, what each of them does with queues, and those of callees elsewhere."""

    def __init__(self, outline: Outline, project: Project) -> None:
        self.all = list(outline.scope.nested())
        self.project = project
        self._used: dict[Scope, dict[Key, list[ast.Call]]] = {}
        self._walks: dict[Scope, Walk] = {}
        self._statements: dict[Scope, dict[ast.AST, ast.stmt]] = {}

    def methods(self, scope: Scope) -> dict[Key, list[ast.Call]]:
        """Calls of ``get``, ``get_nowait`` and ``task_done`` in a scope, by what they are methods of."""
        if scope not in self._used:
            found: dict[Key, list[ast.Call]] = {}
            for call in _calls(scope, GETS | {DONE}):
                key = _key(call.func.value, scope)  # type: ignore[attr-defined]
                if key is not None:
                    found.setdefault(key, []).append(call)
            self._used[scope] = found
        return self._used[scope]

    @cached_property
    def acknowledged(self) -> set[Key]:
        """Queues whose ``task_done`` itself is handed on: ``Message(item, ack=queue.task_done)``."""
        found = set()
        for scope in self.all:
            called = {id(call.func) for call in scope.facts.calls}
            for node in own_nodes(scope) if scope.is_function else ():
                given = isinstance(node, ast.Attribute) and node.attr == DONE and id(node) not in called
                key = _key(node.value, scope) if given else None  # type: ignore[attr-defined]
                if key is not None:
                    found.add(key)
        return found

    @cached_property
    def using(self) -> dict[Key, list[Scope]]:
        """The scopes of the module that call such methods, by what they are methods of."""
        found: dict[Key, list[Scope]] = {}
        for scope in self.all:
            for key in self.methods(scope):
                found.setdefault(key, []).append(scope)
        return found

    @cached_property
    def handing(self) -> dict[Key, list[tuple[ast.Call, int | str, Scope]]]:
        """Calls in the module by what they hand on, with its place."""
        found: dict[Key, list[tuple[ast.Call, int | str, Scope]]] = {}
        for scope in self.all:
            for key, call, place in _handed(scope):
                found.setdefault(key, []).append((call, place, scope))
        return found

    @cached_property
    def stored(self) -> set[Key]:
        """What the module's scopes give another name, store or return."""
        found = set()
        for scope in self.all:
            bound = [binding.value for bindings in scope.bindings.values() for binding in bindings]
            returned = [node.value for node in scope.facts.returns]
            for value in (*bound, *returned, *(value for _, value in scope.facts.attributes)):
                key = _key(value, scope) if isinstance(value, (ast.Name, ast.Attribute)) else None
                if key is not None:
                    found.add(key)
        return found

    def walk(self, consumer: Scope) -> Walk:
        """The statements of a consumer, for following what comes behind a get."""
        if consumer not in self._walks:
            self._walks[consumer] = Walk(consumer, self.project)
        return self._walks[consumer]

    def statement(self, get: ast.Call, scope: Scope) -> ast.stmt | None:
        """The simple statement that a get stands in."""
        if scope not in self._statements:
            simple = (n for n in own_nodes(scope) if isinstance(n, (ast.Assign, ast.AnnAssign, ast.Expr)))
            self._statements[scope] = {part: node for node in simple for part in ast.walk(node)}
        return self._statements[scope].get(get)


def _handed(scope: Scope) -> Iterator[tuple[Key, ast.Call, int | str]]:
    for call in scope.facts.calls:
        given: list[tuple[int | str, ast.expr]] = list(enumerate(call.args))
        given += [(keyword.arg or "", keyword.value) for keyword in call.keywords]
        for place, value in given:
            key = _key(value, scope) if isinstance(value, (ast.Name, ast.Attribute)) else None
            if key is not None:
                yield key, call, place


class _Uses:
    """What is done with one queue: in the module, and in functions that are handed it."""

    def __init__(self, key: Key, scopes: _Scopes) -> None:
        self.key = key
        self.scopes = scopes
        self.found: list[tuple[Scope, ast.Call]] = []
        self.escapes = not key[0].is_class and key in scopes.stored
        self.escapes |= key in scopes.acknowledged
        queue = [(key, 0)]
        seen = {key}
        while queue:
            here, hops = queue.pop()
            users = scopes.using.get(here, []) if not hops else list(here[0].nested())
            for scope in users:
                self.found += [(scope, call) for call in scopes.methods(scope).get(here, ())]
            for given in self._handed_on(here, hops):
                if given not in seen and hops < MAX_HOPS:
                    seen.add(given)
                    queue.append((given, hops + 1))

    def _handed_on(self, key: Key, hops: int) -> Iterator[Key]:
        calls = self.scopes.handing.get(key, [])
        if hops:
            scopes = key[0].nested()
            calls = [(call, n, scope) for scope in scopes for k, call, n in _handed(scope) if k == key]
        for call, place, scope in calls:
            callee = project_function(call.func, scope, self.scopes.project)
            name = _parameter(callee, place) if callee is not None else ""
            if callee is not None and name:
                yield callee, name

    @cached_property
    def is_done_elsewhere(self) -> bool:
        """Whether something calls ``task_done`` that gets nothing itself: it may do so for a consumer."""
        calls = [(scope, getattr(call.func, "attr", "") == DONE) for scope, call in self.found]
        consumers = {scope for scope, done in calls if not done}
        return any(done and scope not in consumers for scope, done in calls)

    def leaks(self, join: ast.Call, joiner: Scope) -> Iterator[Unbalanced]:
        """The ``get`` calls of consumers, joiner aside, whose items may never be done."""
        for scope, get in self.found:
            if scope is joiner or not scope.is_async or getattr(get.func, "attr", "") == DONE:
                continue
            statement = self.scopes.statement(get, scope)
            queue = ast.unparse(get.func.value)  # type: ignore[attr-defined]
            leak = leak_behind(statement, self.scopes.walk(scope), queue) if statement is not None else None
            if statement is None or leak is None or (leak.never and (self.escapes or self.is_done_elsewhere)):
                continue
            if leak.never or not _ends_with(join, joiner, scope):
                yield Unbalanced(get, statement, queue, scope, join, joiner, leak)


def _ends_with(join: ast.Call, joiner: Scope, consumer: Scope) -> bool:
    """Whether a join is in a task group that runs the consumer: if that fails, it is cancelled."""
    for statement in joiner.facts.withs:
        entered = [item.context_expr for item in statement.items]
        if any(isinstance(call, ast.Call) and called(call) in GROUPS for call in entered):
            within = set(inside(statement.body))
            starts = (call for call in joiner.facts.calls if called(call) in STARTS and call in within)
            parts = (part for call in starts for argument in call.args for part in ast.walk(argument))
            named = {getattr(part, "id", getattr(part, "attr", "")) for part in parts}
            if join in within and consumer.name in named:
                return True
    return False


def _parameter(function: Scope, place: int | str) -> str:
    if isinstance(place, str):
        return place if any(parameter.arg == place for parameter in function.parameters) else ""
    parameters = [p.arg for p in function.parameters]
    if function.enclosing_class is not None:
        parameters = parameters[1:]
    return parameters[place] if place < len(parameters) else ""
