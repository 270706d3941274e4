"""The fix that enters a lock in place of acquiring and releasing it."""

from __future__ import annotations

import ast

from asynclint.finding import Edit, Fix, Position, Safety, Span
from asynclint.flow.finishing import CannotFinishError
from asynclint.flow.locks import Hold
from asynclint.source.function import Function
from asynclint.source.wrap import UnwrappableError, wrap_run


def enter(function: Function, hold: Hold) -> Fix:
    """``async with lock:`` round what stands between acquire and release; raises CannotFinishError."""
    if len(hold.releases) != 1:
        message = (
            "it is released in more than one place" if hold.releases else "nothing says where to release it"
        )
        raise CannotFinishError(message)
    if hold.acquired.wait.value is not hold.acquired.call:
        message = "acquiring it has a limit of its own"
        raise CannotFinishError(message)
    block = _block(hold)
    first, last = (
        next((i for i, s in enumerate(block) if getattr(s, "value", None) is part), -1)
        for part in (hold.acquired.wait, hold.releases[0])
    )
    if first < 0 or last <= first + 1:
        message = "its release does not stand behind it in the same block"
        raise CannotFinishError(message)
    text, header = function.text, f"async with {hold.name}:"
    try:
        wrapped = wrap_run(hold.life.scope, block[first + 1 : last], header)
    except UnwrappableError as error:
        raise CannotFinishError(str(error)) from None
    opened = Edit(text.span(block[first]), header)
    rest = wrapped.text.partition(text.newline)[2]  # the header stands already
    if not text.lines[(block[last].end_lineno or 0) - 1].endswith(("\n", "\r")):  # the file ends with it
        rest = rest.removesuffix(text.newline)
    moved = Edit(wrapped.span, rest)
    edits = (opened, moved, _without(function, block[last]))
    return Fix(f"enter {hold.name} with async with", edits, Safety.UNSAFE)


def _block(hold: Hold) -> list[ast.stmt]:
    """The statements among which it is acquired."""
    for node in ast.walk(hold.life.scope.node):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and any(
                getattr(s, "value", None) is hold.acquired.wait for s in block
            ):
                return block
    return []


def _without(function: Function, statement: ast.stmt) -> Edit:
    """Take away the lines of a statement; raises CannotFinishError where it shares them."""
    text, span = function.text, function.text.span(statement)
    before = text.lines[span.start.line - 1][: span.start.column]
    behind = text.lines[span.end.line - 1][span.end.column :]
    if before.strip() or behind.strip():
        message = "it shares its line with other statements or a comment"
        raise CannotFinishError(message)
    last = span.end.line
    return Edit(Span(Position(span.start.line, 0), Position(last, len(text.lines[last - 1]))), "")
