"""Mocks as far as their making tells what they give (https://docs.python.org/3/library/unittest.mock.html).

``AsyncMock()`` and what hangs on it give coroutines. With a ``spec``, and from ``create_autospec``, what is a
coroutine function of the specification gives one; whatever else is unknown.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from asynclint.knowledge.mocks import MISSPELT
from asynclint.project.index.values import Calling, Class, Function, Instance, Mocked, Value
from asynclint.project.names import known

if TYPE_CHECKING:
    from asynclint.project.index.infer import Inference
    from asynclint.source.outline import Scope

MODULES = ("unittest.mock", "mock", "mock.mock")
ASYNC_MOCKS = frozenset(f"{module}.AsyncMock" for module in MODULES)
MOCKS = ASYNC_MOCKS | {
    f"{module}.{name}" for module in MODULES for name in ("Mock", "MagicMock", "NonCallableMock")
}
AUTOSPECS = frozenset(f"{module}.create_autospec" for module in MODULES)
PATCHES = frozenset(f"{module}.patch{kind}" for module in MODULES for kind in ("", ".object"))
SPECS = ("spec", "spec_set")
HARMLESS = frozenset({"name", "return_value", "side_effect", "instance", "unsafe"})  # arguments
# What every mock has of its own.
OWN = frozenset(
    [
        "attach_mock",
        "configure_mock",
        "reset_mock",
        "mock_add_spec",
        "mock_calls",
        "method_calls",
        "call_args",
        "call_args_list",
        "call_count",
        "called",
        "await_count",
        "awaited",
        "await_args",
        "await_args_list",
        "return_value",
        "side_effect",
    ]
)


def made(call: ast.Call, scope: Scope, inference: Inference) -> Value | None:
    """What a call makes, if it makes a mock whose calls are known."""
    modules = inference.modules
    if known(call.func, scope, modules, MOCKS):
        is_async = bool(known(call.func, scope, modules, ASYNC_MOCKS))
        return _specified(call, call.args[:1], scope, inference, is_async=is_async)
    if known(call.func, scope, modules, AUTOSPECS) and call.args:
        value = inference.value(call.args[0], scope)
        if isinstance(value, Function):
            return Mocked(None) if value.calling is Calling.COROUTINE else None
        return _specified(call, call.args[:1], scope, inference, is_async=False)
    return None


def patched(call: ast.expr | None, scope: Scope, inference: Inference) -> Value | None:
    """What ``with patch("client.send", new_callable=AsyncMock) as send`` binds, where the mock is known."""
    if not isinstance(call, ast.Call) or not known(call.func, scope, inference.modules, PATCHES):
        return None
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    new = keywords.get("new_callable")
    is_async = new is not None and known(new, scope, inference.modules, ASYNC_MOCKS)
    return Mocked(None) if is_async and len(keywords) == 1 else None


def _specified(
    call: ast.Call, spec: list[ast.expr], scope: Scope, inference: Inference, *, is_async: bool
) -> Value | None:
    """A mock by its arguments: by those of its specification, and none that replaces parts of it."""
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    spec = [*spec, *(keywords[name] for name in SPECS if name in keywords)]
    if keywords.keys() - HARMLESS - set(SPECS) or len(spec) > 1:
        return None
    if not spec:
        return Mocked(None) if is_async else None
    value = inference.value(spec[0], scope)
    if isinstance(value, Instance):
        value = value.cls
    return Mocked(value) if isinstance(value, Class) else None


def attribute(mock: Mocked, name: str, inference: Inference) -> Value | None:
    """What ``mock.name`` is: a mock that gives coroutines, or unknown."""
    if name in OWN or name in MISSPELT or name.startswith(("assert", "_")):  # ASL304 says more of those
        return None
    if mock.spec is None:
        return mock
    value = inference.attribute(Instance(mock.spec), name)
    return Mocked(None) if isinstance(value, Function) and value.calling is Calling.COROUTINE else None
