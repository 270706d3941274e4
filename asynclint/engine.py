"""The corridor: from a file to its findings, and round again while fixes change it.

bytes → text → outline → screen (rule triggers) → libcst functions → rule checks → suppression →
fixes → text. Errors become results: nothing a file holds may end the run.
"""

from __future__ import annotations

import ast
import gc
import sys
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from asynclint.faults import fault, fault_of_suite, first_of
from asynclint.finding import Finding
from asynclint.project.config import find_pytest_config
from asynclint.project.line_numbers import unshifted
from asynclint.project.project import Project
from asynclint.project.tally import Tally
from asynclint.project.test_files import is_test_file, no_test_module
from asynclint.rule import UNUSED_NOQA, Rule, Scope, all_rules, by_trigger
from asynclint.settings import Selection, Settings
from asynclint.source.files import File, Problem
from asynclint.source.function import Function
from asynclint.source.noqa import Suppressions
from asynclint.source.outline import Outline
from asynclint.source.outline import Scope as NameScope
from asynclint.source.text import SourceError, SourceText
from asynclint.suppress.sift import Sieve, Sifted, by_place

if TYPE_CHECKING:
    from asynclint.project.cache import Caches
    from asynclint.project.stored import Judged

MAX_SIZE = 3_000_000  # characters of source that are kept in any case
MAX_BLOCKS = 2_000_000  # of memory, some 80 bytes each, in use by Python before what is known is let go
MAX_ROUNDS = 100  # fixes that overlap land one a round; more is a fault


class Fixing(Enum):
    """Which fixes are applied."""

    NONE = "none"
    SAFE = "safe"
    UNSAFE = "unsafe"


@dataclass(frozen=True)
class Result:
    """What became of one file.

    ``findings`` are what is left after suppression, selection and fixing, by position; a file that
    could only be checked in part has a ``problem`` beside them. ``before`` and ``after`` are equal
    unless fixes changed the text; ``written`` are then the new bytes, ``fixed`` the fixes applied.
    ``tally`` counts its bounded and unbounded tests, where rules asked what bounds them. ``judged`` is what
    a cache may keep of it, where one does. ``recorded`` findings are in the baseline, ``gone`` ones were
    and are fixed.
    """

    display: str
    path: Path | None
    findings: tuple[Finding, ...] = ()
    problem: Problem | None = None
    note: str = ""
    before: str = ""
    after: str = ""
    written: bytes | None = None
    fixed: int = 0
    tally: Tally | None = None
    judged: Judged | None = None
    recorded: int = 0
    gone: int = 0


_projects: dict[Settings, Project] = {}


def process_project(settings: Settings) -> Project:
    """The project of a whole process; a new one where all have read more than is worth their memory."""
    read = sum(project.modules.size for project in _projects.values())
    if read > MAX_SIZE and sys.getallocatedblocks() > MAX_BLOCKS:
        for known in [*_projects]:
            forget(known)
        gc.collect()
    if settings not in _projects:
        _projects[settings] = Project(settings)
    return _projects[settings]


def forget(settings: Settings) -> None:
    """Let the next project of the process begin anew."""
    project = _projects.pop(settings, None)
    if project is not None:
        project.fold()


def is_kept(path: Path, settings: Settings) -> bool:
    """Whether what is found in a file rests on nothing but what a cache watches.

    In a conftest.py whole suites may be reported; a fix of ASL104 reads every test below it.
    """
    selection = Selection(settings, path)
    if settings.guard_from_junit or selection.code_on("ASL104", default=False):
        return False
    wide = [rule for rule in all_rules() if rule.scope is Scope.SUITE] if path.name == "conftest.py" else ()
    return not any(map(selection.enabled, wide))


def check_text(
    text: SourceText,
    path: Path | None,
    display: str,
    settings: Settings,
    *,
    fixing: Fixing = Fixing.NONE,
    tree: ast.Module | None = None,
    project: Project | None = None,
    noqa: bool = True,
    suites: bool = False,
    rules: Sequence[Rule] | None = None,
    caches: Caches | None = None,
    keep: bool = False,
    halt: Callable[[], None] = lambda: None,
) -> Result:
    """Check one text; ``path`` (absolute) places it in its project, None judges it by its content.

    ``tree`` is its ast, where the caller has it. ``noqa`` False leaves suppression to the caller.
    ``suites`` asks the rules of that scope, too, if what they report stands in this file.
    ``rules`` are all there are, unless a caller brings its own. What ``caches`` know is not judged
    again. The result says what they may keep where there are some, or with ``keep``. ``halt`` is called
    before each function and class: what it raises ends the check.
    Raises SourceError where the text can't be parsed.
    """
    project = (process_project(settings) if project is None else project).at(settings)
    place = path or Path.cwd() / "test_stdin.py"
    note = no_test_module(text, path)
    if note and settings.scope != "all":
        return Result(display, path, note=note, before=text.text, after=text.text)
    selected = partial(_selected, rules, Selection(settings, path), suites=suites)
    sieve = Sieve(path, settings, selected, noqa)
    keep = (keep or caches is not None) and path is not None and is_kept(path, settings)
    judged = caches.find(place, text.raw, settings) if caches is not None and keep else None
    if judged is not None and (fixing is Fixing.NONE or not judged.fixable):
        return _recalled(text, display, judged, sieve, tree)
    if noqa and Suppressions(text).whole_file:
        text.parse()
        return Result(display, path, before=text.text, after=text.text)
    rules = selected()
    one = partial(_judge_once, place=place, display=display, rules=rules, project=project, halt=halt)
    found, problem = one(text, tree=tree)
    outline = project.modules.get(place)
    sifted = sieve.sift(found, text, outline.tree if outline is not None else tree)
    if fixing is not Fixing.NONE and any(finding.fix for finding in sifted.left):
        result = _fix(text, display, sifted, problem, fixing, one, sieve)
        if result.written is not None:
            project.modules.load(place)  # kept: what imports it sees what was fixed, be it written or not
        return result
    counted = _tally(place, rules, project)
    if keep and problem is None:
        judged = _judged(found, text, display, counted)
    gone = sifted.gone if problem is None else 0
    result = Result(display, path, sifted.left, problem, "", text.text, text.text, tally=counted)
    return replace(result, judged=judged, recorded=sifted.recorded, gone=gone)


def _selected(rules: Sequence[Rule] | None, selection: Selection, *, suites: bool) -> list[Rule]:
    """The rules that judge a file; asked for only where it is judged, as their import takes longest."""
    found = (rule for rule in (all_rules() if rules is None else rules) if selection.enabled(rule))
    return [rule for rule in found if suites or rule.scope is not Scope.SUITE]


def _judged(found: Iterable[Finding], text: SourceText, display: str, tally: Tally | None) -> Judged:
    """What was found in a form that holds wherever the file is displayed."""
    from asynclint.project.cache import digest
    from asynclint.project.stored import Judged

    findings = []
    for finding in found:
        own = (place._replace(path="" if place.path == display else place.path) for place in finding.related)
        findings.append(finding._replace(path="", related=tuple(own)))
    counts = (tally.unbounded, tally.others, tally.by_pytest) if tally is not None else None
    return Judged(digest(text.raw), tuple(findings), counts)


def _recalled(
    text: SourceText, display: str, judged: Judged, sieve: Sieve, tree: ast.Module | None
) -> Result:
    """The result of a file whose findings are known from an earlier run."""
    tally, path = None, sieve.path
    if judged.counts is not None and path is not None and not (sieve.noqa and Suppressions(text).whole_file):
        tally = Tally(find_pytest_config(path.parent), *judged.counts)
    sifted = sieve.sift((_placed(finding, display) for finding in judged.findings), text, tree)
    result = Result(display, path, sifted.left, before=text.text, after=text.text, tally=tally)
    return replace(result, recorded=sifted.recorded, gone=sifted.gone)


def _tally(place: Path, rules: Sequence[Rule], project: Project) -> Tally | None:
    """How many tests are bounded: free where ASL101 has asked already, None where it has not."""
    outline = project.modules.get(place)
    if outline is None or not any(rule.code == "ASL101" for rule in rules):
        return None
    from asynclint.project.guards.survey import tally

    try:
        return tally(outline, project)
    except Exception:  # a fault of ours, which the rule has met and reported
        return None


def _fix(
    text: SourceText,
    display: str,
    sifted: Sifted,
    problem: Problem | None,
    fixing: Fixing,
    one: partial[tuple[set[Finding], Problem | None]],
    sieve: Sieve,
) -> Result:
    from asynclint.output.fix import apply

    current, fixed = text, 0
    for _ in range(MAX_ROUNDS):
        applied = apply(current, sifted.left, unsafe=fixing is Fixing.UNSAFE)
        if not applied.applied:
            break
        try:
            after = SourceText.from_bytes(current.encode(applied.text))
            found, problem = one(after, tree=None)
            sifted = sieve.sift(found, after)
        except SourceError as error:
            problem = Problem(display, error.message, error.line, error.column)
            break
        current, fixed = after, fixed + len(applied.applied)
    written = current.raw if current is not text else None
    result = Result(display, sieve.path, sifted.left, problem, "", text.text, current.text, written, fixed)
    return replace(result, recorded=sifted.recorded)


def _judge_once(
    text: SourceText,
    *,
    tree: ast.Module | None,
    place: Path,
    display: str,
    rules: Sequence[Rule],
    project: Project,
    halt: Callable[[], None] = lambda: None,
) -> tuple[set[Finding], Problem | None]:
    """What rules find in a file before anything is suppressed."""
    outline = project.begin(place, text, tree)
    found: set[Finding] = set()
    problems: list[Problem] = []
    groups = {kind: by_trigger(rule for rule in rules if rule.scope is kind) for kind in Scope}
    for kind, unit in _units(outline):
        halt()
        subject = Function(unit) if kind is Scope.FUNCTION else unit
        for trigger, waiting in groups[kind]:
            try:
                asked = waiting if trigger is None or trigger(unit, project) else ()
            except Exception as error:  # a fault of ours must not cost the other findings
                problems.append(fault(unit, display, error))
                continue
            for rule in asked:
                try:
                    found.update(_judged_by(rule, subject, project, display))
                except Exception as error:
                    problems.append(fault(unit, display, error))
        if isinstance(subject, Function):
            subject.fold()
    if place.name == "conftest.py" and any(rule.scope is Scope.SUITE for rule in rules):
        try:
            root = find_pytest_config(place.parent).root
            if _place(root, project) == place:
                own = [rule for rule in rules if rule.scope is Scope.SUITE]
                here = check_suite(root, own, project).get(place, ())
                found.update(_placed(finding, display) for finding in here)
        except Exception as error:
            problems.append(fault(outline.scope, display, error))
    if not problems and Selection(project.settings, place).code_on(UNUSED_NOQA, default=False):
        from asynclint.suppress.comments import unused

        judged = [rule for rule in rules if rule.code > "ASL2" or not no_test_module(text, place)]
        found.update(_placed(finding, display) for finding in unused(text, found, judged))
    return found, first_of(problems)


def _units(outline: Outline) -> Iterator[tuple[Scope, NameScope]]:
    """What the rules of a file are asked about, one after the other."""
    yield from ((Scope.FUNCTION, function) for function in outline.functions)
    yield from ((Scope.CLASS, cls) for cls in outline.classes)
    yield Scope.MODULE, outline.scope


def _judged_by(rule: Rule, subject: Function | NameScope, project: Project, display: str) -> list[Finding]:
    """What a rule has to say of a unit that its trigger wants to see; but for 1xx, of what can run in it."""
    made = rule.checked(subject, project) if rule.checked is not None else ()
    unit = subject.scope if isinstance(subject, Function) else subject
    found = [_placed(unshifted(finding, unit.outline, project), display) for finding in made]
    if not found or rule.code < "ASL2":
        return found
    from asynclint.project.dead import is_never_run

    return [finding for finding in found if not is_never_run(finding.span.start, unit, project)]


def _placed(finding: Finding, display: str) -> Finding:
    """A finding in the file it was made in, and its related places too where they name no other."""
    related = tuple(place._replace(path=place.path or display) for place in finding.related)
    return finding._replace(path=display, related=related)


def check_suites(groups: Mapping[Settings, Sequence[File]], fixing: Fixing) -> Iterator[Result]:
    """What suite rules say of a run's suites, where that is to be reported in a file that is not checked.

    The others are checked with that file. No fix is applied here: a run changes only what it was given.
    """
    checked = {file.path for files in groups.values() for file in files}
    done: set[Path] = set()
    for settings, files in groups.items():
        project = process_project(settings) if fixing is Fixing.NONE else Project(settings)
        rules = [
            rule for rule in filter(Selection(settings).enabled, all_rules()) if rule.of_suites is not None
        ]
        tests = [file.path for file in files if rules and is_test_file(file.path)]
        for root in dict.fromkeys(find_pytest_config(path.parent).root for path in tests):
            if root not in done:
                yield from _check_elsewhere(root, rules, checked, project)
            done.add(root)


def _check_elsewhere(
    root: Path, rules: Sequence[Rule], checked: Container[Path], project: Project
) -> Iterator[Result]:
    from asynclint.source.files import shown

    try:
        found = check_suite(root, rules, project)
    except Exception as error:
        yield Result(shown(root), root, problem=fault_of_suite(root, error))
        return
    for place, findings in found.items():
        if place in checked and place.name == "conftest.py":
            continue
        try:
            text = SourceText.from_bytes(project.modules.source(place))
        except SourceError:
            continue
        open_ = unsuppressed(findings, place, project, text)
        sifted = Sieve(place, project.settings, lambda: rules).sift(open_, text)
        left = tuple(_unfixed(sifted.left, place))
        if open_:
            result = Result(shown(place), place, left, before=text.text, after=text.text)
            yield replace(result, recorded=sifted.recorded)


def _unfixed(findings: Iterable[Finding], place: Path) -> Iterator[Finding]:
    """Findings of a suite as they are shown where their fixes are not applied."""
    from asynclint.source.files import shown

    why = f"{shown(place)} is not among the files to check: name it, too, to have it changed"
    if place.suffix != ".py":
        why = f"--checklist --fix --unsafe-fixes changes {shown(place)}"
    for finding in findings:
        held_back = why if finding.fix is not None else finding.held_back
        yield _placed(finding, shown(place))._replace(fix=None, held_back=held_back)


def unsuppressed(
    findings: Iterable[Finding], place: Path, project: Project, text: SourceText | None = None
) -> list[Finding]:
    """Findings of a suite that the settings for their file and its comments leave."""
    text = SourceText.from_bytes(project.modules.source(place)) if text is None else text
    selection, suppressions = Selection(project.settings, place), Suppressions(text)
    ignored = {rule.code for rule in all_rules() if selection.ignored(rule.code)}
    return [
        finding
        for finding in findings
        if finding.code not in ignored and not suppressions.hides(finding.span.start.line, finding.code)
    ]


def check_suite(root: Path, rules: Iterable[Rule], project: Project) -> dict[Path, tuple[Finding, ...]]:
    """Findings of suite rules about one project, by file; ``root`` is where it is configured (absolute)."""
    found: dict[Path, set[Finding]] = {}
    for rule in rules:
        check = rule.of_suites
        asked = rule.triggered is None or rule.scope is not Scope.SUITE or rule.triggered(root, project)
        for finding in check(root, project) if check is not None and asked else ():
            place = Path(finding.path) if finding.path else _place(root, project)
            found.setdefault(place, set()).add(finding)
    return {place: tuple(sorted(findings, key=by_place)) for place, findings in found.items()}


def _place(root: Path, project: Project) -> Path:
    """The file that a suite is reported in, unless a finding says where it stands."""
    from asynclint.project.suite import suite_at

    return suite_at(root, project).place
