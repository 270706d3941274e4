"""The places that explain what is reported of a task: where it is made, how it escapes, what can fail."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from asynclint.finding import Position, Related, Span
from asynclint.flow.fates import Fate
from asynclint.flow.lives import Life
from asynclint.source.function import Function


def ways_out(function: Function, life: Life) -> Iterator[Related]:
    """The path on which a task escapes."""
    if life.split is not None:
        comes = "true" if life.split.when else "false"
        yield _at(function, life.split.test, f"where this is {comes}, nothing finishes it")
    if life.returns is not None:
        yield _at(function, life.returns, "this return leaves it running")
    for node in life.trace.nodes(Fate.LOST):
        yield _at(function, node, "here its only name is given another value")


def made(function: Function, life: Life) -> Related:
    """Where a task is made."""
    return Related("", function.text.span(life.call), "the task is made here")


def failing(function: Function, life: Life) -> Related:
    """What can fail while a task is running."""
    assert life.raises is not None
    return _at(function, life.raises, "this can fail first")


def span_of(function: Function, node: cst.CSTNode) -> Span:
    """The place of a node; of one that has none in ast, that of the first part that has."""
    for inner in (node, *_descendants(node)):
        twin = function.twin(inner)
        if twin is not None:
            return function.text.span(twin)
    return Span(Position(1, 0), Position(1, 0))


def _descendants(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    for child in node.children:
        yield child
        yield from _descendants(child)


def _at(function: Function, node: cst.CSTNode, message: str) -> Related:
    return Related("", span_of(function, node), message)
