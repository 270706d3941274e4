"""``--output-file``: a whole report in one step, or the file as it was."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from asynclint.output.fix import write
from asynclint.settings import SettingsError


def prepare(path: Path) -> None:
    """Make the directories above ``path``; raises SettingsError, before a run, for what can't be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise _failed(path, error) from None


def write_output(path: Path, text: str) -> None:
    """Write ``text`` in UTF-8; raises SettingsError. Pipes and devices are written to, not replaced."""
    data = text.encode("utf-8", "backslashreplace")
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as stream:
                stream.write(data)
        else:
            write(path, data, new=True)
    except OSError as error:
        raise _failed(path, error) from None


@contextmanager
def opened(path: Path | None) -> Iterator[TextIO]:
    """A stream to print on: standard output, or what ``path`` is to hold once all of it is printed."""
    if path is None:
        yield sys.stdout
        return
    stream = io.StringIO(newline="")
    yield stream
    write_output(path, stream.getvalue())


def _failed(path: Path, error: OSError) -> SettingsError:
    return SettingsError(f"--output-file {path}: cannot be written: {error.strerror or error}")
