"""Where coroutines are made and not awaited at once, as definitions or as the code around tell."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path

from asynclint.finding import Confidence
from asynclint.knowledge.asyncs import ASKING, DRIVING, UNITTEST_ASSERTIONS, VALUE_CALLS
from asynclint.project.config import find_pytest_config
from asynclint.project.eager import has_started_a_task
from asynclint.project.guards.plugins import plugin_modules
from asynclint.project.guards.replaced import gives_replaced, is_replaced
from asynclint.project.index.classes import ancestors, may_have
from asynclint.project.index.decorators import wrapper_object
from asynclint.project.index.modules import is_known_package
from asynclint.project.index.values import (
    Callback,
    Calling,
    Class,
    Function,
    Instance,
    Pending,
    Result,
    Value,
)
from asynclint.project.index.witnesses import is_awaited_elsewhere, is_told_apart, is_variant, loose_calls
from asynclint.project.plain import names_of, naming, parts
from asynclint.project.project import Project
from asynclint.source.nodes import start_of
from asynclint.source.outline import Outline, Scope
from asynclint.source.written import called

STEPS = ("send", "throw")
DISPLAYS = (ast.List, ast.Tuple, ast.Set)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp)
ASYNC_WORDS = (b"async def", b"Awaitable", b"Coroutine")


class Evidence(Enum):
    """What says that a call gives a coroutine."""

    DEFINITION = "what is called"
    ANNOTATION = "what is called is annotated as giving something to await"
    USE = "the module awaits the same call of the same thing elsewhere"
    STARTED = "what is called starts what it is given, and awaiting it waits for that"

    @property
    def confidence(self) -> Confidence:
        """How sure that makes a report."""
        sure = self in (Evidence.DEFINITION, Evidence.STARTED)
        return Confidence.CERTAIN if sure else Confidence.LIKELY


def loose(scope: Scope, project: Project) -> list[tuple[ast.Call, Evidence]]:
    """Calls in a scope's own body that give a coroutine, and are neither awaited nor a statement.

    What an attribute is given, in a list too, is left out: others may read it. So is what a call is given
    one by one, from a comprehension, and what is driven by hand.
    """
    return project.remembered(("loose coroutines", scope), lambda: list(_loose(scope, project)))


def makes_loose_coroutines(unit: Scope, project: Project) -> bool:
    """Whether a function, or what is nested in it, makes a coroutine and does not await it at once.

    Not where its name is plainly awaited or given away, and nothing else is done with it.
    """
    return any(
        not _is_plainly_taken(call, scope, unit, project)
        for scope in unit.nested()
        if scope.is_function
        for call, _ in loose(scope, project)
    )


def _is_plainly_taken(call: ast.Call, scope: Scope, unit: Scope, project: Project) -> bool:
    taken, spread = project.remembered(("taken over", scope), lambda: _taken(scope, project))
    named = naming(call, scope, project)
    if named is None:
        return call in taken or _is_asked_for_its_own(call, scope, project)
    if len(scope.bindings[named.name]) > 1:
        return _is_driven(named.name, call, scope)
    loads = project.remembered(("loads", unit), lambda: _loads(unit)).get(named.name, set())
    fine = loads <= (taken | spread if named.many else taken)
    return bool(loads) and fine and all(start_of(load) > start_of(call) for load in loads)


def _is_driven(name: str, call: ast.Call, scope: Scope) -> bool:
    """``result.send(None)``, where a call is the last that gives the name."""
    awaited = {id(wait.value) for wait in scope.facts.awaits}
    later = (
        s for method in STEPS for s in scope.facts.methods.get(method, ()) if start_of(s) > start_of(call)
    )
    steps = (step.func for step in later if id(step) not in awaited)
    stepped = list(names_of((step.value for step in steps if isinstance(step, ast.Attribute)), {name}))
    bindings = scope.bindings[name]
    assigned = all(
        binding.kind == "assign" and start_of(binding.node) <= start_of(call) for binding in bindings
    )
    return bool(stepped) and assigned


def _is_asked_for_its_own(call: ast.Call, scope: Scope, project: Project) -> bool:
    """``rows.filter(…).order_by(…)``: a method of the object that could be awaited."""
    method = project.remembered(("methods of calls", scope), lambda: dict(_methods_of_calls(scope))).get(call)
    return method is not None and has_of_its_own(call, method, scope, project)


def _methods_of_calls(scope: Scope) -> Iterator[tuple[ast.expr, str]]:
    for name, calls in scope.facts.methods.items():
        yield from ((call.func.value, name) for call in calls if isinstance(call.func, ast.Attribute))


def has_of_its_own(call: ast.Call, attribute: str, scope: Scope, project: Project) -> bool:
    """Whether the object that stands for what a call gives to await may have an attribute."""
    value = project.inference.value(call, scope)
    if isinstance(value, Result) and value.function.calling is Calling.WRAPPED:
        value = wrapper_object(value.function.scope, project.inference)
    return isinstance(value, Instance) and may_have(value.cls, attribute, project.inference)


def _loads(unit: Scope) -> dict[str, set[ast.expr]]:
    """Where a function, and what is nested in it, reads each name."""
    found: dict[str, set[ast.expr]] = {}
    for node in ast.walk(unit.node):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store):
            found.setdefault(node.id, set()).add(node)
    return found


def _taken(scope: Scope, project: Project) -> tuple[set[ast.expr], set[ast.expr]]:
    """What a scope's own body awaits, gives back, or gives to who may await it; what it gives one by one."""
    facts = scope.facts
    taken, spread = {wait.value for wait in facts.awaits}, set[ast.expr]()
    for given in (*facts.returns, *facts.yields):
        taken.update(parts(given.value) if given.value is not None else [])
    for call in facts.calls:
        if _takes_over(call, scope, project):
            for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
                taken.update(parts(argument))
                spread.update([argument.value] if isinstance(argument, ast.Starred) else [])
    return taken, spread


def _takes_over(call: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether a call may await what it is given, and nothing says otherwise."""
    if called(call) in UNITTEST_ASSERTIONS | VALUE_CALLS | ASKING:
        return False
    value = project.inference.value(call.func, scope)
    return not isinstance(value, Function) or value.scope.outline.is_stub


def _loose(scope: Scope, project: Project) -> Iterator[tuple[ast.Call, Evidence]]:
    settled = {id(statement.value) for statement in scope.facts.expressions}
    for _, value in scope.facts.attributes:
        settled |= {id(part) for part in (value.elts if isinstance(value, DISPLAYS) else [value])}
    for taker in scope.facts.calls:  # gather(*[work() for _ in range(3)])
        made = (argument.value for argument in taker.args if isinstance(argument, ast.Starred))
        if called(taker) not in ASKING:
            settled |= {id(several.elt) for several in made if isinstance(several, COMPREHENSIONS)}
    driven = (call.func for name in DRIVING for call in scope.facts.methods.get(name, ()))
    settled |= {id(method.value) for method in driven if isinstance(method, ast.Attribute)}
    for call in loose_calls(scope, project):
        evidence = makes_coroutine(call, scope, project) if id(call) not in settled else None
        if evidence is not None:
            yield call, evidence


def makes_coroutine(call: ast.Call, scope: Scope, project: Project) -> Evidence | None:
    """What says that a call gives a coroutine; None where nothing does, or something replaces it."""
    evidence = _evidence(call, scope, project)
    if evidence is None or has_started_a_task(call, scope, project):
        return None
    if is_replaced(call.func, scope, project, by_plain=True):
        return None
    if gives_replaced(call.func, scope, project) or is_told_apart(call, scope, project):
        return None
    redefined = isinstance(call.func, ast.Attribute) and _may_be_redefined(call.func, scope, project)
    return None if redefined else evidence


def _evidence(call: ast.Call, scope: Scope, project: Project) -> Evidence | None:
    project = with_packages(scope.outline, project)
    func, inference = call.func, project.inference
    value = inference.value(call, scope)
    given = inference.pending(value)
    if value is not None and given is None:
        return None
    if given is not None and given.lazy:
        return Evidence.DEFINITION
    if isinstance(value, Pending) and isinstance(inference.value(func, scope), Callback):
        return Evidence.ANNOTATION
    if not _may_be_awaited(value, func, scope, project) or not is_awaited_elsewhere(call, scope, project):
        return None
    return None if is_variant(call, scope, project) else Evidence.USE


def with_packages(outline: Outline, project: Project) -> Project:
    """The project as a module sees it: with installed packages, where it or a conftest imports async ones."""
    return project.remembered(("with packages", outline), lambda: _with_packages(outline, project))


def _with_packages(outline: Outline, project: Project) -> Project:
    directory = outline.directory
    wider = project.with_installed(directory)
    modules = plugin_modules(outline, find_pytest_config(directory), project)
    tops = {top for module in modules for top in _imported(module)}
    return wider if any(_is_async_package(top, outline.path, wider) for top in tops) else project


def _imported(outline: Outline) -> Iterator[str]:
    """Top-level names that a module imports."""
    bindings = [b for found in outline.scope.bindings.values() for b in found if not b.level]
    yield from (b.module.partition(".")[0] for b in bindings if b.kind in ("import", "from"))


def _is_async_package(top: str, origin: Path, project: Project) -> bool:
    """Whether an installed package, which tables do not tell enough of, has a coroutine function."""
    if is_known_package(top) or project.modules.has_top_level(top, origin):
        return False
    packages = project.modules.searched(top, origin)
    return packages is not None and project.remembered(
        ("async package", top), lambda: packages.has(top) and packages.mentions(top, _is_async)
    )


def _is_async(raw: bytes) -> bool:
    return any(word in raw for word in ASYNC_WORDS)


def _may_be_awaited(value: Value | None, func: ast.expr, scope: Scope, project: Project) -> bool:
    """Whether nothing that is known of a call that gives ``value`` (to await, if known) says otherwise."""
    called = project.inference.value(func, scope)
    if value is not None:
        return not isinstance(called, Class)
    if called is None or not isinstance(called, Function) or called.scope.outline.is_stub:
        return called is None
    node = called.scope.node
    annotated = isinstance(node, ast.FunctionDef) and node.returns is not None
    return annotated or any(found.value is not None for found in called.scope.facts.returns)


def _may_be_redefined(func: ast.Attribute, scope: Scope, project: Project) -> bool:
    """Whether a fake client of the same module has a plain method of the name, and may be what is called."""
    heirs = _redefining(scope.outline, project).get(func.attr, ())
    if not heirs:
        return False
    inference = with_packages(scope.outline, project).inference
    method = inference.value(func, scope)
    receiver = method.receiver if isinstance(method, Function) else None
    cls = receiver.cls if isinstance(receiver, Instance) else receiver
    families = (ancestors(Class(heir), inference) for heir in heirs)
    return cls is None or any(None in family or cls in family for family in families)


def _redefining(outline: Outline, project: Project) -> Mapping[str, list[Scope]]:
    """The heirs that a module defines anywhere, by the names of their plain methods and attributes."""

    def found() -> Mapping[str, list[Scope]]:
        heirs: dict[str, list[Scope]] = {}
        for cls in outline.scope.nested():
            if isinstance(cls.node, ast.ClassDef) and cls.node.bases:
                names = {m.name for m in cls.facts.scopes if m.is_function and not m.is_async}
                names |= {name for name, bound in cls.bindings.items() if bound[-1].kind == "assign"}
                for name in names:
                    heirs.setdefault(name, []).append(cls)
        return heirs

    return project.remembered(("plain methods of heirs", outline), found)
