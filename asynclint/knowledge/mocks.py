"""The assertions of mocks (https://docs.python.org/3/library/unittest.mock.html)."""

from __future__ import annotations

# Those that take no arguments.
BARE_ASSERTIONS = frozenset(
    f"assert_{name}"
    for name in ("called", "called_once", "not_called", "awaited", "awaited_once", "not_awaited")
)
ASSERTIONS = BARE_ASSERTIONS | {
    f"assert_{name}"
    for name in (
        "called_with",
        "called_once_with",
        "any_call",
        "has_calls",
        "awaited_with",
        "awaited_once_with",
        "any_await",
        "has_awaits",
    )
}
# Without "assert_" they are just further mocks, which are true; ``called`` and ``awaited`` are no methods.
# Python 3.12 raises AttributeError for them (https://github.com/python/cpython/issues/100690).
MISSPELT = frozenset(name.removeprefix("assert_") for name in ASSERTIONS) - {"called", "awaited"}
