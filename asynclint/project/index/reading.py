"""What a run has read of modules: their outlines, the words of some, and the imports it followed."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from asynclint.source.outline import Outline
from asynclint.source.text import SourceError, SourceText

SEARCHED = -1


class Lean(NamedTuple):
    """What a module was asked to import (PEP 328); ``wide`` where installed packages counted.

    ``level`` is SEARCHED for a package of which all files counted.
    """

    module: str
    level: int
    wide: bool


class Reader:
    """Where Modules have their modules from: the disk. Who keeps some of them makes a class of this one."""

    def outline(self, path: Path) -> Outline | None:
        """The outline of a file; None if it can't be read or parsed."""
        try:
            text = SourceText.from_bytes(path.read_bytes())
            return _in_sections(path, text) or Outline(path, text, text.parse(), sys.version_info[:2])
        except (OSError, SourceError):
            return None

    def raw(self, path: Path) -> bytes:
        """The bytes of a file; empty where it can't be read."""
        try:
            return path.read_bytes()
        except OSError:
            return b""


@dataclass(slots=True)
class Read:
    """What has been read: outlines by path (None: can't be), imports, and the size in characters.

    ``reader`` is where it comes from; ``subject`` is the module under judgement, as long as no other
    module has asked for it; ``said`` is which words stand in modules that were not parsed.
    """

    reader: Reader = field(default_factory=Reader)
    outlines: dict[Path, Outline | None] = field(default_factory=dict)
    leans: dict[tuple[Path, Lean | None], None] = field(default_factory=dict)
    size: int = 0
    subject: Outline | None = None
    said: dict[Path, dict[tuple[bytes, ...], bool]] = field(default_factory=dict)


def is_installed(path: Path) -> bool:
    """Whether a file is an installed package's."""
    return not {"site-packages", "dist-packages"}.isdisjoint(path.parts)


def is_fixed(path: Path) -> bool:
    """Whether a file is a stub of typeshed's, which never changes."""
    return path.suffix == ".pyi" and is_installed(path)


def _in_sections(path: Path, text: SourceText) -> Outline | None:
    """The outline of one of typeshed's stubs, of which most is left for later; None where that can't be."""
    if not is_fixed(path):
        return None
    from asynclint.source.sections import Sections

    sections = Sections.of(text.text)
    try:
        rest = sections.parse(sections.rest)
    except SyntaxError:
        return None
    return Outline(path, text, rest, sys.version_info[:2], sections)
