"""Whether code of the project that runs a test (decorator, base class, hook) puts a bound round it."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from asynclint.knowledge.asyncs import (
    BOUNDED_CALLS,
    BOUNDING_DECORATORS,
    GUARD_CALLS,
    GUARD_CONTEXTS,
    NEUTRAL_DECORATORS,
)
from asynclint.project.guards.seconds import UNREAD, Environment, Number, argument, bind, number
from asynclint.project.guards.tests import bases, read_marks
from asynclint.project.guards.timers import LATER, is_timer
from asynclint.project.index.values import Calling, Class, Function, Instance
from asynclint.project.names import Chain, chain, definition
from asynclint.project.project import Project
from asynclint.source.outline import FUNCTIONS, Scope

MAX_DEPTH = 5


@dataclass(frozen=True, slots=True)
class Bound:
    """What ends a test when time is up.

    ``seconds`` may be unreadable; ``source`` says what it is (``@limited``, a configuration key);
    ``in_loop`` is False for what interrupts from outside the event loop (signals, timer threads).
    ``path`` and ``line`` (1-based) are where it stands, None and 0 where it has no place in a file.
    ``method`` is pytest-timeout's, empty for any other bound.
    """

    seconds: Number
    source: str
    in_loop: bool
    path: Path | None = None
    line: int = 0
    method: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something reaches the test that could bound it and can't be read."""

    source: str


Verdict = Bound | Unknown | None
NOTHING: Final = None


def bound_at(node: ast.AST, scope: Scope, source: str, seconds: Number, *, in_loop: bool) -> Bound:
    """A bound that stands at a node of a scope's file."""
    return Bound(seconds, source, in_loop, scope.outline.path, getattr(node, "lineno", 0))


def decorator_bound(decorator: ast.expr, scope: Scope, project: Project) -> Verdict:
    """What a decorator of a test does to its time, marks left out; ``scope`` is where it stands."""
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    names = chain(target, scope, project.modules)
    if is_listed(ast.unparse(target), names, project.settings.guard_decorators):
        return bound_at(decorator, scope, f"@{ast.unparse(target)}", UNREAD, in_loop=True)
    if any(name in BOUNDING_DECORATORS for name in names):
        return bound_at(decorator, scope, f"@{names[0]}", UNREAD, in_loop=False)
    if is_neutral(names) or is_builtin_decorator(target, scope):
        return NOTHING
    value = project.inference.value(target, scope)
    if isinstance(value, Class) and not value.scope.outline.is_stub:
        return _class_decorator(value, project)
    made = definition(target, scope, project.modules)
    if made is not None and isinstance(made[0], ast.Call):  # patient = timed(seconds=60); @patient
        return decorator_bound(made[0], made[1], project)
    function = project_function(target, scope, project)
    if function is None:
        if any(True for _ in read_marks(decorator, scope, project)):
            return NOTHING
        if isinstance(target, ast.Attribute) and target.attr in ("given", "parametrize", "skipif", "skip"):
            return NOTHING
        return Unknown(ast.unparse(target))
    call = decorator if isinstance(decorator, ast.Call) else ast.Call(func=target, args=[], keywords=[])
    for part in call.args:  # @compose(limited(5), pytest.mark.timeout(5))
        composed = decorator_bound(part, scope, project) if isinstance(part, ast.Call) else NOTHING
        if isinstance(composed, Bound):
            return composed
        for mark in read_marks(part, scope, project):
            applied = _mark_bound(mark.call, mark.scope, project, None) if mark.name == "timeout" else NOTHING
            if applied is not NOTHING:
                return applied
    given = bind(call, function, scope, project, bound=False)
    found = search(function, project, given)
    return replace(found, source=f"@{function.name}") if isinstance(found, Bound) else found


def is_listed(written: str, names: Chain, listed: tuple[str, ...]) -> bool:
    """Whether a setting names something: by its dotted name, as it is written, or by its last part."""
    return bool(listed) and any(
        name in listed or name.rpartition(".")[2] in listed for name in (written, *names)
    )


def is_neutral(names: Chain) -> bool:
    """Whether a decorator is known to put no bound round what it wraps."""
    return any(
        name == entry or (name.startswith(entry) and (entry.endswith(".") or name[len(entry)] == "."))
        for name in names
        for entry in NEUTRAL_DECORATORS
    )


def is_builtin_decorator(target: ast.expr, scope: Scope) -> bool:
    """``staticmethod`` and ``classmethod``."""
    return (
        isinstance(target, ast.Name)
        and target.id in ("staticmethod", "classmethod")
        and not scope.lookup(target.id)
    )


def project_function(target: ast.expr, scope: Scope, project: Project) -> Scope | None:
    """The def of the project that a name stands for, whatever decorators it has itself."""
    value = project.inference.value(target, scope)
    if isinstance(value, Function):
        return None if value.scope.outline.is_stub else value.scope
    found = definition(target, scope, project.modules)
    if found is None or not isinstance(found[0], FUNCTIONS):
        return None
    return found[1].child(found[0])


def _class_decorator(cls: Class, project: Project) -> Verdict:
    for name in ("__call__", "__init__", "__get__"):
        for method in cls.scope.facts.scopes:
            if method.name == name:
                found = search(method, project, None)
                if found is not None:
                    return found
    return NOTHING


def search(function: Scope, project: Project, given: Environment | None, depth: int = 0) -> Verdict:
    """A bound anywhere in a wrapper: in it, in what is nested in it, in project functions it calls.

    Unknown if it hands what it wraps to a function that can't be read: of another package that isn't
    asyncio, anyio, trio, the standard library or pytest, or one that it is given itself.
    """
    unknown: Verdict = NOTHING
    wrapped = _wrapped_names(function)
    for scope in function.nested():
        for call in scope.facts.calls:
            found = _call_bound(call, scope, project, given, depth)
            if isinstance(found, Bound):
                return found
            given_on = isinstance(call.func, ast.Name) and call.func.id in wrapped
            if given_on and _receives(call, wrapped - {ast.unparse(call.func)}):
                unknown = Unknown(ast.unparse(call.func))
            elif found is not None and _receives(call, wrapped):
                unknown = found
    return unknown


def _wrapped_names(function: Scope) -> set[str]:
    """Parameters of a decorator, and of the decorators it makes if it is a factory."""
    makers = [scope for scope in function.facts.scopes if scope.is_function and scope.facts.scopes]
    return {arg.arg for scope in (function, *makers) for arg in scope.parameters}


def _call_bound(
    call: ast.Call, scope: Scope, project: Project, given: Environment | None, depth: int
) -> Verdict:
    names = chain(call.func, scope, project.modules)
    if any(name in GUARD_CONTEXTS for name in names):
        first = call.args[0] if call.args else (call.keywords[0].value if call.keywords else None)
        return _bound(call, scope, number(first, scope, project, given), names[0])
    if any(name in GUARD_CALLS for name in names):
        return _bound(call, scope, number(argument(call, 1, "timeout"), scope, project, given), names[0])
    if any(name in BOUNDED_CALLS for name in names):
        limit = argument(call, -1, "timeout")
        seconds = None if limit is None else number(limit, scope, project, given)
        return _bound(call, scope, seconds, names[0])
    if is_timer(call, scope, project, given):
        return bound_at(call, scope, names[0], UNREAD, in_loop=False)
    if isinstance(call.func, ast.Attribute) and call.func.attr in LATER:
        return bound_at(call, scope, call.func.attr, UNREAD, in_loop=True)
    if "pytest.mark.timeout" in names:
        return _mark_bound(call, scope, project, given)
    if depth >= MAX_DEPTH:
        return Unknown(ast.unparse(call.func))
    value = project.inference.value(call.func, scope) or _own_method(call.func, scope, project)
    if isinstance(value, Function) and not value.scope.outline.is_stub:
        inner = bind(call, value.scope, scope, project, bound=value.receiver is not None, given=given)
        return search(value.scope, project, inner, depth + 1)
    if names and value is None and not _is_harmless(names[0]):
        return Unknown(names[0])
    return NOTHING


def _mark_bound(call: ast.Call | None, scope: Scope, project: Project, given: Environment | None) -> Verdict:
    """``pytest.mark.timeout(5)``, put on a test by code."""
    seconds = number(argument(call, 0, "timeout"), scope, project, given) if call is not None else None
    if call is None or seconds is None or (isinstance(seconds, float) and seconds <= 0):
        return NOTHING
    return bound_at(call, scope, "pytest.mark.timeout", seconds, in_loop=False)


def _own_method(func: ast.expr, scope: Scope, project: Project) -> Function | None:
    """``self.limited``, also where a class may rewrite its methods and inference won't say."""
    around: Scope | None = scope
    while around is not None and around.enclosing_class is None:
        around = around.parent
    if around is None or not around.parameters or not isinstance(func, ast.Attribute):
        return None
    owner = around.enclosing_class
    if owner is None or ast.unparse(func.value) != around.parameters[0].arg:
        return None
    for cls in bases(owner, project).project:
        for method in cls.facts.scopes:
            if method.name == func.attr:
                return Function(method, Calling.SYNC, Instance(Class(owner)))
    return None


def _bound(call: ast.Call, scope: Scope, seconds: Number, source: str) -> Verdict:
    return NOTHING if seconds is None else bound_at(call, scope, source, seconds, in_loop=True)


HARMLESS = frozenset(
    {"anyio", "trio", "pytest", "pytest_asyncio", "uvloop", "sniffio", "outcome", "hypothesis"}
)


def _is_harmless(name: str) -> bool:
    top = name.partition(".")[0]
    return top in HARMLESS or top in sys.stdlib_module_names


def _receives(call: ast.Call, names: set[str]) -> bool:
    """Whether a call is given one of these names, or the result of calling one."""
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    return any(isinstance(node, ast.Name) and node.id in names for arg in arguments for node in ast.walk(arg))
