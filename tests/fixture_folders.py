"""What a folder of ``fixtures/`` holds; CONTRIBUTING.md says how to write one.

A line that ends in ``# ASL101`` (or ``# ASL101, ASL201``) must be reported on that line; a line
without such a marker must not. ``# next line: ASL101`` marks the line below, where that can hold no comment.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from asynclint.engine import Fixing, Result, check_suites
from asynclint.rule import Rule, Scope, all_rules
from asynclint.run import check_files
from asynclint.settings import Settings, settings_for
from asynclint.source.files import File, find
from asynclint.source.text import SourceText

FIXTURES = Path(__file__).parent.parent / "fixtures"
_MARKER = re.compile(r"#\s*(?P<next>next line: )?(?P<codes>ASL\d{3}(?:\s*,\s*ASL\d{3})*)\s*$")
_ANSWERS = ("test_*.fixed.py", "test_*.unsafe.py", "*.txt", "settings.toml", "project", "project_*")

Mark = tuple[str, int, str]  # displayed path, line, code


@dataclass(frozen=True)
class Folder:
    """One rule's fixtures."""

    path: Path

    @property
    def code(self) -> str:
        return self.path.name.partition("_")[0].upper()

    @property
    def is_of_suites(self) -> bool:
        """Whether its rule asks about a whole suite, so that projects are all it has."""
        return any(rule.code == self.code and rule.scope is Scope.SUITE for rule in all_rules())

    @property
    def bad(self) -> list[Path]:
        answers = {path for glob in ("*.fixed.py", "*.unsafe.py") for path in self.path.glob(glob)}
        return sorted(set(self.path.glob("test_bad*.py")) - answers)

    @property
    def good(self) -> list[Path]:
        return sorted(self.path.glob("test_good*.py"))

    @property
    def projects(self) -> list[Path]:
        return sorted(path for path in self.path.glob("project*") if path.is_dir())


def folder_name(rule: Rule) -> str:
    """The rule's file and its fixture folder share one name."""
    return rule.name


def folders() -> list[Folder]:
    return [Folder(FIXTURES / folder_name(rule)) for rule in all_rules()]


@dataclass(frozen=True)
class Laid:
    """A copy of fixtures in an otherwise empty directory, which must be the working directory."""

    root: Path
    settings: Settings

    def check(self, names: Iterable[str], fixing: Fixing = Fixing.NONE) -> list[Result]:
        files = []
        for found in find([Path(name) for name in names], self.settings):
            assert isinstance(found, File), found
            files.append(found)
        assert files
        results = list(check_files(files, self.settings, fixing=fixing))
        return results + list(check_suites({self.settings: files}, fixing))


def lay_out(folder: Folder, root: Path, project: Path | None = None) -> Laid:
    """Copy a folder's files, or one of its projects, below ``root``, and give them their settings.

    The copy lies below a pyproject.toml of its own, so that nothing of this repository leaks in.
    """
    settings = folder.path / "settings.toml"
    own = settings.read_text(encoding="utf-8") if settings.exists() else ""
    table = f'[tool.asynclint]\nextend-select = ["{folder.code}"]\n{own}'
    (root / "pyproject.toml").write_text(table, encoding="utf-8")
    ignored = shutil.ignore_patterns("__pycache__", *(() if project else _ANSWERS))
    laid = root / "suite"
    shutil.copytree(project or folder.path, laid, ignore=ignored)
    return Laid(laid, settings_for(laid))


def marks_in(path: Path, display: str) -> Iterator[Mark]:
    for number, line in enumerate(SourceText.from_bytes(path.read_bytes()).lines, 1):
        match = _MARKER.search(line.rstrip())
        for code in re.findall(r"ASL\d{3}", match["codes"]) if match else ():
            yield display, number + bool(match and match["next"]), code


def marks_of(results: Iterable[Result]) -> Iterator[Mark]:
    for result in results:
        assert result.problem is None, result.problem
        for finding in result.findings:
            yield finding.path, finding.span.start.line, finding.code


def compare(expected: Iterable[Mark], found: Iterable[Mark]) -> str:
    """Differences as text, empty where there is none."""
    wanted, got = Counter(expected), Counter(found)
    missed = sorted((wanted - got).elements())
    alarms = sorted((got - wanted).elements())
    lines = [f"missed alarm: {path}:{line}: {code}" for path, line, code in missed]
    lines += [f"false alarm: {path}:{line}: {code}" for path, line, code in alarms]
    return "\n".join(lines)
