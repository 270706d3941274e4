"""Edits become text, and text becomes a file: overlaps, imports, the proof that it compiles, the write."""

from __future__ import annotations

import errno
import os
import re
import stat
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from asynclint.finding import Finding, Fix, Safety
from asynclint.output.imports import add_imports, drop_imports, is_read_alone, left_behind
from asynclint.source.text import SourceError, SourceText

_TEMPORARY = re.compile(r"\.asynclint-(\d+)-[0-9a-f]+\.tmp")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")


class Applied(NamedTuple):
    """What one round of fixing did.

    ``applied`` are the findings whose fix is in ``text``, ``held`` those whose fix overlaps one of these
    or doesn't compile with them; both as they were given. The others have no fix that was asked for.
    """

    text: str
    applied: tuple[Finding, ...]
    held: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Change:
    """A fix in offsets: its edits by place, and the stretch from the first to the last of them."""

    finding: Finding
    edits: tuple[tuple[int, int, str], ...]
    imports: tuple[str, ...]

    @property
    def start(self) -> int:
        return self.edits[0][0] if self.edits else 0

    @property
    def end(self) -> int:
        return max((end for _, end, _ in self.edits), default=0)


def apply(text: SourceText, findings: Sequence[Finding], *, unsafe: bool) -> Applied:
    """Apply the fixes of ``findings`` that fit together: the safe ones, with ``unsafe`` all.

    Of two fixes whose stretches overlap the outer or earlier one is taken and the other held for the next
    round; fixes with the same edits count once; insertions at one place keep their order. The result
    compiles: fixes that would break it are held. Text outside the edits and the imports stays as it is;
    an import of a test module goes whose name was used by nothing but what is replaced.
    """
    changes = [
        _change(text, finding, finding.fix)
        for finding in findings
        if finding.fix and (unsafe or finding.fix.safety is Safety.SAFE)
    ]
    broken = {change for change in changes if not _is_sound(change)}
    while True:
        chosen = _fitting([change for change in changes if change not in broken])
        fixed, kept = _compiling(text, chosen)
        if len(kept) == len(chosen):
            break
        # what a broken fix kept out gets its turn
        broken |= {change for change in chosen if change not in kept}
    done = set(kept) if fixed != text.text else set()  # a fix that changes nothing would be applied for ever
    applied = tuple(change.finding for change in changes if change in done)
    held = tuple(change.finding for change in changes if change not in done)
    return Applied(fixed, applied, held)


def edited(text: SourceText, findings: Sequence[Finding]) -> str:
    """The text of a file that is no Python with all fixes of findings that leave each other alone."""
    changes = [_change(text, finding, finding.fix) for finding in findings if finding.fix is not None]
    pieces: list[str] = []
    done = 0
    for start, end, new in _edits(_fitting([change for change in changes if _is_sound(change)])):
        pieces += (text.text[done:start], new)
        done = end
    return "".join([*pieces, text.text[done:]])


def _change(text: SourceText, finding: Finding, fix: Fix) -> _Change:
    edits = [(text.offset(edit.span.start), text.offset(edit.span.end), edit.text) for edit in fix.edits]
    return _Change(finding, tuple(sorted(edits, key=lambda edit: edit[:2])), fix.imports)


def _is_sound(change: _Change) -> bool:
    """Whether a fix's own edits leave each other alone."""
    edits = change.edits
    return all(edit[0] <= edit[1] for edit in edits) and all(one[1] <= two[0] for one, two in pairwise(edits))


def _fitting(changes: Sequence[_Change]) -> list[_Change]:
    """The changes that don't overlap, in the order of their places."""
    chosen: list[_Change] = []
    edits: set[tuple[tuple[int, int, str], ...]] = set()
    reach, replaced = 0, -1
    # at one place insertions come first, and of stretches the longest, which is the outer one
    for change in sorted(changes, key=lambda c: (c.start, c.end > c.start, -c.end)):
        # a line that is added where a replaced stretch ends may belong inside: the next round tells
        within = change.start == replaced and change.edits[0][2].startswith(("\n", "\r"))
        if (change.start >= reach and not within) or change.edits in edits:
            chosen.append(change)
            edits.add(change.edits)
            reach = max(reach, change.end)
            start, end, _ = change.edits[-1] if change.edits else (0, 0, "")
            replaced = end if end > start and end == reach else replaced
    return chosen


def _compiling(text: SourceText, changes: Sequence[_Change]) -> tuple[str, list[_Change]]:
    """As many of the changes as compile together, and the text with them."""
    fixed = _with(text, changes)
    if fixed is not None:
        return fixed, list(changes)
    kept: list[_Change] = []
    fixed = text.text
    waiting = [changes] if _compiles(text.text) else []
    while waiting:
        group = waiting.pop()
        tried = _with(text, [*kept, *group])
        if tried is not None:
            fixed, kept = tried, [*kept, *group]
        elif len(group) > 1:
            middle = len(group) // 2
            waiting += (group[middle:], group[:middle])
    return fixed, kept


def _with(text: SourceText, changes: Sequence[_Change]) -> str | None:
    """The text with the changes, the imports they need and without those they leave unused.

    None if it doesn't compile.
    """
    pieces: list[str] = []
    done = 0
    gone: set[str] = set()
    for start, end, new in _edits(changes):
        pieces += (text.text[done:start], new)
        done = end
        gone |= left_behind(text.text[start:end], new)
    if not all(is_read_alone(change.finding.path) for change in changes):
        gone.clear()
    edited = "".join([*pieces, text.text[done:]])
    modules = {module for change in changes for module in change.imports}
    try:
        fixed = add_imports(SourceText.from_lines([edited]), modules) if modules else edited
        fixed = drop_imports(SourceText.from_lines([fixed]), gone)
    except SourceError:
        return None
    return fixed if _compiles(fixed) else None


def _edits(changes: Sequence[_Change]) -> Iterator[tuple[int, int, str]]:
    """The edits of all changes by place; those of findings with the same fix once."""
    fixes = dict.fromkeys(change.edits for change in changes)
    yield from sorted((edit for edits in fixes for edit in edits), key=lambda edit: edit[:2])


def _compiles(text: str) -> bool:
    """Whether Python takes it: more than a parse, such as no more than 20 blocks in each other."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "<fixed>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError, SystemError):
        return False
    return True


def write(path: Path, data: bytes, *, new: bool = False) -> None:
    """Replace a file's content in one step: whoever reads it sees the old bytes or the new, never half.

    Keeps the mode; follows a symbolic link and replaces its target; ``new`` makes the file where there is
    none. Raises OSError, with the file as it was: one that is gone or may not be written, a full disk.
    """
    target = os.path.realpath(path)
    missing = new and not os.path.lexists(target)
    status = None if missing else os.stat(target)  # noqa: PTH116 (realpath gives text)
    if status is not None and not os.access(
        target, os.W_OK
    ):  # replacing it would be allowed, and not what its mode asks for
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    directory = os.path.dirname(target)  # noqa: PTH120
    _clear(directory)
    # named before it is made, so that an interrupt at any moment leaves none behind
    temporary = os.path.join(directory, f".asynclint-{os.getpid()}-{os.urandom(8).hex()}.tmp")  # noqa: PTH118
    try:
        with open(temporary, "xb", opener=_private) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if hasattr(os, "chown") and status is not None:
            with suppress(OSError):  # root keeps the owner, others are it
                os.chown(temporary, status.st_uid, status.st_gid)
        os.chmod(temporary, stat.S_IMODE(status.st_mode) if status is not None else _new_mode())  # noqa: PTH101
        os.replace(temporary, target)  # noqa: PTH105
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108
        raise


@cache
def _clear(directory: str) -> None:
    """Remove what killed runs have left in a directory: temporary files that no process will rename."""
    with suppress(OSError):
        for name in os.listdir(directory):  # noqa: PTH208
            left = _TEMPORARY.fullmatch(name)
            if left is not None and not _is_running(int(left[1])):
                os.unlink(os.path.join(directory, name))  # noqa: PTH108, PTH118


def _is_running(process: int) -> bool:
    if os.name != "posix":  # where to ask is to end it
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)  # as private as anything may be, until it has the mode of its target


def _new_mode() -> int:
    """The mode that a new file gets from ``open``."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def diff(display: str, before: str, after: str) -> str:
    r"""The unified diff of two texts, empty if they are equal; its own lines end in ``\n`` alone."""
    import difflib

    lines = []
    for line in difflib.unified_diff(_LINE.findall(before), _LINE.findall(after), display, display):
        content = line.rstrip("\r\n")
        lines.append(f"{content}\n")
        if content == line:
            lines.append("\\ No newline at end of file\n")
    return "".join(lines)
