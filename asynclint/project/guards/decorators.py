"""What a decorator of the project does to the time of a test."""

from __future__ import annotations

import ast

from asynclint.knowledge.asyncs import BOUNDING_DECORATORS, NEUTRAL_DECORATORS
from asynclint.project.guards.installed import is_plain, wrapped_by
from asynclint.project.guards.objects import receiving
from asynclint.project.guards.seconds import UNREAD, bind
from asynclint.project.guards.tests import read_marks
from asynclint.project.guards.wrappers import (
    NOTHING,
    Bound,
    Unknown,
    Verdict,
    bound_at,
    is_listed,
    mark_bound,
    object_bound,
    project_function,
    search,
)
from asynclint.project.index.values import Class, Function
from asynclint.project.names import Chain, chain, definition
from asynclint.project.project import Project
from asynclint.source.outline import Scope
from asynclint.source.written import uncalled


def decorator_bound(
    decorator: ast.expr, scope: Scope, project: Project, owner: Scope | None = None
) -> Verdict:
    """What a decorator of a test does to its time, marks left out.

    ``scope`` is where it stands; ``owner`` the class whose test it is, for what ``self`` has there.
    One that leads to an installed package does nothing only where it is read to the end.
    """
    found = _decorator_bound(decorator, scope, project, owner)
    if not isinstance(found, Unknown):
        return found
    wider = project.with_installed(scope.outline.directory)
    if wider is project:
        return found
    read = _decorator_bound(decorator, scope, wider, owner)
    if isinstance(read, Bound) or (read is NOTHING and _is_plain_decorator(decorator, scope, wider)):
        return read
    return found


def _is_plain_decorator(decorator: ast.expr, scope: Scope, project: Project) -> bool:
    target = uncalled(decorator)
    function = project_function(target, scope, project)
    return function is not None and is_plain(function, project, wrapped_by(decorator, function))


def _decorator_bound(decorator: ast.expr, scope: Scope, project: Project, owner: Scope | None) -> Verdict:
    target = uncalled(decorator)
    names = chain(target, scope, project.modules)
    if is_listed(ast.unparse(target), names, project.settings.guard_decorators):
        return bound_at(decorator, scope, f"@{ast.unparse(target)}", UNREAD, in_loop=True)
    if any(name in BOUNDING_DECORATORS for name in names):
        return bound_at(decorator, scope, f"@{names[0]}", UNREAD, in_loop=False)
    if is_neutral(names) or is_builtin_decorator(target, scope):
        return NOTHING
    value = project.inference.value(target, scope)
    if isinstance(value, Class) and not value.scope.outline.is_stub:
        return object_bound(value, decorator, scope, project)
    made = definition(target, scope, project.modules)
    if made is not None and isinstance(made[0], ast.Call):
        whole = _partial(made[0], made[1], decorator, scope, project)
        if whole is not None:
            return decorator_bound(whole, made[1], project, owner)
        return decorator_bound(made[0], made[1], project, owner)  # patient = timed(seconds=60); @patient
    function = project_function(target, scope, project)
    if function is None:
        if any(True for _ in read_marks(decorator, scope, project)):
            return NOTHING
        if isinstance(target, ast.Attribute) and target.attr in ("given", "parametrize", "skipif", "skip"):
            return NOTHING
        return Unknown(ast.unparse(target))
    return _function_bound(function, decorator, scope, project, owner)


def _function_bound(
    function: Scope, decorator: ast.expr, scope: Scope, project: Project, owner: Scope | None
) -> Verdict:
    """What a decorator that is a function of the project, or is made by one, does."""
    call = decorator if isinstance(decorator, ast.Call) else ast.Call(func=decorator, args=[], keywords=[])
    for part in call.args:  # @compose(limited(5), pytest.mark.timeout(5))
        composed = decorator_bound(part, scope, project, owner) if isinstance(part, ast.Call) else NOTHING
        if isinstance(composed, Bound):
            return composed
        for mark in read_marks(part, scope, project):
            applied = mark_bound(mark.call, mark.scope, project) if mark.name == "timeout" else NOTHING
            if applied is not NOTHING:
                return applied
    method = project.inference.value(call.func, scope)
    given = bind(call, function, scope, project, bound=False)
    if isinstance(method, Function):
        given |= receiving(method, call.func, scope, project, None)
    found = search(function, project, given, owner)
    return found._replace(source=f"@{function.name}") if isinstance(found, Bound) else found


def _partial(
    made: ast.Call, made_in: Scope, decorator: ast.expr, scope: Scope, project: Project
) -> ast.Call | None:
    """``brief = functools.partial(within, seconds=1)`` and ``@brief()``, as one call.

    None where it is something else, or where arguments of both calls are read in different places.
    """
    if "functools.partial" not in chain(made.func, made_in, project.modules) or not made.args:
        return None
    args, keywords = list(made.args[1:]), list(made.keywords)
    if isinstance(decorator, ast.Call):
        added = [*decorator.args, *(keyword.value for keyword in decorator.keywords)]
        if scope is not made_in and not all(isinstance(value, ast.Constant) for value in added):
            return None
        given = {keyword.arg for keyword in decorator.keywords}
        args += decorator.args
        keywords = [k for k in keywords if k.arg not in given] + decorator.keywords
    whole = ast.Call(func=made.args[0], args=args, keywords=keywords)
    return ast.copy_location(whole, made)


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
