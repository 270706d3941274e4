"""What the rest of a module says of a call that can't be resolved: whether it is awaited elsewhere.

Code that is right nearly everywhere tells what a stray line should have been (Engler et al., "Bugs as
deviant behavior", SOSP 2001). A witness is the same callee, as written, on a receiver that is come by
in the same way, with the same flags that say whether it waits.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from asynclint.knowledge.asyncs import EAGER_METHODS, UNITTEST_ASSERTIONS, VALUE_CALLS
from asynclint.source.outline import Binding, Outline, Scope
from asynclint.source.written import called, written

if TYPE_CHECKING:
    from asynclint.project.project import Project

Key = tuple[str, ...]
Place = tuple[ast.Call, Scope]
MANY = 2  # witnesses for each call that is let be
MORE = 4  # where the receiver comes from another object in the same way, or is what each caller gives
# What collects calls until it is executed: ``pipe.multi()``, and then ``pipe.get("a")``.
BATCHES = re.compile(r"pipe|batch|multi|transaction", re.IGNORECASE)
COLLECTING = ("multi", "execute", "exec", "commit", "flush")
TWINS = {"__enter__": "__aenter__", "__exit__": "__aexit__"}
# Arguments that say whether a call waits: ``session.subscribe(topic, wait_response=False)``.
OF_CLASS = frozenset({"isinstance", "assertIsInstance"})
OF_AWAITABLES = re.compile(r"Await|Coro|Future|Task|Gener|Itera|Callable|Mock")
CLASS = re.compile(r"(\w+\.)*[A-Z]\w*")
PLAIN_CLASSES = frozenset({"bool", "bytes", "dict", "float", "int", "list", "set", "str", "tuple"})
MODES = re.compile(r"wait|block|sync|background|defer", re.IGNORECASE)


def is_awaited_elsewhere(call: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether a module awaits a call as a rule, and lets it be only here, or hardly ever."""
    if not scope.is_async or getattr(call.func, "attr", "") in EAGER_METHODS:
        return False
    if _is_collected(call, scope, project):
        return False
    outline, name = scope.outline, called(call)
    waits = project.remembered(("awaited calls", outline), lambda: _by_name(_awaited(outline)))
    if name not in waits:
        return False
    awaited = project.remembered(("awaited", name, outline), lambda: _counted(waits[name]))
    key = _key(call, scope)
    wide = _wide(key) if key is not None else None
    if key not in awaited and wide not in awaited:
        return False
    loose = project.remembered(("calls let be", outline), lambda: _by_name(_let_be(outline, project)))
    let_be = project.remembered(("let be", name, outline), lambda: _counted(loose.get(name, ())))
    enough = MORE if _is_given_inside(call, scope) else MANY
    return awaited[key] >= enough * let_be[key] or awaited[wide] >= MORE * let_be[wide]


def _is_collected(call: ast.Call, scope: Scope, project: Project) -> bool:
    """``pipe.get("a")`` beside ``pipe.multi()``, or where ``pipe.execute()`` runs what was asked of it."""
    owner = _owner(call)
    if not BATCHES.search(owner):
        return False
    collecting = (run for name in COLLECTING for run in scope.facts.methods.get(name, ()))
    return owner in project.remembered(("collecting", scope), lambda: set(map(_owner, collecting)))


def _owner(call: ast.Call) -> str:
    """``pipe`` of ``pipe.set("a", 1).get("a")``."""
    expr: ast.expr = call
    while isinstance(expr, ast.Call) and isinstance(expr.func, ast.Attribute):
        expr = expr.func.value
    return written(expr)


def _is_given_inside(call: ast.Call, scope: Scope) -> bool:
    """Whether a call is of a parameter of a function inside another, whose callers give what they like."""
    found = scope.lookup(call.func.id) if isinstance(call.func, ast.Name) else None
    if found is None or found[0].parent is None or not found[0].parent.is_function:
        return False
    return any(binding.kind == "param" for binding in found[1])


def is_variant(call: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether the other branch awaits the same: ``reader.read() if sync else await reader.read()``.

    A branch that waits for something itself is no sync variant.
    """
    name = written(call.func)
    for node in project.remembered(("branches", scope), lambda: _branches(scope)):
        if not node.lineno <= call.lineno <= (node.end_lineno or node.lineno):
            continue
        for branch, other in ((node.body, node.orelse), (node.orelse, node.body)):
            parts = _parts(branch)
            is_sync = call in parts and not any(isinstance(part, ast.Await) for part in parts)
            if is_sync and any(_awaits(part, name) for part in _parts(other)):
                return True
    return False


def is_told_apart(call: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether it stands where what is called may be plain, too.

    ``if iscoroutinefunction(self.start): run(self.start())`` says so of the other branch, and a class that
    has both of ``__exit__`` and ``__aexit__`` where the one calls what the other awaits.
    """
    name = written(call.func)
    for node in project.remembered(("branches", scope), lambda: _branches(scope)):
        asks = isinstance(node.test, ast.Call) and written(node.test.func).endswith("iscoroutinefunction")
        if asks and call in _parts(node.orelse):
            calls = (part for part in _parts(node.body) if isinstance(part, ast.Call))
            return any(written(other.func) == name for other in calls)
    owner, twin = scope.enclosing_class, TWINS.get(scope.name)
    method = next((s for s in owner.facts.scopes if s.name == twin), None) if owner is not None else None
    return method is not None and any(_awaits(wait, name) for wait in method.facts.awaits)


def _branches(scope: Scope) -> list[ast.If | ast.IfExp]:
    return [node for node in ast.walk(scope.node) if isinstance(node, (ast.If, ast.IfExp))]


def _awaits(node: ast.AST, name: str) -> bool:
    return (
        isinstance(node, ast.Await) and isinstance(node.value, ast.Call) and written(node.value.func) == name
    )


def _parts(branch: ast.expr | list[ast.stmt]) -> list[ast.AST]:
    roots = branch if isinstance(branch, list) else [branch]
    return [part for root in roots for part in ast.walk(root)]


def loose_calls(scope: Scope, project: Project) -> Sequence[ast.Call]:
    """Calls whose result is neither awaited, nor given to another call, returned, yielded or entered."""
    return project.remembered(("loose calls", scope), lambda: tuple(_loose_calls(scope)))


def _loose_calls(scope: Scope) -> Iterator[ast.Call]:
    facts = scope.facts
    taken = {id(wait.value) for wait in facts.awaits}
    for call in facts.calls:
        if (call.args or call.keywords) and not _wants_value(call):
            taken.update([id(arg.value if isinstance(arg, ast.Starred) else arg) for arg in call.args])
            taken.update([id(keyword.value) for keyword in call.keywords])
    taken |= {id(node.value) for node in (*facts.returns, *facts.yields)}
    taken |= {id(item.context_expr) for statement in facts.withs for item in statement.items}
    taken |= {id(loop.iter) for loop in facts.async_fors}
    for call in facts.calls:
        if id(call) not in taken:
            yield call


def asks_for_another_class(call: ast.Call) -> bool:
    """``isinstance(fetch(), Response)``: no class that a coroutine may be of, as far as the letters tell."""
    kind = ast.unparse(call.args[1]) if len(call.args) == 2 else "?"
    return kind in PLAIN_CLASSES or (CLASS.fullmatch(kind) is not None and OF_AWAITABLES.search(kind) is None)


def _wants_value(call: ast.Call) -> bool:
    """``len(…)``, ``self.assertEqual(…)``: what they are given is no coroutine if the code is right.

    Nor what is asked whether it is of a class, unless that may be one of coroutines and their like.
    """
    if called(call) in OF_CLASS:
        return asks_for_another_class(call)
    if isinstance(call.func, ast.Attribute):
        return call.func.attr in UNITTEST_ASSERTIONS
    return isinstance(call.func, ast.Name) and call.func.id in VALUE_CALLS


def _awaited(outline: Outline) -> Iterator[Place]:
    """The calls that a module awaits."""
    for scope in _async_scopes(outline):
        yield from ((wait.value, scope) for wait in scope.facts.awaits if isinstance(wait.value, ast.Call))


def _let_be(outline: Outline, project: Project) -> Iterator[Place]:
    """The calls whose result a module lets be."""
    for scope in _async_scopes(outline):
        yield from ((call, scope) for call in loose_calls(scope, project))


def _async_scopes(outline: Outline) -> Iterator[Scope]:
    return (scope for scope in outline.scope.nested() if scope.is_async)


def _by_name(places: Iterable[Place]) -> dict[str, list[Place]]:
    """Calls by the last name of what is called; empty where it has none."""
    found: dict[str, list[Place]] = {}
    for call, scope in places:
        found.setdefault(called(call), []).append((call, scope))
    return found


def _counted(places: Iterable[Place]) -> Counter[Key | None]:
    """How often there is each call."""
    counts: Counter[Key | None] = Counter()
    for call, scope in places:
        key = _key(call, scope)
        if key is not None:
            counts[key] += 1
            counts[_wide(key)] += 1
    return counts


def _wide(key: Key) -> Key:
    """The callee as written and how its root is bound, whatever the class and the object it comes from."""
    text, *way, source, _ = key
    return (text, *way, source if _is_class(source) else "")


def _key(call: ast.Call, scope: Scope) -> Key | None:
    """The callee as written, and how the name it starts with is come by; None for a function seen here."""
    root = call.func
    while isinstance(root, (ast.Attribute, ast.Call, ast.Subscript)):
        root = root.func if isinstance(root, ast.Call) else root.value
    found = scope.lookup(root.id) if isinstance(root, ast.Name) else None
    bindings = found[1] if found is not None else []
    if any(binding.kind in ("def", "class") for binding in bindings):
        return None
    before = [b for b in bindings if getattr(b.node, "lineno", 0) <= call.lineno]
    nearest = max(before or bindings, key=lambda b: getattr(b.node, "lineno", 0), default=None)
    owner = scope.enclosing_class.name if scope.enclosing_class is not None else ""
    return (written(call.func) + _mode(call), *_origin(nearest), owner)


def _mode(call: ast.Call) -> str:
    """The flags of a call that may decide whether it gives something to await: ``(wait=True)``."""
    flags = [
        f"({keyword.arg}={keyword.value.value})"
        for keyword in call.keywords
        if isinstance(keyword.value, ast.Constant)
        and isinstance(keyword.value.value, bool)
        and MODES.search(keyword.arg or "")
    ]
    return "".join(sorted(flags))


def _is_class(name: str) -> bool:
    """``httpx.AsyncClient``, as far as the letters tell."""
    return name.rpartition(".")[2][:1].isupper()


def _origin(binding: Binding | None) -> tuple[str, str, str]:
    """``("assign", "await", "client")`` for ``response = await client.get(…)``."""
    if binding is None:
        return "", "", ""
    value, awaited = binding.value, ""
    if isinstance(value, ast.Await):
        value, awaited = value.value, "await"
    while isinstance(value, (ast.Call, ast.Attribute, ast.Subscript)):
        if isinstance(value, ast.Call) and _is_class(written(value.func)):
            return binding.kind, awaited, written(value.func)
        value = value.func if isinstance(value, ast.Call) else value.value
    return binding.kind, awaited, value.id if isinstance(value, ast.Name) else ""
