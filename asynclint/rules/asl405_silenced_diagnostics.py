"""ASL405 silenced-diagnostics: what asyncio reports is hidden by a filter or an empty handler.

asyncio tells of a forgotten ``await``, of transports and loops that were never closed, and of errors that
nobody fetched, by warnings and by the loop's exception handler. This rule reports what hides that for a
whole suite: a filter of pytest (``filterwarnings``, ``-W`` in ``addopts``) or a ``PYTHONWARNINGS`` for
tests (tox, CI) that ignores "never awaited", asyncio's ResourceWarning or
PytestUnraisableExceptionWarning; ``-p no:warnings``, ``-p no:unraisableexception`` and
``--disable-warnings``; a ``pytestmark`` or an autouse fixture, hook or ``setUp`` that does the same; and
``loop.set_exception_handler`` with a handler that does nothing. Which of several filters decides is
worked out as pytest does it: the last that fits. The configuration is read at the command only.

Filters for one message or module that is not asyncio's are silent, and so are a mark on one test, a mark
or filter with a remark that says why, a filter inside ``catch_warnings``, and filters at the top of a
module, which pytest undoes. Where the rule is selected by its full code, it also reports
``error::RuntimeWarning`` without ``error::pytest.PytestUnraisableExceptionWarning``: the error then
comes up in a finalizer, and fails no test.

Why it matters: the suite is green because nobody is told.

Bad::

    import asyncio

    import pytest


    @pytest.fixture(autouse=True)
    async def quiet():
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)

Good::

    import asyncio

    import pytest


    @pytest.fixture
    async def reports():
        found = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: found.append(context))
        yield found
        assert not found

Fix: unsafe. Takes a filter away that has a line of its own in a file that configures pytest, which only
``asynclint --checklist --fix --unsafe-fixes`` changes: tests may fail of what then comes to light. For code
there is no fix, since what it is there for has to be known first.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from asynclint.finding import Finding, Fix, Safety
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    from asynclint.project.project import Project
    from asynclint.source.outline import Scope as Unit

rule = Rule("ASL405", "silenced-diagnostics", Scope.MODULE, fix=Safety.UNSAFE)

HELD_BACK = "what it is there for has to be known first"
WORDS = ("set_exception_handler", "simplefilter", "filterwarnings")


@rule.trigger
def trigger(unit: Unit, _: Project) -> bool:
    """A module that says one of a few words."""
    return unit.outline.text.has_any(WORDS)


@rule.check
def check(unit: Unit, project: Project) -> Iterator[Finding]:
    """Empty handlers, marks of modules and classes, and filters that are set for each test."""
    from asynclint.project.silencing import silencing

    text = unit.outline.text
    for found in silencing(unit.outline, project):
        yield Finding("", text.span(found.node), rule.code, found.message, held_back=HELD_BACK)


@rule.check_suite
def check_suite(root: Path, project: Project) -> Iterator[Finding]:
    """Filters and options in the files that configure a suite, if it has async tests."""
    from asynclint.project.silenced import silenced
    from asynclint.project.suite import suite_at

    strict = rule.code in (*project.settings.select, *project.settings.extend_select)
    reports = list(silenced(root, project, strict=strict))
    if not reports or not suite_at(root, project).tests:
        return
    for found in reports:
        fix, held_back = None, HELD_BACK
        if found.edit is not None:
            fix, held_back = Fix(found.what, (found.edit,), Safety.UNSAFE), ""
        yield Finding(str(found.path), found.span, rule.code, found.message, fix, held_back)
