"""Where ``import x`` goes in a file: into its isort block, as isort's and ruff's defaults sort it; and out.

Blocks are standard library, other packages, relative imports; plain imports stand before ``from`` imports
(https://docs.astral.sh/ruff/rules/unsorted-imports/). What comes first in a file stays first: shebang,
encoding cookie, licence, docstring, ``from __future__``.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from itertools import pairwise
from keyword import kwlist
from typing import NamedTuple

from asynclint.finding import Position
from asynclint.source.text import SourceText

_REST_OF_ROW = re.compile(r"(?:[ \t\f;]|\\(?:\r\n|\r|\n))*(?:#[^\r\n]*)?(?:\r\n|\r|\n|\Z)")
_LINE_END = re.compile(r"\r\n|\r|\n")
_BLANK_LINE = re.compile(r"(?:\A|(?<=\n)|(?<=\r)(?!\n))[ \t\f]*(?:\r\n|\r|\n)")
_BLANK_LINES = re.compile(r"(?:[ \t\f]*(?:\r\n|\r|\n))*")
_BLANK_END = re.compile(r"(?:\A|\n|\r(?!\n))[ \t\f]*(?:\r\n|\r|\n)\Z")
_NAME = re.compile(r"(?<![.\w])[^\W\d]\w*")  # not of an attribute
_WORD = re.compile(r"\w+")
_DOTTED = re.compile(r"\w+(?=\.\w)|(?<=\w\.)\w+")
_LOADED = re.compile(r"(?:\A|[/\\])(?:test_[^/\\]*|[^/\\]*_test|conftest)\.py\Z")
_BLANKS_AT_END = re.compile(r"(\A|\n|\r(?!\n))(?:[ \t\f]*(?:\r\n|\r|\n))*\Z")
#: comments that stand above a file or a block rather than belong to the import below them
_HEADING = re.compile(
    r"copyright|licen[cs]e|spdx|coding[:=]|standard lib|stdlib|built.?in|third.?party", re.IGNORECASE
)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_STANDARD, _OTHER, _RELATIVE = range(3)


class _Row(NamedTuple):
    """Top-level statements of one logical line, from its first character up to behind its line end."""

    start: int
    end: int
    statements: tuple[ast.stmt, ...]

    @property
    def is_import(self) -> bool:
        return isinstance(self.statements[0], (ast.Import, ast.ImportFrom))

    @property
    def is_plain(self) -> bool:
        return isinstance(self.statements[0], ast.Import)

    @property
    def module(self) -> str:
        """The module that the row is sorted by."""
        match self.statements[0]:
            case ast.Import(names=names):
                return names[0].name
            case ast.ImportFrom(module=module):
                return module or ""
        return ""

    @property
    def section(self) -> int:
        first = self.statements[0]
        return _RELATIVE if isinstance(first, ast.ImportFrom) and first.level else _section(self.module)


def add_imports(text: SourceText, modules: Iterable[str]) -> str:
    """The text with ``import <module>`` for each module that its top level doesn't import unconditionally.

    Raises SourceError if the text cannot be parsed.
    """
    for module in sorted(set(modules)):
        tree = text.parse()
        if not _imports(tree, module):
            text = SourceText.from_lines([_added(text.text, _rows(text, tree), module, text.newline)])
    return text.text


def left_behind(old: str, new: str) -> set[str]:
    """The names in a text that is replaced which the new one has not; attributes and keywords are none."""
    return {*_NAME.findall(old)}.difference(_NAME.findall(new), kwlist)


def is_read_alone(path: str) -> bool:
    """Whether a file is one that pytest loads by its name, rather than others by what it imports."""
    return _LOADED.search(path) is not None


def drop_imports(text: SourceText, names: Collection[str], fixed: SourceText | None = None) -> str:
    """The text without the lines that import one of some names, and only that, where nothing uses it.

    Uses are looked for in ``fixed``, what the text is to become, if that is given. A parameter counts, which
    may ask for a fixture, and a name in a string: ``"shop.time.sleep"``, ``"list[time.struct_time]"``, a
    doctest; a word of prose does not. A line with a comment stays. Raises SourceError if one of the texts
    cannot be parsed.
    """
    if not names:
        return text.text
    tree = text.parse()
    unused = {*names}.difference(_used(tree if fixed is None else fixed.parse()))
    rows = [row for row in _rows(text, tree) if _binds(row, unused, text.text)] if unused else []
    left = text.text
    for row in reversed(rows):
        left = _without(left, row)
    return left


def _used(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(name) | ast.arg(name):
                yield name
            case ast.Constant(str() as value):
                yield from (_WORD if _is_code(value) else _DOTTED).findall(value)


def _is_code(text: str) -> bool:
    """Whether a string may be code: prose of more than a word hardly ever parses."""
    if ">>>" in text:
        return True
    try:
        ast.parse(text.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _binds(row: _Row, names: Container[str], text: str) -> bool:
    """Whether a line does nothing but to import one thing, by one of some names: ``import time``.

    Not a class: other test modules may have it from this one.
    """
    if len(row.statements) != 1 or "#" in text[row.start : row.end]:
        return False
    match row.statements[0]:
        case ast.Import(names=[alias]) | ast.ImportFrom(names=[alias]):
            name = alias.asname or alias.name
            return name in names and not name[:1].isupper()
    return False


def _without(text: str, row: _Row) -> str:
    """The text without a line, and with the wider of the gaps round it."""
    before, after = text[: row.start], text[row.end :]
    below = _BLANK_LINES.match(after)
    gap = below.group() if below is not None else ""
    above = _BLANKS_AT_END.search(before)
    start = above.end(1) if above is not None else 0
    if before and len(_LINE_END.findall(before[start:])) <= len(_LINE_END.findall(gap)):
        return before[:start] + after
    return before + after[len(gap) :]


def _imports(tree: ast.Module, module: str) -> bool:
    aliases = [alias for node in tree.body if isinstance(node, ast.Import) for alias in node.names]
    return any(
        alias.name == module or alias.name.startswith(f"{module}.")  # "import a.b" binds a, and a.b
        for alias in aliases
        if alias.asname in (None, module)
    )


def _rows(text: SourceText, tree: ast.Module) -> list[_Row]:
    rows: list[_Row] = []
    waiting: list[ast.stmt] = []
    for statement in tree.body:
        waiting.append(statement)
        rest = _REST_OF_ROW.match(text.text, text.offset(text.span(statement).end))
        if rest:  # no match: another statement follows a semicolon
            first = min(node.lineno for node in (waiting[0], *getattr(waiting[0], "decorator_list", ())))
            rows.append(_Row(text.offset(Position(first, 0)), rest.end(), tuple(waiting)))
            waiting = []
    return rows


def _added(text: str, rows: Sequence[_Row], module: str, newline: str) -> str:
    head = _head(rows)
    run = _run(rows, head)
    line = f"import {module}{newline}"
    if not run:
        return _added_alone(text, rows, head, line, newline)
    offset, before, after = _place(text, rows, run, module)
    if offset and not text[:offset].endswith(("\n", "\r")):  # behind a last line without an end
        return f"{text}{newline}{newline * before}import {module}"
    return f"{text[:offset]}{newline * before}{line}{newline * after}{text[offset:]}"


def _head(rows: Sequence[_Row]) -> int:
    """How many rows stay first: the docstring's and those with a ``from __future__``."""
    count = 0
    for number, row in enumerate(rows):
        match row.statements[0]:
            case ast.Expr(value=ast.Constant(value=str())) if number == 0:
                count = number + 1
        if any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in row.statements):
            count = number + 1
    return count


def _run(rows: Sequence[_Row], head: int) -> list[_Row]:
    """The first rows of imports one after the other; none if a function or class comes before them."""
    run: list[_Row] = []
    for row in rows[head:]:
        if row.is_import:
            run.append(row)
        elif run or isinstance(row.statements[0], _DEFINITIONS):
            break
    return run


def _place(text: str, rows: Sequence[_Row], run: Sequence[_Row], module: str) -> tuple[int, int, int]:
    """The offset for an import among others, and how many blank lines it needs before and after it."""
    section = _section(module)
    for block in _blocks(text, run):
        same = [row for row in block if row.section == section]
        if same:
            return _place_in_block(text, rows, same, module)
    later = next((row for row in run if row.section > section), None)
    if later is None:
        return run[-1].end, 1, 0
    offset = _above(text, rows, later)
    previous = [row for row in rows if row.end <= offset]
    apart = not previous or _BLANK_LINE.search(text[previous[-1].end : offset])
    return offset, 0 if apart else 1, 1


def _place_in_block(
    text: str, rows: Sequence[_Row], same: Sequence[_Row], module: str
) -> tuple[int, int, int]:
    plain = [row for row in same if row.is_plain]
    forms = [row.is_plain for row in same]
    sorted_together = forms != sorted(forms, reverse=True)  # isort's force_sort_within_sections
    before = [row for row in (same if sorted_together else plain) if _key(row.module) < _key(module)]
    if before:
        return before[-1].end, 0, 0
    offset = _above(text, rows, same[0])
    return (
        offset,
        0,
        1 if offset < same[0].start else 0,
    )  # isort and ruff keep a blank line above such comments


def _blocks(text: str, run: Sequence[_Row]) -> list[list[_Row]]:
    """The rows cut at blank lines, but for those above a comment within a section."""
    blocks = [[run[0]]]
    for previous, row in pairwise(run):
        between = text[previous.end : row.start]
        comment = between.strip() and not _HEADING.search(between) and row.section == previous.section
        if _BLANK_LINE.search(between) and not comment:
            blocks.append([])
        blocks[-1].append(row)
    return blocks


def _above(text: str, rows: Sequence[_Row], row: _Row) -> int:
    """The offset above a row and the comments that belong to it."""
    floor = max((other.end for other in rows if other.end <= row.start), default=0)
    blanks = list(_BLANK_LINE.finditer(text[floor : row.start]))
    start = floor + blanks[-1].end() if blanks else floor
    return row.start if start == 0 or _HEADING.search(text[start : row.start]) else start


def _added_alone(text: str, rows: Sequence[_Row], head: int, line: str, newline: str) -> str:
    """Add the first import of a file, with the blank lines that formatters want round it."""
    following = rows[head] if head < len(rows) else None
    if head:
        offset = rows[head - 1].end
    elif following:
        offset = _above(text, rows, following)
    else:
        offset = len(text)
    before, after = text[:offset], text[offset:]
    ended = not before or before.endswith(("\n", "\r"))
    lead = 0 if not before or _BLANK_END.search(before) else 1 if ended else 2
    blanks = _BLANK_LINES.match(after)
    present = len(_LINE_END.findall(blanks.group())) if blanks else 0
    wanted = 0
    if following:
        wanted = 2 if isinstance(following.statements[0], _DEFINITIONS) else 1
    return f"{before}{newline * lead}{line}{newline * (wanted - present)}{after}"


def _section(module: str) -> int:
    return _STANDARD if module.partition(".")[0] in sys.stdlib_module_names else _OTHER


def _key(module: str) -> tuple[str, str]:
    return module.lower(), module
