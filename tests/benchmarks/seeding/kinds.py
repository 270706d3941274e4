"""The kinds of faults."""

from __future__ import annotations

from dataclasses import dataclass

from seeding.cancellations import reraise
from seeding.generators import aclosing, left_early
from seeding.locks import MAKES_LOCKS, release
from seeding.queues import task_done
from seeding.resources import close, close_on_self
from seeding.source import Sites
from seeding.threads import blocking, threadsafe


@dataclass(frozen=True)
class Kind:
    """A kind of fault: its rule, words of files that can have it, where it can be made, where it shows."""

    code: str
    words: str
    sites: Sites
    where: str = "function"


KINDS = {
    "close": Kind("ASL404", "close|shutdown|abort|wait|communicate|with", close),
    "close_on_self": Kind("ASL404", "close|shutdown|kill|terminate|abort", close_on_self, "module"),
    "release": Kind("ASL501", MAKES_LOCKS, release),
    "threadsafe": Kind("ASL402", "_threadsafe", threadsafe),
    "reraise": Kind("ASL502", "raise", reraise),
    "task_done": Kind("ASL503", "task_done", task_done, "module"),
    "aclosing": Kind("ASL504", "aclos", aclosing),
    "left_early": Kind("ASL504", "async for", left_early),
    "blocking": Kind("ASL403", "sleep|to_thread|run_sync|run_in_executor", blocking),
}
