"""Answers to questions that may lead to themselves."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
A = TypeVarTuple("A")
UNKNOWN: Any = object()  # for what has no answer yet, which may be None
MAX_DEPTH = 40  # a chain of expressions; deeper is unknown


class Memo:
    """Keeps each answer; ``known`` are those that hold for good, by question."""

    def __init__(self) -> None:
        self.known: dict[Hashable, Any] = {}
        self._busy: dict[Hashable, int] = {}  # questions that are being answered, and their depth
        self._passing: dict[Hashable, tuple[Any, int]] = {}  # answers that leant on one, and its depth
        self._cut: set[int] = set()  # depths of questions that were asked inside themselves
        self._lowest = 0  # the least deep of those, in what is being answered

    def once(self, key: Hashable, answer: Callable[[*A], T], *about: *A) -> T | None:
        """An answer worked out once; None inside its own working out (a cycle of imports or bases).

        What leant on such a None is kept only until the question that it was about is answered; it is
        worked out anew then, so that cycles cost no more than their size.
        """
        known: T = self.known.get(key, UNKNOWN)
        if known is not UNKNOWN:
            return known
        if key in self._passing:
            found, lowest = self._passing[key]
            self._lowest = min(self._lowest, lowest)
            passing: T | None = found
            return passing
        depth = len(self._busy)
        if key in self._busy or depth > MAX_DEPTH:
            cut = self._busy.get(key, 0)
            self._cut.add(cut)
            self._lowest = min(self._lowest, cut)
            return None
        outer, self._lowest = self._lowest, depth
        self._busy[key] = depth
        try:
            found = answer(*about)
        except BaseException:
            self._cut.clear()
            self._passing.clear()
            raise
        finally:
            del self._busy[key]
            lowest = self._lowest
            if outer < lowest:
                self._lowest = outer
        if lowest < depth:
            self._passing[key] = found, lowest
        else:
            self.known[key] = found
        if depth in self._cut:
            self._cut.discard(depth)
            self._passing = {k: kept for k, kept in self._passing.items() if kept[1] < depth}
        return found
