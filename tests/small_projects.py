"""Small projects written into a directory, and the place in them that a test asks about.

The line that ends in ``# ?`` is asked about: its expression statement, in the scope that holds it.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from asynclint.project.guards.tests import Test, test_of
from asynclint.project.index.values import (
    Builtin,
    Callback,
    Class,
    Function,
    Instance,
    Items,
    Module,
    Pending,
    Result,
    Value,
)
from asynclint.project.project import Project
from asynclint.settings import DEFAULTS, Settings
from asynclint.source.outline import Outline, Scope

MODULE = "tests/test_it.py"

PRELUDE = "import asyncio, signal, unittest, functools, math\nimport anyio, trio, pytest\n"
IT = "async def test_it(x):\n    await x\n"
IN_CLASS = "    async def test_it(self):\n        await self.x\n"

Files = Mapping[str, str]


@dataclass
class Small:
    """A project whose module ``MODULE`` is in question."""

    root: Path
    project: Project

    def outline(self, name: str = MODULE) -> Outline:
        found = self.project.modules.load(self.root / name)
        assert found is not None, name
        return found

    def asked(self) -> tuple[ast.expr, Scope]:
        outline = self.outline()
        for scope in outline.scope.nested():
            for statement in scope.facts.expressions:
                if outline.text.lines[(statement.end_lineno or 0) - 1].rstrip().endswith("# ?"):
                    return statement.value, scope
        raise LookupError

    def function(self, name: str) -> Scope:
        """A function of ``MODULE`` by its dotted name."""
        return next(scope for scope in self.outline().scope.nested() if scope.qualname == name)

    def test(self, name: str = "test_it") -> Test:
        found = test_of(self.function(name), self.project)
        assert found is not None
        return found


def small(root: Path, source: str, files: Mapping[str, str] = {}, settings: Settings = DEFAULTS) -> Small:
    """Write ``files`` and ``source``, as ``MODULE``, below an own ``pyproject.toml``."""
    for name, text in {"pyproject.toml": "", **files, MODULE: source}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
    return Small(root, Project(settings))


def ask(root: Path, source: str, files: Files | None = None) -> Small:
    """The project whose module imports asyncio, anyio, trio and pytest and goes on with ``source``."""
    return small(root, PRELUDE + source, files or {})


def shown(value: Value | None) -> str:
    """A value in a few words; ``?`` for unknown."""
    match value:
        case Module(outline):
            return f"module {outline.path.stem}"
        case Class(scope):
            return f"class {scope.qualname}"
        case Instance(cls):
            return f"a {cls.scope.qualname}"
        case Function(scope, calling):
            return f"{calling.value} {scope.qualname}"
        case Result(function):
            return f"result of {shown(function)}"
        case Builtin(name):
            return f"builtin {name}"
        case Pending(result, lazy):
            return f"{'coroutine' if lazy else 'awaitable'} of {shown(result)}"
        case Callback(gives):
            return f"callback, gives {shown(gives)}"
        case Items(parts):
            return f"({', '.join(map(shown, parts))})"
    return "?"
