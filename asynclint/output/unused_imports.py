"""Imports that nothing uses once fixes are applied: ``import time`` after the last ``time.sleep``."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Sequence

from asynclint.source.text import SourceText


def without_unused(before: SourceText, after: SourceText) -> str:
    """The text ``after`` fixes without the imports that only what they replaced has used in ``before``.

    Modules of the standard library alone, whose import does nothing else, and statements that import one
    name in lines of their own, without a remark. Raises SourceError where one of them can't be parsed.
    """
    old, new = before.parse(), after.parse()
    gone = _used(old) - _used(new)
    lines: Sequence[str] = after.lines
    for statement in reversed(list(_alone(new))):
        first, last = statement.lineno - 1, statement.end_lineno or statement.lineno
        written = "".join(lines[first:last])
        if _name(statement) in gone and "#" not in written and ";" not in written:
            lines = _without(lines, first, last)
    return "".join(lines)


def _without(lines: Sequence[str], first: int, last: int) -> list[str]:
    """Lines without some of them, and without the blank ones that would stand doubled then."""
    if last < len(lines) and not lines[last].strip():
        while first > 0 and not lines[first - 1].strip():
            first -= 1
        while first == 0 and last < len(lines) and not lines[last].strip():
            last += 1
    return [*lines[:first], *lines[last:]]


def _used(tree: ast.Module) -> set[str]:
    """Names that a module uses; and words of its strings, of which some are names, as in ``__all__``."""
    used: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            used.add(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            used.update(re.findall(r"\w+", node.value))
    return used


def _alone(tree: ast.Module) -> Iterator[ast.Import | ast.ImportFrom]:
    """Imports of one name from the standard library."""
    for statement in tree.body:
        if isinstance(statement, (ast.Import, ast.ImportFrom)) and len(statement.names) == 1:
            module = statement.names[0].name if isinstance(statement, ast.Import) else statement.module or ""
            if module.partition(".")[0] in sys.stdlib_module_names and module != "__future__":
                yield statement


def _name(statement: ast.Import | ast.ImportFrom) -> str:
    (alias,) = statement.names
    return alias.asname or alias.name.partition(".")[0]
