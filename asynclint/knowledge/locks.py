"""What tasks wait for in turn, and have to give back.

https://docs.python.org/3/library/asyncio-sync.html, https://anyio.readthedocs.io/en/stable/api.html
(Synchronization) and https://trio.readthedocs.io/en/stable/reference-core.html (Lower-level synchronization).
"""

from __future__ import annotations

LOCKS = frozenset(
    f"{module}.{name}"
    for modules, names in (
        ("asyncio asyncio.locks", "Lock Semaphore BoundedSemaphore Condition"),
        ("anyio anyio._core._synchronization", "Lock Semaphore Condition CapacityLimiter"),
        ("trio trio._sync", "Lock StrictFIFOLock Semaphore Condition CapacityLimiter"),
    )
    for module in modules.split()
    for name in names.split()
)
# Methods that can't fail, whatever they are called on: those of containers, events and loggers.
CALM_METHODS = frozenset(
    ["add", "append", "appendleft", "clear", "copy", "count", "debug", "discard", "done", "error",
     "exception", "info", "is_set", "items", "keys", "locked", "monotonic", "notify", "notify_all",
     "perf_counter", "set", "setdefault", "time", "values", "warning"]
)  # fmt: skip
CALM_CALLS = frozenset(
    {"len", "bool", "id", "isinstance", "print", "range", "repr", "str", "type", "list", "set", "dict"}
)
