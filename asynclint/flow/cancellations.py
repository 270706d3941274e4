"""Handlers that catch a cancellation and go on as if nothing had happened.

``task.cancel()`` raises CancelledError at the ``await`` where a task waits. Who catches it there and doesn't
raise it again takes the cancellation back: the task goes on, ``timeout()`` and task groups never end it.
All on ast.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from asynclint.flow.expiry import LOOPS, TRIES, error_names, inside, own_nodes
from asynclint.flow.notice import called, is_failure
from asynclint.knowledge.asyncs import CANCELLED_ERRORS
from asynclint.project.guards.tests import test_of
from asynclint.project.project import Project
from asynclint.source.outline import FUNCTIONS, Scope

ASYNCIO = frozenset({"asyncio.CancelledError", "asyncio.exceptions.CancelledError"})
EVERYTHING = frozenset({"BaseException"})
CATCHING = EVERYTHING | CANCELLED_ERRORS
WAITS = (ast.Await, ast.AsyncFor, ast.AsyncWith)
# What ends another task before one awaits it, and what a handler asks to know whose cancellation it has.
CANCELLING = frozenset({"cancel", "cancelled", "cancel_called", "throw", "cancel_all"})
DEALING = frozenset({"cancelling", "uncancel", "cancelled", "cancel_called", "current_task"})
STUBBORN = re.compile(
    r"stubborn|ignor|resist|swallow|uncancel|suppress|shield|refus|catch|disobe|survive|immune|cancel",
    re.IGNORECASE,
)
SPEAKS = re.compile(
    r"expected|on purpose|intention|deliberate|ignor|swallow|suppress|silen|treated as|normal|by design"
    r"|is fine|without re-?rais|(don't|not|never) re-?rais|clean(ly)? exit|exit clean",
    re.IGNORECASE,
)
ENDLESS = re.compile(r"forever|^wait$|^sleep$|^pause$|^idle$|^park$|wait_closed|^join$")
LEAVING = frozenset({"exit", "_exit", "abort", "skip", "xfail"})


class Onward(Enum):
    """How a function goes on behind a handler that swallows a cancellation."""

    LOOP = "the loop goes on"
    WAIT = "the function waits again"
    RETURN = "the function returns as if it had been done"


@dataclass(frozen=True, slots=True)
class Swallowing:
    """A handler that takes a cancellation back, what of it waits, and how the function goes on."""

    handler: ast.ExceptHandler
    wait: ast.AST
    onward: Onward
    scope: Scope


def swallowing(function: Scope, project: Project) -> Iterator[Swallowing]:
    """The handlers of a coroutine function (nested ones aside) that swallow its own cancellation."""
    nodes = own_nodes(function)
    tries = [node for node in nodes if isinstance(node, TRIES)]
    handlers = [
        (block, found) for block in tries if (found := _catches(block, function, project)) is not None
    ]
    if not handlers:
        return
    places = _Places(function)
    for block, handler in handlers:
        waits = _waits(block)
        if not waits or places.in_cleanup(block) or _is_meant(block, handler, function, nodes, project):
            continue
        onward = places.onward(block, handler)
        if onward is not None:
            yield Swallowing(handler, waits[0], onward, function)


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
            ends = any(_leaves_for_good(node) for node in inside(handler.body))
            return None if ends else handler
    return None


def _leaves_for_good(node: ast.AST) -> bool:
    if isinstance(node, ast.Raise) or is_failure(node):
        return True
    return isinstance(node, ast.Call) and called(node) in LEAVING


def _is_meant(
    block: ast.AST, handler: ast.ExceptHandler, function: Scope, nodes: list[ast.AST], project: Project
) -> bool:
    """Whether the handler is for somebody else's cancellation, hands it on, or says that it is on purpose."""
    if STUBBORN.search(function.name) or _is_explained(handler, function):
        return True
    body, reaction = inside(block.body), inside(handler.body)  # type: ignore[attr-defined]
    in_tests = project.is_test_code(function.outline.path)
    if in_tests and any(isinstance(node, ast.Raise) for node in body):  # raised to be caught
        return True
    if handler.name is not None and _hands_on(handler.name, reaction):
        return True
    if _keeps_in_mind(handler, reaction, nodes, function) or any(_names(n) & DEALING for n in reaction):
        return True
    waits = _waits(block)
    tasks = any(_is_other_task(node, function) for node in waits)
    careless = all(isinstance(statement, ast.Pass) for statement in handler.body)
    named = not catches_everything(handler, function, project)
    before = [node for node in nodes if node.lineno <= handler.lineno]  # type: ignore[attr-defined]
    if named and any(_names(node) & CANCELLING for node in before):
        return True
    asked = {ast.unparse(n.value) for n in before if isinstance(n, ast.Attribute) and n.attr == "cancel"}
    if any(isinstance(node, ast.Await) and ast.unparse(node.value) in asked for node in waits):
        return True
    return (tasks and (named or careless)) or any(_only_cancelled(node, waits) for node in waits)


def _names(node: ast.AST) -> set[str]:
    return {node.attr} if isinstance(node, ast.Attribute) else set()


def _keeps_in_mind(
    handler: ast.ExceptHandler, reaction: list[ast.AST], nodes: list[ast.AST], function: Scope
) -> bool:
    """``cancelled = True`` for somebody to look at: a variable of a function outside, or a test below."""
    targets = (target for node in reaction if isinstance(node, ast.Assign) for target in node.targets)
    names = {target.id for target in targets if isinstance(target, ast.Name)}
    if names & function.facts.outer.keys():
        return True
    asking = (ast.If, ast.While, ast.IfExp, ast.Assert)
    for node in nodes:
        later = node.lineno > handler.lineno  # type: ignore[attr-defined]
        asked = node.test if isinstance(node, asking) and (later or isinstance(node, ast.While)) else None
        if isinstance(node, (ast.Return, ast.Raise)) and later:
            asked = node.value if isinstance(node, ast.Return) else node.exc
        if asked is not None and any(getattr(part, "id", "") in names for part in ast.walk(asked)):
            return True
    return False


def _is_explained(handler: ast.ExceptHandler, function: Scope) -> bool:
    every = function.outline.text.lines
    lines = every[handler.lineno - 1 : handler.end_lineno]
    above = handler.lineno - 2
    while above > 0 and every[above].lstrip().startswith("#"):
        lines.append(every[above])
        above -= 1
    comments = (line.partition("#")[2] for line in lines)
    return any(SPEAKS.search(comment) for comment in comments)


def _hands_on(name: str, reaction: Iterable[ast.AST]) -> bool:
    """``errors.append(exc)``, ``future.set_exception(exc)``, ``failure = exc``; not to a log."""
    for node in reaction:
        if isinstance(node, ast.Call) and not _logs(node):
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            if any(isinstance(value, ast.Name) and value.id == name for value in given):
                return True
        value = node.value if isinstance(node, (ast.Assign, ast.Return, ast.AnnAssign)) else None
        if value is not None and any(getattr(part, "id", "") == name for part in ast.walk(value)):
            return True
    return False


def _logs(call: ast.Call) -> bool:
    names = {
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
    }
    return called(call) in names


def _is_other_task(wait: ast.AST, function: Scope) -> bool:
    """``await task``: it may be that one which was cancelled; not a future that the function made."""
    value = wait.value if isinstance(wait, ast.Await) else None
    if isinstance(value, ast.Call) and called(value) in ("gather", "wait_for"):
        given = value.args[0] if value.args else None
        value = given.value if isinstance(given, ast.Starred) else given
    if not isinstance(value, (ast.Name, ast.Attribute, ast.Subscript)):
        return False
    written = ast.unparse(value)
    for node in own_nodes(function):
        if isinstance(node, ast.Assign) and any(ast.unparse(target) == written for target in node.targets):
            return not (
                isinstance(node.value, ast.Call) and called(node.value) in ("create_future", "Future")
            )
    return True


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


class _Places:
    """Where the statements of one function stand."""

    def __init__(self, function: Scope) -> None:
        self.function = function
        self.parents: dict[ast.AST, tuple[ast.AST, str]] = {}
        stack: list[ast.AST] = [function.node]
        while stack:
            node = stack.pop()
            for name, value in ast.iter_fields(node):
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, (ast.stmt, ast.ExceptHandler, ast.match_case)):
                        self.parents[child] = node, name
                        if not isinstance(child, (*FUNCTIONS, ast.ClassDef)):
                            stack.append(child)

    def in_cleanup(self, statement: ast.AST) -> bool:
        """Whether it stands in a ``finally`` or a handler: what went before has ended in some way."""
        while statement in self.parents:
            statement, name = self.parents[statement]
            if name == "finalbody" or isinstance(statement, ast.ExceptHandler):
                return True
        return False

    def onward(self, block: ast.AST, handler: ast.ExceptHandler) -> Onward | None:
        """What the function does once the handler is done; None where it just ends."""
        loops = self._loops(block)
        exits = [self._kind(node) for node in inside(handler.body) if isinstance(node, _JUMPS)]
        falls = not handler.body or not isinstance(handler.body[-1], _JUMPS)
        if (falls or "continue" in exits) and loops and self._repeats(block, loops[0]):
            return Onward.LOOP
        behind: list[ast.stmt] = []
        if falls:
            behind = self._behind(block, None)
        elif exits and exits[-1] == "break" and loops:
            behind = self._behind(loops[0], None)
        if any(isinstance(node, WAITS) for node in inside(behind)):
            return Onward.WAIT
        return Onward.RETURN

    def _kind(self, node: ast.AST) -> str:
        return type(node).__name__.lower()

    def _loops(self, statement: ast.AST) -> list[ast.AST]:
        found: list[ast.AST] = []
        while statement in self.parents:
            inner, (statement, name) = statement, self.parents[statement]
            if isinstance(statement, LOOPS) and name == "body":
                found.append(statement)
            del inner
        return found

    def _repeats(self, block: ast.AST, loop: ast.AST) -> bool:
        """Whether the loop goes round again: nothing that follows ends it."""
        follows = self._behind(block, loop)
        return not any(isinstance(statement, (ast.Break, ast.Return, ast.Raise)) for statement in follows)

    def _behind(self, statement: ast.AST, stop: ast.AST | None) -> list[ast.stmt]:
        """The statements that run after one, up to the end of ``stop`` or of the function."""
        found: list[ast.stmt] = []
        while statement in self.parents and statement is not stop:
            parent, name = self.parents[statement]
            held = getattr(parent, name)
            if isinstance(held, list) and name not in ("handlers", "cases"):
                found += held[held.index(statement) + 1 :]
            statement = parent
        return found


_JUMPS = (ast.Break, ast.Continue, ast.Return)


def is_mistake(found: Swallowing, unit: Scope, project: Project) -> bool:
    """Whether nobody can want a coroutine to go on so; ``unit`` is its outermost function.

    To go on waiting is a mistake wherever a cancellation arrives just once. To end behind the handler is
    one where a caller awaits the coroutine, and takes it for done.
    """
    names = error_names(found.handler.type, found.scope, project)
    everything = catches_everything(found.handler, found.scope, project)
    if not everything and not names & ASYNCIO:  # anyio's and trio's comes again at each wait
        return False
    in_tests = project.is_test_code(found.scope.outline.path)
    if in_tests and found.scope is not unit:  # a local coroutine that catches it by name is written to do so
        return everything and found.onward is Onward.LOOP
    if in_tests and test_of(unit, project) is not None:  # what cancels a test is its guard: ASL106's matter
        return False
    if found.onward is Onward.LOOP:
        return True
    if _speaks_trio(found.scope) and any(isinstance(node, WAITS) for node in inside(found.handler.body)):
        return False
    if found.onward is Onward.WAIT:  # a task that puts things in order before it ends is right
        return everything or not (in_tests or _is_started(found.scope))
    if in_tests:
        return False
    decided = any(isinstance(node, _JUMPS) for node in found.handler.body)
    if not everything and (decided or found.scope is not unit):
        return False
    gives = any(node.value is not None for node in found.scope.facts.returns)
    return (everything and gives and not decided) or not _is_started(found.scope)


def _speaks_trio(scope: Scope) -> bool:
    return any(
        binding.module.partition(".")[0] == "trio"
        for bindings in scope.outline.scope.bindings.values()
        for binding in bindings
        if binding.kind in ("import", "from")
    )


# Calls that start what they are given, by their names.
STARTING = re.compile(
    r"task|future|spawn|start|soon|gather|wait$|completed|run|schedul|background|submit|add|later"
)


def _is_started(function: Scope) -> bool:
    """Whether its module hands on a coroutine function, or has a call of it start as a task."""
    for node in ast.walk(function.outline.tree):
        given: list[ast.expr] = []
        starts = True
        if isinstance(node, ast.Call):
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            starts = bool(STARTING.search(called(node)))
        elif isinstance(node, ast.Assign):
            given, starts = [node.value], _is_own(node.value)
        elif isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            given = node.elts
        elif isinstance(node, ast.ListComp):
            given = [node.elt]
        if any(_is_of(value, function, starts) for value in given):
            return True
    return False


def _is_of(value: ast.expr, function: Scope, starts: bool) -> bool:
    """Whether a value is the function, or a call of it; ``timeout.connect`` is no method of ours."""
    if isinstance(value, ast.Starred):
        value = value.value
    is_call = isinstance(value, ast.Call)
    target = value.func if isinstance(value, ast.Call) else value
    if is_call and not starts:
        return False
    if isinstance(target, ast.Name):
        return target.id == function.name and function.enclosing_class is None
    return isinstance(target, ast.Attribute) and target.attr == function.name and (is_call or _is_own(target))


def _is_own(value: ast.expr) -> bool:
    """``self.run`` and ``self.run()``; a name."""
    target = value.func if isinstance(value, ast.Call) else value
    receiver = target.value if isinstance(target, ast.Attribute) else target
    return isinstance(receiver, ast.Name) and (receiver is target or receiver.id in ("self", "cls"))
