"""What ends a test from outside its task: signals, threads, and callbacks that the loop runs later."""

from __future__ import annotations

import ast

from asynclint.knowledge.asyncs import PROCESS_ENDS, TIMERS
from asynclint.project.guards.seconds import Environment, number
from asynclint.project.index.values import Function, Instance
from asynclint.project.names import chain, known
from asynclint.project.project import Project
from asynclint.source.outline import Scope
from asynclint.source.written import argument

MAX_DEPTH = 4  # functions that call functions
LATER = frozenset({"call_later", "call_at"})
ENDS = frozenset({"cancel", "stop"})


def is_timer(call: ast.Call, scope: Scope, project: Project, given: Environment | None = None) -> bool:
    """Whether a call starts a timer outside the loop that ends the test: a signal, or a thread."""
    name = known(call.func, scope, project.modules, TIMERS)
    if not name:
        return _is_watchdog(call, scope, project)
    if name == "faulthandler.dump_traceback_later":  # says where it hangs; ends it only if told to
        leave = argument(call, 3, "exit")
        return leave is not None and number(leave, scope, project, given) != 0
    return number(argument(call, TIMERS[name], "interval"), scope, project, given) != 0  # 0 disarms


def _is_watchdog(call: ast.Call, scope: Scope, project: Project) -> bool:
    """``Thread(target=watch)``, where ``watch`` ends the process or raises a signal in it."""
    target = argument(call, 1, "target")
    if target is None or "threading.Thread" not in chain(call.func, scope, project.modules):
        return False
    watch = project.inference.value(target, scope)
    if not isinstance(watch, Function) or watch.scope.outline.is_stub:
        return False
    return any(
        known(inner.func, nested, project.modules, PROCESS_ENDS)
        for nested in watch.scope.nested()
        for inner in nested.facts.calls
    )


def arms_timer(function: Scope, project: Project, depth: int = 0) -> bool:
    """Whether a function starts a timer outside the loop, itself or through project functions."""
    return timer_of(function, project, depth) is not None


def timer_of(function: Scope, project: Project, depth: int = 0) -> tuple[ast.Call, Scope] | None:
    """The call that starts a timer outside the loop, and its scope: in a function, or in one it calls."""
    key = ("timer", function, depth)
    return project.remembered(key, lambda: _timer_of(function, project, depth))


def _timer_of(function: Scope, project: Project, depth: int) -> tuple[ast.Call, Scope] | None:
    for scope in function.nested():
        for call in scope.facts.calls:
            if is_timer(call, scope, project):
                return call, scope
            inner = project.inference.value(call.func, scope) if depth < MAX_DEPTH else None
            if not isinstance(inner, Function) or inner.scope.outline.is_stub or inner.scope is function:
                continue
            found = timer_of(inner.scope, project, depth + 1)
            if found is not None:
                return found
    return None


def cancels_later(call: ast.Call, scope: Scope, project: Project, receiver: Instance | None = None) -> bool:
    """``loop.call_later(5, task.cancel)``, whatever name the callback goes by.

    ``receiver`` is the object whose method makes the call, where its class is known exactly.
    """
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in LATER:
        return False
    return any(_cancels(argument, scope, project, receiver) for argument in call.args[1:2])


def _cancels(callback: ast.expr, scope: Scope, project: Project, receiver: Instance | None) -> bool:
    """Whether a callback is, or calls, a task's ``cancel`` or a loop's ``stop``."""
    if isinstance(callback, ast.Attribute) and callback.attr in ENDS:
        return True
    if isinstance(callback, ast.Lambda):
        calls = (node for node in ast.walk(callback) if isinstance(node, ast.Call))
        return any(_cancels(call.func, scope, project, receiver) for call in calls)
    found = scope.lookup(callback.id) if isinstance(callback, ast.Name) else None
    values = [binding.value for binding in found[1]] if found is not None else []
    if any(isinstance(value, ast.Attribute) and value.attr in ENDS for value in values):
        return True
    function = own_method(callback, scope, receiver, project) or project.inference.value(callback, scope)
    if not isinstance(function, Function) or function.scope.outline.is_stub:
        return False
    ends = [call.func for inner in function.scope.nested() for call in inner.facts.calls]
    return any(isinstance(func, ast.Attribute) and func.attr in ENDS for func in ends)


def own_method(func: ast.expr, method: Scope, receiver: Instance | None, project: Project) -> Function | None:
    """What ``self.name`` is in a method of an object whose class is known exactly."""
    if receiver is None or not isinstance(func, ast.Attribute) or not method.parameters:
        return None
    if not isinstance(func.value, ast.Name) or func.value.id != method.parameters[0].arg:
        return None
    found = project.inference.attribute(receiver, func.attr)
    return found if isinstance(found, Function) else None
