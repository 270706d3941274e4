"""ASL306 unresolved-async-fixture: an async fixture that no plugin sets up.

In pytest-asyncio's strict mode, ``@pytest.fixture`` on an async function is pytest's own fixture: the test
is given a coroutine or an async generator in place of what it returns or yields. This rule reports such
a fixture where tests of its module get it, all of them are marked for pytest-asyncio, and neither
another plugin nor a hook could set it up: anyio and trio take such fixtures in their own tests. Silent
where a requirement keeps pytest-asyncio before 0.19, which took every async fixture by default.

Why it matters: pytest 8.4 warns of it, and pytest 9 makes it an error; before, a test that only asks for
the fixture passes without the set-up.

Bad::

    import pytest


    @pytest.fixture
    async def door():
        yield await open_door()


    @pytest.mark.asyncio
    async def test_opens(door):
        assert door.is_open

Good::

    import pytest
    import pytest_asyncio


    @pytest_asyncio.fixture
    async def door():
        yield await open_door()


    @pytest.mark.asyncio
    async def test_opens(door):
        assert door.is_open

Fix: unsafe. Makes it a fixture of pytest-asyncio, whose code then runs for the first time.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.finding import Edit, Finding, Fix, Safety
from asynclint.project.guards import idle
from asynclint.project.names import chain
from asynclint.rule import Rule, Scope
from asynclint.source.written import uncalled

if TYPE_CHECKING:
    from asynclint.project.project import Project
    from asynclint.source.function import Function
    from asynclint.source.outline import Scope as Unit

rule = Rule("ASL306", "unresolved-async-fixture", Scope.FUNCTION, fix=Safety.UNSAFE)


@rule.trigger
def trigger(unit: Unit, project: Project) -> bool:
    """An async fixture of pytest's own that pytest-asyncio's tests are given as it is."""
    if _decorator(unit, project) is None:
        return False
    return project.remembered((rule.code, unit), lambda: idle.ignored_fixture(unit, project))


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """The fixture at its name."""
    unit = function.scope
    target = _decorator(unit, project)
    if target is None or not trigger(unit, project):
        return
    given = "an async generator" if unit.is_generator else "a coroutine"
    message = f"async fixture {unit.name} is pytest's own: in strict mode its tests are given {given}"
    edit = Edit(function.text.span(target), "pytest_asyncio.fixture")
    fix = Fix("make it a fixture of pytest_asyncio", (edit,), Safety.UNSAFE, ("pytest_asyncio",))
    yield Finding("", function.text.span_of_name(unit.node), rule.code, message, fix)


def _decorator(unit: Unit, project: Project) -> ast.expr | None:
    """``pytest.fixture`` as it is written, where it is an async function's only decorator."""
    if not unit.is_async or len(unit.decorators) != 1:
        return None
    decorator = unit.decorators[0]
    target = uncalled(decorator)
    return target if "pytest.fixture" in chain(target, unit.parent or unit, project.modules) else None
