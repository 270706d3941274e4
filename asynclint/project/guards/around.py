"""The functions that have a hand in a test: what prepares it, and what of the project they call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from asynclint.knowledge.clocks import WORDS
from asynclint.project.called import run_by
from asynclint.project.guards.fixtures import reaching_fixtures
from asynclint.project.guards.plugins import plugin_modules
from asynclint.project.guards.tests import Test
from asynclint.project.index.values import Function, Instance
from asynclint.project.project import Project
from asynclint.project.tasks import SETUP
from asynclint.source.outline import Outline, Scope

MAX_DEPTH = 2  # functions that call functions
# Hooks of pytest's that run before the tests, or round each.
HOOKS = frozenset(
    [
        "pytest_configure",
        "pytest_sessionstart",
        "pytest_collection_modifyitems",
        "pytest_runtest_protocol",
        "pytest_runtest_setup",
        "pytest_runtest_call",
        "pytest_pyfunc_call",
    ]
)
ENTERING = ("enter_context", "enter_async_context", "enterContext", "enterAsyncContext")


def functions_preparing(test: Test, project: Project) -> Sequence[Scope]:
    """A test, and the fixtures and methods that prepare it."""

    def found() -> Sequence[Scope]:
        classes = test.bases.project if test.bases is not None else ()
        setups = [method for cls in classes for method in cls.facts.scopes if SETUP.fullmatch(method.name)]
        return list(dict.fromkeys([test.scope, *setups, *reaching_fixtures(test, project)]))

    return project.remembered(("functions preparing", test.scope), found)


def functions_called(test: Test, project: Project, *, entered: bool = True) -> Sequence[Scope]:
    """What of the project a test, or what prepares it, calls or enters, and hooks that run round it.

    None where no module there speaks of time. Without ``entered``, what is only called.
    """

    def found() -> Sequence[Scope]:
        modules = plugin_modules(test.scope.outline, test.config, project)
        if not any(speaks_of(WORDS, module, project) for module in modules):
            return ()
        hooks = [scope for module in modules for scope in module.scope.facts.scopes if scope.name in HOOKS]
        scopes = [*functions_preparing(test, project), *hooks]
        called = (inner for scope in scopes for inner in _called(scope, project, 0, entered))
        return list(dict.fromkeys([*hooks, *called]))

    return project.remembered(("functions called", test.scope, entered), found)


def called_by(function: Scope, project: Project) -> Sequence[Scope]:
    """The functions of the project that a function calls, and what those call."""
    return _called(function, project, 0, entered=False)


def _called(scope: Scope, project: Project, depth: int, entered: bool) -> Sequence[Scope]:
    """The functions of the project that a function calls or enters, those that they call included."""
    key = ("called functions", scope, depth, entered)
    return project.remembered(key, lambda: list(dict.fromkeys(_all_called(scope, project, depth, entered))))


def _all_called(scope: Scope, project: Project, depth: int, entered: bool) -> Iterator[Scope]:
    for inner in scope.nested():
        called = (run_by(call.func, inner, project) for call in inner.facts.calls)
        for function in (*called, *(_entering(inner, project) if entered else ())):
            if function is not None:
                yield function
                if depth < MAX_DEPTH:
                    yield from _called(function, project, depth + 1, entered)


def _entering(scope: Scope, project: Project) -> Iterator[Scope]:
    """The methods that run where a scope enters objects of the project's classes."""
    inference = project.inference
    entered = [item.context_expr for statement in scope.facts.withs for item in statement.items]
    entered += [call.args[0] for name in ENTERING for call in scope.facts.methods.get(name, ()) if call.args]
    for expr in entered:
        value = inference.value(expr, scope)
        for name in ("__enter__", "__aenter__") if isinstance(value, Instance) else ():
            method = inference.attribute(value, name)
            if isinstance(method, Function) and not method.scope.outline.is_stub:
                yield method.scope


def speaks_of(words: tuple[str, ...], module: Outline, project: Project) -> bool:
    """Whether a module, or one of the project that it imports, has one of some words."""
    return project.remembered(("speaks of", words, module), lambda: _has_words(words, module, project))


def _has_words(words: tuple[str, ...], module: Outline, project: Project) -> bool:
    if module.text.has_any(words):
        return True
    raw = tuple(word.encode() for word in words)
    scopes = module.scope.nested()
    imports = (b for scope in scopes for bindings in scope.bindings.values() for b in bindings)
    return any(
        project.modules.says(b.module, b.level, module, raw)
        or (b.kind == "from" and project.modules.says(f"{b.module}.{b.member}", b.level, module, raw))
        for b in imports
        if b.kind in ("import", "from")
    )
