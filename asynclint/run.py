"""A run: the files it is given, in one process or several, and what earlier runs have found in them."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from asynclint.engine import (
    Fixing,
    Result,
    check_suites,
    check_text,
    forget,
    is_kept,
    process_project,
)
from asynclint.faults import FAULT, fault, fault_of_file
from asynclint.processes import spared_by_collector, spread
from asynclint.project.project import Project
from asynclint.project.test_files import no_test_module
from asynclint.settings import DEFAULTS, Settings
from asynclint.source.files import File, Problem
from asynclint.source.text import SourceError, SourceText

if TYPE_CHECKING:
    from asynclint.project.cache import Asked, Caches
    from asynclint.project.guards.survey import Survey

FEW_FILES = 60  # below this many, starting processes takes longer than checking


class Caching(NamedTuple):
    """That what was found is kept; ``directory`` is where (absolute), None for each project's own."""

    directory: Path | None = None


def check_files(
    files: Iterable[File],
    settings: Settings,
    *,
    fixing: Fixing = Fixing.NONE,
    jobs: int = 1,
    write: bool = False,
    cache: Caching | None = None,
) -> Iterator[Result]:
    """Check (and with ``fixing``, fix) files in the order given; ``write`` puts the new bytes to disk.

    What is known from earlier runs, by ``cache``, is not checked again.
    """
    forget(settings)  # files may have changed since the last run of this process
    project, files = Project(settings), list(files)
    caches = _caches(project, cache.directory) if cache is not None else None
    known = {file.path for file in files if caches is not None and _is_known(file, settings, fixing, caches)}
    left = [file for file in files if file.path not in known]
    work = partial(_work, settings, fixing, write, cache is not None)
    fresh = map(work, left) if min(jobs, len(left)) <= 1 else spread(left, work, jobs, _lost)
    changed = False  # by a fix, even if it is only shown: what leans on which content is lost then
    for file in files:
        if file.path in known:
            yield _check_file(file, settings, fixing, write, project, caches)
            continue
        result, asked = next(fresh)
        changed |= result.written is not None
        if caches is not None:
            caches.learn(asked)
            if result.judged is not None:
                caches.keep(file.path, settings, result.judged)
        yield result
    if caches is not None and not changed:
        caches.save()


def _caches(project: Project, directory: Path | None = None) -> Caches:
    from asynclint.project.cache import Caches

    return Caches(project, directory)


def check_groups(
    groups: Mapping[Settings, Sequence[File]],
    *,
    fixing: Fixing = Fixing.NONE,
    jobs: int | None = None,
    write: bool = False,
    cache: Caching | None = None,
) -> Iterator[tuple[Result, bool]]:
    """What becomes of each file, and whether it was named; then what is said of whole suites.

    ``jobs`` None starts as many processes as the number of files is worth. The rest: see ``check_files``.
    """
    for settings, files in groups.items():
        processes = jobs or _jobs(len(files))
        results = check_files(files, settings, fixing=fixing, jobs=processes, write=write, cache=cache)
        for file, result in zip(files, results, strict=True):
            yield result, file.explicit
    yield from ((result, False) for result in check_suites(groups, fixing))


def _jobs(files: int) -> int:
    if files < FEW_FILES:
        return 1
    # Only Python 3.13 has os.process_cpu_count; a container may own fewer cores than the machine has.
    affinity = getattr(os, "sched_getaffinity", None)
    return (len(affinity(0)) if affinity else os.cpu_count()) or 1


def check_and_keep(
    text: SourceText, path: Path | None, display: str, settings: Settings, tree: ast.Module
) -> Result:
    """Check one text as flake8 shows it, suppression left out, by what is known from earlier runs.

    What is found is kept when the process ends: to write it for each file takes longer than to check it.
    Raises SourceError where the text can't be parsed.
    """
    caches = _process_caches()
    wanted = (settings, replace(settings, fixes=False))  # the command may have left its answer
    found = (one for one in wanted if path is not None and caches.find(path, text.raw, one) is not None)
    known = next(found, None)
    settings = known or wanted[-1]
    project = process_project(settings)
    before = project.modules.followed
    with nullcontext() if known else spared_by_collector():
        result = check_text(
            text, path, display, settings, tree=tree, project=project, noqa=False, caches=caches
        )
    caches.learn(_asked_by(project, before))
    if result.judged is not None and path is not None:
        caches.keep(path, settings, result.judged)
    return result


@cache
def _process_caches() -> Caches:
    """The caches of a whole process, saved when it ends, be it one that flake8 has started."""
    from multiprocessing.util import Finalize

    caches = _caches(Project(DEFAULTS))
    Finalize(None, caches.save, exitpriority=1)
    return caches


def survey_files(
    files: Iterable[File], settings: Settings
) -> Iterator[tuple[File, Sequence[Survey]] | Problem]:
    """How each async test of each file is bounded; files that are no tests have none."""
    from asynclint.project.guards.survey import survey

    project = Project(settings)
    for file in files:
        try:
            text = SourceText.from_bytes(file.path.read_bytes())
            if no_test_module(text, file.path):
                continue
            outline = project.begin(file.path, text, None)
        except OSError as error:
            yield Problem(file.display, f"cannot be read: {error.strerror or error}")
        except SourceError as error:
            yield Problem(file.display, error.message, error.line, error.column)
        else:
            try:
                yield file, list(survey(outline, project))
            except Exception as error:  # a fault of ours must not cost the other files
                yield fault(outline.scope, file.display, error)


def _lost(file: File) -> tuple[Result, Asked]:
    message = "could not be checked: a worker process died; --jobs 1 shows at which file"
    return Result(file.display, file.path, problem=Problem(file.display, message, code=FAULT)), ()


def _work(settings: Settings, fixing: Fixing, write: bool, keep: bool, file: File) -> tuple[Result, Asked]:
    """One file's result; to ``keep`` it, the imports that were first followed for it in this process, too."""
    project = process_project(settings)
    before = project.modules.followed
    result = _check_file(file, settings, fixing, write, project, keep=keep)
    return result, _asked_by(project, before) if keep else ()


def _asked_by(project: Project, before: int) -> Asked:
    from asynclint.project.cache import asked_by

    return asked_by(project, before)


def _is_known(file: File, settings: Settings, fixing: Fixing, caches: Caches) -> bool:
    """Whether what is to be said of a file is known, and no fix of it is to be applied."""
    try:
        raw = file.path.read_bytes()
    except OSError:
        return False
    judged = caches.find(file.path, raw, settings) if is_kept(file.path, settings) else None
    return judged is not None and (fixing is Fixing.NONE or not judged.fixable)


def _check_file(
    file: File,
    settings: Settings,
    fixing: Fixing,
    write: bool,
    project: Project,
    caches: Caches | None = None,
    *,
    keep: bool = False,
) -> Result:
    try:
        raw = file.path.read_bytes()
        text = SourceText.from_bytes(raw)
        result = check_text(
            text,
            file.path,
            file.display,
            settings,
            fixing=fixing,
            project=project,
            suites=True,
            caches=caches,
            keep=keep,
        )
    except OSError as error:
        return _failed(file, f"cannot be read: {error.strerror or error}")
    except SourceError as error:
        return Result(
            file.display, file.path, problem=Problem(file.display, error.message, error.line, error.column)
        )
    except Exception as error:  # nothing a file holds may end the run
        return Result(file.display, file.path, problem=fault_of_file(file.display, error))
    if result.written is not None and write:
        from asynclint.output.fix import write as write_file

        try:
            now = file.path.read_bytes()
            if now not in (raw, result.written):  # somebody has saved it since, and what they wrote counts
                return _failed(file, "was not fixed: it has changed while it was checked; run again")
            write_file(file.path, result.written)
        except OSError as error:
            return _failed(file, f"cannot be written: {error.strerror or error}")
    return result


def _failed(file: File, message: str) -> Result:
    return Result(file.display, file.path, problem=Problem(file.display, message))
