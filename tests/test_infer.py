"""What an expression is: a table of small modules, one line of each asked about."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_projects import shown, small

PRELUDE = """
import asyncio
import contextlib
import functools
from typing import *
from collections.abc import AsyncIterator
"""
# A class that is a coroutine by its base, round another one.
LENDING = "from contextlib import Abstract?ContextManager as M\nclass C: ...\ndef f() -> M[C]: ...\n"
ROUND = """
R = TypeVar("R")
class C: ...
async def f() -> C: ...
class Round(Coroutine[Any, Any, R], Generic[R]):
    def __init__(self, coro): self._coro = coro
    def send(self, value): return self._coro.send(value)
    def __await__(self) -> Generator[Any, None, R]: return self._coro.__await__()
    async def __aenter__(self) -> R: return await self._coro
    async def __aexit__(self, *details): ...
"""
RECEIVED = "class C:\n    async def f(self): ...\ndef g(self, x):\n    it = x.get()\n"
LOCAL = {
    # definitions
    "async def": ("async def f(): ...\nf  # ?", "coroutine f"),
    "its call": ("async def f(): ...\nf()  # ?", "result of coroutine f"),
    "plain def": ("def f(): ...\nf  # ?", "sync f"),
    "generator": ("def f(): yield\nf  # ?", "generator f"),
    "async generator": ("async def f(): yield\nf  # ?", "async generator f"),
    "branches that agree": (
        "if x:\n    async def f(): ...\nelse:\n    async def f(a): ...\nf  # ?",
        "coroutine f",
    ),
    "branches that differ": ("if x:\n    async def f(): ...\nelse:\n    def f(): ...\nf  # ?", "?"),
    "rebound": ("async def f(): ...\nf = g()\nf  # ?", "?"),
    "shadowed": ("async def f(): ...\ndef g(f):\n    f()  # ?", "?"),
    "nested": ("def g():\n    async def f(): ...\n    f()  # ?", "result of coroutine g.f"),
    # decorators
    "context manager": (
        "@contextlib.contextmanager\ndef f(): yield 1\nf()  # ?",
        "result of context manager f",
    ),
    "async context manager": (
        "@contextlib.asynccontextmanager\nasync def f(): yield 1\nf()  # ?",
        "result of async context manager f",
    ),
    "unknown decorator": ("from elsewhere import d\n@d\nasync def f(): ...\nf()  # ?", "?"),
    "harmless decorator": ("@functools.lru_cache\nasync def f(): ...\nf()  # ?", "result of coroutine f"),
    # classes
    "constructed": ("class C: ...\nC()  # ?", "a C"),
    "method": ("class C:\n    async def f(self): ...\nC().f  # ?", "coroutine C.f"),
    "method on self": (
        "class C:\n    async def f(self): ...\n    def g(self):\n        self.f()  # ?",
        "result of coroutine C.f",
    ),
    "inherited": ("class B:\n    async def f(self): ...\nclass C(B): ...\nC().f  # ?", "coroutine B.f"),
    "overridden": (
        "class B:\n    async def f(self): ...\nclass C(B):\n    def f(self): ...\nC().f  # ?",
        "sync C.f",
    ),
    "behind an unknown base": ("from elsewhere import B\nclass C(B): ...\nC().f  # ?", "?"),
    "own, before an unknown base": (
        "from elsewhere import B\nclass C(B):\n    async def f(self): ...\nC().f  # ?",
        "coroutine C.f",
    ),
    "diamond": (
        (
            "class A:\n    def f(self): ...\nclass B(A): ...\nclass C(A):\n"
            "    async def f(self): ...\nclass D(B, C): ...\nD().f  # ?"
        ),
        "coroutine C.f",
    ),
    "generic base": (
        (
            "T = TypeVar('T')\nclass B(Generic[T]):\n"
            "    async def f(self): ...\nclass C(B[int]): ...\nC().f  # ?"
        ),
        "coroutine B.f",
    ),
    "class method": ("class C:\n    @classmethod\n    async def f(cls): ...\nC.f  # ?", "coroutine C.f"),
    "static method": ("class C:\n    @staticmethod\n    async def f(): ...\nC().f  # ?", "coroutine C.f"),
    "property": ("class B: ...\nclass C:\n    @property\n    def b(self) -> B: ...\nC().b  # ?", "a B"),
    "attribute": ("class B: ...\nclass C:\n    def __init__(self):\n        self.b = B()\nC().b  # ?", "a B"),
    "attributes that differ": (
        (
            "class B: ...\nclass C:\n    def __init__(self):\n"
            "        self.b = B()\n    def g(self):\n        self.b = 1\nC().b  # ?"
        ),
        "?",
    ),
    "declared attribute": (
        "class B: ...\nclass C:\n    b: B\n    def g(self):\n        self.b = x\nC().b  # ?",
        "a B",
    ),
    "made by __new__": ("class C:\n    def __new__(cls): ...\nC()  # ?", "?"),
    "super": ("class C:\n    def f(self):\n        super().f  # ?", "?"),
    "base of itself": ("class C(C): ...\nC().f  # ?", "?"),
    # results
    "returned": ("class C: ...\ndef f(): return C()\nf()  # ?", "a C"),
    "returns that differ": ("class C: ...\ndef f():\n    if x: return C()\n    return 1\nf()  # ?", "?"),
    "return annotation": ("class C: ...\ndef f() -> 'C | None': ...\nf()  # ?", "a C"),
    "self type": ("class B:\n    def f(self) -> Self: ...\nclass C(B): ...\nC().f()  # ?", "a C"),
    "returned self": ("class B:\n    def f(self): return self\nclass C(B): ...\nC().f()  # ?", "a C"),
    "awaited": ("class C: ...\nasync def f(): return C()\nasync def g():\n    await f()  # ?", "a C"),
    "recursive": ("def f(): return f()\nf()  # ?", "?"),
    # bindings
    "assigned": ("class C: ...\nx = C()\nx  # ?", "a C"),
    "annotated": ("class C: ...\nx: Optional[C] = g()\nx  # ?", "a C"),
    "parameter": ("class C: ...\ndef f(x: C):\n    x  # ?", "a C"),
    "union": ("class C: ...\nclass D: ...\ndef f(x: C | D):\n    x  # ?", "?"),
    "entered": ("class C:\n    def __enter__(self): return self\nwith C() as x:\n    x  # ?", "a C"),
    "entered async": (
        (
            "class C:\n    async def __aenter__(self): return self\n"
            "async def f():\n    async with C() as x:\n        x  # ?"
        ),
        "a C",
    ),
    "yielded": (
        "class C: ...\n@contextlib.contextmanager\ndef f(): yield C()\nwith f() as x:\n    x  # ?",
        "a C",
    ),
    "yield annotation": (
        (
            "class C: ...\n@contextlib.asynccontextmanager\nasync def f() -> AsyncIterator[C]: yield\n"
            "async def g():\n    async with f() as x:\n        x  # ?"
        ),
        "a C",
    ),
    "unpacked": ("class C: ...\nx, y = C(), len\nx  # ?", "a C"),
    "unpacked from what a function returns": (
        "class C: ...\ndef f():\n    return 1, C()\nx, y = f()\ny  # ?",
        "a C",
    ),
    "unpacked by annotation": (
        "class C: ...\nasync def f() -> Tuple[int, C]: ...\nasync def g():\n    x, y = await f()\n    y  # ?",
        "a C",
    ),
    "unpacked by a star": ("class C: ...\nx, *y = C(), C(), C()\nx  # ?", "?"),
    "more parts than names": ("class C: ...\nx, y = C(), C(), C()\nx  # ?", "?"),
    # literals and builtins
    "string": ("f'{1}'  # ?", "builtin str"),
    "list": ("[]  # ?", "builtin list"),
    "dict": ("{}  # ?", "builtin dict"),
    "set": ("{1}  # ?", "builtin set"),
    "tuple": ("(1,)  # ?", "(builtin int)"),
    # what is awaited
    "Coroutine": (
        "class C: ...\ndef f() -> Coroutine[Any, Any, C]: ...\nf()  # ?",
        "coroutine of a C",
    ),
    "Awaitable": ("class C: ...\ndef f() -> Awaitable[C]: ...\nf()  # ?", "awaitable of a C"),
    "Awaitable or nothing": ("def f() -> Awaitable[int] | None: ...\nf()  # ?", "?"),
    "Optional Awaitable": ("def f() -> Optional[Awaitable[int]]: ...\nf()  # ?", "?"),
    "parameter to call": (
        "class C: ...\ndef f(g: Callable[[], Awaitable[C]]):\n    g()  # ?",
        "awaitable of a C",
    ),
    "alias of a Callable": (
        "class C: ...\nG = Callable[[], Awaitable[C]]\ndef f(g: G):\n    g()  # ?",
        "awaitable of a C",
    ),
    "callback that gives a value": ("class C: ...\ndef f(g: Callable[[], C]):\n    g()  # ?", "a C"),
    "object to call": (
        "class C:\n    async def __call__(self): ...\nc = C()\nc()  # ?",
        "result of coroutine C.__call__",
    ),
    "Protocol to call": (
        "class P(Protocol):\n    async def __call__(self): ...\ndef f(p: P):\n    p()  # ?",
        "result of coroutine P.__call__",
    ),
    "entered as a type variable": (
        "class C:\n  async def __aenter__(self: T) -> T: ...\nasync def f():\n  async with C() as c: c  # ?",
        "a C",
    ),
    "Any": ("def f(x: Any):\n    x  # ?", "?"),
    "anext": ("anext(x)  # ?", "coroutine of ?"),
    "own anext": ("def anext(x): return 1\nanext(x)  # ?", "builtin int"),
    "step of an async generator": ("async def f(): yield\nf().__anext__()  # ?", "coroutine of ?"),
    "aclose of anything": ("def f(x):\n    x.aclose()  # ?", "?"),
    "anyio.sleep": ("import anyio\nanyio.sleep(1)  # ?", "result of coroutine sleep"),
    "trio.lowlevel.checkpoint": (
        "from trio.lowlevel import checkpoint as c\nc()  # ?",
        "result of coroutine checkpoint",
    ),
    "anyio.Path": ('import anyio\n(anyio.Path("a") / "b")  # ?', "a Path"),
    "memory channel": (
        "import trio\nsend, receive = trio.open_memory_channel[int](1)\nreceive  # ?",
        "a MemoryReceiveChannel",
    ),
    "annotated context manager": (
        LENDING.replace("?", "Async") + "async def g():\n    async with f() as c:\n        c  # ?",
        "a C",
    ),
    "annotated sync context manager": (LENDING.replace("?", "") + "with f() as c:\n    c  # ?", "a C"),
    "anyio.Event": ("import anyio\nanyio.Event()  # ?", "a Event"),
    # objects that stand for a coroutine
    "object round a coroutine, awaited": (ROUND + "async def g():\n    (await Round(f()))  # ?", "a C"),
    "object round a coroutine, entered": (
        ROUND + "async def g():\n    async with Round(f()) as c:\n        c  # ?",
        "a C",
    ),
    "its type by annotation": (
        ROUND + "RoundC = Round[C]\ndef h() -> 'RoundC': ...\nasync def g():\n    (await h())  # ?",
        "a C",
    ),
    "wrapper that hands the coroutine on": (
        ROUND + "def deco(function):\n    def wrapper(*args):\n        return Round(function(*args))\n"
        "    return wrapper\n@deco\nasync def h() -> C: ...\nasync def g():\n    (await h())  # ?",
        "a C",
    ),
    # what an assert says
    "asserted": (RECEIVED + "    assert isinstance(it, C)\n    it.f  # ?", "coroutine C.f"),
    "asserted by a TestCase": (RECEIVED + "    self.assertIsInstance(it, C)\n    it.f  # ?", "coroutine C.f"),
    "asserted of each": (
        (
            "class C:\n    async def f(self): ...\ndef g(x):\n    for it in x:\n"
            "        assert isinstance(it, C)\n"
            "        it.f  # ?"
        ),
        "coroutine C.f",
    ),
    "asserted to be one of two": (RECEIVED + "    assert isinstance(it, (C, int))\n    it.f  # ?", "?"),
    "asserted of another": (RECEIVED + "    assert isinstance(x, C)\n    it.f  # ?", "?"),
    "asserted sometimes": (RECEIVED + "    if x:\n        assert isinstance(it, C)\n    it.f  # ?", "?"),
    "asserted, then another": (
        RECEIVED + "    assert isinstance(it, C)\n    it = x.other()\n    it.f  # ?",
        "?",
    ),
    "another, then asserted": (
        RECEIVED + "    it = x.other()\n    assert isinstance(it, C)\n    it.f  # ?",
        "?",
    ),
    "a mock that passes for one": (
        (
            "from unittest.mock import create_autospec\nclass C:\n    async def f(self): ...\ndef g(x):\n"
            "    it = create_autospec(x)\n    assert isinstance(it, C)\n    it.f  # ?"
        ),
        "?",
    ),
    # the standard library's stubs
    "asyncio.sleep": ("asyncio.sleep(1)  # ?", "result of coroutine sleep"),
    "an event": ("asyncio.Event().wait()  # ?", "result of coroutine Event.wait"),
    "its sync method": ("asyncio.Event().set  # ?", "sync Event.set"),
    "an inherited one": ("asyncio.PriorityQueue().join()  # ?", "result of coroutine Queue.join"),
    "module": ("asyncio  # ?", "module __init__"),
    "unknown module": ("import elsewhere\nelsewhere.f  # ?", "?"),
}


@pytest.mark.parametrize("name", LOCAL)
def test_value(name: str, tmp_path: Path) -> None:
    source, expected = LOCAL[name]
    project = small(tmp_path, PRELUDE + source)
    assert shown(project.project.inference.value(*project.asked())) == expected


ACROSS = {
    "unpacked from a class that is a tuple": (
        "class C: ...\nclass Pair(tuple[int, 'C']): ...\nx, y = Pair()\ny  # ?",
        "a C",
    ),
    "import": ("import pkg\npkg.f()  # ?", "result of coroutine f"),
    "from": ("from pkg import C\nC().g()  # ?", "result of coroutine C.g"),
    "submodule": ("import pkg.inner\npkg.inner.f  # ?", "coroutine f"),
    "from package": ("from pkg import inner\ninner.f  # ?", "coroutine f"),
    "package that imports its submodule": ("from hub import inner\ninner.f  # ?", "coroutine f"),
    "star": ("from pkg import *\nf()  # ?", "result of coroutine f"),
    "namespace package": ("from ns import inner\ninner.h  # ?", "coroutine h"),
    "base elsewhere": ("from pkg import C\nclass D(C): ...\nD().g()  # ?", "result of coroutine C.g"),
    "cycle": ("from one import f\nf()  # ?", "?"),
    "cycle with an end": ("from two import g\ng()  # ?", "result of coroutine g"),
    "decorator that stays async": (
        "from pkg.deco import stays\n@stays\nasync def f(): ...\nf()  # ?",
        "result of coroutine ",
    ),
    "decorator that makes it sync": ("from pkg.deco import runs\n@runs\nasync def f(): ...\nf()  # ?", "?"),
}
FILES = {
    "pkg/__init__.py": "from .inner import f, C\n",
    "pkg/inner.py": "async def f(): ...\nclass C:\n    async def g(self): ...\n",
    "pkg/deco.py": """
        import asyncio, functools
        def stays(f):
            @functools.wraps(f)
            async def inner(*args):
                return await f(*args)
            return inner
        def runs(f):
            @functools.wraps(f)
            def inner(*args):
                return asyncio.run(f(*args))
            return inner
        """,
    "hub/__init__.py": "from . import inner\n",
    "hub/inner.py": "async def f(): ...\n",
    "ns/inner.py": "async def h(): ...\n",
    "one.py": "from two import f\n",
    "two.py": "from one import f\nasync def g(): ...\n",
}


@pytest.mark.parametrize("name", ACROSS)
def test_value_across_files(name: str, tmp_path: Path) -> None:
    source, expected = ACROSS[name]
    project = small(tmp_path, source, FILES)
    found = shown(project.project.inference.value(*project.asked()))
    if expected.endswith(" "):
        assert found.startswith(expected)
    elif expected == "?":
        assert not project.project.inference.is_coroutine(project.project.inference.value(*project.asked()))
    else:
        assert found == expected


def test_an_answer_does_not_depend_on_what_was_asked_before(tmp_path: Path) -> None:
    """Modules that import each other cut some questions short; that must not be remembered."""
    files = {
        "a.py": "import b\nclass A(b.B):\n    async def f(self): ...\n",
        "b.py": "import a\nclass B:\n    async def g(self): ...\ndef make(): return a.A()\n",
    }
    source = "import a, b\nb.make().g()  # ?"
    fresh = small(tmp_path, source, files)
    expected = shown(fresh.project.inference.value(*fresh.asked()))
    assert expected == "result of coroutine B.g"
    for first in ("a.A", "b.make()", "a.A().f", "b.B"):
        again = small(tmp_path, f"import a, b\n{first}\nb.make().g()  # ?", files)
        module = again.outline()
        again.project.inference.value(module.scope.facts.expressions[0].value, module.scope)
        assert shown(again.project.inference.value(*again.asked())) == expected, first


def test_what_stars_bring_is_read_only_if_it_says_the_name(tmp_path: Path) -> None:
    files = {
        "pkg/__init__.py": "from .first import *\nfrom .deep import *\nfrom .last import *\n",
        "pkg/first.py": "async def other(): ...\n",
        "pkg/deep.py": "from .inner import *\n",
        "pkg/inner.py": "async def fetch(): ...\n",
        "pkg/last.py": "def other(): ...\n",
    }
    small_one = small(tmp_path, "from pkg import fetch\nfetch()  # ?", files)
    assert shown(small_one.project.inference.value(*small_one.asked())) == "result of coroutine fetch"
    read = {name for name in files if small_one.project.modules.get(tmp_path / name) is not None}
    assert read == {"pkg/__init__.py", "pkg/deep.py", "pkg/inner.py"}


def test_what_stars_bring_is_looked_up_anew_in_each_run(tmp_path: Path) -> None:
    files = {"pkg.py": "from inner import *\n", "inner.py": "def other(): ...\n"}
    source = "from pkg import fetch\nfetch()  # ?"
    before = small(tmp_path, source, files)
    assert shown(before.project.inference.value(*before.asked())) == "?"
    after = small(tmp_path, source, {**files, "inner.py": "async def fetch(): ...\n"})
    assert shown(after.project.inference.value(*after.asked())) == "result of coroutine fetch"
