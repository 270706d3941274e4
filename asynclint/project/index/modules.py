"""Dotted module names to outlines: the project's own files, the standard library's stubs, packages.

Files are read as text, never imported. Stubs are typeshed's, through typeshed-client, and are
looked for only when a name of the standard library is really asked about. Installed packages are
found by those Modules that were given any; what the project has itself comes first.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Hashable, Sequence
from functools import cache, cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asynclint.knowledge.asyncs import KNOWN_PACKAGES
from asynclint.project.index.reading import SEARCHED, Lean, Read, Reader, is_fixed, is_installed
from asynclint.source.outline import Outline
from asynclint.source.text import SourceText

if TYPE_CHECKING:
    from asynclint.project.environment import Packages

PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg")
# Installed like any package, and typeshed has its stub among those of the standard library.
STUBBED = sys.stdlib_module_names | {"typing_extensions"}
OWN_STUBS = Path(__file__).parents[2] / "knowledge" / "stubs"  # of packages that are often not installed
MANY_LOOKS = 8  # at the words of a module that is not parsed


class Modules:
    """Every module that has been read, by path; None stands for one that can't be read or parsed.

    ``packages`` are the installed ones that names may lie in; what ``beside`` has read is shared with it.
    """

    def __init__(
        self,
        packages: Packages | None = None,
        beside: Modules | None = None,
        reader: Reader | None = None,
    ) -> None:
        self.packages = packages
        self._read: Read = Read(reader or Reader()) if beside is None else beside._read  # noqa: SLF001
        self._followed: dict[tuple[str, int, Outline], Path | None] = {}
        self._found: dict[tuple[str, int, Path], Path | None] = {}
        self._tops: dict[tuple[str, Path], bool] = {}
        self._roots: dict[Path, tuple[Path, ...]] = {}
        self._names: dict[Outline, str] = {}
        self.chains: dict[Hashable, tuple[str, ...]] = {}  # what asynclint.project.names has worked out

    def begin(self, path: Path, text: SourceText, tree: ast.Module | None) -> Outline:
        """Take the module that is judged next, whose text (perhaps unsaved) is at hand.

        Raises SourceError where the text can't be parsed.
        """
        asked_for = path in self._read.outlines or path.name == "conftest.py"
        known = self._read.outlines.get(path)
        if known is None or known.text.raw != text.raw:
            known = Outline(path, text, text.parse() if tree is None else tree, sys.version_info[:2])
            self._read.outlines[path] = known
            self._read.size += len(text.text)
        self._read.subject = None if asked_for else known
        self._read.leans[path, None] = None
        return known

    def end(self) -> Outline | None:
        """The module that was begun last, taken out again; None where another module has asked for it."""
        subject, self._read.subject = self._read.subject, None
        if subject is not None:
            self._read.outlines.pop(subject.path, None)
            self._read.size -= len(subject.text.text)
        return subject

    def fold(self) -> None:
        """Let go of all that has been read, so that nothing is left to the garbage collector."""
        for outline in self._read.outlines.values():
            if outline is not None:
                outline.fold()
        self._read.outlines.clear()
        self._read.said.clear()
        self._read.subject = None

    def memories(self) -> Sequence[dict[Any, Any]]:
        """All that has been worked out, by question."""
        return self._followed, self._names, self.chains

    def load(self, path: Path) -> Outline | None:
        """The outline of a file; None if it can't be read or parsed."""
        outline = self._read.outlines.get(path)
        if outline is None and path not in self._read.outlines:
            if not is_fixed(path):
                self._read.leans[path, None] = None
            outline = self._read.outlines[path] = self._read.reader.outline(path)
            self._read.size += len(outline.text.text) if outline is not None else 0
        if outline is self._read.subject:
            self._read.subject = None
        return outline

    def get(self, path: Path) -> Outline | None:
        """The outline of a file if it has been read."""
        return self._read.outlines.get(path)

    def source(self, path: Path) -> bytes:
        """The source of a file as this run has it, perhaps unsaved; empty where it can't be read."""
        outline = self._read.outlines.get(path)
        try:
            return path.read_bytes() if outline is None else outline.text.raw
        except OSError:
            return b""

    def find(self, module: str, level: int, origin: Outline, word: bytes = b"") -> Outline | None:
        """The module an import statement of ``origin`` means (PEP 328); None where it can't be found.

        A namespace package has no outline; ask for the module inside it. With ``word``, a module whose
        source holds no such word isn't read, and None.
        """
        path = self._follow(module, level, origin)
        if path is None or (word and not self._says(path, (word,))):
            return None
        return self.load(path)

    def says(self, module: str, level: int, origin: Outline, words: tuple[bytes, ...]) -> bool:
        """Whether the source of the module that an import means holds one of some words."""
        path = self._follow(module, level, origin)
        if path is None or is_fixed(path):
            return False
        outline = self._read.outlines.get(path)
        if outline is not None:
            return any(word in outline.text.raw for word in words)
        return self._says(path, words)

    def may_bring(self, module: str, level: int, origin: Outline, name: str) -> bool | None:
        """Whether ``from module import *`` may bring a name, by a look at the words of its source.

        None where there is no such module. One that has been asked for many names had better be read.
        """
        path = self._follow(module, level, origin)
        if path is None:
            return None
        if not name.isascii() or len(self._read.said.get(path, ())) > MANY_LOOKS:
            return True
        return self._says(path, (name.encode(), b"import *"))

    def _follow(self, module: str, level: int, origin: Outline) -> Path | None:
        asked = (module, level, origin)
        if asked not in self._followed:
            self._followed[asked] = self.place(module, level, origin.path)
            self._lean(module, level, origin.path)
        return self._followed[asked]

    def _says(self, path: Path, words: tuple[bytes, ...]) -> bool:
        """Whether the source of a file holds one of some words; True where it has been read in full."""
        if path in self._read.outlines:
            return True
        said = self._read.said.setdefault(path, {})
        if words not in said:
            if not is_fixed(path):
                self._read.leans[path, None] = None
            raw = self._read.reader.raw(path)
            said[words] = any(word in raw for word in words)
        return said[words]

    def _lean(self, module: str, level: int, origin: Path) -> None:
        if not is_fixed(origin) and (level or not _is_stdlib(module)):
            self._read.leans[origin, Lean(module, level, self.packages is not None)] = None

    def searched(self, top: str, origin: Path) -> Packages | None:
        """The installed packages, for a search through all files of one that a file asks for."""
        if self.packages is not None and not is_fixed(origin):
            self._read.leans[origin, Lean(top, SEARCHED, wide=True)] = None
        return self.packages

    @property
    def size(self) -> int:
        """How much source is kept, in characters."""
        return self._read.size

    @property
    def followed(self) -> int:
        """How many imports of modules were followed so far."""
        return len(self._read.leans)

    def asked(self, since: int = 0) -> Sequence[tuple[Path, Lean | None]]:
        """Modules that were read (None) and imports of theirs that were followed; not the first ``since``."""
        return list(islice(self._read.leans, since, None))

    def place(self, module: str, level: int, origin: Path) -> Path | None:
        """The file of the module that an import statement of a file means; None where there is none."""
        key = (module, level, origin.parent)
        if key not in self._found:
            self._found[key] = self._search(module, level, origin)
        return self._found[key]

    def _search(self, module: str, level: int, origin: Path) -> Path | None:
        directory, in_stub = origin.parent, origin.suffix == ".pyi"
        if level == 0 and is_installed(origin) and is_known_package(module) and not _is_stdlib(module):
            return None
        if level == 0 and (in_stub or _is_stdlib(module)):
            return self._stub(module)
        if level == 0:
            paths = (_module_file(root, module) for root in self.roots(directory))
            found = next((path for path in paths if path is not None), None)
            return _unless_installed_stub(found) or self._installed(module, directory) or _own_stub(module)
        for _ in range(level - 1):
            directory = directory.parent
        found = _module_file(directory, module)
        return found if in_stub else _unless_installed_stub(found)

    def _installed(self, module: str, directory: Path) -> Path | None:
        """The module of an installed package, unless the project has a package of that name itself."""
        top = module.partition(".")[0]
        if self.packages is None or is_known_package(top):
            return None
        if any(_module_file(root, top) is not None for root in self.roots(directory)):
            return None
        return self.packages.find(module)

    def reads(self, name: str, origin: Path) -> bool:
        """Whether a top-level name is one whose modules ``find`` may find, the standard library's aside."""
        if self.has_top_level(name, origin):
            return True
        return self.packages is not None and not is_known_package(name) and self.packages.has(name)

    def has_top_level(self, name: str, origin: Path) -> bool:
        """Whether imports of a file can find a top-level module or package of the project.

        Names of the standard library never do: those modules are imported long before pytest
        puts a ``tests`` directory in front of them.
        """
        self._lean(name, 0, origin)
        return self.holds(name, origin.parent)

    def holds(self, name: str, directory: Path) -> bool:
        """Whether imports from a directory can find a top-level module or package of the project."""
        if _is_stdlib(name):
            return False
        key = (name, directory)
        if key not in self._tops:
            self._tops[key] = any(
                _is_file(root / f"{name}.py") or (root / name).is_dir() for root in self.roots(directory)
            )
        return self._tops[key]

    def member(self, package: Outline, name: str) -> Outline | None:
        """A submodule of a package, where there is one."""
        if not package.path.name.startswith("__init__."):
            return None
        return self.find(name, 1, package)

    def name(self, outline: Outline) -> str:
        """Dotted name of a module, from the topmost directory that is a package."""
        if outline not in self._names:
            self._names[outline] = self._dotted(outline.path)
        return self._names[outline]

    def _dotted(self, path: Path) -> str:
        parts = [] if path.stem == "__init__" else [path.stem]
        directory = path.parent
        while _package_file(directory) is not None:
            parts.append(directory.name)
            directory = directory.parent
        return ".".join(reversed(parts))

    def roots(self, directory: Path) -> tuple[Path, ...]:
        """Directories that imports of files in a directory start from, most specific first.

        The directory above the file's topmost package (pytest's rootdir-relative ``prepend`` mode),
        then each directory upward that holds a project file, with its ``src``.
        """
        if directory not in self._roots:
            package = directory
            while _package_file(package) is not None and package != package.parent:
                package = package.parent
            found = [package]
            for project in project_directories(directory):
                found += [project, project / "src"]
            self._roots[directory] = tuple(dict.fromkeys(root for root in found if root.is_dir()))
        return self._roots[directory]

    def _stub(self, module: str) -> Path | None:
        from typeshed_client import finder

        return finder.get_stub_file(module, search_context=self._stubs)

    @cached_property
    def _stubs(self) -> Any:
        from typeshed_client import finder

        return finder.get_search_context(search_path=())


@cache
def project_directories(directory: Path) -> tuple[Path, ...]:
    """Directories from here upward that hold a project file, up to the repository's root."""
    is_repository = (directory / ".git").exists()
    is_project = is_repository or any((directory / name).is_file() for name in PROJECT_FILES)
    here = (directory,) if is_project else ()
    last = is_repository or directory == directory.parent
    return here if last else here + project_directories(directory.parent)


def _unless_installed_stub(path: Path | None) -> Path | None:
    """A stub beside a compiled module says nothing of what that does."""
    return None if path is not None and path.suffix == ".pyi" and is_installed(path) else path


@cache
def _own_stub(module: str) -> Path | None:
    """A stub of asynclint's own, of classes that most code knows from one package."""
    return _module_file(OWN_STUBS, module)


def is_known_package(name: str) -> bool:
    """Whether a dotted name is of a package that tables tell enough of: it is never read."""
    top = name.partition(".")[0]
    return top in KNOWN_PACKAGES or top in STUBBED


def _is_stdlib(module: str) -> bool:
    top = module.partition(".")[0]
    return top in STUBBED and top != "test"  # many projects keep their tests in "test"


def _package_file(directory: Path) -> Path | None:
    for name in ("__init__.py", "__init__.pyi"):
        if _is_file(directory / name):
            return directory / name
    return None


def _module_file(root: Path, module: str) -> Path | None:
    """The file of a module below a root, or of a package its ``__init__``."""
    if not module:
        return _package_file(root)
    base = root.joinpath(*module.split("."))
    for path in (base.with_name(base.name + ".py"), base.with_name(base.name + ".pyi")):
        if _is_file(path):
            return path
    return _package_file(base)


@cache
def _is_file(path: Path) -> bool:
    try:
        return path.name in _names_in(path.parent) and path.is_file()
    except (OSError, ValueError):
        return False


@cache
def _names_in(directory: Path) -> frozenset[str]:
    """The names in a directory, which is asked for many that are not there."""
    try:
        return frozenset(os.listdir(directory))  # noqa: PTH208 (names, not paths)
    except (OSError, ValueError):
        return frozenset()
