"""What asyncio and pytest warn of, for judging which warning filter hides it. Data only.

Each was made to happen on Python 3.12 and pytest 9.2, and filters tried on it.
"""

from __future__ import annotations

from typing import NamedTuple


class Diagnostic(NamedTuple):
    """A warning as it looks: its text, its class, the module it is put down to, and what it is called."""

    text: str
    category: str
    module: str
    title: str


# https://docs.python.org/3/library/asyncio-dev.html#detect-never-awaited-coroutines
NEVER_AWAITED = Diagnostic(
    "coroutine 'Example.method' was never awaited", "RuntimeWarning", "test_example", '"never awaited"'
)
# asyncio/selector_events.py, _SelectorTransport.__del__
UNCLOSED_TRANSPORT = Diagnostic(
    "unclosed transport <_SelectorSocketTransport fd=7>",
    "ResourceWarning",
    "asyncio.selector_events",
    "unclosed transports",
)
# asyncio/base_events.py, BaseEventLoop.__del__
UNCLOSED_LOOP = Diagnostic(
    "unclosed event loop <_UnixSelectorEventLoop running=False closed=False debug=False>",
    "ResourceWarning",
    "asyncio.base_events",
    "unclosed event loops",
)
# What fails in a finalizer, such as one of the above that is made an error (_pytest/unraisableexception.py).
UNRAISABLE = Diagnostic(
    "Exception ignored in: <coroutine object Example.method at 0x7f0000000000>",
    "PytestUnraisableExceptionWarning",
    "_pytest.unraisableexception",
    "errors in finalizers",
)
DIAGNOSTICS = (NEVER_AWAITED, UNCLOSED_TRANSPORT, UNCLOSED_LOOP, UNRAISABLE)

# The classes a filter may name: which of those above are of it (pytest 9.2, _pytest/warning_types.py).
CATEGORIES = {
    "": DIAGNOSTICS,
    "Warning": DIAGNOSTICS,
    "RuntimeWarning": (NEVER_AWAITED,),
    "ResourceWarning": (UNCLOSED_TRANSPORT, UNCLOSED_LOOP),
    "UserWarning": (UNRAISABLE,),
    "pytest.PytestWarning": (UNRAISABLE,),
    "pytest.PytestUnraisableExceptionWarning": (UNRAISABLE,),
    "_pytest.warning_types.PytestWarning": (UNRAISABLE,),
    "_pytest.warning_types.PytestUnraisableExceptionWarning": (UNRAISABLE,),
}
ACTIONS = ("default", "always", "ignore", "module", "once", "error")
