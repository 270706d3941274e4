"""Where something is entered, iterated or awaited in a way that its type does not have."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from asynclint.knowledge.asyncs import GUARD_CONTEXTS, TASK_GROUPS
from asynclint.project.coroutines import with_packages
from asynclint.project.guards.replaced import are_replaced, is_replaced
from asynclint.project.index.classes import ancestors, may_have
from asynclint.project.index.infer import Inference
from asynclint.project.index.values import Builtin, Calling, Class, Function, Instance, Items, Result, Value
from asynclint.project.names import known
from asynclint.project.project import Project
from asynclint.source.outline import Outline, Scope
from asynclint.source.written import uncalled, written

# Modules of annotations that say less than the object behind them has.
ABSTRACT = frozenset({"typing", "contextlib", "collections.abc", "_collections_abc", "abc"})
ITERABLES = frozenset({"list", "dict", "set", "tuple", "str", "bytes", "range", "frozenset"})
Statement = ast.With | ast.AsyncWith | ast.For | ast.AsyncFor | ast.comprehension | ast.Await


class Needs(Enum):
    """What an expression needs in place of how it is used."""

    AWAIT = "await"
    WITH = "with"
    ASYNC_WITH = "async with"
    FOR = "for"
    ASYNC_FOR = "async for"


# What calling a function gives, and what that needs; a coroutine that is iterated is ASL303's.
MADE = {
    Calling.ASYNC_CONTEXT: ("an asynchronous context manager", Needs.ASYNC_WITH),
    Calling.CONTEXT: ("a context manager", Needs.WITH),
    Calling.ASYNC_GENERATOR: ("an asynchronous generator", Needs.ASYNC_FOR),
    Calling.GENERATOR: ("a generator", Needs.FOR),
    Calling.COROUTINE: ("a coroutine", Needs.AWAIT),
}
# By how it is used: what is a mistake there.
WRONG = {
    "with": (Calling.ASYNC_CONTEXT, Calling.COROUTINE),
    "async with": (Calling.CONTEXT, Calling.COROUTINE),
    "for": (Calling.ASYNC_GENERATOR,),
    "async for": (Calling.GENERATOR, Calling.COROUTINE),
    "await": (Calling.ASYNC_GENERATOR, Calling.ASYNC_CONTEXT, Calling.CONTEXT),
}
# The method that an object has, those that it would have to have, and what it needs.
METHODS = {
    "with": ("__aenter__", ("__enter__",), MADE[Calling.ASYNC_CONTEXT]),
    "async with": ("__enter__", ("__aenter__",), MADE[Calling.CONTEXT]),
    "for": ("__aiter__", ("__iter__", "__getitem__"), ("an asynchronous iterable", Needs.ASYNC_FOR)),
    "async for": ("__iter__", ("__aiter__",), ("an iterable", Needs.FOR)),
}


class Misfit(NamedTuple):
    """An expression that is used by the wrong protocol: by which statement, and how that is written."""

    expr: ast.expr
    statement: Statement
    scope: Scope
    used: str
    kind: str
    needs: Needs


def misfits(unit: Scope, project: Project) -> list[Misfit]:
    """Wrong protocols in a function and what is nested in it, scope by scope."""
    return project.remembered(
        ("misfits", unit),
        lambda: [found for scope in unit.nested() if scope.is_function for found in _in(scope, project)],
    )


def _in(scope: Scope, project: Project) -> Iterator[Misfit]:
    project = with_packages(scope.outline, project)
    for expr, statement, used in _uses(scope):
        func = uncalled(expr)
        found = _mistake(project.inference.value(expr, scope), used, scope.outline, project.inference)
        if used == "with" and known(func, scope, project.modules, TASK_GROUPS):
            found = MADE[Calling.ASYNC_CONTEXT]
        if found is None:
            continue
        if known(func, scope, project.modules, GUARD_CONTEXTS):
            continue  # ASL105 says more of it
        added = METHODS[used][1] if used in METHODS else ()
        if not is_replaced(func, scope, project) and not are_replaced(added, scope, project):
            yield Misfit(expr, statement, scope, used, *found)


def _uses(scope: Scope) -> Iterator[tuple[ast.expr, Statement, str]]:
    facts = scope.facts
    for entered in facts.withs:
        used = "with" if isinstance(entered, ast.With) else "async with"
        yield from ((item.context_expr, entered, used) for item in entered.items)
    yield from ((loop.iter, loop, "for") for loop in facts.fors)
    yield from ((loop.iter, loop, "async for") for loop in facts.async_fors)
    yield from ((wait.value, wait, "await") for wait in facts.awaits)


def _mistake(
    value: Value | None, used: str, outline: Outline, inference: Inference
) -> tuple[str, Needs] | None:
    match value:
        case Result(Function(receiver=Instance(open=True) as owner)) if _has_twin(owner, outline, inference):
            return None
        case Instance(open=True) if _has_twin(value, outline, inference):
            return None
        case Result(function):
            return MADE[function.calling] if function.calling in WRONG[used] else None
        case Items():
            return ("a tuple", Needs.FOR) if used == "async for" else None
        case Builtin(name):
            return (f"a {name}", Needs.FOR) if used == "async for" and name in ITERABLES else None
        case Instance(cls) if used in METHODS and not _may_be_more(value, outline, inference):
            own, wanted, answer = METHODS[used]
            if isinstance(inference.attribute(value, own), Function):
                return None if any(may_have(cls, name, inference) for name in wanted) else answer
    return None


def _has_twin(value: Instance, user: Outline, inference: Inference) -> bool:
    """Whether a module knows another class of the name, or ``AsyncQuery`` for ``Query``.

    An annotation that both share says the one and means the other, too.
    """
    name = value.cls.scope.name
    others = (inference.name(other, user.scope) for other in (name, f"Async{name}"))
    return any(isinstance(other, Class) and other.scope is not value.cls.scope for other in others)


def _may_be_more(value: Instance, user: Outline, inference: Inference) -> bool:
    """Whether an object may be of a subclass that has more methods, or its class is only an interface.

    The subclasses that are looked for are those of its module and of the one that uses it.
    """
    outline = value.cls.scope.outline
    if outline.is_stub:
        return inference.modules.name(outline) in ABSTRACT
    if not value.open:
        return False
    others = (cls for module in (outline, user) for cls in module.classes if cls is not value.cls.scope)
    return _is_interface(value.cls.scope) or any(
        value.cls in ancestors(Class(cls), inference) for cls in others
    )


def _is_interface(cls: Scope) -> bool:
    """``class Stream(Protocol)``, ``class Stream(ABC)``."""
    assert isinstance(cls.node, ast.ClassDef)
    return any("Protocol" in base or "ABC" in base for base in map(written, cls.node.bases))
