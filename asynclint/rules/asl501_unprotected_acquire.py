"""ASL501 unprotected-acquire: a lock is acquired by hand, and what fails behind that leaves it locked.

This rule reports ``await lock.acquire()`` of a ``Lock``, ``Semaphore``, ``Condition`` or
``CapacityLimiter`` of asyncio, anyio or trio whose function releases it itself, but not on every way
out: an ``await`` between the two can be cancelled, a call can raise, a ``return`` can leave, and no
``finally`` releases it then. What is a lock is told by how it is made or annotated, never by its name.

Silent where nothing between the two can fail, where another function or a callback releases it as well,
where a loop releases as often as was acquired or takes all that there is for good, of a
``Semaphore(0)``, which is a signal, and in a test that acquires a lock made for it alone, to make
somebody wait: that lock ends with the test.

Why it matters: one failure or timeout leaves the lock taken, and whoever wants it next waits for ever:
the first test fails, and the ones behind it hang.

Bad::

    import asyncio


    class Store:
        def __init__(self, backend):
            self.lock = asyncio.Lock()
            self.backend = backend

        async def put(self, key, value):
            await self.lock.acquire()
            await self.backend.write(key, value)
            self.lock.release()

Good::

    import asyncio


    class Store:
        def __init__(self, backend):
            self.lock = asyncio.Lock()
            self.backend = backend

        async def put(self, key, value):
            async with self.lock:
                await self.backend.write(key, value)

Fix: unsafe. ``async with`` where the one release ends the same block.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.finding import Finding, Fix, Related, Safety
from asynclint.project.locks import may_hold
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    from asynclint.flow.locks import Hold
    from asynclint.project.project import Project
    from asynclint.source.function import Function
    from asynclint.source.outline import Scope as Unit

rule = Rule("ASL501", "unprotected-acquire", Scope.FUNCTION, fix=Safety.UNSAFE)


@rule.trigger
def trigger(unit: Unit, project: Project) -> bool:
    """A lock that is acquired by hand, and that nobody else is there to release."""
    return may_hold(unit, project)


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """Each lock that a failure, or a way out, leaves locked, at its ``acquire``."""
    from asynclint.flow.locks import holds
    from asynclint.flow.related import failing, ways_out

    for hold in holds(function, project):
        life = hold.life
        if life.raises is None and not life.is_unfinished:
            continue
        fix, held_back = _fix(function, hold)
        related: tuple[Related, ...] = ()
        if not hold.releases:
            message = f"{hold.name} is acquired, and nothing in this module releases it"
        elif life.raises is not None:
            related = (failing(function, life),)
            line = related[0].span.start.line
            message = f"{hold.name} stays locked if line {line} fails or is cancelled before its release"
        else:
            related = tuple(ways_out(function, life))
            message = f"{hold.name} is not released on every path through {life.scope.name}"
        yield Finding("", function.text.span(life.call), rule.code, message, fix, held_back, related)


def _fix(function: Function, hold: Hold) -> tuple[Fix | None, str]:
    from asynclint.flow.entering import enter
    from asynclint.flow.finishing import CannotFinishError

    try:
        return enter(function, hold), ""
    except CannotFinishError as error:
        return None, str(error)
