"""What earlier runs found, kept on disk: data only, JSON, one file for each checked file.

An entry holds as long as all that its verdicts leaned on is as it was: the file itself, every module that was
asked for a name on the way (also those that are not there), the conftest files, the configuration in each
directory upward, the environment of installed packages, the settings, and asynclint itself. For that, a
graph of which module was asked for which is kept beside the entries. An entry that can't be read, or does not
hold, is no entry: its file is checked anew. A cache that can't be written is none.

The directory is ``.asynclint_cache`` in the topmost directory of the project, as git sees it; files outside
any project have none.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, field
from functools import cache
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import asynclint
from asynclint.project import stored
from asynclint.project.config import find_pytest_config
from asynclint.project.environment import packages_for
from asynclint.project.guards.plugins import conftests
from asynclint.project.index.modules import Lean, is_installed, project_directories
from asynclint.project.project import Project
from asynclint.project.stored import Judged
from asynclint.settings import Settings

NAME = ".asynclint_cache"
GRAPH = "modules.json"
# https://bford.info/cachedir/
TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n# This directory is asynclint's cache; it can be deleted.\n"
)
VARIABLES = ("PYTEST_ADDOPTS", "PYTEST_TIMEOUT", "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "VIRTUAL_ENV")
CONFIGURATION = (".toml", ".ini", ".cfg")  # and setup.py, and whatever has "requirements" in its name
PRESENT = frozenset({".git", ".hg", ".venv", "venv", "conftest.py", "__init__.py", "__init__.pyi"})
Asked = Sequence[tuple[Path, str, Lean | None]]
ANY = ("utf-8", "surrogateescape")  # for names of files
BROKEN = (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError)


@dataclass
class Node:
    """One module: its content's digest, and the imports that it has been asked to follow."""

    content: str
    leans: set[Lean] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Step:
    """What one module adds to what a verdict leans on: its own digest, and the modules behind it."""

    digest: str
    targets: frozenset[Path]


class Caches:
    """The caches of a run: of each project its own, or all in one ``directory`` (absolute)."""

    def __init__(self, project: Project, directory: Path | None = None) -> None:
        self._project = project
        self._directory = directory
        self._caches: dict[Path, Cache] = {}
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
        for held in self._caches.values():
            held.learn(asked)

    def save(self) -> None:
        """Write what was kept, as far as that can be done."""
        for held in self._caches.values():
            held.save()

    def _of(self, path: Path) -> Cache | None:
        directory = self._directory
        if directory is None:
            projects = project_directories(path.parent)
            if not projects:
                return None
            directory = projects[-1] / NAME
        if directory not in self._caches:
            self._caches[directory] = Cache(directory, self._project)
            self._caches[directory].learn(self._asked)
        return self._caches[directory]


class Cache:
    """The entries of one project, by the directory (absolute) that holds them."""

    def __init__(self, directory: Path, project: Project) -> None:
        self._directory = directory
        self._project = project
        self._now = Contents()
        self._graph = self._read_graph()
        self._grown = False
        self._steps: dict[tuple[Path, Path | None], Step] = {}
        self._recalled: dict[tuple[Path, Settings], Judged] = {}
        self._found: dict[Path, tuple[Settings, Judged]] = {}

    def find(self, path: Path, raw: bytes, settings: Settings) -> Judged | None:
        """What was found in a file (absolute) of this content; None where that isn't known any more."""
        content = digest(raw)
        self._now.known[path] = content  # what is judged is not always what lies on the disk
        known = self._recalled.get((path, settings))
        if known is not None and known.content == content:
            return known
        try:
            entry = json.loads(self._entry(path, settings).read_bytes())
            if entry["content"] != content or entry["leans on"] != self._leans_on(path, settings):
                return None
            self._recalled[path, settings] = judged = stored.load(entry)
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
            self._now.known[path] = content  # as it was when it was judged
            if lean is not None and lean not in node.leans:
                node.leans.add(lean)
                self._grown = True

    def save(self) -> None:
        """Write what was kept; says nothing where that can't be done."""
        if not self._found:
            return
        self._steps.clear()  # the graph may have grown
        with suppress(OSError):
            self._make_directory()
            for path, (settings, judged) in self._found.items():
                entry = {"leans on": self._leans_on(path, settings), **stored.dump(judged)}
                _write(self._entry(path, settings), entry)
            if self._grown:
                self._write_graph()
        self._found.clear()

    def _write_graph(self) -> None:
        """Write the graph, together with what others have added to it in the meantime."""
        for path, theirs in self._read_graph().items():
            node = self._graph.setdefault(path, theirs)
            if node.content == theirs.content:
                node.leans |= theirs.leans
        nodes = {str(p): [node.content, sorted(map(astuple, node.leans))] for p, node in self._graph.items()}
        _write(self._directory / GRAPH, {"asynclint": version(), "modules": nodes})
        self._grown = False

    def _make_directory(self) -> None:
        if not self._directory.is_dir():
            self._directory.mkdir(parents=True)
            (self._directory / "CACHEDIR.TAG").write_text(TAG, "utf-8")
            (self._directory / ".gitignore").write_text("*\n", "utf-8")

    def _entry(self, path: Path, settings: Settings) -> Path:
        variables = [os.environ.get(name) for name in VARIABLES]
        name = digest(repr((str(path), settings, str(Path.cwd()), variables)).encode(*ANY))
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
        seen = {path}
        queue, parts = [path], [_surroundings(path.parent, settings.environment)]
        while queue:
            step = self._step(queue.pop(), settings)
            parts.append(step.digest)
            queue += step.targets - seen
            seen |= step.targets
        return digest("\n".join(sorted(parts)).encode())

    def _step(self, path: Path, settings: Settings) -> Step:
        """One module, the imports of it that were followed, and where they and its conftest files lie."""
        key = (path, settings.environment)
        if key not in self._steps:
            node = self._graph.get(path)
            leans = sorted(node.leans, key=astuple) if node is not None else []
            places = [self._place(lean, path, settings) for lean in leans]
            parts = (str(path), self._now.of(path), list(map(str, places)), [*map(astuple, leans)])
            targets = {place for place in places if place is not None}
            around = ""
            if not is_installed(path):
                around = _place_of(path.parent)
                targets.update(conftests(path.parent, find_pytest_config(path.parent).root))
            self._steps[key] = Step(digest(repr((*parts, around)).encode(*ANY)), frozenset(targets))
        return self._steps[key]

    def _place(self, lean: Lean, origin: Path, settings: Settings) -> Path | None:
        project = self._project.at(settings)
        modules = (project.with_installed(origin.parent) if lean.wide else project).modules
        return modules.place(lean.module, lean.level, origin)


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
    stamps = [(str(place), _changed(place)) for place in packages.directories]
    return digest(repr((version(), str(packages.path), stamps, packages.mapped)).encode(*ANY))


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
                elif _configures(entry.name):
                    inner = Path(entry.path)
                    files = [inner] if entry.is_file() else sorted(inner.glob("*"))
                    found += [(str(file), digest(file.read_bytes())) for file in files if file.is_file()]
    except OSError:
        found.append(("cannot be read", ""))
    above = "" if directory.parent == directory or (".git", "") in found else _place_of(directory.parent)
    return digest(repr((str(directory), sorted(found), above)).encode("utf-8", "surrogateescape"))


def _configures(name: str) -> bool:
    return name.endswith(CONFIGURATION) or name == "setup.py" or "requirements" in name


def _write(path: Path, data: Any) -> None:
    """Write a whole file or none of it, whoever else writes the same."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        new.write_text(json.dumps(data, separators=(",", ":")), "utf-8", "surrogateescape")
        new.replace(path)
    finally:
        with suppress(OSError):
            new.unlink()
