"""The timers that ``oracle.py`` knows: each is watched by standing in for the functions that arm it."""

from __future__ import annotations

import asyncio
import faulthandler
import functools
import importlib
import importlib.util
import inspect
import math
import signal
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

from oracle_watch import WATCH, weak


def _replace(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Put ``make(original)`` in an attribute's place."""
    original = getattr(owner, name, None)
    if original is not None:
        setattr(owner, name, functools.wraps(original)(make(original)))


def _optional(name: str) -> Any:
    """A module where it is installed, else None."""
    try:
        return importlib.import_module(name) if importlib.util.find_spec(name.partition(".")[0]) else None
    except ImportError:
        return None


def watch_timeouts() -> None:
    """``asyncio.timeout`` and ``async_timeout``: entered, left, given another deadline."""
    classes = [(asyncio.timeouts.Timeout, "asyncio.timeout")]
    other = getattr(_optional("async_timeout"), "Timeout", None)
    if other is not None and other is not asyncio.timeouts.Timeout:
        classes.append((other, "async_timeout"))

    def watch(cls: Any, kind: str) -> None:
        entered: set[int] = set()

        def record(self: Any, when: float | None) -> None:
            if when is None:
                WATCH.disarm((kind, id(self)))
            else:
                seconds = when - asyncio.get_running_loop().time()
                WATCH.arm(kind, seconds, key=(kind, id(self)))

        def enter(original: Any) -> Any:
            def enter_async(self: Any) -> Any:
                entered.add(id(self))
                record(self, self.when() if hasattr(self, "when") else self.deadline)
                return original(self)

            return enter_async

        def leave(original: Any) -> Any:
            def exit_async(self: Any, *error: Any) -> Any:
                entered.discard(id(self))
                WATCH.disarm((kind, id(self)))
                return original(self, *error)

            return exit_async

        def move(original: Any) -> Any:
            def reschedule(self: Any, when: float | None) -> Any:
                if id(self) in entered:
                    record(self, when)
                return original(self, when)

            return reschedule

        _replace(cls, "__aenter__", enter)
        _replace(cls, "__aexit__", leave)
        _replace(cls, "reschedule", move)

    for cls, kind in classes:
        watch(cls, kind)


def watch_waits() -> None:
    """``asyncio.wait_for`` and ``as_completed``, where they are called."""

    def wait(original: Any) -> Any:
        def wait_for(*given: Any, **named: Any) -> Any:
            coroutine = original(*given, **named)
            seconds = named.get("timeout", given[1] if len(given) > 1 else None)
            if seconds is not None:
                started = weakref.ref(coroutine)
                WATCH.arm("asyncio.wait_for", seconds, alive=lambda: _is_suspended(started()))
            return coroutine

        mark = getattr(inspect, "markcoroutinefunction", None)
        if mark is not None:
            return mark(wait_for)
        wait_for._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]
        return wait_for

    def each(original: Any) -> Any:
        def as_completed(*given: Any, **named: Any) -> Any:
            if named.get("timeout") is not None:
                WATCH.arm("asyncio.as_completed", named["timeout"], alive=lambda: False)
            return original(*given, **named)

        return as_completed

    for name, make in (("wait_for", wait), ("as_completed", each)):
        _replace(asyncio.tasks, name, make)
        setattr(asyncio, name, getattr(asyncio.tasks, name))


def _is_suspended(coroutine: Any) -> bool:
    states = (inspect.CORO_SUSPENDED, inspect.CORO_RUNNING)
    return coroutine is not None and inspect.getcoroutinestate(coroutine) in states


def watch_cancel_scopes() -> None:
    """Cancel scopes of anyio (on asyncio) and trio, which anyio's are on trio."""
    scopes = [
        ("anyio._backends._asyncio", "anyio", "_active", "asyncio"),
        ("trio", "trio", "_cancel_status", "trio"),
    ]
    for module, kind, active, loop in scopes:
        cls = getattr(_optional(module), "CancelScope", None)
        if cls is not None:
            _watch_scope(cls, f"{kind} cancel scope", active, loop)


def _watch_scope(cls: Any, kind: str, active: str, loop: str) -> None:
    def now() -> float:
        try:
            return (
                asyncio.get_running_loop().time() if loop == "asyncio" else sys.modules["trio"].current_time()
            )
        except RuntimeError:  # a deadline that is set from outside the loop
            return math.nan

    def enter(original: Any) -> Any:
        def enter_scope(self: Any) -> Any:
            relative = getattr(self, "_relative_deadline", math.inf)
            deadline = getattr(self, "_deadline", math.inf)
            if relative != math.inf:
                WATCH.arm(kind, relative, key=(kind, id(self)))
            elif deadline != math.inf:
                WATCH.arm(kind, deadline - now(), key=(kind, id(self)))
            return original(self)

        return enter_scope

    def leave(original: Any) -> Any:
        def exit_scope(self: Any, *error: Any) -> Any:
            WATCH.disarm((kind, id(self)))
            return original(self, *error)

        return exit_scope

    _replace(cls, "__enter__", enter)
    _replace(cls, "__exit__", leave)
    _replace(cls, "_close", leave)  # trio leaves a nursery's scope so
    plain = cls.deadline

    def move(self: Any, value: float) -> None:
        plain.fset(self, value)
        if value == math.inf:
            WATCH.disarm((kind, id(self)))
        elif getattr(self, active, True):
            WATCH.arm(kind, value - now(), key=(kind, id(self)))

    cls.deadline = property(plain.fget, move, plain.fdel, plain.__doc__)


def _cancels(callback: Any) -> bool:
    """``task.cancel``, ``loop.stop``, or a function whose own code calls one of the two."""
    while isinstance(callback, functools.partial):
        callback = callback.func
    if getattr(callback, "__name__", "") in ("cancel", "stop"):
        return True
    code = getattr(callback, "__code__", None)
    return code is not None and bool({"cancel", "stop"}.intersection(code.co_names))


def watch_loops() -> None:
    """Loops: what they are run for, and timers that cancel."""

    def run(original: Any) -> Any:
        def run_until_complete(self: Any, future: Any) -> Any:
            WATCH.driven()
            WATCH.mains.append(future)
            try:
                return original(self, future)
            finally:
                WATCH.mains.pop()

        return run_until_complete

    def later(original: Any) -> Any:
        def call(self: Any, when: float, callback: Any, *given: Any, **named: Any) -> Any:
            handle = original(self, when, callback, *given, **named)
            if _cancels(callback):
                pending = weak(handle)
                seconds = when if original.__name__ == "call_later" else when - self.time()
                WATCH.arm("loop.call_later", seconds, alive=lambda: _is_pending(pending()))
            return handle

        return call

    loops = [asyncio.BaseEventLoop, getattr(_optional("uvloop"), "Loop", None)]
    for cls in filter(None, loops):
        _replace(cls, "run_until_complete", run)
        _replace(cls, "call_at", later)
        if cls is not asyncio.BaseEventLoop:  # whose call_later uses call_at
            _replace(cls, "call_later", later)
    trio = _optional("trio")
    if trio is not None:

        def run_trio(original: Any) -> Any:
            def run(*given: Any, **named: Any) -> Any:
                WATCH.driven()
                return original(*given, **named)

            return run

        _replace(trio, "run", run_trio)
        trio._core.run = trio.run


def _is_pending(handle: Any) -> bool:
    return handle is not None and not handle.cancelled()


def watch_outside() -> None:
    """Timers outside the loop: signals, threads, faulthandler."""

    def itimer(original: Any) -> Any:
        def setitimer(which: int, seconds: float, interval: float = 0.0) -> Any:
            before = original(which, seconds, interval)
            WATCH.arm("signal.setitimer", seconds, key=which, in_loop=False) if seconds else WATCH.disarm(
                which
            )
            return before

        return setitimer

    def plain(original: Any) -> Any:
        def alarm(seconds: int) -> Any:
            before = original(seconds)
            which = signal.ITIMER_REAL
            WATCH.arm("signal.alarm", seconds, key=which, in_loop=False) if seconds else WATCH.disarm(which)
            return before

        return alarm

    def start(original: Any) -> Any:
        def start(self: threading.Timer) -> None:
            waiting = weakref.ref(self)
            WATCH.arm("threading.Timer", self.interval, alive=lambda: _is_waiting(waiting()), in_loop=False)
            original(self)

        return start

    def dump(original: Any) -> Any:
        def dump_traceback_later(timeout: float, *given: Any, **named: Any) -> Any:
            if named.get("exit"):
                WATCH.arm("faulthandler", timeout, key=faulthandler, in_loop=False)
            return original(timeout, *given, **named)

        return dump_traceback_later

    _replace(signal, "setitimer", itimer)
    _replace(signal, "alarm", plain)
    _replace(threading.Timer, "start", start)
    _replace(faulthandler, "dump_traceback_later", dump)


def _is_waiting(timer: threading.Timer | None) -> bool:
    return timer is not None and not timer.finished.is_set()


def watch_everything() -> None:
    """Stand in for all functions that arm timers, in this process, for good."""
    for watch in (watch_timeouts, watch_waits, watch_cancel_scopes, watch_loops, watch_outside):
        watch()
