"""Which async library a function is written for."""

from __future__ import annotations

from asynclint.project.guards.runner import Runner, runner
from asynclint.project.guards.tests import test_of
from asynclint.project.project import Project
from asynclint.source.outline import Scope

LIBRARIES = frozenset({"asyncio", "anyio", "trio"})
RUNNERS = {Runner.ASYNCIO: "asyncio", Runner.ANYIO: "anyio", Runner.TRIO: "trio"}


def library_of(unit: Scope, scope: Scope, project: Project) -> str:
    """asyncio, anyio or trio: what runs the test that a function is, else the only one its module imports."""
    return project.remembered(("library of", scope), lambda: _library_of(unit, scope, project))


def _library_of(unit: Scope, scope: Scope, project: Project) -> str:
    test = test_of(unit, project) if scope is unit else None
    found = RUNNERS.get(runner(test, project), "") if test is not None else ""
    if found:
        return found
    imported = {
        binding.module.partition(".")[0]
        for around in scope.around()
        for bindings in around.bindings.values()
        for binding in bindings
        if binding.kind in ("import", "from") and not binding.level
    } & LIBRARIES
    return imported.pop() if len(imported) == 1 else ""
