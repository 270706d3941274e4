"""What becomes of a coroutine that is not awaited where it is made."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import libcst as cst

from asynclint.finding import Edit, Fix, Position, Safety, Span
from asynclint.flow.fates import Event, Fate, Fates, Step, written_name
from asynclint.flow.purpose import is_on_purpose, is_tried
from asynclint.flow.trace import Trace, Tracer
from asynclint.knowledge.asyncs import ASKING, DRIVING, UNITTEST_ASSERTIONS, VALUE_CALLS
from asynclint.project.coroutines import Evidence, has_of_its_own, loose
from asynclint.project.index.values import Function as Method
from asynclint.project.index.witnesses import OF_CLASS, asks_for_another_class
from asynclint.project.project import Project
from asynclint.source.function import Function
from asynclint.source.nodes import end_of, start_of
from asynclint.source.outline import Scope

# Assertions whose point may be that something is a coroutine.
OF_IDENTITY = frozenset({"assertIs", "assertIsNot", "assertNotIsInstance"})
FUTURE_METHODS = frozenset({"result", "exception", "done", "cancel", "cancelled", "add_done_callback"})
LOOPS = (ast.For, ast.AsyncFor)
VALUES = (
    cst.Assert,
    cst.BinaryOperation,
    cst.Comparison,
    cst.ComparisonTarget,
    cst.FormattedStringExpression,
    cst.If,
    cst.UnaryOperation,
    cst.While,
)


class CoroutineFates(Fates):
    """Coroutines can be awaited, driven, closed or handed on; what else is done with one is a mistake."""

    def of(self, node: cst.CSTNode, *, many: bool = False, shielded: bool = False) -> Iterator[Step]:
        """What becomes of the coroutine that ``node`` evaluates to."""
        used = not many and self._is_used(node, self._function.parent(node))
        yield from [Event(Fate.USED, node)] if used else super().of(node, many=many, shielded=shielded)

    def _is_used(self, node: cst.CSTNode, parent: cst.CSTNode | None) -> bool:
        match parent:
            case cst.Comparison() | cst.ComparisonTarget():
                return not (isinstance(node, cst.Name) and self._compares_identity(parent))
            case cst.IfExp():
                return parent.test is node
            case cst.Subscript():
                return parent.value is node
            case cst.For() | cst.CompFor():
                return parent.iter is node and parent.asynchronous is None
            case cst.Arg():
                return self._is_used_by_call(node, parent)
        return isinstance(parent, VALUES)

    def _compares_identity(self, comparison: cst.CSTNode) -> bool:
        """``coro is other``, ``coro is not None``."""
        if isinstance(comparison, cst.ComparisonTarget):
            return isinstance(comparison.operator, (cst.Is, cst.IsNot))
        assert isinstance(comparison, cst.Comparison)
        return isinstance(comparison.comparisons[0].operator, (cst.Is, cst.IsNot))

    def _is_used_by_call(self, node: cst.CSTNode, arg: cst.Arg) -> bool:
        call = self._function.parent(arg)
        if not isinstance(call, cst.Call):
            return False
        name = written_name(call)
        if name in OF_CLASS:
            twin = self._function.ast_of(call)
            return isinstance(twin, ast.Call) and asks_for_another_class(twin) and not self._is_own(call)
        if isinstance(call.func, cst.Attribute):
            return name in UNITTEST_ASSERTIONS and name not in OF_IDENTITY and not self._is_own(call)
        if self._scope(call).lookup(name) is not None:
            return False
        return name in VALUE_CALLS or (name in ASKING and not isinstance(node, cst.Name)) or arg.star == "*"

    def _is_own(self, call: cst.Call) -> bool:
        """Whether an assertion is a method of the project, which may await what it is given."""
        func = self._function.ast_of(call).func  # type: ignore[attr-defined]
        value = self._project.inference.value(func, self._scope(call))
        return isinstance(value, Method) and not value.scope.outline.is_stub

    def _argument(self, node: cst.CSTNode, arg: cst.Arg, **_: bool) -> Iterator[Step]:
        """Whoever is given a coroutine may await it; only functions of the project are seen not to."""
        call = self._function.parent(arg)
        if not isinstance(call, cst.Call):
            yield Event(Fate.HANDED, node)
        elif written_name(call) in ASKING and self._scope(call).lookup(written_name(call)) is None:
            yield Event(Fate.LOOKED, node)
        else:
            yield from self._given(node, arg, call)

    def _attribute(self, attribute: cst.Attribute, *, many: bool) -> Iterator[Step]:
        name = attribute.attr.value
        if many:
            yield from super()._attribute(attribute, many=many)
        elif name in DRIVING:
            yield Event(Fate.FINISHED, attribute)
        else:
            inspects = name.startswith(("cr_", "gi_", "__"))
            yield Event(Fate.LOOKED if inspects else Fate.USED, attribute)


HARMLESS = frozenset({Fate.BORN, Fate.LOOKED, Fate.CHECKED, Fate.LOST, Fate.USED})


class Coroutine(NamedTuple):
    """One coroutine that is not awaited where it is made, and what becomes of it."""

    call: ast.Call
    scope: Scope
    trace: Trace
    evidence: Evidence

    def is_lost(self, function: Function) -> bool:
        """Whether nothing awaits it, ends it or takes it over, or something fails with any coroutine."""
        fates = self.trace.fates()
        if self._is_misused(function):
            if not any(self._rebinds(node, function) for node in self.trace.nodes(Fate.HANDED)):
                fates -= {Fate.HANDED}
            if all(_is_awaited_close(node, function) for node in self.trace.nodes(Fate.FINISHED)):
                fates -= {Fate.FINISHED}
        return fates <= HARMLESS and not self.trace.attributes

    def _rebinds(self, handed: cst.CSTNode, function: Function) -> bool:
        """``job = await in_time(job)``: from there on the name is of the result."""
        for outer in function.parents(handed):
            if isinstance(outer, (cst.Assign, cst.AnnAssign, cst.NamedExpr)):
                names = [n for n in ast.walk(function.ast_of(outer)) if isinstance(n, ast.Name)]
                bound = {name.id for name in names if isinstance(name.ctx, ast.Store)}
                own = handed.value if isinstance(handed, cst.Name) else ""
                return not bound.isdisjoint([own, *self.trace.names])
            if isinstance(outer, (cst.BaseSmallStatement, cst.BaseCompoundStatement)):
                return False
        return False

    def _is_misused(self, function: Function) -> bool:
        """Whether it is used where it is made, or an attribute is read, or it is taken for data."""
        made = function.text.span(self.call).start
        used = [
            node
            for node in self.trace.nodes(Fate.USED)
            if _place(node, function, made) >= made and not self._is_another(node, function)
        ]
        return any(
            isinstance(node, cst.Attribute)
            or not (self.trace.names or isinstance(node, cst.Name))
            or isinstance(function.parent(node), cst.Subscript)
            or _is_compared_with_literal(function.parent(node))
            for node in used
        )

    def _is_another(self, used: cst.CSTNode, function: Function) -> bool:
        """``for job in done: job.exception()``, where ``job`` was the coroutine before: these are tasks."""
        name = used.value if isinstance(used, cst.Attribute) else used
        for outer in function.parents(used):
            loop = function.ast_of(outer) if isinstance(outer, cst.For) else None
            if isinstance(loop, LOOPS) and getattr(loop.target, "id", None) == getattr(name, "value", ""):
                given = {part.id for part in ast.walk(loop.iter) if isinstance(part, ast.Name)}
                made = start_of(loop) <= start_of(self.call) <= end_of(loop)
                return not made and given.isdisjoint(self.trace.names)
        return False


def coroutines(function: Function, project: Project) -> Sequence[Coroutine]:
    """The coroutines that a function makes and lets go, in source order; those on purpose left out."""
    return function.once("coroutines", lambda: list(_coroutines(function, project)))


def _coroutines(function: Function, project: Project) -> Iterator[Coroutine]:
    tracer = Tracer(function, project, CoroutineFates)
    for scope in function.scope.nested():
        for call, evidence in loose(scope, project) if scope.is_function else ():
            birth = function.cst_of(call)
            assert isinstance(birth, cst.Call)
            found = Coroutine(call, scope, tracer.call(birth, scope), evidence)
            if not found.is_lost(function) or (evidence is Evidence.USE and _may_be_more(found, function)):
                continue
            if _has_of_its_own(found, project):
                continue
            uses = found.trace.nodes(Fate.USED)
            if uses and all(is_tried(function, function.ast_round(node)) for node in uses):
                continue
            if not is_on_purpose(function, call, project, used=bool(uses)):
                yield found


def _may_be_more(coroutine: Coroutine, function: Function) -> bool:
    """``queue.get().result()``, ``query.sql()``: what is awaited elsewhere may have methods of its own.

    Not where the module reads the attribute of that name elsewhere too, as one does of a result.
    """
    used = [node for node in coroutine.trace.nodes(Fate.USED) if isinstance(node, cst.Attribute)]
    text = coroutine.scope.outline.text.text
    for node in used:
        name = node.attr.value
        owner = node.value.value if isinstance(node.value, cst.Name) else ""
        seen = len(re.findall(rf"\b{owner}\.{name}\b", text)) if owner else 0
        if name in FUTURE_METHODS or seen <= 1 or "raises" in _given_to(node, function).lower():  # 1: itself
            return True
    return False


def _given_to(node: cst.CSTNode, function: Function) -> str:
    """``assert_raises`` for ``job.begin`` in ``assert_raises(NotYet, job.begin)``; empty for no argument."""
    arg = function.parent(node)
    call = function.parent(arg) if isinstance(arg, cst.Arg) else None
    return written_name(call) if isinstance(call, cst.Call) else ""


def _place(node: cst.CSTNode, function: Function, otherwise: Position) -> Position:
    """Where a name or a call begins, or the one whose attribute or item is read."""
    while isinstance(node, (cst.Attribute, cst.Subscript)):
        node = node.value
    return function.span(node).start if isinstance(node, (cst.Name, cst.Call)) else otherwise


def _is_compared_with_literal(comparison: cst.CSTNode | None) -> bool:
    if not isinstance(comparison, cst.Comparison) or len(comparison.comparisons) != 1:
        return False
    literals = (cst.SimpleString, cst.Integer, cst.Float, cst.List, cst.Tuple, cst.Dict, cst.Set)
    return isinstance(comparison.comparisons[0].comparator, literals)


def _is_awaited_close(node: cst.CSTNode, function: Function) -> bool:
    """``await response.close()``: a coroutine's own gives nothing to await."""
    call = function.parent(node)
    is_close = isinstance(node, cst.Attribute) and node.attr.value == "close"
    return is_close and isinstance(call, cst.Call) and isinstance(function.parent(call), cst.Await)


def _has_of_its_own(coroutine: Coroutine, project: Project) -> bool:
    """Whether an attribute that is read is one of the object that stands for the coroutine."""
    used = [node for node in coroutine.trace.nodes(Fate.USED) if isinstance(node, cst.Attribute)]
    return any(has_of_its_own(coroutine.call, node.attr.value, coroutine.scope, project) for node in used)


def await_fix(function: Function, call: ast.Call, scope: Scope) -> tuple[Fix | None, str]:
    """``await`` in front of a call in ``scope``, or why that can't be."""
    node = function.cst_of(call)
    if not scope.is_async:
        return None, f"{scope.name} is not async, so it cannot await"
    for outer in function.parents(node):
        if isinstance(outer, cst.GeneratorExp):
            return None, "it stands in a generator expression, which an await would make asynchronous"
        if isinstance(outer, cst.BaseSmallStatement):
            break
    span, parent = function.text.span(call), function.parent(node)
    edits = [Edit(Span(span.start, span.start), "await ")]
    if isinstance(parent, (cst.Attribute, cst.Subscript)) and parent.value is node and not node.lpar:
        edits = [Edit(Span(span.start, span.start), "(await "), Edit(Span(span.end, span.end), ")")]
    return Fix("await the coroutine", tuple(edits), Safety.UNSAFE), ""
