"""What calling a definition gives once its decorators have had their say."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from asynclint.project.index.values import Calling, Function, Instance, Value
from asynclint.project.names import chain, known
from asynclint.source.outline import Scope
from asynclint.source.written import uncalled

if TYPE_CHECKING:
    from asynclint.project.index.infer import Inference

PLAIN_DECORATORS = frozenset(
    [
        "abc.abstractmethod",
        "functools.cache",
        "functools.lru_cache",
        "functools.wraps",
        "typing.final",
        "typing.no_type_check",
        "typing.override",
        "typing_extensions.final",
        "typing_extensions.override",
        "typing_extensions.deprecated",
        "warnings.deprecated",
        "typing.type_check_only",
        "types.coroutine",
    ]
)
CONTEXT_DECORATORS = {
    "contextlib.contextmanager": Calling.CONTEXT,
    "contextlib.asynccontextmanager": Calling.ASYNC_CONTEXT,
}
ASYNC_ITERATORS = frozenset({"AsyncGenerator", "AsyncIterator", "AsyncIterable"})
PROPERTY_DECORATORS = frozenset({"functools.cached_property", "enum.property"})


def defined(function: Scope, inference: Inference) -> Function | None:
    """The function object of a definition; None if one of its decorators is unknown."""
    kind = calling(function, inference)
    return Function(function, kind) if kind is not None else None


def calling(function: Scope, inference: Inference) -> Calling | None:
    """What calling a definition gives, its decorators considered; None if one is unknown."""
    if function.is_async:
        kind = Calling.ASYNC_GENERATOR if function.is_generator else Calling.COROUTINE
        if kind is Calling.COROUTINE and _stands_for_generator(function):
            return None
    else:
        kind = Calling.GENERATOR if function.is_generator else Calling.SYNC
    for decorator in reversed(function.decorators):
        after = _decorated(kind, decorator, function, inference)
        if after is None:
            return None
        kind = after
    return kind


def _stands_for_generator(function: Scope) -> bool:
    """``async def items(self) -> AsyncIterator[int]: raise NotImplementedError``: the heirs yield."""
    node = function.node
    if not isinstance(node, ast.AsyncFunctionDef) or node.returns is None or function.outline.is_stub:
        return False
    said = ast.unparse(node.returns).partition("[")[0].rpartition(".")[2].strip("'\"")
    return said in ASYNC_ITERATORS and all(
        isinstance(part, (ast.Pass, ast.Raise))
        or (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
        for part in node.body
    )


def _decorated(kind: Calling, decorator: ast.expr, function: Scope, inference: Inference) -> Calling | None:
    target = uncalled(decorator)
    outside = function.parent if function.parent is not None else function
    if isinstance(target, ast.Name) and outside.lookup(target.id) is None:
        if target.id in ("staticmethod", "classmethod"):
            return kind
        if target.id == "property":
            return Calling.PROPERTY
    if isinstance(target, ast.Attribute) and target.attr in ("setter", "deleter", "getter"):
        return Calling.PROPERTY
    if function.outline.is_stub and isinstance(target, ast.Name) and target.id == "overload":
        return kind
    if known(target, outside, inference.modules, {"typing.overload", "typing_extensions.overload"}):
        return kind
    if name := known(target, outside, inference.modules, CONTEXT_DECORATORS):
        return CONTEXT_DECORATORS[name]
    if known(target, outside, inference.modules, PROPERTY_DECORATORS):
        return Calling.PROPERTY
    if known(target, outside, inference.modules, PLAIN_DECORATORS):
        return kind
    if any(name.startswith("pytest.mark.") for name in chain(target, outside, inference.modules)):
        return kind  # a mark leaves the function as it is
    return _wrapped(kind, decorator, outside, inference)


def _wrapped(kind: Calling, decorator: ast.expr, scope: Scope, inference: Inference) -> Calling | None:
    """What a decorator of the project makes of a function: read what it returns."""
    factory = isinstance(decorator, ast.Call)
    value = inference.value(uncalled(decorator), scope)
    if not isinstance(value, Function) or value.calling is not Calling.SYNC or value.scope.outline.is_stub:
        return None
    wrapper: Scope | None = value.scope
    if factory:
        wrapper = _returned_function(value.scope)
    if wrapper is None or not wrapper.parameters:
        return None
    inner = _returned_function(wrapper)
    if inner is not None:
        after = calling(inner, inference) if not inner.decorators else _undecorated(inner, inference)
        if after is Calling.SYNC and kind is Calling.COROUTINE:
            return _handed_on(inner, wrapper.parameters[0].arg, inference)
        return after
    first = wrapper.parameters[0].arg
    returned = [_uncast(r.value, wrapper, inference) for r in wrapper.facts.returns]
    rebound = len(wrapper.bindings.get(first, [])) != 1
    if returned and not rebound and all(isinstance(r, ast.Name) and r.id == first for r in returned):
        return kind
    return None


def _uncast(expr: ast.expr | None, scope: Scope, inference: Inference) -> ast.expr | None:
    """``function`` of ``cast(Callable[..., Any], function)``."""
    if isinstance(expr, ast.Call) and len(expr.args) == 2:
        return expr.args[1] if known(expr.func, scope, inference.modules, {"typing.cast"}) else expr
    return expr


def _handed_on(wrapper: Scope, function: str, inference: Inference) -> Calling | None:
    """What a plain wrapper makes of an async function: it may hand the coroutine on in an object."""
    made = inference.returned(Function(wrapper, Calling.SYNC))
    given = inference.pending(made)
    if given is None:
        return Calling.SYNC
    if given.lazy:
        return Calling.WRAPPED
    returned = [r.value for r in wrapper.facts.returns]
    rounds = all(
        isinstance(r, ast.Call)
        and len(r.args) == 1
        and isinstance(r.args[0], ast.Call)
        and isinstance(r.args[0].func, ast.Name)
        and r.args[0].func.id == function
        for r in returned
    )
    return Calling.WRAPPED if rounds and not _starts(made) else Calling.SYNC


def wrapper_object(function: Scope, inference: Inference) -> Value | None:
    """The object that a decorator makes round the coroutine of a function."""
    for decorator in function.decorators:
        value = inference.value(decorator, function.parent or function)
        inner = _returned_function(value.scope) if isinstance(value, Function) else None
        if inner is not None:
            return inference.returned(Function(inner, Calling.SYNC))
    return None


def _starts(made: Value | None) -> bool:
    """Whether an object that is made round a coroutine may run it at once."""
    if not isinstance(made, Instance):
        return True
    text = made.cls.scope.outline.text
    source = text.slice(text.span(made.cls.scope.node))
    return "create_task" in source or "ensure_future" in source


def _undecorated(function: Scope, inference: Inference) -> Calling | None:
    """As ``calling``, for a wrapper under ``functools.wraps``."""
    for decorator in function.decorators:
        target = uncalled(decorator)
        if not known(target, function.parent or function, inference.modules, PLAIN_DECORATORS):
            return None
    return calling(function, inference)


def _returned_function(scope: Scope) -> Scope | None:
    """The nested function that every return of a decorator gives."""
    names = {r.value.id if isinstance(r.value, ast.Name) else "" for r in scope.facts.returns}
    if len(names) != 1:
        return None
    name = names.pop()
    bindings = scope.bindings.get(name, [])
    if len(bindings) != 1 or bindings[0].kind != "def":
        return None
    return scope.child(bindings[0].node)
