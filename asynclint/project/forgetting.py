"""How a run lets a module go once it has been judged: most test modules are of no use to any other.

A dictionary of answers has keys that name the question and what it is about: tuples of words, paths,
nodes, scopes and what belongs to a scope. Answers about a module stand among those that were added
while it was judged.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from asynclint.source.outline import Outline, Scope

Answers = dict[Any, Any]  # by question
PLAIN = frozenset({str, bool, int, type(None)})
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
    if kind in PLAIN:
        return False
    if kind is tuple or kind is frozenset:
        return any(_belongs(inner, outline) for inner in part)  # type: ignore[attr-defined]
    if kind is Scope:
        return part.outline is outline  # type: ignore[attr-defined]
    if kind is Outline:
        return part is outline
    return any(_belongs(getattr(part, name, None), outline) for name in NAMING)
