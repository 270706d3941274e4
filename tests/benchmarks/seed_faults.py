"""How many faults of one kind a rule finds, where real code has the cure of each written out.

    python tests/benchmarks/seed_faults.py [--kind KIND]... [--most N] [--missed] DIRECTORY...

Each kind takes one cure away: a close, a release, a ``_threadsafe``, a ``raise``. Every place of the
directories' .py files where such a cure stands is a site; each gives one mutant, which is checked in
memory by the kind's rule alone, with ``scope = "all"`` (nothing is written, nothing is run).

A mutant is *found* if the rule reports more of its outermost function than it did of the unchanged one:
anywhere in that function, at the mutated statement or where the resource is made (kinds marked
``module``: anywhere in the file). A mutant that Python can't compile is no site.

The table: ``sites``, ``found``, the share, and ``loud``: functions (files) that were reported before, and are
sites only where the mutant adds to that.
``--missed`` prints the place and the mutated line of each that was not found. ``--most N`` takes N sites
of each kind, spread evenly over all. A site says nothing of whether its mutant is a fault in truth (a
``call_soon_threadsafe`` may be called on the loop all along): read what is missed.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from seeding.kinds import KINDS, Kind
from seeding.source import Mutant, Source, read

from asynclint.engine import check_text
from asynclint.processes import pause_collector
from asynclint.project.project import Project
from asynclint.settings import Settings
from asynclint.source.text import SourceError, SourceText


@dataclass
class Tally:
    """What became of one kind's mutants."""

    sites: int = 0
    found: int = 0
    loud: int = 0
    missed: list[str] = field(default_factory=list)


def mutated(source: Source, mutant: Mutant) -> SourceText | None:
    """The changed text; None where Python can't compile it."""
    text = source.text.text
    for start, end, new in sorted(mutant.changes, reverse=True):
        text = text[:start] + new + text[end:]
    try:
        changed = SourceText.from_bytes(source.text.encode(text))
        compile(changed.text, str(source.path), "exec", dont_inherit=True)
    except (SourceError, SyntaxError, ValueError):
        return None
    return changed


def reports(text: SourceText, source: Source, kind: Kind, project: Project) -> list[int]:
    """Lines of the rule's reports."""
    settings = Settings(scope="all", select=(kind.code,))
    return [
        finding.span.start.line
        for finding in check_text(text, source.path, str(source.path), settings, project=project).findings
    ]


def score(source: Source, mutants: Iterable[Mutant], kind: Kind, project: Project, tally: Tally) -> None:
    """Check each mutant of a file, and leave the project with the unchanged one."""
    before: list[int] | None = None
    for mutant in mutants:
        changed = mutated(source, mutant)
        if changed is None:
            continue
        if before is None:
            before = reports(source.text, source, kind, project)
        outer = source.outermost(mutant.node) if kind.where == "function" else source.tree.body[-1]
        first = getattr(outer, "lineno", 1) if kind.where == "function" else 1
        last = getattr(outer, "end_lineno", None) or len(source.text.lines)
        moved = len(changed.lines) - len(source.text.lines)
        had = sum(first <= line <= last for line in before)
        has = sum(first <= line <= last + moved for line in reports(changed, source, kind, project))
        tally.loud += had > 0
        if had > 0 and has <= had:
            continue
        tally.sites += 1
        tally.found += has > had
        if has <= had:
            line = getattr(mutant.node, "lineno", 0)
            tally.missed.append(f"{source.path}:{line}: {source.text.lines[line - 1].strip()}")
    if before is not None:
        project.begin(source.path, source.text, source.tree)


def sites_in(path: Path, kind: Kind) -> tuple[Source | None, list[Mutant]]:
    """A file with its mutants of one kind; None where it has none."""
    try:
        if not re.search(kind.words, path.read_text("utf-8", errors="replace")):
            return None, []
    except OSError:
        return None, []
    source = read(path)
    return source, list(kind.sites(source)) if source is not None else []


def measure(directories: Iterable[Path], name: str, most: int) -> Tally:
    """All mutants of one kind, or so many of them."""
    kind, tally = KINDS[name], Tally()
    files = [(directory, path) for directory in directories for path in sorted(directory.rglob("*.py"))]
    chosen: set[tuple[Path, int]] | None = None
    if most:
        sites = [(path, index) for _, path in files for index in range(len(sites_in(path, kind)[1]))]
        chosen = {sites[number * len(sites) // most] for number in range(most)} if sites else set()
    projects: dict[Path, Project] = {}
    for directory, path in files:
        source, mutants = sites_in(path, kind)
        taken = [m for index, m in enumerate(mutants) if chosen is None or (path, index) in chosen]
        if source is not None and taken:
            project = projects.setdefault(directory, Project(Settings(scope="all")))
            score(source, taken, kind, project, tally)
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("directories", nargs="+", type=Path)
    parser.add_argument("--kind", action="append", choices=sorted(KINDS))
    parser.add_argument("--most", type=int, default=0, help="sites of each kind (default: all)")
    parser.add_argument("--missed", action="store_true", help="print those that were not found")
    arguments = parser.parse_args()
    pause_collector()
    directories = [directory.resolve() for directory in arguments.directories]
    print(f"{'kind':<12}{'rule':<8}{'sites':>6}{'found':>7}{'share':>8}{'loud':>6}")
    for name in arguments.kind or KINDS:
        tally = measure(directories, name, arguments.most)
        share = f"{tally.found / tally.sites:.1%}" if tally.sites else "-"
        print(
            f"{name:<12}{KINDS[name].code:<8}{tally.sites:>6}{tally.found:>7}{share:>8}{tally.loud:>6}",
            flush=True,
        )
        if arguments.missed:
            print(*tally.missed, sep="\n", file=sys.stderr)


if __name__ == "__main__":
    main()
