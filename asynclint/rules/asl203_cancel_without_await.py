"""ASL203 cancel-without-await: a task is cancelled, and nothing awaits its end.

``task.cancel()`` only asks: the task ends when the loop comes round to it, and its ``finally`` blocks and
handlers run then. Without an ``await`` behind it the test may be over before. This rule reports the
``cancel()`` of a task that reaches a normal end of its function asked to stop and never awaited, gathered or
waited for. A test that asserts ``task.done()``, ``task.cancelled()``, or that the task is not in
``asyncio.all_tasks()``, afterwards is silent; so is one that sleeps behind the ``cancel()`` of a task that is
seen to let itself be cancelled; one that waits for what the task sets last (``done.set()``); and, outside
tests, a task that does nothing but ``event.wait()`` or sleep. What ``ensure_future`` is given may be a
future, unless it is seen to be a coroutine. A function that the one round it gives to ``asyncio.run`` leaves
nothing behind: that cancels what is left, and waits for it.

Why it matters: what the task does on its way out (and the error it may die of) is never seen, and it
may happen in the middle of the next test, or after the loop is closed.

Bad::

    import asyncio


    async def test_listener_stops(listener):
        listening = asyncio.create_task(listener.run())
        await asyncio.sleep(0)
        listening.cancel()

Good::

    import asyncio


    async def test_listener_stops(listener):
        listening = asyncio.create_task(listener.run())
        await asyncio.sleep(0)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)

Fix: awaits the task behind ``cancel()``. Safe where that is the last thing a test does, with one task
of its own loop whose coroutine is seen to let itself be cancelled; else unsafe: a task that swallows its
cancellation would be waited for, and what follows would find it ended.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from asynclint.finding import Finding, Fix, Safety
from asynclint.knowledge.asyncs import LOOP_RUNS, SLEEPS
from asynclint.project.task_ends import may_leave_tasks, runs_on_trio
from asynclint.rule import Rule, Scope
from asynclint.source.written import called

if TYPE_CHECKING:
    import libcst as cst

    from asynclint.flow.lives import Life
    from asynclint.project.project import Project
    from asynclint.source.function import Function
    from asynclint.source.outline import Scope as Unit

rule = Rule("ASL203", "cancel-without-await", Scope.FUNCTION, fix=Safety.SAFE)


rule.trigger(may_leave_tasks)


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """Each task that is only asked to stop, at the last call that asks."""
    from asynclint.flow.fates import Fate
    from asynclint.flow.lives import lives
    from asynclint.flow.related import made, span_of
    from asynclint.flow.states import State

    asked: dict[cst.CSTNode, list[Life]] = {}
    for life in lives(function, project):
        left = not life.is_dropped and not life.is_unfinished and life.end & State.CANCELLED
        if not left or runs_on_trio(life.scope, project) or _only_waits(life, project):
            continue
        if _ends_with_its_loop(life.scope, project):
            continue
        if not _is_over(function, life, project):
            asked.setdefault(life.trace.nodes(Fate.CANCELLED)[-1], []).append(life)
    for node, cancelled in asked.items():
        fix, held_back = _fix(function, node, cancelled, project)
        what, name = _written(function, node), cancelled[0].scope.name
        message = f"{what} only asks the task to stop: nothing awaits it, so it may outlive {name}"
        related = tuple(made(function, life) for life in cancelled)
        yield Finding("", span_of(function, node), rule.code, message, fix, held_back, related)


def _is_over(function: Function, life: Life, project: Project) -> bool:
    """Whether a cancellation finds nothing to end, or the task is over before the function is."""
    from asynclint.flow.announcing import tells_its_end
    from asynclint.flow.cancelling import lets_itself_be_cancelled
    from asynclint.flow.fates import Fate
    from asynclint.project.names import chain

    fates = [event.fate for events in life.trace.events.values() for event in events]
    if Fate.PROVED in fates[: fates.index(Fate.CANCELLED)] or _may_be_future(life, project):
        return True
    if tells_its_end(life, project):
        return True
    last = function.span(life.trace.nodes(Fate.CANCELLED)[-1]).end.line
    later = (call for call in life.scope.facts.calls if call.lineno > last and called(call) == "sleep")
    sleeps = any(SLEEPS.intersection(chain(call.func, life.scope, project.modules)) for call in later)
    return sleeps and lets_itself_be_cancelled(life, project)


def _ends_with_its_loop(scope: Unit, project: Project) -> bool:
    """Whether ``asyncio.run`` runs a function beside it: that cancels what is left, and waits for it."""
    from asynclint.project.called import passed, run_by
    from asynclint.project.guards.drives import own_drives
    from asynclint.project.names import known

    around = scope.parent
    if around is None or not around.is_function:
        return False
    runs = [
        drive.call.func
        for drive in own_drives(around, project)
        if isinstance(what := passed(drive.what), ast.Call) and run_by(what.func, around, project) is scope
    ]
    return bool(runs) and all(known(run, around, project.modules, LOOP_RUNS) for run in runs)


def _may_be_future(life: Life, project: Project) -> bool:
    """``ensure_future(socket.poll())``, where ``poll`` may give a future: one that is cancelled is over."""
    given = life.call.args[0] if life.call.args else None
    inference = project.inference
    is_call = called(life.call) == "ensure_future" and isinstance(given, ast.Call)
    return is_call and not inference.is_coroutine(inference.value(given, life.scope))


def _only_waits(life: Life, project: Project) -> bool:
    """``create_task(event.wait())`` of a package: a cancellation finds nothing there that is to be ended."""
    waited = life.call.args[0] if life.call.args else None
    if not isinstance(waited, ast.Call) or project.is_test_code(life.scope.outline.path):
        return False
    return called(waited) == "sleep" or (called(waited) == "wait" and not waited.args)


def _written(function: Function, node: cst.CSTNode) -> str:
    text = function.module.code_for_node(node)
    return text if "\n" not in text else f"{text.splitlines()[0]} …"


def _fix(
    function: Function, node: cst.CSTNode, cancelled: Sequence[Life], project: Project
) -> tuple[Fix | None, str]:
    from asynclint.flow.cancelling import ends_when_cancelled
    from asynclint.flow.finishing import CannotFinishError, await_cancelled

    try:
        fix, is_last = await_cancelled(function, node, cancelled, project)
    except CannotFinishError as error:
        return None, str(error)
    calm = is_last and len(cancelled) == 1 and ends_when_cancelled(cancelled[0], project)
    return Fix(fix.message, fix.edits, Safety.SAFE if calm else Safety.UNSAFE, fix.imports), ""
