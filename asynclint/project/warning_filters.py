"""Which filter decides what becomes of a warning, as pytest and Python apply them.

The last filter that fits wins. In order: ``PYTHONWARNINGS``, pytest's ``filterwarnings``, its ``-W``, marks
(https://docs.pytest.org/en/stable/how-to/capture-warnings.html; tried on pytest 9.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from asynclint.knowledge.diagnostics import ACTIONS, CATEGORIES, DIAGNOSTICS, UNRAISABLE, Diagnostic


class Filter(NamedTuple):
    """One filter: what it does to which warnings; ``written`` is its text.

    ``message`` and ``module`` are patterns that match from the start.
    """

    action: str
    message: re.Pattern[str]
    category: str
    module: re.Pattern[str]
    written: str

    def fits(self, diagnostic: Diagnostic) -> bool:
        """Whether it decides on such a warning, unless a later one does."""
        return (
            diagnostic in CATEGORIES.get(self.category, ())
            and self.message.match(diagnostic.text) is not None
            and self.module.match(diagnostic.module) is not None
        )


def read_filter(written: str, *, literal: bool = False) -> Filter | None:
    """A filter ``action:message:category:module:line``; None for one that pytest would refuse.

    ``literal`` ones are no patterns: those of ``-W`` and ``PYTHONWARNINGS``.
    """
    parts = [part.strip() for part in written.split(":")]
    if len(parts) > 5:
        return None
    action, message, category, module, _ = parts + [""] * (5 - len(parts))
    if literal:
        message, module = re.escape(message), re.escape(module) + r"\Z" if module else ""
    return make_filter(action, message, category, module, written)


def make_filter(action: str, message: str, category: str, module: str, written: str) -> Filter | None:
    """A filter of its parts, which are patterns; None where they can't be used."""
    full = next((known for known in ACTIONS if action and known.startswith(action.lower())), "")
    try:
        patterns = re.compile(message, re.IGNORECASE), re.compile(module)
    except re.error:
        return None
    return Filter(full, patterns[0], category, patterns[1], written) if full else None


def decisive(filters: Sequence[Filter], diagnostic: Diagnostic) -> int:
    """The place of the filter that decides on a warning; -1 where none does."""
    return next((n for n in range(len(filters) - 1, -1, -1) if filters[n].fits(diagnostic)), -1)


def action_on(filters: Sequence[Filter], diagnostic: Diagnostic) -> str:
    """What becomes of a warning; empty where Python's default decides."""
    place = decisive(filters, diagnostic)
    return filters[place].action if place >= 0 else ""


def hidden(filters: Sequence[Filter]) -> dict[int, list[Diagnostic]]:
    """The filters, by their places, that hide what asyncio reports, and what that is.

    What hides errors in finalizers together with much else counts only where warnings are made errors: as
    errors, "never awaited" and the like come up in finalizers.
    """
    found: dict[int, list[Diagnostic]] = {}
    raised = any(action_on(filters, diagnostic) == "error" for diagnostic in DIAGNOSTICS[:-1])
    for diagnostic in DIAGNOSTICS:
        place = decisive(filters, diagnostic)
        if place < 0 or filters[place].action != "ignore":
            continue
        named = filters[place].category.endswith(diagnostic.category)
        if diagnostic is not UNRAISABLE or named or raised or place in found:
            found.setdefault(place, []).append(diagnostic)
    return found


def titles(diagnostics: Iterable[Diagnostic]) -> str:
    """Names of diagnostics for a report."""
    names = [diagnostic.title for diagnostic in diagnostics]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
