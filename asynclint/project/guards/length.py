"""How long a new guard must be so as not to cut short what it surrounds."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from asynclint.knowledge.asyncs import (
    BOUNDED_CALLS,
    DEADLINES,
    GUARD_CALLS,
    GUARD_CONTEXTS,
    SLEEPS,
    SLEEPS_UNTIL,
)
from asynclint.project import junit
from asynclint.project.guards.contexts import Guard
from asynclint.project.guards.loops import repeats
from asynclint.project.guards.seconds import Environment, Unread, bind, number
from asynclint.project.index.values import Function
from asynclint.project.names import chain, definition
from asynclint.project.project import Project
from asynclint.source.outline import Scope
from asynclint.source.written import argument, last_name

MARGIN = 10.0  # seconds on top of the bounds and sleeps inside
POLL = 1.0  # seconds; a shorter sleep in a loop of unknown length is a poll
MAX_DEPTH = 4
STARTING = frozenset({"create_task", "ensure_future"})
BESIDE = 10  # depths from here on are of functions that may run beside the test and not in it


class UnreadLengthError(Exception):
    """A bound or sleep inside can't be read; ``str()`` is its text."""


def guard_seconds(
    function: Scope,
    project: Project,
    given: Environment | None = None,
    test: Scope | None = None,
    within: Sequence[ast.stmt] | None = None,
) -> float:
    """Seconds for a guard round a function's body: as wanted, or more where the body may take longer.

    ``given`` holds the values of its parameters; ``test`` is the test that runs it, if it does not hold
    it; ``within`` are the statements that the guard surrounds, where these are not all. Raises
    UnreadLengthError where a bound or sleep inside can't be read.
    """
    calls = function.facts.calls
    if within is not None:
        inner = {id(node) for statement in within for node in ast.walk(statement)}
        calls = [call for call in calls if id(call) in inner]
    return long_enough(_sum(calls, function, project, given, 0), wanted_seconds(test or function, project))


def long_enough(inside: float, wanted: float) -> float:
    """The wanted seconds, or more where what is inside may take longer."""
    return wanted if inside + MARGIN <= wanted or inside == 0 else float(math.ceil(inside + MARGIN))


def wanted_seconds(function: Scope, project: Project) -> float:
    """Seconds for a guard in a test, whatever it does: by its measured time, or as the settings say."""
    settings = project.settings
    path = function.outline.path
    wanted = settings.guard_seconds_for(path)
    if not settings.guard_from_junit:
        return wanted
    measured = junit.read(settings.guard_from_junit).of(path, _outermost(function).qualname)
    if measured is None:
        return wanted
    found = max(settings.guard_junit_floor, _rounded_up(settings.guard_junit_factor * measured.seconds))
    return found if measured.passed else max(found, wanted)  # what was skipped or failed may take longer


def _outermost(function: Scope) -> Scope:
    """The function of the module or of a class that holds a nested one."""
    around = function.parent
    while around is not None and not around.is_class and around.parent is not None:
        function, around = around, around.parent
    return function


def _rounded_up(seconds: float) -> float:
    """Up to a number that reads well: 7, 35, 140, 720."""
    step = next((step for limit, step in ((10, 1), (60, 5), (600, 10)) if seconds <= limit), 60)
    return math.ceil(seconds / step) * step


def longest(function: Scope, project: Project, given: Environment | None = None, depth: int = 0) -> float:
    """Sum of the sleeps and bounds in a function and in what it calls of the tests, in seconds.

    What a loop holds counts as often as the loop runs. Where that can't be told, short sleeps (a
    poll) count once, and UnreadLengthError is raised for longer ones. Nested functions that are not
    called by name (handlers, tasks) count once, with their parameters' defaults.
    """
    key = ("longest", function, frozenset(given.items()) if given else None, depth)

    def found() -> float | UnreadLengthError:
        try:
            return _sum(function.facts.calls, function, project, given, depth)
        except UnreadLengthError as error:
            return error

    answer = project.remembered(key, found)
    if isinstance(answer, UnreadLengthError):
        raise UnreadLengthError(str(answer))
    return answer


def _sum(
    calls: Sequence[ast.Call], function: Scope, project: Project, given: Environment | None, depth: int
) -> float:
    times = repeats(function, project, given)
    called: set[Scope] = set()
    cut_short = _cut_short(function)
    total = 0.0
    for call in calls:
        if id(call) in cut_short:
            called.update([scope for scope in function.facts.scopes if scope.name == last_name(call.func)])
            continue
        seconds = _call_length(call, function, project, given, depth, called)
        count = times.get(id(call), 1.0)
        if math.isnan(count):
            if seconds >= POLL and depth < BESIDE:
                message = f"{ast.unparse(call)} in a loop"
                raise UnreadLengthError(message)
            count = 1.0
        total += seconds * count
    for scope in function.facts.scopes:
        if scope not in called and depth < BESIDE + MAX_DEPTH:
            total += longest(scope, project, _defaults(scope, project), max(depth, BESIDE) + 1)
    return total


def _cut_short(function: Scope) -> set[int]:
    """``id`` of the calls that make the coroutine of a task which the function cancels by its name.

    ``task = asyncio.create_task(asyncio.sleep(3600))`` and ``task.cancel()``, or ``await cancelled(task)``.
    """
    ended: set[str] = set()
    for call in function.facts.calls:
        if "cancel" in last_name(call.func):
            owner = [call.func.value] if isinstance(call.func, ast.Attribute) else []
            ended.update(part.id for part in (*owner, *call.args) if isinstance(part, ast.Name))
    made = [function.bindings[name][0].value for name in ended if len(function.bindings.get(name, ())) == 1]
    tasks = [value for value in made if isinstance(value, ast.Call) and last_name(value.func) in STARTING]
    return {id(coroutine) for task in tasks for coroutine in task.args}


def check_guards(
    guards: Iterable[Guard], function: Scope, project: Project, given: Environment | None = None
) -> None:
    """Raise UnreadLengthError for a guard of a function's body that ``guard_seconds`` sees too little of.

    It reads calls; a guard may be made in a way that calls don't show (a class, another package).
    """
    for guard in guards:
        made = definition(guard.node, function, project.modules) or (guard.node, function)
        calls = [node for node in ast.walk(made[0]) if isinstance(node, ast.Call)]
        seen = sum(_call_length(call, made[1], project, given, 0, set()) for call in calls)
        if isinstance(guard.seconds, Unread) or (guard.seconds or 0.0) > seen:
            message = ast.unparse(guard.node)
            raise UnreadLengthError(message)


def _defaults(scope: Scope, project: Project) -> Environment | None:
    if not scope.is_function:
        return None
    return bind(
        ast.Call(func=ast.Name(id=scope.name), args=[], keywords=[]), scope, scope, project, bound=False
    )


def _call_length(
    call: ast.Call,
    scope: Scope,
    project: Project,
    given: Environment | None,
    depth: int,
    called: set[Scope],
) -> float:
    """Seconds that one call may take; adds to ``called`` the function that it measured."""
    names = chain(call.func, scope, project.modules)
    if "time.sleep" in names or any(name in SLEEPS for name in names):
        seconds = number(argument(call, 0, "delay", "seconds"), scope, project, given)
    elif any(name in DEADLINES or name in SLEEPS_UNTIL for name in names):
        raise UnreadLengthError(ast.unparse(call))
    elif any(name in GUARD_CONTEXTS for name in names):
        first = call.args[0] if call.args else (call.keywords[0].value if call.keywords else None)
        seconds = number(first, scope, project, given)
    elif any(name in GUARD_CALLS for name in names):
        seconds = number(argument(call, 1, "timeout"), scope, project, given)
    elif any(name in BOUNDED_CALLS for name in names):
        stated = argument(call, -1, "timeout")
        seconds = None if stated is None else number(stated, scope, project, given)
    elif isinstance(call.func, ast.Attribute) and call.func.attr == "call_later":
        delay = number(argument(call, 0, "delay"), scope, project, given)
        seconds = delay if isinstance(delay, float) else None
    elif handed := _handed_sleep(call, scope, project):
        seconds = number(handed, scope, project, given)
    else:
        argued = _timeout_argument(call, scope, project, given)
        return max(argued, _helper_length(call, scope, project, given, depth, called))
    if isinstance(seconds, Unread):
        raise UnreadLengthError(ast.unparse(call))
    return 0.0 if seconds is None or math.isinf(seconds) else max(seconds, 0.0)


def _handed_sleep(call: ast.Call, scope: Scope, project: Project) -> ast.expr | None:
    """The seconds in ``tg.start_soon(anyio.sleep, 31)`` or ``to_thread(time.sleep, 2)``."""
    for part, following in pairwise(call.args):
        if isinstance(part, (ast.Name, ast.Attribute)):
            names = chain(part, scope, project.modules)
            if "time.sleep" in names or any(name in SLEEPS for name in names):
                return following
    return None


def _timeout_argument(call: ast.Call, scope: Scope, project: Project, given: Environment | None) -> float:
    """``client.get(url, timeout=60)``: no bound of the test, but what it may well take."""
    for keyword in call.keywords:
        if keyword.arg in ("timeout", "delay"):
            seconds = number(keyword.value, scope, project, given)
            if isinstance(seconds, float) and not math.isinf(seconds):
                return max(seconds, 0.0)
    return 0.0


def _helper_length(
    call: ast.Call,
    scope: Scope,
    project: Project,
    given: Environment | None,
    depth: int,
    called: set[Scope],
) -> float:
    """What a helper of the tests that is called may take."""
    value = project.inference.value(call.func, scope)
    if not isinstance(value, Function) or value.scope.outline.is_stub or depth % BESIDE >= MAX_DEPTH:
        return 0.0
    if _holds(value.scope, scope) or not project.is_test_code(value.scope.outline.path):
        return 0.0
    called.add(value.scope)
    inner = bind(call, value.scope, scope, project, bound=value.receiver is not None, given=given)
    return longest(value.scope, project, inner, depth + 1)


def _holds(function: Scope, scope: Scope) -> bool:
    """Whether a call is in the function it calls: a recursion, whose depth nobody knows."""
    around: Scope | None = scope
    while around is not None and around is not function:
        around = around.parent
    return around is function
