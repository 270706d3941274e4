"""What runs a function in another thread, and what of asyncio must not be called there.

Sources: https://docs.python.org/3/library/asyncio-dev.html#concurrency-and-multithreading ("almost all
asyncio objects are not thread safe"), and the pages of threading, concurrent.futures, anyio and trio.
"""

from __future__ import annotations

ASYNCIO = "https://docs.python.org/3/library/asyncio-"

# Calls that run one of their arguments in another thread: name -> position and keyword of that.
RUN_IN_THREAD = {
    "threading.Thread": (1, "target"),  # https://docs.python.org/3/library/threading.html#threading.Thread
    "threading.Timer": (1, "function"),
    "_thread.start_new_thread": (0, "function"),
    "asyncio.to_thread": (0, "func"),
    "asyncio.threads.to_thread": (0, "func"),
    "anyio.to_thread.run_sync": (0, "func"),  # https://anyio.readthedocs.io/en/stable/threads.html
    "asgiref.sync.sync_to_async": (0, "func"),  # https://docs.djangoproject.com/en/stable/topics/async/
    "concurrent.futures._base.Executor.submit": (0, "fn"),
    "concurrent.futures.thread.ThreadPoolExecutor.submit": (0, "fn"),
    "concurrent.futures._base.Executor.map": (0, "fn"),
    # "called in a thread belonging to the process that added them", which is the one that did the work
    "concurrent.futures._base.Future.add_done_callback": (0, "fn"),
    "asyncio.events.AbstractEventLoop.run_in_executor": (1, "func"),
    "asyncio.base_events.BaseEventLoop.run_in_executor": (1, "func"),
}
# Of these, methods that only loops have, so that the object needs not be known.
DISTINCT = {"run_in_executor": (1, "func")}
# What a module that runs something in a thread has in it.
THREAD_WORDS = ("hread", "Timer", "sync_to_async", "xecutor")

# Methods that must be called in the thread of the loop, by where their class is defined.
_LOOP = ASYNCIO + "eventloop.html"
_SYNC = ASYNCIO + "sync.html"  # "not thread-safe"
_FUTURE = ASYNCIO + "future.html"
_QUEUE = ASYNCIO + "queue.html"
_STREAM = ASYNCIO + "stream.html"
_PROTOCOL = ASYNCIO + "protocol.html"
UNSAFE = {
    **{
        f"asyncio.events.AbstractEventLoop.{name}": _LOOP
        for name in ("call_soon", "call_later", "call_at", "create_task", "stop", "add_reader", "add_writer",
                     "remove_reader", "remove_writer")
    },
    **{f"_asyncio.Future.{name}": _FUTURE for name in ("set_result", "set_exception", "cancel")},
    **{f"_asyncio.Task.{name}": ASYNCIO + "task.html" for name in ("cancel", "uncancel")},
    **{f"asyncio.futures.Future.{name}": _FUTURE for name in ("set_result", "set_exception", "cancel")},
    **{f"asyncio.tasks.Task.{name}": ASYNCIO + "task.html" for name in ("cancel", "uncancel")},
    **{f"asyncio.locks.Event.{name}": _SYNC for name in ("set", "clear")},
    **{f"asyncio.locks.Condition.{name}": _SYNC for name in ("notify", "notify_all")},
    **{f"asyncio.locks.{name}.release": _SYNC for name in ("Lock", "Semaphore", "BoundedSemaphore")},
    **{f"asyncio.queues.Queue.{name}": _QUEUE for name in ("put_nowait", "get_nowait", "task_done")},
    **{f"asyncio.streams.StreamWriter.{name}": _STREAM for name in ("write", "writelines", "close")},
    **{f"asyncio.streams.StreamReader.{name}": _STREAM for name in ("feed_data", "feed_eof")},
    **{f"asyncio.transports.WriteTransport.{name}": _PROTOCOL for name in ("write", "writelines", "abort")},
    "asyncio.transports.BaseTransport.close": _PROTOCOL,
    "asyncio.transports.DatagramTransport.sendto": _PROTOCOL,
}  # fmt: skip
# Methods that only loops have: the object may be one that nobody sees the making of, if it is called so.
LOOP_METHODS = frozenset({"call_soon", "call_later", "call_at"})
# Functions that want the running loop, which a thread has not.
NEEDS_LOOP = {
    "asyncio.create_task": ASYNCIO + "task.html#asyncio.create_task",
    "asyncio.tasks.create_task": ASYNCIO + "task.html#asyncio.create_task",
    "asyncio.ensure_future": ASYNCIO + "future.html#asyncio.ensure_future",
    "asyncio.tasks.ensure_future": ASYNCIO + "future.html#asyncio.ensure_future",
}
# What gives a thread a loop of its own.
OWN_LOOP = frozenset(
    [
        "asyncio.run",
        "asyncio.Runner",
        "asyncio.runners.Runner",
        "asyncio.new_event_loop",
        "asyncio.events.new_event_loop",
        "asyncio.set_event_loop",
        "asyncio.events.set_event_loop",
        "anyio.run",
        "trio.run",
        "uvloop.run",
        "uvloop.new_event_loop",
    ]
)
RUNS_LOOP = frozenset({"run_until_complete", "run_forever"})
