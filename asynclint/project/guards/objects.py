"""Objects whose class is known exactly: what their constructor stores, and which methods they have."""

from __future__ import annotations

import ast

from asynclint.project.guards.seconds import UNREAD, Environment, Number, Receiver, bind, number
from asynclint.project.guards.tests import bases
from asynclint.project.index.values import Calling, Class, Function, Instance, Super
from asynclint.project.names import definition
from asynclint.project.project import Project
from asynclint.source.outline import Scope

MAX_DEPTH = 5  # constructors that call the constructor they inherit


def constructed(
    cls: Class, call: ast.Call, scope: Scope, project: Project, given: Environment | None = None
) -> Receiver | None:
    """The object that a call of a class makes; None where its constructor can't be followed.

    ``scope`` is where the call stands, ``given`` what the names there stand for.
    """
    init = project.inference.attribute(cls, "__init__")
    if not isinstance(init, Function) or _has_own_constructor(cls, project):
        return None
    if init.scope.outline.is_stub:
        return None if call.args or call.keywords else Receiver(cls.scope)
    stored: dict[str, Number] = {}
    _store(init.scope, bind(call, init.scope, scope, project, bound=True, given=given), project, stored, 0)
    for attribute in stored.keys() & _set_later(cls, project):
        stored[attribute] = UNREAD
    return Receiver(cls.scope, tuple(stored.items()))


def _has_own_constructor(cls: Class, project: Project) -> bool:
    return any("__new__" in scope.bindings for scope in bases(cls.scope, project).project)


def _store(init: Scope, given: Environment, project: Project, stored: dict[str, Number], depth: int) -> None:
    """Read what ``__init__`` assigns to attributes, inherited constructors included."""
    own = init.parameters[0].arg if init.parameters else ""
    for target, value in init.facts.attributes:
        if isinstance(target.value, ast.Name) and target.value.id == own:
            read = number(value, init, project, given)
            stored[target.attr] = UNREAD if target.attr in stored else read
    for call in init.facts.calls if depth < MAX_DEPTH else ():
        behind = inherited(call.func, init, project)
        if behind is not None and behind.scope.name == "__init__":
            inner = bind(call, behind.scope, init, project, bound=True, given=given)
            _store(behind.scope, inner, project, stored, depth + 1)


def _set_later(cls: Class, project: Project) -> set[str]:
    """Attributes that methods other than the constructor assign to."""
    return {
        target.attr
        for scope in bases(cls.scope, project).project
        for method in scope.facts.scopes
        for inner in method.nested()
        if inner.name != "__init__"
        for target, _ in inner.facts.attributes
    }


def inherited(func: ast.expr, scope: Scope, project: Project) -> Function | None:
    """The method of the project that ``super().name`` is."""
    behind = project.inference.value(func.value, scope) if isinstance(func, ast.Attribute) else None
    found = project.inference.value(func, scope) if isinstance(behind, Super) else None
    return found if isinstance(found, Function) and not found.scope.outline.is_stub else None


def method_of(receiver: Receiver, name: str, project: Project) -> Function | None:
    """A method of an object, also where its class may rewrite its methods and inference won't say."""
    cls = Class(receiver.cls)
    found = project.inference.attribute(Instance(cls), name)
    if isinstance(found, Function):
        return found
    for scope in bases(receiver.cls, project).project:
        for method in scope.facts.scopes:
            if method.name == name:
                return Function(method, Calling.SYNC, Instance(cls))
    return None


def object_of(
    expr: ast.expr, scope: Scope, project: Project, given: Environment | None = None
) -> Receiver | None:
    """The object that an expression is: ``self``, ``Within(5)``, or a name bound to such a call."""
    if isinstance(expr, ast.Name) and given is not None and expr.id in given:
        value = given[expr.id]
        return value if isinstance(value, Receiver) else None
    found = None if isinstance(expr, ast.Call) else definition(expr, scope, project.modules)
    call, around = found or (expr, scope)
    if not isinstance(call, ast.Call):
        return None
    cls = project.inference.value(call.func, around)
    if not isinstance(cls, Class) or cls.scope.outline.is_stub or cls.open:
        return None
    return constructed(cls, call, around, project, given if around is scope else None)


def method_of_self(func: ast.expr, scope: Scope, project: Project) -> Function | None:
    """``self.limited`` in a method, also where its class may rewrite its methods and inference won't say."""
    method = _method_round(scope)
    if method is None or not method.parameters or not isinstance(func, ast.Attribute):
        return None
    owner = method.enclosing_class
    if owner is None or ast.unparse(func.value) != method.parameters[0].arg:
        return None
    return method_of(Receiver(owner), func.attr, project)


def _method_round(scope: Scope) -> Scope | None:
    around: Scope | None = scope
    while around is not None and around.enclosing_class is None:
        around = around.parent
    return around


def receiving(
    method: Function, func: ast.expr, scope: Scope, project: Project, given: Environment | None
) -> Environment:
    """What the first parameter of a method stands for where it is called as ``func``."""
    if method.receiver is None or not method.scope.parameters or not isinstance(func, ast.Attribute):
        return {}
    if inherited(func, scope, project) is not None:
        around = _method_round(scope)
        own = around.parameters[0].arg if around is not None and around.parameters else ""
        receiver = given.get(own) if given is not None else None
    else:
        receiver = object_of(func.value, scope, project, given)
    return {method.scope.parameters[0].arg: receiver} if isinstance(receiver, Receiver) else {}
