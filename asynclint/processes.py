"""Several processes that do the work of one, and how they take Ctrl-C and the garbage collector."""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

MAX_JOBS = 61  # what Windows allows a pool
# How many items a process is handed at a time, at least and at most. Neighbours ask for the same modules,
# which each process reads for itself; the last chunk is waited for.
CHUNKS = (8, 32)
SHARES = 8  # of the items, that each process gets one after the other

S = TypeVar("S")
T = TypeVar("T")


def spread(items: Sequence[S], work: Callable[[S], T], jobs: int, lost: Callable[[S], T]) -> Iterator[T]:
    """What ``work`` makes of each item, in their order; ``lost`` says it for those a process died with."""
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    done, workers = 0, max(1, min(jobs, len(items), MAX_JOBS))
    chunk = min(max(len(items) // (workers * SHARES), CHUNKS[0]), CHUNKS[1])
    try:
        with ProcessPoolExecutor(workers, initializer=_start_worker) as pool:
            with _deaf_to_interrupts():
                results = pool.map(work, items, chunksize=chunk)
            for result in results:
                done += 1
                yield result
    except BrokenProcessPool:  # killed, or crashed in the interpreter itself
        yield from map(lost, items[done:])


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes started inside never see Ctrl-C: one that dies with a lock in hand blocks the others.

    The parent hears it afterwards; what is under way is finished, what waits is dropped.
    """
    mask = getattr(signal, "pthread_sigmask", None)  # not on Windows, where _start_worker does it
    before = mask(signal.SIG_BLOCK, {signal.SIGINT}) if mask is not None else None
    try:
        yield
    finally:
        if mask is not None:
            mask(signal.SIG_SETMASK, before)


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pause_collector()


def pause_collector() -> None:
    """Collect no cycles: a run keeps its syntax trees, and walking those again takes half the time."""
    gc.disable()


@contextmanager
def spared_by_collector() -> Iterator[None]:
    """Hide what is made inside from the collector of a process that is not ours, for good.

    flake8 collects often; each time all trees of the project would be walked
    (https://docs.python.org/3/library/gc.html#gc.freeze). Nothing of ours waits to be collected; what
    others have left since the last time is, because it would be hidden with the rest.
    """
    enabled = gc.isenabled()
    gc.disable()
    gc.collect()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()
