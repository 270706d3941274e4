"""Names of asyncio, anyio, trio and their test plugins that several rules ask about.

Sources: the asyncio, anyio and trio API references; pytest-timeout, pytest-asyncio, pytest-trio,
tornado and hypothesis documentation.
"""

from __future__ import annotations

# Context managers that end the work inside when time is up.
GUARD_CONTEXTS = frozenset(
    [
        "asyncio.timeout",
        "asyncio.timeout_at",
        "asyncio.Timeout",
        "asyncio.timeouts.timeout",
        "asyncio.timeouts.timeout_at",
        "async_timeout.timeout",
        "async_timeout.timeout_at",
        "anyio.fail_after",
        "anyio.fail_at",
        "anyio.move_on_after",
        "anyio.move_on_at",
        "trio.fail_after",
        "trio.fail_at",
        "trio.move_on_after",
        "trio.move_on_at",
    ]
)
# Of these, the ones that take a point in time rather than a number of seconds.
DEADLINES = frozenset(
    [
        "asyncio.timeout_at",
        "asyncio.Timeout",
        "asyncio.timeouts.timeout_at",
        "async_timeout.timeout_at",
        "anyio.fail_at",
        "anyio.move_on_at",
        "trio.fail_at",
        "trio.move_on_at",
    ]
)
# Parts of words, one of which a module holds wherever it names a guard.
GUARD_WORDS = ("timeout", "wait_for", "fail_a", "move_on_a")
# Of these, the ones that raise nothing when time is up: the work inside ends, and the test goes on.
MOVING_ON = frozenset({"anyio.move_on_after", "anyio.move_on_at", "trio.move_on_after", "trio.move_on_at"})
# Calls that end what they are given when time is up: name -> position of the seconds.
GUARD_CALLS = {
    "asyncio.wait_for": 1,
    "asyncio.tasks.wait_for": 1,
    "asyncio.as_completed": -1,  # by keyword only
    "asyncio.tasks.as_completed": -1,
}
# Calls that wait for each of their arguments.
GATHERING = frozenset({"asyncio.gather", "asyncio.tasks.gather", "asyncio.shield", "asyncio.tasks.shield"})
# Calls that return when time is up, whether or not their work is done.
BOUNDED_CALLS = frozenset({"asyncio.wait", "asyncio.tasks.wait"})
CANCEL_SCOPES = frozenset({"anyio.CancelScope", "trio.CancelScope"})

# What guards raise: anyio's, asyncio's and async_timeout's the builtin TimeoutError, which goes by all
# of these names since Python 3.11, and trio's a class of its own.
TIMEOUT_ERRORS = frozenset(
    [
        "TimeoutError",
        "asyncio.TimeoutError",
        "asyncio.exceptions.TimeoutError",
        "concurrent.futures.TimeoutError",
        "socket.timeout",
    ]
)
TOO_SLOW_ERRORS = frozenset({"trio.TooSlowError"})
# TimeoutError is one of these.
OS_ERRORS = frozenset({"OSError", "IOError", "EnvironmentError", "socket.error"})
# How a guard interrupts the work inside.
CANCELLED_ERRORS = frozenset(
    [
        "asyncio.CancelledError",
        "asyncio.exceptions.CancelledError",
        "trio.Cancelled",
        "anyio.get_cancelled_exc_class",
    ]
)
# Context managers that put what fails inside into an exception group.
TASK_GROUPS = frozenset(
    ["asyncio.TaskGroup", "asyncio.taskgroups.TaskGroup", "anyio.create_task_group", "trio.open_nursery"]
)

# Waits that always end: sleeps (position 0 holds the seconds) and checkpoints.
SLEEPS = frozenset({"asyncio.sleep", "asyncio.tasks.sleep", "anyio.sleep", "trio.sleep"})
# Sleeps until a point in time.
SLEEPS_UNTIL = frozenset({"anyio.sleep_until", "trio.sleep_until"})
CHECKPOINTS = frozenset(
    [
        "anyio.lowlevel.checkpoint",
        "anyio.lowlevel.cancel_shielded_checkpoint",
        "anyio.lowlevel.checkpoint_if_cancelled",
        "trio.lowlevel.checkpoint",
        "trio.lowlevel.cancel_shielded_checkpoint",
        "trio.lowlevel.checkpoint_if_cancelled",
    ]
)

# Waits until every other task waits for something.
SETTLING = frozenset(
    [
        "anyio.wait_all_tasks_blocked",
        "anyio.testing.wait_all_tasks_blocked",
        "trio.testing.wait_all_tasks_blocked",
    ]
)
# Context managers that wait for the tasks started in them, and queues that are full only if given a size.
TASK_GROUPS = frozenset(["asyncio.TaskGroup", "anyio.create_task_group", "trio.open_nursery"])
QUEUES = frozenset(["asyncio.Queue", "asyncio.LifoQueue", "asyncio.PriorityQueue"])

# Functions that drive a loop until their argument is done: name -> what they take.
LOOP_RUNS = {
    "asyncio.run": "coroutine",
    "uvloop.run": "coroutine",
    "anyio.run": "function",
    "trio.run": "function",
}
RUNNERS = frozenset({"asyncio.Runner", "asyncio.runners.Runner"})

# Timers outside the loop: name -> position of the seconds.
TIMERS = {
    "signal.alarm": 0,
    "signal.setitimer": 1,
    "threading.Timer": 0,
    "faulthandler.dump_traceback_later": 0,
}
# What ends the process or interrupts its main thread.
PROCESS_ENDS = frozenset(
    [
        "os._exit",
        "os.abort",
        "os.kill",
        "os.killpg",
        "signal.raise_signal",
        "signal.pthread_kill",
        "_thread.interrupt_main",
    ]
)

BOUNDING_DECORATORS = frozenset(
    [
        "tornado.testing.gen_test",
        "timeout_decorator.timeout",
        "wrapt_timeout_decorator.timeout",
        "func_timeout.func_set_timeout",
        "stopit.threading_timeoutable",
        "stopit.signal_timeoutable",
        "async_timeout_decorator.timeout",
        "asyncio_timeout.timeout",
    ]
)
# Decorators that run the function they wrap and put no bound round it. A trailing dot matches all below.
NEUTRAL_DECORATORS = (
    "unittest.skip", "unittest.skipIf", "unittest.skipUnless", "unittest.expectedFailure",
    "unittest.mock.", "mock.patch", "pytest.fixture", "pytest_asyncio.fixture", "pytest.mark.",
    "hypothesis.", "freezegun.freeze_time", "time_machine.travel", "parameterized.parameterized",
    "ddt.", "respx.mock", "responses.activate", "aioresponses.aioresponses", "vcr.", "moto.",
    "typing.", "typing_extensions.", "functools.wraps", "abc.abstractmethod", "contextlib.",
    "trio.testing.trio_test", "django.test.", "asgiref.sync.async_to_sync", "test.support.",
)  # fmt: skip

# Packages whose functions are told by the tables of this module: whatever else they are handed, they run.
# What pytest-timeout does is told by its marks and settings.
KNOWN_PACKAGES = frozenset(
    [
        "anyio",
        "trio",
        "pytest",
        "_pytest",
        "pytest_asyncio",
        "pytest_timeout",
        "uvloop",
        "sniffio",
        "outcome",
        "hypothesis",
    ]
)

# Test case classes of other packages whose runs are known: name -> runner and whether they bound a test.
TEST_CASES = {
    "unittest.TestCase": ("", False),
    "unittest.case.TestCase": ("", False),
    "unittest.IsolatedAsyncioTestCase": ("asyncio", False),
    "unittest.async_case.IsolatedAsyncioTestCase": ("asyncio", False),
    "aiohttp.test_utils.AioHTTPTestCase": ("asyncio", False),
    "asynctest.TestCase": ("asyncio", False),
    "django.test.TestCase": ("asyncio", False),
    "django.test.SimpleTestCase": ("asyncio", False),
    "django.test.TransactionTestCase": ("asyncio", False),
    "tornado.testing.AsyncTestCase": ("", False),
    "tornado.testing.AsyncHTTPTestCase": ("", False),
    "twisted.trial.unittest.TestCase": ("", True),
}
UNITTEST_CASES = frozenset(name for name in TEST_CASES if name.startswith("unittest."))
PLAIN_BASES = frozenset(
    ["object", "abc.ABC", "typing.Generic", "typing.Protocol", "enum.Enum", "unittest.mock.Mock"]
)

# Calls that start a task and return it (or its concurrent.futures twin).
SPAWNS = frozenset(
    [
        "asyncio.create_task",
        "asyncio.ensure_future",
        "asyncio.run_coroutine_threadsafe",
        "asyncio.tasks.create_task",
        "asyncio.tasks.ensure_future",
        "asyncio.tasks.run_coroutine_threadsafe",
    ]
)
SPAWN_METHODS = frozenset({"create_task", "ensure_future"})
# Context managers in which an exception is expected, by their last names
# (https://docs.pytest.org/en/stable/reference/reference.html#pytest-raises, unittest.TestCase).
EXPECTING = frozenset({"raises", "assertRaises", "assertRaisesRegex", "RaisesGroup", "raises_regex"})

LOOP_GETTERS = frozenset(
    [
        "asyncio.get_event_loop",
        "asyncio.get_running_loop",
        "asyncio.new_event_loop",
        "uvloop.new_event_loop",
        "asyncio.events.get_event_loop",
        "asyncio.events.get_running_loop",
        "asyncio.events.new_event_loop",
    ]
)
# Methods of a task that only look at it or hang something on it.
TASK_INSPECTION = frozenset(
    [
        "done",
        "cancelled",
        "get_name",
        "set_name",
        "get_coro",
        "get_stack",
        "print_stack",
        "get_loop",
        "get_context",
        "remove_done_callback",
        "cancelling",
        "uncancel",
    ]
)

# Calls of asyncio that give back, or wait for, what they are given; methods that are called by their class.
PASSED_ON = (".wait_for", ".ensure_future", ".as_completed", ".wrap_future")
UNBOUND = ("asyncio.Task.", "asyncio.Future.")
# Builtins that only look at what they are given.
LOOKING_CALLS = frozenset(
    [
        "print",
        "repr",
        "str",
        "id",
        "type",
        "bool",
        "isinstance",
        "hash",
        "len",
        "format",
        "hasattr",
        "any",
        "all",
    ]
)
# Builtins whose result holds what they are given.
PASSING_CALLS = frozenset(
    ["list", "set", "tuple", "frozenset", "dict", "iter", "next", "sorted", "reversed", "zip", "enumerate"]
)
CONTAINERS = frozenset({"list", "set", "dict", "deque", "defaultdict", "OrderedDict", "WeakSet"})
# Methods of containers: those that put their argument in, give back what is inside, or only look.
CONTAINER_TAKES = frozenset({"append", "add", "appendleft", "extend", "insert", "update"})
CONTAINER_PARTS = frozenset({"pop", "popleft", "popitem", "get", "keys", "values", "items", "copy", "union"})
CONTAINER_LOOKS = CONTAINER_TAKES | {
    "clear",
    "remove",
    "discard",
    "count",
    "index",
    "sort",
    "reverse",
}
# Builtins that want a value, and can do nothing with a coroutine.
VALUE_CALLS = frozenset(
    ["len", "int", "float", "sum", "min", "max", "sorted", "list", "tuple", "set", "dict", "bytes", "next",
     "iter", "enumerate", "zip", "any", "all", "abs", "round", "reversed"]
)  # fmt: skip
# Methods by which a coroutine is driven or ended by hand.
DRIVING = frozenset({"send", "throw", "close", "__await__"})
# Builtins that look at whatever they are given.
ASKING = frozenset({"isinstance", "bool", "str", "repr", "format", "print"})
# Plugins that run async tests or async fixtures which bear no mark of pytest-asyncio's.
RUNNING_PLUGINS = (
    "alt-pytest-asyncio",
    "pytest-aiohttp",
    "pytest-asyncio-cooperative",
    "pytest-curio",
    "pytest-sanic",
    "pytest-tornado",
    "pytest-tornasync",
    "pytest-trio",
    "pytest-twisted",
)
# Methods that do their work at once, and give something that may be awaited besides:
# aiohttp's ClientResponse.release, tornado's WebSocketHandler.write_message.
EAGER_METHODS = frozenset({"release", "write_message"})
# Assertions of unittest.TestCase that look at a value
# (https://docs.python.org/3/library/unittest.html#unittest.TestCase.debug).
UNITTEST_ASSERTIONS = frozenset(
    [
        "assertAlmostEqual",
        "assertCountEqual",
        "assertDictEqual",
        "assertEqual",
        "assertFalse",
        "assertGreater",
        "assertGreaterEqual",
        "assertIn",
        "assertIs",
        "assertIsInstance",
        "assertIsNone",
        "assertIsNot",
        "assertIsNotNone",
        "assertLess",
        "assertLessEqual",
        "assertListEqual",
        "assertMultiLineEqual",
        "assertNotAlmostEqual",
        "assertNotEqual",
        "assertNotIn",
        "assertNotIsInstance",
        "assertNotRegex",
        "assertRegex",
        "assertSequenceEqual",
        "assertSetEqual",
        "assertTrue",
        "assertTupleEqual",
    ]
)
