"""Whether asyncio's debug mode is on when a suite runs, who switches it on, and for whom nobody does.

https://docs.python.org/3/library/asyncio-dev.html#debug-mode
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from asynclint.project.guards.tests import tests_in
from asynclint.project.leaks.flavours import Flavour, flavours
from asynclint.project.names import known
from asynclint.project.project import Project
from asynclint.project.runs.started import Reach, debug_words
from asynclint.project.runs.words import Word
from asynclint.project.suite import Suite
from asynclint.project.test_files import is_test_file
from asynclint.source.outline import Outline, Scope
from asynclint.source.written import called

# What may switch it on in code: loop.set_debug(True), Runner(debug=True), {"debug": True} for anyio's
# backend, os.environ["PYTHONASYNCIODEBUG"] = "1"; debug= may also be what a runner of the project takes.
SWITCHES = re.compile(
    rb"\.set_debug\(|\bdebug[ \t]*=[ \t]*(?!False\b|None\b)|[\"']debug[\"'][ \t]*:[ \t]*(?!False\b|None\b)"
    rb"|PYTHONASYNCIODEBUG|PYTHONDEVMODE"
)
VARIABLES = re.compile(rb"PYTHONASYNCIODEBUG|PYTHONDEVMODE")
RUN = frozenset({"asyncio.run", "asyncio.runners.run"})
RUNNERS = frozenset({"asyncio.Runner", "asyncio.runners.Runner"})
OWN_LOOPS = (Flavour.ANYIO, Flavour.OTHER)


class Site(NamedTuple):
    """A call of ``asyncio.run`` in a test that doesn't ask for debug mode."""

    call: ast.Call
    outline: Outline


class DebugMode(NamedTuple):
    """What a suite's debug mode reaches and what not.

    ``by`` says what switches it on, and where: a path and a line, 0 where only the file is known.
    ``left`` is the number of async tests whose loop nothing switches it on for, ``plugin`` those of
    them that pytest-asyncio runs; ``sites`` are in sync tests. ``astray`` are words that would switch it on,
    and don't reach the tests.
    """

    by: tuple[tuple[str, Path, int], ...]
    left: int
    plugin: int
    sites: tuple[Site, ...]
    astray: tuple[Word, ...] = ()

    @property
    def is_on(self) -> bool:
        """Whether it is on wherever the suite runs on asyncio."""
        return not self.left and not self.sites


def debug_mode(suite: Suite, project: Project) -> DebugMode:
    """What switches debug mode on in a suite; nothing is left over where that can't be told."""
    words = debug_words(suite.root)
    effective = [word for word, reach in words if reach is not Reach.NO]
    if effective:
        first = effective[0]
        said = first.name if first.name.startswith("-") else f"{first.name}={first.value}"
        by = ((said, first.path, first.line),)
        return DebugMode(by, 0, 0, ())
    switched = _by_code(suite, project)
    if switched is not None:
        return DebugMode((switched,), 0, 0, ())
    found = flavours(suite, project)
    plugin = 0 if suite.config.asyncio_debug else found[Flavour.ASYNCIO]
    own: list[tuple[str, Path, int]] = []
    if suite.config.asyncio_debug and suite.config.path is not None:
        own.append(("asyncio_debug", suite.config.path, 0))
    elif found[Flavour.UNITTEST] and not plugin:
        own.append(("IsolatedAsyncioTestCase", suite.place, 0))
    left = plugin + sum(found[flavour] for flavour in OWN_LOOPS)
    astray = tuple(word for word, _ in words)
    return DebugMode(tuple(own), left, plugin, tuple(_sites(suite, project)), astray)


def _by_code(suite: Suite, project: Project) -> tuple[str, Path, int] | None:
    """Code that may switch it on for more than one test."""
    for path, source in suite.sources(project).items():
        match = SWITCHES.search(source)
        outline = project.modules.load(path) if match is not None else None
        if outline is None:
            continue
        line = _switch(outline, project)
        if line:
            return "code", path, line
    return None


def _switch(outline: Outline, project: Project) -> int:
    """The line in a module that switches debug mode on, in what is no test; 0 where there is none."""
    tests = tests_in(outline, project)
    tested = [(scope.node.lineno, scope.node.end_lineno) for scope in tests]  # type: ignore[union-attr]
    for node in ast.walk(outline.tree):
        line = getattr(node, "lineno", 0)
        if _switches(node) and not any(first <= line <= (last or 0) for first, last in tested):
            return int(line)
    return 0


def _switches(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return bool(VARIABLES.search(node.value.encode("utf-8", "replace")))
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return any(isinstance(k, ast.Constant) and k.value == "debug" and not _is_off(v) for k, v in pairs)
    if not isinstance(node, ast.Call):
        return False
    name = called(node)
    if name == "set_debug":
        return bool(node.args) and not _is_off(node.args[0])
    by_keyword = any(keyword.arg == "debug" and not _is_off(keyword.value) for keyword in node.keywords)
    return by_keyword and ("run" in name.lower() or "loop" in name.lower())


def _is_off(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and not value.value


def _sites(suite: Suite, project: Project) -> Iterator[Site]:
    """Calls of ``asyncio.run`` and ``Runner`` in sync tests, without ``debug``."""
    for path in suite.files:
        if not is_test_file(path) or b"asyncio" not in project.modules.source(path):
            continue
        outline = project.modules.load(path)
        if outline is None:
            continue
        for test in tests_in(outline, project):
            if not test.is_async:
                yield from (Site(call, outline) for call in _runs(test, project))


def _runs(test: Scope, project: Project) -> Iterator[ast.Call]:
    for scope in test.nested():
        for call in scope.facts.calls:
            if len(call.args) > 1 or any(keyword.arg in ("debug", None) for keyword in call.keywords):
                continue
            name = known(call.func, scope, project.modules, RUN | RUNNERS)
            if name and bool(call.args) == (name in RUN):
                yield call
