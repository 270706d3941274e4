"""Whether a wrapper of an installed package can be read to the end, and holds no guard.

Code of the project that bounds nothing as far as one sees is taken at its word. Of an installed package
only what is read completely counts: one call that leads to a function nobody can read, and the wrapper
may bound what it wraps.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from pathlib import Path

from asynclint.knowledge.asyncs import (
    BOUNDED_CALLS,
    BOUNDING_DECORATORS,
    CANCEL_SCOPES,
    GUARD_CALLS,
    GUARD_CONTEXTS,
    TIMERS,
)
from asynclint.project.index.classes import ancestors
from asynclint.project.index.modules import is_known_package
from asynclint.project.index.values import Builtin, Class, Function
from asynclint.project.names import chain
from asynclint.project.project import Project
from asynclint.source.outline import FUNCTIONS, Scope

MAX_SCOPES = 200  # that one wrapper leads to; more is taken as unread
GUARDS = (
    GUARD_CONTEXTS | GUARD_CALLS.keys() | BOUNDED_CALLS | BOUNDING_DECORATORS | CANCEL_SCOPES | TIMERS.keys()
)
# Methods that set a timer, or stop waiting when time is up.
TIMED = frozenset({"call_later", "call_at", "reschedule", "result", "join", "wait", "wait_for", "cancel"})
GUARD_WORDS = re.compile(
    rb"wait_for|fail_after|fail_at|move_on_|call_later|call_at|setitimer|\balarm\b|\bTimer\b|CancelScope"
    rb"|dump_traceback_later|timeout_at|async_timeout|asyncio\b[^\n]*\btimeout"
    rb"|asyncio import \([^)]*\btimeout"
)
OPAQUE = frozenset({"eval", "exec", "__import__", "getattr"})


def may_guard(name: str, origin: Path, project: Project) -> bool:
    """Whether the package of a dotted name, as a file asks for it, says a word of a guard anywhere.

    Far cheaper than reading it.
    """
    top = name.partition(".")[0]
    packages = project.modules.searched(top, origin)
    return packages is not None and project.remembered(
        ("guard words", top), lambda: packages.mentions(top, GUARD_WORDS.search)
    )


def wrapped_by(decorator: ast.expr, function: Scope) -> frozenset[str]:
    """Names under which a decorator's function has what it decorates."""
    makers = [scope for scope in function.facts.scopes if scope.is_function and scope.facts.scopes]
    if not (isinstance(decorator, ast.Call) and decorator.args):
        makers.append(function)
    return frozenset(scope.parameters[0].arg for scope in makers if scope.parameters)


def is_plain(function: Scope, project: Project, wrapped: frozenset[str]) -> bool:
    """Whether all that runs when ``function`` does, or what it returns, is read and holds no guard.

    ``wrapped`` are the names by which it, and what is nested in it, may call anything.
    """
    return _Reading(project).reads(function, wrapped)


class _Reading:
    """One walk through the functions that a wrapper leads to."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._seen: set[Scope] = set()

    def reads(self, function: Scope, wrapped: frozenset[str]) -> bool:
        if function in self._seen or function.outline.is_stub:
            return True
        inside = list(function.nested())
        self._seen.update(inside)
        return len(self._seen) <= MAX_SCOPES and all(self._body(scope, wrapped) for scope in inside)

    def _body(self, scope: Scope, wrapped: frozenset[str]) -> bool:
        facts = scope.facts
        entered = [item.context_expr for statement in facts.withs for item in statement.items]
        decorators = [d if isinstance(d, ast.Call) else ast.Call(d, [], []) for d in scope.decorators]
        return (
            all(isinstance(expr, ast.Call) for expr in entered)
            and not any(target.attr == "deadline" for target, _ in facts.attributes)
            and all(self._is_read(call, scope.parent or scope, wrapped) for call in decorators)
            and all(self._is_read(call, scope, wrapped) for call in facts.calls)
            and all(self._hands_on(r.value, scope, wrapped) for r in facts.returns if r.value is not None)
        )

    def _is_read(self, call: ast.Call, scope: Scope, wrapped: frozenset[str]) -> bool:
        """Whether what is called can be read, and the functions it is given."""
        func = call.func
        if isinstance(func, ast.Call):  # functools.wraps(test)(run): of the inner call one is asked too
            names = chain(func.func, scope, self._project.modules)
            read = any(is_known_package(name) for name in names)
        else:
            read = self._is_callee_read(call, func, scope, wrapped)
        return (
            read
            and not any("timeout" in (keyword.arg or "") for keyword in call.keywords)
            and all(self._hands_on(value, scope, wrapped) for _, value in _arguments(call))
        )

    def _is_callee_read(self, call: ast.Call, func: ast.expr, scope: Scope, wrapped: frozenset[str]) -> bool:
        inference = self._project.inference
        if isinstance(func, ast.Attribute):
            if isinstance(inference.value(func.value, scope), Builtin):
                return True
            if func.attr in TIMED:
                return False
        if isinstance(func, ast.Name):
            if func.id in wrapped:
                return True
            if scope.lookup(func.id) is None and hasattr(builtins, func.id):
                return func.id not in OPAQUE
        names = chain(func, scope, self._project.modules)
        if any(is_known_package(name) for name in names):
            return not any(name in GUARDS for name in names)
        value = inference.value(func, scope)
        if isinstance(value, Function):
            return self.reads(value.scope, _given(call, value, wrapped))
        return isinstance(value, Class) and self._runs_nothing(value)

    def _hands_on(self, value: ast.expr, scope: Scope, wrapped: frozenset[str]) -> bool:
        """Whether the functions that an expression names without calling them can be read."""
        called = {id(node.func) for node in ast.walk(value) if isinstance(node, ast.Call)}
        for node in ast.walk(value):
            if not isinstance(node, (ast.Name, ast.Attribute)) or id(node) in called:
                continue
            if isinstance(node, ast.Name) and node.id in wrapped:
                continue
            found = self._project.inference.value(node, scope)
            if isinstance(found, Function) and not self.reads(found.scope, frozenset()):
                return False
            if isinstance(found, Class) and not self._runs_nothing(found):
                return False
        return True

    def _runs_nothing(self, cls: Class) -> bool:
        """A class of the standard library, or an exception."""
        if cls.scope.outline.is_stub:
            return True
        nodes = [a.scope.node for a in ancestors(cls, self._project.inference) if a is not None]
        bases = [base for node in nodes for base in getattr(node, "bases", ())]
        known = [getattr(builtins, base.id, None) for base in bases if isinstance(base, ast.Name)]
        return any(isinstance(base, type) and issubclass(base, BaseException) for base in known)


def _arguments(call: ast.Call) -> Iterator[tuple[int | str, ast.expr]]:
    """Arguments by position or by name; what is unpacked has the name ""."""
    for position, argument in enumerate(call.args):
        yield ("", argument.value) if isinstance(argument, ast.Starred) else (position, argument)
    for keyword in call.keywords:
        yield keyword.arg or "", keyword.value


def _given(call: ast.Call, function: Function, wrapped: frozenset[str]) -> frozenset[str]:
    """Parameters of a function that are given one of the wrapped names, or the result of calling one."""
    node = function.scope.node
    if not isinstance(node, FUNCTIONS):
        return frozenset()
    names = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args)]
    names = names[1:] if function.receiver is not None else names
    found = set()
    for place, value in _arguments(call):
        if any(isinstance(inner, ast.Name) and inner.id in wrapped for inner in ast.walk(value)):
            if isinstance(place, str):
                found.add(place)
            elif place < len(names):
                found.add(names[place])
    return frozenset(found)
