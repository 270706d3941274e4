"""ASL402 loop-call-from-thread: a function that runs in a thread uses what belongs to the event loop.

Nearly nothing of asyncio is thread-safe: ``loop.call_soon``, ``Future.set_result``, ``Event.set``,
``Queue.put_nowait`` and ``Task.cancel`` belong to the loop's own thread. This rule follows functions to
the threads that they run in (``Thread(target=…)``, a subclass of ``Thread``, ``Timer``, executors,
``asyncio.to_thread``, ``run_in_executor``, and functions of the project that hand their argument on to
one of these), through the functions that they call, and reports such a call there. It reports as well
the calls of a loop that the same function has started in another thread
(``Thread(target=loop.run_forever)``). What an object is, is told by how it is made: ``threading.Event``
and ``queue.Queue`` are right in a thread.

A function that nobody is seen to run in a thread, but which uses ``call_soon_threadsafe`` in one place
and ``call_soon`` in another, is reported as *likely*.

Silent: threads that run a loop of their own, functions that are called on the loop as well, calls that
are expected to fail, and those behind a question for the thread or its loop.

Why it matters: the loop is not woken, so the callback runs when something else happens to wake it: the
test hangs, or passes by luck. The loop's own state can break. asyncio's debug mode notices
``call_soon`` and its kin, and none of the others.

Bad::

    import asyncio
    import threading


    async def test_thread_reports_back():
        done = asyncio.Event()

        def work():
            done.set()

        threading.Thread(target=work).start()
        await asyncio.wait_for(done.wait(), 5)

Good::

    import asyncio
    import threading


    async def test_thread_reports_back():
        done = asyncio.Event()
        loop = asyncio.get_running_loop()

        def work():
            loop.call_soon_threadsafe(done.set)

        threading.Thread(target=work).start()
        await asyncio.wait_for(done.wait(), 5)

Fix: ``call_soon_threadsafe`` for ``call_soon``, which takes the same arguments and fails on a closed loop
in the same way: safe, unless debug mode may be on (``call_soon`` then raises, and the callback would run
for the first time), the object may be no loop, or the test expects an error. Other calls are handed to
``loop.call_soon_threadsafe`` where a loop is at hand: unsafe.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.finding import Confidence, Edit, Finding, Fix, Related, Safety
from asynclint.project.off_loop import Misuse, misuses
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    from asynclint.project.project import Project
    from asynclint.source.function import Function
    from asynclint.source.outline import Scope as Unit

rule = Rule("ASL402", "loop-call-from-thread", Scope.FUNCTION, fix=Safety.SAFE)

DOUBTS = re.compile(r"debug|raises|RuntimeError|TimeoutError|timeout\b.*None", re.IGNORECASE)


@rule.trigger
def trigger(unit: Unit, project: Project) -> bool:
    """Something of the loop's in a function that runs in a thread."""
    return bool(misuses(unit, project))


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """Each such call; where it stands in another file, the call that leads to it."""
    from asynclint.source.files import shown

    for found in misuses(function.scope, project):
        span = function.text.span(found.node)
        used = ast.unparse(found.used)
        if found.place is not None and found.outline is not None:
            place = Related(
                shown(found.outline.path), found.outline.text.span(found.place), "this belongs to the loop"
            )
            message = f"{_called(found.node)}(…) runs {used}(…) in a thread, and that is not thread-safe"
            yield Finding("", span, rule.code, message, None, "it stands in another file", (place,))
            continue
        fix, held_back = _fix(function, found, project)
        where = "is called in a thread" if used == _called(found.node) else "is handed to a thread"
        message = f"{used} {where}, and is not thread-safe: {_instead(found)}"
        if found.is_foreign:
            loop = ast.unparse(found.used.value) if isinstance(found.used, ast.Attribute) else "it"
            message = f"{used} is called here, and {loop} runs in another thread: {_instead(found)}"
        confidence = Confidence.CERTAIN
        if found.is_likely:
            message = (
                f"{used} is called where call_soon_threadsafe is, so probably in a thread: {_instead(found)}"
            )
            confidence = Confidence.LIKELY
        yield Finding("", span, rule.code, message, fix, held_back, confidence=confidence)


def _called(node: ast.expr) -> str:
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ast.unparse(node)


def _instead(found: Misuse) -> str:
    last = found.name.rpartition(".")[2]
    if last in ("create_task", "ensure_future"):
        return "use asyncio.run_coroutine_threadsafe"
    return "use call_soon_threadsafe" if last == "call_soon" else "hand it to loop.call_soon_threadsafe"


def _fix(function: Function, found: Misuse, project: Project) -> tuple[Fix | None, str]:
    call, last = found.node, found.name.rpartition(".")[2]
    if not isinstance(call, ast.Call) or call.func is not found.used:
        return None, "it is not called here"
    if last in ("create_task", "ensure_future"):
        return None, "the task that it returns is another object in a thread"
    assert isinstance(call.func, ast.Attribute)
    end = function.text.span(call.func).end
    if last == "call_soon":
        edit = Edit(type(function.text.span(call))(end, end), "_threadsafe")
        safety = Safety.SAFE if _is_sure(function, found, project) else Safety.UNSAFE
        return Fix("use call_soon_threadsafe", (edit,), safety), ""
    expressions = found.scope.facts.expressions
    whole = function.once(("whole", found.scope), lambda: {id(statement.value) for statement in expressions})
    if id(call) not in whole:
        return None, "what it returns is used"
    loop = _loop_at_hand(found, project)
    if not loop or call.keywords:
        return None, "no loop is at hand" if not loop else "call_soon_threadsafe takes no keywords"
    arguments = [function.text.slice(function.text.span(argument)) for argument in call.args]
    handed = ", ".join([function.text.slice(function.text.span(call.func)), *arguments])
    edit = Edit(function.text.span(call), f"{loop}.call_soon_threadsafe({handed})")
    return Fix("hand it to call_soon_threadsafe", (edit,), Safety.UNSAFE), ""


def _is_sure(function: Function, found: Misuse, project: Project) -> bool:
    """Whether ``call_soon`` surely did what ``call_soon_threadsafe`` will do, if later."""
    from asynclint.project.guards.tests import test_of

    test = test_of(function.scope, project)
    if (
        test is None or test.is_unittest or found.is_likely or "." not in found.name
    ):  # unittest's loops are in debug mode
        return False
    if "debug" in str(test.config.options):
        return False
    return not function.once("doubts", lambda: bool(DOUBTS.search(function.scope.source)))


def _loop_at_hand(found: Misuse, project: Project) -> str:
    """A loop by its name: what a method of it is called on, or a variable that is one."""
    assert isinstance(found.used, ast.Attribute)
    if found.is_foreign or found.name.startswith("asyncio.events."):
        return ast.unparse(found.used.value)
    return project.remembered(("loop at hand", found.scope), lambda: _named_loop(found.scope, project))


def _named_loop(used_in: Unit, project: Project) -> str:
    from asynclint.project.tasks import LOOP_CALLS, is_loop

    for scope in used_in.around():
        if scope.is_class:
            continue
        for name, bindings in scope.bindings.items():
            made = len(bindings) == 1 and isinstance(bindings[0].value, ast.Call)
            if made and ast.unparse(bindings[0].value.func).endswith(LOOP_CALLS):  # type: ignore[union-attr]
                return name
            is_parameter = bindings[0].kind == "param"
            if is_parameter and is_loop(ast.Name(name, ast.Load()), scope, project):
                return name
    return ""
