"""Where functions of threads use what belongs to the event loop."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from asynclint.knowledge.threads import LOOP_METHODS, NEEDS_LOOP, UNSAFE
from asynclint.project.guards.replaced import is_replaced, replaced_names
from asynclint.project.names import chain
from asynclint.project.project import Project
from asynclint.project.tasks import is_loop
from asynclint.project.threads import (
    calls_of,
    function_of,
    handings,
    has_loop,
    names_threads,
    resolved,
    thread_functions,
)
from asynclint.source.outline import Outline, Scope

MAX_DEPTH = 3
METHODS = frozenset(name.rpartition(".")[2] for name in UNSAFE)
FUNCTIONS = frozenset(name.rpartition(".")[2] for name in NEEDS_LOOP)
POINT = re.compile(r"no[nt]_?thread_?safe|thread_?unsafe|wrong_thread", re.IGNORECASE)


@dataclass(frozen=True)
class Misuse:
    """A use of the loop in a thread: the node to report, what is used, and where, if that is elsewhere."""

    node: ast.expr
    scope: Scope
    name: str
    used: ast.expr
    place: ast.expr | None = None
    outline: Outline | None = None
    is_likely: bool = False  # nobody sees the thread, but the function takes care elsewhere


def misuses(unit: Scope, project: Project) -> list[Misuse]:
    """Uses of the loop by functions that run in threads, in a unit and what is nested in it."""
    return project.remembered(("loop used in threads", unit), lambda: list(_in_unit(unit, project)))


def _in_unit(unit: Scope, project: Project) -> Iterator[Misuse]:
    if not names_threads(unit.outline, project):
        return
    for scope in unit.nested():
        for handing in handings(scope, project):
            name = _used(handing.target, scope, project) if isinstance(handing.target, ast.Attribute) else ""
            if name and not _is_the_point(scope):
                yield Misuse(handing.call, scope, name, handing.target)
                continue
            target = function_of(handing.target, scope, project)
            if target is not None and target.outline is not unit.outline:
                yield from _elsewhere(handing.call, scope, target, project)
        if scope.is_async or _is_the_point(scope):
            continue
        runs = scope in thread_functions(unit.outline, project)
        if not runs and not _is_mixed(scope):
            continue
        for call in scope.facts.calls:
            name = _misused(call, scope, project)
            if name and (runs or name.rpartition(".")[2] in LOOP_METHODS):
                yield Misuse(call, scope, name, call.func, is_likely=not runs)
        for call, inner in calls_of(scope, project):
            if inner.outline is not unit.outline:
                yield from _elsewhere(call, scope, inner, project)


def _elsewhere(call: ast.Call, scope: Scope, function: Scope, project: Project) -> Iterator[Misuse]:
    found = _first_in(function, project, 0)
    if found is not None:
        name, place, outline = found
        yield Misuse(call, scope, name, place.func, place, outline)


def _first_in(function: Scope, project: Project, depth: int) -> tuple[str, ast.Call, Outline] | None:
    """The first use of the loop in a function of another module, and in what that calls."""
    if has_loop(function, project):
        return None
    for call in function.facts.calls:
        name = _misused(call, function, project)
        if name:
            return name, call, function.outline
    for _, inner in calls_of(function, project) if depth < MAX_DEPTH else ():
        found = _first_in(inner, project, depth + 1)
        if found is not None:
            return found
    return None


def _misused(call: ast.Call, scope: Scope, project: Project) -> str:
    name = _used(call.func, scope, project)
    if not name:
        return ""
    expected = project.remembered(("expected to fail", scope), lambda: _expected_to_fail(scope))
    return "" if any(start <= call.lineno <= end for start, end in expected) else name


def _used(func: ast.expr, scope: Scope, project: Project) -> str:
    """The dotted name of what belongs to the loop; "" for all else."""
    last = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
    if isinstance(func, ast.Attribute) and last in METHODS:
        name = resolved(func, scope, project)
        if name in UNSAFE:
            return "" if last in replaced_names(scope, project) else name
        by_name = not name and last in LOOP_METHODS and is_loop(func.value, scope, project)
        return last if by_name and not is_replaced(func, scope, project) else ""
    if last in FUNCTIONS or isinstance(func, ast.Name):
        found = next((name for name in chain(func, scope, project.modules) if name in NEEDS_LOOP), "")
        return found if found and not is_replaced(func, scope, project) else ""
    return ""


def _expected_to_fail(scope: Scope) -> list[tuple[int, int]]:
    """Lines of ``with pytest.raises(RuntimeError): …`` and ``try: … except RuntimeError as error``."""
    found = [
        (statement.lineno, statement.end_lineno or 0)
        for statement in scope.facts.withs
        if any("aises" in ast.unparse(item.context_expr) for item in statement.items)
    ]
    for node in ast.walk(scope.node):
        handlers = node.handlers if isinstance(node, ast.Try) else []
        named = [
            ast.unparse(handler.type) for handler in handlers if handler.type is not None and handler.name
        ]
        if isinstance(node, ast.Try) and any("RuntimeError" in caught for caught in named):
            found.append((node.lineno, node.body[-1].end_lineno or 0))
    return found


def _is_the_point(scope: Scope) -> bool:
    """``test_nonthreadsafe_indeed_fails``."""
    return any(POINT.search(outer.name) for outer in scope.around() if outer.is_function)


def _is_mixed(scope: Scope) -> bool:
    """A function that is only given away, and elsewhere takes care to call the loop from a thread."""
    if not scope.is_function or scope.is_async or scope.parent is None or not scope.parent.is_function:
        return False
    careful = any(
        isinstance(call.func, ast.Attribute) and call.func.attr == "call_soon_threadsafe"
        for call in scope.facts.calls
    )
    around = scope.parent.nested() if careful else ()
    called = (call.func for outer in around for call in outer.facts.calls)
    return careful and not any(isinstance(func, ast.Name) and func.id == scope.name for func in called)
