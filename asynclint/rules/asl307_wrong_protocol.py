"""ASL307 wrong-protocol: something is entered, iterated or awaited in a way that its type does not have.

``with`` on an asynchronous context manager, ``for`` on an asynchronous iterable, ``await`` on an
asynchronous generator, ``async with`` or ``async for`` on what is not asynchronous, and any of them on
a coroutine that has to be awaited first. This rule reports them where the type is known: from the
definition of what is called, through the project and the standard library, or from the class of an
object, all of whose bases are known; not from an annotation that the module's ``AsyncQuery`` shares with
``Query``.

Why it matters: the line raises TypeError or AttributeError as soon as it runs, if it runs: in a test
that is skipped here, or in a branch for one platform, nobody sees it until then.

Bad::

    import contextlib


    @contextlib.asynccontextmanager
    async def connection():
        yield "connected"


    async def test_connects():
        with connection() as state:
            assert state == "connected"

Good::

    import contextlib


    @contextlib.asynccontextmanager
    async def connection():
        yield "connected"


    async def test_connects():
        async with connection() as state:
            assert state == "connected"

Fix: unsafe. Writes the keyword that fits, or ``await`` in front of a coroutine, where that is legal: in
an async function, and not in a comprehension or a ``with`` of several items.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.finding import Edit, Finding, Fix, Position, Safety, Span
from asynclint.project.protocols import Misfit, Needs, misfits
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    from asynclint.project.project import Project
    from asynclint.source.function import Function
    from asynclint.source.outline import Scope as Unit

rule = Rule("ASL307", "wrong-protocol", Scope.FUNCTION, fix=Safety.UNSAFE)

ASYNC = re.compile(r"async\s+")


@rule.trigger
def trigger(unit: Unit, project: Project) -> bool:
    """Something whose type does not have the methods that a statement asks for."""
    return bool(misfits(unit, project))


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """Each expression that is used by the wrong protocol."""
    from asynclint.flow.purpose import is_on_purpose

    for misfit in misfits(function.scope, project):
        in_place = isinstance(misfit.statement, ast.comprehension)  # which is no statement
        if is_on_purpose(function, misfit.expr if in_place else misfit.statement, project, used=True):
            continue
        fix, held_back = None, _no_fix(misfit)
        if not held_back:
            fix = Fix(f"use {misfit.needs.value}", (_edit(function, misfit),), Safety.UNSAFE)
        use = "await it first" if misfit.needs is Needs.AWAIT else f"use {misfit.needs.value}"
        message = f"{ast.unparse(misfit.expr)} is {misfit.kind}, which {misfit.used} can't take: {use}"
        yield Finding("", function.text.span(misfit.expr), rule.code, message, fix, held_back)


def _no_fix(misfit: Misfit) -> str:
    """Why the keyword can't be changed here; empty where it can."""
    statement, needs = misfit.statement, misfit.needs
    if isinstance(statement, ast.Await):
        return f"{needs.value} is another statement, with a body"
    if needs not in (Needs.WITH, Needs.FOR) and not misfit.scope.is_async:
        return f"{misfit.scope.name} is not async"
    if needs is Needs.AWAIT:
        return ""
    if isinstance(statement, ast.comprehension):
        return "it stands in a comprehension"
    if isinstance(statement, (ast.With, ast.AsyncWith)) and len(statement.items) > 1:
        return "other context managers share the statement"
    return ""


def _edit(function: Function, misfit: Misfit) -> Edit:

    if misfit.needs is Needs.AWAIT:
        start = function.text.span(misfit.expr).start
        return Edit(Span(start, start), "await ")
    span = function.text.span(misfit.statement)
    if misfit.needs in (Needs.ASYNC_WITH, Needs.ASYNC_FOR):
        return Edit(Span(span.start, span.start), "async ")
    keyword = ASYNC.match(function.text.slice(span))
    assert keyword is not None
    return Edit(Span(span.start, Position(span.start.line, span.start.column + keyword.end())), "")
