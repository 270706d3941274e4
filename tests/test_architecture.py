"""The shape of the house: imports point down one path, and libcst is imported when it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import asynclint

PACKAGE = Path(asynclint.__file__).parent

# From the ground up: a module imports what lies below it, or its own room.
LAYERS = (
    ("finding", "keys", "rule", "settings"),
    ("knowledge",),
    ("source",),
    ("project",),
    ("flow",),
    ("rules",),
    ("suppress",),
    ("output", "processes", "collect", "faults"),
    ("engine", "options"),
    ("run",),
    ("checklist", "adopt", "server", "profile"),
    ("cli", "flake8_plugin", "api"),
    ("__main__",),
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
# Rooms whose files may use each other
SIBLINGS = {"knowledge", "source", "project", "flow", "suppress", "output", "server"}
# Some are rooms of the first
DOORS = {"cli", "flake8_plugin", "api", "checklist", "adopt", "server"}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room(parts: tuple[str, ...]) -> str:
    return parts[0].removesuffix(".py")


def imported(tree: ast.Module) -> Iterator[tuple[str, ...]]:
    """What a module imports of asynclint, as parts below the package, in functions too.

    What is imported for annotations alone (``if TYPE_CHECKING:``) doesn't count.
    """
    typing_only = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for statement in block.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            first, *rest = name.split(".")
            if first == "asynclint" and rest != ["__version__"] and rest:
                yield tuple(rest)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_down(path: Path) -> None:
    here = room(path.relative_to(PACKAGE).parts)
    for parts in imported(ast.parse(path.read_bytes())):
        there = room(parts)
        beside = here in SIBLINGS and there == here
        assert LEVEL[there] < max(LEVEL[here], 1) or beside, ".".join(parts)  # level 0 is one vocabulary
        assert there not in ("engine", "run") or here in {*DOORS, "run"}


def test_every_room_has_a_layer() -> None:
    rooms = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in MODULES}
    assert rooms == set(LEVEL)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_size(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert source.count("\n") <= 420
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert (node.end_lineno or 0) - node.lineno < 66, node.name


HEAVY = ("libcst", "rich", "typeshed_client", "multiprocessing", "pygls", "asyncio")


@pytest.mark.parametrize(
    "statement",
    [
        "import asynclint.cli",
        "import asynclint.engine",
        "import asynclint.flake8_plugin",
        "import asynclint.rule; assert asynclint.rule.all_rules()",
    ],
)
def test_imports_are_light(statement: str) -> None:
    code = f"{statement}\nimport sys\nprint(*(name for name in {HEAVY!r} if name in sys.modules))"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.split() == []
