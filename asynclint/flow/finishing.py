"""The fix that finishes a task: cancel and await it in ``finally`` behind the statements that follow."""

from __future__ import annotations

import ast

import libcst as cst

from asynclint.finding import Edit, Fix, Position, Safety, Span
from asynclint.project.guards.insertion import importable
from asynclint.project.guards.refusals import NoGuardError
from asynclint.project.guards.tests import is_fixture, test_of
from asynclint.project.project import Project
from asynclint.source.function import Function
from asynclint.source.outline import Scope
from asynclint.source.wrap import UnwrappableError, wrap_rest


class CannotFinishError(Exception):
    """A task that can't be finished by an edit; ``str()`` says why."""


def keep_and_finish(
    function: Function, node: cst.CSTNode, call: ast.Call, scope: Scope, project: Project
) -> Fix:
    """Keep a dropped task in a new name and finish it; raises CannotFinishError."""
    _refuse_helpers(function, scope, project)
    statement = function.ast_of(node)
    assert isinstance(statement, (ast.Expr, ast.Assign))
    name = _free_name(function.scope.node)
    keep = _keep(statement, call, name, function)
    message = f"keep the task as {name}, and cancel and await it"
    return _finished(statement, call, name, scope, keep, message, project)


def finish_rest(function: Function, node: cst.CSTNode, name: str, scope: Scope, project: Project) -> Fix:
    """Finish a task that is kept in ``name``; raises CannotFinishError."""
    _refuse_helpers(function, scope, project)
    statement = function.ast_of(node)
    assert isinstance(statement, (ast.Assign, ast.AnnAssign))
    if len(scope.bindings[name]) > 1:
        message = f"{name} is assigned more than once"
        raise CannotFinishError(message)
    assert isinstance(statement.value, ast.Call)
    message = f"cancel and await {name} in finally"
    return _finished(statement, statement.value, name, scope, [], message, project)


def _refuse_helpers(function: Function, scope: Scope, project: Project) -> None:
    """Only a test or a fixture that yields knows when its task has to end."""
    unit = function.scope
    ends = test_of(unit, project) is not None or (unit.is_generator and is_fixture(unit, project) is not None)
    if scope is not unit or not ends:
        message = f"{scope.name} is no test, and its task may be meant to outlive it"
        raise CannotFinishError(message)


def _finished(
    statement: ast.stmt,
    call: ast.Call,
    name: str,
    scope: Scope,
    edits: list[Edit],
    message: str,
    project: Project,
) -> Fix:
    if not scope.is_async:
        cause = f"{scope.name} is not async, so it cannot await the task"
        raise CannotFinishError(cause)
    if "run_coroutine_threadsafe" in ast.unparse(call.func):
        cause = "what it returns belongs to another thread"
        raise CannotFinishError(cause)
    try:
        module, imported = importable("asyncio", scope, project)
        gather = f"    await {module}.gather({name}, return_exceptions=True)"
        rest = wrap_rest(scope, statement, "try:", ("finally:", f"    {name}.cancel()", gather))
    except (UnwrappableError, NoGuardError) as error:
        raise CannotFinishError(str(error)) from None
    return Fix(message, (*edits, rest), Safety.UNSAFE, (imported,) if imported else ())


def _keep(statement: ast.Expr | ast.Assign, call: ast.Call, name: str, function: Function) -> list[Edit]:
    text = function.text
    if isinstance(statement, ast.Assign):
        return [Edit(text.span(statement.targets[0]), name)]
    start, end = text.span(statement).start, text.span(call).end
    edits = [Edit(Span(start, start), f"{name} = ")]
    if statement.value is not call:  # create_task(…).add_done_callback(…)
        line = text.lines[end.line - 1]
        if line[end.column : end.column + 1] != "." or text.span(call).start != start:
            message = "the callback is not attached on the line that ends the call"
            raise CannotFinishError(message)
        indent = line[: len(line) - len(line.lstrip())] if end.line == start.line else " " * start.column
        edits.append(Edit(Span(end, Position(end.line, end.column)), f"{text.newline}{indent}{name}"))
    return edits


def _free_name(node: ast.AST) -> str:
    """``task``, or ``task_2`` … where a function uses that already."""
    taken = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    taken |= {n.arg for n in ast.walk(node) if isinstance(n, ast.arg)}
    return next(name for name in ("task", *(f"task_{i}" for i in range(2, 10_000))) if name not in taken)
