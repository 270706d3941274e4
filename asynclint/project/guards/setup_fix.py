"""The guards that can be put into an async fixture or awaited method, and why not where none can."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from pathlib import Path

from asynclint.finding import Edit, Fix, Safety
from asynclint.knowledge.clocks import FAKE_CLOCKS
from asynclint.project.guards.halves import Waiting, guardable_runs
from asynclint.project.guards.insertion import Guard, fitting_guard
from asynclint.project.guards.lasting import refuse_lasting_scopes
from asynclint.project.guards.refusals import NoGuardError, refuse_disturbed
from asynclint.project.guards.runner import Runner
from asynclint.project.guards.setup_runner import setup_runner
from asynclint.project.guards.setups import Setup
from asynclint.project.guards.tests import is_collected
from asynclint.project.project import Project
from asynclint.source.files import File, find
from asynclint.source.outline import FUNCTIONS
from asynclint.source.wrap import UnwrappableError, split_body, wrap_body, wrap_run

# What its tests use that would make a guard fire at once, see the timer that it leaves behind, or put
# something else in its place for as long as the fixture lives: a clock's name, ``asyncio, "timeout"``,
# ``loop, "time"``.
DISTURBING = re.compile(
    rb"""\b(%b|_scheduled)\b|\b((?:asyncio|anyio|trio)["']?\s*[.,]\s*["']?(?:timeout|fail_after|"""
    rb"""get_running_loop|Timeout)["']|loop\s*,\s*["']time["']|loop\.time\s*=[^=])"""
    % b"|".join(sorted(name.rpartition(".")[2].encode() for name in FAKE_CLOCKS))
)


def setup_fix(setup: Setup, waits: Waiting, project: Project) -> Fix:
    """The fix that puts guards round what a fixture or awaited method waits for; raises NoGuardError.

    A ``yield`` stays outside: what stands before it and what stands behind it get a guard each.
    """
    function = setup.scope
    assert isinstance(function.node, FUNCTIONS)
    loop = setup_runner(setup, project)
    refuse_disturbed(function, setup.test, project)
    _refuse_clocks_of_tests(setup, project)
    runs = guardable_runs(function, waits) if function.is_generator else [split_body(function.node)[1]]
    if loop in (Runner.ANYIO, Runner.TRIO):
        for run in runs:
            refuse_lasting_scopes(function, run, project)
    guards = [fitting_guard(function, loop, project, within=run) for run in runs]
    try:
        edits: Sequence[Edit] = (
            [wrap_run(function, run, guard.header) for run, guard in zip(runs, guards, strict=True)]
            if function.is_generator
            else [wrap_body(function, guards[0].header)]
        )
    except UnwrappableError as error:
        raise NoGuardError(str(error)) from None
    imports = tuple({guard.imported for guard in guards if guard.imported})
    return Fix(_title(setup, runs, guards), tuple(edits), Safety.SAFE, imports)


def _title(setup: Setup, runs: Sequence[Sequence[ast.stmt]], guards: Sequence[Guard]) -> str:
    titles = list(dict.fromkeys(guard.title for guard in guards))
    if not setup.scope.is_generator:
        return f"guard the body with {titles[0]}"
    middle = setup.scope.facts.yields[0].lineno
    parts = list(dict.fromkeys("before" if run[0].lineno < middle else "after" for run in runs))
    return f"guard what comes {' and '.join(parts)} its yield with {' and '.join(titles)}"


def _refuse_clocks_of_tests(setup: Setup, project: Project) -> None:
    """Raise NoGuardError where a test that may use the fixture has a clock of its own, by its text.

    Tests of the module itself count; for a conftest, every test file beside and below it; for a
    plugin or base class, all of the project.
    """
    outline = setup.scope.outline
    if is_collected(outline, setup.config):
        key = ("disturbance", outline)
        disturbance = project.remembered(key, lambda: _disturbance(outline.path, outline.text.raw))
    else:
        top = outline.directory if outline.path.name == "conftest.py" else setup.config.root
        disturbance = project.remembered(("disturbance", top), lambda: _disturbance_below(top, project))
    if disturbance:
        message = f"{disturbance}, and its tests may need this fixture"
        raise NoGuardError(message)


def _disturbance_below(top: Path, project: Project) -> str:
    for file in find([top], project.settings):
        if isinstance(file, File) and project.is_test_code(file.path):
            try:
                found = _disturbance(file.path, file.path.read_bytes())
            except OSError:
                continue
            if found:
                return found
    return ""


def _disturbance(path: Path, source: bytes) -> str:
    found = DISTURBING.search(source)
    if found is None:
        return ""
    return f"{path.name} {f'uses {found[1].decode()}' if found[1] else 'replaces what a guard is made of'}"
