"""Which guard can be put into a function without changing what it does, and why not where none can."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass

from asynclint.finding import Edit, Fix, Safety
from asynclint.project.dependencies import dependencies
from asynclint.project.guards.fixtures import reaching_fixtures
from asynclint.project.guards.length import UnreadLengthError, guard_seconds
from asynclint.project.guards.runner import Runner
from asynclint.project.guards.seconds import Environment
from asynclint.project.guards.tests import Test, marks
from asynclint.project.names import chain
from asynclint.project.project import Project
from asynclint.project.python_version import target_version
from asynclint.source.outline import Scope
from asynclint.source.wrap import UnwrappableError, wrap_body

TIMEOUT_SINCE = (3, 11)  # asyncio.timeout: https://docs.python.org/3/library/asyncio-task.html
FAKE_CLOCKS = frozenset(
    [
        "looptime",
        "async_solipsism",
        "freezegun",
        "time_machine",
        "trio.testing.MockClock",
        "freezer",
        "frozen_time",
        "mock_clock",
        "autojump_clock",
        "fake_clock",
        "virtual_clock",
        "time_travel",
    ]
)
# What a test looks at that a guard of its own would change.
INSPECTED = frozenset(
    [
        "current_effective_deadline",
        "call_at",
        "_scheduled",
        "_ready",
        "monotonic",
        "perf_counter_ns",
        "f_lineno",
        "tb_lineno",
        "co_firstlineno",
    ]
)
FRAMES = {
    Runner.ASYNCIO: ("asyncio", "async with {module}.timeout({seconds}):"),
    Runner.ANYIO: ("anyio", "with {module}.fail_after({seconds}):"),
    Runner.TRIO: ("trio", "with {module}.fail_after({seconds}):"),
}
OLD_FRAME = ("async_timeout", "async with {module}.timeout({seconds}):")


class NoGuardError(Exception):
    """No guard can be inserted; ``str()`` says why, in words for the user."""


@dataclass(frozen=True, slots=True)
class Guard:
    """A guard that fits: its module, the name it goes by here, its import (or ""), its seconds."""

    module: str
    name: str
    imported: str
    seconds: str
    header: str


def guard_fix(function: Scope, test: Test, loop: Runner, project: Project) -> Fix:
    """The fix that puts a guard round the body of a function that a loop runs; raises NoGuardError."""
    refuse_unwrappable(function, test, project)
    guard = fitting_guard(function, loop, project)
    try:
        edit: Edit = wrap_body(function, guard.header)
    except UnwrappableError as error:
        raise NoGuardError(str(error)) from None
    title = guard.header.removeprefix("async ").removeprefix("with ").rstrip(":")
    imports = (guard.imported,) if guard.imported else ()
    return Fix(f"guard the body with {title}", (edit,), Safety.SAFE, imports)


def fitting_guard(function: Scope, loop: Runner, project: Project) -> Guard:
    """The guard of a loop, long enough for a function; raises NoGuardError."""
    if loop is Runner.BY_HAND:
        message = "its coroutine is stepped by hand, with no event loop to time it out"
        raise NoGuardError(message)
    if loop is Runner.UNKNOWN:
        message = "can't tell which event loop runs it"
        raise NoGuardError(message)
    seconds = fitting_seconds(function, project)
    module, frame = FRAMES[loop]
    if loop is Runner.ASYNCIO and oldest_python(function, project) < TIMEOUT_SINCE:
        module, frame = _before_timeout(function, project)
    name, imported = importable(module, function)
    return Guard(module, name, imported, seconds, frame.format(module=name, seconds=seconds))


def fitting_seconds(function: Scope, project: Project, given: Environment | None = None) -> str:
    """How long a guard round a function must be, as it is written; raises NoGuardError.

    ``given`` holds the values of the function's parameters.
    """
    try:
        return f"{guard_seconds(function, project, given):g}"
    except UnreadLengthError as error:
        message = f"can't tell how long {error} takes, and a shorter guard would cut it off"
        raise NoGuardError(message) from None


def oldest_python(function: Scope, project: Project) -> tuple[int, int]:
    """The oldest Python the project supports: the setting, ``requires-python``, else the running one."""
    stated = project.settings.target_version or target_version(function.outline.path.parent)
    return stated or sys.version_info[:2]


def _before_timeout(function: Scope, project: Project) -> tuple[str, str]:
    oldest = oldest_python(function, project)
    depends = dependencies(function.outline.path.parent)
    versions = [(3, minor) for minor in range(oldest[1], max(sys.version_info[1], TIMEOUT_SINCE[1]) + 1)]
    if all(depends.has("async-timeout", version) for version in versions):
        return OLD_FRAME
    message = (
        f"the project supports Python 3.{oldest[1]}, asyncio.timeout came with 3.11, "
        "and async-timeout is not a dependency on every version"
    )
    raise NoGuardError(message)


def importable(module: str, function: Scope) -> tuple[str, str]:
    """The name a module goes by inside a function, and the module if it must be imported first.

    Raises NoGuardError where the name means something else there.
    """
    top = function.outline.scope
    body = function.outline.tree.body
    for name, bindings in top.bindings.items():
        here = [b for b in bindings if b.kind == "import" and b.module == module and b.node in body]
        if here and len(here) == len(bindings) and _is_visible(name, function):
            return name, ""
    others = [b for b in top.bindings.get(module, []) if b.kind != "import" or b.module != module]
    if others or not _is_visible(module, function):
        message = f"the name {module} means something else there"
        raise NoGuardError(message)
    return module, module


def _is_visible(name: str, function: Scope) -> bool:
    found = function.lookup(name)
    return found is None or found[0] is function.outline.scope


def refuse_unwrappable(function: Scope, test: Test, project: Project) -> None:
    """Raise NoGuardError for functions that a guard could change even if it never fires."""
    if function.is_generator:
        message = "a guard round a yield would bound its caller"
        raise NoGuardError(message)
    for decorator in test.scope.decorators:
        target = decorator.func if isinstance(decorator, ast.Call) else decorator
        if any(
            n.startswith("hypothesis.")
            for n in chain(target, test.scope.parent or test.scope, project.modules)
        ):
            message = "hypothesis runs it many times over, under a deadline of its own"
            raise NoGuardError(message)
    clock = _fake_clock(test, project)
    if clock:
        message = f"{clock} replaces the clock that a guard would read"
        raise NoGuardError(message)
    for node in ast.walk(function.node):
        word = _word(node)
        if word in INSPECTED:
            message = f"it looks at {word}, which a guard would change"
            raise NoGuardError(message)
    if any(_moves_clock(scope) for scope in function.nested()):
        message = "it replaces a clock, perhaps the one that a guard would read"
        raise NoGuardError(message)


def _moves_clock(scope: Scope) -> bool:
    """``monkeypatch.setattr(loop, "time", …)``, ``patch.object(loop, "time")``, ``loop.time = …``."""
    if any(target.attr == "time" for target, _ in scope.facts.attributes):
        return True
    for call in scope.facts.calls:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        words = [a.value for a in call.args if isinstance(a, ast.Constant)]
        if name in ("setattr", "object") and "time" in words:
            return True
    return False


def _word(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.rpartition(".")[2]
    return ""


def _fake_clock(test: Test, project: Project) -> str:
    for mark in marks(test, project):
        if mark.name in FAKE_CLOCKS:
            return mark.name
    scopes = [test.scope, *reaching_fixtures(test, project)]
    for scope in scopes:
        for arg in scope.parameters:
            if arg.arg in FAKE_CLOCKS:
                return arg.arg
        around = scope.parent or scope
        decorators = [d.func if isinstance(d, ast.Call) else d for d in scope.decorators]
        targets = [(d, around) for d in decorators]
        targets += [(call.func, inner) for inner in scope.nested() for call in inner.facts.calls]
        for target, where in targets:
            for name in chain(target, where, project.modules):
                if name in FAKE_CLOCKS or name.partition(".")[0] in FAKE_CLOCKS:
                    return name
    return ""
