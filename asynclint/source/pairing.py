"""The libcst tree of one outermost function, paired with its ast.

A function is parsed as a slice of the file's raw lines. The n-th call (await, name, statement …) in
source order of one tree is the n-th of the other, which gives every libcst node its position and
its resolved names without a metadata provider.
"""

from __future__ import annotations

import ast
import dataclasses
import unicodedata
from collections.abc import Iterator

import libcst as cst

from asynclint.source.function import UnparsedError
from asynclint.source.nodes import start_of
from asynclint.source.outline import FUNCTIONS, Scope
from asynclint.source.walk import children

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
_LEAVES = frozenset({str, bool, type(None), cst.MaybeSentinel})  # fields that hold no node
_TOKENS = frozenset({"lpar", "rpar", "lbracket", "rbracket", "leading_lines", "header", "footer"})


def cst_children(node: cst.CSTNode) -> list[cst.CSTNode]:
    """Child nodes in source order, white space and punctuation left out."""
    kind = node.__class__
    fields = _CST_FIELDS.get(kind)
    if fields is None:
        names = _CST_ORDER.get(kind)
        if names is None:
            names = tuple(
                field.name
                for field in dataclasses.fields(kind)
                if field.name not in _TOKENS and not field.name.startswith(("whitespace", "lines_after"))
            )
        fields = _CST_FIELDS[kind] = names
    found: list[cst.CSTNode] = []
    for name in fields:
        value = getattr(node, name)
        if value.__class__ in (list, tuple):
            found += value
        elif value.__class__ not in _LEAVES:
            found.append(value)
    return found


def _normal(name: str) -> str:
    """An identifier as ast gives it; libcst keeps its spelling (PEP 3131)."""
    return name if name.isascii() else unicodedata.normalize("NFKC", name)


class PairingError(Exception):
    """The two trees of a function do not agree; a fault of asynclint's, never of the file's."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(f"the trees of {scope.qualname} do not agree")


class PairedTree:
    """The libcst tree of a function: its nodes in source order, who holds whom, and their ast twins."""

    def __init__(self, scope: Scope) -> None:
        """Parse the slice of a function's lines.

        Raises UnparsedError where libcst can't parse what Python can, PairingError where the trees
        disagree.
        """
        self._scope = scope
        self.module, self.node = self._parse_slice()
        self.nodes: list[cst.CSTNode] = []
        self.parents: dict[cst.CSTNode, cst.CSTNode] = {}
        self.twins: dict[cst.CSTNode, ast.AST] = {}
        self._walk()
        self._pair()

    def _parse_slice(self) -> tuple[cst.Module, cst.FunctionDef]:
        root, text = self._scope.node, self._scope.outline.text
        assert isinstance(root, FUNCTIONS)
        first = min([root.lineno, *(decorator.lineno for decorator in root.decorator_list)])
        last = root.end_lineno or 0
        while last < len(text.lines) and text.lines[last - 1].rstrip("\r\n").endswith("\\"):
            last += 1  # a backslash joins the blank line behind the body to it
        lines = text.lines[first - 1 : last]
        indented = lines[0].lstrip("\f")[:1] in (" ", "\t")
        source = "".join(lines)
        try:
            module = cst.parse_module(f"if 1:{text.newline}{source}" if indented else source)
        except (cst.ParserSyntaxError, cst.CSTValidationError) as error:
            raise UnparsedError(self._scope.qualname) from error
        statement: cst.CSTNode = module.body[0]
        if isinstance(statement, cst.If):
            statement = statement.body.body[0]
        if not isinstance(statement, cst.FunctionDef):
            raise PairingError(self._scope)
        return module, statement

    def _walk(self) -> None:
        stack: list[cst.CSTNode] = [self.node]
        while stack:
            node = stack.pop()
            self.nodes.append(node)
            children = cst_children(node)
            for child in children:
                self.parents[child] = node
            stack.extend(reversed(children))

    def _pair(self) -> None:
        waiting: dict[str, list[ast.AST]] = {}
        for twin in _ast_in_order(self._scope.node):
            kind = _ast_key(twin)
            if kind:
                waiting.setdefault(kind, []).append(twin)
        iterators = {key: iter(nodes) for key, nodes in waiting.items()}
        for node in self.nodes:
            key = _CST_KEYS.get(node.__class__)
            if key is None or (isinstance(node, cst.Name) and node.value in _CONSTANTS):
                continue
            found = next(iterators.get(key, iter(())), None)
            if found is None or (
                isinstance(node, cst.Name) and getattr(found, "id", "") != _normal(node.value)
            ):
                raise PairingError(self._scope)
            self.twins[node] = found
        if any(next(rest, None) is not None for rest in iterators.values()):
            raise PairingError(self._scope)


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

_AST_LEAVES = frozenset({ast.Name, ast.Constant})


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
        if node.__class__ not in _AST_LEAVES:
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
            return [node.func, *sorted([*node.args, *node.keywords], key=start_of)]
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
    return children(node)


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
