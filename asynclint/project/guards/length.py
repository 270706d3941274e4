"""How long a new guard must be so as not to cut short what it surrounds."""

from __future__ import annotations

import ast
import math

from asynclint.knowledge.asyncs import BOUNDED_CALLS, DEADLINES, GUARD_CALLS, GUARD_CONTEXTS, SLEEPS
from asynclint.project.guards.loops import repeats
from asynclint.project.guards.seconds import UNREAD, Environment, Number, Unread, argument, bind, number
from asynclint.project.index.values import Function
from asynclint.project.names import chain
from asynclint.project.project import Project
from asynclint.source.outline import Scope

MARGIN = 10.0  # seconds on top of the bounds and sleeps inside
POLL = 1.0  # seconds; a shorter sleep in a loop of unknown length is a poll
MAX_DEPTH = 4


class UnreadLengthError(Exception):
    """A bound or sleep inside can't be read; ``str()`` is its text."""


def guard_seconds(function: Scope, project: Project) -> float:
    """Seconds for a guard round a function's body: the setting, or more where the body may take longer.

    Raises UnreadLengthError where a bound or sleep inside can't be read.
    """
    inside = longest(function, project)
    wanted = project.settings.guard_seconds
    return wanted if inside + MARGIN <= wanted or inside == 0 else float(math.ceil(inside + MARGIN))


def longest(function: Scope, project: Project, given: Environment | None = None, depth: int = 0) -> float:
    """Sum of the sleeps and bounds in a function and in what is nested in it, in seconds.

    What a loop holds counts as often as the loop runs. Where that can't be told, short sleeps (a
    poll) count once; UnreadLengthError is raised for longer ones, but not in nested functions,
    which may well run beside the test and not in it.
    """
    total = 0.0
    for scope in function.nested():
        times = repeats(scope, project, given)
        for call in scope.facts.calls:
            seconds = _call_length(call, scope, project, given, depth)
            count = times.get(id(call), 1.0)
            if math.isnan(count):
                if seconds >= POLL and scope is function:
                    message = f"{ast.unparse(call)} in a loop"
                    raise UnreadLengthError(message)
                count = 1.0
            total += seconds * count
    return total


def _call_length(
    call: ast.Call, scope: Scope, project: Project, given: Environment | None, depth: int
) -> float:
    names = chain(call.func, scope, project.modules)
    if any(name in SLEEPS for name in names):
        seconds = number(argument(call, 0, "delay", "seconds"), scope, project, given)
    elif any(name in DEADLINES for name in names):
        raise UnreadLengthError(ast.unparse(call))
    elif any(name in GUARD_CONTEXTS for name in names):
        seconds = (
            number(call.args[0] if call.args else None, scope, project, given)
            if call.args
            else _only(call, scope, project, given)
        )
    elif any(name in GUARD_CALLS for name in names):
        seconds = number(argument(call, 1, "timeout"), scope, project, given)
    elif any(name in BOUNDED_CALLS for name in names):
        stated = argument(call, -1, "timeout")
        seconds = None if stated is None else number(stated, scope, project, given)
    else:
        argued = _timeout_argument(call, scope, project, given)
        return max(argued, _helper_length(call, scope, project, given, depth))
    if isinstance(seconds, Unread):
        raise UnreadLengthError(ast.unparse(call))
    return 0.0 if seconds is None or math.isinf(seconds) else max(seconds, 0.0)


def _only(call: ast.Call, scope: Scope, project: Project, given: Environment | None) -> Number:
    return number(call.keywords[0].value, scope, project, given) if call.keywords else UNREAD


def _timeout_argument(call: ast.Call, scope: Scope, project: Project, given: Environment | None) -> float:
    """``client.get(url, timeout=60)``: no bound of the test, but what it may well take."""
    for keyword in call.keywords:
        if keyword.arg in ("timeout", "delay"):
            seconds = number(keyword.value, scope, project, given)
            if isinstance(seconds, float) and not math.isinf(seconds):
                return max(seconds, 0.0)
    return 0.0


def _helper_length(
    call: ast.Call, scope: Scope, project: Project, given: Environment | None, depth: int
) -> float:
    """What a helper of the tests that is called may take."""
    if depth >= MAX_DEPTH:
        return 0.0
    value = project.inference.value(call.func, scope)
    if not isinstance(value, Function) or value.scope.outline.is_stub:
        return 0.0
    if _encloses(value.scope, scope) or not project.is_test_code(value.scope.outline.path):
        return 0.0  # nested functions are counted with the function they are in
    inner = bind(call, value.scope, scope, project, bound=value.receiver is not None, given=given)
    return longest(value.scope, project, inner, depth + 1)


def _encloses(inner: Scope, scope: Scope) -> bool:
    """Whether a called function is nested in the function that is measured, or is that function."""
    outermost = scope
    while outermost.parent is not None and (outermost.parent.is_function or _in_function(outermost.parent)):
        outermost = outermost.parent
    around: Scope | None = inner
    while around is not None:
        if around is outermost:
            return True
        around = around.parent
    return False


def _in_function(scope: Scope) -> bool:
    while scope.parent is not None:
        scope = scope.parent
        if scope.is_function:
            return True
    return False
