"""ASL401 debug-mode-off: nothing switches asyncio's debug mode on when the suite runs.

In debug mode asyncio says where a coroutine was made that nobody awaited, raises when a loop is called
from the wrong thread, logs callbacks that block the loop, and tells of transports that were never
closed. It is off unless someone asks for it. This rule looks at a suite as a whole. It reports, once,
that nothing switches debug mode on for the loops of its tests: where they are started, which is where
``PYTHONASYNCIODEBUG=1`` would be added (the step of a CI job, the ``set_env`` of tox, the session of nox,
the recipe or script that runs them), else at the table that configures pytest or at the suite's
``conftest.py``. Beside it, it names each ``asyncio.run(…)`` in a sync test, which only an environment
variable or ``debug=True`` reaches, and what is set in vain: for another job, or in front of tox, which
lets no variable in but those of ``pass_env``.

Whatever may switch it on counts, for any run of the tests: ``asyncio_debug`` or ``--asyncio-debug``
(pytest-asyncio 1.2) for that plugin's tests; ``PYTHONASYNCIODEBUG``, ``PYTHONDEVMODE`` or ``-X dev`` in
GitHub's and GitLab's workflows, tox, nox, a Makefile or script, as far as it reaches a command that runs
tests or one that is not known; ``loop.set_debug(True)``, ``Runner(debug=True)``, ``{"debug": True}`` for
anyio's backend, or the variable in code that is no test. ``IsolatedAsyncioTestCase`` has it on by itself,
and trio has no such mode. It is off by default, and runs at the command only.

Why it matters: a passing suite can be full of slow callbacks, unclosed transports and calls from the
wrong thread. One setting makes asyncio tell.

Bad::

    # conftest.py
    import pytest


    @pytest.fixture
    def numbers():
        return [1, 2, 3]

Good::

    # conftest.py
    import asyncio

    import pytest_asyncio


    @pytest_asyncio.fixture(autouse=True)
    async def debug_mode():
        asyncio.get_running_loop().set_debug(True)

Fix: unsafe. Adds ``asyncio_debug = true`` to the table that configures pytest, where pytest-asyncio runs
the tests and the project asks for version 1.2 or later: a test may fail of what asyncio then raises.
Only ``asynclint --checklist --fix --unsafe-fixes`` changes such a file. Elsewhere there is no fix, and
the report says what to set.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from asynclint.finding import Finding, Fix, Position, Related, Safety, Span
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    from asynclint.project.debug_mode import DebugMode
    from asynclint.project.project import Project
    from asynclint.project.runs.started import Run
    from asynclint.project.suite import Suite

rule = Rule("ASL401", "debug-mode-off", Scope.SUITE, fix=Safety.UNSAFE, default=False)

SINCE = (1, 2)  # pytest-asyncio 1.2.0 has the setting, by its changelog
PLUGIN = "pytest-asyncio"
FEW = 3  # other places that are named


@rule.trigger
def trigger(root: Path, project: Project) -> bool:
    """A suite that runs on asyncio, at least in part without debug mode."""
    from asynclint.project.debug_mode import debug_mode
    from asynclint.project.suite import suite_at

    suite = suite_at(root, project)
    return not suite.config.broken and not debug_mode(suite, project).is_on


@rule.check
def check(root: Path, project: Project) -> Iterator[Finding]:
    """Where the setting can be added, else where the tests are started, else what configures them."""
    from asynclint.project.debug_mode import debug_mode
    from asynclint.project.runs.started import starts
    from asynclint.project.suite import suite_at

    suite = suite_at(root, project)
    mode = debug_mode(suite, project)
    path, span, fix = suite.place, Span(Position(1, 0), Position(1, 0)), None
    if suite.config.path is not None:
        path = suite.config.path
        span, fix = _in_configuration(suite, mode, project)
    runs = starts(root, suite.directory) if fix is None else []
    if runs:
        path, span = runs[0].path, _line(runs[0].path, runs[0].line, project)
    held_back = "" if fix is not None else _advice(suite, mode, is_here=bool(runs))
    related = (*_sites(mode), *_others(runs[1:], mode, project))
    yield Finding(str(path), span, rule.code, _message(suite, mode), fix, held_back, related)


def _sites(mode: DebugMode) -> Iterator[Related]:
    from asynclint.source.files import shown

    for site in mode.sites:
        span = site.outline.text.span(site.call)
        yield Related(shown(site.outline.path), span, "without debug=True")


def _others(runs: Sequence[Run], mode: DebugMode, project: Project) -> Iterator[Related]:
    """Where else the tests are started, and what is set in vain."""
    from asynclint.source.files import shown

    for run in runs[:FEW]:
        yield Related(shown(run.path), _line(run.path, run.line, project), "the tests are started here, too")
    for word in mode.astray:
        said = word.name if word.name.startswith("-") else f"{word.name}={word.value}"
        yield Related(
            shown(word.path), _line(word.path, word.line, project), f"{said} does not reach the tests"
        )


def _line(path: Path, number: int, project: Project) -> Span:
    """What stands on a line of a file, without the white space round it; of Python code the place alone.

    A formatter may break that line, and a baseline knows a finding by the code that it covers.
    """
    from asynclint.source.text import SourceError, SourceText

    try:
        lines = SourceText.from_bytes(project.modules.source(path)).lines
    except SourceError:
        lines = []
    line = lines[number - 1].rstrip() if 0 < number <= len(lines) else ""
    start = len(line) - len(line.lstrip())
    end = start if path.suffix == ".py" else len(line)
    return Span(Position(number, start), Position(number, end))


def _message(suite: Suite, mode: DebugMode) -> str:
    reached = []
    if mode.left:
        what = "the async test" if mode.left == 1 else f"{mode.left} async tests"
        reached.append(f"{what} of this suite")
    if mode.sites:
        calls = len(mode.sites)
        reached.append("a call of asyncio.run()" if calls == 1 else f"{calls} calls of asyncio.run()")
    nothing = "nothing switches" if not suite.config.asyncio_debug else "asyncio_debug does not switch"
    return f"{nothing} asyncio's debug mode on for {' and '.join(reached)}"


def _in_configuration(suite: Suite, mode: DebugMode, project: Project) -> tuple[Span, Fix | None]:
    """Where the table starts, and the setting that it lacks."""
    from asynclint.project.config_lines import ConfigLines
    from asynclint.source.text import SourceError, SourceText

    assert suite.config.path is not None
    try:
        text = SourceText.from_bytes(project.modules.source(suite.config.path))
    except SourceError:
        return Span(Position(1, 0), Position(1, 0)), None
    lines = ConfigLines(suite.config, text)
    span = lines.span(lines.header or 1)
    if not mode.plugin or not _has_setting(suite, project):
        return span, None
    edit = lines.added("asyncio_debug = true")
    if edit is None:
        return span, None
    return span, Fix(f"add asyncio_debug = true to {suite.config.path.name}", (edit,), Safety.UNSAFE)


def _has_setting(suite: Suite, project: Project) -> bool:
    """Whether the pytest-asyncio that runs the tests knows it: an unknown key is an error to some suites."""
    from asynclint.project.dependencies import dependencies
    from asynclint.project.environment import installed_version, packages_for

    if dependencies(suite.directory).is_at_least(PLUGIN, SINCE):
        return True
    if not dependencies(suite.directory).has(PLUGIN, (3, 11)):
        return False
    packages = packages_for(suite.directory, project.settings.environment)
    own = packages.path.is_relative_to(suite.root) or project.settings.environment is not None
    return own and installed_version(packages, PLUGIN) >= SINCE


def _advice(suite: Suite, mode: DebugMode, *, is_here: bool) -> str:
    where = "here, where the tests are started" if is_here else "where the tests are started (tox, nox, CI)"
    if mode.plugin and not suite.config.asyncio_debug:
        return f"set PYTHONASYNCIODEBUG=1 {where}; or asyncio_debug = true, with pytest-asyncio 1.2 or later"
    if mode.left:
        return f"set PYTHONASYNCIODEBUG=1 {where}"
    return f"set PYTHONASYNCIODEBUG=1 {where}, or pass debug=True"
