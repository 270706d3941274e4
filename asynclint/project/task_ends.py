"""Which tasks plainly come to their end, where they are made or further down: those need no tree."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator
from functools import partial

from asynclint.knowledge.asyncs import CONTAINER_TAKES, GATHERING
from asynclint.project.handing import hands_on, is_container
from asynclint.project.names import chain
from asynclint.project.plain import Endings, Naming, given_to, is_of_self, layout_of, names_of, naming, parts
from asynclint.project.project import Project
from asynclint.project.tasks import sites, starts_tasks
from asynclint.source.outline import Scope
from asynclint.source.written import last_name

JOINING = ("gather", "shield", "wait_for", "wait")
TAKING = ("result", "exception")  # of a task that is not done, these raise
ANSWERED = (*TAKING, "add_done_callback")


def may_leave_tasks(unit: Scope, project: Project) -> bool:
    """Whether a function, or what is nested in it, starts a task that does not plainly come to its end."""
    return starts_tasks(unit, project) and project.remembered(
        ("may leave tasks", unit),
        lambda: any(
            not _is_plainly_ended(call, scope, project)
            for scope in unit.nested()
            if scope.is_function
            for call in sites(scope, project)
        ),
    )


def runs_on_trio(scope: Scope, project: Project) -> bool:
    """A function of trio in guest mode: it can cancel a task of asyncio, and can't await it."""
    return project.remembered(("runs on trio", scope), lambda: _runs_on_trio(scope, project))


def _runs_on_trio(scope: Scope, project: Project) -> bool:
    names = (name for call in scope.facts.calls for name in chain(call.func, scope, project.modules))
    return scope.is_async and any(name.startswith("trio.") for name in names)


def _is_plainly_ended(call: ast.Call, scope: Scope, project: Project) -> bool:
    if call in project.remembered(("ended at once", scope), lambda: set(_ended_at_once(scope, project))):
        return True
    taker = project.remembered(("takers", scope), lambda: dict(_takers(scope))).get(call)
    if taker is not None and hands_on(taker, scope, project):
        return True
    kept = _kept(call, scope, project)
    if kept is None:
        return False
    if kept.name in project.remembered(("ended by others", scope), lambda: set(_ended_by_others(scope))):
        return True
    return project.remembered(("task endings", scope), lambda: _endings(scope, project)).come(kept)


def _kept(call: ast.Call, scope: Scope, project: Project) -> Naming | None:
    """The name that a task is given, or that of the container it is put in."""
    put = project.remembered(("put", scope), lambda: dict(_put(scope, project)))
    return naming(call, scope, project) or put.get(call)


def _endings(scope: Scope, project: Project) -> Endings:
    kept = (_kept(call, scope, project) for call in sites(scope, project))
    names = {named.name for named in kept if named is not None}
    return Endings(names, partial(_ends, scope, project), scope, project)


def _ended_at_once(scope: Scope, project: Project) -> Iterator[ast.expr]:
    """What a scope waits for, gives back, or keeps where others have it, without giving it a name."""
    facts = scope.facts
    for wait in facts.awaits:
        for joined in (wait.value, *_joined(wait.value, scope, project)):
            yield from parts(joined)
    for given in (*facts.returns, *facts.yields):
        yield from parts(given.value) if given.value is not None else ()
    for target, value in facts.attributes:
        yield from parts(value) if value is not None and not is_of_self(target, scope) else ()
    for call in (call for name in TAKING for call in facts.methods.get(name, ())):
        yield from [call.func.value] if isinstance(call.func, ast.Attribute) else ()
    yield from (part for part, put in _puts(scope, project) if not is_container(put.name, scope))


def _takers(scope: Scope) -> Iterator[tuple[ast.expr, ast.Call]]:
    """What calls are given, one by one or in a display, and the call."""
    for call in scope.facts.calls:
        yield from ((part, call) for part in given_to(call))


def _put(scope: Scope, project: Project) -> Iterator[tuple[ast.expr, Naming]]:
    return ((part, put) for part, put in _puts(scope, project) if is_container(put.name, scope))


def _puts(scope: Scope, project: Project) -> Iterator[tuple[ast.expr, Naming]]:
    """``tasks.append(create_task(…))``, ``tasks[name] = create_task(…)``: what is put in, and where."""
    for statement in layout_of(scope, project).places:
        match statement:
            case ast.Expr(
                value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method), args=given)
            ):
                given = given if method in CONTAINER_TAKES else []
            case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=name))], value=value):
                given = [value]
            case _:
                continue
        yield from ((part, Naming(statement, name, True)) for arg in given for part in parts(arg))


def _ended_by_others(scope: Scope) -> Iterator[str]:
    """Names of a function that functions inside wait for or cancel: those may be called at any time."""
    for inner in scope.nested()[1:]:
        facts = inner.facts
        asked = [call.func for name in (*TAKING, "cancel") for call in facts.methods.get(name, ())]
        values = [wait.value for wait in facts.awaits]
        values += [func.value for func in asked if isinstance(func, ast.Attribute)]
        for value in values:
            found = inner.lookup(value.id) if isinstance(value, ast.Name) else None
            if found is not None and found[0] is scope:
                yield value.id  # type: ignore[attr-defined]


def _ends(scope: Scope, project: Project, value: ast.expr, names: Collection[str]) -> Iterable[str]:
    """``await task``, ``await gather(*tasks)``, ``loop.run_until_complete(task)``, ``task.result()``.

    Who is called when a task is done answers for it, too.
    """
    match value:
        case (
            ast.Await(value=waited)
            | ast.Call(func=ast.Attribute(attr="run_until_complete"), args=[waited], keywords=[])
        ):
            return names_of(_joined(waited, scope, project), names)
        case ast.Call(func=ast.Attribute(value=ast.Name() as asked, attr=method)) if method in ANSWERED:
            return names_of([asked], names)
        case ast.Call(func=ast.Attribute(value=ast.Name() as asked, attr="cancel")):
            return names_of([asked], names) if runs_on_trio(scope, project) else ()
        case ast.Call():
            given = list(names_of(given_to(value), names))
            return given if given and hands_on(value, scope, project) else ()
        case ast.Yield(value=ast.Name() as given):
            return names_of([given], names)
    return ()


def _joined(waited: ast.expr, scope: Scope, project: Project) -> Iterator[ast.expr]:
    """What is waited for to the end by who waits for an expression."""
    if not isinstance(waited, ast.Call):
        yield waited
        return
    names = chain(waited.func, scope, project.modules) if last_name(waited.func) in JOINING else ()
    if any(name in GATHERING or name == "asyncio.wait_for" for name in names):
        yield from (part.value if isinstance(part, ast.Starred) else part for part in waited.args)
    elif "asyncio.wait" in names and len(waited.args) == 1 and not waited.keywords:
        given = waited.args[0]
        yield from given.elts if isinstance(given, (ast.List, ast.Set, ast.Tuple)) else [given]
