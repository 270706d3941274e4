"""The corridor: from a file to its findings, and round again while fixes change it.

bytes → text → outline → screen (rule triggers) → libcst functions → rule checks → suppression →
fixes → text. Errors become results: nothing a file holds may end the run.
"""

from __future__ import annotations

import ast
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from asynclint.finding import Finding, Position
from asynclint.processes import pause_collector, spread
from asynclint.project.config import find_pytest_config
from asynclint.project.project import Project
from asynclint.project.test_files import is_test_file, no_test_module
from asynclint.rule import Rule, Scope, all_rules
from asynclint.settings import Selection, Settings
from asynclint.source.files import File, Problem
from asynclint.source.function import Function, UnparsedError
from asynclint.source.noqa import Suppressions
from asynclint.source.outline import Outline
from asynclint.source.outline import Scope as NameScope
from asynclint.source.text import SourceError, SourceText

if TYPE_CHECKING:
    from asynclint.project.guards.survey import Survey, Tally

MAX_ROUNDS = 100  # fixes that overlap land one a round; more is a fault
FAULT = "ASL002"  # the code of a problem that is asynclint's own


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
    ``tally`` counts its bounded and unbounded tests, where rules asked what bounds them.
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


def check_files(
    files: Iterable[File],
    settings: Settings,
    *,
    fixing: Fixing = Fixing.NONE,
    jobs: int = 1,
    write: bool = False,
) -> Iterator[Result]:
    """Check (and with ``fixing``, fix) files in the order given; ``write`` puts the new bytes to disk."""
    if jobs <= 1:
        pause_collector()
        project = Project(settings)
        for file in files:
            yield _check_file(file, settings, fixing, write, project)
        return
    yield from spread(list(files), partial(_work, settings, fixing, write), jobs, _lost)


def survey_files(
    files: Iterable[File], settings: Settings
) -> Iterator[tuple[File, Sequence[Survey]] | Problem]:
    """How each async test of each file is bounded; files that are no tests have none."""
    from asynclint.project.guards.survey import survey

    pause_collector()
    project = Project(settings)
    for file in files:
        try:
            text = SourceText.from_bytes(file.path.read_bytes())
            if no_test_module(text, file.path):
                continue
            outline = project.modules.add(file.path, text, text.parse())
        except OSError as error:
            yield Problem(file.display, f"cannot be read: {error.strerror or error}")
        except SourceError as error:
            yield Problem(file.display, error.message, error.line, error.column)
        else:
            try:
                yield file, list(survey(outline, project))
            except Exception as error:  # a fault of ours must not cost the other files
                yield _fault(outline.scope, file.display, error)


def _lost(file: File) -> Result:
    message = "could not be checked: a worker process died; --jobs 1 shows at which file"
    return Result(file.display, file.path, problem=Problem(file.display, message, code=FAULT))


@cache
def _process_project(settings: Settings) -> Project:
    return Project(settings)


def _work(settings: Settings, fixing: Fixing, write: bool, file: File) -> Result:
    return _check_file(file, settings, fixing, write, _process_project(settings))


def _check_file(file: File, settings: Settings, fixing: Fixing, write: bool, project: Project) -> Result:
    try:
        raw = file.path.read_bytes()
        text = SourceText.from_bytes(raw)
        result = check_text(
            text, file.path, file.display, settings, fixing=fixing, project=project, suites=True
        )
    except OSError as error:
        return _failed(file, f"cannot be read: {error.strerror or error}")
    except SourceError as error:
        return Result(
            file.display, file.path, problem=Problem(file.display, error.message, error.line, error.column)
        )
    if result.written is not None and write:
        from asynclint.output.fix import write as write_file

        try:
            write_file(file.path, result.written)
        except OSError as error:
            return _failed(file, f"cannot be written: {error.strerror or error}")
    return result


def _failed(file: File, message: str) -> Result:
    return Result(file.display, file.path, problem=Problem(file.display, message))


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
) -> Result:
    """Check one text; ``path`` (absolute) places it in its project, None judges it by its content.

    ``tree`` is its ast, where the caller has it. ``noqa`` False leaves suppression to the caller.
    ``suites`` asks the rules of that scope, too, if what they report stands in this file.
    ``rules`` are all there are, unless a caller brings its own. Raises SourceError where the text
    can't be parsed.
    """
    project = (_process_project(settings) if project is None else project).at(settings)
    place = path or Path.cwd() / "test_stdin.py"
    selection = Selection(settings, path)
    rules = [rule for rule in (all_rules() if rules is None else rules) if selection.enabled(rule)]
    note = no_test_module(text, place)
    if note and settings.scope != "all":
        return Result(display, path, note=note, before=text.text, after=text.text)
    if not suites:
        rules = [rule for rule in rules if rule.scope is not Scope.SUITE]
    one = partial(_check_once, place=place, display=display, rules=rules, project=project, noqa=noqa)
    findings, problem = one(text, tree=tree)
    if fixing is Fixing.NONE or not any(finding.fix for finding in findings):
        counted = _tally(place, rules, project)
        return Result(display, path, findings, problem, before=text.text, after=text.text, tally=counted)
    return _fix(text, path, display, findings, problem, fixing, one)


def _tally(place: Path, rules: Sequence[Rule], project: Project) -> Tally | None:
    """How many tests are bounded: free where ASL101 has asked already, None where it has not."""
    outline = project.modules.load(place)
    if outline is None or not any(rule.code == "ASL101" for rule in rules):
        return None
    from asynclint.project.guards.survey import tally

    try:
        return tally(outline, project)
    except Exception:  # a fault of ours, which the rule has met and reported
        return None


def _fix(
    text: SourceText,
    path: Path | None,
    display: str,
    findings: tuple[Finding, ...],
    problem: Problem | None,
    fixing: Fixing,
    one: partial[tuple[tuple[Finding, ...], Problem | None]],
) -> Result:
    from asynclint.output.fix import apply

    current, fixed = text, 0
    for _ in range(MAX_ROUNDS):
        applied = apply(current, findings, unsafe=fixing is Fixing.UNSAFE)
        if not applied.applied:
            break
        try:
            after = SourceText.from_bytes(current.encode(applied.text))
            findings, problem = one(after, tree=None)
        except SourceError as error:
            problem = Problem(display, error.message, error.line, error.column)
            break
        current, fixed = after, fixed + len(applied.applied)
    written = current.raw if current is not text else None
    return Result(display, path, findings, problem, "", text.text, current.text, written, fixed)


def _check_once(
    text: SourceText,
    *,
    tree: ast.Module | None,
    place: Path,
    display: str,
    rules: Sequence[Rule],
    project: Project,
    noqa: bool,
) -> tuple[tuple[Finding, ...], Problem | None]:
    outline = project.modules.add(place, text, tree if tree is not None else text.parse())
    suppressions = Suppressions(text)
    if noqa and suppressions.whole_file:
        return (), None
    found: set[Finding] = set()
    problems: list[Problem] = []
    for kind, unit in _units(outline):
        subject = Function(unit) if kind is Scope.FUNCTION else unit
        for rule in rules:
            if rule.scope is kind:
                try:
                    found.update(_judge(rule, unit, subject, project, display))
                except Exception as error:  # a fault of ours must not cost the other findings
                    problems.append(_fault(unit, display, error))
    if place.name == "conftest.py" and any(rule.scope is Scope.SUITE for rule in rules):
        try:
            root = find_pytest_config(place.parent).root
            if _place(root, project) == place:
                found.update(check_suite(root, display, rules, project))
        except Exception as error:
            problems.append(_fault(outline.scope, display, error))
    kept = [f for f in found if not (noqa and suppressions.hides(f.span.start.line, f.code))]
    return tuple(sorted(kept, key=lambda f: (f.span, f.code, f.message))), _first(problems)


def _first(problems: Sequence[Problem]) -> Problem | None:
    """One line for all that went wrong in a file."""
    if len(problems) < 2:
        return problems[0] if problems else None
    first = min(problems, key=lambda problem: (problem.code != FAULT, problem.line))
    return replace(first, message=f"{first.message} (and {len(problems) - 1} more in this file)")


def _units(outline: Outline) -> Iterator[tuple[Scope, NameScope]]:
    """What the rules of a file are asked about, one after the other."""
    yield from ((Scope.FUNCTION, function) for function in outline.functions)
    yield from ((Scope.CLASS, cls) for cls in outline.classes)
    yield Scope.MODULE, outline.scope


def _judge(
    rule: Rule, unit: NameScope, subject: Function | NameScope, project: Project, display: str
) -> list[Finding]:
    """What a rule has to say of a unit, if its trigger wants to see it at all."""
    if rule.checked is None or not (rule.triggered is None or rule.triggered(unit, project)):
        return []
    return [_placed(finding, display) for finding in rule.checked(subject, project)]


def _placed(finding: Finding, display: str) -> Finding:
    """A finding in the file it was made in, and its related places too where they name no other."""
    related = tuple(replace(place, path=place.path or display) for place in finding.related)
    return replace(finding, path=display, related=related)


def _fault(unit: NameScope, display: str, error: Exception) -> Problem:
    position = Position(1, 0) if unit.parent is None else unit.outline.text.span(unit.node).start
    if isinstance(error, UnparsedError):
        return Problem(display, str(error), position.line, position.column)
    if isinstance(error, RecursionError):
        message = f"{unit.qualname or 'the module'} could not be checked: it is nested too deeply"
        return Problem(display, message, position.line, position.column)
    return _fault_in(unit.qualname or "the module", display, position, error)


def _fault_in(name: str, display: str, position: Position, error: Exception) -> Problem:
    cause = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    message = f"{name} could not be checked, which is a fault of asynclint; please report it: {cause}"
    return Problem(display, message, position.line, position.column, FAULT)


def check_suites(groups: Mapping[Settings, Sequence[File]]) -> Iterator[Result]:
    """What suite rules say of a run's suites, where that is to be reported in a file that is not checked.

    The others are checked with that file. No fix is applied here: a run changes only what it was given.
    """
    checked = {file.path for files in groups.values() for file in files}
    done: set[Path] = set()
    for settings, files in groups.items():
        project, selection = Project(settings), Selection(settings)
        rules = [rule for rule in all_rules() if rule.scope is Scope.SUITE and selection.enabled(rule)]
        tests = [file.path for file in files if rules and is_test_file(file.path)]
        for root in dict.fromkeys(find_pytest_config(path.parent).root for path in tests):
            if root not in done:
                yield from _check_elsewhere(root, rules, checked, project)
            done.add(root)


def _check_elsewhere(
    root: Path, rules: Sequence[Rule], checked: Container[Path], project: Project
) -> Iterator[Result]:
    from asynclint.source.files import shown

    place = root
    try:
        place = _place(root, project)
        if place in checked:
            return
        selection = Selection(project.settings, place)
        text = SourceText.from_bytes(project.modules.source(place))
        found = check_suite(root, shown(place), [rule for rule in rules if selection.enabled(rule)], project)
    except SourceError:
        return
    except Exception as error:
        yield Result(shown(place), place, problem=_fault_in("the suite", shown(place), Position(1, 0), error))
        return
    suppressions = Suppressions(text)
    kept = [f for f in found if not suppressions.hides(f.span.start.line, f.code)]
    why = f"{shown(place)} is not among the files to check: name it, too, to have it changed"
    left = (replace(f, fix=None, held_back=why) if f.fix is not None else f for f in kept)
    if kept:
        yield Result(shown(place), place, tuple(left), before=text.text, after=text.text)


def _place(root: Path, project: Project) -> Path:
    """The file that a suite is reported in."""
    from asynclint.project.suite import suite_at

    return suite_at(root, project).place


def check_suite(root: Path, display: str, rules: Iterable[Rule], project: Project) -> tuple[Finding, ...]:
    """Findings of suite rules about one project, by the directory of its configuration (absolute)."""
    found: set[Finding] = set()
    for rule in rules:
        if rule.scope is Scope.SUITE and (rule.triggered is None or rule.triggered(root, project)):
            checked = rule.checked(root, project) if rule.checked is not None else ()
            found.update(replace(finding, path=finding.path or display) for finding in checked)
    return tuple(sorted(found, key=lambda f: (f.path, f.span, f.code, f.message)))
