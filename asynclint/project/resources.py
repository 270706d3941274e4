"""Where resources are made that somebody has to close."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from asynclint.knowledge.asyncs import EXPECTING
from asynclint.knowledge.resources import (
    BORROWED,
    DRIVERS,
    LENDING,
    LOOP,
    MOCKED,
    MOCKING,
    RESOURCES,
    Resource,
)
from asynclint.project.called import kept, may_be_plain, named, passed
from asynclint.project.closers import is_closed_elsewhere, is_lent
from asynclint.project.guards.fixtures import requested
from asynclint.project.guards.replaced import is_replaced
from asynclint.project.guards.tests import test_of
from asynclint.project.handing import hands_on
from asynclint.project.index.values import Calling, Function
from asynclint.project.names import chain
from asynclint.project.plain import Endings, Naming, given_to, is_of_self, names_of, naming
from asynclint.project.project import Project
from asynclint.project.tasks import is_loop
from asynclint.source.nodes import end_of, start_of
from asynclint.source.outline import Scope
from asynclint.source.written import called, last_name

MAX_DEPTH = 3  # factories that call factories
BY_NAME = {name: resource for resource in RESOURCES for name in resource.makers}
BY_METHOD = {name: resource for resource in RESOURCES for name in resource.methods}
LAST_NAMES = frozenset(name.rpartition(".")[2] for name in BY_NAME)
DIRECT = frozenset(LAST_NAMES | BY_METHOD.keys())
STANDARD = re.compile(r"sys\.std(in|out|err)\b")  # open as long as the process is
# What a factory does with what it makes that means that somebody else closes it.
OWNING = re.compile(r"cleanup|finalizer|append|\.add\(|push|enter_|weakref")


class Made(NamedTuple):
    """A call that makes a resource, and the expression that gives it (the ``await`` of the call)."""

    call: ast.Call
    value: ast.Await | ast.Call
    resource: Resource


def made(scope: Scope, project: Project) -> list[Made]:
    """The resources that are made in a scope's own body, in source order.

    Those left out that are entered or returned where they are made.
    """

    def found() -> list[Made]:
        settled = {id(item.context_expr) for entered in scope.facts.withs for item in entered.items}
        settled |= {id(given.value) for given in scope.facts.returns}
        open_ones = (made for made in _made(scope, project) if id(made.value) not in settled)
        return sorted(open_ones, key=lambda made: start_of(made.call))

    return project.remembered(("resources", scope), found)


def makes_resources(unit: Scope, project: Project) -> bool:
    """Whether a function, or what is nested in it, makes a resource."""
    return any(made(scope, project) for scope in unit.nested() if scope.is_function)


def may_leave_resources(unit: Scope, project: Project) -> bool:
    """Whether a function, or what is nested in it, makes a resource that may stay open as far as one sees.

    Not where it is plainly closed, or another method may close it; nor where it is expected not to come
    about, or never comes to hold anything.
    """
    scopes = [scope for scope in unit.nested() if scope.is_function]
    return any(
        _may_hold(one, scope, unit, project)
        and not _is_in_raises(one.call, scope)
        and not _is_plainly_closed(one, scope, project)
        for scope in scopes
        for one in made(scope, project)
    )


def _may_hold(found: Made, scope: Scope, unit: Scope, project: Project) -> bool:
    """Whether a method by which such a resource comes to hold something is called of anything."""
    works = found.resource.works
    methods = (inner.facts.methods for inner in unit.nested())
    return not works or is_lent(scope, project) or any(not works.isdisjoint(names) for names in methods)


def _is_in_raises(call: ast.Call, scope: Scope) -> bool:
    """``with raises(OSError): await open_connection(…)``."""
    for statement in scope.facts.withs:
        if start_of(statement.body[0]) <= start_of(call) <= end_of(statement):
            contexts = (item.context_expr for item in statement.items)
            if any(isinstance(expr, ast.Call) and called(expr) in EXPECTING for expr in contexts):
                return True
    return False


def _is_plainly_closed(found: Made, scope: Scope, project: Project) -> bool:
    resource, value = found.resource, found.value
    named = naming(value, scope, project)
    if named is None:
        kept = [target for target, given in scope.facts.attributes if given is value]
        own = [target.attr for target in kept if is_of_self(target, scope)]
        if kept:
            return not own or is_closed_elsewhere(own, scope, resource, project)
        takers = (call for call in scope.facts.calls if value in given_to(call))
        return any(
            _is_handed_on(call, scope, project)
            and (resource is not LOOP or _lends_loop(call, scope, project))
            for call in takers
        )
    taken = _taken(named, resource)
    if taken is None or taken.many:
        return False
    key = ("resource endings", resource.title, scope)
    return project.remembered(key, lambda: _endings(resource, scope, project)).come(taken)


def _taken(named: Naming, resource: Resource) -> Naming | None:
    """By the name of the part that is to be closed: ``writer`` of ``reader, writer = …``."""
    statement, part = named.statement, resource.part
    if part is None or not isinstance(statement, ast.Assign):
        return named
    target = statement.targets[0]
    if isinstance(target, ast.Tuple) and len(target.elts) == 2:
        target = target.elts[part]
    return named._replace(name=target.id) if isinstance(target, ast.Name) else None


def _endings(resource: Resource, scope: Scope, project: Project) -> Endings:
    named = (naming(one.value, scope, project) for one in made(scope, project) if one.resource is resource)
    taken = (_taken(one, resource) for one in named if one is not None)

    def ends(value: ast.expr, names: Collection[str]) -> Iterable[str]:
        """``writer.close()``, and what is given to code that can't be read."""
        if not isinstance(value, ast.Call):
            return ()
        if isinstance(value.func, ast.Attribute) and value.func.attr in resource.closers:
            return names_of([value.func.value], names)
        given = list(names_of(given_to(value), names))
        return given if given and resource is not LOOP and _is_handed_on(value, scope, project) else ()

    return Endings({one.name for one in taken if one is not None}, ends, scope, project)


def _lends_loop(call: ast.Call, scope: Scope, project: Project) -> bool:
    """``asyncio.set_event_loop(asyncio.new_event_loop())``: whoever asks for the loop may close it."""
    return not LENDING.isdisjoint(chain(call.func, scope, project.modules))


def _is_handed_on(call: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether a call may close what it is given, or keep it."""
    names = chain(call.func, scope, project.modules)
    mocks = any(name.startswith("unittest.mock.") for name in names)
    return not mocks and called(call) != "wait_closed" and hands_on(call, scope, project)


def _made(scope: Scope, project: Project) -> Iterator[Made]:
    facts = scope.facts
    factories = {
        id(made.value) for made in kept(scope, project) if made.function.scope.outline.text.has_any(DIRECT)
    }
    direct = {id(call) for call in named(scope, DIRECT, BY_NAME, project)}
    drivers = {id(call) for name in DRIVERS for call in facts.methods.get(name, ())}
    drivers |= {id(call) for name in DRIVERS for call in facts.functions.get(name, ())}
    asked = factories | direct | drivers
    if not asked:
        return
    for wait in facts.awaits:
        call = passed(wait.value)
        if isinstance(call, ast.Call) and (id(call) in direct or id(wait) in factories):
            resource = _resource(call, scope, project, awaited=True, whole=id(wait) in factories)
            if resource is not None:
                yield Made(call, wait, resource)
    bare = {id(statement.value) for statement in facts.expressions}
    whole = {id(value) for value in facts.kept}
    for call in facts.calls:
        if id(call) not in asked:
            continue
        inner = passed(call.args[0]) if call.args and id(call) in drivers else None
        if isinstance(inner, ast.Call):
            resource = _resource(inner, scope, project, awaited=True, whole=id(call) in whole)
            if resource is not None:
                yield Made(inner, call, resource)
        else:
            resource = _resource(call, scope, project, awaited=False, whole=id(call) in factories)
            if resource is not None and not (id(call) in bare and _sets_loop(call, scope, project)):
                yield Made(call, call, resource)


def _sets_loop(call: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether a function that is called for its effect leaves a new loop for whoever asks for one."""
    value = project.inference.value(call.func, scope)
    if not isinstance(value, Function) or value.scope.outline.is_stub:
        return False
    return any(last_name(inner.func) == "set_event_loop" for inner in value.scope.facts.calls)


def _resource(
    call: ast.Call, scope: Scope, project: Project, *, awaited: bool, whole: bool, depth: int = 0
) -> Resource | None:
    """What a call makes that is for its caller to close; factories where a statement keeps the result."""
    found = _known(call, scope, project)
    if found is not None:
        if found.awaited is not awaited or is_replaced(call.func, scope, project):
            return None
        if any(STANDARD.match(ast.unparse(argument)) for argument in call.args):
            return None
        borrowed = BORROWED.get(found.title, frozenset())
        if borrowed and any(keyword.arg is None or keyword.arg in borrowed for keyword in call.keywords):
            return None
        return None if _is_mocked(found, scope, project) else found
    if not whole or depth >= MAX_DEPTH or not may_be_plain(call.func, scope):
        return None
    value = project.inference.value(call.func, scope)
    calling = Calling.COROUTINE if awaited else Calling.SYNC
    if not isinstance(value, Function) or value.calling is not calling or value.scope.outline.is_stub:
        return None
    if not value.scope.outline.text.has_any(DIRECT) or is_replaced(call.func, scope, project):
        return None
    made = _given(value.scope, project, depth)
    return None if made is None or _is_mocked(made, scope, project) else made


def _is_mocked(resource: Resource, scope: Scope, project: Project) -> bool:
    """Whether something stands in a function for the network or for processes: nothing is there to close."""
    title = resource.title
    if title not in MOCKED:
        return False
    return project.remembered(("mocked", title, scope), lambda: _is_kind_mocked(title, scope, project))


def _is_kind_mocked(title: str, scope: Scope, project: Project) -> bool:
    functions = [outer for outer in scope.around() if outer.is_function]
    wanted = {parameter.arg for function in functions for parameter in function.parameters}
    test = test_of(functions[-1], project) if functions else None
    if test is not None:
        wanted |= requested(test, project)
    modules = MOCKING.get(title, frozenset())
    if not MOCKED[title].isdisjoint(wanted) or not modules or not functions:
        return not MOCKED[title].isdisjoint(wanted)
    return any(isinstance(node, ast.Name) and node.id in modules for node in ast.walk(functions[-1].node))


def _known(call: ast.Call, scope: Scope, project: Project) -> Resource | None:
    name = last_name(call.func)
    if name in BY_METHOD and isinstance(call.func, ast.Attribute):
        return BY_METHOD[name] if is_loop(call.func.value, scope, project) else None
    if name not in LAST_NAMES and not isinstance(call.func, ast.Name):
        return None
    return next((BY_NAME[n] for n in chain(call.func, scope, project.modules) if n in BY_NAME), None)


def _given(factory: Scope, project: Project, depth: int) -> Resource | None:
    """What a function makes and does nothing with but return it."""
    returns = factory.facts.returns
    if not returns or factory.facts.attributes or factory.facts.outer or factory.is_generator:
        return None
    if OWNING.search(factory.source):
        return None
    found = {_of(given.value, factory, project, depth + 1) for given in returns}
    return found.pop() if len(found) == 1 else None


def _of(expr: ast.expr | None, scope: Scope, project: Project, depth: int) -> Resource | None:
    if isinstance(expr, ast.Name):
        bindings = scope.bindings.get(expr.id, [])
        expr = bindings[0].value if len(bindings) == 1 and bindings[0].kind == "assign" else None
    call = passed(expr.value) if isinstance(expr, ast.Await) else expr
    if not isinstance(call, ast.Call):
        return None
    awaited = isinstance(expr, ast.Await)
    return _resource(call, scope, project, awaited=awaited, whole=True, depth=depth)
