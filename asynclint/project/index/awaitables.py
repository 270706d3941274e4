"""What can be awaited, and what that gives: coroutines and the objects that stand for them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from asynclint.project.index.classes import ancestors
from asynclint.project.index.evidence import looks_mocked
from asynclint.project.index.reading import is_fixed
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
from asynclint.project.names import known

if TYPE_CHECKING:
    from asynclint.project.index.infer import Inference
    from asynclint.source.outline import Scope

_TYPING = ("typing", "collections.abc")
COROUTINE_TYPES = frozenset({*(f"{module}.Coroutine" for module in _TYPING), "types.CoroutineType"})
AWAITABLE_TYPES = COROUTINE_TYPES | {f"{module}.Awaitable" for module in _TYPING}
CALLABLE_TYPES = frozenset(f"{module}.Callable" for module in _TYPING)
AWAITED = (Calling.COROUTINE, Calling.WRAPPED)
# Methods of async generators that give something to await (PEP 525).
STEPS = frozenset({"__anext__", "asend", "athrow", "aclose"})


def pending(value: Value | None, inference: Inference) -> Pending | None:
    """A value as something to await; None where it is not, as far as is known."""
    match value:
        case Pending():
            return value
        case Result(function) if function.calling in AWAITED:
            return Pending(inference.returned(function), lazy=True)
        case Instance(cls):
            lazy = _is_lazy(cls, inference)
            return Pending(given(value, "__await__", inference), lazy) if lazy is not None else None
    return None


def is_object_to_await(value: Instance, inference: Inference) -> bool:
    """Whether an object can be awaited and is no coroutine: a future, or what a project makes itself.

    No task: whoever makes one wants the task.
    """
    cls = value.cls
    if cls.scope.outline.is_stub:
        return cls.scope.name == "Future" and "__await__" in cls.scope.bindings  # not of concurrent.futures
    return _is_lazy(cls, inference) is False


def given(value: Instance, method: str, inference: Inference) -> Value | None:
    """What an object says it gives when it is awaited or entered, by the method that does so.

    Where that is a type variable, what the object is made for.
    """
    function = inference.attribute(value, method)
    if not isinstance(function, Function):
        return None
    found = _awaited(function, inference) if method == "__await__" else inference.returned(function)
    return found if found is not None else value.argument


def _awaited(function: Function, inference: Inference) -> Value | None:
    """``T`` of ``def __await__(self) -> Generator[Any, None, T]``."""
    node = function.scope.node
    returns = node.returns if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) else None
    if not isinstance(returns, ast.Subscript) or not isinstance(returns.slice, ast.Tuple):
        return None
    if not returns.slice.elts:
        return None
    outside = function.scope.parent or function.scope
    return inference.annotated(returns.slice.elts[-1], outside, function.receiver)


def _is_lazy(cls: Class, inference: Inference) -> bool | None:
    """Whether an object of a class is a coroutine by its class; None where it can't be awaited.

    A class with an ``__await__`` of its own, as query builders have, may be used without.
    """
    if cls.scope not in inference.awaitable:
        inference.awaitable[cls.scope] = _laziness(cls, inference)
    return inference.awaitable[cls.scope]


def _laziness(cls: Class, inference: Inference) -> bool | None:
    bases = [a.scope for a in ancestors(cls, inference) if a is not None]
    if any(base.name == "Coroutine" and is_fixed(base.outline.path) for base in bases):
        return True
    has = isinstance(inference.attribute(Instance(cls), "__await__"), Function)
    return False if has and not cls.scope.outline.is_stub else None


def annotation(subscript: ast.Subscript, scope: Scope, inference: Inference) -> Value | None:
    """An object annotated ``Coroutine[…]``, ``Awaitable[…]`` or ``Callable[…]``; None for any other."""
    parts = subscript.slice.elts if isinstance(subscript.slice, ast.Tuple) else [subscript.slice]
    if not parts:  # tuple[()]
        return None
    last = parts[-1]
    if known(subscript.value, scope, inference.modules, CALLABLE_TYPES):
        return None if last is subscript.slice else Callback(inference.annotated(last, scope))
    name = known(subscript.value, scope, inference.modules, AWAITABLE_TYPES)
    return Pending(inference.annotated(last, scope), name in COROUTINE_TYPES) if name else None


def wrapping(made: Value, call: ast.Call, scope: Scope, inference: Inference) -> Value:
    """A new object; with what awaiting it gives where it is made round one coroutine."""
    if isinstance(made, Instance) and len(call.args) == 1 and _is_lazy(made.cls, inference):
        inner = pending(inference.value(call.args[0], scope), inference)
        if inner is not None:
            return Instance(made.cls, made.open, inner.result)
    return made


def _is_mocked(expr: ast.expr, scope: Scope) -> bool:
    found = scope.lookup(expr.id) if isinstance(expr, ast.Name) else None
    return found is not None and any(looks_mocked(binding.value) for binding in found[1])


def stepped(call: ast.Call, scope: Scope, inference: Inference) -> Pending | None:
    """What a step of an asynchronous generator gives: ``anext(items)``, ``generator.asend(None)``."""
    func = call.func
    if (
        isinstance(func, ast.Name)
        and func.id == "anext"
        and len(call.args) == 1
        and scope.lookup("anext") is None
    ):
        return Pending(None, lazy=True)
    if isinstance(func, ast.Attribute) and func.attr in STEPS:
        receiver = inference.value(func.value, scope)
        is_generator = isinstance(receiver, Result) and receiver.function.calling is Calling.ASYNC_GENERATOR
        unknown = receiver is None and not _is_mocked(func.value, scope)
        if is_generator or (unknown and func.attr == "asend"):  # nothing else has that one
            return Pending(None, lazy=True)
    return None
