"""The order in which a class and its bases are asked for a method."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import TYPE_CHECKING

from asynclint.project.index.modules import Modules
from asynclint.project.index.values import Builtin, Class
from asynclint.project.names import known
from asynclint.source.outline import Scope

if TYPE_CHECKING:
    from asynclint.project.index.infer import Inference

MAX_DEPTH = 40  # bases of bases; deeper is a cycle


def ancestors(cls: Class, inference: Inference) -> Iterable[Class | None]:
    """The class and its bases, nearest first; None stands for one that is unknown.

    Depth first, a shared base only where it comes last: the order of C3 (PEP 253 and the
    "method resolution order" essay) in every case but inconsistent hierarchies.
    """
    order: list[Class | None] = []
    _linearise(cls, order, 0, inference)
    last = {ancestor: index for index, ancestor in enumerate(order)}
    return [a for index, a in enumerate(order) if a is None or last[a] == index]


def _linearise(cls: Class, order: list[Class | None], depth: int, inference: Inference) -> None:
    order.append(cls)
    node = cls.scope.node
    if not isinstance(node, ast.ClassDef) or depth > MAX_DEPTH:
        return
    outside = cls.scope.parent or cls.scope
    for base in node.bases:
        expr = base.value if isinstance(base, ast.Subscript) else base
        value = inference.value(expr, outside)
        if isinstance(value, Class):
            _linearise(value, order, depth + 1, inference)
        elif not isinstance(value, Builtin) and not _is_typing_base(expr, outside, inference.modules):
            order.append(None)


def _is_typing_base(expr: ast.expr, scope: Scope, modules: Modules) -> bool:
    """Bases that add no methods of their own."""
    names = {
        "typing.Generic",
        "typing.Protocol",
        "typing_extensions.Protocol",
        "abc.ABC",
        "typing.NamedTuple",
    }
    return bool(known(expr, scope, modules, names))
