"""ASL201 dropped-task: a task is started and nobody keeps it.

The event loop holds tasks by weak reference only. A task that nobody keeps can be garbage
collected in the middle of its work, its exception is never seen, and it goes on into whatever test
comes next. This rule reports ``asyncio.create_task``, ``ensure_future``, ``run_coroutine_threadsafe``
and a loop's ``create_task`` as a bare statement, assigned to ``_``, or kept only by
``.add_done_callback(…)``. What a TaskGroup or nursery starts is theirs.

Why it matters: the test passes whether or not the task does what it should.

Bad::

    import asyncio


    async def test_consumer_drains_the_queue(queue, consume):
        asyncio.create_task(consume(queue))
        async with asyncio.timeout(5):
            await queue.join()

Good::

    import asyncio


    async def test_consumer_drains_the_queue(queue, consume):
        consumer = asyncio.create_task(consume(queue))
        try:
            async with asyncio.timeout(5):
                await queue.join()
        finally:
            consumer.cancel()
            await asyncio.gather(consumer, return_exceptions=True)

Fix: unsafe. Keeps the task, and cancels and awaits it in ``finally`` behind the statements that
follow: a test that leant on the task outliving it would change.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.finding import Finding, Safety
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    import libcst as cst

    from asynclint.project.project import Project
    from asynclint.source.function import Function
    from asynclint.source.outline import Scope as Unit

rule = Rule("ASL201", "dropped-task", Scope.FUNCTION, fix=Safety.UNSAFE)


@rule.trigger
def trigger(unit: Unit, project: Project) -> bool:
    """A call that starts a task, where its result is lost."""
    return any(
        _dropped(statement, scope, project) for scope in unit.nested() for statement in _statements(scope)
    )


def _statements(scope: Unit) -> Iterator[ast.Expr | ast.Assign]:
    """Bare expressions, and assignments to a ``_`` that nobody reads."""
    yield from scope.facts.expressions
    unread = [b.node for b in scope.bindings.get("_", []) if isinstance(b.node, ast.Assign)]
    names = (n for n in ast.walk(scope.node) if isinstance(n, ast.Name) and n.id == "_") if unread else ()
    if not any(isinstance(name.ctx, ast.Load) for name in names):
        yield from (node for node in unread if len(node.targets) == 1)


def _dropped(statement: ast.Expr | ast.Assign, scope: Unit, project: Project) -> ast.Call | None:
    """The spawning call whose task a statement drops."""
    from asynclint.project.tasks import spawns

    call = statement.value
    if (
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "add_done_callback"
    ):
        call = call.func.value  # create_task(…).add_done_callback(…)
    return call if isinstance(call, ast.Call) and spawns(call, scope, project) else None


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """Each dropped task at the call that starts it."""
    from asynclint.flow.finishing import CannotFinishError, keep_and_finish

    dropped = [
        (statement, scope, call)
        for scope in function.scope.nested()
        for statement in _statements(scope)
        if (call := _dropped(statement, scope, project)) is not None
    ]
    swept = {
        id(s) for s in function.scope.nested() if any("all_tasks" in ast.unparse(c) for c in s.facts.calls)
    }
    for statement, scope, call in dropped:
        if id(scope) in swept:  # gather(*asyncio.all_tasks() …) finishes what nobody kept
            continue
        node = function.cst_of(statement)
        if _is_expected_to_fail(function, node):
            continue
        fix, held_back = None, ""
        try:
            fix = keep_and_finish(function, node, call, scope, project)
        except CannotFinishError as error:
            held_back = str(error)
        started = ast.unparse(call.func)
        message = f"the task that {started} starts is not kept, so it can vanish or outlive the test"
        yield Finding("", function.text.span(call), rule.code, message, fix, held_back)


def _is_expected_to_fail(function: Function, node: cst.CSTNode) -> bool:
    """``with pytest.raises(TypeError): asyncio.create_task(42)``: no task is ever made."""
    import libcst as cst

    for outer in function.parents(node):
        if isinstance(outer, cst.With):
            items = function.module.code_for_node(outer.items[0]) if outer.items else ""
            return "aises" in items and len(outer.body.body) == 1
    return False
