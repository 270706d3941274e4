"""What makes a finding the same one after lines have moved and a formatter has been at work."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

from asynclint.finding import Finding
from asynclint.source.text import SourceError, SourceText

LONGEST = 100  # characters of code that a baseline shows; of more it keeps the beginning and a digest
_DEFINITION = re.compile(r"(async[\s\\]+)?(def|class)[\s\\]+\w+")
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_UNPARSABLE = (SyntaxError, ValueError, RecursionError, MemoryError)


class Identity(NamedTuple):
    """One kind of finding in one file.

    ``scope`` is the dotted name of the innermost function or class that it stands in, empty for the
    module; ``what`` the code it points at as ``ast.unparse`` writes it, empty where it points at none.
    """

    code: str
    scope: str
    what: str


def identities(
    text: SourceText, findings: Iterable[Finding], tree: ast.Module | None = None
) -> list[Identity]:
    """The identity of each finding in a file; ``tree`` is its ast, where the caller has it."""
    try:
        owners = _owners(text, text.parse() if tree is None else tree)
    except SourceError:  # a configuration file
        owners = []
    found = []
    for finding in findings:
        line, is_place = finding.span.start.line, finding.span.start == finding.span.end
        scope = owners[line] if line < len(owners) and not is_place else ""
        found.append(Identity(finding.code, scope, "" if is_place else _normal(text.slice(finding.span))))
    return found


def _owners(text: SourceText, tree: ast.Module) -> list[str]:
    """By line, the dotted name of the innermost function or class; decorators don't belong to it."""
    owners = [""] * (len(text.lines) + 2)
    stack: list[tuple[ast.AST, str]] = [(tree, "")]
    while stack:
        node, name = stack.pop()
        if isinstance(node, _SCOPES):
            name = f"{name}.{node.name}" if name else node.name
            end = node.end_lineno or node.lineno
            owners[node.lineno : end + 1] = [name] * (end + 1 - node.lineno)
        for below in ("body", "orelse", "finalbody", "handlers", "cases"):
            statements = getattr(node, below, ())
            if isinstance(statements, list):  # of a lambda or conditional expression it is none
                stack.extend((statement, name) for statement in statements)
    return owners


def _normal(source: str) -> str:
    """The code without what formatters change: blanks, quotes, parentheses, trailing commas."""
    forms = (f"(\n{source}\n)", textwrap.dedent(source)) if not _DEFINITION.fullmatch(source) else ()
    for form in forms:
        try:
            # versions of Python differ in the quotes they put round an f-string
            return _short(re.sub(r"\\?[\"']", "'", ast.unparse(ast.parse(form))))
        except _UNPARSABLE:
            continue
    # the head of a statement, such as `async def test_it` or `except (OSError, CancelledError)`
    words = " ".join(source.replace("\\", " ").split())
    return _short(re.sub(r",(?=[)\]])", "", re.sub(r" ?([^\w\s]) ?", r"\1", words)))


def _short(code: str) -> str:
    if len(code) <= LONGEST:
        return code
    return f"{code[:LONGEST]}… {blake2b(code.encode('utf-8', 'surrogatepass'), digest_size=6).hexdigest()}"
