"""What a project depends on, by its own files' account; nothing is resolved or installed.

Read are pyproject.toml (PEP 621, PEP 735, and the tables of Poetry, PDM, Hatch and uv), setup.cfg,
tox.ini and requirements files. A dependency counts only where its marker certainly holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from configparser import ConfigParser
from configparser import Error as ConfigParserError
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from asynclint.project.python_version import as_pep440
from asynclint.settings import SettingsError, read_pyproject

if TYPE_CHECKING:
    from packaging.markers import Marker
    from packaging.specifiers import SpecifierSet

# What a requirement begins with (https://packaging.python.org/en/latest/specifications/name-normalization/).
NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
CLAUSES = re.compile(r"((==|!=|<=|>=|<|>|~=)\s*\d+(\.\d+)*(\.\*)?(,\s*)?)*")
REQUIREMENTS = ("*requirements*.txt", "*requirements*.in", "requirements/*.txt", "requirements/*.in")


class Dependency(NamedTuple):
    """One requirement: its marker (None: always), the file that states it.

    ``versions`` are what it asks for, as written: ``>=1.2,<2``.
    """

    marker: Marker | None
    path: Path
    versions: str = ""


class Dependencies:
    """All requirements of a project, its extras and its groups for development included.

    ``lines`` are requirements as written (PEP 508) with the files that state them; those of a name are
    parsed when it is first asked about.
    """

    def __init__(self, lines: Iterable[tuple[str, Path]] = ()) -> None:
        self._lines: dict[str, list[tuple[str, Path]]] = {}
        for line, path in lines:
            begins = NAME.match(line)
            if begins is not None:
                self._lines.setdefault(_normalised(begins[1]), []).append((line, path))
        self._read: dict[str, Sequence[Dependency]] = {}

    def has(self, name: str, python: tuple[int, int]) -> bool:
        """Whether ``name`` is certainly there on every release of ``python``, say ``(3, 11)``.

        Each file that names it must agree: a lock file made on one Python pins what pyproject.toml
        asks for on that Python only.
        """
        statements: dict[Path, bool] = {}
        for item in self.of(name):
            statements[item.path] = statements.get(item.path, False) or _holds(item.marker, python)
        return bool(statements) and all(statements.values())

    def is_at_least(self, name: str, version: tuple[int, int]) -> bool:
        """Whether each file that names ``name`` asks for that version or a later one."""
        statements: dict[Path, bool] = {}
        for item in self.of(name):
            bounds = re.findall(r"(?:>=|==|~=|>)\s*(\d+)(?:\.(\d+))?", item.versions)
            reached = any((int(major), int(minor or 0)) >= version for major, minor in bounds)
            statements[item.path] = statements.get(item.path, False) or reached
        return bool(statements) and all(statements.values())

    def is_before(self, name: str, version: tuple[int, int], python: tuple[int, int]) -> bool:
        """Whether a file that names ``name`` asks ``python`` for releases before that version only."""
        from packaging.specifiers import SpecifierSet

        statements: dict[Path, bool] = {}
        for item in self.of(name):
            if _holds(item.marker, python):
                wanted = SpecifierSet(item.versions)
                releases = (*_named_since(wanted, version), *_releases_since(version))
                before = not any(wanted.contains(release, prereleases=True) for release in releases)
                statements[item.path] = statements.get(item.path, True) and before
        return any(statements.values())

    def of(self, name: str) -> Sequence[Dependency]:
        """What is required of one name (in any spelling of PEP 503); lines that can't be parsed are none."""
        name = _normalised(name)
        if name not in self._read:
            lines = self._lines.get(name)
            self._read[name] = list(_parsed(lines)) if lines else ()
        return self._read[name]


@cache
def dependencies(directory: Path) -> Dependencies:
    """Return what the files in ``directory`` (absolute) and above it say, up to the project's root.

    The root is the first directory with a setup.py, a setup.cfg that names the project, or a
    pyproject.toml with a ``[project]`` or Poetry table, or the repository's root. Files and lines
    that cannot be read or parsed are passed over.
    """
    found: list[tuple[str, Path]] = []

    def add(lines: Iterable[str], path: Path) -> None:
        found.extend((line, path) for line in lines)

    for above in (directory, *directory.parents):
        pyproject = _toml(above / "pyproject.toml")
        setup = _ini(above / "setup.cfg")
        add(_pyproject_lines(pyproject), above / "pyproject.toml")
        add(_setup_lines(setup), above / "setup.cfg")
        add(_tox_lines(_ini(above / "tox.ini")), above / "tox.ini")
        for path in sorted({path for glob in REQUIREMENTS for path in above.glob(glob)}):
            if not path.name.startswith("constraints"):
                add(_requirement_lines(path, frozenset()), path)
        if "project" in pyproject or "poetry" in _tables(pyproject, "tool"):
            break
        if setup.has_option("metadata", "name") or _is_root(above):
            break
    return Dependencies(found)


@cache
def own_plugins(directory: Path) -> Mapping[str, str]:
    """Modules that the project of ``directory`` (absolute) gives pytest, by the names ``-p`` knows them by.

    https://packaging.python.org/en/latest/specifications/pyproject-toml/#entry-points
    """
    for above in (directory, *directory.parents):
        pyproject = _toml(above / "pyproject.toml")
        if "project" in pyproject:
            plugins = _tables(pyproject, "project", "entry-points", "pytest11")
            return {name: str(module) for name, module in plugins.items()}
        if _is_root(above):
            break
    return {}


def _is_root(directory: Path) -> bool:
    return any((directory / name).exists() for name in ("setup.py", ".git", ".hg"))


def _toml(path: Path) -> Mapping[str, Any]:
    try:
        return read_pyproject(path)
    except SettingsError:
        return {}


@cache
def _ini(path: Path) -> ConfigParser:
    parser = ConfigParser(strict=False, interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, ConfigParserError):
        return ConfigParser()
    return parser


def _tables(document: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    for key in keys:
        value = document.get(key)
        if not isinstance(value, dict):
            return {}
        document = value
    return document


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, str))


def _pyproject_lines(document: Mapping[str, Any]) -> Iterator[str]:
    project = _tables(document, "project")
    tool = _tables(document, "tool")
    yield from _strings(project.get("dependencies"))
    for group in _tables(project, "optional-dependencies").values():
        yield from _strings(group)
    groups = _tables(document, "dependency-groups")
    for group in groups:  # `include-group` names another of them, and all of them count
        yield from _strings(groups[group])
    for group in _tables(tool, "pdm", "dev-dependencies").values():
        yield from _strings(group)
    yield from _strings(_tables(tool, "uv").get("dev-dependencies"))
    for environment in _tables(tool, "hatch", "envs").values():
        if isinstance(environment, dict):
            yield from _strings(environment.get("dependencies"))
            yield from _strings(environment.get("extra-dependencies"))
    yield from _poetry_lines(_tables(tool, "poetry"))


def _poetry_lines(poetry: Mapping[str, Any]) -> Iterator[str]:
    groups = [poetry.get("dependencies"), poetry.get("dev-dependencies")]
    groups += [_tables(group, "dependencies") for group in _tables(poetry, "group").values()]
    for group in groups:
        for name, constraints in group.items() if isinstance(group, dict) else ():
            for constraint in constraints if isinstance(constraints, list) else [constraints]:
                details = constraint if isinstance(constraint, dict) else {"version": constraint}
                markers = [_python_marker(str(details.get("python", "*"))), str(details.get("markers", ""))]
                marker = " and ".join(f"({marker})" for marker in markers if marker)
                wanted = name + _poetry_versions(str(details.get("version", "*")))
                yield f"{wanted}; {marker}" if marker else wanted


def _poetry_versions(constraint: str) -> str:
    """A constraint on releases as PEP 508 has it; empty where it is none, or written in another way."""
    versions = as_pep440(constraint)
    return versions if CLAUSES.fullmatch(versions) else ""


def _python_marker(constraint: str) -> str:
    """``^3.8`` or ``>=3.8,<3.11`` as an environment marker; empty where every Python will do.

    https://python-poetry.org/docs/dependency-specification/#version-constraints; what is written in
    another way becomes text that no marker parser takes, so that the dependency does not count.
    """
    parts = []
    for alternative in constraint.split("||"):
        bounds = [_bound(part) for part in alternative.split(",") if part.strip() != "*"]
        parts.append(" and ".join(bounds))
    return "" if "" in parts else " or ".join(parts)


def _bound(part: str) -> str:
    match = re.fullmatch(r"\s*(\^|~|[<>=!]=?|)\s*((\d+)(?:\.(\d+))?(?:\.\d+)?)(?:\.\*)?\s*", part)
    if match is None:
        return part
    operator, version, major, minor = match.groups()
    if operator == "^" or (operator == "~" and minor is None):
        return f"python_full_version >= '{version}' and python_full_version < '{int(major) + 1}'"
    if operator == "~":
        return f"python_full_version >= '{version}' and python_full_version < '{major}.{int(minor) + 1}'"
    if operator in ("", "=", "=="):
        return f"python_full_version == '{version}.*'"
    return f"python_full_version {operator} '{version}'"


def _setup_lines(parser: ConfigParser) -> Iterator[str]:
    for key in ("install_requires", "tests_require"):
        yield from parser.get("options", key, fallback="").splitlines()
    if parser.has_section("options.extras_require"):
        for _, lines in parser.items("options.extras_require"):
            yield from lines.splitlines()


def _tox_lines(parser: ConfigParser) -> Iterator[str]:
    for section in parser.sections():
        if section == "testenv" or section.startswith("testenv:"):
            lines = parser.get(section, "deps", fallback="").splitlines()
            # `py311: name` holds in some environments only
            yield from (line for line in lines if not re.match(r"\s*[\w.{},!-]+\s*:", line))


def _requirement_lines(path: Path, seen: frozenset[Path]) -> Iterator[str]:
    """Lines of a requirements file and of those it includes, without comments and options.

    https://pip.pypa.io/en/stable/reference/requirements-file-format/
    """
    for line in _whole_lines(path):
        below = _included(line, path)
        if below is not None and below not in seen:
            yield from _requirement_lines(below, seen | {path, below})
        elif not line.startswith("-"):
            yield re.split(r"\s--?[a-z]", line)[0]  # `name==1 --hash=…`


def requirement_files(path: Path) -> Sequence[Path]:
    """A requirements file and those that it includes, also where there is no such file."""
    found = {path: None}
    queue = [path]
    while queue:
        file = queue.pop()
        included = [_included(line, file) for line in _whole_lines(file)]
        new = [below for below in included if below is not None and below not in found]
        found |= dict.fromkeys(new)
        queue += new
    return list(found)


def _whole_lines(path: Path) -> Iterator[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError):
        return
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        yield re.sub(r"(^|\s)#.*", "", line).strip()


def _included(line: str, path: Path) -> Path | None:
    include = re.match(r"(?:-r|--requirement)[\s=]*(.+)", line)
    return path.parent / include[1].strip() if include is not None else None


def _parsed(lines: Iterable[tuple[str, Path]]) -> Iterator[Dependency]:
    from packaging.requirements import InvalidRequirement, Requirement

    for line, path in lines:
        try:
            requirement = Requirement(line.strip())
        except InvalidRequirement:
            continue
        yield Dependency(requirement.marker, path, str(requirement.specifier))


def _named_since(wanted: SpecifierSet, version: tuple[int, int]) -> Iterator[str]:
    """The releases that clauses name, and the next ones: ``1.2.3`` and ``1.2.4`` of ``==1.2.3``."""
    from packaging.version import Version

    for clause in (clause for clause in wanted if clause.operator != "==="):
        named = Version(clause.version.removesuffix(".*"))
        if named.release[:2] >= version:
            yield str(named)
            yield f"{named.major}.{named.minor}.{named.micro + 1}"


def _releases_since(version: tuple[int, int]) -> Iterator[str]:
    """Releases of a version and later ones, first and last of each minor."""
    major, minor = version
    later = [(major, number) for number in range(minor, minor + 50)]
    later += [(number, 0) for number in range(major + 1, major + 10)]
    yield from (f"{one}.{two}.{three}" for one, two in later for three in (0, 99))


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _holds(marker: Marker | None, python: tuple[int, int]) -> bool:
    if marker is None:
        return True
    version = f"{python[0]}.{python[1]}"
    # A marker on `python_full_version` may hold for the first releases of a minor version only.
    for release in (f"{version}.0", f"{version}.99"):
        environment = {"python_version": version, "python_full_version": release, "extra": ""}
        try:
            if not marker.evaluate(environment):
                return False
        except ValueError:  # packaging's errors for a marker that parses and means nothing
            return False
    return True
