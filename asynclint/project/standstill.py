"""Whether a call that can block does: not if it may not wait, or what it waits for has happened."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from asynclint.knowledge.asyncs import TASK_GROUPS
from asynclint.project.index.values import Function
from asynclint.project.names import chain, definition, known
from asynclint.project.project import Project
from asynclint.source.outline import Scope

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
SENDING = ("connect", "create_connection", "send", "write")
FUTURE_MAKERS = frozenset({"submit", "run_coroutine_threadsafe", "start_task_soon"})
# Calls on the same object, before, after which there is nothing to wait for.
SETTLED = {
    "get": {"put", "put_nowait", "empty", "qsize"},
    "wait": {"set", "is_set", "poll", "wait"},
    "result": {"done", "set_result", "set_exception", "cancel", "cancelled", "add_done_callback"},
    "exception": {"done", "set_result", "set_exception", "cancel", "cancelled", "add_done_callback"},
    "join": {"is_alive", "terminate", "kill"},
    "communicate": {"kill", "terminate", "send_signal"},
    "acquire": {"release", "locked"},
}
STOPS = re.compile(
    r"^_*(a?close|stop|shut_?down|cancel|terminate|kill|disconnect|tear_?down|quit|finish|dispose|abort|exit|set"
    r"|send_signal|release|put_nowait|call_soon_threadsafe)(_|$)",
    re.IGNORECASE,
)
STOP_FLAG = re.compile(r"stop|exit|quit|done|running|clos|shut|finish|alive|kill|end", re.IGNORECASE)


def ends_at_once(name: str, call: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether a call of something that can block returns at once, as far as the text tells."""
    if _is_forbidden(name, call) or _is_settled(call, scope):
        return True
    if name.endswith((".connect", "create_connection")):
        return _is_near(name, call)
    if WAITING_SOCKET.match(name):
        if _comes_from_outside(call, scope) or _never_waits(call, scope):
            return True
        sent = any(_name(other).startswith(SENDING) for other in _before(call, scope))
        return sent or _waited(scope, before=call)
    if name.startswith("socket.get"):
        return _is_local(call)
    if name == "os.waitpid":
        return len(call.args) > 1 and not _is_number(call.args[1], 0)
    if name.endswith(".put"):
        return not _is_bounded(call, scope, project)
    if name.endswith(".acquire"):
        return _is_fresh(call, scope)
    if name.endswith((".result", ".exception")) and not _is_made_here(call, scope):
        return True
    if THREADS.match(name):
        return _is_over(call, scope, project)
    return bool(PROCESSES.match(name)) and _is_told_to_stop(call, scope)


def _receiver(call: ast.Call) -> str:
    return ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""


def _argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    given = next((keyword.value for keyword in call.keywords if keyword.arg == name), None)
    return call.args[position] if given is None and len(call.args) > position else given


def _is_number(expr: ast.expr | None, number: float) -> bool:
    return isinstance(expr, ast.Constant) and not isinstance(expr.value, str) and expr.value == number


def _is_forbidden(name: str, call: ast.Call) -> bool:
    """``queue.get(block=False)``, ``lock.acquire(timeout=0)``, ``time.sleep(0)``."""
    forbid, seconds = FORBID.get(name), SECONDS.get(name)
    if forbid is not None and _is_number(_argument(call, *forbid), 0):  # False is 0
        return True
    return seconds is not None and _is_number(_argument(call, *seconds), 0)


def _before(call: ast.Call, scope: Scope) -> Iterator[ast.Call]:
    return (other for other in scope.facts.calls if other.lineno <= call.lineno and other is not call)


def _is_settled(call: ast.Call, scope: Scope) -> bool:
    """``queue.put(1)`` and then ``queue.get()``; ``future.done()`` and then ``future.result()``."""
    settling = SETTLED.get(call.func.attr, set()) if isinstance(call.func, ast.Attribute) else set()
    if not settling:
        return False
    assert isinstance(call.func, ast.Attribute)
    receiver = _receiver(call)
    for other in _before(call, scope):
        if isinstance(other.func, ast.Attribute) and other.func.attr in settling:
            if ast.unparse(other.func.value) == receiver:
                return True
        elif call.func.attr in ("result", "exception") and any(
            ast.unparse(argument) == receiver for argument in other.args
        ):
            return True  # await asyncio.wrap_future(future), concurrent.futures.wait([future])
    return False


# -- sockets


def _is_near(name: str, call: ast.Call) -> bool:
    """A connection to this machine, which its kernel makes at once."""
    if not call.args or "getsockname" in ast.unparse(call.args[0]) or _is_local(call):
        return True
    host = call.args[0].elts[0] if isinstance(call.args[0], ast.Tuple) and call.args[0].elts else None
    return name.endswith(".connect") and not isinstance(host, ast.Constant)  # a server that the test started


def _is_local(call: ast.Call) -> bool:
    """``("127.0.0.1", port)``, ``"localhost"``: no name server is asked."""
    if not call.args or "NUMERIC" in ast.unparse(call):
        return bool(call.args)
    host = call.args[0].elts[0] if isinstance(call.args[0], ast.Tuple) and call.args[0].elts else call.args[0]
    if isinstance(host, ast.Constant):
        return host.value is None or (isinstance(host.value, str) and bool(LOCAL.match(host.value)))
    return False


def _comes_from_outside(call: ast.Call, scope: Scope) -> bool:
    """A socket that a function is given: nobody sees whether it waits."""
    assert isinstance(call.func, ast.Attribute)
    receiver = call.func.value
    found = scope.lookup(receiver.id) if isinstance(receiver, ast.Name) else None
    return found is None or any(binding.kind == "param" for binding in found[1])


def _never_waits(call: ast.Call, scope: Scope) -> bool:
    """``sock.setblocking(False)`` somewhere in the function, or an ``except BlockingIOError``."""
    receiver = _receiver(call)
    unit = [outer for outer in scope.around() if outer.is_function][-1]
    for inner in unit.nested():
        for other in inner.facts.calls:
            if isinstance(other.func, ast.Attribute) and ast.unparse(other.func.value) == receiver:
                if other.func.attr == "setblocking" and not _is_number(_argument(other, 0, "flag"), 1):
                    return True
                if other.func.attr == "settimeout" and _is_number(_argument(other, 0, "value"), 0):
                    return True
    return any(isinstance(node, ast.Name) and node.id == "BlockingIOError" for node in ast.walk(unit.node))


# -- queues, locks, threads


def _is_bounded(call: ast.Call, scope: Scope, project: Project) -> bool:
    """``queue.Queue(maxsize=1)``: of others one never waits for room."""
    assert isinstance(call.func, ast.Attribute)
    made = definition(call.func.value, scope, project.modules)
    if made is None or not isinstance(made[0], ast.Call):
        return False
    size = _argument(made[0], 0, "maxsize")
    return isinstance(size, ast.Constant) and isinstance(size.value, int) and size.value > 0


def _is_fresh(call: ast.Call, scope: Scope) -> bool:
    """The first ``acquire()`` of a lock that the function makes itself."""
    receiver = _receiver(call)
    if not any(isinstance(binding.value, ast.Call) for binding in scope.bindings.get(receiver, [])):
        return False
    return not any(
        isinstance(other.func, ast.Attribute)
        and other.func.attr == "acquire"
        and ast.unparse(other.func.value) == receiver
        for other in _before(call, scope)
    )


def _is_made_here(call: ast.Call, scope: Scope) -> bool:
    """``pool.submit(work).result()``, also by a name: other futures may be done, for all one can tell."""
    assert isinstance(call.func, ast.Attribute)
    receiver = call.func.value
    found = scope.lookup(receiver.id) if isinstance(receiver, ast.Name) else None
    made = [binding.value for binding in found[1]] if found is not None else [receiver]
    return all(isinstance(value, ast.Call) and _name(value) in FUTURE_MAKERS for value in made)


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _is_over(call: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether what another thread does is over, or about to be, when it is waited for.

    It was told to stop; or the function has let the loop run before and has nothing left for it to do
    (a task group may have, which is why its tests give a timeout).
    """
    if _is_told_to_stop(call, scope):
        return True
    return (
        _waited(scope, before=call)
        and not _waited(scope, behind=call)
        and (bool(call.args or call.keywords) or not _is_in_group(call, scope, project))
        and not _needs_loop(call, scope, project)
    )


def _waited(scope: Scope, *, before: ast.Call | None = None, behind: ast.Call | None = None) -> bool:
    """Whether a function waits for something before or behind a call."""
    asynchronous = (statement for statement in scope.facts.withs if isinstance(statement, ast.AsyncWith))
    for wait in (*scope.facts.awaits, *scope.facts.async_fors, *asynchronous):
        line = wait.target.lineno if isinstance(wait, ast.comprehension) else wait.lineno
        if (before is not None and line < before.lineno) or (behind is not None and line > behind.lineno):
            return True
    return False


def _is_in_group(call: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether a call stands in the body of a task group, whose tasks then stand still."""
    return any(
        statement.lineno <= call.lineno <= (statement.end_lineno or 0)
        and any(
            isinstance(item.context_expr, ast.Call)
            and known(item.context_expr.func, scope, project.modules, TASK_GROUPS)
            for item in statement.items
        )
        for statement in scope.facts.withs
    )


def _is_told_to_stop(call: ast.Call, scope: Scope) -> bool:
    for other in _before(call, scope):
        if STOPS.search(_name(other)):
            return True
        if _name(other) == "put" and other.args and isinstance(other.args[0], ast.Constant):
            return True  # queue.put(None)
    flags = [target for target, value in scope.facts.attributes if isinstance(value, ast.Constant)]
    return any(target.lineno <= call.lineno and STOP_FLAG.search(target.attr) for target in flags)


def _needs_loop(call: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether the function of a thread waits for what the loop is to do: joining it there never ends."""
    assert isinstance(call.func, ast.Attribute)
    made = definition(call.func.value, scope, project.modules)
    if made is None or not isinstance(made[0], ast.Call):
        return False
    for given in (*made[0].args, *(keyword.value for keyword in made[0].keywords)):
        value = project.inference.value(given, made[1]) if isinstance(given, ast.Name) else None
        if isinstance(value, Function) and _asks_loop(value.scope, project):
            return True
    return False


def _asks_loop(function: Scope, project: Project) -> bool:
    for call in function.facts.calls:
        names = chain(call.func, function, project.modules)
        if any(name.startswith(("anyio.from_thread.", "trio.from_thread.")) for name in names):
            return True
        if "asyncio.run_coroutine_threadsafe" in names and ".result(" in ast.unparse(function.node):
            return True
    return False
