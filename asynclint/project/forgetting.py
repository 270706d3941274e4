"""How a run lets a module go once it has been judged: most test modules are of no use to any other.

A dictionary of answers has keys that name the question and what it is about: tuples of words, paths,
nodes, scopes and what belongs to a scope. Answers about a module stand among those that were added
while it was judged.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from itertools import islice
from typing import Any

from asynclint.source.outline import Outline, Scope

Answers = dict[Any, Any]  # by question


class Mark:
    """How much was known when a module's turn came."""

    def __init__(self, memories: Iterable[Answers]) -> None:
        self._sizes = {id(answers): len(answers) for answers in memories}

    def forget(self, outline: Outline, memories: Iterable[Answers]) -> None:
        """Drop what has been learnt about a module since; of dictionaries made since, everything is new."""
        for answers in memories:
            new = len(answers) - self._sizes.get(id(answers), 0)
            for key in [key for key in islice(reversed(answers), max(new, 0)) if _about(key) is outline]:
                del answers[key]


def _about(key: Hashable) -> Outline | None:
    """The module that a key is about; None for others."""
    if isinstance(key, tuple):
        return next((found for found in map(_about, key) if found is not None), None)
    if isinstance(key, Scope):
        return key.outline
    if isinstance(key, Outline):
        return key
    scope = getattr(key, "scope", None)  # a test, a mark, a method
    return scope.outline if isinstance(scope, Scope) else None
