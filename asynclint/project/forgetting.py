"""How a run lets a module go once it has been judged: most test modules are of no use to any other.

A dictionary of answers has keys that name the question and what it is about: tuples of words, paths,
nodes, scopes and what belongs to a scope. Answers about a module stand among those that were added
while it was judged.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from itertools import islice
from typing import Any

from asynclint.source.outline import Outline, Scope

Answers = dict[Any, Any]  # by question
PLAIN = frozenset({str, bytes, bool, int, type(None)})
NAMING = ("scope", "cls", "argument", "receiver")  # attributes of what is remembered in keys


class Mark:
    """How much was known when a module's turn came."""

    def __init__(self, memories: Iterable[Answers]) -> None:
        self._sizes = {id(answers): len(answers) for answers in memories}

    def forget(self, outline: Outline, memories: Iterable[Answers]) -> None:
        """Drop what has been learnt about a module since; of dictionaries made since, everything is new."""
        for answers in memories:
            new = max(len(answers) - self._sizes.get(id(answers), 0), 0)
            for key in [*islice(reversed(answers), new)]:
                last = key[-1] if key.__class__ is tuple else key  # nearly all keys end in their scope
                if (last.__class__ is Scope and last.outline is outline) or _belongs(key, outline):
                    del answers[key]


def _belongs(part: object, outline: Outline) -> bool:
    """Whether a key or its part is a module, a scope of it, or names one (a test, an object of a class)."""
    kind = part.__class__
    if kind is Scope:
        return part.outline is outline  # type: ignore[attr-defined]
    if kind is Outline:
        return part is outline
    if kind is tuple or kind is frozenset:
        inner: list[object] = [*part]  # type: ignore[misc]
    elif isinstance(part, ast.AST):
        return False
    else:
        inner = [getattr(part, name, None) for name in NAMING]
    return any(_belongs(one, outline) for one in inner if one.__class__ not in PLAIN)
