"""How far a long run has come: a bar at the foot of a terminal, gone before anything else is printed."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

DELAY = 0.5  # seconds before it appears: a short run needs none
PAUSE = 0.1  # seconds between two drawings


class Progress:
    """Counts up to ``total`` and draws on ``stream``, which is a terminal; between calls nothing is drawn.

    No thread draws it, so that whoever prints has only to hide it first.
    """

    def __init__(self, stream: TextIO, total: int, color: str = "auto") -> None:
        self._stream = stream
        self._color = color
        self._total = total
        self._done = 0
        self._next = time.monotonic() + DELAY
        self._bar: Bar | None = None

    @staticmethod
    def suits(stream: TextIO) -> bool:
        """Whether a stream can show it: a terminal that moves its cursor."""
        return stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")

    def advance(self) -> None:
        """One more is done; draw, if it is time."""
        self._done = min(self._done + 1, self._total)
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + PAUSE
        if self._bar is None:
            self._bar = self._made()
            self._bar.start()
        else:
            self._bar.update(self._bar.task_ids[0], completed=self._done)
            self._bar.refresh()

    def hide(self) -> None:
        """Take it off the screen; the next drawing brings it back."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _made(self) -> Bar:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        bar = Progress(
            TextColumn("checking"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("files"),
            console=Console(
                file=self._stream, force_terminal=True, no_color=True if self._color == "never" else None
            ),
            transient=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        bar.add_task("", total=self._total, completed=self._done)
        return bar
