"""Where the time of a run goes: ``--profile`` puts a clock round what does the work; other runs pay nothing.

Each second is counted once, for the innermost stage that it is spent in.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asynclint.rule import Check

REST = "everything else"
SLOWEST = 8  # rules that are named


class Clock:
    """CPU seconds by stage; a stage that begins inside another stops that one's time."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._stages = [REST]
        self._since = time.process_time()

    def switch(self, stages: list[str]) -> None:
        """What ran until now was the stage on top; from here on it is the last of ``stages``."""
        now = time.process_time()
        stage = self._stages[-1]
        self.seconds[stage] = self.seconds.get(stage, 0) + now - self._since
        self._stages, self._since = stages, now

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with a clock round each call."""

        @wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            before = self._stages
            self.switch([*before, stage])
            try:
                return function(*args, **kwargs)
            finally:
                self.switch(before)

        return run


@contextmanager
def profiling() -> Iterator[None]:
    """Time what runs inside, in this process, and print the table on standard error."""
    clock = _profiled()
    try:
        yield
    finally:
        sys.stderr.writelines(f"{line}\n" for line in table(clock))


def _profiled() -> Clock:
    """A clock that runs from now on, and until the process ends."""
    from asynclint.output.report import Report
    from asynclint.project.cache import Caches
    from asynclint.project.index.infer import Inference
    from asynclint.rule import all_rules
    from asynclint.source.pairing import PairedTree
    from asynclint.source.text import SourceText
    from asynclint.source.walk import Walk

    clock = Clock()
    stages: dict[str, list[tuple[type, str]]] = {
        "parse": [(SourceText, "parse")],
        "outline": [(Walk, "run")],
        "index": [(Inference, "value")],
        "trees": [(PairedTree, "__init__")],
        "cache": [(Caches, "find"), (Caches, "keep"), (Caches, "learn"), (Caches, "save")],
        "output": [(Report, "checked"), (Report, "close")],
    }
    for stage, methods in stages.items():
        for owner, name in methods:
            setattr(owner, name, clock.timed(stage, getattr(owner, name)))
    for rule in all_rules():
        if rule.triggered is not None:
            rule.triggered = clock.timed(f"screen:{rule.code}", rule.triggered)
        if rule.checked is not None:
            rule.checked = clock.timed(f"rules:{rule.code}", _whole(rule.checked))
    return clock


def _whole(check: Check) -> Check:
    """The check, run to its end at once: as a generator it would do its work outside the clock."""
    return lambda subject, project: iter(list(check(subject, project)))


def table(clock: Clock) -> Iterator[str]:
    """Lines that say how long each stage took, and which rules took longest."""
    clock.switch([REST])
    stages, rules = dict[str, float](), dict[str, float]()
    for name, spent in clock.seconds.items():
        stage, _, code = name.partition(":")
        stages[stage] = stages.get(stage, 0) + spent
        if code:
            rules[code] = rules.get(code, 0) + spent
    total = max(sum(stages.values()), 1e-9)
    for stage, spent in _longest_first(stages):
        yield f"{stage:<16}{spent:8.3f} s{100 * spent / total:6.1f} %"
    yield f"{'CPU, in all':<16}{total:8.3f} s"
    slow = ", ".join(f"{code} {spent:.3f} s" for code, spent in _longest_first(rules)[:SLOWEST])
    yield f"slowest rules, screen included: {slow}"


def _longest_first(spent: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(spent.items(), key=lambda item: -item[1])
