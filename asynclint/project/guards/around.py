"""The functions that have a hand in a test: what prepares it, and what of the project they call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from asynclint.project.called import run_by
from asynclint.project.guards.fixtures import reaching_fixtures
from asynclint.project.guards.plugins import plugin_modules
from asynclint.project.guards.tests import Test
from asynclint.project.project import Project
from asynclint.project.tasks import SETUP
from asynclint.source.outline import Outline, Scope

MAX_DEPTH = 2  # functions that call functions
# Words of modules that may move a clock, run what is scheduled on a loop, replace a guard, or leave open
# what they enter.
WORDS = (
    *("freez", "time_machine", "MockClock", "looptime", "solipsism", "_scheduled", "_ready", "deadline"),
    *("monotonic", "loop.time", '"time"', "'time'", ".timeout", '"timeout"', "'timeout'"),
    *(".__aenter__(", "enter_async_context("),
)
RAW_WORDS = tuple(word.encode() for word in WORDS)


def functions_preparing(test: Test, project: Project) -> Sequence[Scope]:
    """A test, and the fixtures and methods that prepare it."""

    def found() -> Sequence[Scope]:
        classes = test.bases.project if test.bases is not None else ()
        setups = [method for cls in classes for method in cls.facts.scopes if SETUP.fullmatch(method.name)]
        return list(dict.fromkeys([test.scope, *setups, *reaching_fixtures(test, project)]))

    return project.remembered(("functions preparing", test.scope), found)


def functions_called(test: Test, project: Project) -> Sequence[Scope]:
    """What of the project a test, or what prepares it, calls; only where a module there speaks of time."""

    def found() -> Sequence[Scope]:
        modules = plugin_modules(test.scope.outline, test.config, project)
        if not any(_speaks_of_time(module, project) for module in modules):
            return ()
        scopes = functions_preparing(test, project)
        return list(dict.fromkeys(called for scope in scopes for called in _called(scope, project, 0)))

    return project.remembered(("functions called", test.scope), found)


def _called(scope: Scope, project: Project, depth: int) -> Sequence[Scope]:
    """The functions of the project that a function calls, those that they call included."""
    key = ("called functions", scope, depth)
    return project.remembered(key, lambda: list(_all_called(scope, project, depth)))


def _all_called(scope: Scope, project: Project, depth: int) -> Iterator[Scope]:
    for inner in scope.nested():
        for call in inner.facts.calls:
            function = run_by(call.func, inner, project)
            if function is not None:
                yield function
                if depth < MAX_DEPTH:
                    yield from _called(function, project, depth + 1)


def _speaks_of_time(module: Outline, project: Project) -> bool:
    """Whether a module, or one of the project that it imports, has one of the words."""
    return project.remembered(("speaks of time", module), lambda: _has_words(module, project))


def _has_words(module: Outline, project: Project) -> bool:
    if module.text.has_any(WORDS):
        return True
    imports = (b for bindings in module.scope.bindings.values() for b in bindings)
    return any(
        project.modules.says(b.module, b.level, module, RAW_WORDS)
        or (b.kind == "from" and project.modules.says(f"{b.module}.{b.member}", b.level, module, RAW_WORDS))
        for b in imports
        if b.kind in ("import", "from")
    )
