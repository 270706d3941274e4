"""Timers that a module starts for its tests: when it is imported, or in the functions that prepare them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from asynclint.knowledge.asyncs import TIMERS
from asynclint.project.guards.seconds import UNREAD
from asynclint.project.guards.timers import arms_timer, is_timer
from asynclint.project.guards.wrappers import Bound, bound_at
from asynclint.project.index.values import Function
from asynclint.project.project import Project
from asynclint.source.outline import Outline, Scope

# What pytest and unittest call before the tests of a module, and pytest before each function in it
# (https://docs.pytest.org/en/stable/how-to/xunit_setup.html).
FOR_THE_MODULE = ("setup_module", "setUpModule")
FOR_EACH_FUNCTION = ("setup_function",)
WORDS = frozenset(name.rpartition(".")[2] for name in (*TIMERS, "threading.Thread"))


def module_bound(modules: Iterable[Outline], project: Project, *, in_class: bool) -> Bound | None:
    """A timer that runs while a test does; ``modules`` are the test's own, then its plugins."""
    names: tuple[str, ...] = FOR_THE_MODULE if in_class else FOR_THE_MODULE + FOR_EACH_FUNCTION
    for outline in modules:
        found = project.remembered(("timers", outline, names), partial(_timer, outline, names, project))
        if found is not None:
            return found
        names = ()
    return None


def _timer(outline: Outline, names: Iterable[str], project: Project) -> Bound | None:
    return next(_timers(outline, names, project), None)


def _timers(outline: Outline, names: Iterable[str], project: Project) -> Iterator[Bound]:
    module = outline.scope
    if outline.text.has_any(WORDS):
        for call in module.facts.calls:
            if is_timer(call, module, project):
                yield bound_at(call, module, f"module {outline.path.stem}", UNREAD, in_loop=False)
    for name in names:
        function = _function(name, module, project)
        if function is not None and arms_timer(function, project):
            yield bound_at(function.node, function, name, UNREAD, in_loop=False)


def _function(name: str, module: Scope, project: Project) -> Scope | None:
    value = project.inference.name(name, module) if name in module.bindings or module.facts.stars else None
    return value.scope if isinstance(value, Function) and not value.scope.outline.is_stub else None
