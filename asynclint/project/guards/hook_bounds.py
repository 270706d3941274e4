"""What conftest files and local plugins put round every test by hooks, their own or of what they register."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from asynclint.project.guards.tests import bases
from asynclint.project.guards.wrappers import Bound, Unknown, Verdict, search
from asynclint.project.index.values import Class, Function, Instance, Module
from asynclint.project.project import Project
from asynclint.source.outline import Outline, Scope

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


def hook_bound(modules: Iterable[Outline], project: Project, *, leaving_out: Collection[str] = ()) -> Verdict:
    """What hooks of plugin modules put round a test; ``leaving_out`` names hooks that don't count."""
    unknown: Verdict = None
    for outline in modules:
        if _sets_timeouts(outline):
            return Unknown(f"{outline.path.name} sets a timeout")
        for hook in hooks(outline, project):
            found = search(hook, project, None) if hook.name not in leaving_out else None
            if isinstance(found, Bound):
                return replace(found, source=f"hook {hook.name}")
            unknown = unknown or found
        unread = _plugin(outline, project).unread
        if unread and unknown is None:
            unknown = Unknown(f"plugin {unread}")
    return unknown


def hooks(outline: Outline, project: Project) -> list[Scope]:
    """Hooks of a conftest or plugin, imported and registered ones too, that can change how a test is run."""
    return _plugin(outline, project).hooks


def _sets_timeouts(outline: Outline) -> bool:
    """A conftest that puts pytest-timeout's options in place by code."""
    if outline.path.name == "conftest.py" and "PYTEST_TIMEOUT" in outline.text.text:
        return True
    starting = [f for f in outline.scope.facts.scopes if f.is_function and f.name in STARTING_HOOKS]
    return any("timeout" in outline.text.slice(outline.text.span(hook.node)) for hook in starting)


@dataclass(frozen=True, slots=True)
class _Plugin:
    """What pytest gets from one plugin module; ``unread`` is a plugin it registers that can't be read."""

    hooks: list[Scope]
    unread: str


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
    return _Plugin(list(dict.fromkeys(found)), unread)


def _module_hooks(outline: Outline, project: Project) -> list[Scope]:
    found = [f for f in outline.scope.facts.scopes if f.is_function and f.name in HOOKS]
    for name in HOOKS & outline.scope.bindings.keys():
        value = project.inference.name(name, outline.scope)
        if isinstance(value, Function) and value.scope not in found:
            found.append(value.scope)
    return found


def _class_hooks(cls: Scope, project: Project) -> list[Scope]:
    found: dict[str, Scope] = {}
    for ancestor in bases(cls, project).project:
        for method in ancestor.facts.scopes:
            if method.is_function and method.name in HOOKS:
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
