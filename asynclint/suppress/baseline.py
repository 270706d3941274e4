"""The baseline: a file of findings that are known, so that only new ones are reported.

JSON with one entry a line, sorted, so that differences and merges of it read well. An entry names the file
(relative to the baseline's directory), the code, the function or class, the code that is pointed at, and how
many of these are known. Lines are not in it: they move.
"""

from __future__ import annotations

import ast
import functools
import json
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from asynclint.finding import Finding
from asynclint.settings import SettingsError
from asynclint.source.text import SourceText
from asynclint.suppress.identity import Identity, identities

VERSION = 1
WAY_OUT = "asynclint --write-baseline writes it anew"
Entries = Mapping[str, Mapping[Identity, int]]


def load(path: Path) -> Entries:
    """Entries of a baseline (absolute path) by file; those of one run are read once.

    Raises SettingsError, naming file and line, for a file that can't be read or is no baseline.
    """
    try:
        stat = path.stat()
    except OSError as error:
        message = f"the baseline cannot be read: {error.strerror or error}; {WAY_OUT}"
        raise SettingsError(message, path) from None
    return _load(path, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=8)
def _load(path: Path, mtime: int, size: int) -> Entries:  # noqa: ARG001 (what it is remembered by)
    try:
        read = json.loads(path.read_bytes())
    except OSError as error:
        message = f"the baseline cannot be read: {error.strerror or error}; {WAY_OUT}"
        raise SettingsError(message, path) from None
    except json.JSONDecodeError as error:
        message = f"the baseline is not valid JSON: {error.msg}; mend this line, or {WAY_OUT}"
        raise SettingsError(message, path, error.lineno, error.colno - 1) from None
    except (ValueError, RecursionError) as error:  # not UTF-8; nested too deeply
        message = f"the baseline is not valid JSON: {type(error).__name__}; {WAY_OUT}"
        raise SettingsError(message, path) from None
    version = read.get("asynclint-baseline") if isinstance(read, dict) else None
    if version != VERSION or not isinstance(read.get("findings"), list):
        if isinstance(version, int) and version > VERSION:
            message = (
                f'the baseline has "asynclint-baseline": {version}, which needs a newer asynclint; {WAY_OUT}'
            )
        else:
            message = "the baseline is another kind of file: name one that asynclint --write-baseline writes"
        raise SettingsError(message, path)
    entries: dict[str, dict[Identity, int]] = {}
    for number, entry in enumerate(read["findings"], 1):
        try:
            file, identity, count = _entry(entry)
        except (KeyError, TypeError, ValueError):
            message = f"the baseline's entry {number} is not one of asynclint's: {_shown(entry)}; {WAY_OUT}"
            raise SettingsError(message, path, _line_of(path, number)) from None
        of_file = entries.setdefault(file, {})
        of_file[identity] = max(count, of_file.get(identity, 0))  # two branches that were merged
    return entries


def _entry(entry: Any) -> tuple[str, Identity, int]:
    parts = [entry["file"], entry["code"], entry["in"], entry["at"]]
    count = entry["count"]
    if not all(isinstance(part, str) for part in parts) or type(count) is not int or count < 1:
        raise ValueError(entry)
    return parts[0], Identity(*parts[1:]), count


def _shown(entry: Any) -> str:
    import reprlib

    return reprlib.repr(entry)


def _line_of(path: Path, number: int) -> int:
    """Where an entry stands if each has a line of its own, as we write them; 0 if not."""
    lines = [line for line, text in enumerate(path.read_bytes().split(b"\n"), 1) if b'"file"' in text]
    return lines[number - 1] if number <= len(lines) else 0


def dump(entries: Entries) -> bytes:
    """The content of a baseline."""
    rows = [
        {"file": file, "code": known.code, "in": known.scope, "at": known.what, "count": count}
        for file, of_file in sorted(entries.items())
        for known, count in sorted(of_file.items())
    ]
    lines = ",\n".join("    " + json.dumps(row, ensure_ascii=False) for row in rows)
    text = f'{{\n  "asynclint-baseline": {VERSION},\n  "findings": [\n{lines}\n  ]\n}}\n'
    return text.encode("utf-8", "backslashreplace")


def name_of(path: Path, baseline: Path) -> str:
    """How a baseline names a file (both absolute): relative to its own directory, with slashes."""
    directory, start = _real(path.parent), _real(baseline.parent)
    try:
        relative = os.path.relpath(directory, start)
    except ValueError:  # another drive of Windows
        relative = directory
    name = os.fsencode(os.path.join(relative, path.name)).decode("utf-8", "backslashreplace")  # noqa: PTH118
    return name.replace(os.sep, "/").removeprefix("./")


@functools.cache
def _real(directory: Path) -> str:
    return os.path.realpath(directory)


def split(
    findings: Sequence[Finding],
    text: SourceText,
    path: Path,
    baseline: Path,
    codes: Collection[str],
    tree: ast.Module | None = None,
) -> tuple[list[Finding], int, int]:
    """The findings in a file (by position) that its baseline lacks; how many it has; how many of it are gone.

    Of equal ones the first are the known ones. Entries count as gone only if they have one of ``codes``,
    those that were looked for. Raises SettingsError for a baseline that can't be used.
    """
    known = load(baseline).get(name_of(path, baseline))
    if not known:
        return list(findings), 0, 0
    left = Counter(known)
    new = []
    for finding, identity in zip(findings, identities(text, findings, tree) if findings else (), strict=True):
        if left[identity] > 0:
            left[identity] -= 1
        else:
            new.append(finding)
    gone = sum(count for identity, count in left.items() if count > 0 and identity.code in codes)
    return new, len(findings) - len(new), gone
