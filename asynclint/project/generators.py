"""Where asynchronous generators are made that have something to clean up."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator

from asynclint.project.guards.replaced import are_replaced
from asynclint.project.handing import hands_on
from asynclint.project.index.values import Calling, Function, Result
from asynclint.project.plain import Endings, given_to, is_of_self, layout_of, names_of, naming, swallows
from asynclint.project.project import Project
from asynclint.source.nodes import start_of
from asynclint.source.outline import Scope
from asynclint.source.walk import child_fields
from asynclint.source.written import called, last_name, uncalled, written

MAX_DEPTH = 3  # generators that go over generators
STOPPING = frozenset({"cancel", "close", "aclose", "stop", "shutdown"})
STEPS = frozenset({"__anext__", "asend"})
# Context managers that leave nothing undone.
IDLE = frozenset({"suppress", "nullcontext", "raises"})
CATCHING = frozenset({"GeneratorExit", "BaseException", "CancelledError"})


def generators(scope: Scope, project: Project) -> list[ast.Call]:
    """Calls of generator functions that are stepped through by hand, left early, or kept, in source order."""
    return project.remembered(("async generators", scope), lambda: list(_generators(scope, project)))


def may_leave_generators(unit: Scope, project: Project) -> bool:
    """Whether a function, or what is nested in it, makes a generator that it does not plainly go through."""
    return any(
        not _is_plainly_ended(call, scope, project)
        for scope in unit.nested()
        if scope.is_function
        for call in generators(scope, project)
    )


def _is_plainly_ended(call: ast.Call, scope: Scope, project: Project) -> bool:
    named = naming(call, scope, project)
    if named is None or named.many:
        return False
    return project.remembered(("generator endings", scope), lambda: _endings(scope, project)).come(named)


def _endings(scope: Scope, project: Project) -> Endings:
    named = (naming(call, scope, project) for call in generators(scope, project))
    tried = set(_tried(scope, project))

    def ends(value: ast.expr, names: Collection[str]) -> Iterable[str]:
        """``await items.aclose()``, ``with raises(StopAsyncIteration): await anext(items)``."""
        if not isinstance(value, ast.Call):
            return ()
        name, func = called(value), value.func
        if (name == "anext" and value.args) or (isinstance(func, ast.Attribute) and name in STEPS):
            return names_of([stepped(value)], names) if value in tried else ()
        if isinstance(func, ast.Attribute) and name == "aclose":
            return names_of([func.value], names)
        given = list(names_of(given_to(value), names))
        return given if given and hands_on(value, scope, project) else ()

    return Endings({one.name for one in named if one is not None}, ends, scope, project)


def _tried(scope: Scope, project: Project) -> Iterator[ast.AST]:
    """What stands where an exception is expected: one that comes out of a generator ends it."""
    layout = layout_of(scope, project)
    for statement in layout.places:
        if any(swallows(holder) or getattr(holder, "handlers", []) for holder in layout.holders(statement)):
            yield from ast.walk(statement)


def _generators(scope: Scope, project: Project) -> Iterator[ast.Call]:
    facts = scope.facts
    loops = [loop for loop in facts.async_fors if isinstance(loop, ast.AsyncFor) and is_left_early(loop)]
    candidates: list[ast.expr | None] = [loop.iter for loop in loops]
    steps = [call for name in STEPS.intersection(facts.methods) for call in facts.methods[name]]
    steps += [call for call in facts.functions.get("anext", ()) if len(call.args) == 1]
    candidates += [stepped(call) for call in steps]
    if loops or steps:  # what is kept may be stepped through there
        candidates += [b.value for found in scope.bindings.values() for b in found if b.kind == "assign"]
    calls = {id(call): call for call in candidates if isinstance(call, ast.Call)}
    for call in sorted(calls.values(), key=start_of):
        value = project.inference.value(call, scope)
        if not isinstance(value, Result) or value.function.calling is not Calling.ASYNC_GENERATOR:
            continue
        made = value.function.scope
        names = {called(call), made.enclosing_class.name if made.enclosing_class is not None else ""}
        replaced = are_replaced(names, scope, project)
        if (
            made.outline.is_stub
            or replaced
            or _is_stopped(call, made, scope, project)
            or _is_watched(call, made, scope, project)
        ):
            continue
        if cleans_up(made, project):
            yield call


def _is_stopped(call: ast.Call, made: Scope, scope: Scope, project: Project) -> bool:
    """``result.cancel()`` beside ``result.events()``: what the generator is of is told to stop."""
    if not isinstance(call.func, ast.Attribute):
        return False
    owner = written(call.func.value)
    stops = [stop for name in STOPPING for stop in scope.facts.methods.get(name, ())]
    return any(
        isinstance(stop.func, ast.Attribute)
        and written(stop.func.value) == owner
        and start_of(stop) > start_of(call)
        and _may_end(stop, made, scope, project)
        for stop in stops
    )


def _may_end(stop: ast.Call, made: Scope, scope: Scope, project: Project) -> bool:
    """Whether what stops an owner may end its generator: not where it is read, and shares nothing with it."""
    value = project.inference.value(stop.func, scope)
    if not isinstance(value, Function) or value.scope.outline.is_stub:
        return True
    return not _of_owner(value.scope).isdisjoint(_of_owner(made))


def _of_owner(method: Scope) -> set[str]:
    """The attributes that a method speaks of, of the object that it is a method of."""
    nodes = (node for node in ast.walk(method.node) if isinstance(node, ast.Attribute))
    return {node.attr for node in nodes if is_of_self(node, method)}


def _is_watched(call: ast.Call, made: Scope, scope: Scope, project: Project) -> bool:
    """Whether a test asserts later upon what a generator does at last: to leave it is the point then.

    On a name that one inside the test uses there, or an attribute that a method sets on its object.
    """
    unit = [scope, *(outer for outer in scope.around() if outer.is_function)][-1]
    tries = (node for node in ast.walk(made.node) if isinstance(node, (ast.Try, ast.TryStar)))
    undone = [statement for node in tries for statement in node.finalbody]
    set_back = {node.attr for node in _attributes(undone, ast.Store) if is_of_self(node, made)}
    used: set[str] = set()
    if made in unit.nested():
        used = _names(undone) - (made.bindings.keys() - made.facts.outer.keys())
        used &= {name for outer in made.around() if outer.is_function for name in outer.bindings} - {"self"}
    if not set_back and not used:
        return False
    asserted = list(_asserted(unit, scope, call))
    owner = project.inference.value(call.func.value, scope) if isinstance(call.func, ast.Attribute) else None
    looked_at = [node for node in _attributes(asserted, ast.Load) if node.attr in set_back]
    known = (project.inference.value(node.value, scope) for node in looked_at)
    if any(None in (owner, other) or other == owner for other in known):
        return True
    return not used.isdisjoint(_names(asserted))


def _asserted(unit: Scope, scope: Scope, left: ast.Call) -> Iterator[ast.AST]:
    """``assert stream.closed``, ``self.assertIsNone(stream.callback)``; in its own scope behind a call."""
    for inner in unit.nested():
        found = (*inner.facts.asserts, *(c for c in inner.facts.calls if called(c).startswith("assert")))
        yield from (node for node in found if inner is not scope or start_of(node) > start_of(left))


def _attributes(nodes: Iterable[ast.AST], context: type[ast.expr_context]) -> Iterator[ast.Attribute]:
    parts = (part for node in nodes for part in ast.walk(node))
    return (part for part in parts if isinstance(part, ast.Attribute) and isinstance(part.ctx, context))


def _names(nodes: Iterable[ast.AST]) -> set[str]:
    return {part.id for node in nodes for part in ast.walk(node) if isinstance(part, ast.Name)}


def stepped(call: ast.Call) -> ast.expr:
    """What a step is made of: ``items`` of ``anext(items)``, ``items.__anext__()``, ``items.asend(None)``."""
    return call.func.value if isinstance(call.func, ast.Attribute) else call.args[0]


def is_left_early(loop: ast.AsyncFor) -> bool:
    """Whether a ``break`` of its own, or a ``return``, leaves a loop."""
    stack: list[tuple[ast.AST, bool]] = [(statement, True) for statement in loop.body]
    while stack:
        node, own = stack.pop()
        if isinstance(node, ast.Return) or (own and isinstance(node, ast.Break)):
            return True
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.expr)):
            continue
        inner = isinstance(node, (ast.For, ast.AsyncFor, ast.While))
        for name in child_fields(type(node)):
            value = getattr(node, name, None)
            parts = value if isinstance(value, list) else [value]
            within = own and not (inner and name == "body")
            stack += [(part, within) for part in parts if isinstance(part, ast.AST)]
    return False


def cleans_up(function: Scope, project: Project, depth: int = 0) -> bool:
    """Whether a generator function yields where something has to be undone behind it.

    In a ``try`` with ``finally`` or a handler of what closing it raises, in a ``with`` block, or in a loop
    over another such generator. Not where it may yield the last item before it gets there.
    """
    return project.remembered(
        ("cleans up", function), lambda: _cleans_up(function.node, function, project, depth)
    )


def _cleans_up(root: ast.AST, function: Scope, project: Project, depth: int) -> bool:
    stack: list[tuple[ast.AST, bool]] = [(root, False)]
    found = False
    while stack:
        node, covered = stack.pop()
        found = found or (isinstance(node, ast.Yield) and covered)
        if node is not root and isinstance(
            node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
        ):
            continue
        body = covered or _undoes(node, function, project, depth)
        for name in child_fields(type(node)):
            value = getattr(node, name, None)
            parts = value if isinstance(value, list) else [value]
            within = body if name == "body" else covered
            if not within and any(map(_is_last_yield, parts, parts[1:])):
                return False
            stack += [(part, within) for part in parts if isinstance(part, ast.AST)]
    return found


def _is_last_yield(statement: object, following: object) -> bool:
    """``yield item`` and then ``return``."""
    yields = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Yield)
    return yields and isinstance(following, ast.Return)


def _undoes(node: ast.AST, function: Scope, project: Project, depth: int) -> bool:
    """Whether leaving the body of a statement does something."""
    match node:
        case ast.Try() | ast.TryStar():
            caught = " ".join(
                ast.unparse(h.type) if h.type is not None else "BaseException" for h in node.handlers
            )
            return bool(node.finalbody) or any(name in caught for name in CATCHING)
        case ast.With() | ast.AsyncWith():
            return any(
                _last(item.context_expr) not in IDLE and not _closes_given(item.context_expr, function)
                for item in node.items
            )
        case ast.AsyncFor() if depth < MAX_DEPTH:
            value = project.inference.value(node.iter, function)
            if isinstance(value, Result) and value.function.calling is Calling.ASYNC_GENERATOR:
                inner = value.function.scope
                return not inner.outline.is_stub and cleans_up(inner, project, depth + 1)
    return False


def _closes_given(entered: ast.expr, function: Scope) -> bool:
    """``async with aclosing(items)`` of an iterable that a generator is given: that is the caller's."""
    if not isinstance(entered, ast.Call) or not entered.args or entered.keywords:
        return False
    iterables = {p.arg for p in function.parameters if p.annotation and "Iter" in ast.unparse(p.annotation)}
    return all(isinstance(arg, ast.Name) and arg.id in iterables for arg in entered.args)


def _last(expr: ast.expr) -> str:
    return last_name(uncalled(expr))
