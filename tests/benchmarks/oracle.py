"""A pytest plugin that records, per test, which timers were armed round it while it ran.

It is the yardstick for ``asynclint --show-guards``, which says the same without running anything;
``compare_guards.py`` beside it compares the two. It needs pytest 7 to 9 and the standard library,
and runs in the environment of the suite in question:

    cd SUITE
    PYTHONPATH=ASYNCLINT/tests/benchmarks python -m pytest -p oracle --oracle-out=/tmp/armed.jsonl

**Timers**: ``asyncio.timeout`` and ``async_timeout`` that are entered with a deadline or given one
later, ``asyncio.wait_for`` and ``as_completed`` with a number, a cancel scope of anyio or trio with
a finite deadline (``fail_after``, ``move_on_after``, …), ``loop.call_later`` of something that cancels
or stops, ``signal.setitimer`` and ``alarm``, ``threading.Timer``, ``faulthandler.dump_traceback_later``
with ``exit=True``. pytest-timeout uses two of them.

**Round the test** are those that are armed

- by the test's code: the nearest frame that does not merely pass the call on (contextlib,
  ``anyio.fail_after``, …) lies in a file of the tests (below a directory called test, tests or _tests,
  beside a collected module, a conftest) or in a pytest plugin, not in the package under test nor in
  another package, which time their own work. ``--oracle-test-code=DIR`` names further test code, such
  as a package of test bases;
- and either below the test function's own frame, in its own task and thread, or before it and still
  running when the function's first line runs, in a way that can end it: in the task that runs the
  test or the loop's main task, or outside all tasks.

All others are under ``elsewhere``, with the reason. A JSON line per run of a test:

``nodeid``; ``path`` and ``name`` as pytest has them, without parameters; ``code`` (path, line, name) of
the function itself, which for an inherited test lies elsewhere; ``async``; ``drives``: what ran an event
loop below the test: the test ``itself``, a ``helper`` of the tests, or an empty string; ``outcome``
(passed, failed, skipped, xfailed); ``started``: the function was seen to run; ``armed`` and
``elsewhere``: lists of ``kind``, ``seconds`` (null if not a finite number), ``path``, ``line``,
``in_loop``, and ``where`` (``body`` or ``around``) or ``why``. Paths are relative to pytest's rootdir.

**Limits**: a watchdog thread that only sleeps, a timer in another process and one in C code are not
seen; a test whose function is compiled, or hidden by a decorator without ``functools.wraps``, is known
by that decorator; in a sync test, a loop that is run with ``run_forever`` has no main task.
"""

from __future__ import annotations

import functools
import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest
from oracle_timers import watch_everything
from oracle_watch import WATCH, Run


def function_of(item: pytest.Item) -> Any:
    """The test function below its decorators; None where there is none."""
    owner, name = getattr(item, "cls", None), getattr(item, "originalname", None)
    found = getattr(owner, name, None) if owner is not None and name else getattr(item, "obj", None)
    for _ in range(50):
        inner = getattr(getattr(found, "hypothesis", None), "inner_test", None)
        inner = inner or getattr(found, "__wrapped__", None) or getattr(found, "__func__", None)
        if inner is None and isinstance(found, functools.partial):
            inner = found.func
        if inner is None:
            break
        found = inner
    return found if hasattr(found, "__code__") else None


def _begin(item: pytest.Item) -> Run:
    function = function_of(item)
    code: CodeType | None = getattr(function, "__code__", None)
    flags = code.co_flags if code is not None else 0
    is_async = bool(
        flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR | inspect.CO_ITERABLE_COROUTINE)
    )
    return Run(item, code, is_async)


def _line(run: Run) -> dict[str, Any]:
    item, code = run.item, run.code
    owner = getattr(item, "cls", None)
    name = getattr(item, "originalname", None) or item.name.partition("[")[0]
    ranks = ("failed", "skipped", "xfailed", "passed")
    return {
        "nodeid": item.nodeid,
        "path": WATCH.code_of.shown(str(item.path)),
        "name": f"{owner.__qualname__}.{name}" if owner is not None else name,
        "code": code
        and {
            "path": WATCH.code_of.shown(code.co_filename),
            "line": code.co_firstlineno,
            "name": code.co_qualname,
        },
        "async": run.is_async,
        "drives": run.drives,
        "outcome": next((rank for rank in ranks if rank in run.outcomes), "passed"),
        "started": run.started,
        "armed": list(run.armed.values()),
        "elsewhere": list(run.elsewhere.values()),
    }


class Oracle:
    """The hooks."""

    def __init__(self, out: Path, more: list[str]) -> None:
        self.out = out
        self.more = more

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        WATCH.code_of.learn(session, self.more)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        WATCH.run = run = _begin(item)
        yield
        WATCH.run = None
        with self.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(_line(run)) + "\n")

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        run, before = WATCH.run, sys.getprofile()

        def profile(frame: FrameType, event: str, argument: object) -> None:
            if event == "call" and run is not None and frame.f_code is run.code:
                sys.setprofile(before)
                if not run.started:
                    WATCH.start(run)

        if run is not None and run.code is not None:
            sys.setprofile(profile)
        yield
        if sys.getprofile() is profile:
            sys.setprofile(before)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Iterator[None]:
        outcome: Any = yield
        report = outcome.get_result()
        if WATCH.run is not None:
            WATCH.run.outcomes.add("xfailed" if hasattr(report, "wasxfail") else report.outcome)


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--oracle-out`` and ``--oracle-test-code``."""
    group = parser.getgroup("oracle", "which timers are armed round each test")
    group.addoption("--oracle-out", metavar="FILE", default="armed.jsonl", help="where the lines go")
    group.addoption(
        "--oracle-test-code", metavar="DIR", action="append", default=[], help="further test code"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the hooks; the controller of several processes begins the file anew."""
    out = Path(config.getoption("--oracle-out")).absolute()
    if not hasattr(config, "workerinput"):
        out.unlink(missing_ok=True)
    config.pluginmanager.register(Oracle(out, config.getoption("--oracle-test-code")), "oracle-hooks")


watch_everything()
