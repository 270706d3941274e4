"""ASL201 dropped-task: a task is started and nobody keeps it.

The event loop holds tasks by weak reference only. A task that nobody keeps can be garbage
collected in the middle of its work, its exception is never seen, and it goes on into whatever test
comes next. This rule reports ``asyncio.create_task``, ``ensure_future``, ``run_coroutine_threadsafe``
and a loop's ``create_task`` as a bare statement, assigned to ``_``, kept only by
``.add_done_callback(…)``, or put into a local container that nobody uses. What a TaskGroup or nursery
starts is theirs. In ``__del__`` nobody is left who could keep a task or wait for it, and one that ends
with ``loop.stop()`` is over when the ``loop.run_forever()`` behind it comes back; what is cancelled where it
is started never runs. A ``# noqa`` for RUF006
or ASYNC300, which say the same, counts.

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
import re
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from asynclint.finding import Finding, Safety
from asynclint.project.task_ends import may_leave_tasks
from asynclint.rule import Rule, Scope
from asynclint.source.written import called

if TYPE_CHECKING:
    from asynclint.flow.lives import Life
    from asynclint.project.project import Project
    from asynclint.source.function import Function
    from asynclint.source.outline import Scope as Unit

# What says in a remark that a task is let go on purpose, to ruff or to flake8-async.
SISTERS = re.compile(
    r"#.*(noqa:[^#]*\b(RUF006|ASYNC300)\b|ruff: ?ignore\[[^]]*(RUF006|dangling-task))", re.IGNORECASE
)

# The name of a test whose point it is.
FORGOTTEN = re.compile(r"(^|_)(forgotten|leak(s|ed|y|ing)?|dangling|orphan(s|ed)?|fire_and_forget)(_|$)")

rule = Rule("ASL201", "dropped-task", Scope.FUNCTION, fix=Safety.UNSAFE)


rule.trigger(may_leave_tasks)


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """Each dropped task at the call that starts it."""
    from asynclint.flow.announcing import stops_the_loop, tells_its_end
    from asynclint.flow.finishing import attempt, finish
    from asynclint.flow.lives import lives

    offered = 0
    for life in lives(function, project):
        if not life.is_dropped:
            continue
        if _is_expected_to_fail(function, life.call) or _is_let_go(function, life.call):
            continue
        if _is_last_resort(life.scope) or _is_cancelled_at_once(life) or stops_the_loop(life, project):
            continue
        if "run_coroutine_threadsafe" in ast.unparse(life.call.func) and tells_its_end(life, project):
            continue  # a thread can't await the task: that it waits for the event is its way to do so
        in_tests = project.is_test_code(function.scope.outline.path)
        if in_tests and _is_about_it(life.scope):
            continue
        fix, held_back = attempt(partial(finish, function, life, project), offered, project)
        offered += fix is not None
        started = ast.unparse(life.call.func)
        owner = "the test" if in_tests else life.scope.name
        message = f"the task that {started} starts is not kept, so it can vanish or outlive {owner}"
        yield Finding("", function.text.span(life.call), rule.code, message, fix, held_back)


def _is_let_go(function: Function, call: ast.Call) -> bool:
    """Whether a remark on a line of the call suppresses the same of a sister rule: ``# noqa: RUF006``."""
    lines = function.scope.outline.text.lines
    return any(SISTERS.search(line) for line in lines[call.lineno - 1 : call.end_lineno])


def _is_last_resort(scope: Unit) -> bool:
    """``__del__``, where nothing can be awaited and nothing kept: what it starts has to outlive it."""
    return scope.name == "__del__" and scope.enclosing_class is not None


def _is_cancelled_at_once(life: Life) -> bool:
    """``ensure_future(work()).cancel()``: the coroutine never runs, which is a way to be rid of it."""
    if called(life.call) == "run_coroutine_threadsafe":  # the other thread may have begun by then
        return False
    calls = life.scope.facts.methods.get("cancel", ())
    return any(isinstance(call.func, ast.Attribute) and call.func.value is life.call for call in calls)


def _is_about_it(scope: Unit) -> bool:
    """Whether a test is about tasks that are forgotten, or about who hears of their errors then."""
    listens = "set_exception_handler" in scope.facts.methods
    return listens or any(FORGOTTEN.search(outer.name) for outer in scope.around() if outer.is_function)


def _is_expected_to_fail(function: Function, call: ast.Call) -> bool:
    """``with pytest.raises(TypeError): asyncio.create_task(42)``: no task is ever made."""
    import libcst as cst

    for outer in function.parents(function.cst_of(call)):
        if isinstance(outer, cst.With):
            items = function.module.code_for_node(outer.items[0]) if outer.items else ""
            return "aises" in items and len(outer.body.body) == 1
    return False
