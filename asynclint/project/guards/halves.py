"""The parts of an async fixture or awaited method: where it waits, and what a guard can surround."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from asynclint.knowledge.asyncs import GUARD_CALLS
from asynclint.project.guards.body import Body, body, covered_waits
from asynclint.project.guards.refusals import NoGuardError
from asynclint.project.guards.setups import Setup
from asynclint.project.names import chain
from asynclint.project.project import Project
from asynclint.source.outline import FUNCTIONS, Scope
from asynclint.source.wrap import split_body

ENTERED_LATER = frozenset({"enter_async_context", "push_async_exit", "push_async_callback"})
LOOPS = (ast.For, ast.AsyncFor, ast.While)


@dataclass(slots=True)
class Waiting:
    """Waits that may never end: before the first ``yield``, after it, and of what stands round it.

    What stands round a ``yield`` waits when it is entered and again when it is left. Without a
    ``yield`` everything is ``before``.
    """

    before: list[ast.AST] = field(default_factory=list)
    after: list[ast.AST] = field(default_factory=list)
    across: list[ast.AST] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.before or self.after or self.across)


def waiting(setup: Setup, project: Project) -> Waiting:
    """The waits of a fixture or awaited method that no guard of its own covers.

    Empty where it holds a guard of which can't be told how far it reaches (``call_later``, a timer).
    """
    function = setup.scope
    found = body(function, project)
    if project.settings.loop_guards_only:
        found = Body(found.waits, [guard for guard in found.guards if guard.in_loop])
    result = Waiting()
    if any(_reaches_on(guard.node, function, project) for guard in found.guards):
        return result
    covered = covered_waits(function, found)
    yields = function.facts.yields
    holders = list(_blocks_round(function, yields[0])) if yields else []
    entered = {
        id(item.context_expr): node
        for node in holders
        if isinstance(node, ast.AsyncWith)
        for item in node.items
    }
    handed_out = {id(node) for node in ast.walk(yields[0])} if yields else set()
    for wait in found.waits:
        if id(wait) in covered or _calls_overridden(wait, function):
            continue
        if id(wait) in entered or any(wait is node for node in holders):
            result.across.append(wait)
        elif not yields or id(wait) in handed_out or _position(wait) < _position(yields[0]):
            result.before.append(wait)
        else:
            result.after.append(wait)
    unguarded = [node for expr, node in entered.items() if expr not in covered]
    result.across += [node for node in unguarded if _is_filled_stack(node, function, project)]
    return result


def _reaches_on(node: ast.AST, function: Scope, project: Project) -> bool:
    """Whether a guard is neither entered by a ``with`` nor ends just what it is given (``wait_for``)."""
    withs = {id(item.context_expr) for statement in function.facts.withs for item in statement.items}
    awaits = {id(wait.value) for wait in function.facts.awaits}
    if id(node) in withs or id(node) in awaits:
        return False
    return not isinstance(node, ast.Call) or not any(
        name in GUARD_CALLS for name in chain(node.func, function, project.modules)
    )


def _blocks_round(function: Scope, inner: ast.AST) -> Iterator[ast.stmt]:
    """The statements that hold a node of a function's own body in one of their blocks, outermost first."""
    for node in ast.walk(function.node):
        if isinstance(node, ast.stmt) and node is not function.node and hasattr(node, "body"):
            inside = [n for statement in node.body for n in ast.walk(statement)]
            if any(n is inner for n in inside):
                yield node


def _position(node: ast.AST) -> tuple[int, int]:
    place = node.target if isinstance(node, ast.comprehension) else node
    return place.lineno, place.col_offset  # type: ignore[attr-defined]


def _calls_overridden(wait: ast.AST, function: Scope) -> bool:
    """``await super().asyncSetUp()``: that method is judged where it is defined."""
    call = wait.value if isinstance(wait, ast.Await) else None
    func = call.func if isinstance(call, ast.Call) else None
    return isinstance(func, ast.Attribute) and ast.unparse(func) == f"super().{function.name}"


def _is_filled_stack(node: ast.stmt, function: Scope, project: Project) -> bool:
    """``async with AsyncExitStack() as stack`` that is given something to wait for when it is left."""
    if not isinstance(node, ast.AsyncWith):
        return False
    makers = [i.context_expr.func for i in node.items if isinstance(i.context_expr, ast.Call)]
    if not any("contextlib.AsyncExitStack" in chain(m, function, project.modules) for m in makers):
        return False
    calls = function.facts.calls
    return any(isinstance(call.func, ast.Attribute) and call.func.attr in ENTERED_LATER for call in calls)


def guardable_runs(function: Scope, waits: Waiting) -> list[Sequence[ast.stmt]]:
    """Runs of statements that hold all the waits of a fixture and not its ``yield``, in source order.

    Raises NoGuardError where the waits can't be had without the ``yield``.
    """
    yields = function.facts.yields
    if len(yields) != 1:
        message = "it yields in more than one place"
        raise NoGuardError(message)
    if waits.across:
        message = "its yield stands in an async with that waits, and a guard round that would span the yield"
        if isinstance(waits.across[0], ast.AsyncFor):
            message = "its yield stands in a loop"
        raise NoGuardError(message)
    assert isinstance(function.node, FUNCTIONS)
    ids = {id(wait) for wait in (*waits.before, *waits.after)}
    return list(_runs(split_body(function.node)[1], yields[0], ids))


def _runs(block: Sequence[ast.stmt], stop: ast.AST, waits: set[int]) -> Iterator[Sequence[ast.stmt]]:
    at = next((i for i, s in enumerate(block) if any(n is stop for n in ast.walk(s))), None)
    if at is None:
        if _holds(block, waits):
            yield block
        return
    holder = block[at]
    if _holds(block[:at], waits):
        yield block[:at]
    if isinstance(holder, (*LOOPS, ast.If, ast.Match)):
        message = f"its yield stands in {'a loop' if isinstance(holder, LOOPS) else 'a branch'}"
        raise NoGuardError(message)
    blocks = _blocks(holder)
    inner = [statement for part in blocks for statement in part]
    if _holds([holder], waits - {id(n) for s in inner for n in ast.walk(s)}):
        message = "it waits in the statement that holds its yield"
        raise NoGuardError(message)
    for part in blocks:
        yield from _runs(part, stop, waits)
    if _holds(block[at + 1 :], waits):
        yield block[at + 1 :]


def _blocks(statement: ast.stmt) -> list[list[ast.stmt]]:
    parts = [getattr(statement, "body", [])]
    parts += [handler.body for handler in getattr(statement, "handlers", ())]
    return [*parts, getattr(statement, "orelse", []), getattr(statement, "finalbody", [])]


def _holds(block: Sequence[ast.AST], waits: set[int]) -> bool:
    return any(id(node) in waits for statement in block for node in ast.walk(statement))
