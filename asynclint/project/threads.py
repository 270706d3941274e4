"""Which functions run in a thread of their own, without an event loop in it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from asynclint.knowledge.threads import DISTINCT, OWN_LOOP, RUN_IN_THREAD, RUNS_LOOP, THREAD_WORDS
from asynclint.project.index.classes import ancestors
from asynclint.project.index.reading import is_installed
from asynclint.project.index.values import Calling, Class, Function, Instance
from asynclint.project.names import chain, definition
from asynclint.project.project import Project
from asynclint.source.outline import Outline, Scope
from asynclint.source.written import argument

MAX_DEPTH = 3  # functions that functions of a thread call; wrappers of wrappers
STARTERS = frozenset(name.rpartition(".")[2] for name in RUN_IN_THREAD)
PARTIAL = frozenset({"functools.partial"})


class Handing(NamedTuple):
    """A call that runs a function in a thread, and that function as it is written there."""

    call: ast.Call
    target: ast.expr
    scope: Scope


def resolved(func: ast.expr, scope: Scope, project: Project) -> str:
    """The dotted name of a function or class, where it is defined."""
    value = project.inference.value(func, scope)
    if not isinstance(value, (Function, Class)):
        return ""
    return f"{project.modules.name(value.scope.outline)}.{value.scope.qualname}"


def handings(scope: Scope, project: Project) -> list[Handing]:
    """The calls in a scope's own body that run something in a thread."""
    return project.remembered(("handed to threads", scope), lambda: list(_handings(scope, project)))


def _handings(scope: Scope, project: Project) -> Iterator[Handing]:
    for call in scope.facts.calls:
        for target in _targets(call, scope, project, 0):
            yield Handing(call, target, scope)
            yield from (Handing(call, given, scope) for given in _called_with(call, target, scope, project))


def unwrapped(target: ast.expr, scope: Scope, project: Project) -> ast.expr:
    """``work`` of ``partial(work, 1)`` and of ``partial(copy_context().run, work)``, also by a name."""
    made = definition(target, scope, project.modules) if isinstance(target, ast.Name) else None
    call = made[0] if made is not None else target
    if not isinstance(call, ast.Call) or not call.args:
        return target
    if not set(chain(call.func, made[1] if made is not None else scope, project.modules)) & PARTIAL:
        return target
    first = call.args[0]
    runs = isinstance(first, ast.Attribute) and first.attr == "run" and len(call.args) > 1
    return call.args[1] if runs else first


def passed(call: ast.Call, target: ast.expr) -> list[ast.expr]:
    """What the function of a thread is called with: ``args=(queue,)``, or what stands behind it."""
    given = _given(call)
    tuples = [k.value.elts for k in call.keywords if k.arg == "args" and isinstance(k.value, ast.Tuple)]
    if tuples:
        return tuples[0]
    return given[given.index(target) + 1 :] if target in given and len(call.args) > 1 else []


def argument_of(name: str, function: Scope, project: Project) -> list[tuple[ast.expr, Scope]]:
    """What the calls that run a function in a thread give it for a parameter."""
    names = [arg.arg for arg in function.parameters][function.enclosing_class is not None :]
    key = ("handed by", function.outline)
    handed = project.remembered(key, lambda: _handed_by(function.outline, project))
    found: list[tuple[ast.expr, Scope]] = []
    for handing in handed.get(function, ()):
        values = passed(handing.call, handing.target)
        place = names.index(name) if name in names else len(values)
        if place >= len(values):
            return []
        found.append((values[place], handing.scope))
    return found


def _handed_by(outline: Outline, project: Project) -> dict[Scope, list[Handing]]:
    found: dict[Scope, list[Handing]] = {}
    for scope in outline.scope.nested():
        for handing in handings(scope, project):
            target = function_of(handing.target, handing.scope, project)
            if target is not None:
                found.setdefault(target, []).append(handing)
    return found


def _called_with(call: ast.Call, target: ast.expr, scope: Scope, project: Project) -> Iterator[ast.expr]:
    """Functions among the arguments of a function of a thread that it calls: ``args=(callback,)``."""
    behind = passed(call, target)
    if not any(_is_function_like(value, scope) for value in behind):
        return
    function = function_of(target, scope, project)
    if function is None:
        return
    names = [arg.arg for arg in function.parameters][function.enclosing_class is not None :]
    called = {other.func.id for other in function.facts.calls if isinstance(other.func, ast.Name)}
    for name, value in zip(names, behind, strict=False):
        if name in called and _is_function_like(value, scope):
            yield value


def _targets(call: ast.Call, scope: Scope, project: Project, depth: int) -> Iterator[ast.expr]:
    place = _place(call, scope, project)
    if place is not None:
        given = argument(call, *place)
        if given is not None:
            yield unwrapped(given, scope, project)
    elif depth < MAX_DEPTH:
        named = [value for value in _given(call) if isinstance(value, (ast.Name, ast.Lambda))]
        if named and any(_is_function_like(value, scope, depth) for value in named):
            yield from _through_wrapper(call, scope, project, depth)


def _place(call: ast.Call, scope: Scope, project: Project) -> tuple[int, str] | None:
    """Where a call takes the function that it runs in a thread; None where it takes none."""
    func = call.func
    last = func.attr if isinstance(func, ast.Attribute) else ""
    if last and last not in STARTERS:
        return None
    if isinstance(func, ast.Name) and scope.lookup(func.id) is None:
        return None
    name = next((n for n in chain(func, scope, project.modules) if n in RUN_IN_THREAD), "")
    if not name and last:
        name = resolved(func, scope, project)
    found = RUN_IN_THREAD.get(name) or DISTINCT.get(last)
    return None if found is None or _is_of_processes(call, scope, project) else found


def _is_of_processes(call: ast.Call, scope: Scope, project: Project) -> bool:
    """``ProcessPoolExecutor().submit(…)``, ``loop.run_in_executor(process_pool, …)``."""
    executors = [call.func.value] if isinstance(call.func, ast.Attribute) else []
    for expr in (*executors, *call.args[:1]):
        value = project.inference.value(expr, scope) if isinstance(expr, (ast.Name, ast.Call)) else None
        if isinstance(value, Instance) and value.cls.scope.name == "ProcessPoolExecutor":
            return True
    return False


# -- wrappers of the project


def _given(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def _is_function_like(expr: ast.expr, scope: Scope, depth: int = 0) -> bool:
    """A lambda or the name of a plain function; in a wrapper, a parameter as well."""
    if isinstance(expr, ast.Lambda):
        return True
    found = scope.lookup(expr.id) if isinstance(expr, ast.Name) else None
    kinds = {"param"} if depth else {"def"}
    return found is not None and all(
        binding.kind in kinds and not isinstance(binding.node, (ast.AsyncFunctionDef, ast.ClassDef))
        for binding in found[1]
    )


def _through_wrapper(call: ast.Call, scope: Scope, project: Project, depth: int) -> Iterator[ast.expr]:
    """Arguments that a function of the project hands on to a thread."""
    value = project.inference.value(call.func, scope)
    if isinstance(value, Class) and any(map(_is_thread, ancestors(value, project.inference))):
        yield from (given for given in _given(call) if _is_function_like(given, scope))
    if not isinstance(value, Function) or value.scope.outline.is_stub or not value.scope.is_function:
        return
    if value.calling not in (Calling.SYNC, Calling.COROUTINE) or is_installed(value.scope.outline.path):
        return
    handed = _handed_on(value.scope, project, depth + 1)
    names = [arg.arg for arg in value.scope.parameters][value.receiver is not None :]
    for name in handed & set(names):
        given = argument(call, names.index(name), name)
        if given is not None:
            yield given


def _handed_on(wrapper: Scope, project: Project, depth: int) -> frozenset[str]:
    """Parameters of a function that it runs in a thread, by themselves or in a function inside."""

    def found() -> frozenset[str]:
        parameters = {arg.arg for arg in wrapper.parameters}
        if not parameters or not wrapper.outline.text.has_any(THREAD_WORDS):
            return frozenset()
        handed: set[str] = set()
        for scope in wrapper.nested():
            for call in scope.facts.calls:
                for target in _targets(call, scope, project, depth):
                    handed |= {n.id for n in _parts(target, scope, project) if isinstance(n, ast.Name)}
        return frozenset(handed & parameters)

    return project.remembered(("handed on to threads", wrapper), found)


def _parts(target: ast.expr, scope: Scope, project: Project) -> Iterator[ast.AST]:
    """The names that a target is, or calls where it is a function written in place."""
    if isinstance(target, ast.Name):
        yield target
    inner = function_of(target, scope, project)
    for call in inner.facts.calls if inner is not None else ():
        yield call.func


# -- functions of threads


def function_of(target: ast.expr, scope: Scope, project: Project) -> Scope | None:
    """The plain function or lambda of the project that an expression is."""
    if isinstance(target, ast.Lambda):
        return scope.child(target)
    value = project.inference.value(target, scope)
    if isinstance(value, Function):
        plain = value.calling is Calling.SYNC and not value.scope.outline.is_stub and value.scope.is_function
        return value.scope if plain and not is_installed(value.scope.outline.path) else None
    made = definition(target, scope, project.modules) if isinstance(target, ast.Name) else None
    if made is not None and isinstance(made[0], ast.Lambda):
        return made[1].child(made[0])
    return None


def thread_functions(outline: Outline, project: Project) -> frozenset[Scope]:
    """The functions of a module that run in threads, and only there, as far as the module tells."""
    return project.remembered(("functions of threads", outline), lambda: _thread_functions(outline, project))


def _thread_functions(outline: Outline, project: Project) -> frozenset[Scope]:
    found: set[Scope] = set()
    handed: set[int] = set()
    for scope in outline.scope.nested():
        for handing in handings(scope, project):
            handed.add(id(handing.target))
            target = function_of(handing.target, handing.scope, project)
            if target is not None and target.outline is outline:
                found.add(target)
    found |= set(_run_methods(outline, project))
    found = {scope for scope in found if not has_loop(scope, project)}
    for _ in range(MAX_DEPTH):
        called = {
            inner for scope in found for _, inner in calls_of(scope, project) if inner.outline is outline
        }
        found |= {scope for scope in called if not has_loop(scope, project)}
    return frozenset(found - _used_elsewhere(found, outline, handed))


def _run_methods(outline: Outline, project: Project) -> Iterator[Scope]:
    """``run`` of a class that inherits from ``threading.Thread``."""
    for cls in outline.classes:
        run = next(
            (method for method in cls.facts.scopes if method.name == "run" and not method.is_async), None
        )
        if run is not None and any(_is_thread(a) for a in ancestors(Class(cls), project.inference)):
            yield run


def _is_thread(cls: Class | None) -> bool:
    return cls is not None and cls.scope.outline.is_stub and cls.scope.name in ("Thread", "Timer")


def calls_of(scope: Scope, project: Project) -> Iterator[tuple[ast.Call, Scope]]:
    """The plain functions of the project that a function calls."""
    for call in scope.facts.calls:
        root: ast.expr = call.func
        while isinstance(root, ast.Attribute):
            root = root.value
        if isinstance(root, ast.Name) and scope.lookup(root.id) is not None:
            inner = function_of(call.func, scope, project)
            if inner is not None and inner is not scope:
                yield call, inner


def has_loop(function: Scope, project: Project) -> bool:
    """Whether a function runs a loop of its own, in itself or in what is nested in it."""
    for scope in function.nested():
        for call in scope.facts.calls:
            if isinstance(call.func, ast.Attribute) and call.func.attr in RUNS_LOOP:
                return True
            if any(name in OWN_LOOP for name in chain(call.func, scope, project.modules)):
                return True
    return False


def _used_elsewhere(found: set[Scope], outline: Outline, handed: set[int]) -> set[Scope]:
    """Functions that something else calls or is given too: they may run on the loop."""
    names: dict[str, list[Scope]] = {}
    for scope in found:
        if scope.is_function:
            names.setdefault(scope.name, []).append(scope)
    used: set[Scope] = set()
    for scope in outline.scope.nested() if names else ():
        if scope in found:
            continue
        for call in scope.facts.calls:
            for expr in (call.func, *_given(call)):
                if id(expr) in handed:
                    continue
                name = expr.attr if isinstance(expr, ast.Attribute) else getattr(expr, "id", "")
                used.update(other for other in names.get(name, ()) if _may_mean(expr, scope, other))
        used.update(other for other in found if other.decorators)
    return used


def _may_mean(expr: ast.expr, scope: Scope, function: Scope) -> bool:
    """Whether a name may be that function's: of a method any attribute may be."""
    if isinstance(expr, ast.Attribute):
        return function.enclosing_class is not None
    found = scope.lookup(expr.id) if isinstance(expr, ast.Name) else None
    return found is not None and found[0] is function.parent
