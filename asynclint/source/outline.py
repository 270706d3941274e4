"""One module as scopes and names, from one pass over its ast.

An outline answers what is bound where and what each function does in its own body. It reads
nothing but its own text; what a name *is* across files is the index's business.

Scopes are made eagerly for the module and its classes, and for a function when somebody asks
about it, so that a module that is only imported costs no more than its top level.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from asynclint.finding import Position, Span
from asynclint.source.text import SourceText

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

    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    scopes: list[Scope] = field(default_factory=list)
    calls: list[ast.Call] = field(default_factory=list)
    awaits: list[ast.Await] = field(default_factory=list)
    withs: list[ast.With | ast.AsyncWith] = field(default_factory=list)
    async_fors: list[ast.AsyncFor | ast.comprehension] = field(default_factory=list)
    expressions: list[ast.Expr] = field(default_factory=list)
    returns: list[ast.Return] = field(default_factory=list)
    yields: list[ast.Yield | ast.YieldFrom] = field(default_factory=list)
    attributes: list[tuple[ast.Attribute, ast.expr | None]] = field(default_factory=list)  # assigned: x.a = value
    stars: list[Binding] = field(default_factory=list)  # from m import *
    outer: dict[str, str] = field(default_factory=dict)  # name -> global | nonlocal


class Scope:
    """A module, class, function or lambda, with its name bindings."""

    def __init__(self, outline: Outline, node: ScopeNode, parent: Scope | None) -> None:
        self.outline = outline
        self.node = node
        self.parent = parent

    def __repr__(self) -> str:
        return f"<{type(self.node).__name__} {self.outline.path.name}:{self.qualname}>"

    @property
    def name(self) -> str:
        """The name it was defined by; empty for a module, ``<lambda>`` for a lambda."""
        if isinstance(self.node, ast.Module):
            return ""
        return "<lambda>" if isinstance(self.node, ast.Lambda) else self.node.name

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
    def is_function(self) -> bool:
        """Whether it is a def or async def."""
        return isinstance(self.node, FUNCTIONS)

    @property
    def is_class(self) -> bool:
        """Whether it is a class."""
        return isinstance(self.node, ast.ClassDef)

    @property
    def is_async(self) -> bool:
        """Whether it is an async def."""
        return isinstance(self.node, ast.AsyncFunctionDef)

    @property
    def decorators(self) -> list[ast.expr]:
        """Decorator expressions of a function or class."""
        return [] if isinstance(self.node, (ast.Module, ast.Lambda)) else self.node.decorator_list

    @property
    def enclosing_class(self) -> Scope | None:
        """The class whose body directly holds this scope."""
        return self.parent if self.parent is not None and self.parent.is_class else None

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
        return _Walk(self).run()

    @property
    def bindings(self) -> dict[str, list[Binding]]:
        """Names bound in this scope."""
        return self.facts.bindings

    @property
    def is_generator(self) -> bool:
        """Whether its own body yields."""
        return bool(self.facts.yields)

    def nested(self) -> Iterator[Scope]:
        """This scope and every scope inside it."""
        yield self
        for scope in self.facts.scopes:
            yield from scope.nested()

    def child(self, node: ast.AST) -> Scope | None:
        """The directly nested scope of a definition node."""
        return next((scope for scope in self.facts.scopes if scope.node is node), None)

    def lookup(self, name: str) -> tuple[Scope, list[Binding]] | None:
        """The scope that binds a name as seen from here, with its bindings (PEP 227 rules)."""
        scope: Scope | None = self
        while scope is not None:
            if scope is self or not scope.is_class:
                outer = scope.facts.outer.get(name)
                if outer == "global":
                    module = self.outline.scope
                    return (module, module.bindings[name]) if name in module.bindings else None
                if outer is None and name in scope.bindings:
                    return scope, scope.bindings[name]
            scope = scope.parent
        return None


class Outline:
    """One parsed module: its text, its ast and its scopes.

    ``is_stub`` modules (``.pyi``) have their ``sys.version_info`` tests decided for ``version``.
    """

    def __init__(self, path: Path, text: SourceText, tree: ast.Module, version: tuple[int, int]) -> None:
        self.path = path
        self.text = text
        self.tree = tree
        self.version = version
        self.is_stub = path.suffix == ".pyi"
        self.scope = Scope(self, tree, None)

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

    def scope_of(self, node: ast.AST) -> Scope | None:
        """The scope of a definition node of this module."""
        return next((scope for scope in self.scope.nested() if scope.node is node), None)


def header(scope: Scope) -> Span:
    """From ``def`` (or ``async``) to the function's name: where a report on a whole function stands."""
    start = scope.outline.text.span(scope.node).start
    line = scope.outline.text.lines[start.line - 1]
    end = line.find(scope.name, start.column + len("def"))
    return Span(start, Position(start.line, len(line.rstrip()) if end < 0 else end + len(scope.name)))


_EXPRESSION_CONTEXTS = {"ctx", "type_comment", "kind", "op", "ops", "name", "attr", "id", "arg", "lineno"}
_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}


def child_fields(kind: type[ast.AST]) -> tuple[str, ...]:
    """Fields of an ast class that can hold nodes worth walking."""
    fields = _FIELDS.get(kind)
    if fields is None:
        fields = _FIELDS[kind] = tuple(f for f in kind._fields if f not in _EXPRESSION_CONTEXTS)
    return fields


class _Walk:
    """The pass over one scope's own body."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.facts = Facts()
        self.stack: list[ast.AST] = []

    def run(self) -> Facts:
        node = self.scope.node
        for arg in self.scope.parameters:
            self.bind(arg.arg, Binding("param", arg, annotation=arg.annotation))
        body = [node.body] if isinstance(node, ast.Lambda) else node.body
        stack = self.stack
        stack.extend(reversed(body))
        handlers = _HANDLERS
        while stack:
            node = stack.pop()
            kind = node.__class__
            handler = handlers.get(kind)
            if handler is not None:
                handler(self, node)
            elif kind is not ast.Name and kind is not ast.Constant:
                self.push_children(node)
        return self.facts

    def push_children(self, node: ast.AST) -> None:
        stack = self.stack
        for name in reversed(child_fields(node.__class__)):
            value = getattr(node, name, None)
            if value.__class__ is list:
                stack.extend(v for v in reversed(value) if isinstance(v, ast.AST))
            elif isinstance(value, ast.AST):
                stack.append(value)

    def bind(self, name: str, binding: Binding) -> None:
        self.facts.bindings.setdefault(name, []).append(binding)

    def bind_target(self, target: ast.expr, binding: Binding) -> None:
        """Bind what an assignment target names; parts of a tuple are ``unpack``."""
        if isinstance(target, ast.Name):
            self.bind(target.id, binding)
        elif isinstance(target, ast.Attribute):
            self.facts.attributes.append((target, binding.value if binding.kind == "assign" else None))
            self.stack.append(target.value)
        elif isinstance(target, ast.Starred):
            self.bind_target(target.value, Binding("unpack", binding.node, binding.value))
        elif isinstance(target, (ast.Tuple, ast.List)):
            for part in target.elts:
                self.bind_target(part, Binding("unpack", binding.node, binding.value))
        else:
            self.push_children(target)

    # -- one handler a node class

    def definition(self, node: FunctionNode | ast.ClassDef) -> None:
        self.facts.scopes.append(Scope(self.scope.outline, node, self.scope))
        self.bind(node.name, Binding("class" if isinstance(node, ast.ClassDef) else "def", node))
        if isinstance(node, ast.ClassDef):
            self.stack.extend(reversed([*node.decorator_list, *node.bases, *node.keywords]))
        else:
            defaults = [d for d in (*node.args.defaults, *node.args.kw_defaults) if d is not None]
            self.stack.extend(reversed([*node.decorator_list, *defaults]))

    def lambda_(self, node: ast.Lambda) -> None:
        self.facts.scopes.append(Scope(self.scope.outline, node, self.scope))
        self.stack.extend(d for d in (*node.args.defaults, *node.args.kw_defaults) if d is not None)

    def import_(self, node: ast.Import) -> None:
        for alias in node.names:
            module = alias.name if alias.asname else alias.name.partition(".")[0]
            self.bind(alias.asname or module, Binding("import", node, module=module))

    def import_from(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            binding = Binding("from", node, module=node.module or "", level=node.level, member=alias.name)
            if alias.name == "*":
                self.facts.stars.append(binding)
            else:
                self.bind(alias.asname or alias.name, binding)

    def assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self.bind_target(target, Binding("assign", node, node.value))
        self.stack.append(node.value)

    def annotated_assign(self, node: ast.AnnAssign) -> None:
        self.bind_target(node.target, Binding("assign", node, node.value, annotation=node.annotation))
        if node.value is not None:
            self.stack.append(node.value)

    def augmented_assign(self, node: ast.AugAssign) -> None:
        self.bind_target(node.target, Binding("other", node))
        self.stack.append(node.value)

    def walrus(self, node: ast.NamedExpr) -> None:
        self.bind_target(node.target, Binding("assign", node, node.value))
        self.stack.append(node.value)

    def for_(self, node: ast.For | ast.AsyncFor | ast.comprehension) -> None:
        self.bind_target(node.target, Binding("for", node, node.iter))
        if isinstance(node, ast.AsyncFor) or (isinstance(node, ast.comprehension) and node.is_async):
            self.facts.async_fors.append(node)
        rest = node.ifs if isinstance(node, ast.comprehension) else [*node.body, *node.orelse]
        self.stack.extend(reversed([node.iter, *rest]))

    def with_(self, node: ast.With | ast.AsyncWith) -> None:
        self.facts.withs.append(node)
        kind = "with" if isinstance(node, ast.With) else "async with"
        for item in node.items:
            if item.optional_vars is not None:
                self.bind_target(item.optional_vars, Binding(kind, node, item.context_expr))
        self.stack.extend(reversed([*(item.context_expr for item in node.items), *node.body]))

    def except_(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self.bind(node.name, Binding("other", node, node.type))
        self.push_children(node)

    def match_name(self, node: ast.MatchAs | ast.MatchStar | ast.MatchMapping) -> None:
        name = node.rest if isinstance(node, ast.MatchMapping) else node.name
        if name:
            self.bind(name, Binding("other", node))
        self.push_children(node)

    def delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if not isinstance(target, ast.Name):  # a deleted name stays what it was before
                self.stack.append(target)

    def outer_names(self, node: ast.Global | ast.Nonlocal) -> None:
        kind = "global" if isinstance(node, ast.Global) else "nonlocal"
        self.facts.outer.update(dict.fromkeys(node.names, kind))

    def call(self, node: ast.Call) -> None:
        self.facts.calls.append(node)
        self.push_children(node)

    def await_(self, node: ast.Await) -> None:
        self.facts.awaits.append(node)
        self.stack.append(node.value)

    def expression(self, node: ast.Expr) -> None:
        self.facts.expressions.append(node)
        self.stack.append(node.value)

    def return_(self, node: ast.Return) -> None:
        self.facts.returns.append(node)
        if node.value is not None:
            self.stack.append(node.value)

    def yield_(self, node: ast.Yield | ast.YieldFrom) -> None:
        self.facts.yields.append(node)
        if node.value is not None:
            self.stack.append(node.value)

    def if_(self, node: ast.If) -> None:
        truth = version_test(node.test, self.scope.outline.version) if self.scope.outline.is_stub else None
        if truth is None:
            self.stack.append(node.test)
        parts = [] if truth is False else node.body
        self.stack.extend(reversed([*parts, *([] if truth else node.orelse)]))


_HANDLERS = {
    ast.FunctionDef: _Walk.definition,
    ast.AsyncFunctionDef: _Walk.definition,
    ast.ClassDef: _Walk.definition,
    ast.Lambda: _Walk.lambda_,
    ast.Import: _Walk.import_,
    ast.ImportFrom: _Walk.import_from,
    ast.Assign: _Walk.assign,
    ast.AnnAssign: _Walk.annotated_assign,
    ast.AugAssign: _Walk.augmented_assign,
    ast.NamedExpr: _Walk.walrus,
    ast.For: _Walk.for_,
    ast.AsyncFor: _Walk.for_,
    ast.comprehension: _Walk.for_,
    ast.With: _Walk.with_,
    ast.AsyncWith: _Walk.with_,
    ast.ExceptHandler: _Walk.except_,
    ast.MatchAs: _Walk.match_name,
    ast.MatchStar: _Walk.match_name,
    ast.MatchMapping: _Walk.match_name,
    ast.Delete: _Walk.delete,
    ast.Global: _Walk.outer_names,
    ast.Nonlocal: _Walk.outer_names,
    ast.Call: _Walk.call,
    ast.Await: _Walk.await_,
    ast.Expr: _Walk.expression,
    ast.Return: _Walk.return_,
    ast.Yield: _Walk.yield_,
    ast.YieldFrom: _Walk.yield_,
    ast.If: _Walk.if_,
}

_COMPARE = {
    ast.GtE: lambda a, b: a >= b,
    ast.Gt: lambda a, b: a > b,
    ast.LtE: lambda a, b: a <= b,
    ast.Lt: lambda a, b: a < b,
}


def version_test(test: ast.expr, version: tuple[int, int]) -> bool | None:
    """Truth of ``sys.version_info >= (3, 12)`` and of ``and``/``or`` of such; None where it is something else."""
    if isinstance(test, ast.BoolOp):
        parts = [version_test(value, version) for value in test.values]
        if isinstance(test.op, ast.And):
            return False if False in parts else (None if None in parts else True)
        return True if True in parts else (None if None in parts else False)
    if not (isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.left, ast.Attribute)):
        return None
    bound = test.comparators[0]
    if test.left.attr != "version_info" or not isinstance(bound, ast.Tuple):
        return None
    numbers = tuple(e.value for e in bound.elts if isinstance(e, ast.Constant))
    compare = _COMPARE.get(type(test.ops[0]))
    return compare(version, numbers) if compare is not None else None
