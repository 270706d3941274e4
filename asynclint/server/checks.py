"""One document's text through the engine, again and again, and the project is not read anew each time.

Every check sees settings, configuration and modules as they are on the disk at that moment: what is kept
from one to the next are outlines of modules whose files have not changed. Everything that was inferred is
inferred anew, so no answer is older than the texts it rests on.
"""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from asynclint.engine import Fixing, Result, check_text
from asynclint.faults import FAULT
from asynclint.processes import pause_collector
from asynclint.project.index.modules import Modules
from asynclint.project.project import Project
from asynclint.server.kept import Kept, forget_disk
from asynclint.settings import Overrides, Settings, SettingsError, settings_for
from asynclint.source.files import Problem, find
from asynclint.source.text import SourceError, SourceText

log = logging.getLogger("asynclint")
CHECKS = 8  # after so many the garbage is collected, even if nobody rests


class OutdatedError(Exception):
    """The text has changed while it was checked, so nobody wants to know any more."""


class Subject(NamedTuple):
    """A text, where it lies (absolute; None where nowhere yet), and its name in reports."""

    text: SourceText
    path: Path | None
    display: str


class Checked(NamedTuple):
    """What the engine says of a text; the modules that were asked for; settings that are broken."""

    text: SourceText
    result: Result
    asked: frozenset[Path] = frozenset()
    broken: SettingsError | None = None


class Checker:
    """Checks texts, for one thread; ``overrides`` are what the command line said."""

    def __init__(self, overrides: Overrides) -> None:
        self._overrides = overrides
        self._kept = Kept()
        self._untidy = 0
        pause_collector()

    def check(
        self,
        subject: Subject,
        others: Mapping[Path, SourceText],
        outdated: threading.Event,
        fixing: Fixing = Fixing.NONE,
    ) -> Checked:
        """Check (and with ``fixing``, fix) a text; ``others`` are those of other open documents.

        Never raises but OutdatedError, soon after ``outdated`` is set.
        """

        def halt() -> None:
            if outdated.is_set():
                raise OutdatedError

        halt()
        self._untidy += 1
        if self._untidy > CHECKS:
            self.tidy()
        forget_disk()
        self._kept.begin(others)
        broken = None
        try:
            settings = settings_for(subject.path or Path.cwd(), self._overrides)
            if _is_excluded(subject.path, settings):
                return Checked(subject.text, Result(subject.display, subject.path))
            project = Project(settings, modules=Modules(reader=self._kept))
            result = check_text(
                subject.text,
                subject.path,
                subject.display,
                settings,
                fixing=fixing,
                project=project,
                halt=halt,
            )
        except OutdatedError:
            raise
        except SettingsError as error:
            broken = error
            result = _failed(subject, Problem(subject.display, str(error), code="ASL003"))
        except SourceError as error:
            result = _failed(subject, Problem(subject.display, error.message, error.line, error.column))
        except Exception as error:  # a fault of ours must not end the server
            log.exception("%s could not be checked", subject.display)
            cause = " ".join(f"{type(error).__name__}: {error}".split())
            message = f"could not be checked, which is a fault of asynclint; please report it: {cause}"
            result = _failed(subject, Problem(subject.display, message, code=FAULT))
        return Checked(subject.text, result, self._kept.asked, broken)

    def tidy(self) -> None:
        """Collect what checks have left: syntax trees are full of cycles.

        What is kept is put aside, so that this takes no longer than the garbage is large.
        """
        if self._kept.grown:
            gc.unfreeze()
        gc.collect()
        if self._kept.grown:
            gc.freeze()
        self._kept.grown = False
        self._untidy = 0


def _is_excluded(path: Path | None, settings: Settings) -> bool:
    """Whether the settings leave a file out; one that isn't on the disk yet they don't."""
    return path is not None and not any(find([path], settings, force_exclude=True))


def _failed(subject: Subject, problem: Problem) -> Result:
    return Result(subject.display, subject.path, problem=problem)
