"""Put a function's body under a new compound statement, as a text edit that moves nothing else."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Sequence
from functools import lru_cache

from asynclint.finding import Edit, Position, Span
from asynclint.source.nodes import end_of, start_of
from asynclint.source.outline import FUNCTIONS, FunctionNode, Scope
from asynclint.source.text import SourceText

BLOCKS = (ast.With, ast.AsyncWith, ast.For, ast.AsyncFor, ast.While, ast.Try)
MAX_DEPTH = 16  # blocks in each other, before a new one is put round them
# A literal that ends in another line has three quotes, a backslash, or braces (PEP 701, PEP 750).
_MAY_SPAN_LINES = re.compile(r"\"{3}|'{3}|\\[\r\n]|[ft]r?[\"']", re.IGNORECASE)
# Comments that a formatter pairs by their block: ``# fmt: off``, ``# yapf: disable``, ``# isort: off``.
_SWITCH = re.compile(r"\s*#\s*(fmt|yapf|isort|ruff|black)\s*:\s*(off|disable)\b")


class UnwrappableError(Exception):
    """A body that can't be put under a new header; ``str()`` says why."""


def wrap_body(function: Scope, header: str) -> Edit:
    """Indent a function's body below ``header`` (``async with asyncio.timeout(30):``).

    The docstring, leading ``global``/``nonlocal`` statements and the comments before the first
    statement stay where they are, but for one that switches a formatter off; lines that begin inside a
    string are not moved. Raises UnwrappableError.
    """
    node = function.node
    assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    text = function.outline.text
    if _depth(node) >= MAX_DEPTH:
        message = "it holds too many blocks in each other"
        raise UnwrappableError(message)
    kept, moved = split_body(node)
    if not moved:
        message = "its body has no statement to guard"
        raise UnwrappableError(message)
    first, last = _first_line(moved[0]), moved[-1].end_lineno or 0
    previous = kept[-1].end_lineno or 0 if kept else _header_line(node, text)
    if first == previous:
        if kept:
            message = "its body begins on the line of its docstring"
            raise UnwrappableError(message)
        return _unfold(node, header, text)
    lines = text.lines
    indent = _indent(lines[first - 1])
    first = _with_switch(lines, first)
    last = _with_footer(lines, last, indent)
    unit = _unit(node, indent, text)
    moved_lines = _indented(function, first, last, indent, unit)
    end = Position(last, len(lines[last - 1]))
    # formatters want a blank line in front of a nested definition
    gap = text.newline if isinstance(moved[0], (*FUNCTIONS, ast.ClassDef)) else ""
    begin = first
    while gap and kept and begin - 1 > previous and not lines[begin - 2].strip():
        begin -= 1  # behind a docstring they want one there only (pydocstyle's D202)
    return Edit(Span(Position(begin, 0), end), f"{indent}{header}{text.newline}{gap}{moved_lines}")


def wrap_run(function: Scope, run: Sequence[ast.stmt], header: str) -> Edit:
    """Indent consecutive statements of one block below ``header``; the rest of the block stays.

    Comments before the first statement stay where they are, those behind the last one go with it
    if no statement of the block follows. Raises UnwrappableError.
    """
    node = function.node
    assert isinstance(node, FUNCTIONS)
    text, lines = function.outline.text, function.outline.text.lines
    if _depth(node) >= MAX_DEPTH:
        message = "it holds too many blocks in each other"
        raise UnwrappableError(message)
    first, last = _first_line(run[0]), run[-1].end_lineno or 0
    start = text.column(run[0].lineno, run[0].col_offset)
    end = text.span(run[-1]).end.column
    indent = _indent(lines[first - 1])
    behind = lines[last - 1][end:].strip()
    if lines[run[0].lineno - 1][:start] != indent or (behind and not behind.startswith("#")):
        message = "it shares its line with other statements"
        raise UnwrappableError(message)
    if not _following(node, run[-1]):
        last = _with_footer(lines, last, indent)
    unit = _unit(node, _indent(lines[_first_line(node.body[0]) - 1]), text)
    moved = _indented(function, first, last, indent, unit)
    gap = text.newline if isinstance(run[0], (*FUNCTIONS, ast.ClassDef)) else ""
    stop = Position(last, len(lines[last - 1]))
    return Edit(Span(Position(first, 0), stop), f"{indent}{header}{text.newline}{gap}{moved}")


def wrap_rest(
    function: Scope, statement: ast.stmt, header: str, footer: Sequence[str], ended: str = ""
) -> Edit:
    """Indent what follows a statement in its block below ``header``, with ``footer`` lines behind it.

    ``ended`` is a name whose value that ends, so that nothing further down may use it.

    Footer lines are relative to the block: ``("finally:", "    task.cancel()")``; four leading spaces
    stand for one level of the block's own indentation. Raises UnwrappableError.
    """
    node = function.node
    assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    text, lines = function.outline.text, function.outline.text.lines
    if _depth(node) >= MAX_DEPTH:
        message = "it holds too many blocks in each other"
        raise UnwrappableError(message)
    rest = _following(node, statement)
    if not rest:
        message = "no statement follows it"
        raise UnwrappableError(message)
    if _last_reads(node).get(ended, (0, 0)) > end_of(rest[-1]):
        message = f"{ended} is used again behind the block that it is made in"
        raise UnwrappableError(message)
    first, last = _first_line(rest[0]), rest[-1].end_lineno or 0
    start = text.span(statement).start
    alone = not lines[start.line - 1][: start.column].strip() and statement.end_lineno < first  # type: ignore[operator]
    if not alone:
        message = "it shares its line with other statements"
        raise UnwrappableError(message)
    indent = _indent(lines[start.line - 1])
    unit = _unit(node, _indent(lines[_first_line(node.body[0]) - 1]), text)
    moved = _indented(function, first, last, indent, unit)
    opened = "" if moved.endswith(("\n", "\r")) else text.newline
    closing = text.newline.join(indent + line.replace("    ", unit) for line in footer)
    newline = "" if opened else text.newline
    end = Position(last, len(lines[last - 1]))
    behind = f"{opened}{closing}{newline}" if footer else ""
    wrapped = f"{indent}{header}{text.newline}{moved}{behind}"
    return Edit(Span(Position(first, 0), end), wrapped)


def wrap_expression(function: Scope, expr: ast.expr, call: str, more: str) -> tuple[Edit, ...]:
    """Make an expression the first argument of a call: ``call(expr, more)``.

    One that fills several lines alone is moved a level deeper below ``call(``, as formatters lay it out.
    Raises UnwrappableError.
    """
    node, text = function.node, function.outline.text
    assert isinstance(node, FUNCTIONS)
    span, newline = text.span(expr), text.newline
    indent = text.lines[span.start.line - 1][: span.start.column]
    behind = text.lines[span.end.line - 1][span.end.column :]
    if span.start.line == span.end.line or indent.strip() or behind.strip() not in ("", ","):
        start, end = Span(span.start, span.start), Span(span.end, span.end)
        return Edit(start, f"{call}("), Edit(end, f", {more})")
    unit = _unit(node, _indent(text.lines[_first_line(node.body[0]) - 1]), text)
    moved = _indented(function, span.start.line, span.end.line, indent, unit).removesuffix(behind)
    closing = f",{newline}{indent}{unit}{more},{newline}{indent})"
    whole = Span(Position(span.start.line, 0), span.end)
    return (Edit(whole, f"{indent}{call}({newline}{moved}{closing}"),)


@lru_cache(maxsize=1)
def _last_reads(function: FunctionNode) -> dict[str, tuple[int, int]]:
    """Where each name is read, or deleted, last."""
    found: dict[str, tuple[int, int]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store):
            found[node.id] = max(found.get(node.id, (0, 0)), start_of(node))
    return found


def _indented(function: Scope, first: int, last: int, indent: str, unit: str) -> str:
    """Lines (1-based, to ``last``) of a function's block at ``indent``, one ``unit`` deeper.

    Blank lines and the contents of strings stay as they are.
    """
    lines, start = function.outline.text.lines, _first_line(function.node)  # type: ignore[arg-type]
    inside = _inside_strings("".join(lines[start - 1 : function.node.end_lineno]))  # type: ignore[union-attr]
    if any("\f" in line and "\f" in _indent(line) for line in lines[first - 1 : last]):
        message = "form feeds stand in its indentation"
        raise UnwrappableError(message)
    parts = []
    for number in range(first, last + 1):
        line = lines[number - 1]
        if number - start + 1 in inside or not line.strip():
            parts.append(line)
        elif line.startswith(indent):
            parts.append(indent + unit + line[len(indent) :])
        else:
            parts.append(unit + line)
    return "".join(parts)


def _following(root: ast.AST, statement: ast.stmt) -> list[ast.stmt]:
    """The statements behind one in the same block."""
    for node in ast.walk(root):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and statement in block:
                return block[block.index(statement) + 1 :]
    return []


def _depth(node: ast.AST) -> int:
    """How many blocks stand in each other; CPython's compiler takes 20, and 3.12.1 crashes before that."""
    deepest, stack = 0, [(node, 0)]
    while stack:  # no recursion: a chain of ``elif`` is as deep as it is long
        inner, depth = stack.pop()
        depth += isinstance(inner, BLOCKS)
        deepest = max(deepest, depth)
        stack.extend((child, depth) for child in ast.iter_child_nodes(inner))
    return deepest


def split_body(node: FunctionNode) -> tuple[list[ast.stmt], list[ast.stmt]]:
    """Statements that stay at the top of the body, and the rest."""
    count = 0
    for statement in node.body:
        docstring = (
            count == 0
            and isinstance(statement, ast.Expr)
            and isinstance(statement.value, ast.Constant)
            and isinstance(statement.value.value, str)
        )
        if not docstring and not isinstance(statement, (ast.Global, ast.Nonlocal)):
            break
        count += 1
    return node.body[:count], node.body[count:]


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])


def _header_line(node: FunctionNode, text: SourceText) -> int:
    """The line of the colon that ends a function's header."""
    first = node.body[0]
    before = text.lines[_first_line(first) - 1][: text.column(first.lineno, first.col_offset)]
    return first.lineno if before.strip() and not hasattr(first, "decorator_list") else 0


def _unfold(node: FunctionNode, header: str, text: SourceText) -> Edit:
    """``async def f(): await x()`` becomes four lines."""
    start = text.span(node.body[0]).start
    line = text.lines[start.line - 1]
    before = line[: start.column].rstrip()
    if not before.endswith(":"):
        message = "its body begins in the middle of a line"
        raise UnwrappableError(message)
    indent = _indent(text.lines[node.lineno - 1])
    indented = next((one for one in text.lines if one[:1] in (" ", "\t") and one.strip()), "")
    unit = "\t" if (indent or indented).startswith("\t") else "    "
    opening = f"{text.newline}{indent}{unit}{header}{text.newline}{indent}{unit}{unit}"
    return Edit(Span(Position(start.line, len(before)), start), opening)


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t\f"))]


def _unit(node: FunctionNode, indent: str, text: SourceText) -> str:
    outer = _indent(text.lines[node.lineno - 1])
    return indent[len(outer) :] if indent.startswith(outer) and len(indent) > len(outer) else "    "


def _with_switch(lines: list[str], first: int) -> int:
    """The first line, or the comment above it that switches a formatter off for what follows."""
    above = first - 1
    while above and lines[above - 1].strip(" \t\r\n\f")[:1] in ("", "#"):
        if _SWITCH.match(lines[above - 1]):
            first = above
        above -= 1
    return first


def _with_footer(lines: list[str], last: int, indent: str) -> int:
    """The last line, comment lines of the body that follow it directly included."""
    while last < len(lines) and lines[last].startswith(indent) and lines[last].lstrip(" \t").startswith("#"):
        last += 1
    return last


@lru_cache(maxsize=4)  # each finding of a function asks
def _inside_strings(source: str) -> set[int]:
    """1-based lines that begin inside a string literal."""
    if not _MAY_SPAN_LINES.search(source):
        return set()
    starts = {getattr(tokenize, name, -1) for name in ("FSTRING_START", "TSTRING_START")}
    ends = {getattr(tokenize, name, -1) for name in ("FSTRING_END", "TSTRING_END")}
    found: set[int] = set()
    opened: list[int] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(source, newline="").readline):
            if token.type == tokenize.STRING:
                found.update(range(token.start[0] + 1, token.end[0] + 1))
            elif token.type in starts:
                opened.append(token.start[0])
            elif token.type in ends:
                found.update(range(opened.pop() + 1, token.end[0] + 1))
    except (tokenize.TokenError, SyntaxError) as error:
        message = "its lines can't be told from its strings"
        raise UnwrappableError(message) from error
    return found
