"""What a statement puts something else in place of: mocks, patches, assignments."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from asynclint.project.index.values import Calling, Function
from asynclint.project.project import Project
from asynclint.source.outline import Scope
from asynclint.source.written import called, last_name

ANY = "*"  # nobody knows which name
# What nobody calls: ``setattr(namespace, self.dest, not value)``.
DATA = (
    ast.Constant,
    ast.UnaryOp,
    ast.Compare,
    ast.BinOp,
    ast.JoinedStr,
    ast.Dict,
    ast.List,
    ast.Tuple,
    ast.Set,
)
NAMING = frozenset({"target", "target_string", "attribute", "name"})
PATCHES = frozenset(
    ["patch", "object", "setattr", "multiple", "delattr", "spy", "stub", "dict", "patch_object", "replace",
     "attach_mock"]
)  # fmt: skip


class Replaced(NamedTuple):
    """Something that the tests put in place of an attribute of ``owner``, or of a name of a module.

    ``owner`` is an expression in ``scope``, or a dotted name; empty where that can't be told. ``by`` is
    what the statement names, one of which is put there; None where the original is only watched.
    """

    name: str
    owner: ast.expr | str
    scope: Scope
    by: tuple[ast.expr, ...] | None = ()

    def is_awaited(self, project: Project) -> bool:
        """Whether a call of it is to be awaited as before."""
        return self.by is None or any(_is_awaited(value, self.scope, project) for value in self.by)


def assigned_in(scope: Scope) -> Iterator[Replaced]:
    """What a scope gives an attribute of something, not of its own ``self``, or a name of its module."""
    own = scope.parameters[0].arg if scope.enclosing_class is not None and scope.parameters else ""
    for target, value in scope.facts.attributes:
        if not (isinstance(target.value, ast.Name) and target.value.id == own):
            yield Replaced(target.attr, target.value, scope, (value,) if value is not None else ())
    for name, kind in scope.facts.outer.items():
        if kind == "global" and name in scope.bindings:
            yield Replaced(name, "", scope)


def patching(scope: Scope) -> Iterator[ast.Call]:
    """The calls of ``PATCHES`` in a scope."""
    for calls in (scope.facts.functions, scope.facts.methods):
        for name in calls.keys() & PATCHES:
            yield from calls[name]


def patched_by(call: ast.Call, scope: Scope) -> Iterator[Replaced]:
    """What a call puts something else in place of, if it is one of ``PATCHES``.

    ``monkeypatch.setattr(loop, "time", …)``, ``patch("asyncio.BaseEventLoop.time")``.
    """
    name, first = called(call), call.args[0] if call.args else None
    of_text = isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Constant)
    if name not in PATCHES or of_text:  # ``"a-b".replace("-", "_")``
        return
    by = None if name == "spy" else (*call.args, *(keyword.value for keyword in call.keywords))
    owner: ast.expr | str
    if name == "multiple":
        owner = (_text(first) or first) if first is not None else ""
        for keyword in call.keywords:
            yield Replaced(keyword.arg or ANY, owner, scope, (keyword.value,))
        return
    if name == "setattr" and len(call.args) == 3 and not any(_texts(call.args[1], scope)):
        if not isinstance(call.args[2], DATA):
            yield Replaced(ANY, call.args[0], scope, by)
        return
    places = call.args[: 1 if first is not None and _text(first) else 2]
    named = [*places, *(keyword.value for keyword in call.keywords if keyword.arg in NAMING)]
    for value in named:
        for text in _texts(value, scope):
            dotted, _, last = text.rpartition(".")
            owner = dotted if isinstance(value, ast.Constant) else ""
            if not dotted and first is not None and value is not first:
                owner = first
            if last:
                yield Replaced(last, owner, scope, by)


def _texts(expr: ast.expr, scope: Scope) -> Iterator[str]:
    """Strings that an argument may be: a constant, the end of a sum, what a loop goes over."""
    if isinstance(expr, ast.Name):
        found = scope.lookup(expr.id)
        values = [binding.value for binding in found[1]] if found is not None else []
        literals = [
            v for v in values if isinstance(v, (ast.Constant, ast.Tuple, ast.List, ast.Dict, ast.Set))
        ]
        for literal in literals:
            yield from (_text(node) for node in ast.walk(literal) if isinstance(node, ast.Constant))
    elif isinstance(expr, ast.BinOp):
        yield from (_text(side) for side in (expr.left, expr.right))
    else:
        yield _text(expr)


def _is_awaited(value: ast.expr, scope: Scope, project: Project) -> bool:
    """``AsyncMock``, ``mock.AsyncMock(…)``, a coroutine function, ``lambda _: asyncio.sleep(0)``."""
    if last_name(value.func if isinstance(value, ast.Call) else value) == "AsyncMock":
        return True
    inference = project.inference
    if isinstance(value, ast.Lambda):
        inner = scope.child(value)
        return inner is not None and inference.is_coroutine(inference.value(value.body, inner))
    made = inference.value(value, scope) if isinstance(value, (ast.Name, ast.Attribute)) else None
    return isinstance(made, Function) and made.calling is Calling.COROUTINE


def _text(expr: ast.expr) -> str:
    """A string, or the last piece of an f-string (``f"{__name__}.fetch"``)."""
    if isinstance(expr, ast.JoinedStr) and expr.values:
        expr = expr.values[-1]
    return expr.value if isinstance(expr, ast.Constant) and isinstance(expr.value, str) else ""
