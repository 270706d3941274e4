"""The libcst tree of one outermost function, paired with its ast.

Only functions that a rule's trigger picked are parsed, as a slice of the file's raw lines. The
n-th call (await, name, statement …) in source order of one tree is the n-th of the other, which
gives every libcst node its position and its resolved names without a metadata provider.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from asynclint.finding import Span
from asynclint.source.outline import FUNCTIONS, Outline, Scope
from asynclint.source.walk import child_fields

if TYPE_CHECKING:
    from asynclint.source.text import SourceText

# libcst classes that pair with ast classes, by a common key.
_CST_KEYS: dict[type[cst.CSTNode], str] = {
    cst.Call: "call",
    cst.Await: "await",
    cst.Yield: "yield",
    cst.Name: "name",
    cst.Lambda: "lambda",
    cst.NamedExpr: "walrus",
    cst.FunctionDef: "statement",
    cst.ClassDef: "statement",
    cst.Assign: "statement",
    cst.AnnAssign: "statement",
    cst.AugAssign: "statement",
    cst.Expr: "statement",
    cst.Return: "statement",
    cst.Raise: "statement",
    cst.Assert: "statement",
    cst.Del: "statement",
    cst.Pass: "statement",
    cst.Break: "statement",
    cst.Continue: "statement",
    cst.Global: "statement",
    cst.Nonlocal: "statement",
    cst.Import: "statement",
    cst.ImportFrom: "statement",
    cst.If: "statement",
    cst.For: "statement",
    cst.While: "statement",
    cst.With: "statement",
    cst.Try: "statement",
    cst.TryStar: "statement",
    cst.Match: "statement",
    cst.TypeAlias: "statement",
}
# Children in source order where libcst declares its fields in another.
_CST_ORDER: dict[type[cst.CSTNode], tuple[str, ...]] = {
    cst.FunctionDef: ("decorators", "type_parameters", "params", "returns", "body"),
    cst.ClassDef: ("decorators", "type_parameters", "bases", "keywords", "body"),
    cst.IfExp: ("body", "test", "orelse"),
    cst.Parameters: ("posonly_params", "params", "star_arg", "kwonly_params", "star_kwarg"),
    cst.Param: ("annotation", "default"),
    cst.Attribute: ("value",),
    cst.Arg: ("value",),
    cst.NamedExpr: ("target", "value"),
    cst.Global: (),
    cst.Nonlocal: (),
    cst.Import: (),
    cst.ImportFrom: (),
    cst.TypeAlias: ("type_parameters", "value"),
    cst.AsName: ("name",),
    cst.ExceptHandler: ("type", "body"),
    cst.ExceptStarHandler: ("type", "body"),
    cst.WithItem: ("item", "asname"),
    cst.MatchCase: ("pattern", "guard", "body"),
    cst.MatchAs: ("pattern",),
    cst.MatchMapping: ("elements",),
    cst.MatchStar: (),
    cst.MatchKeywordElement: ("pattern",),
    cst.FormattedStringExpression: ("expression", "format_spec"),
    cst.TypeParam: ("param", "default"),
    cst.TypeVar: ("bound",),
    cst.TypeVarTuple: (),
    cst.ParamSpec: (),
}
_CST_FIELDS: dict[type[cst.CSTNode], tuple[str, ...]] = {}
_CONSTANTS = frozenset({"None", "True", "False"})  # names to libcst, constants to ast
_TOKENS = frozenset({"lpar", "rpar", "lbracket", "rbracket", "leading_lines", "header", "footer"})


def cst_children(node: cst.CSTNode) -> list[cst.CSTNode]:
    """Child nodes in source order, white space and punctuation left out."""
    kind = node.__class__
    fields = _CST_FIELDS.get(kind)
    if fields is None:
        names = _CST_ORDER.get(kind)
        if names is None:
            names = tuple(
                name
                for name in node.__dataclass_fields__
                if name not in _TOKENS and not name.startswith(("whitespace", "lines_after"))
            )
        fields = _CST_FIELDS[kind] = names
    found: list[cst.CSTNode] = []
    for name in fields:
        value = getattr(node, name)
        if isinstance(value, cst.CSTNode):
            found.append(value)
        elif value.__class__ in (list, tuple):
            found.extend(v for v in value if isinstance(v, cst.CSTNode))
    return found


class PairingError(Exception):
    """The two trees of a function do not agree; a fault of asynclint's, never of the file's."""

    def __init__(self, function: Function) -> None:
        super().__init__(f"the trees of {function.scope.qualname} do not agree")


class Function:
    """What a rule of function scope judges: one outermost function with what is nested in it."""

    def __init__(self, scope: Scope) -> None:
        """Parse the slice of a function's lines.

        Raises libcst.ParserSyntaxError where libcst can't parse what Python can, and PairingError
        where the trees disagree.
        """
        self.scope = scope
        self.outline: Outline = scope.outline
        self.text: SourceText = scope.outline.text
        assert isinstance(scope.node, FUNCTIONS)
        self.first_line = min([scope.node.lineno, *(d.lineno for d in scope.node.decorator_list)])
        self.module, self.node = self._parse_slice(scope.node.end_lineno or 0)
        self.nodes: list[cst.CSTNode] = []
        self._parents: dict[cst.CSTNode, cst.CSTNode] = {}
        self._ast: dict[cst.CSTNode, ast.AST] = {}
        self._walk()
        self._pair()

    def _parse_slice(self, last: int) -> tuple[cst.Module, cst.FunctionDef]:
        lines = self.text.lines[self.first_line - 1 : last]
        indented = lines[0].lstrip("\f")[:1] in (" ", "\t")
        source = "".join(lines)
        module = cst.parse_module(f"if 1:{self.text.newline}{source}" if indented else source)
        statement: cst.CSTNode = module.body[0]
        if isinstance(statement, cst.If):
            statement = statement.body.body[0]
        if not isinstance(statement, cst.FunctionDef):
            raise PairingError(self)
        return module, statement

    def _walk(self) -> None:
        stack: list[cst.CSTNode] = [self.node]
        parents = self._parents
        while stack:
            node = stack.pop()
            self.nodes.append(node)
            children = cst_children(node)
            for child in children:
                parents[child] = node
            stack.extend(reversed(children))

    def _pair(self) -> None:
        waiting: dict[str, list[ast.AST]] = {}
        for paired in _ast_in_order(self.scope.node):
            kind = _ast_key(paired)
            if kind:
                waiting.setdefault(kind, []).append(paired)
        iterators = {key: iter(nodes) for key, nodes in waiting.items()}
        for node in self.nodes:
            key = _CST_KEYS.get(node.__class__)
            if key is None or (isinstance(node, cst.Name) and node.value in _CONSTANTS):
                continue
            found = next(iterators.get(key, iter(())), None)
            if found is None or (isinstance(node, cst.Name) and getattr(found, "id", "") != node.value):
                raise PairingError(self)
            self._ast[node] = found
        if any(next(rest, None) is not None for rest in iterators.values()):
            raise PairingError(self)

    def ast_of(self, node: cst.CSTNode) -> ast.AST:
        """The ast node of a call, await, yield, name, lambda, walrus or statement."""
        return self._ast[node]

    @cached_property
    def _cst(self) -> dict[ast.AST, cst.CSTNode]:
        return {paired: node for node, paired in self._ast.items()}

    def cst_of(self, node: ast.AST) -> cst.CSTNode:
        """The libcst node of a paired ast node; the reverse of ``ast_of``."""
        return self._cst[node]

    def span(self, node: cst.CSTNode) -> Span:
        """Position in the file of a paired node, parentheses round it left out."""
        return self.text.span(self._ast[node])

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """The node that holds this one; None for the function itself."""
        return self._parents.get(node)

    def parents(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """The nodes that hold this one, innermost first."""
        parent = self._parents.get(node)
        while parent is not None:
            yield parent
            parent = self._parents.get(parent)

    def scope_of(self, node: cst.CSTNode) -> Scope:
        """The scope whose names a node sees: that of the innermost function, lambda or class round it."""
        path = [n for n in self.parents(node) if isinstance(n, (cst.FunctionDef, cst.Lambda, cst.ClassDef))]
        scope = self.scope
        for outer in reversed(path):
            scope = scope.child(self._ast[outer]) or scope
        return scope


_STATEMENTS = ast.stmt
_AST_KEYS: dict[type[ast.AST], str] = {
    ast.Call: "call",
    ast.Await: "await",
    ast.Yield: "yield",
    ast.YieldFrom: "yield",
    ast.Name: "name",
    ast.Lambda: "lambda",
    ast.NamedExpr: "walrus",
}


def _ast_key(node: ast.AST) -> str:
    key = _AST_KEYS.get(node.__class__)
    if key is None:
        return "statement" if isinstance(node, _STATEMENTS) else ""
    return key


def _ast_in_order(root: ast.AST) -> Iterator[ast.AST]:
    """Nodes in source order; positions can't be used, since those inside f-strings are wrong before 3.12."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(_ast_children(node)))


def _ast_children(node: ast.AST) -> list[ast.AST]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            parameters = getattr(node, "type_params", [])
            returns = [node.returns] if node.returns else []
            return [*node.decorator_list, *parameters, node.args, *returns, *node.body]
        case ast.ClassDef():
            parameters = getattr(node, "type_params", [])
            # libcst too keeps keywords behind bases, whatever their order
            return [*node.decorator_list, *parameters, *node.bases, *node.keywords, *node.body]
        case ast.Call():
            return [node.func, *sorted([*node.args, *node.keywords], key=_start)]
        case ast.IfExp():
            return [node.body, node.test, node.orelse]
        case ast.Dict():
            pairs = zip(node.keys, node.values, strict=True)
            return [part for pair in pairs for part in pair if part is not None]
        case ast.MatchMapping():
            return [part for pair in zip(node.keys, node.patterns, strict=True) for part in pair]
        case ast.arguments():
            return _arguments(node)
        case ast.arg():
            return [node.annotation] if node.annotation else []
    found: list[ast.AST] = []
    for name in child_fields(node.__class__):
        value = getattr(node, name, None)
        if value.__class__ is list:
            found.extend(v for v in value if isinstance(v, ast.AST))
        elif isinstance(value, ast.AST):
            found.append(value)
    return found


def _arguments(node: ast.arguments) -> list[ast.AST]:
    """Parameters, each before its default."""
    found: list[ast.AST] = []
    positional = [*node.posonlyargs, *node.args]
    missing: list[ast.expr | None] = [None] * (len(positional) - len(node.defaults))
    for arg, default in zip(positional, [*missing, *node.defaults], strict=True):
        found += [arg] if default is None else [arg, default]
    if node.vararg:
        found.append(node.vararg)
    for arg, default in zip(node.kwonlyargs, node.kw_defaults, strict=True):
        found += [arg] if default is None else [arg, default]
    if node.kwarg:
        found.append(node.kwarg)
    return found


def _start(node: ast.AST) -> tuple[int, int]:
    return node.lineno, node.col_offset  # type: ignore[attr-defined]
