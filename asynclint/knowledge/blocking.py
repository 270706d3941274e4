"""Calls that hold up the thread they are made in until something has happened, each with its documentation.

Left out on purpose: what is local and fast, and what tests do all the time: ``open`` and the methods of
files and of ``pathlib``, ``sqlite3``, entering a ``threading.Lock``, ``send`` and ``sendall`` of a socket.
"""

from __future__ import annotations

PYTHON = "https://docs.python.org/3/library/"

# Functions: dotted name -> where it says that they block.
FUNCTIONS = {
    "time.sleep": PYTHON + "time.html#time.sleep",
    "input": PYTHON + "functions.html#input",
    "select.select": PYTHON + "select.html#select.select",
    "signal.sigwait": PYTHON + "signal.html#signal.sigwait",
    "signal.pause": PYTHON + "signal.html#signal.pause",
    # processes
    "subprocess.run": PYTHON + "subprocess.html#subprocess.run",
    "subprocess.call": PYTHON + "subprocess.html#subprocess.call",
    "subprocess.check_call": PYTHON + "subprocess.html#subprocess.check_call",
    "subprocess.check_output": PYTHON + "subprocess.html#subprocess.check_output",
    "subprocess.getoutput": PYTHON + "subprocess.html#subprocess.getoutput",
    "subprocess.getstatusoutput": PYTHON + "subprocess.html#subprocess.getstatusoutput",
    "os.system": PYTHON + "os.html#os.system",
    "os.wait": PYTHON + "os.html#os.wait",
    "os.wait3": PYTHON + "os.html#os.wait3",
    "os.wait4": PYTHON + "os.html#os.wait4",
    "os.waitid": PYTHON + "os.html#os.waitid",
    "os.waitpid": PYTHON + "os.html#os.waitpid",
    # names and connections
    "socket.create_connection": PYTHON + "socket.html#socket.create_connection",
    "socket.getaddrinfo": PYTHON + "socket.html#socket.getaddrinfo",
    "socket.gethostbyname": PYTHON + "socket.html#socket.gethostbyname",
    "socket.gethostbyname_ex": PYTHON + "socket.html#socket.gethostbyname_ex",
    "socket.gethostbyaddr": PYTHON + "socket.html#socket.gethostbyaddr",
    "socket.getnameinfo": PYTHON + "socket.html#socket.getnameinfo",
    "socket.getfqdn": PYTHON + "socket.html#socket.getfqdn",
    "ssl.get_server_certificate": PYTHON + "ssl.html#ssl.get_server_certificate",
    # HTTP
    "urllib.request.urlopen": PYTHON + "urllib.request.html#urllib.request.urlopen",
    "urllib.request.urlretrieve": PYTHON + "urllib.request.html#urllib.request.urlretrieve",
    **{
        f"requests.{name}": "https://requests.readthedocs.io/en/latest/api/#main-interface"
        for name in ("request", "get", "post", "put", "patch", "delete", "head", "options")
    },
    **{
        f"httpx.{name}": "https://www.python-httpx.org/api/#helper-functions"
        for name in ("request", "get", "post", "put", "patch", "delete", "head", "options", "stream")
    },
    "urllib3.request": "https://urllib3.readthedocs.io/en/stable/reference/urllib3.request.html",
    # threads
    "concurrent.futures.wait": PYTHON + "concurrent.futures.html#concurrent.futures.wait",
}

# Methods, by where their class is defined: dotted name -> where it says that they block.
METHODS = {
    "threading.Thread.join": PYTHON + "threading.html#threading.Thread.join",
    "threading.Event.wait": PYTHON + "threading.html#threading.Event.wait",
    "threading.Condition.wait": PYTHON + "threading.html#threading.Condition.wait",
    "threading.Condition.wait_for": PYTHON + "threading.html#threading.Condition.wait_for",
    "threading.Barrier.wait": PYTHON + "threading.html#threading.Barrier.wait",
    "threading.Semaphore.acquire": PYTHON + "threading.html#threading.Semaphore.acquire",
    "_thread.LockType.acquire": PYTHON + "threading.html#threading.Lock.acquire",
    "_thread.lock.acquire": PYTHON + "threading.html#threading.Lock.acquire",
    "_thread.RLock.acquire": PYTHON + "threading.html#threading.RLock",
    "queue.Queue.get": PYTHON + "queue.html#queue.Queue.get",
    "queue.Queue.put": PYTHON + "queue.html#queue.Queue.put",
    "queue.Queue.join": PYTHON + "queue.html#queue.Queue.join",
    "_queue.SimpleQueue.get": PYTHON + "queue.html#queue.SimpleQueue.get",
    "multiprocessing.queues.Queue.get": PYTHON + "multiprocessing.html#multiprocessing.Queue.get",
    "multiprocessing.process.BaseProcess.join": PYTHON + "multiprocessing.html#multiprocessing.Process.join",
    "concurrent.futures._base.Future.result": PYTHON
    + "concurrent.futures.html#concurrent.futures.Future.result",
    "concurrent.futures._base.Future.exception": PYTHON
    + "concurrent.futures.html#concurrent.futures.Future.exception",
    "concurrent.futures._base.Executor.shutdown": PYTHON
    + "concurrent.futures.html#concurrent.futures.Executor.shutdown",
    "concurrent.futures.thread.ThreadPoolExecutor.shutdown": PYTHON
    + "concurrent.futures.html#concurrent.futures.Executor.shutdown",
    "concurrent.futures.process.ProcessPoolExecutor.shutdown": PYTHON
    + "concurrent.futures.html#concurrent.futures.Executor.shutdown",
    "subprocess.Popen.wait": PYTHON + "subprocess.html#subprocess.Popen.wait",
    "subprocess.Popen.communicate": PYTHON + "subprocess.html#subprocess.Popen.communicate",
    "socket.socket.accept": PYTHON + "socket.html#socket.socket.accept",
    "_socket.socket.connect": PYTHON + "socket.html#socket.socket.connect",
    "_socket.socket.recv": PYTHON + "socket.html#socket.socket.recv",
    "_socket.socket.recv_into": PYTHON + "socket.html#socket.socket.recv_into",
    "_socket.socket.recvfrom": PYTHON + "socket.html#socket.socket.recvfrom",
    "_socket.socket.recvfrom_into": PYTHON + "socket.html#socket.socket.recvfrom_into",
    "_socket.socket.recvmsg": PYTHON + "socket.html#socket.socket.recvmsg",
    "http.client.HTTPConnection.connect": PYTHON + "http.client.html#http.client.HTTPConnection.connect",
    "http.client.HTTPConnection.request": PYTHON + "http.client.html#http.client.HTTPConnection.request",
    "http.client.HTTPConnection.getresponse": PYTHON
    + "http.client.html#http.client.HTTPConnection.getresponse",
}

# Classes of packages that are told by what constructs them: the methods of their objects that block.
_HTTP = frozenset({"request", "get", "post", "put", "patch", "delete", "head", "options", "send", "stream"})
CLIENTS = {
    "httpx.Client": _HTTP,  # https://www.python-httpx.org/api/#client
    "requests.Session": _HTTP,  # https://requests.readthedocs.io/en/latest/api/#request-sessions
    "requests.session": _HTTP,
    "urllib3.PoolManager": frozenset({"request", "urlopen"}),  # https://urllib3.readthedocs.io
}
# Names of packages that answer HTTP requests in place of the network.
HTTP_MOCKS = (
    "responses", "requests_mock", "respx", "httpretty", "vcr", "pook", "betamax", "httpx_mock",
    "MockTransport", "WSGITransport", "ASGITransport", "requests_toolbelt", "mocket",
)  # fmt: skip

# What calls of a package go through, which tests replace as well: ``requests.Session.send``.
UNDERNEATH = {
    "requests": ("request", "send"),
    "httpx": ("request", "send", "handle_request"),
    "urllib": ("urlopen", "open"),
    "subprocess": ("Popen", "communicate"),
}

# Parts of words, one of which a module holds wherever it has objects of the classes above, by method.
WORDS = {
    "join": ("Thread", "Process", "ueue"),
    "wait": ("Popen", "Event", "Barrier", "Condition"),
    "wait_for": ("Condition",),
    "communicate": ("Popen",),
    "acquire": ("Lock", "Semaphore"),
    **dict.fromkeys(("get", "put"), ("ueue", "httpx", "requests")),
    **dict.fromkeys(("result", "exception"), ("uture", "submit", "threadsafe", "xecutor")),
    "shutdown": ("xecutor",),
    "request": ("http", "requests", "urllib3"),
    "getresponse": ("http",),
    "urlopen": ("urllib3",),
    **dict.fromkeys(
        ("accept", "connect", "recv", "recv_into", "recvfrom", "recvfrom_into"), ("socket", "http")
    ),
    "recvmsg": ("socket",),
    **dict.fromkeys(("post", "patch", "delete", "head", "options", "send", "stream"), ("httpx", "requests")),
}
