"""Asynchronous generators that are left in the middle."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from seeding.source import Mutant, Source, bare_call, called, dropped, made_in, unwrapped


def generator_functions(source: Source) -> set[str]:
    """Names of asynchronous generator functions that yield inside ``try`` and ``finally``, or ``with``."""
    return {
        function.name
        for function in source.all(ast.AsyncFunctionDef)
        if isinstance(function, ast.AsyncFunctionDef)
        and not function.decorator_list
        and any(
            isinstance(block, (ast.With, ast.AsyncWith)) or (isinstance(block, ast.Try) and block.finalbody)
            for node in ast.walk(function)
            if isinstance(node, ast.Yield) and source.function(node) is function
            for block in source.around(node)
        )
    }


def left_early(source: Source) -> Iterator[Mutant]:
    """ASL504: a loop over such a generator that goes to its end, with a ``break`` behind its first turn."""
    makers = generator_functions(source)
    for loop in source.all(ast.AsyncFor):
        assert isinstance(loop, ast.AsyncFor)
        last, leaving = loop.body[-1], (ast.Break, ast.Return, ast.Raise, ast.Continue)
        head = source.text.lines[last.lineno - 1][: last.col_offset]
        left = any(isinstance(node, (ast.Break, ast.Return)) for node in ast.walk(loop))
        if called(loop.iter)[1] in makers and not left and not isinstance(last, leaving) and not head.strip():
            end = source.end(last)
            yield Mutant(loop, ((end, end, f"\n{head}break"),))


def goes_to_its_end(block: ast.AsyncWith) -> bool:
    """Whether a block is a loop without ``break`` and ``return``, and what stands beside it."""
    loops = any(isinstance(node, ast.AsyncFor) for node in ast.walk(block))
    return loops and not any(isinstance(node, (ast.Break, ast.Return)) for node in ast.walk(block))


def aclosing(source: Source) -> Iterator[Mutant]:
    """ASL504: ``async with aclosing(x) as y`` turned into ``y = x``; the ``aclose()`` of a generator.

    Where a loop in the block is left early, or there is none: one that goes to its end closes it, too.
    """
    makers = generator_functions(source)
    for block in source.all(ast.AsyncWith):
        assert isinstance(block, ast.AsyncWith)
        item = block.items[0]
        expr = item.context_expr
        if (
            len(block.items) == 1
            and called(expr)[1] == "aclosing"
            and isinstance(expr, ast.Call)
            and expr.args
            and called(expr.args[0])[1] in makers
            and not goes_to_its_end(block)
        ):
            given = source.code(expr.args[0])
            before = "pass" if item.optional_vars is None else f"{source.code(item.optional_vars)} = {given}"
            mutant = unwrapped(source, block, before)
            if mutant is not None:
                yield mutant
    for statement in source.all(ast.Expr):
        call = bare_call(statement)
        function = source.function(statement)
        if call is not None and called(call)[1] == "aclose" and function is not None:
            maker = made_in(source, function, called(call)[0])
            if maker is not None and called(maker)[1] in makers:
                yield dropped(source, statement)
