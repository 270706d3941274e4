"""Paths become files: globs, excludes and ``.gitignore``; and which files are tests, by name alone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch, translate
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, NamedTuple

from asynclint.settings import Settings

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

#: what nobody wants checked, unless ``exclude`` says otherwise
DEFAULT_EXCLUDE = (
    ".bzr",
    ".direnv",
    ".eggs",
    "*.egg",
    ".git",
    ".hg",
    ".hypothesis",
    ".ipynb_checkpoints",
    ".mypy_cache",
    ".nox",
    ".pytest_cache",
    ".ruff_cache",
    ".svn",
    ".tox",
    ".venv",
    "CVS",
    "__pycache__",
    "__pypackages__",
    "build",
    "dist",
    "node_modules",
    "site-packages",
    "venv",
)
#: an entry of a directory that makes it a virtual environment: PEP 405's, conda's
_ENVIRONMENT_MARKS = frozenset({"pyvenv.cfg", "conda-meta"})
_TEST_DIRECTORIES = frozenset({"test", "tests"})


class File(NamedTuple):
    """A file to check.

    ``path`` is absolute, symbolic links in it are not resolved.
    ``display`` is the argument joined with what is below it, without ``./``, as reports show it.
    ``explicit`` says that the file itself was named, not a directory above it.
    """

    path: Path
    display: str
    explicit: bool = False


@dataclass(frozen=True)
class Problem:
    """What could not be checked, and why, in one line; ``line`` is 1-based or 0, ``column`` 0-based.

    ``code`` is ASL001 where the file is at fault, ASL002 where asynclint is.
    """

    display: str
    message: str
    line: int = 0
    column: int = 0
    code: str = "ASL001"


def shown(path: Path) -> str:
    """A path (absolute) as displayed: relative where it lies below the working directory."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def find(
    paths: Sequence[Path], settings: Settings, *, force_exclude: bool = False
) -> Iterator[File | Problem]:
    """Yield the files that ``paths`` name and the ``*.py`` files below the directories they name.

    Each file comes once, in a fixed order: arguments as given, then names as sorted, a directory's own
    files first. Symbolic links to directories are followed only where named. A named file or directory is
    taken even if its own name is excluded, unless ``force_exclude`` says that excludes count there too.
    """
    excluded = _Excludes(settings)
    arguments = [(absolute(path), path) for path in paths]
    named = frozenset(path for path, _ in arguments)
    seen: set[Path] = set()
    for path, argument in arguments:
        if force_exclude and excluded.match_above(path):
            continue
        if os.path.isdir(path):  # noqa: PTH112 (False, where pathlib raises on what it may not see)
            found = _walk(path, argument, excluded, frozenset() if force_exclude else named)
        elif os.path.isfile(path):  # noqa: PTH113
            found = iter([File(path, _display(argument))])
        else:
            found = iter([Problem(_display(argument), _why_no_file(path))])
        for item in found:
            if isinstance(item, Problem):
                yield item
            elif item.path not in seen:
                seen.add(item.path)
                yield item._replace(explicit=item.path in named)


def is_test_path(path: Path, python_files: Sequence[str]) -> bool:
    """Whether a file counts as a test file by its name.

    That is what pytest would collect (its ``python_files`` globs: those without a slash match the name,
    others the end of the path), ``conftest.py``, and whatever lies below a directory named ``test`` or
    ``tests``. Give ``path`` relative to the project, or a directory above the project counts as well.
    """
    if path.name == "conftest.py" or not _TEST_DIRECTORIES.isdisjoint(path.parent.parts):
        return True
    return any(_collects(glob, path) for glob in python_files)


def _collects(glob: str, path: PurePath) -> bool:
    if "/" not in glob and os.sep not in glob:
        return fnmatch(path.name, glob)
    return fnmatch(str(path), glob) or fnmatch(str(path), f"*{os.sep}{glob}")


class _Excludes:
    """The globs of ``exclude`` and ``extend_exclude``, matched as flake8 does and relative to here too."""

    def __init__(self, settings: Settings) -> None:
        self._here = os.getcwd() + os.sep  # noqa: PTH109 (text is matched here, once for each entry of a tree)
        globs = [*(settings.exclude or DEFAULT_EXCLUDE), *settings.extend_exclude]
        cleaned = [glob.strip().replace(os.sep, "/").removeprefix("./").rstrip("/") for glob in globs]
        self._names = _any_of([glob for glob in cleaned if glob and "/" not in glob])
        self._paths = _any_of([glob for glob in cleaned if "/" in glob])

    def match(self, path: str) -> bool:
        """Whether this absolute path itself is excluded, by its name, as it is, or relative to here."""
        if self._names and self._names.match(os.path.basename(path)):  # noqa: PTH119
            return True
        if not self._paths:
            return False
        forms = (path, path.removeprefix(self._here))
        return any(self._paths.match(form.replace(os.sep, "/")) for form in forms)

    def match_above(self, path: Path) -> bool:
        """Whether this path is excluded, or a directory between here and it."""
        between = (str(parent) for parent in path.parents if str(parent).startswith(self._here))
        return self.match(str(path)) or any(map(self.match, between))


def _any_of(globs: list[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(map(translate, globs))) if globs else None


class _Ignore:
    """The ``.gitignore`` files that apply in one directory, innermost last; never changed, only extended."""

    def __init__(self, specs: tuple[tuple[str, GitIgnoreSpec], ...] = ()) -> None:
        self._specs = specs

    def match(self, path: str, *, is_directory: bool = False) -> bool:
        """Whether git ignores an absolute path: the innermost file that says anything about it decides."""
        for above, spec in reversed(self._specs):
            if path.startswith(above):
                name = path[len(above) :].replace(os.sep, "/") + "/" * is_directory
                verdict = spec.check_file(name).include
                if verdict is not None:
                    return verdict
        return False

    def within(self, directory: Path) -> _Ignore:
        """Extended by the directory's own ``.gitignore``, if it has one."""
        try:
            lines = (directory / ".gitignore").read_text("utf-8-sig", "surrogateescape").split("\n")
        except OSError:  # git too goes on without it
            return self
        return _Ignore((*self._specs, (os.path.join(directory, ""), _spec(lines))))  # noqa: PTH118 (keeps the "/")

    @classmethod
    def above(cls, root: Path) -> _Ignore:
        """What applies in a named directory from above it, up to its repository's root.

        Nothing outside a repository, and nothing if the directory itself is ignored: it was named, so it
        is wanted.
        """
        repository = next((path for path in (root, *root.parents) if (path / ".git").exists()), None)
        ignore = cls()
        if repository is None or repository == root:
            return ignore
        parts = root.relative_to(repository).parts
        for depth in range(len(parts)):
            ignore = ignore.within(repository.joinpath(*parts[:depth]))
            if ignore.match(str(repository.joinpath(*parts[: depth + 1])), is_directory=True):
                return cls()
        return ignore


def _spec(lines: list[str]) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec

    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError:  # git passes over a line that makes no pattern
        return GitIgnoreSpec.from_lines([line for line in lines if _is_pattern(line)])


def _is_pattern(line: str) -> bool:
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True


def _walk(
    root: Path, argument: Path, excluded: _Excludes, forced: frozenset[Path]
) -> Iterator[File | Problem]:
    """Yield the files below a directory; a stack, not recursion: paths nest deeper than calls may.

    ``forced`` are files that are named as well: no exclude holds for them.
    """
    stack = [(root, argument, _Ignore.above(root))]
    while stack:
        directory, shown, ignore = stack.pop()
        try:
            with os.scandir(directory) as scan:
                entries = {entry.name: entry for entry in scan}
        except OSError as error:
            yield Problem(_display(shown), f"cannot be listed: {error.strerror or error}")
            continue
        if directory != root and not _ENVIRONMENT_MARKS.isdisjoint(entries):
            continue
        if ".git" in entries:
            ignore = _Ignore()  # what lies above a repository says nothing about it
        if ".gitignore" in entries:
            ignore = ignore.within(directory)
        below = []
        for name in sorted(entries):
            entry = entries[name]
            if entry.is_dir(follow_symlinks=False):
                if not excluded.match(entry.path) and not ignore.match(entry.path, is_directory=True):
                    below.append((directory / name, shown / name, ignore))
            elif name.endswith(".py") and os.path.isfile(entry.path):  # noqa: PTH113 (False, where a link is broken)
                path = directory / name
                if path in forced or not (excluded.match(entry.path) or ignore.match(entry.path)):
                    yield File(path, _display(shown / name))
        stack.extend(reversed(below))


def absolute(path: Path) -> Path:
    """The path from the root, links not resolved: a file belongs to the project it is reached through."""
    return Path(os.path.abspath(path))  # noqa: PTH100


def _display(shown: Path) -> str:
    """A name that can be printed: file names need not be text."""
    return os.fsencode(shown).decode("utf-8", "replace")


def _why_no_file(path: Path) -> str:
    try:
        path.stat()
    except FileNotFoundError:
        return "cannot be read: it does not exist"
    except (OSError, ValueError) as error:
        return f"cannot be read: {getattr(error, 'strerror', None) or error}"
    return "cannot be read: it is neither a file nor a directory"
