"""What ``from module import *`` brings in."""

from __future__ import annotations

import ast
import builtins
from typing import TYPE_CHECKING

from asynclint.project.index.values import Builtin, Module, Value
from asynclint.source.outline import Binding, Outline

if TYPE_CHECKING:
    from asynclint.project.index.infer import Inference


def free_name(name: str, outline: Outline, inference: Inference) -> Value | None:
    """A name that a module does not bind: of its star imports, the last one first, else a builtin."""
    for star in reversed(outline.scope.facts.stars):
        if inference.modules.may_bring(star.module, star.level, outline, name) is False:
            continue
        module = inference.modules.find(star.module, star.level, outline)
        if module is None or module is outline:
            return None  # it might bring the name in
        if exports(module, name):
            found = inference.attribute(Module(module), name)
            if found is not None or name in module.scope.bindings:
                return found
    if hasattr(builtins, name) and not outline.scope.facts.stars:
        return Builtin(name)
    return None


def member(name: str, outline: Outline, inference: Inference) -> Value | None:
    """An attribute of a module that it has by a star import only."""
    for star in reversed(outline.scope.facts.stars):
        if not inference.modules.may_bring(star.module, star.level, outline, name):
            continue
        module = inference.modules.find(star.module, star.level, outline)
        if module is not None and module is not outline and exports(module, name):
            found = inference.attribute(Module(module), name)
            if found is not None:
                return found
    return None


def bound_over(
    name: str, bindings: list[Binding], outline: Outline, inference: Inference
) -> list[Value | None]:
    """What star imports further down make of a name that a module binds itself."""
    found: list[Value | None] = []
    for star in outline.scope.facts.stars:
        if all(_line(star) > _line(binding) for binding in bindings):
            module = inference.modules.find(star.module, star.level, outline)
            if module is None:
                found.append(None)
            elif name in module.scope.bindings and exports(module, name):
                found.append(inference.attribute(Module(module), name))
    return found


def exports(module: Outline, name: str) -> bool:
    """Whether ``from module import *`` brings a name (language reference, "the import statement")."""
    listed = module.scope.bindings.get("__all__")
    if listed is None:
        return not name.startswith("_") or module.is_stub
    values = [b.value for b in listed]
    if len(values) == 1 and isinstance(values[0], (ast.List, ast.Tuple)):
        return any(isinstance(e, ast.Constant) and e.value == name for e in values[0].elts)
    return True


def _line(binding: Binding) -> int:
    return getattr(binding.node, "lineno", 0)
