"""Marks of pytest-timeout that set no time limit, each where it stands."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from asynclint.project.config import find_pytest_config
from asynclint.project.guards import bounds, drives
from asynclint.project.guards.plugins import plugin_modules
from asynclint.project.guards.seconds import number
from asynclint.project.guards.tests import Mark, Test, marks, read_marks, tests
from asynclint.project.project import Project
from asynclint.source.outline import Outline
from asynclint.source.written import argument

# A conftest that reads marks by this name gives them a meaning of its own.
READS_MARK = re.compile(r"(get_closest_marker|iter_markers)\(\s*(name\s*=\s*)?[\"']timeout[\"']")


class InertMark(NamedTuple):
    """A mark without effect: the expression to report, and why, in words for the user."""

    node: ast.expr
    why: str


def inert_marks(outline: Outline, project: Project) -> Iterator[InertMark]:
    """Marks on the tests of a module, on its classes and on itself."""
    config = find_pytest_config(outline.directory)
    if "timeout" not in outline.text.text or "timeout" in config.command_line.blocked or config.broken:
        return
    found = list(tests(outline, project))
    if not found or any(READS_MARK.search(o.text.text) for o in plugin_modules(outline, config, project)):
        return
    for node, mark in _timeouts(outline, found, project):
        reached = [test for test in found if _applies(mark, test, project)]
        if reached and (mark.call is None or not (mark.call.args or mark.call.keywords)):
            why = "has no time limit: pytest-timeout aborts the whole run"
            yield InertMark(node, f"{ast.unparse(node)} {why}")
        elif mark.call is not None and not project.settings.loop_guards_only:
            why = _switched_off(mark.call, mark, config.timeout is not None, project)
            if why and any(_needs_bound(test, project) for test in reached):
                yield InertMark(node, f"{ast.unparse(node)} {why}")


def _timeouts(outline: Outline, found: list[Test], project: Project) -> Iterator[tuple[ast.expr, Mark]]:
    """Every ``timeout`` mark that stands in a module, with its expression there."""
    owners = [outline.scope, *outline.classes, *(test.scope for test in found)]
    for owner in owners:
        if owner.outline is not outline:
            continue
        around = owner.parent or owner
        written = [(decorator, around) for decorator in owner.decorators]
        for binding in [] if owner.is_function else owner.bindings.get("pytestmark", []):
            value = binding.value
            parts = value.elts if isinstance(value, (ast.List, ast.Tuple)) else [value]
            written += [(part, owner) for part in parts if part is not None]
        for expr, scope in written:
            for mark in read_marks(expr, scope, project):
                if mark.name == "timeout":
                    stands_here = any(node is mark.call for node in ast.walk(expr))
                    yield (mark.call if stands_here and mark.call is not None else expr), mark


def _applies(mark: Mark, test: Test, project: Project) -> bool:
    """Whether a mark is the closest of its name for a test, which is not skipped."""
    read = list(marks(test, project))
    if any(other.name in ("", "skip") for other in read):
        return False
    closest = next((other for other in read if other.name == "timeout"), None)
    return closest is not None and closest.call is mark.call and closest.scope is mark.scope


def _switched_off(call: ast.Call, mark: Mark, configured: bool, project: Project) -> str:
    """What a number says that sets no limit; empty for one that may."""
    given = argument(call, 0, "timeout")
    seconds = None if given is None else number(given, mark.scope, project)
    if isinstance(seconds, float) and seconds <= 0:
        return "switches the time limit off, and nothing else bounds the test"
    if given is not None and seconds is None and not configured:
        return "sets no time limit, and nothing else bounds the test"
    return ""


def _needs_bound(test: Test, project: Project) -> bool:
    """Whether a test can hang, now that its mark doesn't end it."""
    if bounds.stated_bound(test, project) is not None:
        return False
    found = bounds.own_body(test, project)
    if test.scope.is_async:
        hanging = bool(found.waits) and not test.scope.is_generator
    else:
        hanging = any(drives.can_hang(drive, project) for drive in drives.drives(test.scope, project))
    return hanging and not found.guards and bounds.bound(test, project) is None
