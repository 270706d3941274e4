"""Cancellations that are not raised again."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from seeding.source import Mutant, Source, called, dropped

LOGS = re.compile(
    r"^(debug|info|warning|error|exception|critical|log\w*|print|isinstance|getattr|type|str|repr)$"
)
TRIO = re.compile(r"^\s*(import|from) trio\b", re.MULTILINE)


def is_idiom(
    source: Source, block: ast.AST, handler: ast.ExceptHandler, function: ast.AsyncFunctionDef
) -> bool:
    """Whether a handler without its last ``raise`` is what working code does on purpose."""
    if TRIO.search(source.text.text) or hands_on(handler) or flags(handler, function):
        return True
    return (
        is_last(source, block, function)
        and not gives(source, function)
        and ends_task(source, handler, function)
    )


def hands_on(handler: ast.ExceptHandler) -> bool:
    """``future.set_exception(error)``, ``self.error = error``; not to a log."""
    for node in (node for statement in handler.body[:-1] for node in ast.walk(statement)):
        given: list[ast.expr] = []
        if isinstance(node, ast.Call) and called(node)[1] == "exc_info":
            return True
        if isinstance(node, ast.Call) and not LOGS.match(called(node)[1]):
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
        elif isinstance(node, ast.Assign) and not isinstance(node.value, ast.Call):
            given = [node.value]
        names = {part.id for value in given for part in ast.walk(value) if isinstance(part, ast.Name)}
        if handler.name in names:
            return True
    return False


def flags(handler: ast.ExceptHandler, function: ast.AsyncFunctionDef) -> bool:
    """``cancelled = True``, which is read below; an attribute that a loop's condition reads."""
    assigned = [
        node for statement in handler.body for node in ast.walk(statement) if isinstance(node, ast.Assign)
    ]
    targets = {ast.unparse(target) for node in assigned for target in node.targets}
    end = handler.end_lineno or 0
    read = {
        node.id
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.lineno > end
    }
    loops = [ast.unparse(node.test) for node in ast.walk(function) if isinstance(node, ast.While)]
    return bool(targets & read) or any(t in test for t in targets if "." in t for test in loops)


def is_last(source: Source, block: ast.AST, function: ast.AST) -> bool:
    """Whether nothing of a function comes behind a ``try``, its own ``finally`` aside."""
    for outer in source.around(block):
        if isinstance(outer, (ast.For, ast.AsyncFor, ast.While)):
            return False
        bodies = [getattr(outer, name, []) for name in ("body", "orelse", "finalbody")]
        if any(block in body and body[-1] is not block for body in bodies if isinstance(body, list)):
            return False
        if outer is function:
            return True
        block = outer
    return False


def gives(source: Source, function: ast.AST) -> bool:
    """Whether a function returns something."""
    returns = (node for node in ast.walk(function) if isinstance(node, ast.Return) and node.value is not None)
    return any(source.function(node) is function for node in returns)


def ends_task(source: Source, handler: ast.ExceptHandler, function: ast.AsyncFunctionDef) -> bool:
    """Whether a function is started as a task in its file; or does nothing but end when it is cancelled."""
    starts = rf"(task|future|spawn|start|soon)\w*\(\s*(\w+\.)*{function.name}\b"
    if re.search(starts, source.text.text, re.IGNORECASE):
        return True
    by_name = handler.type is not None and "BaseException" not in ast.unparse(handler.type)
    remarks = (statement for statement in handler.body[:-1] if isinstance(statement, ast.Expr))
    quiet = all(LOGS.match(called(remark.value)[1]) for remark in remarks)
    return by_name and quiet and all(isinstance(s, ast.Expr) for s in handler.body[:-1])


def reraise(source: Source) -> Iterator[Mutant]:
    """ASL502: the ``raise`` that a handler of CancelledError or BaseException round an ``await`` ends with.

    No sites are those whose mutant nobody could tell from working code: a handler with a ``# noqa`` on its
    line, or behind one of CancelledError; a ``raise`` under a condition or of another error, which say that
    some cancellations are to stop there; what stands in a test, which its guard cancels (ASL106) or which
    records a cancellation; trio's code and anyio's own classes, where the cancellation comes again at the
    next wait; an error that is handed on or kept, a flag that is looked at; and the end of a task's main
    function.
    """
    for handler in source.all(ast.ExceptHandler):
        assert isinstance(handler, ast.ExceptHandler)
        caught = ast.unparse(handler.type) if handler.type is not None else "BaseException"
        block, function, last = source.parents[handler], source.function(handler), handler.body[-1]
        if not re.search(r"\b(CancelledError|BaseException)\b", caught):
            continue
        earlier = block.handlers[: block.handlers.index(handler)] if isinstance(block, ast.Try) else []
        if any(one.type is not None and "Cancelled" in ast.unparse(one.type) for one in earlier):
            continue  # it never comes here
        if not isinstance(function, ast.AsyncFunctionDef) or not isinstance(last, ast.Raise):
            continue
        if re.search(r"#\s*noqa", source.text.lines[handler.lineno - 1], re.IGNORECASE):
            continue
        outermost = source.outermost(handler)
        if getattr(outermost, "name", "").startswith("test"):
            continue
        waits = isinstance(block, ast.Try) and any(
            isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith))
            for s in block.body
            for node in ast.walk(s)
        )
        raises = [node for s in handler.body for node in ast.walk(s) if isinstance(node, ast.Raise)]
        if is_idiom(source, block, handler, function):
            continue
        if waits and len(raises) == 1 and (last.exc is None or ast.unparse(last.exc) == handler.name):
            yield dropped(source, last)
