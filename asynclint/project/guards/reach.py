"""Which waits of a body lie beyond the reach of its guards."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from asynclint.knowledge.asyncs import (
    CHECKPOINTS,
    GATHERING,
    GUARD_CONTEXTS,
    QUEUES,
    SETTLING,
    SLEEPS,
    SPAWNS,
    TASK_GROUPS,
)
from asynclint.project.guards.body import Body, body, covered_waits
from asynclint.project.guards.contexts import MAX_DEPTH
from asynclint.project.guards.seconds import number
from asynclint.project.index.values import Calling, Function
from asynclint.project.names import definition, known
from asynclint.project.project import Project
from asynclint.source.outline import Scope

STARTS = frozenset({"start_soon", "create_task"})  # methods of a task group that start a child


def waits_outside(function: Scope, found: Body, project: Project, depth: int = 0) -> list[ast.AST]:
    """Waits of a function's body that can hang and that no guard of it covers, in source order.

    ``found`` is what ``body`` says of the function. Empty where it can't be told from the text what
    one of the guards covers: given to an exit stack or a task, armed by ``call_later``. Left out is
    what holds up no test in practice: see ``_ends``.
    """
    covered = covered_waits(function, found)
    reached = _reached_by_calls(function, found, project)
    if reached is None:
        return []
    covered |= reached
    outside = {id(wait): wait for wait in found.waits if id(wait) not in covered}
    left = [wait for wait in outside.values() if not _ends(wait, function, project, depth)]
    return sorted(left, key=position)


def position(wait: ast.AST) -> tuple[int, int]:
    """Line and column (in bytes, as ast has it) of a wait."""
    node = wait.target if isinstance(wait, ast.comprehension) else wait
    assert isinstance(node, (ast.expr, ast.stmt))
    return node.lineno, node.col_offset


def _reached_by_calls(function: Scope, found: Body, project: Project) -> set[int] | None:
    """``id`` of the waits that guards other than ``with`` blocks cover; None where that can't be told."""
    entered = {id(expr) for expr in _entered(function)}
    around = {id(node): wait for wait in function.facts.awaits for node in ast.walk(wait.value)}  # innermost
    reached: set[int] = set()
    for guard in found.guards:
        if id(guard.node) in entered:
            continue
        wait = around.get(id(guard.node))
        if wait is None:
            return None
        if wait.value is guard.node:  # await wait_for(…)
            continue
        if not isinstance(wait.value, ast.Call):
            return None
        if not known(wait.value.func, function, project.modules, GATHERING | SPAWNS):
            return None
        if guard.node not in wait.value.args:  # gather(*(wait_for(…) for …))
            reached.add(id(wait))
    return reached


def _entered(function: Scope) -> Iterator[ast.expr]:
    """What ``with`` statements enter, with what a name stands for that is bound once."""
    for statement in function.facts.withs:
        for item in statement.items:
            yield item.context_expr
            name = item.context_expr.id if isinstance(item.context_expr, ast.Name) else ""
            bindings = function.bindings.get(name, [])
            if len(bindings) == 1 and bindings[0].value is not None:
                yield bindings[0].value


def _ends(wait: ast.AST, function: Scope, project: Project, depth: int) -> bool:
    """Whether a wait ends in practice: nobody would ask for a guard round it.

    These are a wait until all other tasks are blocked, a ``put`` into a queue that is never full,
    a task that the test has cancelled before, a task group whose children end, and a function of
    the tests that waits for nothing else.
    """
    for statement in function.facts.withs:
        for item in statement.items:
            if item.context_expr is wait:
                if isinstance(wait, ast.Call) and known(wait.func, function, project.modules, GUARD_CONTEXTS):
                    return True  # timeout(None)
                return _group_ends(statement, item, function, project, depth)
    if not isinstance(wait, ast.Await):
        return False
    if isinstance(wait.value, ast.Call):
        call = wait.value
        if isinstance(call.func, ast.Attribute) and call.func.attr == "put":
            return _is_never_full(call.func.value, function, project)
        if not known(call.func, function, project.modules, GATHERING):
            return _function_ends(call.func, function, project, depth)
    cancelled = _cancelled_before(wait, function)
    parts = wait.value.args if isinstance(wait.value, ast.Call) else [wait.value]
    return all(ast.unparse(p.value if isinstance(p, ast.Starred) else p) in cancelled for p in parts)


def _is_never_full(queue: ast.expr, function: Scope, project: Project) -> bool:
    """``queue = asyncio.Queue()``, with no size or a size of zero."""
    made = definition(queue, function, project.modules)
    if made is None or not isinstance(made[0], ast.Call):
        return False
    call, owner = made[0], made[1]
    sizes = [*call.args, *(keyword.value for keyword in call.keywords)]
    is_queue = bool(known(call.func, owner, project.modules, QUEUES))
    return is_queue and all(number(size, owner, project) == 0 for size in sizes)


def _cancelled_before(node: ast.AST | None, function: Scope) -> set[str]:
    """What a function cancels before a node (all of it where there is none), as it is written.

    ``for task in tasks: task.cancel()`` cancels ``tasks`` too.
    """
    before = [call for call in function.facts.calls if node is None or position(call) < position(node)]
    cancelled = {
        ast.unparse(call.func.value)
        for call in before
        if isinstance(call.func, ast.Attribute) and call.func.attr == "cancel"
    }
    for name in list(cancelled):
        for binding in function.bindings.get(name, []):
            if binding.kind == "for" and binding.value is not None:
                cancelled.add(ast.unparse(binding.value))
    return cancelled


def _group_ends(
    statement: ast.With | ast.AsyncWith, item: ast.withitem, function: Scope, project: Project, depth: int
) -> bool:
    """Whether leaving a task group or nursery waits for nothing: it is cancelled, or its children end."""
    if not isinstance(item.context_expr, ast.Call):
        return False
    if not known(item.context_expr.func, function, project.modules, TASK_GROUPS):
        return False
    if item.optional_vars is None:
        return True
    if not isinstance(item.optional_vars, ast.Name):
        return False
    group = item.optional_vars.id
    if any(
        isinstance(last, ast.Expr) and ast.unparse(last).startswith(f"{group}.cancel_scope.cancel(")
        for last in statement.body
    ):
        return True
    cancelled = _cancelled_before(None, function)
    for use in _uses(group, function):
        if not isinstance(use, ast.Attribute):
            return False
        if use.attr == "cancel_scope":
            continue
        if use.attr not in STARTS:
            return False
        if not _child_ends(use, cancelled, function, project, depth):
            return False
    return True


def _uses(name: str, function: Scope) -> Iterator[ast.AST]:
    """Each place in a function that reads a name: the attribute that is read of it, else the name itself."""
    attributes: set[int] = set()
    for node in ast.walk(function.node):  # an attribute comes before its name
        if isinstance(node, ast.Attribute) and _reads(node.value, name):
            attributes.add(id(node.value))
            yield node
        elif _reads(node, name) and id(node) not in attributes:
            yield node


def _reads(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)


def _child_ends(
    start: ast.Attribute, cancelled: set[str], function: Scope, project: Project, depth: int
) -> bool:
    """Whether a child of a task group ends: it is cancelled, or has no wait that can hang."""
    call = next((call for call in function.facts.calls if call.func is start), None)
    if call is None or not call.args:
        return False
    names = {
        name
        for name, bindings in function.bindings.items()
        if any(binding.value is call for binding in bindings)
    }
    if names & cancelled:
        return True
    child = call.args[0]
    if start.attr == "create_task" and isinstance(child, ast.Call):
        child = child.func
    return _function_ends(child, function, project, depth)


def _function_ends(callee: ast.expr, function: Scope, project: Project, depth: int) -> bool:
    """Whether a coroutine function is a sleep, or one of the tests with no wait that can hang."""
    if known(callee, function, project.modules, SLEEPS | CHECKPOINTS | SETTLING):
        return True
    value = project.inference.value(callee, function) if depth < MAX_DEPTH else None
    if not isinstance(value, Function) or value.calling is not Calling.COROUTINE:
        return False
    if not project.is_test_code(value.scope.outline.path):
        return False
    return not waits_outside(value.scope, body(value.scope, project), project, depth + 1)
