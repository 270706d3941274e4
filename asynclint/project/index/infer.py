"""What an expression is, across files, without running or importing anything.

Every binding of a name must agree, or the name is unknown; every base class up to the one that
defines a method must be known, or the method is unknown. Unknown is None.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Sequence
from typing import Any

from asynclint.project.index import awaitables, generics, mocks, narrowing, results, stars
from asynclint.project.index.annotations import annotated, subscribed
from asynclint.project.index.classes import ancestors, is_dynamic, is_overridden, maker_of, makes_its_own
from asynclint.project.index.decorators import defined
from asynclint.project.index.evidence import looks_mocked
from asynclint.project.index.memo import UNKNOWN, Memo
from asynclint.project.index.modules import Modules
from asynclint.project.index.values import (
    Builtin,
    Callback,
    Calling,
    Class,
    Function,
    Instance,
    Items,
    Mocked,
    Module,
    Pending,
    Result,
    Super,
    Value,
    agreed,
)
from asynclint.source.outline import Binding, Outline, Scope


class Inference(Memo):
    """Answers what expressions are; remembers every answer.

    ``parameter`` tells what a parameter without an annotation is, by its name and its function.
    """

    def __init__(self, modules: Modules, parameter: Callable[[str, Scope], Value | None]) -> None:
        self.modules = modules
        self._filled = parameter
        super().__init__()
        self.dynamic: dict[Scope, bool] = {}  # what asynclint.project.index.classes has worked out
        self.awaitable: dict[Scope, bool | None] = {}  # and asynclint.project.index.awaitables
        self._attributes: dict[Scope, dict[str, list[tuple[ast.expr | None, Scope]]]] = {}
        self.heirs: dict[Outline, dict[str, list[Scope]]] = {}  # and asynclint.project.index.classes
        self._parsed: dict[str, ast.expr | None] = {}

    def memories(self) -> Sequence[dict[Any, Any]]:
        """All that has been worked out, by question."""
        return self.known, self.dynamic, self.awaitable, self._attributes, self.heirs

    def value(self, expr: ast.AST | None, scope: Scope) -> Value | None:
        """What an expression evaluates to, as seen from a scope."""
        kind = expr.__class__
        if kind is ast.Name:  # what is behind names and attributes is remembered by name
            return self.name(expr.id, scope)  # type: ignore[union-attr]
        if kind is ast.Attribute:
            return self.attribute(self.value(expr.value, scope), expr.attr)  # type: ignore[union-attr]
        return self.once((expr, scope), self._value, expr, scope) if expr is not None else None

    def _value(self, expr: ast.AST, scope: Scope) -> Value | None:
        match expr:
            case ast.Call():
                return self._called(expr, scope)
            case ast.Await(value=inner):
                found = self.awaited(self.value(inner, scope))
                return found if found is not None else generics.solved(inner, scope, self, Calling.COROUTINE)
            case ast.Subscript():
                return subscribed(expr, scope, self)
            case ast.NamedExpr():
                return self.value(expr.value, scope)
            case ast.IfExp():
                return agreed([self.value(expr.body, scope), self.value(expr.orelse, scope)])
            case ast.BinOp(left, ast.Div()):  # anyio.Path(directory) / "name"
                joined = self.attribute(self.value(left, scope), "__truediv__")
                return self.result(joined) if isinstance(joined, Function) else None
            case ast.Constant():
                return Builtin(type(expr.value).__name__)
            case ast.JoinedStr():
                return Builtin("str")
            case ast.List() | ast.ListComp():
                return Builtin("list")
            case ast.Dict() | ast.DictComp():
                return Builtin("dict")
            case ast.Set() | ast.SetComp():
                return Builtin("set")
            case ast.Tuple(elts) if not any(isinstance(part, ast.Starred) for part in elts):
                return Items(tuple(self.value(part, scope) for part in elts))
        return None

    # -- names

    def name(self, name: str, scope: Scope) -> Value | None:
        """What a bare name is."""
        seen = (name, scope)
        known: Value | None = self.known.get(seen, UNKNOWN) if scope.parent is not None else UNKNOWN
        if known is not UNKNOWN:
            return known
        found = scope.lookup(name)
        if found is None:
            return self._starred(name, scope.outline)
        owner, bindings = found
        value = self._bound(name, bindings, owner)
        if owner.parent is None and owner.outline.scope.facts.stars:
            return agreed([value, *stars.bound_over(name, bindings, owner.outline, self)])
        if (name, owner) in self.known:
            self.known[seen] = value
        return value

    def _bound(self, name: str, bindings: list[Binding], scope: Scope) -> Value | None:
        return self.once((name, scope), self._of_bindings, name, bindings, scope)

    def _of_bindings(self, name: str, bindings: list[Binding], scope: Scope) -> Value | None:
        if len(bindings) == 1:
            return self._of_binding_or_assert(name, bindings[0], scope)
        if all(binding.kind == "def" for binding in bindings):
            functions = [self._defined(binding, scope) for binding in bindings]
            kinds = {f.calling for f in functions if isinstance(f, Function)}
            # overloads, or one definition for each branch of an if: the kind is what counts
            return functions[-1] if None not in functions and len(kinds) == 1 else None
        return agreed([self._of_binding_or_assert(name, binding, scope) for binding in bindings])

    def _of_binding_or_assert(self, name: str, binding: Binding, scope: Scope) -> Value | None:
        value = self._of_binding(name, binding, scope)
        cls = narrowing.asserted_class(name, binding, scope) if value is None else None
        return value if cls is None else self.annotated(cls, scope)

    def _of_binding(self, name: str, binding: Binding, scope: Scope) -> Value | None:
        match binding.kind:
            case "def":
                return self._defined(binding, scope)
            case "class":
                child = scope.child(binding.node)
                return Class(child) if child is not None else None
            case "import":
                module = self.modules.find(binding.module, 0, scope.outline)
                return Module(module) if module is not None else None
            case "from":
                return self._imported(binding, scope.outline)
            case "param":
                return self._parameter(name, binding, scope)
            case "assign":
                if looks_mocked(binding.value):
                    return self._mocked(binding.value, scope)
                value = self.value(binding.value, scope)
                if binding.annotation is not None and not isinstance(value, Instance):
                    return self.annotated(binding.annotation, scope)
                return value
            case "unpack":
                return results.unpacked(name, binding, scope, self)
            case "with":
                value = self.value(binding.value, scope)
                found = self.entered(value, "__enter__", Calling.CONTEXT)
                return found if found is not None else mocks.patched(binding.value, scope, self)
            case "async with":
                return self.entered(self.value(binding.value, scope), "__aenter__", Calling.ASYNC_CONTEXT)
        return None

    def _imported(self, binding: Binding, origin: Outline) -> Value | None:
        module = self.modules.find(binding.module, binding.level, origin)
        # ``from . import member`` in a package's own __init__ means the submodule
        inner = self.modules.member(origin, binding.member) if module is origin else None
        if module is not None:
            return Module(inner) if inner is not None else self.attribute(Module(module), binding.member)
        if binding.level or not binding.module:
            return None
        # a namespace package has no file of its own
        inner = self.modules.find(f"{binding.module}.{binding.member}", 0, origin)
        return Module(inner) if inner is not None else None

    def _starred(self, name: str, outline: Outline) -> Value | None:
        return self.once((name, outline), stars.free_name, name, outline, self)

    def _parameter(self, name: str, binding: Binding, scope: Scope) -> Value | None:
        owner = scope.enclosing_class
        parameters = scope.parameters
        if owner is not None and parameters and parameters[0].arg == name and binding.annotation is None:
            decorators = {d.id for d in scope.decorators if isinstance(d, ast.Name)}
            if "staticmethod" in decorators:
                return None
            if "classmethod" in decorators:
                return Class(owner, open=True)
            return Instance(Class(owner), open=True)
        if binding.annotation is None:
            return self._filled(name, scope)
        outside = scope.parent if scope.parent is not None else scope
        found = self.annotated(binding.annotation, outside)
        return found if found is not None else self._filled(name, scope)

    def _mocked(self, made: ast.expr | None, scope: Scope) -> Value | None:
        return mocks.made(made, scope, self) if isinstance(made, ast.Call) else None

    # -- definitions

    def _defined(self, binding: Binding, scope: Scope) -> Function | None:
        child = scope.child(binding.node)
        if child is None:
            return None
        return defined(child, self)

    # -- attributes

    def attribute(self, value: Value | None, name: str) -> Value | None:
        """What ``value.name`` is."""
        match value:
            case Module(outline):
                found: Value | None
                if (name, outline.scope) in self.known:
                    found = self.known[name, outline.scope]
                    return found
                bindings = outline.scope.bindings.get(name)
                if bindings is not None:
                    return self._bound(name, bindings, outline.scope)
                found = self.once((name, outline, "member"), stars.member, name, outline, self)
                if found is not None:
                    return found
                inner = self.modules.member(outline, name)
                return Module(inner) if inner is not None else None
            case Instance() | Class():
                cls = value if isinstance(value, Class) else value.cls
                if value.argument is not None:  # the question below does not hold it
                    return self.member(cls, name, value)
                return self.once(
                    (cls.scope, name, value is cls, value.open, cls.open), self.member, cls, name, value
                )
            case Super(cls):
                return self.member(cls, name, Instance(cls), behind=True)
            case Mocked():
                return mocks.attribute(value, name, self)
        return None

    def member(
        self, cls: Class, name: str, receiver: Instance | Class, *, behind: bool = False
    ) -> Value | None:
        """An attribute through the class and its bases; None if an unknown base could define it first.

        ``behind`` leaves out the class itself, as ``super()`` does.
        """
        for ancestor in ancestors(cls, self):
            if ancestor is None or is_dynamic(ancestor, self):
                return None
            if behind and ancestor == cls:
                continue
            if receiver.open and not behind and ancestor == cls and is_overridden(cls, name, self):
                return None
            if name in self.instance_attributes(ancestor):
                return self._instance_attribute(ancestor, name)
            bindings = ancestor.scope.bindings.get(name)
            if bindings is not None:
                return self._bind(self._bound(name, bindings, ancestor.scope), receiver)
        return None

    def defines(self, cls: Class, name: str) -> bool:
        """Whether a class itself, or one of its methods on ``self``, binds an attribute."""
        return name in cls.scope.bindings or name in self.instance_attributes(cls)

    def _bind(self, value: Value | None, receiver: Instance | Class) -> Value | None:
        if not isinstance(value, Function):
            return value
        function = Function(value.scope, value.calling, receiver)
        if value.calling is Calling.PROPERTY:
            return self.returned(function) if isinstance(receiver, Instance) else None
        return function

    def instance_attributes(self, cls: Class) -> dict[str, list[tuple[ast.expr | None, Scope]]]:
        """``self.x = value`` in the methods of a class."""
        if cls.scope not in self._attributes:
            self._attributes[cls.scope] = self._assigned_attributes(cls)
        return self._attributes[cls.scope]

    def _assigned_attributes(self, cls: Class) -> dict[str, list[tuple[ast.expr | None, Scope]]]:
        found: dict[str, list[tuple[ast.expr | None, Scope]]] = {}
        for method in cls.scope.facts.scopes:
            if not method.is_function or not method.parameters:
                continue
            first = method.parameters[0].arg
            for target, value in method.facts.attributes:
                if isinstance(target.value, ast.Name) and target.value.id == first:
                    found.setdefault(target.attr, []).append((value, method))
        return found

    def _instance_attribute(self, cls: Class, name: str) -> Value | None:
        if any(looks_mocked(value) for value, _ in self.instance_attributes(cls)[name]):
            return agreed([self._mocked(v, method) for v, method in self.instance_attributes(cls)[name]])
        declared = cls.scope.bindings.get(name)
        if declared is not None:
            annotations = [b.annotation for b in declared if b.annotation is not None]
            found = self.annotated(annotations[0], cls.scope) if annotations else None
            assigned = [self.value(value, method) for value, method in self.instance_attributes(cls)[name]]
            return None if any(isinstance(v, Instance) and v != found for v in assigned) else found
        sources = self.instance_attributes(cls)[name]
        return agreed([self.value(value, method) for value, method in sources])

    # -- calls

    def _called(self, call: ast.Call, scope: Scope) -> Value | None:
        if isinstance(call.func, ast.Name) and call.func.id == "super" and scope.lookup("super") is None:
            owner = scope.enclosing_class
            return Super(Class(owner)) if owner is not None and not call.args else None
        value = self.value(call.func, scope)
        made = self.result(value)
        if made is not None:
            return awaitables.wrapping(made, call, scope, self)
        if isinstance(value, Function):
            return generics.solved(call, scope, self)
        return awaitables.stepped(call, scope, self)

    def result(self, value: Value | None) -> Value | None:
        """What calling a value gives."""
        match value:
            case Class(_, _, argument):
                maker = maker_of(value, self)
                says_itself = maker is None or makes_its_own(maker)
                return Instance(value, value.open or maker is not None, argument) if says_itself else None
            case Instance():
                called = self.attribute(value, "__call__")
                return self.result(called) if isinstance(called, Function) else None
            case Callback(gives):
                return gives
            case Mocked(None):
                return Pending(None, lazy=True)
            case Function(_, Calling.SYNC):
                return results.given(value, self)
            case Function():
                return Result(value)
            case Builtin(name) if isinstance(getattr(builtins, name, None), type):
                return value
        return None

    def is_coroutine(self, value: Value | None) -> bool:
        """Whether a value is a coroutine that nobody has awaited yet, or an object that stands for one."""
        found = self.pending(value)
        return found is not None and found.lazy

    def pending(self, value: Value | None) -> Pending | None:
        """A value as something to await; None where it is not, as far as is known."""
        return awaitables.pending(value, self)

    def awaited(self, value: Value | None) -> Value | None:
        """What awaiting a value gives."""
        found = self.pending(value)
        if found is None and isinstance(value, Instance):  # a future
            return awaitables.given(value, "__await__", self)
        return found.result if found is not None else None

    def entered(self, value: Value | None, method: str, context: Calling) -> Value | None:
        """What ``with value as x`` binds."""
        if isinstance(value, Result) and value.function.calling is context:
            return results.yielded(value.function, self)
        if isinstance(value, Result) and value.function.calling is Calling.WRAPPED:
            return self.returned(value.function) if context is Calling.ASYNC_CONTEXT else None
        if not isinstance(value, Instance):
            return None
        return awaitables.given(value, method, self)

    def returned(self, function: Function) -> Value | None:
        """What a function returns (once awaited, for a coroutine function)."""
        return results.returned(function, self)

    def annotated(
        self, annotation: ast.expr, scope: Scope, receiver: Instance | Class | None = None
    ) -> Value | None:
        """An object of the annotated type (PEP 484), where that is one class (or None)."""
        return annotated(annotation, scope, receiver, self)

    def quoted(self, text: str) -> ast.expr | None:
        """The expression of a quoted annotation; kept, because answers are remembered by identity."""
        if text not in self._parsed:
            try:
                self._parsed[text] = ast.parse(text, mode="eval").body
            except (SyntaxError, ValueError):
                self._parsed[text] = None
        return self._parsed[text]
