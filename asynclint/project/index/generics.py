"""What a call gives by what it is called with: type variables (PEP 484), and arguments that come back."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.project.index.annotations import is_type
from asynclint.project.index.values import Calling, Class, Function, Instance, Mocked, Value, agreed
from asynclint.project.names import definition
from asynclint.source.written import last_name

if TYPE_CHECKING:
    from asynclint.project.index.infer import Inference
    from asynclint.source.outline import Scope

# The last three are typeshed's own names for what asyncio awaits.
AWAITABLES = frozenset(
    [
        "Awaitable",
        "Coroutine",
        "CoroutineType",
        "Future",
        "Task",
        "_AwaitableLike",
        "_FutureLike",
        "_CoroutineLike",
    ]
)
CONTEXTS = {
    "AbstractContextManager": ("__enter__", Calling.CONTEXT),
    "ContextManager": ("__enter__", Calling.CONTEXT),
    "AbstractAsyncContextManager": ("__aenter__", Calling.ASYNC_CONTEXT),
    "AsyncContextManager": ("__aenter__", Calling.ASYNC_CONTEXT),
}


def solved(expr: ast.expr, scope: Scope, inference: Inference) -> Value | None:
    """What a call gives (once awaited, of a coroutine function) that says or shows that its arguments tell.

    ``def first(job: Awaitable[T]) -> T`` and ``def checked(client): …; return client``. Only objects and
    classes come back; a function may come back wrapped.
    """
    if not isinstance(expr, ast.Call):
        return None
    function = inference.value(expr.func, scope)
    node = function.scope.node if isinstance(function, Function) else None
    if not isinstance(function, Function) or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return None
    if node.returns is None:
        name = _returned_parameter(function)
        values = [_argument(expr, name, function, scope, inference)] if name else []
    else:
        values = list(_by_type_variable(node.returns, function, expr, scope, inference))
    found = agreed(values)
    return found if isinstance(found, (Instance, Class, Mocked)) else None


def _returned_parameter(function: Function) -> str:
    """The one parameter that every ``return`` gives back as it came."""
    scope = function.scope
    if scope.outline.is_stub or function.calling not in (Calling.SYNC, Calling.COROUTINE):
        return ""
    names = {r.value.id if isinstance(r.value, ast.Name) else "" for r in scope.facts.returns}
    name = names.pop() if len(names) == 1 else ""
    bindings = scope.bindings.get(name, ())
    return name if [binding.kind for binding in bindings] == ["param"] else ""


def _by_type_variable(
    returns: ast.expr, function: Function, call: ast.Call, scope: Scope, inference: Inference
) -> Iterator[Value | None]:
    variable = returns.slice if is_type(returns) else returns
    if not isinstance(variable, ast.Name) or not _is_type_variable(variable, function.scope, inference):
        return
    for parameter in function.scope.parameters:
        annotation = parameter.annotation
        if annotation is None or not _mentions(annotation, variable.id):
            continue
        given = _argument(call, parameter.arg, function, scope, inference)
        found = _matched(annotation, variable.id, given, inference)
        if variable is returns:
            yield found
        else:
            yield Class(found.cls.scope, open=True) if isinstance(found, Instance) else None


def _matched(annotation: ast.expr, variable: str, given: Value | None, inference: Inference) -> Value | None:
    """What a type variable of an annotation stands for, where an argument is ``given``."""
    if isinstance(annotation, ast.Name):
        return given
    if not isinstance(annotation, ast.Subscript):
        return None
    if is_type(annotation):
        is_plain = isinstance(annotation.slice, ast.Name)
        return Instance(given, open=True) if is_plain and isinstance(given, Class) else None
    parts = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
    name = last_name(annotation.value)
    if name in AWAITABLES and isinstance(parts[-1], ast.Name) and parts[-1].id == variable:
        return inference.awaited(given)
    if name in CONTEXTS and isinstance(parts[0], ast.Name) and parts[0].id == variable:
        return inference.entered(given, *CONTEXTS[name])
    if name == "Callable" and isinstance(given, (Function, Class)):
        return _matched(parts[-1], variable, inference.result(given), inference)
    return None


def _mentions(annotation: ast.expr, variable: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == variable for node in ast.walk(annotation))


def _is_type_variable(name: ast.Name, scope: Scope, inference: Inference) -> bool:
    if any(getattr(one, "name", "") == name.id for one in getattr(scope.node, "type_params", ())):
        return True  # PEP 695
    found = definition(name, scope.parent or scope, inference.modules)
    return found is not None and isinstance(found[0], ast.Call) and last_name(found[0].func) == "TypeVar"


def _argument(
    call: ast.Call, name: str, function: Function, scope: Scope, inference: Inference
) -> Value | None:
    """What a call gives for a parameter; None where that can't be told."""
    if any(isinstance(arg, ast.Starred) for arg in call.args) or any(k.arg is None for k in call.keywords):
        return None
    given = next((keyword.value for keyword in call.keywords if keyword.arg == name), None)
    if given is None:
        names = [p.arg for p in function.scope.parameters][function.receiver is not None :]
        place = names.index(name) if name in names else len(call.args)
        given = call.args[place] if place < len(call.args) else None
    return inference.value(given, scope)
