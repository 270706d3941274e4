"""What ``--checklist`` asks of each suite, and what ``--checklist --fix`` adds.

A suite is what one configuration of pytest governs. Four demands: every test gets a timeout; cleanup paths
are verified; debug mode is used on purpose; pending tasks are inspected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from asynclint import engine
from asynclint.faults import fault_of_suite
from asynclint.finding import Finding, Safety
from asynclint.project.config import PytestConfig, find_pytest_config, forget
from asynclint.project.config_lines import ConfigLines
from asynclint.project.guards.plugins import conftests
from asynclint.project.guards.standing import Standing
from asynclint.project.guards.survey import Survey
from asynclint.project.guards.wrappers import Bound
from asynclint.project.leaks.new_conftest import new_conftest
from asynclint.project.project import Project
from asynclint.project.suite import Suite, suite_at
from asynclint.project.test_files import is_test_file
from asynclint.rule import Rule, all_rules
from asynclint.run import check_files, survey_files
from asynclint.settings import Settings
from asynclint.source.files import File, Problem, shown
from asynclint.source.text import SourceError, SourceText

GUARDS = ("ASL101", "ASL102", "ASL103")
CLEANUP = ("ASL2", "ASL5")  # ASL207 asks about the suite, and has a demand of its own
SILENCED = "ASL405"
LEAKS = "ASL207"
DEBUG = "ASL401"


class Place(NamedTuple):
    """Where something of a demand stands or is missing; ``path`` as displayed, ``line`` 0 where unknown."""

    path: str
    line: int
    message: str


class Demand(NamedTuple):
    """One of the four for one suite: what meets it, or what is missing, where, and the way to add it."""

    name: str
    title: str
    done: bool
    summary: str
    places: tuple[Place, ...] = ()
    fix: str = ""


class Checklist(NamedTuple):
    """A suite, the number of its async tests, and where it stands; no demands where it has no such test."""

    config: PytestConfig
    tests: int
    demands: tuple[Demand, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def done(self) -> bool:
        """Whether all demands are met."""
        return all(demand.done for demand in self.demands)


Groups = Mapping[Settings, Sequence[File]]


def checklists(groups: Groups) -> Iterator[Checklist]:
    """Where each suite among the files stands; suites without async tests are left out."""
    for settings, root, files in _suites(groups):
        try:
            found = _checklist(settings, root, files)
        except Exception as error:  # a fault of ours must not cost the other suites
            found = Checklist(find_pytest_config(root), 0, (), (fault_of_suite(root, error),))
        if found.tests or found.problems:
            yield found


def _checklist(settings: Settings, root: Path, files: Sequence[File]) -> Checklist:
    found, problems = [], []
    for surveyed in survey_files(files, settings):
        if isinstance(surveyed, Problem):
            problems.append(surveyed)
        else:
            found += [(surveyed[0].display, test) for test in surveyed[1]]
    config = find_pytest_config(root)
    if not found:
        return Checklist(config, 0, (), tuple(problems))
    project = Project(settings)
    suite = suite_at(root, project)
    findings = _findings(files, settings)
    demands = (
        _timeouts(found),
        _cleanup(findings),
        _debug(suite, findings, project),
        _pending(suite, project),
    )
    return Checklist(config, len(found), demands, tuple(problems))


def _suites(groups: Groups) -> Iterator[tuple[Settings, Path, list[File]]]:
    for settings, files in groups.items():
        roots: dict[Path, list[File]] = {}
        for file in files:
            if is_test_file(file.path):
                roots.setdefault(find_pytest_config(file.path.parent).root, []).append(file)
        yield from ((settings, root, members) for root, members in roots.items())


def _only(settings: Settings, *codes: str) -> Settings:
    """Settings that select these codes, as far as the suite's own don't ignore them; known or not."""
    return replace(settings, select=codes, extend_select=(), baseline=None)


def _findings(files: Sequence[File], settings: Settings) -> list[Finding]:
    chosen = _only(settings, *CLEANUP, SILENCED)
    results = check_files(files, chosen)
    return [finding for result in results for finding in result.findings]


def _timeouts(found: Sequence[tuple[str, Survey]]) -> Demand:
    title = "every test gets a timeout"
    counts = Counter(test.standing for _, test in found)
    open_ = [(d, t) for d, t in found if t.standing in (Standing.UNBOUNDED, Standing.PARTIAL)]
    if open_:
        places = tuple(
            Place(display, t.test.scope.node.lineno, f"{t.test.scope.qualname}: {t.standing.value}")  # type: ignore[union-attr]
            for display, t in open_
        )
        summary = f"{len(open_)} of {len(found)} async tests can hang for ever"
        return Demand("timeouts", title, False, summary, places, "--fix puts a guard into each (ASL101)")
    bounded = [test for _, test in found if test.standing is Standing.BOUNDED]
    sources = Counter(test.bounds[0].source for test in bounded)
    parts = [f"{number} by {source}" for source, number in sources.most_common(2)]
    for state in (Standing.IDLE, Standing.SKIPPED, Standing.UNKNOWN):
        parts += [f"{counts[state]} {state.value}"] if counts[state] else []
    first = next((test.bounds[0] for test in bounded if test.bounds[0].path is not None), None)
    at = () if first is None else (_bound_place(first, bounded[0].test.config),)
    return Demand("timeouts", title, True, ", ".join(parts), at)


def _bound_place(bound: Bound, config: PytestConfig) -> Place:
    """Where a bound is stated: its line, or that of its key in the file that configures pytest."""
    assert bound.path is not None
    line = bound.line or 0
    if not line and bound.path == config.path:
        lines = ConfigLines(config, SourceText.from_bytes(bound.path.read_bytes()))
        line = lines.key("addopts" if "addopts" in bound.source else "timeout")
    return Place(shown(bound.path), line, bound.source)


def _cleanup(findings: Iterable[Finding]) -> Demand:
    title = "cleanup paths are verified"
    left = [f for f in findings if f.code.startswith(CLEANUP) and f.code != LEAKS]
    if not left:
        return Demand("cleanup", title, True, "nothing left of ASL2xx and ASL5xx")
    counts = Counter(finding.code for finding in left)
    summary = ", ".join(f"{number} of {code}" for code, number in sorted(counts.items()))
    fixable = sum(finding.fix is not None for finding in left)
    fix = f"--fix --unsafe-fixes repairs {fixable}" if fixable else "none has a fix: read them"
    return Demand("cleanup", title, False, summary, tuple(_place(finding) for finding in left), fix)


def _place(finding: Finding) -> Place:
    return Place(finding.path, finding.span.start.line, f"{finding.code} {finding.message}")


def _debug(suite: Suite, findings: Iterable[Finding], project: Project) -> Demand:
    from asynclint.project.debug_mode import debug_mode

    title = "debug mode is used on purpose"
    mode = debug_mode(suite, project)
    off = _of_suite(suite.root, (DEBUG, SILENCED), project)
    left = [*off, *(finding for finding in findings if finding.code == SILENCED)]
    if left:
        summary = left[0].message + (f", and {len(left) - 1} more" if len(left) > 1 else "")
        fixed = any(finding.fix is not None for finding in left)
        fix = left[0].held_back or "read what it is there for"
        return Demand(
            "debug-mode",
            title,
            False,
            summary,
            tuple(_place(finding) for finding in left),
            "--fix --unsafe-fixes sets it" if fixed else fix,
        )
    if not mode.by:
        is_asked = engine.check_suite(suite.root, _rules((DEBUG,)), project)
        summary = f"{DEBUG} is ignored here" if is_asked else "no test runs on asyncio"
        return Demand("debug-mode", title, True, summary)
    places = tuple(Place(shown(path), line, name) for name, path, line in mode.by if path.is_file())
    return Demand("debug-mode", title, True, f"switched on by {mode.by[0][0]}", places)


def _pending(suite: Suite, project: Project) -> Demand:
    from asynclint.project.leaks import checks, flavours

    title = "pending tasks are inspected"
    if not flavours.flavours(suite, project):
        return Demand("pending-tasks", title, True, "no test's loop is asyncio's, or can be told")
    if checks.checks_tasks(suite, project):
        places = _looking(suite, project)
        return Demand("pending-tasks", title, True, "something looks at the tasks that are left", places)
    found = _of_suite(suite.root, (LEAKS,), Project(_warning(project.settings)))
    if not found:
        return Demand("pending-tasks", title, True, f"{LEAKS} is ignored here")
    finding = found[0]
    fix = finding.held_back if suite.conftest is not None else _without_conftest(suite, project)
    if finding.fix is not None:
        safe = finding.fix.safety is Safety.SAFE
        ways = "--fix adds a fixture that warns; --fix --unsafe-fixes one that fails the test"
        fix = ways if safe else "--fix --unsafe-fixes adds a fixture"
    return Demand("pending-tasks", title, False, finding.message, (_place(finding),), fix)


def _without_conftest(suite: Suite, project: Project) -> str:
    """The way to add the fixture where there is no conftest.py that all tests get."""
    from asynclint.project.leaks.fixture import NoFixtureError

    try:
        new = new_conftest(suite, Project(_warning(project.settings)))
    except NoFixtureError as error:
        return f"there is no conftest.py that all of its tests get, and none is created: {error}"
    path = shown(new.path)
    if new.safety is Safety.SAFE:
        return f"--fix creates {path}, whose fixture warns; with --unsafe-fixes it fails the test"
    return f"--fix --unsafe-fixes creates {path} with a fixture"


def _looking(suite: Suite, project: Project) -> tuple[Place, ...]:
    """The first line that speaks of all tasks, in what runs round the tests."""
    from asynclint.project.leaks.checks import NAMED, WORDS

    for path, source in suite.sources(project).items():
        match = WORDS.search(source) or NAMED.search(source)
        if match is not None:
            line = source.count(b"\n", 0, match.start()) + 1
            return (Place(shown(path), line, match[0].decode("utf-8", "replace").strip()),)
    return ()


def _warning(settings: Settings) -> Settings:
    return replace(settings, leak_check="warn")


def _rules(codes: Iterable[str]) -> list[Rule]:
    return [rule for rule in all_rules() if rule.code in codes]


def _of_suite(root: Path, codes: Iterable[str], project: Project) -> list[Finding]:
    """What rules say of a suite; the paths of the findings are as displayed."""
    return [
        replace(finding, path=shown(place))
        for place, findings in engine.check_suite(root, _rules(codes), project).items()
        for finding in _unsuppressed(findings, place, project)
    ]


def _unsuppressed(findings: Sequence[Finding], place: Path, project: Project) -> Sequence[Finding]:
    try:
        return engine.unsuppressed(findings, place, project)
    except SourceError:  # nobody can read its comments either
        return findings


def fix(groups: Groups, *, unsafe: bool, jobs: int = 1) -> Iterator[engine.Result]:
    """Add what the suites lack: safe fixes, with ``unsafe`` all. Yields what became of each changed file."""
    codes = (*GUARDS, *CLEANUP, SILENCED) if unsafe else GUARDS
    fixing = engine.Fixing.UNSAFE if unsafe else engine.Fixing.SAFE
    for settings, root, files in _suites(groups):
        results = list(check_files(files, _only(settings, *codes), fixing=fixing, jobs=jobs, write=True))
        chosen = _only(settings if unsafe else _warning(settings), LEAKS)
        place = _conftest(root, chosen)
        if place is not None:
            results += check_files([File(place, shown(place))], chosen, fixing=fixing, write=True)
        else:
            results += _created(root, chosen, unsafe=unsafe)
        if unsafe:
            results += _configured(root, settings)
        yield from (result for result in results if result.written is not None or result.problem is not None)
    forget()


def _conftest(root: Path, settings: Settings) -> Path | None:
    """The conftest.py that takes what is missing, if there is one."""
    try:
        place = suite_at(root, Project(settings)).place
    except Exception:  # reported where the suite is shown
        return None
    return place if place.name == "conftest.py" and place.is_file() else None


def _created(root: Path, settings: Settings, *, unsafe: bool) -> list[engine.Result]:
    """Create the conftest.py that a suite lacks, if ASL207 is reported there and no test may mind."""
    from asynclint.output.fix import write

    project = Project(settings)
    try:
        new = new_conftest(suite_at(root, project), project) if _of_suite(root, (LEAKS,), project) else None
    except Exception:  # NoFixtureError among them; said where the suite is shown
        return []
    if new is None or (new.safety is not Safety.SAFE and not unsafe):
        return []
    name, data = shown(new.path), new.text.encode()
    try:
        write(new.path, data, new=True)
    except OSError as error:
        problem = Problem(name, f"cannot be written: {error.strerror or error}")
        return [engine.Result(name, new.path, problem=problem)]
    conftests.cache_clear()
    return [engine.Result(name, new.path, (), None, "created", "", new.text, data, 1)]


def done(result: engine.Result) -> str:
    """What became of a file, in a line."""
    return f"{result.note} {result.display}" if result.note else f"fixed {result.fixed} in {result.display}"


def _configured(root: Path, settings: Settings) -> list[engine.Result]:
    results: list[engine.Result] = []
    try:
        results.extend(_configure(root, settings))
    except OSError as error:
        name = shown(Path(error.filename)) if error.filename else shown(root)
        problem = Problem(name, f"cannot be written: {error.strerror or error}")
        results.append(engine.Result(name, root, problem=problem))
    except Exception:  # reported where the suite is shown
        return results
    return results


def _configure(root: Path, settings: Settings) -> Iterator[engine.Result]:
    """Apply the fixes of suite rules to files that are no Python."""
    project = Project(settings)
    found = engine.check_suite(root, _rules((DEBUG, SILENCED)), project)
    for place, findings in found.items():
        if place.suffix != ".py":
            result = _edit(place, _unsuppressed(findings, place, project))
            if result is not None:
                yield result


def _edit(place: Path, findings: Iterable[Finding]) -> engine.Result | None:
    """Apply the fixes of findings in a file that is no Python, and write it; None where there are none."""
    from asynclint.output.fix import edited, write

    text = SourceText.from_bytes(place.read_bytes())
    fixable = [finding for finding in findings if finding.fix is not None]
    after = edited(text, fixable)
    if after == text.text:
        return None
    written = text.encode(after)
    write(place, written)
    return engine.Result(shown(place), place, (), None, "", text.text, after, written, len(fixable))
