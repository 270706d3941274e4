"""What a name can stand for, as far as text tells. None, everywhere, means unknown."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from asynclint.source.outline import Outline, Scope


@dataclass(frozen=True, slots=True)
class Module:
    """A module object."""

    outline: Outline


@dataclass(frozen=True, slots=True)
class Class:
    """A class object; ``open`` where it may be a subclass (``cls`` in a class method).

    ``argument`` is an object of the one type it is subscribed with: a ``Job`` for ``Awaiting[Job]``.
    """

    scope: Scope
    open: bool = field(default=False, compare=False)
    argument: Value | None = field(default=None, compare=False)


class Calling(Enum):
    """What calling a function gives."""

    __hash__ = object.__hash__  # part of the hash of every function that is asked about

    SYNC = "sync"
    COROUTINE = "coroutine"
    WRAPPED = "wrapped coroutine"  # in an object that is awaited, and perhaps entered, in its place
    GENERATOR = "generator"
    ASYNC_GENERATOR = "async generator"
    CONTEXT = "context manager"  # @contextmanager
    ASYNC_CONTEXT = "async context manager"  # @asynccontextmanager
    PROPERTY = "property"


@dataclass(frozen=True, slots=True)
class Function:
    """A function object; ``receiver`` is what it is bound to."""

    scope: Scope
    calling: Calling
    receiver: Instance | Class | None = None


@dataclass(frozen=True, slots=True)
class Instance:
    """An object of a class of the project or of a stub; ``open`` where it may be of a subclass.

    ``argument`` is what awaiting or entering it gives, where it is made for one object.
    """

    cls: Class
    open: bool = field(default=False, compare=False)
    argument: Value | None = None


@dataclass(frozen=True, slots=True)
class Super:
    """``super()`` in a method of a class: its attributes are those of the classes behind it."""

    cls: Class


@dataclass(frozen=True, slots=True)
class Builtin:
    """An object whose class is one of Python's builtins; none of its methods is a coroutine function."""

    name: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a function call gave before it is awaited, entered or iterated: a coroutine and its kin."""

    function: Function


@dataclass(frozen=True, slots=True)
class Pending:
    """Something to await, by its annotation or its kind, and what that gives.

    ``lazy`` where nothing runs before it is awaited (a coroutine), and not perhaps a future.
    """

    result: Value | None
    lazy: bool


@dataclass(frozen=True, slots=True)
class Callback:
    """What is annotated ``Callable[…, T]``, and the ``T`` that calling it gives."""

    gives: Value | None


@dataclass(frozen=True, slots=True)
class Mocked:
    """A mock, by the class it has the interface of; without one, calling it gives a coroutine."""

    spec: Class | None


@dataclass(frozen=True, slots=True)
class Items:
    """A tuple of a known length; each part may be unknown."""

    parts: tuple[Value | None, ...]


Value = Module | Class | Function | Instance | Super | Builtin | Result | Pending | Callback | Mocked | Items


NONE = Builtin("NoneType")


def agreed(values: list[Value | None]) -> Value | None:
    """The one value that all are; None where they differ or one is unknown.

    What may be ``None`` counts as what else it is, except where nobody need await it then.
    """
    objects = [value for value in values if value != NONE] or values
    first = objects[0] if objects else None
    if len(objects) < len(values) and isinstance(first, (Pending, Result)):
        return None
    return first if all(value == first for value in objects) else None
