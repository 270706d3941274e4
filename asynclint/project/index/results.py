"""What functions return and yield."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from asynclint.project.index.annotations import first_argument, items
from asynclint.project.index.classes import ancestors
from asynclint.project.index.evidence import looks_mocked
from asynclint.project.index.values import Class, Function, Instance, Items, Value, agreed
from asynclint.project.names import known
from asynclint.source.written import written

if TYPE_CHECKING:
    from asynclint.project.index.infer import Inference
    from asynclint.source.outline import Binding, Scope

# Annotations whose first parameter is the type of what a generator yields.
YIELD_TYPES = frozenset(
    f"{module}.{name}"
    for module in ("typing", "collections.abc")
    for name in ("AsyncIterator", "AsyncGenerator", "AsyncIterable", "Iterator", "Generator", "Iterable")
)


def returned(function: Function, inference: Inference) -> Value | None:
    """What a function returns (once awaited, for a coroutine function)."""
    receiver = function.receiver
    value = inference.once(("returns", function.scope, receiver), _returned, function, inference)
    if isinstance(value, Instance) and receiver is not None:
        cls = receiver.cls if isinstance(receiver, Instance) else receiver
        if value.cls != cls and value.cls in ancestors(cls, inference):
            return None  # a method of the base says "one of us": of the base or of the subclass?
    return value


def given(function: Function, inference: Inference) -> Value | None:
    """What calling a plain function gives.

    Where a decorator has made it of a coroutine function, its annotation may tell, what it returns doesn't.
    """
    node = function.scope.node
    if isinstance(node, ast.AsyncFunctionDef) and node.returns is None:
        return None
    return inference.returned(function)


def _returned(function: Function, inference: Inference) -> Value | None:
    node = function.scope.node
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.returns is not None:
        if function.receiver is not None and _says_self(node):
            receiver = function.receiver
            return receiver if isinstance(receiver, Instance) else Instance(receiver)
        if any(_is_mock(r.value, function.scope) for r in function.scope.facts.returns):
            return None
        return inference.annotated(node.returns, function.scope.parent or function.scope, function.receiver)
    if function.scope.outline.is_stub:
        return None
    values = [r.value for r in function.scope.facts.returns if r.value is not None]
    return agreed([_own(value, function, inference) for value in values]) if values else None


def _is_mock(expr: ast.expr | None, scope: Scope) -> bool:
    """``Mock()``, ``cast(Client, Mock())``, or a name for one: the annotation says what it stands for."""
    parts = [expr, *(expr.args if isinstance(expr, ast.Call) else ())]
    found = scope.bindings.get(expr.id, []) if isinstance(expr, ast.Name) else []
    return any(looks_mocked(value) for value in (*parts, *(binding.value for binding in found)))


def _says_self(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """``def __aenter__(self: T) -> T``."""
    first = next(iter([*node.args.posonlyargs, *node.args.args]), None)
    if first is None or first.annotation is None or node.returns is None:
        return False
    return written(first.annotation).strip("'\"") == written(node.returns).strip("'\"")


def _own(expr: ast.expr, function: Function, inference: Inference) -> Value | None:
    """A returned expression; ``return self`` means the receiver, not the class it is written in."""
    receiver = function.receiver
    if isinstance(expr, ast.Call) and receiver is not None:
        made = written(expr.func)
        first = function.scope.parameters[0].arg if function.scope.parameters else ""
        if made in (first, f"type({first})", f"{first}.__class__"):
            return receiver if isinstance(receiver, Instance) else Instance(receiver)
    value = inference.value(expr, function.scope)
    is_self = isinstance(expr, ast.Name) and function.receiver is not None and _is_first(expr.id, function)
    return function.receiver if is_self and isinstance(value, (Instance, Class)) else value


def yielded(function: Function, inference: Inference) -> Value | None:
    """What a generator function yields, where all of its yields agree."""
    node = function.scope.node
    outside = function.scope.parent or function.scope
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.returns is not None:
        if isinstance(node.returns, ast.Subscript) and known(
            node.returns.value, outside, inference.modules, YIELD_TYPES
        ):
            return inference.annotated(first_argument(node.returns), outside, function.receiver)
        return None
    values = [y.value for y in function.scope.facts.yields if isinstance(y, ast.Yield) and y.value]
    return agreed([inference.value(value, function.scope) for value in values]) if values else None


def unpacked(name: str, binding: Binding, scope: Scope, inference: Inference) -> Value | None:
    """What ``a`` is of ``a, b = value``."""
    node = binding.node
    if not isinstance(node, ast.Assign) or len(node.targets) != 1:
        return None
    (target,) = node.targets
    if not isinstance(target, (ast.Tuple, ast.List)):
        return None
    names = [part.id if isinstance(part, ast.Name) else "" for part in target.elts]
    value = _parts(inference.value(node.value, scope), inference)
    if value is None or names.count(name) != 1 or len(names) != len(value.parts):
        return None
    return value.parts[names.index(name)]


def _parts(value: Value | None, inference: Inference) -> Items | None:
    """The parts of a tuple, or of an object of a class that inherits from ``tuple[A, B]``."""
    if not isinstance(value, Instance):
        return value if isinstance(value, Items) else None
    node, outside = value.cls.scope.node, value.cls.scope.parent
    bases = node.bases if isinstance(node, ast.ClassDef) and outside is not None else []
    found = (items(base, outside, inference) for base in bases if outside is not None)
    return next((parts for parts in found if parts is not None), None)


def _is_first(name: str, function: Function) -> bool:
    parameters = function.scope.parameters
    return bool(parameters) and parameters[0].arg == name
