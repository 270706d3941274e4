"""What holds a socket, a process or a loop until it is closed, what makes it, and what closes it.

What Python itself says was run on 3.11, 3.12 and 3.13 with ``-X dev``; what others say was read in aiohttp
3.13 (``ClientSession.__del__``) and httpx 0.28 (``AsyncClient.__init__``).
"""

from __future__ import annotations

from typing import NamedTuple


class Resource(NamedTuple):
    """One kind of resource, and what reports call it.

    ``makers`` are dotted names, ``methods`` those of an event loop; ``awaited`` where they are coroutine
    functions; ``part`` is its place in the tuple they give. ``closers`` are the methods that end it, ``asks``
    those that only ask it to end, ``parts`` attributes by which the same thing can be closed. It holds
    something once a method of ``works`` is called, or at once. ``footer`` closes it in a ``finally``.
    """

    title: str
    makers: frozenset[str]
    closers: frozenset[str]
    footer: tuple[str, ...]
    harm: str
    methods: frozenset[str] = frozenset()
    awaited: bool = True
    part: int | None = None
    asks: frozenset[str] = frozenset()
    parts: frozenset[str] = frozenset()
    works: frozenset[str] = frozenset()
    cleanup: str = "close"


def _in(modules: str, names: str) -> frozenset[str]:
    return frozenset(f"{module}.{name}" for module in modules.split() for name in names.split())


# https://docs.python.org/3/library/asyncio-stream.html: "unclosed <StreamWriter …>", where the peer has
# closed its side, too.
WRITER = Resource(
    "connection",
    _in("asyncio asyncio.streams", "open_connection open_unix_connection"),
    frozenset({"close"}),
    ("{name}.close()",),
    "its socket stays open until it is collected",
    part=1,
    parts=frozenset({"transport", "_transport"}),
)
# https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.Server: a server that nobody holds goes on
# serving; serve_forever() closes it when it is cancelled. "unclosed <socket.socket …>" when the loop is gone.
SERVER = Resource(
    "server",
    _in("asyncio asyncio.streams", "start_server start_unix_server"),
    frozenset({"close", "serve_forever"}),
    ("{name}.close()",),
    "it goes on listening",
    methods=frozenset({"create_server", "create_unix_server"}),
)
# https://docs.python.org/3/library/asyncio-subprocess.html: "unclosed transport <_UnixSubprocessTransport …>"
# (3.12 and 3.13), after kill() too, unless it is waited for.
PROCESS = Resource(
    "process",
    _in("asyncio asyncio.subprocess", "create_subprocess_exec create_subprocess_shell"),
    frozenset({"wait", "communicate"}),
    ("if {name}.returncode is None:", "    {name}.kill()", "await {name}.wait()"),
    "it may outlive the loop",
    asks=frozenset({"kill", "terminate", "send_signal"}),
    parts=frozenset({"_transport"}),
    cleanup="",
)
# https://docs.python.org/3/library/asyncio-protocol.html: "unclosed transport <…>".
TRANSPORT = Resource(
    "transport",
    frozenset(),
    frozenset({"close", "abort"}),
    ("{name}.close()",),
    "its socket stays open until it is collected",
    methods=frozenset(
        ["create_connection", "create_unix_connection", "create_datagram_endpoint", "connect_read_pipe",
         "connect_write_pipe", "subprocess_exec", "subprocess_shell"]
    ),
    part=0,
)  # fmt: skip
# https://docs.python.org/3/library/asyncio-eventloop.html: "unclosed event loop <…>".
LOOP = Resource(
    "event loop",
    _in("asyncio asyncio.events uvloop", "new_event_loop") | {"asyncio.SelectorEventLoop", "uvloop.Loop"},
    frozenset({"close"}),
    ("{name}.close()",),
    "its selector stays open until it is collected",
    awaited=False,
)
# https://docs.python.org/3/library/asyncio-runner.html: no warning, but tasks, generators and threads of its
# loop are left; it has a loop once something runs in it.
RUNNER = Resource(
    "runner",
    _in("asyncio asyncio.runners", "Runner"),
    frozenset({"close"}),
    ("{name}.close()",),
    "its loop is never shut down",
    awaited=False,
    works=frozenset({"run", "get_loop"}),
)
# https://docs.aiohttp.org/en/stable/client_reference.html: "Unclosed client session", whether used or not.
SESSION = Resource(
    "session",
    _in("aiohttp aiohttp.client", "ClientSession"),
    frozenset({"close", "detach"}),
    ("await {name}.close()",),
    "its connections stay open",
    awaited=False,
    parts=frozenset({"connector", "_connector"}),
)
# https://www.python-httpx.org/async/ (httpx2 has the same class): its pool keeps connections,
# whose transports are then "unclosed".
CLIENT = Resource(
    "client",
    _in("httpx httpx.client httpx2 httpx2.client", "AsyncClient"),
    frozenset({"aclose"}),
    ("await {name}.aclose()",),
    "its connections stay open",
    awaited=False,
    works=frozenset(
        {"get", "options", "head", "post", "put", "patch", "delete", "request", "send", "stream"}
    ),
    cleanup="aclose",
)
RESOURCES = (WRITER, SERVER, PROCESS, TRANSPORT, LOOP, RUNNER, SESSION, CLIENT)

# Arguments by which a resource stands for no connection of its own, or for one that others hold.
BORROWED = {
    # https://www.python-httpx.org/advanced/transports/
    "client": frozenset({"transport", "mounts", "app"}),
}
# Fixtures with which nothing is connected or started, by resource.
MOCKED = {
    # https://colin-b.github.io/pytest_httpx, https://lundberg.github.io/respx
    "client": frozenset({"httpx_mock", "httpx2_mock", "respx_mock"}),
    # https://pytest-subprocess.readthedocs.io/en/latest/usage.html: one fixture by three names
    "process": frozenset({"fp", "fake_process", "fake_subprocess"}),
}
# Modules that do the same in a function that speaks of them.
MOCKING = {"client": frozenset({"respx"})}
# Functions of asyncio that are given a loop, and leave it to others to close it.
LENDING = frozenset({"asyncio.set_event_loop", "asyncio.events.set_event_loop"})
# Ways to drive a coroutine that give back what it returns.
DRIVERS = frozenset({"run_until_complete", "run"})
