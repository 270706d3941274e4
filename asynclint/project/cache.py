"""What earlier runs found, kept on disk: data only, JSON, one file for each checked file.

An entry holds as long as all that its verdicts leaned on is as it was: the file itself, every module that was
asked for a name on the way (also those that are not there), the conftest files, the configuration in each
directory upward, the environment of installed packages, the settings, and asynclint itself. For that, a
graph of which module was asked for which is kept beside the entries. An entry that can't be read, or does not
hold, is no entry: its file is checked anew. A cache that can't be written is none. Of what lies in
``site-packages``, only the modules that were read are compared, and the directory's own time.

The directory is ``.asynclint_cache`` in the topmost directory of the project, as git sees it; files outside
any project have none, nor have projects where that is a link. Entries that nobody asked for in a
month are deleted.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import asynclint
from asynclint.project import stored
from asynclint.project.config import find_pytest_config
from asynclint.project.dependencies import REQUIREMENTS, requirement_files
from asynclint.project.environment import Packages, packages_for
from asynclint.project.guards.plugins import conftests
from asynclint.project.index.modules import Modules, project_directories
from asynclint.project.index.reading import SEARCHED, Lean, is_installed
from asynclint.project.project import Project
from asynclint.project.pytest_files import LOADERS
from asynclint.project.stored import Judged
from asynclint.settings import Settings

NAME = ".asynclint_cache"
GRAPH = "modules.json"
PRUNED = "pruned"  # its time is when entries were last deleted
OURS = re.compile(r"(?:[0-9a-f]{32}|modules)\.json\.\d+|[0-9a-f]{32}\.json")
DAY, MONTH = 86_400, 30 * 86_400  # seconds
# https://bford.info/cachedir/
TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n# This directory is asynclint's cache; it can be deleted.\n"
)
VARIABLES = ("PYTEST_ADDOPTS", "PYTEST_TIMEOUT", "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "VIRTUAL_ENV")
CONFIGURATION = (".toml", ".ini", ".cfg")  # and setup.py, and requirements files
ABOVE = (*LOADERS, "setup.py")
PRESENT = frozenset({".git", ".hg", ".venv", "venv", "conftest.py", "__init__.py", "__init__.pyi"})
Asked = Sequence[tuple[Path, str, Lean | None]]
ANY = ("utf-8", "surrogateescape")  # for names of files
BROKEN = (OSError, ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError)


@dataclass
class Node:
    """One module: its content's digest, and the imports that it has been asked to follow."""

    content: str
    leans: set[Lean] = field(default_factory=set)


class Step(NamedTuple):
    """What one module adds to what a verdict leans on: its own digest, and the modules behind it."""

    digest: str
    targets: frozenset[Path]


class Caches:
    """The caches of a run: of each project its own, or all in one ``directory`` (absolute)."""

    def __init__(self, project: Project, directory: Path | None = None) -> None:
        self._project = project
        self._directory = directory
        self._caches: dict[Path, Cache | None] = {}
        self._asked: list[tuple[Path, str, Lean | None]] = []

    def find(self, path: Path, raw: bytes, settings: Settings) -> Judged | None:
        """What was found in a file (absolute) of this content; None where that isn't known any more."""
        held = self._of(path)
        return held.find(path, raw, settings) if held is not None else None

    def keep(self, path: Path, settings: Settings, judged: Judged) -> None:
        """Remember what was found, up to ``save``."""
        held = self._of(path)
        if held is not None:
            held.keep(path, settings, judged)

    def learn(self, asked: Asked) -> None:
        """Take in which imports were followed; see ``asked_by``."""
        self._asked += asked
        for held in filter(None, self._caches.values()):
            held.learn(asked)

    def save(self) -> None:
        """Write what was kept, as far as that can be done."""
        for held in filter(None, self._caches.values()):
            held.save()

    def _of(self, path: Path) -> Cache | None:
        directory = self._directory
        if directory is None:
            projects = project_directories(path.parent)
            if not projects:
                return None
            directory = projects[-1] / NAME
        if directory not in self._caches:
            held = None
            if self._directory is not None or not directory.is_symlink():
                held = Cache(directory, self._project)
                held.learn(self._asked)
            self._caches[directory] = held
        return self._caches[directory]


class Cache:
    """The entries of one project, by the directory (absolute) that holds them."""

    def __init__(self, directory: Path, project: Project) -> None:
        self._directory = directory
        self._project = project
        self._now = Contents()
        self._graph = self._read_graph()
        self._grown = False
        self._learnt: dict[Path, str] = {}
        self._torn = False
        self._steps: dict[tuple[Path, Packages], Step] = {}
        self._recalled: dict[tuple[Path, Settings], Judged] = {}
        self._found: dict[Path, tuple[Settings, Judged]] = {}

    def find(self, path: Path, raw: bytes, settings: Settings) -> Judged | None:
        """What was found in a file (absolute) of this content; None where that isn't known any more."""
        content = digest(raw)
        self._now.known[path] = content  # what is judged is not always what lies on the disk
        _surroundings(path.parent, settings.environment)  # as they are before anything is judged by them
        _place_of(path.parent)
        known = self._recalled.get((path, settings))
        if known is not None and known.content == content:
            return known
        try:
            entry = json.loads(self._entry(path, settings).read_bytes())
            if entry["content"] != content or entry["leans on"] != self._leans_on(path, settings):
                return None
            self._recalled[path, settings] = judged = stored.load(entry, raw)
        except BROKEN:
            return None
        return judged

    def keep(self, path: Path, settings: Settings, judged: Judged) -> None:
        """Remember what was found, up to ``save``."""
        self._found[path] = (settings, judged)

    def learn(self, asked: Asked) -> None:
        """Take in which imports were followed; see ``asked_by``."""
        for path, content, lean in asked:
            node = self._graph.get(path)
            if node is None or node.content != content:
                node = self._graph[path] = Node(content)
                self._grown = True
            self._torn |= self._learnt.setdefault(path, content) != content
            self._now.known[path] = content  # as it was when it was judged
            if lean is not None and lean not in node.leans:
                node.leans.add(lean)
                self._grown = True

    def save(self) -> None:
        """Write what was kept; says nothing where that can't be done.

        Nothing is written where a file has changed under the run: what leans on which content is lost.
        """
        if not self._found or self._torn:
            return
        self._steps.clear()  # the graph may have grown
        with suppress(*BROKEN):
            self._make_directory()
            for path, (settings, judged) in self._found.items():
                entry = {"leans on": self._leans_on(path, settings), **stored.dump(judged)}
                _write(self._entry(path, settings), entry)
            if self._grown:
                self._write_graph()
            self._prune()
        self._found.clear()

    def _prune(self) -> None:
        """Delete entries that were neither written nor read for a month, and what a killed run left."""
        stamp, now = self._directory / PRUNED, time.time()
        if stamp.exists() and abs(now - stamp.stat().st_mtime) < DAY:
            return
        stamp.touch()
        with os.scandir(self._directory) as entries:
            for entry in entries:
                stat = entry.stat(follow_symlinks=False)
                if OURS.fullmatch(entry.name) and now - max(stat.st_atime, stat.st_mtime) > MONTH:
                    Path(entry.path).unlink(missing_ok=True)
        gone = [path for path in self._graph if not path.is_file()]
        for path in gone:
            del self._graph[path]
        if gone:
            self._write_graph(merging=False)

    def _write_graph(self, *, merging: bool = True) -> None:
        """Write the graph, together with what others have added to it in the meantime."""
        for path, theirs in self._read_graph().items() if merging else ():
            node = self._graph.setdefault(path, theirs)
            if node.content == theirs.content:
                node.leans |= theirs.leans
        nodes = {str(p): [node.content, sorted(node.leans)] for p, node in self._graph.items()}
        _write(self._directory / GRAPH, {"asynclint": version(), "modules": nodes})
        self._grown = False

    def _make_directory(self) -> None:
        is_new = not self._directory.is_dir()
        self._directory.mkdir(parents=self._directory.name != NAME, exist_ok=True)
        if is_new or self._directory.name == NAME:
            for name, text in ((".gitignore", "*\n"), ("CACHEDIR.TAG", TAG)):
                if not (self._directory / name).exists():
                    (self._directory / name).write_text(text, "utf-8")

    def _entry(self, path: Path, settings: Settings) -> Path:
        variables = [os.environ.get(name) for name in VARIABLES]
        judging = replace(settings, baseline=None)  # which is asked afterwards
        name = digest(repr((str(path), judging, str(Path.cwd()), variables)).encode(*ANY))
        return self._directory / f"{name}.json"

    def _read_graph(self) -> dict[Path, Node]:
        try:
            read = json.loads((self._directory / GRAPH).read_bytes())
            if read["asynclint"] != version():
                return {}
            return {
                Path(path): Node(str(content), {Lean(str(m), int(level), bool(w)) for m, level, w in leans})
                for path, (content, leans) in read["modules"].items()
            }
        except BROKEN:
            return {}

    def _leans_on(self, path: Path, settings: Settings) -> str:
        """A digest of all that a verdict about a file leans on, as it is now."""
        seen, packages = {path}, packages_for(path.parent, settings.environment)
        queue, parts = [path], [_surroundings(path.parent, settings.environment)]
        while queue:
            step = self._step(queue.pop(), packages, path.parent, settings)
            parts.append(step.digest)
            queue += step.targets - seen
            seen |= step.targets
        return digest("\n".join(sorted(parts)).encode())

    def _step(self, path: Path, packages: Packages, directory: Path, settings: Settings) -> Step:
        """One module, the imports of it that were followed, and where they and its conftest files lie.

        ``directory`` is that of the file that is judged, whose ``packages`` count.
        """
        key = (path, packages)
        if key not in self._steps:
            node = self._graph.get(path)
            leans = sorted(node.leans) if node is not None else []
            project = self._project.at(settings)
            wide = project.with_installed(directory).modules
            places = [
                _answer(lean, path, wide if lean.wide else project.modules)
                for lean in leans
                if lean.level != SEARCHED
            ]
            searched = [packages.stamps(lean.module) for lean in leans if lean.level == SEARCHED]
            parts = (str(path), self._now.of(path), [*map(str, places)], leans, searched)
            targets = {place for place, _ in places if place is not None}
            around = ""
            if not is_installed(path):
                around = _place_of(path.parent)
                targets.update(conftests(path.parent, find_pytest_config(path.parent).root))
            self._steps[key] = Step(digest(repr((*parts, around)).encode(*ANY)), frozenset(targets))
        return self._steps[key]


def _answer(lean: Lean, origin: Path, modules: Modules) -> tuple[Path | None, bool]:
    """Where an import of a file leads now, and whether the project has a directory or module of that name."""
    top = lean.module.partition(".")[0]
    place = modules.place(lean.module, lean.level, origin)
    return place, lean.level == 0 and modules.holds(top, origin.parent)


class Contents:
    """Digests of the contents of files; ``known`` are those that this run has read already."""

    def __init__(self) -> None:
        self.known: dict[Path, str] = {}

    def of(self, path: Path) -> str:
        """The digest of a file; empty where it can't be read."""
        if path not in self.known:
            try:
                self.known[path] = digest(path.read_bytes())
            except OSError:
                self.known[path] = ""
        return self.known[path]


def asked_by(project: Project, since: int = 0) -> Asked:
    """The modules that a run has read, with the digests of their contents, and the imports it followed.

    ``since`` leaves out as many as were known before.
    """
    modules = project.modules
    digests = project.remembered("digests of modules", dict[Path, str])
    found = modules.asked(since)
    for path, _ in found:
        if path not in digests:
            digests[path] = digest(modules.source(path))
    return [(path, digests[path], lean) for path, lean in found]


def digest(raw: bytes) -> str:
    """A short name for a content."""
    return blake2b(raw, digest_size=16).hexdigest()


@cache
def version() -> str:
    """What stands for asynclint and what it judges with; its files count, as it may be installed editable."""
    own = sorted(Path(asynclint.__file__).parent.rglob("*.py"))
    stats = [(file.name, stat.st_mtime_ns, stat.st_size) for file in own for stat in [file.stat()]]
    specs = [find_spec(name) for name in ("libcst", "typeshed_client")]  # reading metadata takes 50 ms
    others = [(spec.origin, _changed(Path(spec.origin))) for spec in specs if spec and spec.origin]
    return digest(repr((asynclint.__version__, stats, others, sys.version)).encode(*ANY))


@cache
def _surroundings(directory: Path, environment: Path | None) -> str:
    """A digest of what holds for every file of a directory: asynclint, and the environment."""
    packages = packages_for(directory, environment)
    stamps = [(str(place), _installations(place)) for place in packages.directories]
    return digest(repr((version(), str(packages.path), stamps, packages.mapped)).encode(*ANY))


def _installations(directory: Path) -> object:
    """What changes with the packages that are installed in a directory, or developed there."""
    if is_installed(directory):
        return _changed(directory)
    return sorted((info.name, _changed(info / "entry_points.txt")) for info in directory.glob("*-info"))


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


@cache
def _place_of(directory: Path) -> str:
    """A digest of the configuration in a directory and those above it, up to the repository's top."""
    found: list[tuple[str, str]] = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name in PRESENT:
                    found.append((entry.name, ""))
                elif entry.name.endswith(CONFIGURATION) or entry.name == "setup.py":
                    found.append((entry.name, _content(Path(entry.path))))
                elif "requirements" in entry.name:
                    found += _requirements(directory)
    except OSError:
        found.append(("cannot be read", ""))
    is_top = directory.parent == directory
    above = "" if is_top else (_above if (".git", "") in found else _place_of)(directory.parent)
    return digest(repr((str(directory), sorted(set(found)), above)).encode(*ANY))


@cache
def _above(directory: Path) -> str:
    """A digest of what counts above a repository: pytest's configuration, the Python a project asks for."""
    found = [(name, _content(directory / name)) for name in ABOVE]
    above = "" if directory.parent == directory else _above(directory.parent)
    return digest(repr((found, above)).encode(*ANY))


@cache
def _requirements(directory: Path) -> list[tuple[str, str]]:
    paths = {path for glob in REQUIREMENTS for path in directory.glob(glob)}
    files = {file for path in paths for file in requirement_files(path)}
    return [(str(file), _content(file)) for file in files]


def _content(path: Path) -> str:
    """The digest of a file of the disk; empty where there is none, or it can't be read."""
    try:
        return digest(path.read_bytes()) if path.is_file() else ""
    except (OSError, ValueError):
        return "unreadable"


def _write(path: Path, data: Any) -> None:
    """Write a whole file or none of it, whoever else writes the same."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    try:
        with new.open("x", encoding="utf-8") as file:  # never through a link
            json.dump(data, file, separators=(",", ":"))
        new.replace(path)
    finally:
        with suppress(OSError):
            new.unlink()
