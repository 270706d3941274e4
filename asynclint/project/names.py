"""The dotted names of an expression through import aliases: the only resolver of names that lie elsewhere.

``asyncio.timeout``, ``aio.timeout`` after ``import asyncio as aio`` and ``limit`` after
``from asyncio import timeout as limit`` all have the name ``asyncio.timeout``; so has a name
that a module of the project re-exports. What lies outside the project is read where Modules find it.
"""

from __future__ import annotations

import ast
from collections.abc import Container

from asynclint.project.index.modules import Modules
from asynclint.source.outline import Binding, Outline, Scope

MAX_HOPS = 12  # re-exports of re-exports; more is a cycle

Chain = tuple[str, ...]


def chain(expr: ast.AST, scope: Scope, modules: Modules, hops: int = MAX_HOPS) -> Chain:
    """Every dotted name of a Name or Attribute chain, from how it is imported to where it is defined.

    ``("pkg.compat.timeout", "asyncio.timeout")`` for a timeout that pkg.compat re-exports. Empty
    where the name is local to a function, bound in a way that can't be read, or no name at all.
    """
    key = (expr, scope)
    names = modules.chains.get(key)
    if names is None:
        names = _chain(expr, scope, modules, hops)
        if hops == MAX_HOPS:  # further in, a cycle may have cut it short
            modules.chains[key] = names
    return names


def _chain(expr: ast.AST, scope: Scope, modules: Modules, hops: int) -> Chain:
    attributes: list[str] = []
    while isinstance(expr, ast.Attribute):
        attributes.append(expr.attr)
        expr = expr.value
    if not isinstance(expr, ast.Name) or hops <= 0:
        return ()
    found = scope.lookup(expr.id)
    if found is None:
        roots = _starred(expr.id, scope.outline, modules, hops)
        owner = scope
    else:
        owner, bindings = found
        roots = _of_bindings(expr.id, bindings, owner, modules, hops)
    if not attributes:
        return _with_public(roots)
    names: list[str] = []
    for root in roots:
        full = ".".join([root, *reversed(attributes)])
        module, _, member = full.rpartition(".")
        names += _of_member(module, 0, member, owner.outline, modules, hops)
    return _with_public(tuple(dict.fromkeys(names)))


def _with_public(names: Chain) -> Chain:
    """``trio._core.run`` is ``trio.run`` too: a library's own tests import from where it is defined."""
    if not any("._" in name for name in names):
        return names
    public = [".".join(p for p in name.split(".") if not p.startswith("_")) for name in names]
    parts = [name.split(".") for name in names if "._" in name]
    short = [f"{part[0]}{middle}.{part[-1]}" for part in parts for middle in ("", ".lowlevel", ".testing")]
    return tuple(dict.fromkeys((*names, *public, *short)))


def known(expr: ast.AST, scope: Scope, modules: Modules, table: Container[str]) -> str:
    """The first name of an expression that a table holds; "" where none does."""
    return next((name for name in chain(expr, scope, modules) if name in table), "")


def _of_bindings(name: str, bindings: list[Binding], scope: Scope, modules: Modules, hops: int) -> Chain:
    key = (name, scope)
    found = modules.chains.get(key)
    if found is None:
        found = _join(name, bindings, scope, modules, hops)
        if hops == MAX_HOPS:
            modules.chains[key] = found
    return found


def _join(name: str, bindings: list[Binding], scope: Scope, modules: Modules, hops: int) -> Chain:
    names: list[str] = []
    for binding in bindings:
        found = _of_binding(binding, name, scope, modules, hops)
        if not found:
            return ()
        names += found
    return tuple(dict.fromkeys(names))


def _of_binding(binding: Binding, name: str, scope: Scope, modules: Modules, hops: int) -> Chain:
    if binding.kind == "import":
        return (binding.module,)
    if binding.kind == "from":
        return _of_member(binding.module, binding.level, binding.member, scope.outline, modules, hops)
    if binding.kind in ("def", "class") and scope.parent is None:
        return (f"{modules.name(scope.outline)}.{name}",)
    if binding.kind == "assign" and isinstance(binding.value, (ast.Name, ast.Attribute)):
        return chain(binding.value, scope, modules, hops - 1)
    return ()


def _of_member(module: str, level: int, member: str, origin: Outline, modules: Modules, hops: int) -> Chain:
    """Names of ``member`` of a module, as an import of ``origin`` names it."""
    key = (module, level, member, origin)
    cached = modules.chains.get(key)
    if cached is None:
        cached = _member_names(module, level, member, origin, modules, hops)
        if hops == MAX_HOPS:
            modules.chains[key] = cached
    return cached


def _member_names(
    module: str, level: int, member: str, origin: Outline, modules: Modules, hops: int
) -> Chain:
    written: Chain = () if level else (f"{module}.{member}",)
    if written and module == "typing_extensions":  # it has what later versions of typing have, by their names
        written = (*written, f"typing.{member}")
    if hops <= 0 or not (level or modules.reads(module.partition(".")[0], origin.path)):
        return written
    found = modules.find(module, level, origin)
    if found is None or found.is_stub:
        return written
    # ``from . import member`` in a package's own __init__ means the submodule
    bindings = found.scope.bindings.get(member) if found is not origin else None
    if bindings is not None:
        return (*written, *_of_bindings(member, bindings, found.scope, modules, hops - 1))
    inner = modules.member(found, member)
    if inner is not None:
        return (*written, modules.name(inner))
    return (*written, *_starred(member, found, modules, hops - 1))


def _starred(name: str, outline: Outline, modules: Modules, hops: int) -> Chain:
    """Names of what ``from m import *`` may bring in."""
    for star in outline.scope.facts.stars:
        module = modules.find(star.module, star.level, outline)
        if module is not None and name in module.scope.bindings:
            return _of_member(star.module, star.level, name, outline, modules, hops)
    return ()


def definition(
    expr: ast.AST, scope: Scope, modules: Modules, hops: int = MAX_HOPS
) -> tuple[ast.AST, Scope] | None:
    """What a name is bound to in the project, imports and aliases followed: a node, and where it stands.

    The node is a def or class, or the one expression that is assigned. None where there is no
    such name, or more than one binding of it.
    """
    if hops <= 0:
        return None
    if isinstance(expr, ast.Name):
        found = scope.lookup(expr.id)
        return _single(found[1], found[0], modules, hops) if found is not None else None
    if isinstance(expr, ast.Attribute):
        for name in chain(expr.value, scope, modules):
            module = modules.find(name, 0, scope.outline)
            if module is not None and not module.is_stub and expr.attr in module.scope.bindings:
                return _single(module.scope.bindings[expr.attr], module.scope, modules, hops)
    return None


def _single(
    bindings: list[Binding], scope: Scope, modules: Modules, hops: int
) -> tuple[ast.AST, Scope] | None:
    if len(bindings) != 1 or hops <= 0:
        return None
    binding = bindings[0]
    if binding.kind in ("def", "class"):
        return binding.node, scope
    if binding.kind == "assign" and binding.value is not None:
        if isinstance(binding.value, (ast.Name, ast.Attribute)):
            return definition(binding.value, scope, modules, hops - 1) or (binding.value, scope)
        return binding.value, scope
    if binding.kind == "from":
        module = modules.find(binding.module, binding.level, scope.outline)
        if module is not None and not module.is_stub and binding.member in module.scope.bindings:
            return _single(module.scope.bindings[binding.member], module.scope, modules, hops - 1)
    return None
