"""ASL404 unclosed-resource: a connection, server, process, loop or client is made and never closed.

This rule follows what ``open_connection``, ``start_server``, ``create_subprocess_exec`` and ``_shell``,
a loop's ``create_connection``, ``create_datagram_endpoint``, ``create_server`` and their kin,
``new_event_loop``, ``Runner``, aiohttp's ``ClientSession`` and httpx's ``AsyncClient`` give, and what
functions of the project return of these. It reports one that reaches a normal end of its function
neither closed nor handed on: returned, stored, given to code that can't be read. What a fixture yields
comes back to it, so it has to be closed behind the ``yield``; what a ``setUp`` keeps on ``self`` in the
class.

Silent where nothing is held: an ``AsyncClient`` with a transport of its own, one that is mocked by
pytest-httpx or respx, or that sends nothing; a process that pytest-subprocess fakes; a connector without a
session; a transport whose protocol may close it; a public attribute, which others may close, unless its
class is one of tests or has a ``close`` of its own. A process that is only killed is reported, because it
is never reaped before the loop is closed.

Why it matters: debug mode (``-X dev``, ``asyncio_debug``) reports "unclosed transport", "unclosed
<StreamWriter …>", "unclosed event loop" or "Unclosed client session" when the garbage collector comes
round to it, in whichever test runs then. A server that is left goes on listening, a process goes on running.

Bad::

    import asyncio


    async def test_greeting(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(5):
            assert await reader.readline() == b"hello"

Good::

    import asyncio


    async def test_greeting(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            async with asyncio.timeout(5):
                assert await reader.readline() == b"hello"
        finally:
            writer.close()

Fix: unsafe. Puts what follows into ``try`` and closes the resource in ``finally``; in ``asyncSetUp`` and
``setUp`` with a cleanup.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from asynclint.finding import Finding, Safety
from asynclint.project.resources import may_leave_resources
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    from asynclint.project.project import Project
    from asynclint.source.function import Function

rule = Rule("ASL404", "unclosed-resource", Scope.FUNCTION, fix=Safety.UNSAFE)


rule.trigger(may_leave_resources)


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """Each resource that some path leaves open, at the call that makes it."""
    from asynclint.flow.closing import close
    from asynclint.flow.finishing import attempt
    from asynclint.flow.related import ways_out
    from asynclint.flow.resources import holdings
    from asynclint.flow.states import State
    from asynclint.project.closers import is_closed_elsewhere

    offered = 0
    for held in holdings(function, project):
        life = held.life
        asked = not life.is_unfinished and life.end & State.CANCELLED
        if not (life.is_unfinished or asked):
            continue
        if is_closed_elsewhere(life.trace.attributes, life.scope, held.resource, project):
            continue
        fix, held_back = attempt(partial(close, function, held, project), offered, project)
        offered += fix is not None and not life.trace.attributes
        done = "closed" if not held.resource.asks else "waited for"
        where = "never" if life.is_never_finished else "not always"
        message = f"{held.title} is {where} {done}: {held.resource.harm}"
        span = function.text.span(life.call)
        yield Finding("", span, rule.code, message, fix, held_back, tuple(ways_out(function, life)))
