"""Whether code of the project that runs a test (decorator, base class, hook) puts a bound round it."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple

from asynclint.knowledge.asyncs import BOUNDED_CALLS, CANCEL_SCOPES, GUARD_CALLS, GUARD_CONTEXTS, LOOP_RUNS
from asynclint.project.guards.contexts import context_guard
from asynclint.project.guards.handed import (
    beside,
    cancels,
    goes_on_waiting,
    mentions,
    receives,
    runs_in_turn,
    standing_for,
    starts_beside,
    wrapped_names,
)
from asynclint.project.guards.objects import method_of, method_of_self, object_of, receiving
from asynclint.project.guards.seconds import UNREAD, Environment, Number, Receiver, bind, number
from asynclint.project.guards.tests import bases
from asynclint.project.guards.timers import LATER, arms_timer, cancels_later, is_timer
from asynclint.project.index.modules import is_known_package
from asynclint.project.index.values import Class, Function, Instance, Value
from asynclint.project.names import Chain, chain, definition, known
from asynclint.project.project import Project
from asynclint.source.outline import FUNCTIONS, Scope
from asynclint.source.written import argument

MAX_DEPTH = 5
WAITING = GUARD_CALLS.keys() | BOUNDED_CALLS
ASYNC_STARTS = frozenset({"asyncio.run_coroutine_threadsafe", "asyncio.tasks.run_coroutine_threadsafe"})


class Bound(NamedTuple):
    """What ends a test when time is up.

    ``seconds`` may be unreadable; ``source`` says what it is (``@limited``, a configuration key);
    ``in_loop`` is False for what interrupts from outside the event loop (signals, timer threads).
    ``path`` and ``line`` (1-based) are where it stands, None and 0 where it has no place in a file.
    ``method`` is pytest-timeout's, empty for any other bound.
    """

    seconds: Number
    source: str
    in_loop: bool
    path: Path | None = None
    line: int = 0
    method: str = ""


class Unknown(NamedTuple):
    """Something reaches the test that could bound it and can't be read."""

    source: str


Verdict = Bound | Unknown | None
NOTHING: Final = None


def bound_at(node: ast.AST, scope: Scope, source: str, seconds: Number, *, in_loop: bool) -> Bound:
    """A bound that stands at a node of a scope's file."""
    return Bound(seconds, source, in_loop, scope.outline.path, getattr(node, "lineno", 0))


def is_listed(written: str, names: Chain, listed: tuple[str, ...]) -> bool:
    """Whether a setting names something: by its dotted name, as it is written, or by its last part."""
    return bool(listed) and any(
        name in listed or name.rpartition(".")[2] in listed for name in (written, *names)
    )


def project_function(target: ast.expr, scope: Scope, project: Project) -> Scope | None:
    """The def of the project that a name stands for, whatever decorators it has itself."""
    value = project.inference.value(target, scope)
    if isinstance(value, Function):
        return None if value.scope.outline.is_stub else value.scope
    found = definition(target, scope, project.modules)
    if found is None or not isinstance(found[0], FUNCTIONS):
        return None
    return found[1].child(found[0])


def mark_bound(
    call: ast.Call | None, scope: Scope, project: Project, given: Environment | None = None
) -> Verdict:
    """``pytest.mark.timeout(5)``, put on a test by code."""
    seconds = number(argument(call, 0, "timeout"), scope, project, given) if call is not None else None
    if call is None or seconds is None or (isinstance(seconds, float) and seconds <= 0):
        return NOTHING
    return bound_at(call, scope, "pytest.mark.timeout", seconds, in_loop=False)


def search(
    function: Scope,
    project: Project,
    given: Environment | None = None,
    owner: Scope | None = None,
    depth: int = 0,
) -> Verdict:
    """What a wrapper puts round what it wraps: in it, in what is nested in it, in project functions it calls.

    ``given`` is what its parameters stand for; ``owner`` the class of the test, where that is a method.
    A guard round something else is none. Unknown if the wrapper hands what it wraps to a function
    that can't be read (of another package that isn't asyncio, anyio, trio, the standard library or
    pytest, or one that it is given itself), or starts it and cancels it in a way that can't be told.
    """
    key = ("search", function, frozenset(given.items()) if given else None, owner, depth)
    return project.remembered(key, _Search(function, project, given or {}, owner, depth).verdict)


def method_bound(method: Scope, owner: Scope, project: Project) -> Verdict:
    """What a method of a test class, or of its metaclass, puts round the tests of the class ``owner``."""
    is_own = method.enclosing_class in bases(owner, project).project and bool(method.parameters)
    return search(method, project, {method.parameters[0].arg: Receiver(owner)} if is_own else None)


@dataclass(frozen=True)
class _Search:
    """One reading of a wrapper; each method says what one call of it does."""

    function: Scope
    project: Project
    given: Environment
    owner: Scope | None
    depth: int

    @cached_property
    def names(self) -> frozenset[str]:
        return standing_for(self.function, self.project)

    @cached_property
    def wrapped(self) -> set[str]:
        return wrapped_names(self.function)

    def verdict(self) -> Verdict:
        """The first bound; else what can't be read."""
        unknown: Verdict = NOTHING
        apart: Verdict = NOTHING
        for scope in self.function.nested():
            given = self._seen_from(scope)
            others = beside(scope, self.names)
            for call in scope.facts.calls:
                found = self._timer(call, scope, given)
                if found is NOTHING and (id(call) in others or self._waits_for_another(call, scope)):
                    apart = apart or self.guard(call, scope, given) or self._followed(call, scope, given)
                    found = self.armed(call, scope)
                elif found is NOTHING:
                    found = self.guard(call, scope, given) or self._started(call, scope, given)
                    found = found or self._followed(call, scope, given)
                if isinstance(found, Bound):
                    return found
                unknown = found or unknown
        if isinstance(apart, Bound) and not runs_in_turn(self.function, self.wrapped):
            unknown = unknown or Unknown(apart.source)
        return unknown

    def _seen_from(self, scope: Scope) -> Environment:
        """What names stand for in a function inside: parameters it doesn't hide, and the test's object."""
        given = dict(self.given)
        inside: Scope | None = scope
        while inside is not None and inside is not self.function:
            for arg in inside.parameters:
                given.pop(arg.arg, None)
            inside = inside.parent
        if self.owner is not None:
            given |= dict.fromkeys(self._own_objects(scope), Receiver(self.owner))
        return given

    def _own_objects(self, scope: Scope) -> set[str]:
        """Names of the object whose test is called as ``test(self)``, where a scope sees them."""
        found = set()
        for inner in self.function.nested():
            for call in inner.facts.calls:
                first = call.args[0] if call.args else None
                if (
                    isinstance(call.func, ast.Name)
                    and call.func.id in self.wrapped
                    and isinstance(first, ast.Name)
                ):
                    binding = inner.lookup(first.id)
                    if (
                        binding is not None
                        and binding[1][0].kind == "param"
                        and scope.lookup(first.id) == binding
                    ):
                        found.add(first.id)
        return found

    def _timer(self, call: ast.Call, scope: Scope, given: Environment) -> Verdict:
        """What ends the test whatever it stands round: timers, callbacks that cancel, marks."""
        names = chain(call.func, scope, self.project.modules)
        if is_timer(call, scope, self.project, given):
            return bound_at(call, scope, names[0], UNREAD, in_loop=False)
        if "pytest.mark.timeout" in names:
            return mark_bound(call, scope, self.project, given)
        if not isinstance(call.func, ast.Attribute) or call.func.attr not in LATER:
            return NOTHING
        if cancels_later(call, scope, self.project):
            return bound_at(call, scope, call.func.attr, UNREAD, in_loop=True)
        callback = call.args[1] if len(call.args) > 1 else None
        is_builtin = isinstance(callback, ast.Name) and scope.lookup(callback.id) is None
        is_read = is_builtin or self.project.inference.value(callback, scope) is not None
        return NOTHING if is_read or isinstance(callback, ast.Lambda) else Unknown(call.func.attr)

    def _waits_for_another(self, call: ast.Call, scope: Scope) -> bool:
        """``asyncio.wait_for(connect(), 5)``, where that is not what is wrapped."""
        name = known(call.func, scope, self.project.modules, WAITING)
        return bool(name) and not receives(call, self.names)

    def guard(self, call: ast.Call, scope: Scope, given: Environment) -> Verdict:
        """A guard that is round what is wrapped."""
        project = self.project
        names = chain(call.func, scope, project.modules)
        if any(name in GUARD_CONTEXTS or name in CANCEL_SCOPES for name in names):
            guard = context_guard(call, scope, project, given, self.depth)
            return _bound(call, scope, None if guard is None else guard.seconds, names[0])
        if any(name in GUARD_CALLS for name in names):
            seconds = number(argument(call, 1, "timeout"), scope, project, given)
            return _bound(call, scope, seconds, names[0])
        if any(name in BOUNDED_CALLS for name in names):
            limit = argument(call, -1, "timeout")
            if limit is None or goes_on_waiting(call, self.function):
                return NOTHING
            return _bound(call, scope, number(limit, scope, project, given), names[0])
        if not any(item.context_expr is call for statement in scope.facts.withs for item in statement.items):
            return NOTHING
        guard = context_guard(call, scope, project, given, self.depth)
        if guard is None:
            return NOTHING
        if project.inference.value(call.func, scope) is None:
            wider = self._with_installed(call.func, scope)
            read = NOTHING if wider is None else wider.guard(call, scope, given)
            return read or Unknown(ast.unparse(call.func))  # it only sounds like a guard
        return bound_at(call, scope, ast.unparse(call.func), guard.seconds, in_loop=guard.in_loop)

    def _started(self, call: ast.Call, scope: Scope, given: Environment) -> Verdict:
        """``task.cancel()``, ``thread.join(5)``, ``run_coroutine_threadsafe(…).result(timeout=5)``."""
        if cancels(call, scope, self.names):
            return Unknown(ast.unparse(call.func))
        func = call.func
        if not isinstance(func, ast.Attribute) or func.attr not in ("join", "result"):
            return NOTHING
        limit = argument(call, 0, "timeout")
        if limit is None or not mentions(func.value, self.names) or not starts_beside(self.function):
            return NOTHING
        seconds = number(limit, scope, self.project, given)
        if seconds is None:
            return NOTHING
        made, around = definition(func.value, scope, self.project.modules) or (func.value, scope)
        if isinstance(made, ast.Call) and known(made.func, around, self.project.modules, ASYNC_STARTS):
            return bound_at(call, scope, "run_coroutine_threadsafe", seconds, in_loop=False)
        return Unknown(ast.unparse(func))

    def armed(self, call: ast.Call, scope: Scope) -> Verdict:
        """A helper that is given nothing of what is wrapped can still start a timer."""
        value = self.project.inference.value(call.func, scope)
        if value is None:
            wider = self._with_installed(call.func, scope)
            return NOTHING if wider is None else wider.armed(call, scope)
        if not isinstance(value, Function) or value.scope.outline.is_stub:
            return NOTHING
        if not arms_timer(value.scope, self.project, self.depth):
            return NOTHING
        return bound_at(call, scope, value.scope.name, UNREAD, in_loop=False)

    def _followed(self, call: ast.Call, scope: Scope, given: Environment) -> Verdict:
        """What a function that is called, or handed on, with what is wrapped does."""
        found = self.of_callee(call, scope, given)
        if found is NOTHING and mentions(call, self.names):
            found = self._of_handed(call, scope)
        if isinstance(found, Bound) or (found is not NOTHING and receives(call, self.wrapped)):
            return found
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        if name in self.wrapped and receives(call, self.wrapped - {name}):
            return Unknown(name)
        return NOTHING

    def _called(self, call: ast.Call, scope: Scope, given: Environment) -> Value | None:
        """What is called; a method of the object's own class where that is known."""
        func = call.func
        if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name):
            receiver = given.get(func.value.id)
            if isinstance(receiver, Receiver):
                # of the test's own object, only what runs the test
                is_followed = func.value.id in self.wrapped or receives(call, self.wrapped)
                return method_of(receiver, func.attr, self.project) if is_followed else None
        return self.project.inference.value(func, scope) or method_of_self(func, scope, self.project)

    def of_callee(self, call: ast.Call, scope: Scope, given: Environment) -> Verdict:
        """What the function or object that is called does."""
        project, func = self.project, call.func
        if known(func, scope, project.modules, LOOP_RUNS):
            return NOTHING
        value = self._called(call, scope, given)
        if isinstance(value, Function) and not value.scope.outline.is_stub:
            if isinstance(func, ast.Call) and self._is_made_inside(func, value, scope):
                return NOTHING
            if self.depth >= MAX_DEPTH:
                return Unknown(ast.unparse(func))
            inner = bind(call, value.scope, scope, project, bound=value.receiver is not None, given=given)
            inner |= receiving(value, func, scope, project, given)
            return search(value.scope, project, inner, self.owner, self.depth + 1)
        if isinstance(value, Instance) or (isinstance(value, Class) and receives(call, self.wrapped)):
            if self.depth >= MAX_DEPTH:
                return Unknown(ast.unparse(func))
            cls = value.cls if isinstance(value, Instance) else value
            return object_bound(cls, func, scope, project, given, self.owner, self.depth + 1)
        names = chain(func, scope, project.modules)
        if value is not None or not names or is_known_package(names[0]):
            return NOTHING
        wider = self._with_installed(func, scope)
        read = NOTHING if wider is None else wider.of_callee(call, scope, given)
        return read if isinstance(read, Bound) else Unknown(names[0])

    def _with_installed(self, func: ast.expr, scope: Scope) -> _Search | None:
        """The same reading with installed packages, if what is called may be of one that isn't read yet."""
        names = chain(func, scope, self.project.modules)
        if not names or is_known_package(names[0]):
            return None
        wider = self.project.with_installed(scope.outline.directory)
        return replace(self, project=wider) if wider is not self.project else None

    def _is_made_inside(self, func: ast.Call, made: Function, scope: Scope) -> bool:
        """``within(5)(test)``: what ``within`` makes lies in it, and is read where it is called."""
        maker = self.project.inference.value(func.func, scope)
        return isinstance(maker, Function) and made.scope in maker.scope.nested()

    def _of_handed(self, call: ast.Call, scope: Scope) -> Verdict:
        """``partial(limited, test)``: a function of the project that is handed on with what is wrapped."""
        if self.depth >= MAX_DEPTH:
            return NOTHING
        inside = set(self.function.nested())
        for part in (*call.args, *(keyword.value for keyword in call.keywords)):
            value = (
                self.project.inference.value(part, scope)
                if isinstance(part, (ast.Name, ast.Attribute))
                else None
            )
            if isinstance(value, Function) and not value.scope.outline.is_stub and value.scope not in inside:
                found = search(value.scope, self.project, None, self.owner, self.depth + 1)
                if found is not NOTHING:
                    return found
        return NOTHING


def object_bound(
    cls: Class,
    expr: ast.expr,
    scope: Scope,
    project: Project,
    given: Environment | None = None,
    owner: Scope | None = None,
    depth: int = 0,
) -> Verdict:
    """What a class that is used as a decorator (``@Within``), or an object of one (``@Within(5)``), does."""
    if cls.scope.outline.is_stub:
        return NOTHING
    receiver = object_of(expr, scope, project, given)
    found = bases(cls.scope, project)
    methods = {method.name: method for base in reversed(found.project) for method in base.facts.scopes}
    for name in ("__call__", "__init__", "__get__"):
        method = methods.get(name)
        if method is None or not method.parameters:
            continue
        inner: dict[str, Number | Receiver] = {}
        if name == "__init__" and receiver is not None and isinstance(expr, ast.Call):
            inner = bind(expr, method, scope, project, bound=True, given=given)
        if receiver is not None:
            inner[method.parameters[0].arg] = receiver
        verdict = search(method, project, inner, owner, depth)
        if verdict is not NOTHING:
            return verdict
    if "__call__" in methods or not isinstance(expr, ast.Call):
        return NOTHING
    guard = context_guard(expr, scope, project, given, depth)  # a contextlib.ContextDecorator
    if guard is not None:
        return bound_at(expr, scope, cls.scope.name, guard.seconds, in_loop=guard.in_loop)
    return Unknown(cls.scope.name) if found.unknown else NOTHING


def _bound(call: ast.Call, scope: Scope, seconds: Number, source: str) -> Verdict:
    return NOTHING if seconds is None else bound_at(call, scope, source, seconds, in_loop=True)
