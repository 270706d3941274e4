"""Adoption on a legacy suite: what is found today is recorded in a baseline, or silenced where it stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from asynclint.engine import Result
from asynclint.output.fix import apply
from asynclint.output.fix import write as write_file
from asynclint.project.config import find_pytest_config
from asynclint.rule import UNUSED_NOQA, all_rules
from asynclint.settings import Selection, Settings, SettingsError
from asynclint.source.files import File, Problem, shown
from asynclint.source.noqa import Suppressions
from asynclint.source.text import SourceError, SourceText
from asynclint.suppress.baseline import Entries, dump, load, name_of
from asynclint.suppress.comments import added
from asynclint.suppress.identity import Identity, identities

Groups = Mapping[Settings, Sequence[File]]


class Written(NamedTuple):
    """What a baseline holds now; ``kept`` of its findings are those that this run did not look for."""

    findings: int
    files: int
    kept: int


def write_baseline(baseline: Path, groups: Groups, results: Iterable[Result]) -> Written:
    """Record findings in a baseline (absolute); what it holds of files and rules not asked about stays.

    ``results`` are those of the files in ``groups`` and of their suites. Raises SettingsError where
    it can't be written, or a file stands there that is something else.
    """
    known = _known(baseline)
    fresh: dict[str, Counter[Identity]] = {}
    unread = set()
    for result in results:
        if result.path is None:
            continue
        name = name_of(result.path, baseline)
        if result.problem is not None:
            unread.add(name)
        if result.findings:
            of_file = fresh.setdefault(name, Counter())
            of_file.update(identities(SourceText.from_lines([result.before]), result.findings))
    kept = _kept(known, baseline, groups, unread)
    entries = {name: {**kept.get(name, {}), **fresh.get(name, {})} for name in {*kept, *fresh}}
    content = dump(entries)
    if not baseline.is_file() or baseline.read_bytes() != content:
        try:
            write_file(baseline, content, new=True)
        except OSError as error:
            message = f"--write-baseline {shown(baseline)}: cannot be written: {error.strerror or error}"
            raise SettingsError(message) from None
    total = sum(sum(of_file.values()) for of_file in entries.values())
    found = sum(of_file.total() for of_file in fresh.values())
    return Written(total, len(entries), total - found)


def _known(baseline: Path) -> Entries:
    """What the baseline holds, if it is one; raises SettingsError rather than lose another kind of file."""
    if not baseline.exists():
        return {}
    try:
        return load(baseline)
    except SettingsError:
        if b'"asynclint-baseline"' in baseline.read_bytes() or not baseline.stat().st_size:
            return {}  # a broken one, which is what one renews it for
        message = "this file is no baseline, so it is not overwritten: name another, or delete it"
        raise SettingsError(message, baseline) from None


def _kept(known: Entries, baseline: Path, groups: Groups, unread: Iterable[str]) -> Entries:
    """Entries that stay as they are, because nobody looked whether they still hold."""
    of_suites = {rule.code for rule in all_rules() if rule.of_suites is not None}
    judged: dict[str, set[str]] = {}
    roots: set[Path] = set()
    for settings, files in groups.items():
        for file in files:
            selection = Selection(settings, file.path)
            codes = {rule.code for rule in all_rules() if selection.enabled(rule)}
            own = {UNUSED_NOQA} if selection.code_on(UNUSED_NOQA, default=False) else set()
            judged[name_of(file.path, baseline)] = codes | own
            roots.add(find_pytest_config(file.path.parent).root)
    kept: dict[str, dict[Identity, int]] = {}
    for name, of_file in known.items():
        path = baseline.parent / name
        below = any(path.is_relative_to(root) for root in roots)
        gone = judged.get(name, set()) | (of_suites if below else set())
        left = {entry: count for entry, count in of_file.items() if name in unread or entry.code not in gone}
        if left and path.exists():
            kept[name] = left
    return kept


def add_noqa(results: Iterable[Result], files: Iterable[File], *, write: bool) -> Iterator[Result]:
    """Put a ``# noqa`` on every line that is reported; yields what became of each file, and what is left.

    Only ``files`` of Python are changed, once all have been checked; without ``write`` none is.
    """
    named = {file.path for file in files if file.path.suffix == ".py"}
    for result in list(results):
        if result.path in named and result.findings:
            yield _silenced(result, result.path, write=write)
        else:
            yield result


def _silenced(result: Result, path: Path, *, write: bool) -> Result:
    try:
        text = SourceText.from_bytes(path.read_bytes())
        if text.text != result.before:
            message = "was changed while it was checked: run --add-noqa again"
            return replace(result, findings=(), problem=Problem(result.display, message))
        applied = apply(text, added(text, result.findings), unsafe=False)
        after = SourceText.from_bytes(text.encode(applied.text))
        if write and after.raw != text.raw:
            write_file(path, after.raw)
    except SourceError as error:
        problem = Problem(result.display, error.message, error.line, error.column)
        return replace(result, findings=(), problem=problem)
    except OSError as error:
        problem = Problem(result.display, f"cannot be written: {error.strerror or error}")
        return replace(result, findings=(), problem=problem)
    suppressions = Suppressions(after)
    left = tuple(f for f in result.findings if not suppressions.hides(f.span.start.line, f.code))
    silenced = len(result.findings) - len(left)
    return replace(result, findings=left, after=after.text, written=after.raw, fixed=silenced)
