"""The fixes that close a resource: in ``finally`` behind the statements that follow, or in a cleanup."""

from __future__ import annotations

import ast

from asynclint.finding import Edit, Fix, Safety
from asynclint.flow.finishing import CannotFinishError, behind, is_taken_away, statement_of
from asynclint.flow.resources import Holding
from asynclint.project.closers import is_lent
from asynclint.project.guards.tests import test_of
from asynclint.project.project import Project
from asynclint.project.tasks import is_setup
from asynclint.source.function import Function
from asynclint.source.wrap import UnwrappableError, wrap_rest


def close(function: Function, held: Holding, project: Project) -> Fix:
    """Close a resource when its function ends, or its class's tests do; raises CannotFinishError."""
    life, resource = held.life, held.resource
    scope = life.scope
    name = _name(function, held)
    awaits = any(line.lstrip().startswith("await ") for line in resource.footer)
    if awaits and not scope.is_async:
        message = (
            f"{scope.name} is not async, so it cannot await {name}.{resource.footer[-1].partition('.')[2]}"
        )
        raise CannotFinishError(message)
    if life.trace.attributes:
        return _in_cleanup(function, held, name, project, awaits=awaits)
    ends = is_lent(scope, project) or test_of(scope, project) is not None
    if scope is not function.scope or not ends:
        message = f"{scope.name} is no test, and {name} may be meant to outlive it"
        raise CannotFinishError(message)
    footer = ("finally:", *(f"    {line.format(name=name)}" for line in resource.footer))
    try:
        edit = wrap_rest(scope, statement_of(function, life.call), "try:", footer, ended=name)
    except UnwrappableError as error:
        raise CannotFinishError(str(error)) from None
    return Fix(f"close {name} in finally", (edit,), Safety.UNSAFE)


def _name(function: Function, held: Holding) -> str:
    """The one name, or attribute of ``self``, that a statement of its own gives the resource."""
    life = held.life
    statement = statement_of(function, life.call)
    value = held.made.value
    if (
        not isinstance(statement, (ast.Assign, ast.AnnAssign))
        or statement.value is not value
        or life.trace.many
    ):
        message = "it is not assigned to a name by a statement of its own"
        raise CannotFinishError(message)
    target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
    part = held.resource.part
    if part is not None:
        if not isinstance(target, (ast.Tuple, ast.List)) or len(target.elts) != 2:
            message = "what it returns is not unpacked into two names"
            raise CannotFinishError(message)
        target = target.elts[part]
    name = ast.unparse(target)
    if not isinstance(target, (ast.Name, ast.Attribute)) or name == "_":
        message = "it is not kept under a name"
        raise CannotFinishError(message)
    if isinstance(target, ast.Name):
        if len(life.scope.bindings[name]) > 1:
            message = f"{name} is assigned more than once"
            raise CannotFinishError(message)
        if is_taken_away(name, life.scope, function):
            message = f"{name} may be gone by then"
            raise CannotFinishError(message)
    return name


def _in_cleanup(function: Function, held: Holding, name: str, project: Project, *, awaits: bool) -> Fix:
    """``self.addAsyncCleanup(self.session.close)`` behind the statement that makes it."""
    scope, resource = held.life.scope, held.resource
    if not resource.cleanup or not is_setup(scope, project) or scope.name not in ("setUp", "asyncSetUp"):
        message = f"{scope.name} has no cleanups that could close {name}"
        raise CannotFinishError(message)
    add = "addAsyncCleanup" if awaits else "addCleanup"
    line = f"{scope.parameters[0].arg}.{add}({name}.{resource.cleanup})"
    edit: Edit = behind(function, function.cst_of(held.life.call), [line])
    return Fix(f"close {name} in a cleanup", (edit,), Safety.UNSAFE)
