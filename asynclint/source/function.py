"""What a rule of function scope judges."""

from __future__ import annotations

import ast
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

from asynclint.finding import Span
from asynclint.source.outline import Scope

if TYPE_CHECKING:
    import libcst as cst

    from asynclint.source.pairing import PairedTree

OPENING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
T = TypeVar("T")
Node = TypeVar("Node", bound="cst.CSTNode")


class UnparsedError(Exception):
    """libcst can't parse a function that Python can; ``str()`` is its name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} could not be checked: it holds syntax that libcst does not know")


class Function:
    """One outermost function with what is nested in it.

    Its libcst tree is parsed when a rule first asks for a node: a rule whose verdict rests on
    names and guards alone never pays for it. The first access raises UnparsedError where libcst
    can't parse what Python can.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.outline = scope.outline
        self.text = scope.outline.text
        self._answers: dict[Hashable, Any] = {}

    @cached_property
    def _tree(self) -> PairedTree:
        from asynclint.source.pairing import PairedTree

        return PairedTree(self.scope)

    @property
    def module(self) -> cst.Module:
        """The parsed slice of the file; renders any of its nodes."""
        return self._tree.module

    @property
    def node(self) -> cst.FunctionDef:
        """The function itself."""
        return self._tree.node

    @property
    def nodes(self) -> Sequence[cst.CSTNode]:
        """Every node, nested functions' too, in source order; white space and punctuation left out."""
        return self._tree.nodes

    def nodes_of(self, *kinds: type[Node]) -> Iterator[Node]:
        """Its nodes of some classes (their subclasses left out), class by class, each in source order."""
        for kind in kinds:
            yield from cast("list[Node]", self._by_class.get(kind, ()))

    @cached_property
    def _by_class(self) -> dict[type[cst.CSTNode], list[cst.CSTNode]]:
        found: dict[type[cst.CSTNode], list[cst.CSTNode]] = {}
        for node in self.nodes:
            found.setdefault(node.__class__, []).append(node)
        return found

    def once(self, key: Hashable, answer: Callable[[], T]) -> T:
        """An answer about this function that several rules ask for, worked out once."""
        if key not in self._answers:
            self._answers[key] = answer()
        found: T = self._answers[key]
        return found

    def fold(self) -> None:
        """Forget the answers, which hold the function that holds them."""
        self._answers.clear()

    def twin(self, node: cst.CSTNode) -> ast.AST | None:
        """The ast node of a node; None for those that have none."""
        return self._tree.twins.get(node)

    def ast_of(self, node: cst.CSTNode) -> ast.AST:
        """The ast node of a call, await, yield, name, lambda, walrus or statement; KeyError for others."""
        return self._tree.twins[node]

    @cached_property
    def _cst(self) -> dict[ast.AST, cst.CSTNode]:
        return {twin: node for node, twin in self._tree.twins.items()}

    def ast_round(self, node: cst.CSTNode) -> ast.AST:
        """The ast node of a node, or of the innermost one round it that has one."""
        return next(twin for outer in (node, *self.parents(node)) if (twin := self.twin(outer)) is not None)

    def cst_of(self, node: ast.AST) -> cst.CSTNode:
        """The libcst node of a paired ast node; the reverse of ``ast_of``."""
        return self._cst[node]

    def span(self, node: cst.CSTNode) -> Span:
        """Position in the file of a paired node, parentheses round it left out."""
        return self.text.span(self.ast_of(node))

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """The node that holds this one; None for the function itself."""
        return self._tree.parents.get(node)

    def parents(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """The nodes that hold this one, innermost first."""
        parent = self.parent(node)
        while parent is not None:
            yield parent
            parent = self.parent(parent)

    @cached_property
    def _holders(self) -> dict[ast.AST, ast.AST]:
        return {inner: node for node in ast.walk(self.scope.node) for inner in ast.iter_child_nodes(node)}

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """The ast nodes that hold one, innermost first, to the function itself; they need no libcst tree."""
        holder = self._holders.get(node)
        while holder is not None:
            yield holder
            holder = self._holders.get(holder)

    def scope_round(self, node: ast.AST) -> Scope:
        """As ``scope_of``, for an ast node."""
        return self._inner_scope([outer for outer in self.around(node) if isinstance(outer, OPENING)])

    def scope_of(self, node: cst.CSTNode) -> Scope:
        """The scope whose names a node sees: that of the innermost function, lambda or class round it."""
        return self._inner_scope([self.ast_of(n) for n in self.parents(node) if _opens_scope(n)])

    def _inner_scope(self, path: Sequence[ast.AST]) -> Scope:
        scope = self.scope
        for outer in reversed(path):
            scope = scope.child(outer) or scope
        return scope


def _opens_scope(node: cst.CSTNode) -> bool:
    return type(node).__name__ in ("FunctionDef", "Lambda", "ClassDef")
