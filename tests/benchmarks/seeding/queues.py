"""Items that are never done."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from seeding.source import Mutant, Source, bare_call, called, dropped, without_finally


def is_consumer(source: Source, queue: str, function: ast.AST | None) -> bool:
    """Whether a function gets from a queue that another one, of the same class or function, joins."""
    calls = [(source.function(call), *called(call), call) for call in source.all(ast.Call)]
    if not any(f is function and r == queue and n in ("get", "get_nowait") for f, r, n, _ in calls):
        return False
    home = owner(source, function, queue)
    return any(
        n == "join"
        and r == queue
        and f is not function
        and isinstance(source.parents[call], ast.Await)
        and owner(source, f, queue) is home
        for f, r, n, call in calls
    )


def owner(source: Source, function: ast.AST | None, queue: str) -> ast.AST | None:
    """The class whose methods share ``self.queue``; the outermost function that a local queue is of."""
    if function is None or not queue.startswith("self."):
        return source.outermost(function) or function if function is not None else None
    return next((outer for outer in source.around(function) if isinstance(outer, ast.ClassDef)), None)


def task_done(source: Source) -> Iterator[Mutant]:
    """ASL503: a ``task_done()`` removed, and one taken out of its ``finally``.

    Of a consumer, which gets from that queue itself, where somebody else awaits its ``join()``. Elsewhere
    nobody waits for it.
    """
    for statement in source.all(ast.Expr):
        call = bare_call(statement)
        if call is None or called(call)[1] != "task_done":
            continue
        if not isinstance(source.function(statement), ast.AsyncFunctionDef):
            continue
        if not is_consumer(source, called(call)[0], source.function(statement)):
            continue
        yield dropped(source, statement)
        block = source.parents[statement]
        if isinstance(block, ast.Try) and statement in block.finalbody:
            mutant = without_finally(source, block)
            if mutant is not None:
                yield mutant
