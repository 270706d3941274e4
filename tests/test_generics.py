"""What a call gives by its arguments: type variables, and arguments that come back; what is None at times."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_projects import shown, small

PRELUDE = """
import asyncio
import contextlib
from typing import *
"""
# Functions whose arguments tell what they give.
SOLVED = """
T = TypeVar("T")
class C: ...
async def f() -> C: ...
"""
CASES = {
    "of an object": (SOLVED + "def g(x: T) -> T: return x\ng(C())  # ?", "a C"),
    "of a class": (SOLVED + "def g(x: type[T]) -> T: return x()\ng(C)  # ?", "a C"),
    "class of a class": (SOLVED + "def g(x: Type[T], **more) -> Type[T]: return x\ng(C, a=1)()  # ?", "a C"),
    "of an awaitable": (
        SOLVED + "def g(x: Awaitable[T], y=1) -> T: return loop.run_until_complete(x)\ng(y=2, x=f())  # ?",
        "a C",
    ),
    "of a function": (SOLVED + "def g(x: Callable[..., T]) -> T: return x()\ng(C)  # ?", "a C"),
    "of a coroutine function": (
        SOLVED
        + "async def g(x: Callable[[], Awaitable[T]]) -> T: return await x()\n"
        + "async def h():\n    await g(f)  # ?",
        "a C",
    ),
    "run until complete": (
        SOLVED + "loop = asyncio.new_event_loop()\nloop.run_until_complete(f())  # ?",
        "a C",
    ),
    "run": (SOLVED + "asyncio.run(f())  # ?", "a C"),
    "waited for": (SOLVED + "async def g():\n    await asyncio.wait_for(f(), 1)  # ?", "a C"),
    "entered on a stack": (
        SOLVED
        + "@contextlib.asynccontextmanager\nasync def g(): yield C()\n"
        + "async def h():\n    async with contextlib.AsyncExitStack() as stack:\n"
        + "        await stack.enter_async_context(g())  # ?",
        "a C",
    ),
    "annotated class": (SOLVED + "def g(x: type[C]):\n    x()  # ?", "a C"),
    "annotated class of a variable": (SOLVED + "def g(x: type[T]):\n    x()  # ?", "?"),
    "or None": (SOLVED + "x = None\nif a: x = C()\nx  # ?", "a C"),
    "in an attribute, later None": (
        SOLVED
        + "class D:\n    def a(self): self.x = C()\n    def b(self): self.x = None\n"
        + "    def c(self):\n        self.x  # ?",
        "a C",
    ),
    "coroutine or None": (SOLVED + "x = f() if a else None\nx  # ?", "?"),
    "None alone": ("x = None\nx  # ?", "builtin NoneType"),
    "two that agree": (
        SOLVED + "def g(x: T, y: T) -> T:\n    if a: return x\n    return y\ng(C(), C())  # ?",
        "a C",
    ),
    "two that differ": (
        SOLVED + "def g(x: T, y: T) -> T:\n    if a: return x\n    return y\ng(C(), 1)  # ?",
        "?",
    ),
    "not a type variable": (SOLVED + "def g(x: U) -> U: return made(x)\ng(C())  # ?", "?"),
    "a function": (SOLVED + "def g(x: T) -> T: return x\ng(f)  # ?", "?"),
    "in stars": (SOLVED + "def g(x: T) -> T: return x\ng(*a)  # ?", "?"),
    "a mock in its place": (
        SOLVED + "def g(x: type[T]) -> T: return cast(T, Mock())\ng(C)  # ?",
        "?",
    ),
    "an item in its place": (SOLVED + "def g(x: type[T]) -> T: return made[x]\ng(C)  # ?", "?"),
    "a class in its place": (
        SOLVED + "def g(x: type[T]) -> type[T]: return type('D', (x,), methods)\ng(C)()  # ?",
        "?",
    ),
    "of a static method": (
        SOLVED + "class D:\n    @staticmethod\n    def g(x, y): return y\nD.g(1, C())  # ?",
        "a C",
    ),
    "of a method through its class": (
        SOLVED + "class D:\n    def g(self, x, y): return y\nD.g(D(), 1, C())  # ?",
        "a C",
    ),
    "of a class method": (
        SOLVED + "class D:\n    @classmethod\n    def g(cls, x): return x\nD.g(C())  # ?",
        "a C",
    ),
    "a tuple of what is given": (SOLVED + "def g(*x): return x\ng(C())  # ?", "?"),
    "awaited, and not what comes back": (
        SOLVED
        + "class D:\n    def __await__(self): return made().__await__()\ndef g(x): return x\n"
        + "async def h():\n    await g(D())  # ?",
        "?",
    ),
    "comes back": (SOLVED + "def g(x):\n    x.a = 1\n    return x\ng(C())  # ?", "a C"),
    "comes back changed": (SOLVED + "def g(x):\n    x = wrap(x)\n    return x\ng(C())  # ?", "?"),
    "comes back sometimes": (SOLVED + "def g(x):\n    if a: return h()\n    return x\ng(C())  # ?", "?"),
    "a project's class of that name": (
        SOLVED + "class Type(Generic[T]):\n    async def f(self): ...\ndef g(x: Type[C]):\n    x.f  # ?",
        "coroutine Type.f",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_value(name: str, tmp_path: Path) -> None:
    source, expected = CASES[name]
    project = small(tmp_path, PRELUDE + source)
    assert shown(project.project.inference.value(*project.asked())) == expected
