"""The pass over one scope's own body that collects its facts."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Sequence
from typing import Any

from asynclint.source.outline import Binding, Facts, FunctionNode, Scope

_EXPRESSION_CONTEXTS = {"ctx", "type_comment", "kind", "op", "ops", "name", "attr", "id", "arg", "lineno"}
_LEAVES = frozenset({ast.Name, ast.Constant, str, int, bool, type(None)})  # some fields hold no nodes
_KEPT = frozenset({ast.Call, ast.Await})
_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}
_LAST_FIRST: dict[type[ast.AST], tuple[str, ...]] = {}


def child_fields(kind: type[ast.AST]) -> tuple[str, ...]:
    """Fields of an ast class that can hold nodes worth walking."""
    fields = _FIELDS.get(kind)
    if fields is None:
        fields = _FIELDS[kind] = tuple(f for f in kind._fields if f not in _EXPRESSION_CONTEXTS)
    return fields


def _last_first(kind: type[ast.AST]) -> tuple[str, ...]:
    """The same fields as a stack takes them."""
    fields = _LAST_FIRST.get(kind)
    if fields is None:
        fields = _LAST_FIRST[kind] = child_fields(kind)[::-1]
    return fields


class Walk:
    """The pass over one scope's own body; one handler a node class, the others only pass through."""

    def __init__(self, scope: Scope, facts: Facts | None = None) -> None:
        self.scope = scope
        self.facts = Facts() if facts is None else facts
        self.stack: list[ast.AST] = []

    def run(self) -> Facts:
        """Walk the body once."""
        root = self.scope.node
        for arg in self.scope.parameters:
            self.bind(arg.arg, Binding("param", arg, annotation=arg.annotation))
        return self.over([root.body] if isinstance(root, ast.Lambda) else root.body)

    def over(self, nodes: Sequence[ast.AST]) -> Facts:
        """Walk statements of the body, or the expression of a lambda."""
        stack, handlers = self.stack, _HANDLERS
        stack.extend(reversed(nodes))
        while stack:
            node = stack.pop()
            kind: type[ast.AST] = node.__class__
            if kind in _LEAVES:
                continue
            handler = handlers.get(kind)
            if handler is not None:
                handler(self, node)
            else:
                self.push_children(node)
        return self.facts

    def push_children(self, node: ast.AST) -> None:
        stack = self.stack
        for name in _last_first(node.__class__):
            value = getattr(node, name, None)
            if value.__class__ is list:
                stack.extend(reversed(value))
            elif value is not None:
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

    def keep(self, value: ast.expr) -> None:
        if value.__class__ in _KEPT:
            self.facts.kept.append(value)
        self.stack.append(value)

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
        self.keep(node.value)

    def annotated_assign(self, node: ast.AnnAssign) -> None:
        self.bind_target(node.target, Binding("assign", node, node.value, annotation=node.annotation))
        if node.value is not None:
            self.keep(node.value)

    def augmented_assign(self, node: ast.AugAssign) -> None:
        self.bind_target(node.target, Binding("other", node))
        self.stack.append(node.value)

    def walrus(self, node: ast.NamedExpr) -> None:
        self.bind_target(node.target, Binding("assign", node, node.value))
        self.keep(node.value)

    def for_(self, node: ast.For | ast.AsyncFor | ast.comprehension) -> None:
        self.bind_target(node.target, Binding("for", node, node.iter))
        if isinstance(node, ast.AsyncFor) or (isinstance(node, ast.comprehension) and node.is_async):
            self.facts.async_fors.append(node)
        else:
            self.facts.fors.append(node)
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
        func = node.func
        if isinstance(func, ast.Attribute):
            self.facts.methods.setdefault(func.attr, []).append(node)
        elif isinstance(func, ast.Name):
            self.facts.functions.setdefault(func.id, []).append(node)
        self.stack += [*[keyword.value for keyword in reversed(node.keywords)], *reversed(node.args), func]

    def part(self, node: ast.Attribute | ast.Starred) -> None:
        self.stack.append(node.value)

    def await_(self, node: ast.Await) -> None:
        self.facts.awaits.append(node)
        self.stack.append(node.value)

    def expression(self, node: ast.Expr) -> None:
        self.facts.expressions.append(node)
        self.keep(node.value)

    def assert_(self, node: ast.Assert) -> None:
        self.facts.asserts.append(node)
        self.stack.extend([node.msg, node.test] if node.msg is not None else [node.test])

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


_HANDLERS: dict[type[ast.AST], Callable[[Walk, Any], None]] = {
    ast.FunctionDef: Walk.definition,
    ast.AsyncFunctionDef: Walk.definition,
    ast.ClassDef: Walk.definition,
    ast.Lambda: Walk.lambda_,
    ast.Import: Walk.import_,
    ast.ImportFrom: Walk.import_from,
    ast.Assign: Walk.assign,
    ast.AnnAssign: Walk.annotated_assign,
    ast.AugAssign: Walk.augmented_assign,
    ast.NamedExpr: Walk.walrus,
    ast.For: Walk.for_,
    ast.AsyncFor: Walk.for_,
    ast.comprehension: Walk.for_,
    ast.With: Walk.with_,
    ast.AsyncWith: Walk.with_,
    ast.ExceptHandler: Walk.except_,
    ast.MatchAs: Walk.match_name,
    ast.MatchStar: Walk.match_name,
    ast.MatchMapping: Walk.match_name,
    ast.Delete: Walk.delete,
    ast.Global: Walk.outer_names,
    ast.Nonlocal: Walk.outer_names,
    ast.Call: Walk.call,
    ast.Attribute: Walk.part,
    ast.Starred: Walk.part,
    ast.Await: Walk.await_,
    ast.Expr: Walk.expression,
    ast.Assert: Walk.assert_,
    ast.Return: Walk.return_,
    ast.Yield: Walk.yield_,
    ast.YieldFrom: Walk.yield_,
    ast.If: Walk.if_,
}

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.GtE: operator.ge,
    ast.Gt: operator.gt,
    ast.LtE: operator.le,
    ast.Lt: operator.lt,
}


def version_test(test: ast.expr, version: tuple[int, int]) -> bool | None:
    """Truth of ``sys.version_info >= (3, 12)`` and of ``and``/``or`` of such; None of anything else."""
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
