"""How many tests of a file are bounded, as a cache keeps it and the end of a report adds it up."""

from __future__ import annotations

from typing import NamedTuple

from asynclint.project.config import PytestConfig


class Tally(NamedTuple):
    """Of the async tests of a module that can hang, how many nothing bounds and how many something may.

    ``config`` is what pytest reads for them; ``by_pytest`` says whether pytest is sure to run them.
    """

    config: PytestConfig
    unbounded: int
    others: int
    by_pytest: bool
