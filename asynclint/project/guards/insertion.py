"""Which guard can be put into a function without changing what it does, and why not where none can."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from asynclint.finding import Edit, Fix, Safety
from asynclint.project.dependencies import dependencies
from asynclint.project.guards.contexts import Guard as InnerGuard
from asynclint.project.guards.lasting import refuse_outliving_scopes, refuse_scopes_left_elsewhere
from asynclint.project.guards.length import UnreadLengthError, check_guards, guard_seconds
from asynclint.project.guards.refusals import (
    NoGuardError,
    refuse_unwanted,
    refuse_unwrappable,
)
from asynclint.project.guards.runner import Runner
from asynclint.project.guards.seconds import Environment
from asynclint.project.guards.tests import Test
from asynclint.project.project import Project
from asynclint.project.python_version import target_version
from asynclint.source.outline import Scope
from asynclint.source.wrap import UnwrappableError, wrap_body

TIMEOUT_SINCE = (3, 11)  # asyncio.timeout: https://docs.python.org/3/library/asyncio-task.html
FRAMES = {
    Runner.ASYNCIO: ("asyncio", "async with {module}.timeout({seconds}):"),
    Runner.ANYIO: ("anyio", "with {module}.fail_after({seconds}):"),
    Runner.TRIO: ("trio", "with {module}.fail_after({seconds}):"),
}
OLD_FRAME = ("async_timeout", "async with {module}.timeout({seconds}):")


class Guard(NamedTuple):
    """A guard that fits: its module, the name it goes by here, its import (or ""), its seconds."""

    module: str
    name: str
    imported: str
    seconds: str
    header: str

    @property
    def title(self) -> str:
        """The guard as a report names it: ``asyncio.timeout(30)``."""
        return self.header.removeprefix("async ").removeprefix("with ").rstrip(":")


def guard_fix(
    function: Scope, test: Test, loop: Runner, project: Project, inside: Iterable[InnerGuard] = ()
) -> Fix:
    """The fix that bounds a test in the style that the settings ask for; raises NoGuardError.

    That is a mark on the test, or a guard round the body of ``function``, which ``loop`` runs in it
    and which holds the guards ``inside`` already.
    """
    return mark_fix(test, project) or body_guard_fix(function, test, loop, project, inside)


def mark_fix(test: Test, project: Project) -> Fix | None:
    """The fix that marks a test; None where the settings ask for guards. Raises NoGuardError."""
    refuse_unwanted(project)
    if project.settings.guard_style != "mark":
        return None
    from asynclint.project.guards import marking

    return marking.mark_fix(test, project)


def body_guard_fix(
    function: Scope, test: Test, loop: Runner, project: Project, inside: Iterable[InnerGuard] = ()
) -> Fix:
    """The fix that puts a guard round the body of a function that a loop runs; raises NoGuardError.

    ``inside`` are the guards that the body holds already.
    """
    refuse_unwanted(project)
    refuse_unwrappable(function, test, project)
    if loop is not Runner.ASYNCIO:
        refuse_scopes_left_elsewhere(test, project)
    guard = fitting_guard(function, loop, project, inside)
    try:
        edit: Edit = wrap_body(function, guard.header)
    except UnwrappableError as error:
        raise NoGuardError(str(error)) from None
    imports = (guard.imported,) if guard.imported else ()
    return Fix(f"guard the body with {guard.title}", (edit,), Safety.SAFE, imports)


def fitting_guard(
    function: Scope,
    loop: Runner,
    project: Project,
    inside: Iterable[InnerGuard] = (),
    within: Sequence[ast.stmt] | None = None,
) -> Guard:
    """The guard of a loop, long enough for a function (or for the statements ``within`` of it).

    ``inside`` are the guards it holds. Raises NoGuardError.
    """
    if loop is Runner.BY_HAND:
        message = "its coroutine is stepped by hand, with no event loop to time it out"
        raise NoGuardError(message)
    if loop is Runner.UNKNOWN:
        message = "can't tell which event loop runs it"
        raise NoGuardError(message)
    seconds = fitting_seconds(function, project, inside=inside, within=within)
    module, frame = FRAMES[loop]
    if loop is not Runner.ASYNCIO:
        refuse_outliving_scopes(function)
    if loop is Runner.ASYNCIO and oldest_python(function, project) < TIMEOUT_SINCE:
        module, frame = _before_timeout(function, project)
    name, imported = importable(module, function, project)
    return Guard(module, name, imported, seconds, frame.format(module=name, seconds=seconds))


def fitting_seconds(
    function: Scope,
    project: Project,
    given: Environment | None = None,
    test: Scope | None = None,
    inside: Iterable[InnerGuard] = (),
    within: Sequence[ast.stmt] | None = None,
) -> str:
    """How long a guard round a function must be, as it is written; raises NoGuardError.

    ``given`` holds the values of the function's parameters, ``inside`` the guards of its body;
    ``test`` is the test that runs it; ``within`` are the statements that the guard surrounds, where
    these are not all.
    """
    try:
        check_guards(inside, function, project, given)
        return f"{guard_seconds(function, project, given, test, within):.10g}"
    except UnreadLengthError as error:
        message = f"can't tell how long {error} takes, and a shorter guard would cut it off"
        raise NoGuardError(message) from None


def oldest_python(function: Scope, project: Project) -> tuple[int, int]:
    """The oldest Python the project supports: the setting, ``requires-python``, else the running one."""
    stated = project.settings.target_version or target_version(function.outline.directory)
    return stated or sys.version_info[:2]


def _before_timeout(function: Scope, project: Project) -> tuple[str, str]:
    oldest = oldest_python(function, project)
    if depends_on("async-timeout", function, project):
        return OLD_FRAME
    message = (
        f"the project supports Python 3.{oldest[1]}, asyncio.timeout came with 3.11, "
        "and async-timeout is not a dependency on every version"
    )
    raise NoGuardError(message)


def depends_on(package: str, function: Scope, project: Project) -> bool:
    """Whether a package is there on every version of Python from the oldest one up to the running one."""
    oldest = oldest_python(function, project)
    depends = dependencies(function.outline.directory)
    newest = max(sys.version_info[1], TIMEOUT_SINCE[1], oldest[1])
    return all(depends.has(package, (3, minor)) for minor in range(oldest[1], newest + 1))


def importable(module: str, function: Scope, project: Project) -> tuple[str, str]:
    """The name a module goes by inside a function, and the module if it must be imported first.

    Raises NoGuardError where the name means something else there.
    """
    top = function.outline.scope
    body = function.outline.tree.body
    for name, bindings in top.bindings.items():
        here = [b for b in bindings if b.kind == "import" and b.module == module and b.node in body]
        if here and len(here) == len(bindings) and _is_visible(name, function):
            return _unless_unbound(name, function, project), ""
    others = [b for b in top.bindings.get(module, []) if b.kind != "import" or b.module != module]
    if others or _is_starred(module, function, project) or not _is_visible(module, function):
        message = f"the name {module} means something else there"
        raise NoGuardError(message)
    return _unless_unbound(module, function, project), module


def _unless_unbound(name: str, function: Scope, project: Project) -> str:
    """The name, unless the module deletes it somewhere or binds it from a function."""
    text = function.outline.text.text
    unbound = project.remembered(("unbound names", function.outline), lambda: _unbound_names(text))
    if name in unbound:
        message = f"the name {name} means something else there"
        raise NoGuardError(message)
    return name


def _unbound_names(source: str) -> frozenset[str]:
    """The names in all ``del`` and ``global``."""
    statements = re.findall(r"(?:^|[\r\n;:])[ \t]*(?:del|global)[ \t]([^\r\n#]*)", source)
    return frozenset(name for names in statements for name in re.findall(r"(?<![.\w])\w+\b(?!\.)", names))


def _is_starred(name: str, function: Scope, project: Project) -> bool:
    """Whether a star import may bind a name of its own."""
    for star in function.outline.scope.facts.stars:
        module = project.modules.find(star.module, star.level, function.outline)
        if module is None:
            return True
        bindings = module.scope.bindings.get(name, [])
        if any(binding.kind != "import" or binding.module != name for binding in bindings):
            return True
    return False


def _is_visible(name: str, function: Scope) -> bool:
    found = function.lookup(name)
    return found is None or found[0] is function.outline.scope
