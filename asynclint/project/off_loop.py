"""Where functions of threads use what belongs to the event loop."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from asynclint.knowledge.threads import LOOP_METHODS, NEEDS_LOOP, RUNS_LOOP, THREAD_WORDS, UNSAFE
from asynclint.project.guards.replaced import are_replaced, is_replaced
from asynclint.project.index.values import Function
from asynclint.project.moments import NEVER
from asynclint.project.names import chain
from asynclint.project.project import Project
from asynclint.project.tasks import is_loop
from asynclint.project.threads import (
    argument_of,
    calls_of,
    function_of,
    handings,
    has_loop,
    resolved,
    thread_functions,
)
from asynclint.source.outline import Outline, Scope
from asynclint.source.written import called, last_name

MAX_DEPTH = 3
METHODS = frozenset(name.rpartition(".")[2] for name in UNSAFE)
FUNCTIONS = frozenset(name.rpartition(".")[2] for name in NEEDS_LOOP)
THREAD_ASKED = re.compile(r"get_running_loop\(|get_ident\(|current_thread\(|\b_?thread_id\b")
POINT = re.compile(r"no[nt]_?thread_?safe|thread_?unsafe|wrong_thread", re.IGNORECASE)


class Misuse(NamedTuple):
    """A use of the loop in a thread: the node to report, what is used, and where, if that is elsewhere."""

    node: ast.expr
    scope: Scope
    name: str
    used: ast.expr
    place: ast.expr | None = None
    outline: Outline | None = None
    is_foreign: bool = False  # the loop runs in another thread than this
    is_likely: bool = False  # nobody sees the thread, but the function takes care elsewhere


def misuses(unit: Scope, project: Project) -> list[Misuse]:
    """Uses of the loop by functions that run in threads, in a unit and what is nested in it."""
    return project.remembered(("loop used in threads", unit), lambda: list(_in_unit(unit, project)))


def _in_unit(unit: Scope, project: Project) -> Iterator[Misuse]:
    if not unit.outline.text.has_any(THREAD_WORDS):
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
        yield from _foreign(scope, project)
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
            if inner.outline is not unit.outline and not _is_cared_for(call, scope, project):
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
        if name and not _is_given(call.func, function):
            return name, call, function.outline
    for call, inner in calls_of(function, project) if depth < MAX_DEPTH else ():
        found = None if _is_cared_for(call, function, project) else _first_in(inner, project, depth + 1)
        if found is not None:
            return found
    return None


def _is_given(func: ast.expr, function: Scope) -> bool:
    """``future.cancel`` of a parameter: who calls a function there may have made it in the same thread."""
    receiver = func.value if isinstance(func, ast.Attribute) else None
    return isinstance(receiver, ast.Name) and receiver.id in {one.arg for one in function.parameters}


def _misused(call: ast.Call, scope: Scope, project: Project) -> str:
    name = _used(call.func, scope, project)
    return "" if not name or _is_cared_for(call, scope, project) else name


def _is_cared_for(call: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether a call is expected to fail, or made where the thread is known."""
    lines = project.remembered(
        ("cared for", scope), lambda: [*_expected_to_fail(scope), *_on_the_loop(scope)]
    )
    return any(start <= call.lineno <= end for start, end in lines)


def _used(func: ast.expr, scope: Scope, project: Project) -> str:
    """The dotted name of what belongs to the loop; "" for all else."""
    last = last_name(func)
    if isinstance(func, ast.Attribute) and last in METHODS:
        name = resolved(func, scope, project)
        if name in UNSAFE:
            return "" if are_replaced([last], scope, project) else name
        name = name or _of_argument(func, scope, project)
        if name in UNSAFE:
            return name
        if name or last not in LOOP_METHODS or not is_loop(func.value, scope, project):
            return ""
        found = scope.lookup(func.value.id) if isinstance(func.value, ast.Name) else None
        is_local = found is not None and all(binding.kind != "param" for binding in found[1])
        replaced = are_replaced([last], scope, project) if is_local else is_replaced(func, scope, project)
        return "" if replaced else last
    if last in FUNCTIONS or isinstance(func, ast.Name):
        needs = next((name for name in chain(func, scope, project.modules) if name in NEEDS_LOOP), "")
        return needs if needs and not is_replaced(func, scope, project) else ""
    return ""


def _of_argument(func: ast.Attribute, scope: Scope, project: Project) -> str:
    """``event.set`` of ``def work(event)``, by what is handed to the thread: ``args=(event,)``."""
    parameters = {parameter.arg for parameter in scope.parameters if parameter.annotation is None}
    if not isinstance(func.value, ast.Name) or func.value.id not in parameters:
        return ""
    names = set()
    for expr, outside in argument_of(func.value.id, scope, project):
        value = project.inference.attribute(project.inference.value(expr, outside), func.attr)
        known = isinstance(value, Function)
        names.add(f"{project.modules.name(value.scope.outline)}.{value.scope.qualname}" if known else "")  # type: ignore[union-attr]
    return names.pop() if len(names) == 1 else ""


def _expected_to_fail(scope: Scope) -> list[tuple[int, int]]:
    """Lines of ``with pytest.raises(RuntimeError): …`` and ``try: … except RuntimeError as error``.

    Who tries ``get_running_loop()`` needs no name for it.
    """
    found = [
        (statement.lineno, statement.end_lineno or 0)
        for statement in scope.facts.withs
        if any("aises" in ast.unparse(item.context_expr) for item in statement.items)
    ]
    for node in ast.walk(scope.node):
        if not isinstance(node, ast.Try):
            continue
        asks = "get_running_loop" in ast.unparse(node.body[0])
        caught = [h.type for h in node.handlers if h.type is not None and (h.name or asks)]
        if any("RuntimeError" in ast.unparse(error) for error in caught):
            found.append((node.lineno, node.body[-1].end_lineno or 0))
    return found


def _on_the_loop(scope: Scope) -> Iterator[tuple[int, int]]:
    """Lines of both branches of a condition on the thread: ``if loop is get_running_loop(): …``.

    What the condition asks may have a name: ``here = threading.current_thread()``. Where it says that there
    is no loop yet, nothing runs that could be disturbed. Nor does ``get_running_loop()`` come back elsewhere.
    """
    asked = {
        name
        for name, bindings in scope.bindings.items()
        if any(binding.value is not None and _asks_thread(binding.value) for binding in bindings)
    }
    for node in ast.walk(scope.node):
        if isinstance(node, ast.Try) and any("get_running_loop(" in ast.unparse(part) for part in node.body):
            yield from ((part.lineno, part.end_lineno or 0) for part in (*node.body, *node.orelse))
            if all(isinstance(handler.body[-1], (ast.Return, ast.Raise)) for handler in node.handlers):
                yield node.end_lineno or 0, getattr(scope.node, "end_lineno", 0)
        if not isinstance(node, ast.If):
            continue
        names = {part.id for part in ast.walk(node.test) if isinstance(part, ast.Name)}
        if _asks_thread(node.test) or names & asked:
            yield node.lineno, node.end_lineno or 0
            continue
        without = _without_loop(node)
        if without:
            yield without[0].lineno, without[-1].end_lineno or 0


def _asks_thread(expr: ast.expr) -> bool:
    return THREAD_ASKED.search(ast.unparse(expr)) is not None


def _without_loop(node: ast.If) -> list[ast.stmt]:
    """The branch in which there is no loop: ``if self._loop is None: …``."""
    match node.test:
        case ast.Compare(
            left=loop, ops=[ast.Is() | ast.IsNot() as op], comparators=[ast.Constant(value=None)]
        ):
            if last_name(loop).rpartition("_")[2] == "loop":
                return node.body if isinstance(op, ast.Is) else node.orelse
    return []


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
    return careful and not any(
        _runs_here(call, scope.name)
        for outer in scope.parent.nested()
        if outer.name != "<lambda>"
        for call in outer.facts.calls
    )


def _runs_here(call: ast.Call, name: str) -> bool:
    """Whether a call is of a function, or gives it to the loop."""
    if isinstance(call.func, ast.Name):
        return call.func.id == name
    given = isinstance(call.func, ast.Attribute) and call.func.attr.startswith(("call_", "add_"))
    return given and any(isinstance(argument, ast.Name) and argument.id == name for argument in call.args)


# -- loops of other threads


def _foreign(scope: Scope, project: Project) -> Iterator[Misuse]:
    """``Thread(target=loop.run_forever).start()``, and then ``loop.stop()``: that loop is not woken."""
    running = {
        ast.unparse(loop): handing.call.lineno
        for handing in handings(scope, project)
        for loop in _loops_run_by(handing.target, scope, project)
    }
    started = NEVER if running else 0
    for call in scope.facts.calls if running else ():
        name = called(call)
        if name == "start":
            started = min(started, call.lineno)
        elif name in ("join", "result", "run_until_complete"):
            started = NEVER  # that thread is over
        if not isinstance(call.func, ast.Attribute) or name not in LOOP_METHODS | {"stop", "create_task"}:
            continue
        if running.get(ast.unparse(call.func.value), NEVER) <= started < call.lineno:
            yield Misuse(call, scope, name, call.func, is_foreign=True)


def _loops_run_by(target: ast.expr, scope: Scope, project: Project) -> Iterator[ast.expr]:
    """``loop.run_forever``, or the loop that a function of this scope runs."""
    if isinstance(target, ast.Attribute) and target.attr in RUNS_LOOP:
        yield target.value
        return
    function = function_of(target, scope, project)
    if function is None or function.parent is not scope:
        return
    own = {parameter.arg for parameter in function.parameters} | (
        function.bindings.keys() - function.facts.outer.keys()
    )
    for call in function.facts.calls:
        loop = call.func.value if isinstance(call.func, ast.Attribute) else None
        if called(call) == "run_forever" and isinstance(loop, ast.Name) and loop.id not in own:
            yield loop
