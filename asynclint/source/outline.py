"""One module as scopes and names, from one pass over its ast.

An outline answers what is bound where and what each function does in its own body. It reads
nothing but its own text; what a name *is* across files is the index's business.

Scopes are made eagerly for the module and its classes, and for a function when somebody asks
about it, so that a module that is only imported costs no more than its top level.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from asynclint.source.text import SourceText

if TYPE_CHECKING:
    from asynclint.source.sections import Sections
    from asynclint.source.walk import Walk

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
ScopeNode = ast.Module | ast.ClassDef | FunctionNode | ast.Lambda


@dataclass(slots=True, eq=False)
class Binding:
    """One place where a name gets a value.

    ``kind`` is def, class, import, from, param, assign, unpack, for, with, async with or other.
    ``node`` is the statement (or parameter); ``value`` the bound expression: what is assigned,
    entered or iterated. An import has ``module``, ``level`` and, for ``from``, the ``member``.
    """

    kind: str
    node: ast.AST
    value: ast.expr | None = None
    annotation: ast.expr | None = None
    module: str = ""
    level: int = 0
    member: str = ""


@dataclass(slots=True)
class Facts:
    """What one scope does in its own body, nested scopes left out; lists are in source order."""

    bindings: MutableMapping[str, list[Binding]] = field(default_factory=dict)
    scopes: list[Scope] = field(default_factory=list)
    calls: list[ast.Call] = field(default_factory=list)
    functions: dict[str, list[ast.Call]] = field(default_factory=dict)  # calls of a plain name, by it
    methods: dict[str, list[ast.Call]] = field(default_factory=dict)  # calls of an attribute, by its name
    kept: list[ast.expr] = field(default_factory=list)  # calls and awaits assigned, or statements
    awaits: list[ast.Await] = field(default_factory=list)
    withs: list[ast.With | ast.AsyncWith] = field(default_factory=list)
    fors: list[ast.For | ast.comprehension] = field(default_factory=list)
    async_fors: list[ast.AsyncFor | ast.comprehension] = field(default_factory=list)
    expressions: list[ast.Expr] = field(default_factory=list)
    asserts: list[ast.Assert] = field(default_factory=list)
    returns: list[ast.Return] = field(default_factory=list)
    yields: list[ast.Yield | ast.YieldFrom] = field(default_factory=list)
    attributes: list[tuple[ast.Attribute, ast.expr | None]] = field(
        default_factory=list
    )  # assigned: x.a = value
    stars: list[Binding] = field(default_factory=list)  # from m import *
    outer: dict[str, str] = field(default_factory=dict)  # name -> global | nonlocal


class Scope:
    """A module, class, function or lambda, with its name bindings.

    ``is_function`` says whether it is a def or async def, ``is_async`` whether an async def, ``is_class``
    whether a class. ``name`` is the one it was defined by: empty for a module, ``<lambda>`` for a lambda;
    ``decorators`` are expressions; ``enclosing_class`` is the class whose body directly holds it.
    """

    def __init__(self, outline: Outline, node: ScopeNode, parent: Scope | None) -> None:
        self.outline = outline
        self.node = node
        self.parent = parent
        kind = node.__class__
        self.is_class = kind is ast.ClassDef
        self.is_async = kind is ast.AsyncFunctionDef
        self.is_function = self.is_async or kind is ast.FunctionDef
        self.name, self.decorators = _named(node)
        self.enclosing_class = parent if parent is not None and parent.is_class else None

    def __repr__(self) -> str:
        return f"<{type(self.node).__name__} {self.outline.path.name}:{self.qualname}>"

    @property
    def qualname(self) -> str:
        """Dotted path inside the module."""
        names = []
        scope: Scope | None = self
        while scope is not None and scope.parent is not None:
            names.append(scope.name)
            scope = scope.parent
        return ".".join(reversed(names))

    @property
    def source(self) -> str:
        """The text that it is written in, decorators left out."""
        return self.outline.text.slice(self.outline.text.span(self.node))

    def says(self, word: str) -> bool:
        """Whether a word stands in the lines of a function or class, its decorators left out."""
        assert not isinstance(self.node, (ast.Module, ast.Lambda))
        return self.outline.text.is_between(word, self.node.lineno, self.node.end_lineno or self.node.lineno)

    @property
    def parameters(self) -> list[ast.arg]:
        """Parameters of a function or lambda, in source order."""
        if isinstance(self.node, (ast.Module, ast.ClassDef)):
            return []
        args = self.node.args
        star = [args.vararg] if args.vararg else []
        keywords = [args.kwarg] if args.kwarg else []
        return [*args.posonlyargs, *args.args, *star, *args.kwonlyargs, *keywords]

    @cached_property
    def facts(self) -> Facts:
        """Everything the scope's own body does; computed when first asked for."""
        facts = _walk()(self).run()
        if self.parent is None and self.outline.sections is not None:
            from asynclint.source.sections import Later

            facts.bindings = Later(self, self.outline.sections, facts)
        return facts

    @property
    def bindings(self) -> MutableMapping[str, list[Binding]]:
        """Names bound in this scope."""
        return self.facts.bindings

    @property
    def is_generator(self) -> bool:
        """Whether its own body yields."""
        return bool(self.facts.yields)

    def nested(self) -> tuple[Scope, ...]:
        """The scope itself and every scope inside it."""
        return self._nested

    @cached_property
    def _nested(self) -> tuple[Scope, ...]:
        return (self, *(inner for scope in self.facts.scopes for inner in scope.nested()))

    def made(self) -> Iterator[Scope]:
        """The scope itself and those inside it that somebody has asked about."""
        facts: Facts | None = self.__dict__.get("facts")
        for scope in facts.scopes if facts is not None else ():
            yield from scope.made()
        yield self

    def fold(self) -> None:
        """Give up what was worked out of its own body."""
        self.__dict__.pop("facts", None)
        self.__dict__.pop("_nested", None)

    def around(self) -> Iterator[Scope]:
        """The scope itself and every scope round it, innermost first."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def child(self, node: ast.AST) -> Scope | None:
        """The directly nested scope of a definition node."""
        return next((scope for scope in self.facts.scopes if scope.node is node), None)

    def lookup(self, name: str) -> tuple[Scope, list[Binding]] | None:
        """The scope that binds a name as seen from here, with its bindings (PEP 227 rules)."""
        scope: Scope | None = self
        while scope is not None:
            if scope is self or not scope.is_class:
                facts = scope.facts
                outer = facts.outer.get(name) if facts.outer else None
                if outer == "global":
                    module = self.outline.scope
                    return (module, module.bindings[name]) if name in module.bindings else None
                bindings = facts.bindings.get(name)
                if outer is None and bindings is not None:
                    return scope, bindings
            scope = scope.parent
        return None


@cache
def _walk() -> type[Walk]:
    """The pass that collects facts, which needs the classes of this module."""
    from asynclint.source.walk import Walk

    return Walk


def _named(node: ScopeNode) -> tuple[str, list[ast.expr]]:
    if isinstance(node, ast.Module):
        return "", []
    return ("<lambda>", []) if isinstance(node, ast.Lambda) else (node.name, node.decorator_list)


class Outline:
    """One parsed module: its text, its ast and its scopes.

    ``is_stub`` modules (``.pyi``) have their ``sys.version_info`` tests decided for ``version``. With
    ``sections``, ``tree`` is that of their rest.
    """

    def __init__(
        self,
        path: Path,
        text: SourceText,
        tree: ast.Module,
        version: tuple[int, int],
        sections: Sections | None = None,
    ) -> None:
        self.path = path
        self.text = text
        self.tree = tree
        self.version = version
        self.sections = sections
        self.is_stub = path.suffix == ".pyi"

    @cached_property
    def directory(self) -> Path:
        """The directory of its file."""
        return self.path.parent

    @cached_property
    def scope(self) -> Scope:
        """The module's own scope."""
        return Scope(self, self.tree, None)

    def fold(self) -> None:
        """Give up what was worked out, so that no scope keeps the outline alive.

        What some answer still holds of it works as before, and collects its facts anew if it must.
        """
        for scope in self.scope.made():
            scope.fold()
        for name in ("scope", "functions", "classes"):
            self.__dict__.pop(name, None)

    @cached_property
    def functions(self) -> list[Scope]:
        """Outermost functions: of the module and of its classes, in source order."""
        found: list[Scope] = []
        stack = [self.scope]
        while stack:
            for scope in stack.pop().facts.scopes:
                if scope.is_function:
                    found.append(scope)
                elif scope.is_class:
                    stack.append(scope)
        return sorted(found, key=lambda scope: scope.node.lineno)  # type: ignore[union-attr]

    @cached_property
    def classes(self) -> list[Scope]:
        """Classes of the module and classes nested in classes, in source order."""
        found = [scope for scope in self.scope.facts.scopes if scope.is_class]
        for scope in found:
            found.extend(inner for inner in scope.facts.scopes if inner.is_class)
        return found

    def imports(self, library: str) -> bool:
        """Whether the top level imports a library, or something of it."""
        return any(
            binding.module.partition(".")[0] == library
            for bindings in self.scope.bindings.values()
            for binding in bindings
            if binding.kind in ("import", "from")
        )

    def scope_of(self, node: ast.AST) -> Scope | None:
        """The scope of a definition node of this module."""
        return next((scope for scope in self.scope.nested() if scope.node is node), None)
