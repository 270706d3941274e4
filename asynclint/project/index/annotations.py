"""What annotations say an object is (PEP 484)."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, TypeGuard

from asynclint.project.index import awaitables
from asynclint.project.index.values import Builtin, Callback, Class, Function, Instance, Items, Pending, Value
from asynclint.project.names import definition, known
from asynclint.source.written import last_name

if TYPE_CHECKING:
    from asynclint.project.index.infer import Inference
    from asynclint.source.outline import Scope

UNWRAPPED_TYPES = frozenset({"typing.Annotated", "typing.Optional", "typing.Final", "typing.ClassVar"})
TYPES = frozenset({"type", "Type"})
# Stubs' classes whose objects give what they are subscribed with, when they are entered.
CONTEXTS = frozenset({"AbstractAsyncContextManager", "AbstractContextManager"})
SELF_TYPES = frozenset({"typing.Self", "typing_extensions.Self", "_typeshed.Self"})


def annotated(
    annotation: ast.expr, scope: Scope, receiver: Instance | Class | None, inference: Inference
) -> Value | None:
    """An object of the annotated type, where that is one class (or None)."""
    match annotation:
        case ast.Constant(value=str(text)):
            inner = inference.quoted(text)
            return annotated(inner, scope, receiver, inference) if inner is not None else None
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            parts = [p for p in (left, right) if not (isinstance(p, ast.Constant) and p.value is None)]
            return _optional(parts[0], scope, receiver, inference) if len(parts) == 1 else None
        case ast.Subscript():
            return _of_subscript(annotation, scope, receiver, inference)
    if receiver is not None and known(annotation, scope, inference.modules, SELF_TYPES):
        return receiver if isinstance(receiver, Instance) else Instance(receiver)
    value = inference.value(annotation, scope)
    if isinstance(value, Class):
        says_nothing = value.scope.outline.is_stub and value.scope.name == "Any"
        return None if says_nothing else Instance(value, open=True, argument=value.argument)
    return value if isinstance(value, (Builtin, Callback)) else _of_alias(annotation, scope, inference)


def _of_subscript(
    annotation: ast.Subscript, scope: Scope, receiver: Instance | Class | None, inference: Inference
) -> Value | None:
    unwrapped = known(annotation.value, scope, inference.modules, UNWRAPPED_TYPES)
    if unwrapped:
        inner = first_argument(annotation)
        read = _optional if unwrapped == "typing.Optional" else annotated
        return read(inner, scope, receiver, inference)
    if is_type(annotation, scope, inference):
        found = annotated(annotation.slice, scope, receiver, inference)
        return Class(found.cls.scope, open=True) if isinstance(found, Instance) else None
    found = awaitables.annotation(annotation, scope, inference) or items(annotation, scope, inference)
    if found is not None:
        return found
    cls = subscribed(annotation, scope, inference)
    if isinstance(cls, Class):
        return Instance(cls, open=True, argument=cls.argument)
    return annotated(annotation.value, scope, receiver, inference)


def _optional(
    annotation: ast.expr, scope: Scope, receiver: Instance | Class | None, inference: Inference
) -> Value | None:
    """``T`` of ``T | None``: attributes are its own; but what may be None need not be awaited."""
    found = annotated(annotation, scope, receiver, inference)
    return None if isinstance(found, Pending) else found


def _of_alias(annotation: ast.expr, scope: Scope, inference: Inference) -> Value | None:
    """``Receive = Callable[[], Awaitable[Message]]``."""
    found = definition(annotation, scope, inference.modules)
    if found is None or not isinstance(found[0], ast.Subscript):
        return None
    return annotated(found[0], found[1], None, inference)


def is_type(annotation: ast.expr, scope: Scope, inference: Inference) -> TypeGuard[ast.Subscript]:
    """Whether an annotation is ``type[T]``, and not a project's class of that name."""
    if not isinstance(annotation, ast.Subscript) or last_name(annotation.value) not in TYPES:
        return False
    value = inference.value(annotation.value, scope)
    return not isinstance(value, Class) or value.scope.outline.is_stub


def first_argument(subscript: ast.Subscript) -> ast.expr:
    """``T`` of ``Iterator[T]`` and ``AsyncGenerator[T, None]``."""
    inner = subscript.slice
    return inner.elts[0] if isinstance(inner, ast.Tuple) and inner.elts else inner


def items(annotation: ast.expr, scope: Scope, inference: Inference) -> Items | None:
    """``tuple[Reader, Writer]``, part by part."""
    if not isinstance(annotation, ast.Subscript) or not isinstance(annotation.slice, ast.Tuple):
        return None
    parts = annotation.slice.elts
    is_tuple = inference.value(annotation.value, scope) == Builtin("tuple") or known(
        annotation.value, scope, inference.modules, {"typing.Tuple"}
    )
    if not is_tuple or any(isinstance(p, ast.Constant) and p.value is Ellipsis for p in parts):
        return None
    return Items(tuple(annotated(part, scope, None, inference) for part in parts))


def subscribed(subscript: ast.Subscript, scope: Scope, inference: Inference) -> Value | None:
    """``Awaiting[Job]``: the class, and what its objects are made for."""
    cls = inference.value(subscript.value, scope)
    if isinstance(cls, Function) and cls.scope.outline.is_stub:  # open_memory_channel[int](0)
        return cls
    if not isinstance(cls, Class):
        return None
    made_for = None if isinstance(subscript.slice, ast.Tuple) else subscript.slice
    if cls.scope.outline.is_stub:
        made_for = first_argument(subscript) if cls.scope.name in CONTEXTS else None
    argument = annotated(made_for, scope, None, inference) if made_for is not None else None
    return Class(cls.scope, cls.open, argument)
