"""What ``oracle.py`` knows of each timer: who armed it, what it can end, and the test it is round."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import os
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

TEST_DIRECTORIES = frozenset({"test", "tests", "_tests"})
TEST_FILES = ("conftest.py", "test_*.py", "*_test.py")
OWN_FILES = frozenset(path.as_posix() for path in Path(__file__).parent.glob("oracle*.py"))

# Files, or functions in them, that pass a call on: who called them is asked instead.
FORWARDING_MODULES = frozenset({contextlib.__file__, functools.__file__})
FORWARDING_FILES = ("/asyncio/runners.py", "/anyio/_core/_tasks.py", "/uvloop/__init__.py")
FORWARDING_FUNCTIONS = {
    "asyncio/base_events.py": ("BaseEventLoop.call_later", "BaseEventLoop.run_until_complete"),
    "anyio/_core/_eventloop.py": ("run",),
    "anyio/_backends/_asyncio.py": ("AsyncIOBackend.run",),
    "anyio/_backends/_trio.py": ("TrioBackend.run", "CancelScope."),
    "trio/_core/_run.py": ("run",),
    "trio/_timeouts.py": ("fail_after", "fail_at", "move_on_after", "move_on_at"),
}
# Functions that are recorded themselves, so what they arm inside is the same timer again, and sleeps.
RECORDED_ANYWAY = {
    "asyncio/tasks.py": ("wait_for", "as_completed", "_AsCompletedIterator."),
    "asyncio/timeouts.py": ("Timeout.",),
    "async_timeout/__init__.py": ("Timeout.",),
    "anyio/_backends/_asyncio.py": ("CancelScope.",),
    "trio/_timeouts.py": ("sleep_until",),
}


@dataclass(eq=False)
class Arming:
    """One timer: what armed it, and what it can end."""

    kind: str
    seconds: float | None
    in_loop: bool
    file: str
    line: int
    below_test: bool
    thread: int
    context: str  # sync, task or callback
    task: Callable[[], Any]
    is_main: bool
    alive: Callable[[], bool] = lambda: True
    open: bool = True

    def is_live(self) -> bool:
        """Whether it still runs."""
        return self.open and self.alive()


@dataclass
class Run:
    """One run of one test."""

    item: pytest.Item
    code: CodeType | None
    is_async: bool
    thread: int = field(default_factory=threading.get_ident)
    task: Callable[[], Any] = lambda: None
    started: bool = False
    drives: str = ""  # itself or helper
    outcomes: set[str] = field(default_factory=set)
    armed: dict[tuple[Any, ...], dict[str, Any]] = field(default_factory=dict)
    elsewhere: dict[tuple[Any, ...], dict[str, Any]] = field(default_factory=dict)


def _names(file: str, code: CodeType, known: Mapping[str, tuple[str, ...]]) -> bool:
    for ending, names in known.items():
        if file.endswith("/" + ending):
            own = code.co_qualname
            return any(own == name or (name.endswith(".") and own.startswith(name)) for name in names)
    return False


@functools.cache
def _forwards(code: CodeType) -> bool:
    file = code.co_filename.replace(os.sep, "/")
    return (
        file in OWN_FILES
        or file.startswith("<")
        or code.co_filename in FORWARDING_MODULES
        or file.endswith(FORWARDING_FILES)
        or _names(file, code, FORWARDING_FUNCTIONS)
    )


@functools.cache
def _is_recorded_anyway(code: CodeType) -> bool:
    return _names(code.co_filename.replace(os.sep, "/"), code, RECORDED_ANYWAY)


def _is_test_file(path: Path) -> bool:
    return any(fnmatch(path.name, pattern) for pattern in TEST_FILES)


def _is_inside(code: CodeType, outer: CodeType | None) -> bool:
    """Whether code is a function's or of one nested in it."""
    if outer is None or code.co_filename != outer.co_filename:
        return False
    return code is outer or code.co_qualname.startswith(f"{outer.co_qualname}.<locals>.")


def _caller(frame: FrameType | None) -> FrameType | None:
    """The nearest frame that does not merely pass a call on; None inside a recorded function."""
    while frame is not None and _forwards(frame.f_code):
        frame = frame.f_back
    return None if frame is None or _is_recorded_anyway(frame.f_code) else frame


def weak(thing: Any) -> Callable[[], Any]:
    """A reference that does not keep alive what it refers to, where that can be had."""
    try:
        return weakref.ref(thing)
    except TypeError:
        return lambda: thing


def _finite(seconds: Any) -> float | None:
    known = isinstance(seconds, (int, float)) and math.isfinite(seconds)
    return max(0.0, round(float(seconds), 3)) if known else None


class Watch:
    """All timers that run, and the test that runs."""

    def __init__(self) -> None:
        self.live: list[Arming] = []
        self.keyed: dict[object, Arming] = {}
        self.mains: list[Any] = []
        self.run: Run | None = None
        self.code_of = CodeOwners()

    def arm(
        self,
        kind: str,
        seconds: Any,
        *,
        key: object = None,
        alive: Callable[[], bool] | None = None,
        in_loop: bool = True,
    ) -> None:
        """Record a timer; ``key`` is what ``disarm`` is told."""
        frame = _caller(sys._getframe(1))
        if frame is None:
            return
        context, task, is_main = self._task()
        arming = Arming(
            kind, _finite(seconds), in_loop, frame.f_code.co_filename, frame.f_lineno,
            self._is_below_test(frame), threading.get_ident(), context, task, is_main,
        )  # fmt: skip
        if alive is not None:
            arming.alive = alive
        if key is not None:
            self.disarm(key)
            self.keyed[key] = arming
        self.live.append(arming)
        if self.run is not None and (arming.below_test or self.run.started):
            self._record(arming, self.run, "body")

    def disarm(self, key: object) -> None:
        """The timer known by ``key`` ends nothing any more."""
        arming = self.keyed.pop(key, None)
        if arming is not None:
            arming.open = False

    def _is_below_test(self, frame: FrameType | None) -> bool:
        code = self.run.code if self.run is not None else None
        while frame is not None and code is not None:
            if frame.f_code is code:
                return True
            frame = frame.f_back
        return False

    def _task(self) -> tuple[str, Callable[[], Any], bool]:
        """Where this thread is: outside all loops, in a task (is it the loop's main one?), or a callback."""
        task = _trio_task()  # first: trio may be the guest of an asyncio loop
        if task is None and asyncio._get_running_loop() is not None:
            task = asyncio.current_task()
            if task is None:
                return "callback", lambda: None, False
        return (
            ("task", weak(task), self._is_main(task)) if task is not None else ("sync", lambda: None, False)
        )

    def _is_main(self, task: Any) -> bool:
        """Whether a loop is being run until this task is done."""
        runner = getattr(_trio_run_context(), "runner", None)
        if runner is not None and task is getattr(runner, "main_task", None):
            return True
        coroutine = task.get_coro() if hasattr(task, "get_coro") else task
        return any(main is task or main is coroutine for main in self.mains)

    def start(self, run: Run) -> None:
        """The test function's first line is about to run: what runs now, and can end it, is round it."""
        run.started = True
        run.task = self._task()[1]
        self.live = [arming for arming in self.live if arming.is_live()]
        for arming in self.live:
            self._record(arming, run, "around")

    def _record(self, arming: Arming, run: Run, where: str) -> None:
        why = self._why_not(arming, run, where)
        told = {
            "kind": arming.kind,
            "seconds": arming.seconds,
            "path": self.code_of.shown(arming.file),
            "line": arming.line,
            "in_loop": arming.in_loop,
            **({"why": why} if why else {"where": where}),
        }
        kept = run.elsewhere if why else run.armed
        kept.setdefault((arming.kind, arming.file, arming.line, arming.seconds, why), told)

    def _why_not(self, arming: Arming, run: Run, where: str) -> str:
        """Why a timer is not round the test; empty if it is."""
        if not self.code_of.is_test_code(arming.file):
            return "armed by other code than the tests'"
        if arming.thread != run.thread:
            return "another thread"
        if where == "body":
            own = arming.below_test and (run.is_async or arming.context == "sync" or arming.is_main)
            return "" if own else "another task, or after the test"
        if arming.context == "sync":
            return ""
        task = arming.task()
        if task is not None and task is run.task():
            return ""
        if task is not None and self._is_main(task):
            return ""
        return "another task, or one that has ended"

    def driven(self) -> None:
        """A loop is being run by the caller."""
        frame = _caller(sys._getframe(1))
        run = self.run
        if run is None or frame is None or not self._is_below_test(frame):
            return
        if self.code_of.is_test_code(frame.f_code.co_filename):
            run.drives = "itself" if _is_inside(frame.f_code, run.code) else run.drives or "helper"


def _trio_run_context() -> Any:
    """Trio's state of this thread; None without trio."""
    return getattr(sys.modules.get("trio._core._run"), "GLOBAL_RUN_CONTEXT", None)


def _trio_task() -> Any:
    """The task that trio runs in this thread, else None."""
    return getattr(_trio_run_context(), "task", None)


class CodeOwners:
    """Which files are test code."""

    def __init__(self) -> None:
        self.root = Path.cwd()
        self.plugins: set[str] = set()
        self.modules: set[str] = set()
        self.directories: set[Path] = set()
        self.named: set[Path] = set()
        self._known: dict[str, bool] = {}

    def learn(self, session: pytest.Session, more: list[str]) -> None:
        """What pytest has collected and which plugins it has."""
        config = session.config
        self.root = config.rootpath
        own = str(Path(pytest.__file__).parent.parent / "_pytest")
        files = {getattr(plugin, "__file__", None) for plugin in config.pluginmanager.get_plugins()}
        self.plugins = {
            f for f in files if f and not f.startswith(own) and f.replace(os.sep, "/") not in OWN_FILES
        }
        self.modules = {str(item.path) for item in session.items}
        self.directories = {item.path.parent for item in session.items} - {self.root}
        self.named = {Path(name).resolve() for name in more}
        self._known.clear()

    def is_test_code(self, file: str) -> bool:
        """Whether a file is of the tests, or a pytest plugin."""
        if file not in self._known:
            self._known[file] = self._decide(file)
        return self._known[file]

    def _decide(self, file: str) -> bool:
        if file in self.plugins or file in self.modules:
            return True
        path = Path(file)
        if not self.named.isdisjoint(path.parents):
            return True
        if self.root not in path.parents or "site-packages" in path.relative_to(self.root).parts:
            return False
        if not self.directories.isdisjoint(path.parents) or _is_test_file(path):
            return True
        return not TEST_DIRECTORIES.isdisjoint(path.relative_to(self.root).parts[:-1])

    def shown(self, file: str) -> str:
        """A path relative to the root where it is below it."""
        path = Path(file)
        return path.relative_to(self.root).as_posix() if self.root in path.parents else file


WATCH = Watch()
