"""What conftest files and local plugins put round every test by hooks, their own or of what they register."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from asynclint.project.guards.item_marks import is_meant
from asynclint.project.guards.seconds import UNREAD
from asynclint.project.guards.tests import Test, bases
from asynclint.project.guards.timers import arms_timer
from asynclint.project.guards.wrappers import Bound, Unknown, Verdict, bound_at, search
from asynclint.project.index.values import Class, Function, Instance, Module
from asynclint.project.project import Project
from asynclint.source.outline import Outline, Scope

# Before tests are collected.
STARTING_HOOKS = frozenset(
    [
        "pytest_addhooks",
        "pytest_configure",
        "pytest_load_initial_conftests",
        "pytest_cmdline_preparse",
        "pytest_cmdline_main",
        "pytest_sessionstart",
    ]
)
PREFIX = "pytest_"
# Where code can put a bound round a test function, or mark it; in any other hook only a timer bounds it.
HOOKS = frozenset(
    [
        "pytest_pyfunc_call",
        "pytest_runtest_call",
        "pytest_runtest_protocol",
        "pytest_runtest_setup",
        "pytest_collection_modifyitems",
        "pytest_itemcollected",
        "pytest_pycollect_makeitem",
        "pytest_generate_tests",
        "pytest_fixture_setup",
        "pytest_runtestloop",
        "pytest_collection_finish",
    ]
)


# Once a test is over, a timer only hurries what comes after it.
AFTER = frozenset(
    [
        "pytest_exception_interact",
        "pytest_fixture_post_finalizer",
        "pytest_internalerror",
        "pytest_keyboard_interrupt",
        "pytest_runtest_logfinish",
        "pytest_runtest_teardown",
        "pytest_sessionfinish",
        "pytest_terminal_summary",
        "pytest_unconfigure",
    ]
)
# Attributes and options by which code sets pytest-timeout's number.
OPTION = re.compile(r"(--)?timeout(=.*)?")


def hook_bound(
    modules: Iterable[Outline], test: Test | None, project: Project, *, leaving_out: Collection[str] = ()
) -> Verdict:
    """What hooks of plugin modules put round a test; without one, what they put round every test.

    ``leaving_out`` names hooks that don't count.
    """
    unknown: Verdict = None
    for outline in modules:
        plugin = _plugin(outline, project)
        if plugin.sets_timeouts:
            return Unknown(f"{outline.path.name} sets a timeout")
        for hook in plugin.hooks:
            found = _of_hook(hook, project) if hook.name not in leaving_out else None
            if isinstance(found, Bound):
                meant = is_meant(hook, test, project)
                if meant:
                    return found
                found = Unknown(found.source) if meant is None else None
            unknown = unknown or found
        if plugin.unread and unknown is None:
            unknown = Unknown(f"plugin {plugin.unread}")
    return unknown


def _of_hook(hook: Scope, project: Project) -> Verdict:
    return project.remembered(("hook", hook), lambda: _searched(hook, project))


def _searched(hook: Scope, project: Project) -> Verdict:
    source = f"hook {hook.name}"
    if hook.name in HOOKS:
        found = search(hook, project, None)
        return found._replace(source=source) if isinstance(found, Bound) else found
    return bound_at(hook.node, hook, source, UNREAD, in_loop=False) if arms_timer(hook, project) else None


def hooks(outline: Outline, project: Project) -> list[Scope]:
    """Hooks of a conftest or plugin, imported and registered ones too, that can change how a test is run."""
    return [hook for hook in _plugin(outline, project).hooks if hook.name in HOOKS]


def _sets_timeouts(outline: Outline) -> bool:
    """A conftest that puts pytest-timeout's options in place by code."""
    if outline.path.name == "conftest.py" and "PYTEST_TIMEOUT" in outline.text.text:
        return True
    if "timeout" not in outline.text.text:
        return False
    starting = [f for f in outline.scope.facts.scopes if f.is_function and f.name in STARTING_HOOKS]
    return any(_is_option(node) for hook in starting for node in ast.walk(hook.node))


def _is_option(node: ast.AST) -> bool:
    """``config.option.timeout``, ``"--timeout=60"``, and what pytest-timeout makes of them."""
    if isinstance(node, ast.Attribute):
        return node.attr in ("timeout", "_env_timeout")
    return (
        isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(OPTION.fullmatch(node.value))
    )


class _Plugin(NamedTuple):
    """What pytest gets from one plugin module; ``unread`` is a plugin it registers that can't be read."""

    hooks: list[Scope]
    unread: str
    sets_timeouts: bool


def _plugin(outline: Outline, project: Project) -> _Plugin:
    return project.remembered(("plugin", outline), lambda: _read_plugin(outline, project))


def _read_plugin(outline: Outline, project: Project) -> _Plugin:
    found = _module_hooks(outline, project)
    unread = ""
    for expr, scope in _registered(outline, project):
        value = project.inference.value(expr, scope)
        cls = value.cls if isinstance(value, Instance) else value
        if isinstance(value, Module):
            found += _module_hooks(value.outline, project)
        elif isinstance(cls, Class) and not bases(cls.scope, project).unknown:
            found += _class_hooks(cls.scope, project)
        else:
            unread = ast.unparse(expr)
    counting = [hook for hook in dict.fromkeys(found) if hook.name not in AFTER]
    return _Plugin(counting, unread, _sets_timeouts(outline))


def _module_hooks(outline: Outline, project: Project) -> list[Scope]:
    found = [f for f in outline.scope.facts.scopes if f.is_function and f.name.startswith(PREFIX)]
    for name in outline.scope.bindings:
        value = project.inference.name(name, outline.scope) if name.startswith(PREFIX) else None
        if isinstance(value, Function) and value.scope not in found:
            found.append(value.scope)
    return found


def _class_hooks(cls: Scope, project: Project) -> list[Scope]:
    found: dict[str, Scope] = {}
    for ancestor in bases(cls, project).project:
        for method in ancestor.facts.scopes:
            if method.is_function and method.name.startswith(PREFIX):
                found.setdefault(method.name, method)
    return list(found.values())


def _registered(outline: Outline, project: Project) -> Iterator[tuple[ast.expr, Scope]]:
    """``config.pluginmanager.register(Limits(1), "limits")``: what is registered, and where that is read."""
    for scope in _starting_code(outline, project):
        for call in scope.facts.calls:
            named = isinstance(call.func, ast.Attribute) and call.func.attr == "register"
            if named and call.args and _is_manager(call.func.value, scope):  # type: ignore[attr-defined]
                yield call.args[0], scope


def _starting_code(outline: Outline, project: Project) -> Iterator[Scope]:
    """Functions that may register plugins: a module's own, and those its starting hooks call."""
    if ".register(" in outline.text.text:
        yield from outline.scope.nested()
    for hook in outline.scope.facts.scopes:
        for call in hook.facts.calls if hook.name in STARTING_HOOKS else ():
            called = project.inference.value(call.func, hook)
            if isinstance(called, Function) and called.scope.outline is not outline:
                yield from called.scope.nested() if not called.scope.outline.is_stub else ()


def _is_manager(expr: ast.expr, scope: Scope) -> bool:
    """``config.pluginmanager``, or a name for it."""
    found = scope.lookup(expr.id) if isinstance(expr, ast.Name) else None
    written = [expr, *(b.value for b in (found[1] if found is not None else []) if b.value is not None)]
    return any(ast.unparse(part).endswith("pluginmanager") for part in written)
