"""ASL202 unfinished-task: a task is kept, but on some normal path nobody finishes it.

A task that a test keeps in a local name and never awaits, gathers or cancels is still running when
the test is over. Its work and its exception belong to no test. This rule follows the name through
branches, loops, ``try`` and ``with`` to every normal end of the function, and reports a task that
reaches one of them untouched, or only looked at (``task.done()``).

Why it matters: an assertion inside the task, or the error that it met, is never seen; the task
then runs on into the next test, or dies with "Task was destroyed but it is pending".

Bad::

    import asyncio


    async def test_writer_flushes(writer):
        flushing = asyncio.create_task(writer.flush())
        async with asyncio.timeout(5):
            await writer.wait_flushed()
        assert not flushing.cancelled()

Good::

    import asyncio


    async def test_writer_flushes(writer):
        flushing = asyncio.create_task(writer.flush())
        async with asyncio.timeout(5):
            await writer.wait_flushed()
            await flushing

Fix: unsafe. Cancels and awaits the task in ``finally`` behind the statements that follow.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from asynclint.finding import Finding, Safety
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    import libcst as cst

    from asynclint.project.project import Project
    from asynclint.source.function import Function
    from asynclint.source.outline import Binding
    from asynclint.source.outline import Scope as Unit

rule = Rule("ASL202", "unfinished-task", Scope.FUNCTION, fix=Safety.UNSAFE)


@rule.trigger
def trigger(unit: Unit, project: Project) -> bool:
    """A local name that holds a new task."""
    return any(True for scope in unit.nested() for _ in _kept(scope, project))


def _kept(scope: Unit, project: Project) -> Iterator[tuple[str, Binding]]:
    """Names of a function that are assigned a task it starts."""
    from asynclint.project.tasks import spawns

    if not scope.is_function:
        return
    for name, bindings in scope.bindings.items():
        if name == "_" or name in scope.facts.outer:
            continue
        for binding in bindings:
            assigned = binding.kind == "assign" and isinstance(binding.node, (ast.Assign, ast.AnnAssign))
            if assigned and isinstance(binding.value, ast.Call) and spawns(binding.value, scope, project):
                yield name, binding


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """Each unfinished task at the call that starts it."""
    from asynclint.flow.finishing import CannotFinishError, finish_rest

    for scope in function.scope.nested():
        for name, binding in _kept(scope, project):
            made = function.cst_of(binding.node)
            if not _ends_live(function, scope, name, made):
                continue
            fix, held_back = None, ""
            try:
                fix = finish_rest(function, made, name, scope, project)
            except CannotFinishError as error:
                held_back = str(error)
            assert binding.value is not None
            message = f"task {name} is never awaited or cancelled on some path, so it outlives {scope.name}"
            yield Finding("", function.text.span(binding.value), rule.code, message, fix, held_back)


def _ends_live(function: Function, scope: Unit, name: str, made: cst.CSTNode) -> bool:
    import libcst as cst

    from asynclint.flow.lifetime import Lifetime
    from asynclint.flow.uses import Use, uses_of

    uses = uses_of(function, scope, name)
    if Use.CLOSED_OVER in uses.values():
        return False
    settled = [node for node, use in uses.items() if use is Use.SETTLES]
    settling = _with_parents(function, [*settled, *_ends_of_all(function)])
    mentioning = _with_parents(function, uses)
    conditional = any(isinstance(outer, (cst.If, cst.Match)) for outer in function.parents(made))
    life = Lifetime(made, settling.__contains__, mentioning.__contains__, conditional)
    owner = function.cst_of(scope.node)
    assert isinstance(owner, cst.FunctionDef)
    return life.ends_live(owner.body)


def _ends_of_all(function: Function) -> list[cst.CSTNode]:
    """``for task in asyncio.all_tasks(): task.cancel()`` and its kin."""
    import libcst as cst

    calls = [node for node in function.nodes if isinstance(node, cst.Call)]
    names = ("all_tasks", "locals")
    return [node for node in calls if function.module.code_for_node(node.func).endswith(names)]


def _with_parents(function: Function, nodes: Iterable[cst.CSTNode]) -> set[cst.CSTNode]:
    """The nodes and everything that holds one of them."""
    found: set[cst.CSTNode] = set()
    for node in nodes:
        found.add(node)
        for parent in function.parents(node):
            if parent in found:
                break
            found.add(parent)
    return found
