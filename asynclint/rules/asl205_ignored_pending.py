"""ASL205 ignored-pending: asyncio.wait may leave tasks pending, and nobody looks at them.

``asyncio.wait`` raises nothing when its ``timeout`` is up, and with ``FIRST_COMPLETED`` or
``FIRST_EXCEPTION`` it comes back while others still run: those are in the second set it returns. This
rule reports the call where that set is dropped or unread and the tasks are not finished, cancelled or
asserted upon in another way.

Why it matters: the tasks that lost the race run on into the next test; and where the time was up, the
test passes as if the work had been done.

Bad::

    import asyncio


    async def test_first_answer_wins(one, other):
        tasks = [asyncio.create_task(one.ask()), asyncio.create_task(other.ask())]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        assert done.pop().result() == "yes"

Good::

    import asyncio


    async def test_first_answer_wins(one, other):
        tasks = [asyncio.create_task(one.ask()), asyncio.create_task(other.ask())]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        assert done.pop().result() == "yes"

Fix: unsafe. Cancels and gathers the pending tasks behind the call.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from asynclint.finding import Finding, Safety
from asynclint.project.task_ends import may_leave_tasks
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    import libcst as cst

    from asynclint.flow.lives import Life
    from asynclint.project.project import Project
    from asynclint.source.function import Function
    from asynclint.source.outline import Scope as Unit

rule = Rule("ASL205", "ignored-pending", Scope.FUNCTION, fix=Safety.UNSAFE)


@rule.trigger
def trigger(unit: Unit, project: Project) -> bool:
    """A call that starts a task, and an ``asyncio.wait`` that may come back before it is done."""
    return may_leave_tasks(unit, project) and any(
        keyword.arg in ("timeout", "return_when")
        for scope in unit.nested()
        for call in scope.facts.calls
        for keyword in call.keywords
    )


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """Each wait whose pending tasks are forgotten, once for all of them."""
    from asynclint.flow.announcing import tells_its_end
    from asynclint.flow.fates import Fate
    from asynclint.flow.finishing import attempt, finish_pending
    from asynclint.flow.lives import lives
    from asynclint.flow.related import made, span_of
    from asynclint.flow.states import State
    from asynclint.project.owners import is_finished_elsewhere

    waits: dict[cst.CSTNode, list[Life]] = {}
    for life in lives(function, project):
        if life.is_unfinished or not life.end & State.PENDING:
            continue
        kept = is_finished_elsewhere(life.trace.attributes, life.scope, project)
        if not kept and not tells_its_end(life, project):
            waits.setdefault(life.trace.nodes(Fate.WAITED)[-1], []).append(life)
    for node, left in waits.items():
        fix, held_back = attempt(partial(finish_pending, function, node, left[0].scope, project), 0, project)
        message = "asyncio.wait may leave tasks running here, and nobody cancels or awaits the pending ones"
        related = tuple(made(function, life) for life in left)
        yield Finding("", span_of(function, node), rule.code, message, fix, held_back, related)
