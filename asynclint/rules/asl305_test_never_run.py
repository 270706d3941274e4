"""ASL305 test-never-run: an async test that nothing runs.

A plain ``unittest.TestCase`` calls an ``async def`` test, gets a coroutine and drops it: the test passes
without a line of it having run. This rule reports such tests, async generators, tests without a mark
beside marked ones in pytest-asyncio's strict mode, and tests of a class that pytest does not collect
because it has an ``__init__``. It speaks only where everything that might run the test is read: a
decorator, a base class, a metaclass, a hook, a plugin that is not known leaves the test alone, and so does
a test command in ``setup.py``. A class that its module makes objects of is none of tests.

Why it matters: a test that never runs passes whatever the code does.

Bad::

    import unittest


    class TestDoor(unittest.TestCase):
        async def test_opens(self):
            self.assertTrue(await open_door())

Good::

    import unittest


    class TestDoor(unittest.IsolatedAsyncioTestCase):
        async def test_opens(self):
            self.assertTrue(await open_door())

Fix: unsafe. Inherits from ``unittest.IsolatedAsyncioTestCase``, or adds ``@pytest.mark.asyncio``: the test
runs for the first time then, and may fail. There is no fix for async generators and ``__init__``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.finding import Edit, Finding, Fix, Position, Safety, Span
from asynclint.project.guards import idle
from asynclint.project.guards.idle import Idle
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    from asynclint.project.project import Project
    from asynclint.source.function import Function
    from asynclint.source.outline import Scope as Unit

rule = Rule("ASL305", "test-never-run", Scope.FUNCTION, fix=Safety.UNSAFE)


@rule.trigger
def trigger(unit: Unit, project: Project) -> bool:
    """An async test that nothing runs."""
    return _reason(unit, project) is not None


def _reason(unit: Unit, project: Project) -> Idle | None:
    if not unit.is_async or not unit.name.startswith("test"):
        return None
    return project.remembered((rule.code, unit), lambda: idle.reason(unit, project))


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """The test at its name."""
    unit = function.scope
    why, fix = _reason(unit, project), None
    if why is Idle.PLAIN_CASE:
        fix = _inherit(function)
    elif why is Idle.UNMARKED:
        fix = _mark(function)
    if why is not None:
        held_back = "" if fix is not None else "nobody knows how it was meant to run"
        message = f"async test {unit.name} {why.value}"
        yield Finding("", function.text.span_of_name(unit.node), rule.code, message, fix, held_back)


def _inherit(function: Function) -> Fix | None:
    """``unittest.IsolatedAsyncioTestCase`` in place of the class's own ``unittest.TestCase``."""
    cls = function.scope.enclosing_class
    node = cls.node if cls is not None else None
    for base in node.bases if isinstance(node, ast.ClassDef) else ():
        if ast.unparse(base) in ("TestCase", "unittest.TestCase"):
            edit = Edit(function.text.span(base), "unittest.IsolatedAsyncioTestCase")
            return Fix("inherit from unittest.IsolatedAsyncioTestCase", (edit,), Safety.UNSAFE, ("unittest",))
    return None


def _mark(function: Function) -> Fix:
    """``@pytest.mark.asyncio`` next to the ``def``."""
    node = function.scope.node
    assert isinstance(node, ast.AsyncFunctionDef)
    row = function.text.lines[node.lineno - 1]
    indent = row[: len(row) - len(row.lstrip(" \t"))]
    start = Position(node.lineno, len(indent))
    edit = Edit(Span(start, start), f"@pytest.mark.asyncio{function.text.newline}{indent}")
    return Fix("mark it with pytest.mark.asyncio", (edit,), Safety.UNSAFE, ("pytest",))
