"""The fixes that finish a task: cancel it and await it, in ``finally``, behind ``cancel`` or in a cleanup."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain, count

import libcst as cst

from asynclint.finding import Edit, Fix, Position, Safety, Span
from asynclint.flow.lives import Life
from asynclint.project.guards.insertion import importable
from asynclint.project.guards.refusals import NoGuardError
from asynclint.project.guards.tests import is_fixture, test_of
from asynclint.project.project import Project
from asynclint.project.tasks import is_setup, sites
from asynclint.source.function import Function
from asynclint.source.outline import Scope
from asynclint.source.wrap import MAX_DEPTH, UnwrappableError, wrap_rest


class CannotFinishError(Exception):
    """A task that can't be finished by an edit; ``str()`` says why."""


def attempt(fix: Callable[[], Fix], offered: int, project: Project) -> tuple[Fix | None, str]:
    """A fix, or why there is none, for a function that a rule offers so many already.

    What is put round the rest of a function holds that rest, and goes round what comes behind: of
    thousands, each would hold nearly all of the function, and Python takes no more than a few in each other.
    """
    if not project.settings.fixes:
        return None, ""
    if offered >= MAX_DEPTH:
        return None, "others come first"
    try:
        return fix(), ""
    except CannotFinishError as error:
        return None, str(error)


def finish(function: Function, life: Life, project: Project) -> Fix:
    """Cancel and await a task in ``finally`` behind the statements that follow; raises CannotFinishError.

    A task that nobody keeps is kept in a new name first.
    """
    scope, trace = life.scope, life.trace
    _refuse(function, life, project)
    if trace.many:
        return _finish_all(function, life, project)
    statement = statement_of(function, life.call)
    if life.is_dropped:
        name = _free_name(function)
        keep = _keep(statement, life.call, name, function)
        return _finished(
            statement, name, scope, keep, f"keep the task as {name}, and cancel and await it", project
        )
    if not isinstance(statement, (ast.Assign, ast.AnnAssign)) or statement.value is not life.call:
        message = "it is not assigned to a name by a statement of its own"
        raise CannotFinishError(message)
    target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
    if isinstance(target, ast.Name) and len(scope.bindings[target.id]) > 1:
        message = f"{target.id} is assigned more than once"
        raise CannotFinishError(message)
    name = ast.unparse(target)
    if isinstance(target, ast.Name) and is_taken_away(name, scope, function):
        message = f"{name} may be gone by then"
        raise CannotFinishError(message)
    return _finished(statement, name, scope, [], f"cancel and await {name} in finally", project)


def is_taken_away(name: str, scope: Scope, function: Function) -> bool:
    """``del task``, or a nested function that gives the name another value."""
    return name in function.once(("taken away", scope), lambda: frozenset(_taken_away(scope)))


def _taken_away(scope: Scope) -> Iterator[str]:
    for node in ast.walk(scope.node):
        if isinstance(node, ast.Delete):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
    for inner in scope.nested():
        yield from inner.facts.outer


def _finish_all(function: Function, life: Life, project: Project) -> Fix:
    """The same for a list or set of tasks."""
    scope, name = (
        life.scope,
        next((name for name in life.trace.names if _holds_tasks(name, function, life.scope, project)), ""),
    )
    if not name:
        message = "it is kept in a container that may hold other things"
        raise CannotFinishError(message)
    statement = scope.bindings[name][0].node
    assert isinstance(statement, ast.stmt)
    task = _free_name(function)
    footer = (f"    for {task} in {name}:", f"        {task}.cancel()")
    message = f"cancel and await all of {name} in finally"
    return _finished(statement, f"*{name}", scope, [], message, project, footer)


def await_cancelled(
    function: Function, node: cst.CSTNode, cancelled: Sequence[Life], project: Project
) -> tuple[Fix, bool]:
    """Await what a ``cancel()`` has asked to stop, and whether that is the last the function does.

    Raises CannotFinishError.
    """
    life = cancelled[0]
    refuse_sync(life)
    if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute):
        message = "a helper cancels it"
        raise CannotFinishError(message)
    if isinstance(_small(function, node), ast.Return):
        message = "the function ends with it"
        raise CannotFinishError(message)
    place: cst.CSTNode = node
    name = function.module.code_for_node(node.func.value)
    if name not in life.trace.names and name not in {f"self.{kept}" for kept in life.trace.attributes}:
        name, place = _looped_over(function, node, name, life)
    module, imports = asyncio_in(life.scope, project)
    edit = behind(function, place, [f"await {module}.gather({name}, return_exceptions=True)"])
    message = f"await {name.lstrip('*')} behind the cancel"
    return Fix(message, (edit,), Safety.UNSAFE, imports), _is_last(function, place, life.scope)


def _looped_over(function: Function, node: cst.CSTNode, name: str, life: Life) -> tuple[str, cst.CSTNode]:
    """``*tasks`` for the name of a loop that does nothing but cancel what it goes over, and that loop."""
    for outer in function.parents(node):
        loop = outer if isinstance(outer, cst.For) else getattr(outer, "for_in", None)
        if loop is None or not isinstance(loop.target, cst.Name) or loop.target.value != name:
            continue
        over = function.module.code_for_node(loop.iter)
        held = over.removesuffix(".values()") in life.trace.names
        if held and (isinstance(loop, cst.CompFor) or len(loop.body.body) == 1):
            return f"*{over}", outer
        message = "the loop that cancels does more than that"
        raise CannotFinishError(message)
    message = f"{name} is no plain name"
    raise CannotFinishError(message)


def _is_last(function: Function, node: cst.CSTNode, scope: Scope) -> bool:
    """Whether nothing runs behind the statement of a node."""
    statement = _statement(function, node)
    return (
        isinstance(scope.node, (ast.FunctionDef, ast.AsyncFunctionDef)) and scope.node.body[-1] is statement
    )


def finish_pending(function: Function, node: cst.CSTNode, scope: Scope, project: Project) -> Fix:
    """Cancel and gather what ``asyncio.wait`` leaves pending; raises CannotFinishError."""
    statement = _small(function, node)
    assert isinstance(node, cst.Await)
    if any(isinstance(outer, (cst.For, cst.While)) for outer in function.parents(node)):
        message = "it stands in a loop, which may come back to the same tasks"
        raise CannotFinishError(message)
    awaited = function.ast_of(node)
    text, edits = function.text, []
    taken = _taken(function)
    if isinstance(statement, ast.Expr) and statement.value is awaited:
        pending = "pending" if "pending" not in taken else _free_name(function)
        start = text.span(statement).start
        done = "_" if "_" not in taken else "done"
        edits.append(Edit(Span(start, start), f"{done}, {pending} = "))
    elif isinstance(statement, ast.Assign) and statement.value is awaited:
        target = statement.targets[0]
        second = target.elts[1] if isinstance(target, ast.Tuple) and len(target.elts) == 2 else None
        if not isinstance(second, ast.Name):
            message = "what it returns is not unpacked into two names"
            raise CannotFinishError(message)
        pending = second.id
        if pending == "_":
            pending = "pending" if "pending" not in taken else _free_name(function)
            edits.append(Edit(text.span(second), pending))
    else:
        message = "the call is part of a larger statement"
        raise CannotFinishError(message)
    module, imports = asyncio_in(scope, project)
    task = _free_name(function)
    unit = "\t" if text.lines[statement.lineno - 1].startswith("\t") else "    "
    lines = (f"for {task} in {pending}:", f"{unit}{task}.cancel()")
    gathered = f"await {module}.gather(*{pending}, return_exceptions=True)"
    edits.append(behind(function, node, [*lines, gathered]))
    return Fix("cancel and gather the pending tasks", tuple(edits), Safety.UNSAFE, imports)


def finish_in_cleanup(function: Function, life: Life, project: Project) -> Fix:
    """Let ``asyncSetUp`` add cleanups that cancel and await a task; raises CannotFinishError.

    Cleanups run in reverse order, and addAsyncCleanup takes coroutine functions alone
    (https://docs.python.org/3/library/unittest.html), which ``asyncio.gather`` is not.
    """
    refuse_sync(life)
    statement = statement_of(function, life.call)
    if not isinstance(statement, ast.Assign) or statement.value is not life.call or life.trace.many:
        message = "it is not assigned to a name by a statement of its own"
        raise CannotFinishError(message)
    name = ast.unparse(statement.targets[0])
    own = life.scope.parameters[0].arg
    module, imports = asyncio_in(life.scope, project)
    lines = [f"{own}.addAsyncCleanup({module}.wait, [{name}])", f"{own}.addCleanup({name}.cancel)"]
    edit = behind(function, function.cst_of(life.call), lines)
    return Fix(f"cancel and await {name} in a cleanup", (edit,), Safety.UNSAFE, imports)


def _holds_tasks(name: str, function: Function, scope: Scope, project: Project) -> bool:
    """Whether a name is bound once, to a list or set of nothing but new tasks."""
    return function.once(("holds tasks", scope, name), lambda: _is_all_tasks(name, scope, project))


def _is_all_tasks(name: str, scope: Scope, project: Project) -> bool:
    bindings = scope.bindings[name]
    value = bindings[0].value
    started = {id(call) for call in sites(scope, project)}
    if len(bindings) != 1 or bindings[0].kind != "assign":
        return False
    if isinstance(value, (ast.ListComp, ast.SetComp)):
        return id(value.elt) in started
    empty = isinstance(value, ast.Call) and ast.unparse(value) in ("list()", "set()")
    elements = value.elts if isinstance(value, (ast.List, ast.Set)) else []
    added = [
        argument
        for call in scope.facts.calls
        if isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == name
        for argument in call.args
    ]
    held = isinstance(value, (ast.List, ast.Set)) or empty
    return held and all(id(part) in started for part in (*elements, *added))


def _refuse(function: Function, life: Life, project: Project) -> None:
    """Only a test or a fixture that yields knows when its task has to end, and only async ones can await."""
    unit, scope = function.scope, life.scope
    fixture = is_fixture(unit, project) is not None
    if scope is not unit or not (fixture or test_of(unit, project) is not None or is_setup(unit, project)):
        message = f"{scope.name} is no test, and its task may be meant to outlive it"
        raise CannotFinishError(message)
    refuse_sync(life)
    if fixture and not unit.is_generator:
        message = f"{scope.name} does not yield, so it has no teardown"
        raise CannotFinishError(message)


def refuse_sync(life: Life) -> None:
    """Raise CannotFinishError where nothing can be awaited."""
    if not life.scope.is_async:
        cause = f"{life.scope.name} is not async, so it cannot await the task"
        raise CannotFinishError(cause)
    if "run_coroutine_threadsafe" in ast.unparse(life.call.func):
        cause = "what it returns belongs to another thread"
        raise CannotFinishError(cause)


def _finished(
    statement: ast.stmt,
    name: str,
    scope: Scope,
    edits: list[Edit],
    message: str,
    project: Project,
    cancel: Sequence[str] = (),
) -> Fix:
    module, imports = asyncio_in(scope, project)
    lines = ("finally:", *(cancel or (f"    {name}.cancel()",)))
    footer = (*lines, f"    await {module}.gather({name}, return_exceptions=True)")
    try:
        rest = wrap_rest(scope, statement, "try:", footer, ended=name.lstrip("*"))
    except UnwrappableError as error:
        raise CannotFinishError(str(error)) from None
    return Fix(message, (*edits, rest), Safety.UNSAFE, imports)


def asyncio_in(scope: Scope, project: Project) -> tuple[str, tuple[str, ...]]:
    """What asyncio is called in a function, and the imports that needs; raises CannotFinishError."""
    try:
        module, imported = importable("asyncio", scope, project)
    except NoGuardError as error:
        raise CannotFinishError(str(error)) from None
    return module, (imported,) if imported else ()


def behind(function: Function, node: cst.CSTNode, lines: Sequence[str]) -> Edit:
    """Lines behind the statement that a node is or stands in; raises CannotFinishError."""
    text = function.text
    statement = _statement(function, node)
    span = text.span(statement)
    last = text.lines[span.end.line - 1]
    before, after = text.lines[span.start.line - 1][: span.start.column], last[span.end.column :].strip()
    if before.strip() or (after and not after.startswith("#")):
        message = "it shares its line with other statements"
        raise CannotFinishError(message)
    end = Position(span.end.line, len(last.rstrip("\r\n")))
    return Edit(Span(end, end), "".join(f"{text.newline}{before}{line}" for line in lines))


def statement_of(function: Function, call: ast.Call) -> ast.stmt:
    """The simple statement that a call is part of; raises CannotFinishError."""
    return _small(function, function.cst_of(call))


def _statement(function: Function, node: cst.CSTNode) -> ast.stmt:
    if isinstance(node, cst.BaseCompoundStatement):
        found = function.ast_of(node)
        assert isinstance(found, ast.stmt)
        return found
    return _small(function, node)


def _small(function: Function, node: cst.CSTNode) -> ast.stmt:
    for outer in (node, *function.parents(node)):
        if isinstance(outer, cst.BaseSmallStatement):
            found = function.ast_of(outer)
            assert isinstance(found, ast.stmt)
            return found
    message = "it stands in the head of a block"
    raise CannotFinishError(message)


def _keep(statement: ast.stmt, call: ast.Call, name: str, function: Function) -> list[Edit]:
    text = function.text
    if isinstance(statement, ast.Assign) and statement.value is call:
        return [Edit(text.span(statement.targets[0]), name)]
    if not isinstance(statement, ast.Expr):
        message = "the call is part of a larger statement"
        raise CannotFinishError(message)
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


def _taken(function: Function) -> AbstractSet[str]:
    """The names that a function uses, those of its parameters too."""
    return function.once("taken", lambda: frozenset(_named(function.scope.node)))


def _named(root: ast.AST) -> Iterator[str]:
    for node in ast.walk(root):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg


def _free_name(function: Function) -> str:
    """``task``, or ``task_2`` … where a function uses that already."""
    taken = _taken(function)
    return next(name for name in chain(("task",), (f"task_{i}" for i in count(2))) if name not in taken)
