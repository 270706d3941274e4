"""The documents an editor has open: the newest text of each, and when it is checked.

Everything here runs in one event loop; checks run in one thread beside it, one after the other.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from asynclint.engine import Fixing
from asynclint.server.checks import Checked, Checker, OutdatedError, Subject
from asynclint.source.files import shown
from asynclint.source.text import SourceText

T = TypeVar("T")
A = TypeVarTuple("A")
PAUSE = 0.15  # seconds without a change after which a text is checked
FOR_OTHERS = 0.5  # the same, where a change was made elsewhere
REST = 1.0  # seconds without a check after which what checks have left is cleared away
STACK = 16 * 1024 * 1024  # bytes: what the main thread has at least, where other threads have 512 KB


@dataclass(eq=False)
class Document:
    """An open document; ``path`` (absolute) is None for one that has no file yet.

    ``checked`` is what is known of it, of an older text while a check is under way.
    """

    uri: str
    path: Path | None
    text: SourceText
    version: int
    checked: Checked | None = None
    task: asyncio.Task[None] | None = None
    outdated: threading.Event = field(default_factory=threading.Event)

    @property
    def subject(self) -> Subject:
        """What is to be checked."""
        return Subject(self.text, self.path, self.uri if self.path is None else shown(self.path))


class Documents:
    """All open documents by URI.

    ``tell`` is called with each that was checked, and whether that is news which no change of its own made.
    """

    def __init__(self, checker: Checker, tell: Callable[[Document, bool], None]) -> None:
        self._checker = checker
        self._tell = tell
        self._open: dict[str, Document] = {}
        self._rest: asyncio.TimerHandle | None = None
        threading.stack_size(STACK)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checks")

    def of(self, uri: str) -> Document | None:
        """The open document of this URI."""
        return self._open.get(uri)

    def at(self, path: Path) -> Document | None:
        """The open document of a file (absolute)."""
        return next((document for document in self._open.values() if document.path == path), None)

    def put(self, uri: str, path: Path | None, source: str, version: int) -> None:
        """Take the newest text of a document, opened or changed."""
        text = SourceText.from_lines([source])
        document = self._open.get(uri)
        pause = 0.0 if document is None else PAUSE
        if document is None:
            document = self._open[uri] = Document(uri, path, text, version)
        document.text, document.version = text, version
        self._check_soon(document, pause)
        self._check_what_leans_on(path)

    def check_all(self) -> None:
        """Check every document anew: what lies on the disk has changed."""
        for document in self._open.values():
            if document.task is None:
                self._check_soon(document, FOR_OTHERS)

    def close(self, uri: str) -> None:
        """Forget a document; its file counts again."""
        document = self._open.pop(uri, None)
        if document is not None:
            document.outdated.set()
            if document.task is not None:
                document.task.cancel()
            self._check_what_leans_on(document.path)

    async def checked(self, uri: str) -> Checked | None:
        """What is known of the newest text, as soon as it is; None for a document that isn't open."""
        while (document := self._open.get(uri)) is not None and document.task is not None:
            await asyncio.wait([document.task])
        return document.checked if document is not None else None

    async def fixed(self, uri: str) -> str | None:
        """The newest text with all safe fixes in it; None where it isn't open, or has changed."""
        document = self._open.get(uri)
        if document is None:
            return None
        text, others = document.text, self._others(document)
        try:
            fixed = await self.aside(
                self._checker.check, document.subject, others, threading.Event(), Fixing.SAFE
            )
        except OutdatedError:
            return None
        if document.text is not text:
            return None
        return fixed.result.after if fixed.result.written is not None else text.text

    async def aside(self, function: Callable[[*A], T], *arguments: *A) -> T:
        """Call a function in the thread that checks."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    def stop(self) -> None:
        """End what is under way."""
        for document in self._open.values():
            document.outdated.set()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _check_soon(self, document: Document, pause: float) -> None:
        document.outdated.set()
        if document.task is not None:
            document.task.cancel()
        document.outdated = threading.Event()
        document.task = asyncio.get_running_loop().create_task(
            self._check(document, pause, document.outdated)
        )

    async def _check(self, document: Document, pause: float, outdated: threading.Event) -> None:
        try:
            await asyncio.sleep(pause)
            others = self._others(document)
            checked = await self.aside(self._checker.check, document.subject, others, outdated)
        except OutdatedError:
            return
        finally:
            if document.outdated is outdated:
                document.task = None
        before, document.checked = document.checked, checked
        self._tell(document, pause == FOR_OTHERS and (before is None or _said(before) != _said(checked)))
        self._tidy_later()

    def _check_what_leans_on(self, path: Path | None) -> None:
        for other in self._open.values():
            if path is not None and other.path != path and other.checked and path in other.checked.asked:
                self._check_soon(other, FOR_OTHERS)

    def _others(self, document: Document) -> dict[Path, SourceText]:
        others = (other for other in self._open.values() if other is not document)
        return {other.path: other.text for other in others if other.path is not None}

    def _tidy_later(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
        self._rest = asyncio.get_running_loop().call_later(REST, self._tidy)

    def _tidy(self) -> None:
        if not any(document.task for document in self._open.values()):
            self._thread.submit(self._checker.tidy)


def _said(checked: Checked) -> object:
    return checked.result.findings, checked.result.problem
