"""A suite: the test modules that pytest runs with one configuration, and the conftest they all get."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from asynclint.project.config import PytestConfig, find_pytest_config
from asynclint.project.guards.plugins import conftests, plugin_modules
from asynclint.project.guards.tests import Test, tests_in
from asynclint.project.project import Project
from asynclint.project.test_files import is_test_file
from asynclint.source.files import File, find
from asynclint.source.outline import Outline

ASYNC = re.compile(rb"\basync\s+def\b")


@dataclass(frozen=True, eq=False)
class Suite:
    """The suite of one directory of pytest's configuration.

    ``files`` are the Python files that lie below it and below no other configuration; ``tests`` its
    async tests, by module.
    """

    root: Path
    config: PytestConfig
    files: tuple[Path, ...]
    tests: tuple[tuple[Outline, tuple[Test, ...]], ...]

    @cached_property
    def conftest(self) -> Path | None:
        """The topmost conftest.py that every module with async tests gets."""
        reaching = [conftests(outline.directory, self.root) for outline, _ in self.tests]
        shared = [path for path in reaching[0] if self.root in path.parents] if reaching else []
        return next((path for path in reversed(shared) if all(path in found for found in reaching)), None)

    @property
    def place(self) -> Path:
        """Where a finding about the whole suite stands: that conftest, else what configures pytest."""
        return self.conftest or self.config.path or self.root / "conftest.py"

    @cached_property
    def directory(self) -> Path:
        """The directory where a conftest.py would reach every module with async tests."""
        parents = [outline.directory for outline, _ in self.tests] or [self.root]
        above = (parents[0], *parents[0].parents)
        return next(here for here in above if all(path.is_relative_to(here) for path in parents))

    def modules(self, project: Project) -> dict[Path, Outline]:
        """The modules with async tests, their conftest files, and the plugins that these and pytest load."""
        found: dict[Path, Outline] = {}
        for outline, _ in self.tests:
            for module in plugin_modules(outline, self.config, project):
                found[module.path] = module
        return found

    def sources(self, project: Project) -> dict[Path, bytes]:
        """The sources of all test code below it and of the plugins it loads, as they are in this run."""
        paths = {*self.modules(project), *(path for path in self.files if is_test_file(path))}
        return {path: project.modules.source(path) for path in sorted(paths)}


def suite_at(root: Path, project: Project) -> Suite:
    """The suite of a directory (absolute) of pytest's configuration."""
    return project.remembered(("suite", root, project.settings), lambda: _read(root, project))


def _read(root: Path, project: Project) -> Suite:
    paths = (found.path for found in find([root], project.settings) if isinstance(found, File))
    files = tuple(path for path in paths if find_pytest_config(path.parent).root == root)
    tests = []
    for path in files:
        source = project.modules.source(path) if is_test_file(path) else b""
        outline = project.modules.load(path) if ASYNC.search(source) else None
        found = tests_in(outline, project).values() if outline is not None else ()
        own = tuple(test for test in found if test.scope.is_async and not test.scope.is_generator)
        if outline is not None and own:
            tests.append((outline, own))
    return Suite(root, find_pytest_config(root), files, tuple(tests))
