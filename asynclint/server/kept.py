"""What a long-lived process keeps of the modules it has read, and how it takes in that they change."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from asynclint.engine import MAX_SIZE
from asynclint.project.index.reading import Reader
from asynclint.source.outline import Outline
from asynclint.source.text import SourceError, SourceText

Stamp = tuple[int, int, int]  # when a file was changed, its size, its inode


class Kept(Reader):
    """Outlines by path, read again where their files have changed. What an editor has open goes first.

    An outline rests on nothing but its own text, so it outlives everything else that is known of a project.
    """

    def __init__(self) -> None:
        self._unsaved: Mapping[Path, SourceText] = {}
        self._edited: dict[Path, tuple[SourceText, Outline | None]] = {}
        self._read: dict[Path, tuple[Stamp | None, Outline | None]] = {}
        self._asked: set[Path] = set()
        self.grown = False  # whether anything was read from the disk since somebody has set this to False

    def begin(self, unsaved: Mapping[Path, SourceText]) -> None:
        """Begin a check; ``unsaved`` are the texts of other modules that count, not their files."""
        if sum(len(outline.text.text) for _, outline in self._read.values() if outline) > MAX_SIZE:
            self._read = {path: kept for path, kept in self._read.items() if path in self._asked}
        self._edited = {path: kept for path, kept in self._edited.items() if path in unsaved}
        self._unsaved = unsaved
        self._asked = set()

    @property
    def asked(self) -> frozenset[Path]:
        """The modules that the check has asked for, those that aren't there included."""
        return frozenset(self._asked)

    def outline(self, path: Path) -> Outline | None:
        """The outline of a module as it is now; one that is in the middle of an edit, as it last parsed."""
        self._asked.add(path)
        if path in self._unsaved:
            return self._of_edited(path, self._unsaved[path])
        stamp = _stamp(path)
        known = self._read.get(path)
        if known is None or known[0] != stamp:
            known = self._read[path] = stamp, super().outline(path)
            self.grown = True
        return known[1]

    def raw(self, path: Path) -> bytes:
        """The bytes of a module as it is now."""
        self._asked.add(path)
        if path in self._unsaved:
            return self._unsaved[path].raw
        known = self._read.get(path)
        if known is not None and known[1] is not None and known[0] == _stamp(path):
            return known[1].text.raw
        return super().raw(path)

    def _of_edited(self, path: Path, text: SourceText) -> Outline | None:
        known = self._edited.get(path)
        if known is not None and known[0] is text:
            return known[1]
        outline = parsed(path, text)
        if outline is None and known is not None:
            outline = known[1]
        self._edited[path] = text, outline
        return outline


def parsed(path: Path, text: SourceText) -> Outline | None:
    """The outline of a text; None where it can't be parsed."""
    try:
        return Outline(path, text, text.parse(), sys.version_info[:2])
    except SourceError:
        return None


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def forget_disk() -> None:
    """Let everything be asked anew that a process takes to stay as it is on the disk.

    Those are the answers that asynclint's functions have cached, in whichever module they stand. To ask
    again takes some 5 % of a check; all that is costly to read is in ``Kept``.
    """
    for name, module in list(sys.modules.items()):
        if name.startswith("asynclint."):
            for value in list(vars(module).values()):
                clear = getattr(value, "cache_clear", None)
                if clear is not None:
                    clear()
