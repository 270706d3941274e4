"""The order in which a class and its bases are asked for a method."""

from __future__ import annotations

import ast
import builtins
import re
from typing import TYPE_CHECKING

from asynclint.project.index.modules import Modules
from asynclint.project.index.values import Builtin, Calling, Class, Function
from asynclint.project.names import chain, known
from asynclint.source.outline import Outline, Scope
from asynclint.source.written import uncalled, written

if TYPE_CHECKING:
    from asynclint.project.index.infer import Inference

# Class decorators and metaclasses that leave methods as they are written.
PLAIN = frozenset(
    [
        "dataclasses.dataclass",
        "functools.total_ordering",
        "attr.s",
        "attr.attrs",
        "attr.define",
        "attr.frozen",
        "attr.mutable",
        "attrs.define",
        "attrs.frozen",
        "attrs.mutable",
        "typing.final",
        "typing.runtime_checkable",
        "enum.unique",
        "typing_extensions.final",
        "typing_extensions.runtime_checkable",
        "abc.ABCMeta",
        "enum.EnumMeta",
        "enum.EnumType",
    ]
)
PLAIN_PACKAGES = ("pytest.mark.", "unittest.", "pytest_asyncio.")
REWRITERS = frozenset({"__getattribute__", "__prepare__"})


def is_dynamic(cls: Class, inference: Inference) -> bool:
    """Whether something may put other methods on a class than its body says.

    An unknown decorator or metaclass, ``__getattribute__``, or an ``__init__`` or ``__init_subclass__``
    that calls ``setattr``, of the class or of a base.
    """
    scope = cls.scope
    if scope.outline.is_stub:
        return False
    if scope not in inference.dynamic:
        known = [a.scope for a in ancestors(cls, inference) if a is not None and not a.scope.outline.is_stub]
        inference.dynamic[scope] = any(_is_rewritten(ancestor, inference) for ancestor in known)
    return inference.dynamic[scope]


def _is_rewritten(scope: Scope, inference: Inference) -> bool:
    assert isinstance(scope.node, ast.ClassDef)
    around = scope.parent or scope
    metaclasses = [keyword.value for keyword in scope.node.keywords if keyword.arg in ("metaclass", None)]
    for expr in [*scope.decorators, *metaclasses]:
        names = chain(uncalled(expr), around, inference.modules)
        plain = any(name in PLAIN or name.startswith(PLAIN_PACKAGES) for name in names)
        if not plain and not (expr in metaclasses and _leaves_methods(expr, around, inference)):
            return True
    if any(name in scope.bindings for name in REWRITERS):
        return True
    starting = (m for m in scope.facts.scopes if m.name in ("__init__", "__new__", "__init_subclass__"))
    return any(_rewrites(method) for method in starting)


def _rewrites(method: Scope) -> bool:
    """Whether ``__init__`` or its like sets attributes of its own object by name, or those of the class."""
    source, own = method.source, method.parameters[0].arg if method.parameters else ""
    if method.name == "__init_subclass__" and re.search(r"\bcls\.\w+ *=[^=]", source):
        return True
    if method.name == "__init__" and own:  # setattr(self, name, value), not of what it is given
        return (
            re.search(rf"(setattr|vars)\((\s|type\()*{own}(\.__class__)?\s*[,)]|\b{own}\.__dict__", source)
            is not None
        )
    return "setattr(" in source or "__dict__" in source


def _leaves_methods(metaclass: ast.expr, scope: Scope, inference: Inference) -> bool:
    """A metaclass of the project that assigns to nothing by name: it only forbids or registers."""
    value = inference.value(metaclass, scope)
    if not isinstance(value, Class) or value.scope.outline.is_stub:
        return False
    return not re.search(r"setattr\(|__dict__|\w\[[^\]]+\] *=[^=]", value.scope.source)


def maker_of(cls: Class, inference: Inference) -> Scope | None:
    """The class whose ``__new__`` makes the objects of a class; None where that is the one of ``object``."""
    if cls.scope.outline.is_stub:
        return None
    return inference.once(("maker", cls.scope), _maker_of, cls, inference)


def _maker_of(cls: Class, inference: Inference) -> Scope | None:
    known = (a.scope for a in ancestors(cls, inference) if a is not None and not a.scope.outline.is_stub)
    return next((scope for scope in known if "__new__" in scope.bindings), None)


def makes_its_own(cls: Scope) -> bool:
    """Whether the ``__new__`` of a class says that it gives an object of that class."""
    makers = [method.node for method in cls.facts.scopes if method.name == "__new__"]
    says = [m.returns for m in makers if isinstance(m, ast.FunctionDef) and m.returns is not None]
    own = (cls.name, "Self", "typing.Self", "typing_extensions.Self")
    return 0 < len(makers) == len(says) and all(written(returns).strip("'\"") in own for returns in says)


def may_have(cls: Class, name: str, inference: Inference) -> bool:
    """Whether objects of a class have an attribute, or may have it from a base that is unknown."""
    found = list(ancestors(cls, inference))
    told = [ancestor for ancestor in found if ancestor is not None and ancestor.scope.name != "Any"]
    if len(told) < len(found) or is_dynamic(cls, inference):
        return True
    return any(
        inference.defines(ancestor, name)
        or inference.defines(ancestor, "__getattr__")
        or _has_by_builtin(ancestor.scope, name, inference)
        for ancestor in told
    )


def _has_by_builtin(cls: Scope, name: str, inference: Inference) -> bool:
    """Whether a class has an attribute because it is a ``list``, a ``dict``, a ``NamedTuple``."""
    node, outside = cls.node, cls.parent or cls
    for base in node.bases if isinstance(node, ast.ClassDef) else ():
        value = inference.value(base, outside)
        builtin = getattr(builtins, value.name, None) if isinstance(value, Builtin) else None
        if known(base, outside, inference.modules, {"typing.NamedTuple"}):
            builtin = tuple
        if builtin is not None and hasattr(builtin, name):
            return True
    return False


def is_overridden(cls: Class, name: str, inference: Inference) -> bool:
    """Whether a class of the same module inherits from this one and makes another thing of a name."""
    if cls.scope.outline.is_stub:
        return False
    for scope in _heirs_with(cls.scope.outline, inference).get(name, ()):
        if scope is not cls.scope and cls in ancestors(Class(scope), inference):
            theirs = inference.member(Class(scope), name, Class(scope))
            ours = inference.member(Class(cls.scope), name, Class(cls.scope))
            if not (isinstance(ours, Function) and isinstance(theirs, Function)):
                return True
            differ = ours.calling is not theirs.calling
            is_plain = ours.calling is Calling.SYNC
            if differ or (is_plain and inference.returned(ours) != inference.returned(theirs)):
                return True
    return False


def _heirs_with(outline: Outline, inference: Inference) -> dict[str, list[Scope]]:
    """The classes of a module that have bases, by each attribute that they define themselves."""
    if outline not in inference.heirs:
        found: dict[str, list[Scope]] = {}
        for scope in outline.classes:
            if scope.node.bases:  # type: ignore[union-attr]
                for name in {*scope.bindings, *inference.instance_attributes(Class(scope))}:
                    found.setdefault(name, []).append(scope)
        inference.heirs[outline] = found
    return inference.heirs[outline]


def ancestors(cls: Class, inference: Inference) -> tuple[Class | None, ...]:
    """The class and its bases, nearest first; None stands for one that is unknown.

    Depth first, a shared base only where it comes last: the order of C3 (PEP 253 and the
    "method resolution order" essay) in every case but inconsistent hierarchies.
    """
    return inference.once(("ancestors", cls.scope), _ancestors, cls, inference) or (cls, None)


def _ancestors(cls: Class, inference: Inference) -> tuple[Class | None, ...]:
    order: list[Class | None] = [cls]
    node, outside = cls.scope.node, cls.scope.parent or cls.scope
    for base in node.bases if isinstance(node, ast.ClassDef) else ():
        expr = base.value if isinstance(base, ast.Subscript) else base
        value = inference.value(expr, outside)
        if isinstance(value, Class):
            order += ancestors(value, inference)
        elif not isinstance(value, Builtin) and not _is_typing_base(expr, outside, inference.modules):
            order.append(None)
    last = {ancestor: index for index, ancestor in enumerate(order)}
    return tuple(a for index, a in enumerate(order) if a is None or last[a] == index)


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
