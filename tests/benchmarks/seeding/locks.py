"""Locks that a failure leaves locked."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from asynclint.knowledge.locks import CALM_CALLS, CALM_METHODS
from seeding.source import FUNCTIONS, Mutant, Source, bare_call, called, unwrapped, without_finally

LOCKS = re.compile(r"lock|sem(aphore)?s?$|cond(ition)?$|mutex", re.IGNORECASE)
MAKES_LOCKS = r"\b(Lock|StrictFIFOLock|Semaphore|BoundedSemaphore|Condition|CapacityLimiter)\("


def can_break(statement: ast.stmt) -> bool:
    """Whether a statement waits, raises, or calls what may."""
    for node in ast.walk(statement):
        name = called(node)[1]
        calm = name in CALM_CALLS | CALM_METHODS or not isinstance(node, ast.Call)
        if not calm or isinstance(node, (ast.Await, ast.Assert, ast.Raise, ast.AsyncFor, ast.AsyncWith)):
            return True
    return False


def ends_with_test(source: Source, node: ast.AST, name: str) -> bool:
    """Whether a lock is made by the test itself that a node stands in, or in whose function it does."""
    test = source.outermost(node)
    if not isinstance(test, FUNCTIONS) or not test.name.startswith("test"):
        return False
    names = (
        part for part in ast.walk(test) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    )
    return name in {part.id for part in names}


def release(source: Source) -> Iterator[Mutant]:
    """ASL501: ``async with lock`` turned into acquire and release; a release taken out of ``finally``."""
    for block in source.all(ast.AsyncWith):
        assert isinstance(block, ast.AsyncWith)
        item = block.items[0]
        lock = ast.unparse(item.context_expr)
        if ends_with_test(source, block, lock) or not any(map(can_break, block.body)):
            continue  # nobody needs it any more
        if len(block.items) == 1 and item.optional_vars is None and "(" not in lock and LOCKS.search(lock):
            mutant = unwrapped(source, block, f"await {lock}.acquire()", f"{lock}.release()")
            if mutant is not None:
                yield mutant
    for block in source.all(ast.Try):
        assert isinstance(block, ast.Try)
        frees = [called(c)[1] == "release" for c in map(bare_call, block.finalbody) if c is not None]
        function = source.function(block)
        if (
            any(frees)
            and any(map(can_break, block.body))
            and not any(
                ends_with_test(source, block, called(c)[0]) for c in map(bare_call, block.finalbody) if c
            )
            and isinstance(function, ast.AsyncFunctionDef)
            and ".acquire()" in source.code(function)
        ):
            mutant = without_finally(source, block)
            if mutant is not None:
                yield mutant
