"""Whether a call that can block does: not if it may not wait, or what it waits for has happened."""

from __future__ import annotations

import ast
import math
import re

from asynclint.project.guards.tests import test_of
from asynclint.project.index.values import Function
from asynclint.project.moments import NEVER, Moments, loops_round, moments
from asynclint.project.names import chain, definition
from asynclint.project.project import Project
from asynclint.project.tasks import sites
from asynclint.source.outline import Scope
from asynclint.source.written import argument, called

LOCAL = re.compile(r"^(localhost|127\.[\d.]+|[\d.]+|[\da-fA-F:]*:[\da-fA-F:.]*|)$")
# Argument that forbids to wait, by position (behind the receiver) and name, and its value that does.
FORBID = {
    "queue.Queue.get": (0, "block"),
    "queue.Queue.put": (1, "block"),
    "_queue.SimpleQueue.get": (0, "block"),
    "multiprocessing.queues.Queue.get": (0, "block"),
    "_thread.LockType.acquire": (0, "blocking"),
    "_thread.lock.acquire": (0, "blocking"),
    "_thread.RLock.acquire": (0, "blocking"),
    "threading.Semaphore.acquire": (0, "blocking"),
    "concurrent.futures._base.Executor.shutdown": (0, "wait"),
    "concurrent.futures.thread.ThreadPoolExecutor.shutdown": (0, "wait"),
    "concurrent.futures.process.ProcessPoolExecutor.shutdown": (0, "wait"),
}
# The argument that is how long to wait; zero doesn't.
SECONDS = {
    "time.sleep": (0, "secs"),
    "select.select": (3, "timeout"),
    "threading.Thread.join": (0, "timeout"),
    "threading.Event.wait": (0, "timeout"),
    "threading.Condition.wait": (0, "timeout"),
    "threading.Barrier.wait": (0, "timeout"),
    "queue.Queue.get": (1, "timeout"),
    "queue.Queue.put": (2, "timeout"),
    "_queue.SimpleQueue.get": (1, "timeout"),
    "threading.Semaphore.acquire": (1, "timeout"),
    "_thread.LockType.acquire": (1, "timeout"),
    "_thread.lock.acquire": (1, "timeout"),
    "_thread.RLock.acquire": (1, "timeout"),
    "concurrent.futures._base.Future.result": (0, "timeout"),
    "concurrent.futures._base.Future.exception": (0, "timeout"),
    "concurrent.futures.wait": (1, "timeout"),
    "subprocess.Popen.wait": (0, "timeout"),
    "multiprocessing.process.BaseProcess.join": (0, "timeout"),
}
# Waits for another thread, and for another process.
THREADS = re.compile(
    r"^(threading\.(Thread|Event|Condition|Barrier)|queue|_queue|concurrent\.futures|multiprocessing\.queues)\."
)
PROCESSES = re.compile(r"^(subprocess\.Popen|multiprocessing\.process)\.")
WAITING_SOCKET = re.compile(r"^_?socket\.socket\.(accept|recv)")
SHORT = 30  # seconds; a wait for no longer is seen to end
SLOW = 0.1  # seconds; loop.slow_callback_duration, docs.python.org, "Developing with asyncio", debug mode
MANY = 1_000  # turns of a loop; more is no brief moment, whatever is slept in each
ANY = "*"  # every socket of a function
FUTURE_MAKERS = frozenset({"submit", "run_coroutine_threadsafe", "start_task_soon"})
# Calls on the same object, before, after which there is nothing to wait for.
SETTLED = {
    "get": {"put", "put_nowait", "empty", "qsize"},
    "wait": {"set", "is_set", "poll", "wait"},
    "result": {"done", "set_result", "set_exception", "cancel", "cancelled", "add_done_callback"},
    "exception": {"done", "set_result", "set_exception", "cancel", "cancelled", "add_done_callback"},
    "join": {"is_alive", "terminate", "kill"},
    "communicate": {"kill", "terminate", "send_signal", "poll", "wait"},
    "acquire": {"release", "locked"},
}


def ends_at_once(name: str, call: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether a call of something that can block returns at once, as far as the text tells."""
    when = moments(scope, project)
    if _is_forbidden(name, call) or _is_settled(call, when):
        return True
    if name == "time.sleep":
        return _is_brief(call, scope, project)
    if name.endswith((".connect", "create_connection")):
        return _is_near(name, call, scope, project)
    if WAITING_SOCKET.match(name):
        if _comes_from_outside(call, scope) or _never_waits(call, scope, project):
            return True
        return when.sent < call.lineno or when.has_waited(call)
    if name.startswith("socket.get"):
        return _is_local(call) or (project.is_test_code(scope.outline.path) and _is_given(call, scope))
    if name == "os.waitpid":
        return len(call.args) > 1 and not _is_number(call.args[1], 0)
    if name.endswith(".put"):
        return not _is_bounded(call, scope, project)
    if name.endswith(".acquire"):
        return _is_fresh(call, scope, when)
    if name.endswith((".result", ".exception")) and not _is_made_here(call, scope):
        return True
    if name == "threading.Barrier.wait" and _is_met(call, scope):
        return True
    if THREADS.match(name):
        return _is_over(call, scope, project)
    return bool(PROCESSES.match(name)) and when.stop <= call.lineno


def _is_brief(call: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether tests let a moment pass, as debug mode does, with no task and no long loop about it.

    What tests call has a tenth of that: who knows how often they do.
    """
    seconds = argument(call, 0, "secs")
    value = seconds.value if isinstance(seconds, ast.Constant) else None
    inside = scope.parent is None or scope.parent.is_function  # as what a server calls
    around, limit = _test_round(scope, project), SLOW
    if around is None and not inside and project.is_test_code(scope.outline.path):
        around, limit = scope, SLOW / 10
    if not isinstance(value, (int, float)) or value >= limit or around is None:
        return False
    tasks = sum(len(sites(inner, project)) for inner in around.nested() if inner.is_function)
    own = around is not scope and not scope.facts.awaits  # task = create_task(work()): nothing runs beside it
    return tasks <= own and value * _times(call, around, project) < limit


def _times(call: ast.Call, around: Scope, project: Project) -> float:
    """How often a function makes a call, by the loops round it that count."""
    times = 1.0
    for node in loops_round(call, around, project):
        turns = _turns(node)
        if not 0 <= turns < MANY:
            return math.inf
        times *= turns
    return times


def _turns(loop: ast.AST) -> int:
    """How often a loop goes round, as far as it is written there; else -1."""
    match loop:
        case ast.For(iter=iterable) | ast.ListComp(generators=[ast.comprehension(iter=iterable)]):
            match iterable:
                case ast.Call(ast.Name("range"), [*_, ast.Constant(int(end))]) if len(iterable.args) < 3:
                    return end
                case ast.Tuple(elts=elements) | ast.List(elts=elements):
                    return len(elements)
    return -1


def _test_round(scope: Scope, project: Project) -> Scope | None:
    """The test that a coroutine function is, or the test that runs it once: ``loop.run(main())``."""
    if test_of(scope, project) is not None:
        return scope
    outer = scope.parent
    if outer is None or not outer.is_function or (outer.is_async and scope.facts.awaits):
        return None
    is_run = len(outer.facts.functions.get(scope.name, ())) == 1
    return _test_round(outer, project) if is_run else None


def _receiver(call: ast.Call) -> str:
    return ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""


def _is_number(expr: ast.expr | None, number: float) -> bool:
    return isinstance(expr, ast.Constant) and not isinstance(expr.value, str) and expr.value == number


def _is_forbidden(name: str, call: ast.Call) -> bool:
    """``queue.get(block=False)``, ``lock.acquire(timeout=0)``, ``time.sleep(0)``."""
    forbid, seconds = FORBID.get(name), SECONDS.get(name)
    if forbid is not None and _is_number(argument(call, *forbid), 0):  # False is 0
        return True
    return seconds is not None and _is_number(argument(call, *seconds), 0)


def has_timeout(name: str, call: ast.Call) -> bool:
    """``event.wait(timeout=1)``, ``thread.join(1)``."""
    given = argument(call, *SECONDS[name]) if name in SECONDS else None
    seconds = given.value if isinstance(given, ast.Constant) else None
    return isinstance(seconds, (int, float)) and seconds <= SHORT


def _is_settled(call: ast.Call, when: Moments) -> bool:
    """``queue.put(1)`` and then ``queue.get()``; ``future.done()`` and then ``future.result()``."""
    method = called(call)
    receiver = _receiver(call) if method in SETTLED else ""
    if not receiver:
        return False
    if any(when.has_called(receiver, name, call) for name in SETTLED[method]):
        return True
    # await asyncio.wrap_future(future)
    return method in ("result", "exception") and when.given.get(receiver, NEVER) <= call.lineno


# -- sockets


def _is_near(name: str, call: ast.Call, scope: Scope, project: Project) -> bool:
    """A connection to this machine, which its kernel makes at once."""
    if not call.args or "getsockname" in ast.unparse(call.args[0]) or _is_local(call):
        return True
    if name.endswith(".connect"):
        return not isinstance(_host(call), ast.Constant)
    return _is_given(call, scope) and project.is_test_code(scope.outline.path)


def _is_local(call: ast.Call) -> bool:
    """``("127.0.0.1", port)``, ``"localhost"``: no name server is asked."""
    if not call.args or "NUMERIC" in ast.unparse(call):
        return bool(call.args)
    host = _host(call)
    if isinstance(host, ast.Constant):
        return host.value is None or (isinstance(host.value, str) and bool(LOCAL.match(host.value)))
    return False


def _is_given(call: ast.Call, scope: Scope) -> bool:
    """A host that isn't written out, nor a parameter: in tests the server that they started."""
    host = _host(call)
    bindings = scope.bindings.get(host.id, ()) if isinstance(host, ast.Name) else ()
    return not isinstance(host, (ast.Constant, type(None))) and all(b.kind != "param" for b in bindings)


def _host(call: ast.Call) -> ast.expr | None:
    """``host`` of ``(host, port)``, and of ``host``."""
    first = call.args[0] if call.args else None
    return first.elts[0] if isinstance(first, ast.Tuple) and first.elts else first


def _comes_from_outside(call: ast.Call, scope: Scope) -> bool:
    """A socket that a function is given: nobody sees whether it waits."""
    assert isinstance(call.func, ast.Attribute)
    receiver = call.func.value
    found = scope.lookup(receiver.id) if isinstance(receiver, ast.Name) else None
    return found is None or any(binding.kind == "param" for binding in found[1])


def _never_waits(call: ast.Call, scope: Scope, project: Project) -> bool:
    """``sock.setblocking(False)`` somewhere in the function, or an ``except BlockingIOError``."""
    unit = [scope, *(outer for outer in scope.around() if outer.is_function)][-1]
    told = project.remembered(("sockets that never wait", unit), lambda: _never_waiting(unit))
    return ANY in told or _receiver(call) in told


def _never_waiting(unit: Scope) -> frozenset[str]:
    found: set[str] = set()
    for inner in unit.nested():
        for call in inner.facts.calls:
            blocking = called(call) == "setblocking" and not _is_number(argument(call, 0, "flag"), 1)
            if blocking or (called(call) == "settimeout" and _is_number(argument(call, 0, "value"), 0)):
                found.add(_receiver(call))
    if any(isinstance(node, ast.Name) and node.id == "BlockingIOError" for node in ast.walk(unit.node)):
        found.add(ANY)
    return frozenset(found)


# -- queues, locks, threads


def _is_bounded(call: ast.Call, scope: Scope, project: Project) -> bool:
    """``queue.Queue(maxsize=1)``: of others one never waits for room."""
    assert isinstance(call.func, ast.Attribute)
    made = definition(call.func.value, scope, project.modules)
    if made is None or not isinstance(made[0], ast.Call):
        return False
    size = argument(made[0], 0, "maxsize")
    return isinstance(size, ast.Constant) and isinstance(size.value, int) and size.value > 0


def _is_fresh(call: ast.Call, scope: Scope, when: Moments) -> bool:
    """The first ``acquire()`` of a lock that the function makes itself."""
    receiver = _receiver(call)
    if not any(isinstance(binding.value, ast.Call) for binding in scope.bindings.get(receiver, [])):
        return False
    return not when.has_called(receiver, "acquire", call)


def _is_made_here(call: ast.Call, scope: Scope) -> bool:
    """``pool.submit(work).result()``, also by a name: other futures may be done, for all one can tell."""
    assert isinstance(call.func, ast.Attribute)
    receiver = call.func.value
    found = scope.lookup(receiver.id) if isinstance(receiver, ast.Name) else None
    made = [binding.value for binding in found[1]] if found is not None else [receiver]
    return all(isinstance(value, ast.Call) and called(value) in FUTURE_MAKERS for value in made)


def _is_over(call: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether what another thread does is over, or about to be, when it is waited for.

    It was told to stop; or the function has let the loop run before and has nothing left for it to do
    (a task group may have, which is why its tests give a timeout); or it is a test that never waits, and
    one sees what the thread does.
    """
    when = moments(scope, project)
    if when.stop <= call.lineno:
        return True
    functions = _thread_functions(call, scope, project)
    has_waited = when.has_waited(call) or (bool(functions) and test_of(scope, project) is not None)
    return (
        has_waited
        and not when.will_wait(call)
        and (bool(call.args or call.keywords) or not when.is_in_group(call))
        and not any(asks_loop(function, project) for function in functions)
    )


def _is_met(call: ast.Call, scope: Scope) -> bool:
    """Whether a plain function inside comes to the same barrier: two threads start together, at once.

    And no coroutine inside, which can't while the loop stands still.
    """
    coming = {
        inner.is_async
        for inner in scope.nested()
        if inner is not scope
        for other in inner.facts.methods.get("wait", ())
        if _receiver(other) == _receiver(call)
    }
    return coming == {False}


def _thread_functions(call: ast.Call, scope: Scope, project: Project) -> list[Scope]:
    """The functions of the project that a thread is made with."""
    func = call.func
    made = definition(func.value, scope, project.modules) if isinstance(func, ast.Attribute) else None
    if made is None or not isinstance(made[0], ast.Call):  # wait(futures) is of no thread, for example
        return []
    given = (*made[0].args, *(keyword.value for keyword in made[0].keywords))
    values = (project.inference.value(one, made[1]) for one in given if isinstance(one, ast.Name))
    return [value.scope for value in values if isinstance(value, Function)]


def asks_loop(function: Scope, project: Project) -> bool:
    """Whether it waits for what the loop is to do: joining its thread there never ends."""
    for call in function.facts.calls:
        names = chain(call.func, function, project.modules)
        if any(name.startswith(("anyio.from_thread.", "trio.from_thread.")) for name in names):
            return True
        if "asyncio.run_coroutine_threadsafe" in names and ".result(" in ast.unparse(function.node):
            return True
    return False
