"""The ``conftest.py`` that ``--checklist --fix`` creates where a suite has none that all of its tests get.

It holds the fixture of ASL207. A new conftest does one thing more than that: pytest puts a directory on
``sys.path`` to import it, as it does for each test module (``rootdir/conftest.py`` and ``prepend`` mode:
https://docs.pytest.org/en/stable/explanation/pythonpath.html).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from asynclint.finding import Safety
from asynclint.project.dependencies import dependencies
from asynclint.project.leaks.fixture import NoFixtureError, fixture_text, is_safe, modules_of
from asynclint.project.project import Project
from asynclint.project.runs.started import starts
from asynclint.project.suite import Suite
from asynclint.project.test_files import is_test_file

IMPORTS_CONFTEST = re.compile(
    rb"^[ \t]*(?:from[ \t]+[\w.]*\bconftest[ \t]+import|import[ \t]+conftest)\b", re.MULTILINE
)
IMPORTS_PYTEST = re.compile(rb"^[ \t]*(?:from|import)[ \t]+pytest\b", re.MULTILINE)
OTHERS = ("pytest", "pytest_asyncio")  # the rest is of the standard library


class NewConftest(NamedTuple):
    """A file to create: its path, its text, and whether a test that passes might come out otherwise."""

    path: Path
    text: str
    safety: Safety


def new_conftest(suite: Suite, project: Project) -> NewConftest:
    """The conftest that a suite lacks; raises NoFixtureError where none can be made."""
    path = suite.directory / "conftest.py"
    if path.exists() or path.is_symlink():
        message = f"{path.name} is there, and can't be read"
        raise NoFixtureError(message)
    sources = suite.sources(project).values()
    if any(IMPORTS_CONFTEST.search(source) for source in sources):
        message = "something imports a module conftest, and might get the new one"
        raise NoFixtureError(message)
    if not _runs_under_pytest(suite, project):
        message = "nothing says that pytest runs the tests: unittest reads no conftest.py"
        raise NoFixtureError(message)
    definitions = fixture_text(suite, None, project)
    modules = list(modules_of(definitions))
    groups = ([name for name in modules if name not in OTHERS], [name for name in modules if name in OTHERS])
    imports = "\n\n".join("\n".join(f"import {name}" for name in group) for group in groups if group)
    safe = is_safe(suite, project) and _leaves_imports_alone(suite)
    return NewConftest(path, f"{imports}\n\n\n{definitions}", Safety.SAFE if safe else Safety.UNSAFE)


def _runs_under_pytest(suite: Suite, project: Project) -> bool:
    """Whether pytest is configured, imported, depended on or started."""
    if suite.config.path is not None or dependencies(suite.directory).has("pytest", (3, 11)):
        return True
    if any(IMPORTS_PYTEST.search(source) for source in suite.sources(project).values()):
        return True
    commands = (run.command.words for run in starts(suite.root, suite.directory))
    return any(words and "pytest" in words[0].replace("py.test", "pytest") for words in commands)


def _leaves_imports_alone(suite: Suite) -> bool:
    """Whether no import can find another module because of the directory that pytest puts on ``sys.path``.

    It is there already where each test module below has the same; else it must hold no module.
    """
    if "--import-mode=importlib" in suite.config.command_line.words:
        return True
    added = _imported_from(suite.directory)
    below = [path for path in suite.files if suite.directory in path.parents and is_test_file(path)]
    return all(_imported_from(path.parent) == added for path in below) or not any(_modules(added))


def _imported_from(directory: Path) -> Path:
    """The directory that pytest imports a module from: the nearest above it that is no package."""
    return next(here for here in (directory, *directory.parents) if not (here / "__init__.py").is_file())


def _modules(directory: Path) -> Iterator[Path]:
    """Modules and packages that ``import`` would find in a directory, test modules left out.

    A directory without ``__init__.py`` is found only where nothing else has its name (PEP 420).
    """
    for path in directory.iterdir():
        if path.name.startswith("test_"):
            continue
        if path.suffix in (".py", ".so", ".pyd") or (path / "__init__.py").is_file():
            yield path
