"""ASL403 blocking-call: an async test, an async fixture or a helper of theirs holds up the event loop.

``time.sleep``, ``subprocess.run``, ``requests.get``, ``queue.Queue().get`` and their like stop the
thread that calls them, and with it every task of the loop that runs there. This rule reports them in
``async def`` functions, and where such a function calls a plain function of the project that leads to
one. What a method belongs to is told by how its object is made, not by its name. Names of your own are
added by the setting ``blocking-calls``.

Silent: functions that are handed to a thread (``asyncio.to_thread``, executors); a call that may not wait
(``get(block=False)``, ``sleep(0)``, a non-blocking socket), or has nothing to wait for (a queue that the
same function has filled); in tests and plain helpers a ``time.sleep`` that comes to less than 0.1 seconds
(in a coroutine function that tests call, 0.01), which asyncio's debug mode lets pass, too, unless it is
repeated for as long as it takes or the test starts tasks; what is followed by ``sys.exit()``; the ``join``
of a thread that was told to stop, or when nothing else is left to do; names that a test patches; what
answers HTTP requests itself; what a helper of a package does under a condition or in a handler; the branch
of an ``if`` that does without waiting what the other one waits for, where its condition speaks of ``sync``.
``open``, the methods of files and of ``pathlib``, and ``sqlite3`` are never reported: they are local and
fast, and tests use them all the time. A remark on the line that it blocks on purpose counts, as does a
``# noqa`` for ``ASYNC2xx``; so do names such as ``BlockingClient``, ``raises(BlockingError)`` round the
call, and a docstring that speaks of blocking the loop. A test that never waits may sleep and
wait for a pool, unless an async fixture that waits stands behind it, and may use the blocking helpers of
sync tests. For another process, a pool or the network it may wait before it waits for the loop, and after
its last ``await`` unless it has started, opened or served something; two threads may meet at a ``Barrier``.

Why it matters: while a test blocks, the server, client or task that it waits for can't run, and no
timeout in the loop can fire: it is slow, passes by luck, or hangs for ever.

Bad::

    import asyncio
    import time


    async def test_worker_finishes(worker):
        working = asyncio.create_task(worker.run())
        time.sleep(0.1)
        assert worker.started
        await working

Good::

    import asyncio


    async def test_worker_finishes(worker):
        working = asyncio.create_task(worker.run())
        await asyncio.sleep(0.1)
        assert worker.started
        await working

Fix: unsafe, of ``time.sleep`` alone: ``await asyncio.sleep``, or the sleep of the library that runs the
test. Other tasks then run meanwhile.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.finding import Edit, Finding, Fix, Related, Safety
from asynclint.project.blocking import Blocking, blocking_calls
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    from asynclint.project.project import Project
    from asynclint.source.function import Function
    from asynclint.source.outline import Scope as Unit

rule = Rule("ASL403", "blocking-call", Scope.FUNCTION, fix=Safety.UNSAFE)

INSTEAD = {
    "subprocess.": "asyncio.create_subprocess_exec does the same without blocking",
    "requests.": "an async HTTP client does the same without blocking",
    "httpx.": "httpx.AsyncClient does the same without blocking",
    "urllib": "an async HTTP client does the same without blocking",
    "http.": "an async HTTP client does the same without blocking",
}


@rule.trigger
def trigger(unit: Unit, project: Project) -> bool:
    """A call in an async function that blocks, or leads to one that does."""
    return bool(blocking_calls(unit, project))


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """Each blocking call; where it stands in a helper, the call of that."""
    from asynclint.source.files import shown

    for found in blocking_calls(function.scope, project):
        span = function.text.span(found.call)
        called = ast.unparse(found.call.func)
        if found.place is found.call:
            fix, held_back = _fix(function, found, project)
            instead = _instead(found, function, project)
            message = f"{called}(…) blocks the event loop: {instead}"
            yield Finding("", span, rule.code, message, fix, held_back)
            continue
        message = f"{called}(…) blocks the event loop, for it calls {ast.unparse(found.place.func)}(…)"
        path = "" if found.outline is function.outline else shown(found.outline.path)
        place = Related(path, found.outline.text.span(found.place), "this call blocks")
        held_back = "what blocks stands in another function"
        yield Finding("", span, rule.code, message, None, held_back, (place,))


def _instead(found: Blocking, function: Function, project: Project) -> str:
    from asynclint.project.libraries import library_of

    library = library_of(function.scope, found.scope, project)
    if found.name == "time.sleep":
        return f"await {library or 'asyncio'}.sleep(…) instead"
    in_thread = {"asyncio": "asyncio.to_thread"}.get(
        library, f"{library}.to_thread.run_sync" if library else ""
    )
    threads = f"hand it to {in_thread or 'asyncio.to_thread'}"
    if library in ("trio", "anyio"):
        return threads
    if found.name.startswith("concurrent.futures._base.Future."):
        return "await asyncio.wrap_future(…) instead"
    return next((text for start, text in INSTEAD.items() if found.name.startswith(start)), threads)


def _fix(function: Function, found: Blocking, project: Project) -> tuple[Fix | None, str]:
    from asynclint.project.libraries import library_of

    if found.name != "time.sleep":
        return None, ""
    library = library_of(function.scope, found.scope, project)
    if not library:
        return None, "which library runs this function can't be told"
    expressions = found.scope.facts.expressions
    whole = function.once(("whole", found.scope), lambda: {id(statement.value) for statement in expressions})
    if id(found.call) not in whole or len(found.call.args) != 1 or found.call.keywords:
        return None, "it is part of an expression"
    bound = found.scope.lookup(library)
    if bound is not None and any(binding.module != library for binding in bound[1]):
        return None, f"{library} is another thing here"
    span = function.text.span(found.call.func)
    edit = Edit(span, f"await {library}.sleep")
    return Fix(f"await {library}.sleep", (edit,), Safety.UNSAFE, (library,)), ""
