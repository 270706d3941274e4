"""ASL304 uncalled-mock-assert: an assertion of a mock that is not called, or not an assertion.

``mock.assert_awaited_once`` without its parentheses is an attribute that is read and dropped, and
``mock.awaited_once()`` is one more mock, which is true. This rule reports both: the assertions of
``unittest.mock`` as a statement or in an ``assert`` without a call, and calls of their names with
``assert_`` left out, where something says that the object is a mock.

Why it matters: the line can't fail. Python 3.12 and later raise AttributeError for the second form;
before, and for the first form still, the test passes whatever was awaited.

Bad::

    from unittest.mock import AsyncMock


    async def test_sends():
        client = AsyncMock()
        await client.send("ping")
        client.send.assert_awaited_once

Good::

    from unittest.mock import AsyncMock


    async def test_sends():
        client = AsyncMock()
        await client.send("ping")
        client.send.assert_awaited_once()

Fix: unsafe. Calls an assertion that takes no arguments, and writes ``assert_`` in front of a misspelt
one: it runs for the first time then, and may fail.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.finding import Edit, Finding, Fix, Position, Safety, Span
from asynclint.knowledge.mocks import ASSERTIONS, BARE_ASSERTIONS, MISSPELT
from asynclint.project.index.evidence import looks_mocked
from asynclint.project.index.values import Instance
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    from asynclint.project.project import Project
    from asynclint.source.function import Function
    from asynclint.source.outline import Scope as Unit

SPECS = ("spec", "spec_set", "unsafe")

rule = Rule("ASL304", "uncalled-mock-assert", Scope.FUNCTION, fix=Safety.UNSAFE)

MOCKS = re.compile(r"Mock$|autospec$")
NAMES = re.compile(rf"\.(?:{'|'.join(sorted(ASSERTIONS | MISSPELT))})\b")
UNCALLED = ASSERTIONS | MISSPELT


@rule.trigger
def trigger(unit: Unit, project: Project) -> bool:
    """An assertion of a mock that asserts nothing."""
    text = unit.outline.text
    named = project.remembered(("names assertions", unit.outline), lambda: bool(NAMES.search(text.text)))
    return named and any(True for _ in _idle(unit, project))


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """Each assertion that asserts nothing."""
    for statement, read in _idle(function.scope, project):
        misspelt = read.attr in MISSPELT
        if misspelt and _is_known_to_be(function, statement, read):
            continue
        what = "is no assertion of a mock, so it always passes" if misspelt else "is never called"
        message = f"{ast.unparse(read)} {what}: nothing is asserted"
        fix, held_back = (
            _fix(function, statement, read) if not misspelt else _respelt(function, statement, read)
        )
        yield Finding("", function.text.span(read), rule.code, message, fix, held_back)


def _is_known_to_be(function: Function, statement: ast.Expr | ast.Assert, read: ast.Attribute) -> bool:
    """Whether it is to raise (``with raises(AttributeError)``), or a mock with a spec has the attribute."""
    import libcst as cst

    for outer in function.parents(function.cst_of(statement)):
        if isinstance(outer, cst.With):
            entered = (function.module.code_for_node(item.item) for item in outer.items)
            if any("aises" in written and "AttributeError" in written for written in entered):
                return True
    scope = function.scope_of(function.cst_of(statement))
    found = scope.lookup(read.value.id) if isinstance(read.value, ast.Name) else None
    made = [binding.value for binding in found[1]] if found is not None else []
    calls = (value for value in made if isinstance(value, ast.Call))
    return any(keyword.arg in SPECS for call in calls for keyword in call.keywords)


def _idle(unit: Unit, project: Project) -> Iterator[tuple[ast.Expr | ast.Assert, ast.Attribute]]:
    """Statements, and the attribute in each that was meant to be called as an assertion."""
    for scope in unit.nested():
        statements: list[ast.Expr | ast.Assert] = [*scope.facts.expressions, *scope.facts.asserts]
        for statement in statements:
            tested = statement.value if isinstance(statement, ast.Expr) else statement.test
            if isinstance(tested, ast.UnaryOp) and isinstance(tested.op, ast.Not):
                tested = tested.operand
            read, names = tested, UNCALLED
            if isinstance(tested, ast.Call):
                read, names = tested.func, MISSPELT
            if (
                isinstance(read, ast.Attribute)
                and read.attr in names
                and _is_mock(read, scope, project, called=isinstance(tested, ast.Call))
            ):
                yield statement, read


def _is_mock(read: ast.Attribute, scope: Unit, project: Project, *, called: bool) -> bool:
    """Whether what an attribute is read of is a mock, as far as is known and as it is called."""
    value = project.inference.value(read.value, scope)
    if isinstance(value, Instance):
        return value.cls.scope.outline.is_stub and value.cls.scope.name.endswith("Mock")
    found = scope.lookup(read.value.id) if isinstance(read.value, ast.Name) else None
    made = [binding.value for binding in found[1] if looks_mocked(binding.value)] if found is not None else []
    if any(isinstance(m, ast.Call) and MOCKS.search(ast.unparse(m.func)) for m in made):
        return True
    if read.attr in MISSPELT and not called:
        return False  # requests_mock.called_once is no mock's
    tells = read.attr in ASSERTIONS or "called_once" in read.attr or "await" in read.attr
    return tells or "mock" in ast.unparse(read.value).lower()


def _fix(function: Function, statement: ast.Expr | ast.Assert, read: ast.Attribute) -> tuple[Fix | None, str]:
    if isinstance(statement, ast.Assert):
        return None, "an assertion of a mock returns nothing that assert could test"
    if read.attr not in BARE_ASSERTIONS:
        return None, "it has arguments that nobody but you knows"
    end = function.text.span(read).end
    return Fix("call it", (Edit(Span(end, end), "()"),), Safety.UNSAFE), ""


def _respelt(
    function: Function, statement: ast.Expr | ast.Assert, read: ast.Attribute
) -> tuple[Fix | None, str]:
    """``assert_`` in front of the name, in place of an ``assert`` in front of the call."""
    tested = statement.test if isinstance(statement, ast.Assert) else statement.value
    if not isinstance(tested, ast.Call) or (isinstance(statement, ast.Assert) and statement.msg is not None):
        return None, "only a call that stands alone can be rewritten"
    end, start = function.text.span(read).end, function.text.span(statement).start
    name = Position(end.line, end.column - len(read.attr))
    edits = (Edit(Span(start, function.text.span(tested).start), ""), Edit(Span(name, name), "assert_"))
    return Fix(f"call assert_{read.attr}", edits, Safety.UNSAFE), ""
