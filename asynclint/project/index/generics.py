"""What a call gives by what it is called with: type variables (PEP 484), and arguments that come back."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.project.index.annotations import is_type
from asynclint.project.index.values import Calling, Class, Function, Instance, Mocked, Value, agreed
from asynclint.project.names import definition
from asynclint.source.written import argument, last_name

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

RUNS = frozenset({"run", "run_until_complete", "wait_for"})  # these give what they are given gives


def solved(
    expr: ast.expr, scope: Scope, inference: Inference, calling: Calling = Calling.SYNC
) -> Value | None:
    """What a call gives (once awaited, of a coroutine function) that says or shows that its arguments tell.

    ``def first(job: Awaitable[T]) -> T`` and ``def checked(client): …; return client``. Only objects and
    classes come back; a function may come back wrapped.
    """
    function = inference.value(expr.func, scope) if isinstance(expr, ast.Call) else None
    if not isinstance(expr, ast.Call) or not isinstance(function, Function):
        return None
    node = function.scope.node
    if function.calling is not calling or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return None
    if node.returns is None:
        name = _returned_parameter(function)
        values = [_argument(expr, name, function, scope, inference)] if name else []
    else:
        values = list(_by_type_variable(node.returns, function, expr, scope, inference))
    found = agreed(values)
    return found if isinstance(found, (Instance, Class, Mocked)) else None


def _makes_of_parameters(function: Function) -> bool:
    """Whether all that is returned is a parameter, or what comes of calling, awaiting or entering one.

    Whatever else a function of the project gives (a mock, an item, a class of its own) need not be what its
    annotation says.
    """
    scope = function.scope
    returned = [r.value for r in scope.facts.returns]
    return bool(returned) and all(expr is not None and _is_of_parameter(expr, scope) for expr in returned)


def _is_of_parameter(expr: ast.expr, scope: Scope) -> bool:
    while isinstance(expr, (ast.Call, ast.Await)):
        if isinstance(expr, ast.Call) and last_name(expr.func) in RUNS:
            return any(_is_of_parameter(arg, scope) for arg in expr.args)
        expr = expr.func if isinstance(expr, ast.Call) else expr.value
    bindings = scope.bindings.get(expr.id, ()) if isinstance(expr, ast.Name) else ()
    return [binding.kind for binding in bindings] == ["param"]


def _returned_parameter(function: Function) -> str:
    """The one parameter that every ``return`` gives back as it came."""
    scope = function.scope
    if scope.outline.is_stub:
        return ""
    names = {r.value.id if isinstance(r.value, ast.Name) else "" for r in scope.facts.returns}
    name = names.pop() if len(names) == 1 else ""
    bindings = scope.bindings.get(name, ())
    return name if [binding.kind for binding in bindings] == ["param"] else ""


def _by_type_variable(
    returns: ast.expr, function: Function, call: ast.Call, scope: Scope, inference: Inference
) -> Iterator[Value | None]:
    outside = function.scope.parent or function.scope
    variable = returns.slice if is_type(returns, outside, inference) else returns
    if not isinstance(variable, ast.Name) or not _is_type_variable(variable, function.scope, inference):
        return
    if not function.scope.outline.is_stub and not _makes_of_parameters(function):
        return
    for parameter in function.scope.parameters:
        annotation = parameter.annotation
        if annotation is None or not _mentions(annotation, variable.id):
            continue
        given = _argument(call, parameter.arg, function, scope, inference)
        found = _matched(annotation, variable.id, given, outside, inference)
        if variable is returns:
            yield found
        else:
            yield Class(found.cls.scope, open=True) if isinstance(found, Instance) else None


def _matched(
    annotation: ast.expr, variable: str, given: Value | None, scope: Scope, inference: Inference
) -> Value | None:
    """What a type variable of an annotation stands for, where an argument is ``given``."""
    if isinstance(annotation, ast.Name):
        return given
    if not isinstance(annotation, ast.Subscript):
        return None
    if is_type(annotation, scope, inference):
        is_plain = isinstance(annotation.slice, ast.Name)
        return Instance(given, open=True) if is_plain and isinstance(given, Class) else None
    parts = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
    name = last_name(annotation.value)
    if name in AWAITABLES and isinstance(parts[-1], ast.Name) and parts[-1].id == variable:
        return inference.awaited(given)
    if name in CONTEXTS and isinstance(parts[0], ast.Name) and parts[0].id == variable:
        return inference.entered(given, *CONTEXTS[name])
    if name == "Callable" and isinstance(given, (Function, Class)):
        return _matched(parts[-1], variable, inference.result(given), scope, inference)
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
    node = function.scope.node
    assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    positional = [parameter.arg for parameter in (*node.args.posonlyargs, *node.args.args)]
    if name not in positional and name not in {parameter.arg for parameter in node.args.kwonlyargs}:
        return None  # ``*args``
    if function.receiver is not None:
        decorators = {last_name(decorator) for decorator in function.scope.decorators}
        if isinstance(function.receiver, Instance) or "classmethod" in decorators:
            positional = positional["staticmethod" not in decorators :]
    place = positional.index(name) if name in positional else -1
    return inference.value(argument(call, place, name), scope)
