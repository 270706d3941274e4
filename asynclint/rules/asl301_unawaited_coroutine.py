"""ASL301 unawaited-coroutine: a coroutine function is called and the coroutine dropped.

Calling a coroutine function runs none of its body; only ``await`` does. A bare call is a line of
the test that does nothing at all: the assertion in it never fails, the set-up never happens, and
under ``pytest.raises`` the expected exception can never come. This rule reports a bare call whose
function is known to be a coroutine function: defined in the file, a method found through its
classes, imported from the project or the standard library, or called on an object whose class is
known. What can't be resolved is left alone.

Why it matters: Python's only sign is a RuntimeWarning at some later garbage collection, which
fails no test.

Bad::

    class Client:
        async def send(self, message):
            await self.transport.write(message)


    async def test_send():
        client = Client()
        client.send("ping")

Good::

    class Client:
        async def send(self, message):
            await self.transport.write(message)


    async def test_send():
        client = Client()
        await client.send("ping")

Fix: unsafe. Awaits the call, where that is legal: what never ran then runs for the first time.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.finding import Edit, Finding, Fix, Safety, Span
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    import libcst as cst

    from asynclint.project.project import Project
    from asynclint.source.function import Function
    from asynclint.source.outline import Scope as Unit

rule = Rule("ASL301", "unawaited-coroutine", Scope.FUNCTION, fix=Safety.UNSAFE)

# Blocks in which a test lets a coroutine go on purpose: it wants the warning, or the TypeError of
# a call with wrong arguments, which comes before anything is awaited.
ON_PURPOSE = frozenset({"warns", "catch_warnings", "assertWarns", "assertWarnsRegex", "deprecated_call"})
RAISES = frozenset({"raises", "assertRaises", "assertRaisesRegex"})


@rule.trigger
def trigger(unit: Unit, project: Project) -> bool:
    """A bare call of something known to be a coroutine function."""
    return any(
        _drops_coroutine(statement, scope, project)
        for scope in unit.nested()
        for statement in scope.facts.expressions
    )


def _drops_coroutine(statement: ast.Expr, scope: Unit, project: Project) -> bool:
    call = statement.value
    if not isinstance(call, ast.Call) or not isinstance(call.func, (ast.Name, ast.Attribute)):
        return False
    inference = project.inference
    value = inference.value(call, scope)
    return inference.is_coroutine(value) and not _is_replaced(call.func, scope, project)


def _is_replaced(func: ast.expr, scope: Unit, project: Project) -> bool:
    """Whether the tests put something else in the place of a name: it may be a plain mock by then."""
    from asynclint.project.guards.replaced import is_replaced

    return is_replaced(func, scope, project)


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """Each dropped coroutine at its call."""
    import libcst as cst

    for node in function.nodes:
        if not isinstance(node, cst.Expr):
            continue
        statement = function.ast_of(node)
        scope = function.scope_of(node)
        assert isinstance(statement, ast.Expr)
        if not _drops_coroutine(statement, scope, project) or _is_on_purpose(function, node, project):
            continue
        call = statement.value
        assert isinstance(call, ast.Call)
        span = function.text.span(call)
        fix, held_back = None, ""
        if scope.is_async:
            fix = Fix("await the coroutine", (Edit(Span(span.start, span.start), "await "),), Safety.UNSAFE)
        else:
            held_back = f"{scope.name or 'the module'} is not async, so it cannot await"
        message = f"coroutine {ast.unparse(call.func)}(…) is never awaited, so this line does nothing"
        yield Finding("", span, rule.code, message, fix, held_back)


def _is_on_purpose(function: Function, node: cst.CSTNode, project: Project) -> bool:
    """Whether a test wants the warning of a dropped coroutine, or the TypeError of a wrong call."""
    import libcst as cst

    unit = function.scope
    wants = " ".join(ast.unparse(decorator) for decorator in unit.decorators)
    if "never awaited" in wants or "RuntimeWarning" in wants or "recwarn" in {a.arg for a in unit.parameters}:
        return True
    for outer in function.parents(node):
        if isinstance(outer, cst.Try) and any(_may_catch_type_error(function, h) for h in outer.handlers):
            return True
        if isinstance(outer, cst.With):
            statement = function.ast_of(outer)
            assert isinstance(statement, (ast.With, ast.AsyncWith))
            scope = function.scope_of(outer)
            if any(_expects(item.context_expr, scope, project) for item in statement.items):
                return True
    return False


def _may_catch_type_error(function: Function, handler: cst.ExceptHandler) -> bool:
    return handler.type is not None and "TypeError" in function.module.code_for_node(handler.type)


def _expects(expr: ast.expr, scope: Unit, project: Project) -> bool:
    """A block whose point is a warning, or an exception that may be the TypeError of a wrong call."""
    if not isinstance(expr, ast.Call):
        return False
    name = expr.func.attr if isinstance(expr.func, ast.Attribute) else getattr(expr.func, "id", "")
    if name in ON_PURPOSE:
        return True
    if name in RAISES:
        return any(_may_be_type_error(argument, scope) for argument in expr.args[:1])
    value = project.inference.value(expr.func, scope)
    maker = getattr(value, "scope", None)
    if maker is None or maker.outline.is_stub:
        return False
    calls = [call.func for inner in maker.nested() for call in inner.facts.calls]
    called = {func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "") for func in calls}
    return bool(called & (RAISES | ON_PURPOSE))


def _may_be_type_error(expected: ast.expr, scope: Unit) -> bool:
    names = {node.id for node in ast.walk(expected) if isinstance(node, ast.Name)}
    found = [scope.lookup(name) for name in names]
    is_parameter = any(f is not None and f[1][0].kind in ("param", "for", "unpack") for f in found)
    return is_parameter or "TypeError" in names
