"""Functions that a guard could change even if it never fires."""

from __future__ import annotations

import ast
import re
from collections.abc import Container, Iterator
from functools import partial

from asynclint.knowledge.clocks import FAKE_CLOCKS, INSPECTED, STEPPING
from asynclint.project.guards.around import functions_called, functions_preparing
from asynclint.project.guards.patches import patched_by, patching
from asynclint.project.guards.plugins import plugin_modules
from asynclint.project.guards.tests import Test, marks
from asynclint.project.index.values import Class, Function, Module
from asynclint.project.names import chain
from asynclint.project.project import Project
from asynclint.source.outline import Outline, Scope
from asynclint.source.written import last_name, uncalled

LIBRARIES = frozenset({"asyncio", "anyio", "trio", "async_timeout"})
GUARD_NAMES = frozenset({"timeout", "fail_after", "wait_for", "get_running_loop", "Timeout"})
LOOPS = re.compile(r"(?i)loop|policy")
OF_MODULE = re.compile(r"\b([\w.]+)\.\w*(?:[Ll]oop|[Pp]olicy)\b")


class NoGuardError(Exception):
    """No guard can be inserted; ``str()`` says why, in words for the user."""


def refuse_unwanted(project: Project) -> None:
    """Raise NoGuardError where nobody asks for fixes."""
    if not project.settings.fixes:
        raise NoGuardError


def refuse_unwrappable(function: Scope, test: Test, project: Project) -> None:
    """Raise NoGuardError for functions that a guard could change even if it never fires."""
    if function.is_generator:
        message = "a guard round a yield would bound its caller"
        raise NoGuardError(message)
    refuse_disturbed(function, test, project)


def refuse_disturbed(function: Scope, test: Test, project: Project) -> None:
    """Raise NoGuardError where the clock, the loop or the test itself would notice a guard."""
    for decorator in test.scope.decorators:
        target = uncalled(decorator)
        if any(
            n.startswith("hypothesis.")
            for n in chain(target, test.scope.parent or test.scope, project.modules)
        ):
            message = "hypothesis runs it many times over, under a deadline of its own"
            raise NoGuardError(message)
    clock = fake_clock(test, project)
    if clock:
        message = f"{clock} replaces the clock that a guard would read"
        raise NoGuardError(message)
    for scope in dict.fromkeys((*functions_preparing(test, project), function)):
        message = project.remembered(("disturbed", scope), partial(_disturbed, scope, INSPECTED))
        if message:
            raise NoGuardError(message)
    for scope in functions_called(test, project):
        message = project.remembered(("disturbed from afar", scope), partial(_disturbed, scope, STEPPING))
        if message:
            raise NoGuardError(message)
    if _has_loop_of_its_own(test, project):
        message = "the project's event loop has a clock of its own"
        raise NoGuardError(message)


def _disturbed(scope: Scope, words: Container[str]) -> str:
    """What in a function would notice a guard, some words of it too; empty if nothing does."""
    word = mentioned(scope, words)
    if word:
        return f"{scope.qualname} looks at {word}, which a guard would change"
    patched = list(_patches(scope))
    if any(_is_clock(*patch) for patch in patched) or any(map(_sets_clock, scope.nested())):
        return f"{scope.qualname} replaces a clock, perhaps the one that a guard would read"
    if any(name in GUARD_NAMES and not LIBRARIES.isdisjoint(owner.split(".")) for owner, name in patched):
        return f"{scope.qualname} replaces what a guard is made of"
    return ""


def _patches(scope: Scope) -> Iterator[tuple[str, str]]:
    """What a function or its decorators put something else in place of: the owner, as written, and a name."""
    calls = [(call, inner) for inner in scope.nested() for call in patching(inner)]
    calls += [(d, outer) for outer in scope.around() for d in outer.decorators if isinstance(d, ast.Call)]
    for call, where in calls:
        for one in patched_by(call, where):
            yield one.owner if isinstance(one.owner, str) else ast.unparse(one.owner), one.name


def _is_clock(owner: str, name: str) -> bool:
    return name == "monotonic" or (name == "time" and "loop" in owner.lower())


def _sets_clock(scope: Scope) -> bool:
    """``loop.time = …``."""
    return any(_is_clock(ast.unparse(target.value), target.attr) for target, _ in scope.facts.attributes)


def _has_loop_of_its_own(test: Test, project: Project) -> bool:
    """A loop class among the tests, or imported there, that says itself what time it is."""
    modules = plugin_modules(test.scope.outline, test.config, project)
    return any(_brings_own_loop(outline, project) for outline in modules)


def _brings_own_loop(outline: Outline, project: Project) -> bool:
    key = ("loop of its own", outline)
    return project.remembered(key, lambda: any(map(_keeps_time, _loop_modules(outline, project))))


def _loop_modules(outline: Outline, project: Project) -> Iterator[Outline]:
    """A module, and where the loops and policies are defined that it imports."""
    yield outline
    for dotted in set(OF_MODULE.findall(outline.text.text)):  # simclock.Policy()
        written = (
            project.inference.quoted(dotted) if dotted.partition(".")[0] in outline.scope.bindings else None
        )
        module = project.inference.value(written, outline.scope)
        if isinstance(module, Module) and not module.outline.is_stub:
            yield module.outline
    for name, bindings in outline.scope.bindings.items():
        if bindings[-1].kind == "from" and LOOPS.search(name):
            found = project.inference.name(name, outline.scope)
            if found is None:
                wider = project.with_installed(outline.directory)
                found = wider.inference.name(name, outline.scope)
            if isinstance(found, (Class, Function)) and not found.scope.outline.is_stub:
                yield found.scope.outline


def _keeps_time(outline: Outline) -> bool:
    if _sets_clock(outline.scope):
        return True
    for cls in outline.classes:
        named = any("Loop" in ast.unparse(base) for base in getattr(cls.node, "bases", []))
        if named and "time" in cls.bindings:
            return True
    return False


def mentioned(scope: Scope, words: Container[str]) -> str:
    """The first of some names that a function has in it, as a string too; empty if it has none.

    A deadline that is compared with minus infinity alone is left out: that asks whether all is over already.
    """
    found = [node for node in ast.walk(scope.node) if _word(node) in words]
    over = (
        {id(part) for node in ast.walk(scope.node) if _asks_if_over(node) for part in ast.walk(node)}
        if found
        else ()
    )
    return next((_word(node) for node in found if id(node) not in over), "")


def _asks_if_over(node: ast.AST) -> bool:
    """``current_effective_deadline() == -math.inf``."""
    match node:
        case ast.Compare(
            ops=[ast.Eq() | ast.NotEq()], comparators=[ast.UnaryOp(op=ast.USub(), operand=limit)]
        ):
            return last_name(limit) == "inf"
    return False


def _word(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.rpartition(".")[2]
    return ""


def fake_clock(test: Test, project: Project) -> str:
    for mark in marks(test, project):
        if mark.name in FAKE_CLOCKS:
            return mark.name
    for scope in (*functions_preparing(test, project), *functions_called(test, project)):
        for arg in scope.parameters:
            if arg.arg in FAKE_CLOCKS:
                return arg.arg
        around = scope.parent or scope
        decorators = [uncalled(d) for d in scope.decorators]
        targets = [(d, around) for d in decorators]
        targets += [(call.func, inner) for inner in scope.nested() for call in inner.facts.calls]
        for target, where in targets:
            for name in chain(target, where, project.modules):
                if name in FAKE_CLOCKS or name.partition(".")[0] in FAKE_CLOCKS:
                    return name
    return ""
