"""The small suite that the run-time oracle is tried on: each test says what is armed round it."""

from __future__ import annotations

PACKAGE = """
    import asyncio

    async def fetch():
        async with asyncio.timeout(5):
            await asyncio.sleep(0)

    async def patient(what):
        return await asyncio.wait_for(what, 5)

    def run(what):
        return asyncio.run(what)
"""

CONFTEST = """
    import asyncio, signal, threading
    import pytest

    @pytest.fixture
    def alarmed():
        signal.alarm(60)
        yield
        signal.alarm(0)

    @pytest.fixture(scope="module")
    def alarmed_for_long():
        signal.setitimer(signal.ITIMER_REAL, 60)
        yield
        signal.setitimer(signal.ITIMER_REAL, 0)

    @pytest.fixture
    def watched():
        timer = threading.Timer(60, print)
        timer.start()
        yield
        timer.cancel()

    @pytest.fixture
    def briefly_alarmed():
        signal.alarm(60)
        signal.alarm(0)

    @pytest.fixture
    def set_up():
        asyncio.run(asyncio.wait_for(asyncio.sleep(0), 60))
"""

HELPERS = """
    import asyncio, contextlib, functools

    @contextlib.asynccontextmanager
    async def limited(seconds):
        async with asyncio.timeout(seconds):
            yield

    def bounded(function):
        @functools.wraps(function)
        def run(*args, **kwargs):
            return asyncio.run(asyncio.wait_for(function(*args, **kwargs), 7))
        return run

    def driven(function):
        @functools.wraps(function)
        def run(*args, **kwargs):
            return asyncio.run(function(*args, **kwargs))
        return run

    def cancelled_later(function):
        @functools.wraps(function)
        def run(*args, **kwargs):
            loop = asyncio.new_event_loop()
            task = loop.create_task(function(*args, **kwargs))
            timer = loop.call_later(8, task.cancel)
            try:
                return loop.run_until_complete(task)
            finally:
                timer.cancel()
                loop.close()
        return run

    async def serve():
        async with asyncio.timeout(9):
            await asyncio.sleep(0)
"""

MODULE = """
    import asyncio, contextlib, faulthandler, functools, signal, threading, unittest
    import pytest
    import package
    from asyncio import wait_for as soon
    from helpers import bounded, cancelled_later, driven, limited, serve

    @driven
    async def test_timeout():  # armed: asyncio.timeout 1
        async with asyncio.timeout(1):
            await asyncio.sleep(0)

    @driven
    async def test_timeout_without_a_number():  # armed: nothing
        async with asyncio.timeout(None):
            await asyncio.sleep(0)

    @driven
    async def test_timeout_not_entered():  # armed: nothing
        asyncio.timeout(1)

    @driven
    async def test_rescheduled():  # armed: asyncio.timeout 2
        async with asyncio.timeout(None) as limit:
            limit.reschedule(asyncio.get_running_loop().time() + 2)
            await asyncio.sleep(0)

    @driven
    async def test_wait_for():  # armed: asyncio.wait_for 3
        await soon(asyncio.sleep(0), 3)

    @driven
    async def test_wait_for_ever():  # armed: nothing
        await soon(asyncio.sleep(0), timeout=None)

    @driven
    async def test_gathered():  # armed: asyncio.wait_for 3
        await asyncio.gather(asyncio.wait_for(asyncio.sleep(0), timeout=3))

    @driven
    async def test_stack():  # armed: asyncio.timeout 4
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(asyncio.timeout(4))

    @driven
    async def test_helper():  # armed: asyncio.timeout 5
        async with limited(5):
            await asyncio.sleep(0)

    @driven
    async def test_partial():  # armed: asyncio.wait_for 6
        await functools.partial(asyncio.wait_for, timeout=6)(asyncio.sleep(0))

    @driven
    async def test_nested_function():  # armed: asyncio.timeout 4
        async def inner():
            async with asyncio.timeout(4):
                await package.fetch()
        await inner()

    @driven
    async def test_each():  # armed: asyncio.as_completed 6
        for done in asyncio.as_completed([asyncio.sleep(0)], timeout=6):
            await done

    @driven
    async def test_cancelled():  # armed: loop.call_later 6
        timer = asyncio.get_running_loop().call_later(6, asyncio.current_task().cancel)
        await asyncio.sleep(0)
        timer.cancel()

    @driven
    async def test_called_back():  # armed: nothing
        timer = asyncio.get_running_loop().call_later(6, print)
        await asyncio.sleep(0)
        timer.cancel()

    @driven
    async def test_package_times_itself():  # armed: nothing
        await package.fetch()
        await package.patient(asyncio.sleep(0))

    @driven
    async def test_other_task():  # armed: nothing
        await asyncio.create_task(serve())

    @driven
    async def test_nothing():  # armed: nothing
        await asyncio.sleep(0)

    @bounded
    async def test_decorated():  # armed: asyncio.wait_for 7
        await asyncio.sleep(0)

    @cancelled_later
    async def test_decorator_cancels():  # armed: loop.call_later 8
        await asyncio.sleep(0)

    def test_sync():  # armed: asyncio.timeout 9
        async def main():
            await package.fetch()
            async with asyncio.timeout(9):
                await asyncio.sleep(0)
        asyncio.run(main())

    def test_sync_with_a_task():  # armed: nothing
        async def main():
            await asyncio.create_task(serve())
        asyncio.run(main())

    def test_sync_bounded():  # armed: asyncio.wait_for 2
        asyncio.run(asyncio.wait_for(asyncio.sleep(0), 2))

    def test_helper_drives():  # armed: nothing
        driven(asyncio.sleep)(0)

    def test_package_drives():  # armed: nothing
        package.run(asyncio.sleep(0))

    def test_thread():  # armed: nothing
        thread = threading.Thread(target=lambda: asyncio.run(serve()))
        thread.start()
        thread.join()

    def test_alarm(alarmed):  # armed: signal.alarm 60
        asyncio.run(asyncio.sleep(0))

    def test_module_alarm(alarmed_for_long):  # armed: signal.setitimer 60
        asyncio.run(asyncio.sleep(0))

    @driven
    async def test_module_alarm_again(alarmed_for_long):  # armed: signal.setitimer 60
        await asyncio.sleep(0)

    def test_brief_alarm(briefly_alarmed):  # armed: nothing
        asyncio.run(asyncio.sleep(0))

    @driven
    async def test_watched(watched):  # armed: threading.Timer 60
        await asyncio.sleep(0)

    @driven
    async def test_set_up(set_up):  # armed: nothing
        await asyncio.sleep(0)

    @driven
    async def test_own_timer():  # armed: faulthandler 60, threading.Timer 50
        faulthandler.dump_traceback_later(60, exit=True)
        timer = threading.Timer(50, print)
        timer.start()
        timer.cancel()
        faulthandler.cancel_dump_traceback_later()

    @pytest.mark.parametrize("seconds", [None, 5])
    @driven
    async def test_parametrized(seconds):  # armed: asyncio.timeout 5
        async with asyncio.timeout(seconds):
            await asyncio.sleep(0)

    class Case(unittest.IsolatedAsyncioTestCase):
        async def asyncSetUp(self):
            await asyncio.wait_for(asyncio.sleep(0), 60)
            self.server = asyncio.create_task(serve())

        async def asyncTearDown(self):
            await asyncio.wait_for(self.server, 60)

        async def test_nothing_in_case(self):  # armed: nothing
            await asyncio.sleep(0)

        async def test_timeout_in_case(self):  # armed: asyncio.timeout 1
            async with asyncio.timeout(1):
                await asyncio.sleep(0)

    class TestInherited(Case):
        def _callTestMethod(self, method):
            signal.setitimer(signal.ITIMER_REAL, 60)
            super()._callTestMethod(method)
            signal.setitimer(signal.ITIMER_REAL, 0)

        async def test_alarmed_case(self):  # armed: signal.setitimer 60
            await asyncio.sleep(0)
"""

ANYIO = """
    import anyio, anyio.lowlevel, math, pytest

    @pytest.fixture(params=BACKENDS, autouse=True)
    def anyio_backend(request):
        return request.param

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    async def bounded():
        with anyio.fail_after(9):
            yield

    async def test_fail_after():  # armed: cancel scope 1
        with anyio.fail_after(1):
            await anyio.lowlevel.checkpoint()

    async def test_move_on_after():  # armed: cancel scope 2
        with anyio.move_on_after(2):
            await anyio.lowlevel.checkpoint()

    async def test_moved_deadline():  # armed: cancel scope 3
        with anyio.CancelScope() as scope:
            scope.deadline = anyio.current_time() + 3
            await anyio.lowlevel.checkpoint()

    async def test_deadline_of_a_group():  # armed: cancel scope 4
        async with anyio.create_task_group() as group:
            group.cancel_scope.deadline = anyio.current_time() + 4

    async def test_after_the_group():  # armed: nothing
        await anyio.lowlevel.checkpoint()

    async def test_no_deadline():  # armed: nothing
        with anyio.CancelScope(), anyio.fail_after(None), anyio.move_on_after(math.inf):
            await anyio.lowlevel.checkpoint()

    async def test_sleep():  # armed: nothing
        await anyio.sleep(0.001)

    async def test_child():  # armed: nothing
        async def child():
            with anyio.fail_after(1):
                await anyio.lowlevel.checkpoint()
        async with anyio.create_task_group() as group:
            group.start_soon(child)

    async def test_fixture(bounded):  # armed: cancel scope 9
        await anyio.lowlevel.checkpoint()

    async def test_package():  # armed: nothing
        async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
            port = listener.extra(anyio.abc.SocketAttribute.local_port)
            await (await anyio.connect_tcp("127.0.0.1", port)).aclose()
"""
