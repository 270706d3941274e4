"""Handlers that catch a cancellation and go on as if nothing had happened.

``task.cancel()`` raises CancelledError at the ``await`` where a task waits. Who catches it there and doesn't
raise it again takes the cancellation back: the task goes on, ``timeout()`` and task groups never end it.
All on ast.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from asynclint.flow.expiry import TRIES, error_names
from asynclint.flow.notice import is_failure
from asynclint.flow.onward import JUMPS, WAITS, Course, Onward
from asynclint.flow.started import is_own, is_started
from asynclint.flow.swallowed import SILENCING
from asynclint.knowledge.asyncs import CANCELLED_ERRORS
from asynclint.project.called import always_raises
from asynclint.project.guards.tests import bases, test_of
from asynclint.project.project import Project
from asynclint.source.nodes import inside
from asynclint.source.outline import FUNCTIONS, Scope
from asynclint.source.written import called

ASYNCIO = frozenset({"asyncio.CancelledError", "asyncio.exceptions.CancelledError"})
EVERYTHING = frozenset({"BaseException"})
CATCHING = EVERYTHING | CANCELLED_ERRORS
# What a handler asks to know whose cancellation it has.
DEALING = frozenset({"cancelling", "uncancel", "cancelled", "cancel_called", "current_task"})
LOGGING = frozenset(
    [
        "debug",
        "info",
        "warning",
        "error",
        "exception",
        "critical",
        "log",
        "print",
        "repr",
        "str",
        "format",
        "getattr",
        "type",
        "isinstance",
    ]
)
STUBBORN = re.compile(
    r"stubborn|ignor|resist|swallow|uncancel|suppress|shield|refus|catch|disobe|survive|immune|cancel",
    re.IGNORECASE,
)
SPEAKS = re.compile(
    r"expected|on purpose|intention|deliberate|ignor|swallow|suppress|silen|treated as|normal|by design"
    r"|is fine|without re-?rais|(don't|not|never) re-?rais|clean(ly)? exit|exit clean",
    re.IGNORECASE,
)
# Of a docstring.
SAYS_SO = re.compile(
    r"(ignor|swallow|resist|refus|surviv)[^.]*cancel|cancel[^.]*(ignor|swallow|resist|refus|surviv)",
    re.IGNORECASE | re.DOTALL,
)
# A docstring of what goes on until it is cancelled.
UNTIL = re.compile(
    r"(stop|until|unless|end(less)?\b|for ?ever|indefinite)[^:]*cancel", re.IGNORECASE | re.DOTALL
)
ENDLESS = re.compile(r"forever|^wait$|^sleep$|^pause$|^idle$|^park$|wait_closed|^join$")
LEAVING = frozenset({"exit", "_exit", "skip", "xfail"})


class Swallowing(NamedTuple):
    """A handler that takes a cancellation back, what of it waits, and how the function goes on.

    ``final`` is the ``finally`` of the same ``try``.
    """

    handler: ast.ExceptHandler
    wait: ast.AST
    onward: Onward
    scope: Scope
    final: list[ast.stmt]


def swallowing(function: Scope, project: Project) -> Iterator[Swallowing]:
    """The handlers of a coroutine function (nested ones aside) that swallow its own cancellation."""
    course = Course(function)
    for block in course.nodes:
        handler = _catches(block, function, project) if isinstance(block, TRIES) else None
        waits = _waits(block) if handler is not None else []
        if handler is None or not waits or course.in_cleanup(block):
            continue
        if not _is_meant(block, handler, waits, course, function, project):
            final: list[ast.stmt] = block.finalbody  # type: ignore[attr-defined]
            yield Swallowing(handler, waits[0], course.onward(block, handler), function, final)


def _waits(block: ast.AST) -> list[ast.AST]:
    """Where a cancellation can arrive in a ``try``: not where a guard is entered."""
    return [
        node
        for node in inside(block.body)  # type: ignore[attr-defined]
        if isinstance(node, WAITS) and not (isinstance(node, ast.AsyncWith) and _is_guard(node))
    ]


def _is_guard(entered: ast.AsyncWith) -> bool:
    calls = (item.context_expr for item in entered.items)
    return all(isinstance(call, ast.Call) and "timeout" in called(call) for call in calls)


def catches_everything(handler: ast.ExceptHandler, function: Scope, project: Project) -> bool:
    """Whether it catches all errors: it is bare, of BaseException, or of Exception and CancelledError."""
    names = error_names(handler.type, function, project)
    return bool(names & EVERYTHING) or ("Exception" in names and bool(names & ASYNCIO))


def _catches(block: ast.AST, function: Scope, project: Project) -> ast.ExceptHandler | None:
    """The first handler that a cancellation comes to, if it doesn't raise."""
    for handler in block.handlers:  # type: ignore[attr-defined]
        if error_names(handler.type, function, project) & CATCHING:
            ends = any(_leaves_for_good(node, function, project) for node in inside(handler.body))
            return None if ends else handler
    return None


def _leaves_for_good(node: ast.AST, function: Scope, project: Project) -> bool:
    if isinstance(node, ast.Raise) or is_failure(node):
        return True
    if not isinstance(node, ast.Call):
        return False
    if called(node) in LEAVING or ast.unparse(node.func) == "os.abort":
        return True
    return always_raises(node, function, project)


def _is_meant(
    block: ast.AST,
    handler: ast.ExceptHandler,
    waits: list[ast.AST],
    course: Course,
    function: Scope,
    project: Project,
) -> bool:
    """Whether the handler is for somebody else's cancellation, hands it on, or says that it is on purpose."""
    if _is_stubborn(function) or _is_explained(handler, function) or _cancels_itself(function, project):
        return True
    reaction = inside(handler.body)
    in_tests = project.is_test_code(function.outline.path)
    if in_tests and any(isinstance(node, ast.Raise) for node in inside(block.body)):  # type: ignore[attr-defined]
        return True  # raised to be caught
    if handler.name is not None and _hands_on(handler.name, reaction):
        return True
    if any(isinstance(node, ast.Call) and called(node) == "exc_info" for node in reaction):
        return True
    if _keeps_in_mind(handler, reaction, course, function):
        return True
    if any(_deals_with(node, course) for node in reaction) or _cancels_later(handler, course):
        return True
    named = not catches_everything(handler, function, project)
    tasks = any(_is_other_task(node, course) for node in waits)
    careless = all(isinstance(statement, ast.Pass) for statement in handler.body)
    if careless and named and any(_is_shielded(node) for node in waits):
        return True
    if (named or tasks) and 0 < course.cancels <= handler.lineno:
        return True
    if named and "KeyboardInterrupt" in error_names(handler.type, function, project):  # Ctrl-C
        return True
    for node in waits:
        written = ast.unparse(node.value) if isinstance(node, ast.Await) and course.cancelled else ""
        if 0 < course.cancelled.get(written, 0) <= handler.lineno:
            return True
    return (tasks and (named or careless)) or any(_only_cancelled(node, waits) for node in waits)


def _cancels_later(handler: ast.ExceptHandler, course: Course) -> bool:
    """``raise CancelledError`` further down, when all is in order."""
    raised = (node.exc for node in course.nodes if isinstance(node, ast.Raise) and node.exc is not None)
    return any(error.lineno > handler.lineno and "CancelledError" in ast.unparse(error) for error in raised)


def _deals_with(node: ast.AST, course: Course) -> bool:
    """``task.cancelling()``, ``task.cancelled()``; not of a future that the function made to wait for it."""
    if not isinstance(node, ast.Attribute) or node.attr not in DEALING:
        return False
    return node.attr != "cancelled" or ast.unparse(node.value) not in course.futures


def _keeps_in_mind(
    handler: ast.ExceptHandler, reaction: list[ast.AST], course: Course, function: Scope
) -> bool:
    """``cancelled = True`` for somebody to look at: a variable of a function outside, or a test below.

    ``self.closed = True`` in a ``while not self.closed``.
    """
    targets = (target for node in reaction if isinstance(node, ast.Assign) for target in node.targets)
    names = {ast.unparse(target) for target in targets if isinstance(target, (ast.Name, ast.Attribute))}
    if names & function.facts.outer.keys():
        return True
    if course.flags:
        names |= {name for node in reaction for name in _set_by(node, function)}
    return any(course.looked_at.get(name, 0) > handler.lineno for name in names)


def _set_by(node: ast.AST, function: Scope) -> Iterator[str]:
    """What ``self.close()``, a method of the same class, sets on ``self``, as written."""
    owner = next((s.enclosing_class for s in function.around() if s.enclosing_class is not None), None)
    if owner is None or not isinstance(node, ast.Call) or not is_own(node.func):
        return
    for method in owner.facts.scopes:
        if method.is_function and isinstance(node.func, ast.Attribute) and method.name == node.func.attr:
            yield from (ast.unparse(target) for target, _ in method.facts.attributes)


def _is_stubborn(function: Scope) -> bool:
    """``async def stubborn()``, ``class Stubborn``, or a docstring that says so of one of them."""
    said = [function, function.enclosing_class] if function.enclosing_class is not None else [function]
    for scope in said:
        if scope is None or isinstance(scope.node, (ast.Lambda, ast.Module)):
            continue
        if STUBBORN.search(scope.name) or SAYS_SO.search(ast.get_docstring(scope.node) or ""):
            return True
    return False


def _cancels_itself(function: Scope, project: Project) -> bool:
    """Whether a class keeps the task that runs in it (``current_task()``), and cancels it itself."""
    owner = function.enclosing_class
    for cls in bases(owner, project).project if owner is not None else ():
        methods = [scope for scope in cls.facts.scopes if scope.is_function]
        kept = {
            target.attr
            for method in methods
            for target, value in method.facts.attributes
            if _is_current(value)
        }
        kept |= {
            parameter.arg
            for method in methods
            if any(_is_current(b.value) for found in method.bindings.values() for b in found)
            for other in methods  # signals.add(self.interrupt, current)
            for parameter in other.parameters
        }
        calls = (call.func for method in methods for call in method.facts.calls if called(call) == "cancel")
        receivers = (func.value for func in calls if isinstance(func, ast.Attribute))
        if any(getattr(receiver, "attr", getattr(receiver, "id", "")) in kept for receiver in receivers):
            return True
    return False


def _is_current(value: ast.expr | None) -> bool:
    """``asyncio.current_task()``."""
    return isinstance(value, ast.Call) and called(value) == "current_task"


def _is_explained(handler: ast.ExceptHandler, function: Scope) -> bool:
    every = function.outline.text.lines
    lines = every[handler.lineno - 1 : handler.end_lineno]
    above = handler.lineno - 2
    while above > 0 and every[above].lstrip().startswith("#"):
        lines.append(every[above])
        above -= 1
    comments = (line.partition("#")[2] for line in lines)
    return any(SPEAKS.search(comment) and not SILENCING.match(comment) for comment in comments)


def _hands_on(name: str, reaction: Iterable[ast.AST]) -> bool:
    """``errors.append(exc)``, ``future.set_exception(exc)``, ``failure = exc``; not to a log."""
    for node in reaction:
        if isinstance(node, ast.Call) and not _logs(node):
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            if any(isinstance(value, ast.Name) and value.id == name for value in given):
                return True
        value = node.value if isinstance(node, (ast.Assign, ast.Return, ast.AnnAssign)) else None
        if value is not None and _holds(value, name):
            return True
    return False


def _holds(value: ast.expr, name: str) -> bool:
    """Whether a value has an error in it; ``getattr(error, "args")`` has not."""
    if isinstance(value, ast.Call) and _logs(value):
        return False
    if isinstance(value, ast.Name):
        return value.id == name
    return any(_holds(part, name) for part in ast.iter_child_nodes(value) if isinstance(part, ast.expr))


def _logs(call: ast.Call) -> bool:
    return called(call) in LOGGING


def _is_other_task(wait: ast.AST, course: Course) -> bool:
    """``await task``: it may be that one which was cancelled; not a future that the function made."""
    value = wait.value if isinstance(wait, ast.Await) else None
    if isinstance(value, ast.Call) and called(value) in ("gather", "wait_for"):
        given = value.args[0] if value.args else None
        value = given.value if isinstance(given, ast.Starred) else given
    if not isinstance(value, (ast.Name, ast.Attribute, ast.Subscript)):
        return False
    return ast.unparse(value) not in course.futures


def _is_shielded(wait: ast.AST) -> bool:
    """``await shield(…)``: it is to go on, cancelled or not."""
    value = wait.value if isinstance(wait, ast.Await) else None
    return isinstance(value, ast.Call) and called(value) == "shield"


def _only_cancelled(wait: ast.AST, waits: list[ast.AST]) -> bool:
    """``await asyncio.Event().wait()``, ``await sleep(inf)`` alone: only a cancellation ends it."""
    value = wait.value if isinstance(wait, ast.Await) else None
    if len(waits) != 1 or not isinstance(value, ast.Call) or not ENDLESS.search(called(value)):
        return False
    if called(value) != "sleep":
        receiver = value.func.value if isinstance(value.func, ast.Attribute) else None
        return called(value) != "wait" or isinstance(receiver, ast.Call)
    return bool(value.args) and ("inf" in ast.unparse(value.args[0]) or _is_long(value.args[0]))


def _is_long(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and isinstance(value.value, (int, float)) and value.value >= 1000


def is_mistake(found: Swallowing, unit: Scope, project: Project) -> bool:
    """Whether nobody can want a coroutine to go on so; ``unit`` is its outermost function.

    To go on waiting is a mistake wherever a cancellation arrives just once. To end behind the handler is
    one where a caller awaits the coroutine, and takes it for done.
    """
    names = error_names(found.handler.type, found.scope, project)
    everything = catches_everything(found.handler, found.scope, project)
    outline = found.scope.outline
    of_trio = outline.imports("trio") and "asyncio" not in unit.source
    if of_trio or not (everything or names & ASYNCIO):
        return False  # anyio's and trio's comes again at each wait
    if outline.imports("twisted") and not outline.imports("asyncio"):
        return False  # what cancels a Deferred is an Exception like others
    in_tests = project.is_test_code(found.scope.outline.path)
    if in_tests and found.scope is not unit:  # a local coroutine that catches it by name is written to do so
        return everything and found.onward is Onward.LOOP
    if in_tests and test_of(unit, project) is not None:  # what cancels a test is its guard: ASL106's matter
        return False
    body = found.handler.body
    if found.onward is Onward.LOOP:
        return not any(_ends_on_condition(statement) for statement in body)
    decided = any(isinstance(node, JUMPS) for node in body)
    if not everything and decided and found.onward is Onward.WAIT:  # ends its loop, and puts things in order
        return False
    if found.onward is Onward.WAIT:  # a task that puts things in order before it ends is right
        return everything or not (in_tests or is_started(found.scope, project))
    if in_tests or (not everything and UNTIL.search(_doc(found.scope))):
        return False
    if not everything and (decided or found.scope is not unit):
        return False
    if found.scope is not unit and not _is_used(found.scope, unit):
        return False
    gives = any(node.value is not None for node in found.scope.facts.returns)
    if not everything and not gives and _closes_down(found):
        return False
    return (everything and gives and not decided) or not is_started(found.scope, project, surely=gives)


def _doc(function: Scope) -> str:
    node = function.node
    return (ast.get_docstring(node) or "") if isinstance(node, FUNCTIONS) else ""


def _ends_on_condition(statement: ast.stmt) -> bool:
    """``if self.stopped: return``: it is known which cancellations are to stop it."""
    return isinstance(statement, ast.If) and any(
        isinstance(node, (ast.Return, ast.Break)) for node in inside(statement.body)
    )


def _closes_down(found: Swallowing) -> bool:
    """Whether a cancellation is how a function is told to end: it says so, or waits until all is in order.

    Who tidies up at once, and doesn't raise, has forgotten it.
    """
    body = found.handler.body
    if any(isinstance(node, WAITS) for node in inside([*body, *found.final])):
        return True
    return all(isinstance(statement, ast.Pass) or _is_remark(statement) for statement in body)


def _is_remark(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.If):  # if not transport.interrupted: log.exception("…")
        return all(_is_remark(inner) for inner in (*statement.body, *statement.orelse))
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) or (isinstance(value, ast.Call) and _logs(value))


def _is_used(function: Scope, unit: Scope) -> bool:
    """Whether an outermost function does something with a local one."""
    return any(isinstance(node, ast.Name) and node.id == function.name for node in ast.walk(unit.node))
