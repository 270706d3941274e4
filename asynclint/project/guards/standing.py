"""Whether something ends a test when time is up: the one verdict that rules and summaries share."""

from __future__ import annotations

import ast
from enum import Enum

from asynclint.project.guards.bounds import bound, own_body, stated_bound
from asynclint.project.guards.reach import waits_outside
from asynclint.project.guards.runner import Runner, runner
from asynclint.project.guards.tests import Test, test_of
from asynclint.project.guards.wrappers import Bound, Verdict
from asynclint.project.project import Project
from asynclint.source.outline import Scope


class Standing(Enum):
    """Whether something ends a test when time is up."""

    BOUNDED = "bounded"
    PARTIAL = "partial"  # a guard in it leaves out a wait, and nothing else bounds it
    UNBOUNDED = "unbounded"
    UNKNOWN = "unknown"  # something that can't be read may bound it
    IDLE = "idle"  # nothing in it waits, so nothing need bound it
    SKIPPED = "skipped"


def standing_of(function: Scope, project: Project) -> Standing | None:
    """The standing of an async test by its function; None for any other function."""
    if not function.is_async or function.is_generator:  # pytest runs no test that yields
        return None
    test = test_of(function, project)
    return None if test is None else standing(test, project)


def standing(test: Test, project: Project) -> Standing:
    """Whether something ends an async test that waits; worked out once, the cheapest question first."""
    return project.remembered(("standing", test.scope), lambda: _standing(test, project))


def _standing(test: Test, project: Project) -> Standing:
    stated = stated_bound(test, project)
    if stated is not None:
        return _of(stated)
    found = own_body(test, project)
    if not found.waits and not found.guards:
        return Standing.IDLE
    if found.guards and not left_out(test, project):
        return Standing.BOUNDED
    outside = bound(test, project)
    if outside is not None:
        return _of(outside)
    # unittest alone never awaits a coroutine: without a runner that is known, it may be no test at all
    unrun = test.is_unittest and runner(test, project) is Runner.UNKNOWN
    if unrun:
        return Standing.UNKNOWN
    return Standing.PARTIAL if found.guards else Standing.UNBOUNDED


def left_out(test: Test, project: Project) -> list[ast.AST]:
    """The waits of an async test that the guards in its body do not cover; see ``waits_outside``."""
    found = own_body(test, project)
    key = ("left out", test.scope, project.settings.loop_guards_only)
    return project.remembered(key, lambda: waits_outside(test.scope, found, project))


def _of(verdict: Verdict) -> Standing:
    return Standing.BOUNDED if isinstance(verdict, Bound) else Standing.UNKNOWN
