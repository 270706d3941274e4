"""A file, its tree, and changes of its text."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from asynclint.source.text import SourceError, SourceText

Change = tuple[int, int, str]  # offsets and new text
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass
class Source:
    """A file, its tree, and who holds what."""

    path: Path
    text: SourceText
    tree: ast.Module
    parents: dict[ast.AST, ast.AST] = field(default_factory=dict)

    def start(self, node: ast.AST) -> int:
        return self.text.offset(self.text.span(node).start)

    def end(self, node: ast.AST) -> int:
        return self.text.offset(self.text.span(node).end)

    def code(self, node: ast.AST) -> str:
        return self.text.slice(self.text.span(node))

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        while node in self.parents:
            node = self.parents[node]
            yield node

    def function(self, node: ast.AST) -> ast.AST | None:
        """The innermost function round a node."""
        return next((outer for outer in self.around(node) if isinstance(outer, FUNCTIONS)), None)

    def outermost(self, node: ast.AST) -> ast.AST | None:
        return next((o for o in reversed([*self.around(node)]) if isinstance(o, FUNCTIONS)), None)

    def origin(self, name: str) -> str:
        """The package that a name is imported from; "" where it is not."""
        for node in self.all(ast.ImportFrom):
            assert isinstance(node, ast.ImportFrom)
            if any((alias.asname or alias.name) == name for alias in node.names):
                return (node.module or "").partition(".")[0]
        return ""

    def all(self, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
        return (node for node in (self.tree, *self.parents) if isinstance(node, kinds))


@dataclass(frozen=True)
class Mutant:
    """One change of a file, at a node of it."""

    node: ast.AST
    changes: tuple[Change, ...]


Sites = Callable[[Source], Iterator[Mutant]]


def read(path: Path) -> Source | None:
    try:
        text = SourceText.from_bytes(path.read_bytes())
        tree = text.parse()
    except (OSError, SourceError):
        return None
    source = Source(path, text, tree)
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            source.parents[child] = node
    return source


def dropped(source: Source, statement: ast.AST) -> Mutant:
    """``pass`` for a statement."""
    return Mutant(statement, ((source.start(statement), source.end(statement), "pass"),))


def line_start(source: Source, line: int) -> int:
    return sum(map(len, source.text.lines[: line - 1]))


def dedented(source: Source, body: list[ast.stmt], column: int) -> list[Change] | None:
    """Changes that move a block to a column; None where a line is not just the block's."""
    first, last = body[0], body[-1]
    shift = first.col_offset - column
    head = source.text.lines[first.lineno - 1][: first.col_offset]
    if shift <= 0 or head.strip():
        return None
    inside: set[int] = set()
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, (ast.Constant, ast.JoinedStr)) and node.end_lineno is not None:
                inside.update(range(node.lineno + 1, node.end_lineno + 1))
    changes = []
    for number in range(first.lineno, (last.end_lineno or last.lineno) + 1):
        line = source.text.lines[number - 1]
        if number not in inside and line[:shift].isspace() and line.strip():
            at = line_start(source, number)
            changes.append((at, at + shift, ""))
    return changes


def unwrapped(source: Source, block: ast.With | ast.AsyncWith, before: str, after: str = "") -> Mutant | None:
    """A ``with`` statement turned into a statement before its body, and one behind it."""
    moved = dedented(source, block.body, block.col_offset)
    if moved is None:
        return None
    start, first = source.start(block), block.body[0]
    header = (start, line_start(source, first.lineno), before + "\n")
    changes = [header, *moved]
    last = block.body[-1]
    if after and not isinstance(last, (ast.Return, ast.Raise, ast.Continue, ast.Break)):
        end = source.end(last)
        changes.append((end, end, f"\n{' ' * block.col_offset}{after}"))
    return Mutant(block, tuple(changes))


def without_finally(source: Source, block: ast.Try) -> Mutant | None:
    """``try: A finally: B`` turned into ``A`` and then ``B``."""
    if block.handlers or block.orelse:
        return None
    body = dedented(source, block.body, block.col_offset)
    final = dedented(source, block.finalbody, block.col_offset)
    if body is None or final is None:
        return None
    opened = (source.start(block), line_start(source, block.body[0].lineno), "pass\n")
    # ``finally:`` and what stands round it: from the end of the body's last line on
    end = line_start(source, (block.body[-1].end_lineno or 0) + 1)
    closed = (end, line_start(source, block.finalbody[0].lineno), "")
    return Mutant(block, (opened, *body, closed, *final))


def with_import(source: Source, mutant: Mutant, module: str) -> Mutant:
    """The mutant with a module imported, on the line of the first import that may have company."""
    for statement in source.tree.body:
        future = isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
        if isinstance(statement, (ast.Import, ast.ImportFrom)) and not future:
            at = source.start(statement)
            return Mutant(mutant.node, (*mutant.changes, (at, at, f"import {module}; ")))
    return mutant


def called(call: ast.AST) -> tuple[str, str]:
    """``("loop", "call_soon")`` of ``loop.call_soon(…)``; the receiver is source text."""
    if not isinstance(call, ast.Call):
        return "", ""
    if isinstance(call.func, ast.Attribute):
        return ast.unparse(call.func.value), call.func.attr
    return "", getattr(call.func, "id", "")


def bare_call(statement: ast.AST) -> ast.Call | None:
    """The call of a statement that is nothing else, awaited or not."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    value = value.value if isinstance(value, ast.Await) else value
    return value if isinstance(value, ast.Call) else None


def made_in(source: Source, function: ast.AST, name: str) -> ast.Call | None:
    """The call whose result a name, or the last or first part of a tuple, gets in a function."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            names = {
                part.id for target in node.targets for part in ast.walk(target) if isinstance(part, ast.Name)
            }
            value = node.value.value if isinstance(node.value, ast.Await) else node.value
            if name in names and isinstance(value, ast.Call):
                return value
    return None
