"""What a value may be at a point of a function, and what its fates make of that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import libcst as cst

from asynclint.flow.fates import Fate


class State:
    """What the value may be: flags joined by ``|``; plain numbers take a tenth of the time of enum's."""

    NOWHERE = 0  # no path leads here
    SETTLED = 1  # not made yet, finished, or handed on
    LIVE = 2
    CANCELLED = 4  # asked to end, and not awaited since
    PENDING = 8  # asyncio.wait may have left it running
    LOST = 16  # live, and nobody has it any more


UNFINISHED = State.LIVE | State.LOST
UNSETTLED = UNFINISHED | State.CANCELLED | State.PENDING
FLAGS = (State.SETTLED, State.LIVE, State.CANCELLED, State.PENDING, State.LOST)
_SETTLE = {State.LIVE: State.SETTLED, State.CANCELLED: State.SETTLED, State.PENDING: State.SETTLED}
_NEXT: dict[Fate, dict[int, int]] = {
    Fate.BORN: {State.SETTLED: State.LIVE, State.CANCELLED: State.LIVE, State.PENDING: State.LIVE,
                State.LIVE: State.LIVE | State.LOST},
    Fate.FINISHED: _SETTLE,
    Fate.HANDED: _SETTLE,
    Fate.SWEPT: _SETTLE | {State.LOST: State.SETTLED},
    Fate.CANCELLED: {State.LIVE: State.CANCELLED, State.PENDING: State.CANCELLED},
    Fate.WAITED: {State.LIVE: State.PENDING, State.CANCELLED: State.SETTLED},
    Fate.PROVED: {State.CANCELLED: State.SETTLED, State.PENDING: State.SETTLED},
    Fate.CHECKED: {State.PENDING: State.SETTLED},
    Fate.LOST: {State.LIVE: State.LOST},
}  # fmt: skip


@dataclass(slots=True)
class Outcome:
    """How a block is left: at its end, by ``return``, ``break``, ``continue``; each with its states.

    ``entered`` is how things stand where a ``return`` begins, or behind a turn of an endless loop.
    ``returns`` is the ``return`` that leaves it while the value is unfinished, ``raises`` what can fail in it
    while the value is live and end the function so.
    """

    end: int
    returned: int = State.NOWHERE
    broken: int = State.NOWHERE
    continued: int = State.NOWHERE
    entered: int = State.NOWHERE
    returns: cst.CSTNode | None = None
    raises: cst.CSTNode | None = None

    @property
    def settled_before_return(self) -> int:
        """How it stands where no end is reached, if nothing is left to do there; else nowhere."""
        return State.NOWHERE if self.entered & UNSETTLED else self.entered

    def join(self, other: Outcome) -> None:
        """Add the ways in which another block is left, its end left out."""
        self.returned |= other.returned
        self.broken |= other.broken
        self.continued |= other.continued
        self.entered |= other.entered
        self.returns = self.returns or other.returns
        self.raises = self.raises or other.raises


class Split(NamedTuple):
    """A condition on which it depends whether the value is finished; ``when`` it is not."""

    test: cst.CSTNode
    when: bool


def changed(state: int, fate: Fate) -> int:
    changes, after = _NEXT.get(fate, {}), State.NOWHERE
    for flag in FLAGS:
        if state & flag:
            after |= changes.get(flag, flag)
    return after


def settled(state: int) -> int:
    """The state where a condition on the value itself has said that nothing is left to do."""
    return (state & State.LOST) | State.SETTLED if state & UNSETTLED else state
