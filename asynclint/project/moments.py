"""When a function does what: the first time of each, by line; worked out once a function."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from asynclint.knowledge.asyncs import TASK_GROUPS
from asynclint.project.names import known
from asynclint.project.project import Project
from asynclint.source.nodes import end_of, start_of
from asynclint.source.outline import Scope
from asynclint.source.written import called

STOPS = re.compile(
    r"^_*(a?close|stop|shut_?down|cancel|terminate|kill|disconnect|tear_?down|quit|finish|dispose|abort|exit|set"
    r"|send_signal|release|put_nowait|call_soon_threadsafe)(_|$)",
    re.IGNORECASE,
)
STOP_FLAG = re.compile(r"stop|exit|quit|done|running|clos|shut|finish|alive|kill|end", re.IGNORECASE)
SENDING = ("connect", "create_connection", "send", "write")
NEVER = 10**9
LOOPS = (ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass
class Moments:
    """Lines of a function at which something happens for the first (or last) time; NEVER where it doesn't.

    ``calls`` are first calls by receiver, as it is written, and method; ``given`` the lines where something
    is an argument. ``stop`` is where something is told to stop, ``sent`` where something is sent.
    """

    calls: dict[tuple[str, str], ast.Call] = field(default_factory=dict)
    given: dict[str, int] = field(default_factory=dict)
    stop: int = NEVER
    sent: int = NEVER
    first_wait: int = NEVER
    last_wait: int = 0
    groups: list[tuple[int, int]] = field(default_factory=list)

    def has_called(self, receiver: str, method: str, call: ast.Call) -> bool:
        """Whether a method of the same object is called before a call."""
        first = self.calls.get((receiver, method))
        return first is not None and first is not call and first.lineno <= call.lineno

    def has_waited(self, call: ast.Call) -> bool:
        """Whether the loop could run before a call."""
        return self.first_wait < call.lineno

    def will_wait(self, call: ast.Call) -> bool:
        """Whether the loop could run behind a call."""
        return self.last_wait > call.lineno

    def is_in_group(self, call: ast.Call) -> bool:
        """Whether a call stands in the body of a task group, whose tasks then stand still."""
        return any(start <= call.lineno <= end for start, end in self.groups)


def moments(scope: Scope, project: Project) -> Moments:
    """The moments of one function's own body."""
    return project.remembered(("moments", scope), lambda: _moments(scope, project))


def loops_round(node: ast.expr, scope: Scope, project: Project) -> list[ast.AST]:
    """The loops and comprehensions of a function that an expression stands in."""
    key = ("loops", scope)
    loops = project.remembered(key, lambda: [n for n in ast.walk(scope.node) if isinstance(n, LOOPS)])
    return [loop for loop in loops if start_of(loop) <= start_of(node) <= end_of(loop)]


def _moments(scope: Scope, project: Project) -> Moments:
    found = Moments()
    for call in scope.facts.calls:
        name = called(call)
        if isinstance(call.func, ast.Attribute):
            found.calls.setdefault((ast.unparse(call.func.value), name), call)
        for argument in call.args:
            if isinstance(argument, (ast.Name, ast.Attribute)):
                found.given.setdefault(ast.unparse(argument), call.lineno)
        sentinel = name == "put" and bool(call.args) and isinstance(call.args[0], ast.Constant)  # put(None)
        if sentinel or STOPS.search(name):
            found.stop = min(found.stop, call.lineno)
        if name.startswith(SENDING):
            found.sent = min(found.sent, call.lineno)
    for target, value in scope.facts.attributes:
        if isinstance(value, ast.Constant) and STOP_FLAG.search(target.attr):  # server.should_exit = True
            found.stop = min(found.stop, target.lineno)
    _add_waits(found, scope, project)
    return found


def _add_waits(found: Moments, scope: Scope, project: Project) -> None:
    asynchronous = [statement for statement in scope.facts.withs if isinstance(statement, ast.AsyncWith)]
    for wait in (*scope.facts.awaits, *scope.facts.async_fors, *asynchronous):
        line = wait.target.lineno if isinstance(wait, ast.comprehension) else wait.lineno
        found.first_wait, found.last_wait = min(found.first_wait, line), max(found.last_wait, line)
    for statement in asynchronous:
        exprs = [item.context_expr for item in statement.items]
        calls = [expr.func for expr in exprs if isinstance(expr, ast.Call)]
        if any(known(func, scope, project.modules, TASK_GROUPS) for func in calls):
            found.groups.append((statement.lineno, statement.end_lineno or statement.lineno))
