"""Whether a task says itself that it is over: the last it does is what somebody looks at."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from asynclint.flow.expiry import LOOPS
from asynclint.flow.lives import Life
from asynclint.project.index.values import Calling, Function
from asynclint.project.plain import swallows
from asynclint.project.project import Project
from asynclint.source.nodes import end_of, own_nodes, start_of
from asynclint.source.outline import Scope
from asynclint.source.written import called, last_name

TRYING = (ast.Try, ast.TryStar)
WAITS = (ast.Await, ast.AsyncFor, ast.AsyncWith)
REPEATING = (*LOOPS, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
RUNNING = frozenset({"get_running_loop", "get_event_loop"})
PROVING = ("assertTrue", "assertIsNotNone")
WAITING = frozenset({"wait_for", "gather", "shield", "run_until_complete"})
# What tells of an end, and the methods by which others hear of it.
ANNOUNCING = {
    "set": frozenset({"wait", "is_set"}),
    "set_result": frozenset({"result", "done"}),
    "set_exception": frozenset({"exception", "result", "done"}),
}

SAYING = frozenset({"print", "debug", "info", "warning", "warn", "error", "exception", "log", "write"})


class Heard(NamedTuple):
    """Whom a function asks for their end: events and futures by name and method, and names that it proves.

    Of these the last line where it does.
    """

    asked: AbstractSet[tuple[str, str]]
    proved: Mapping[str, int]


def tells_its_end(life: Life, project: Project) -> bool:
    """``await done.wait()``, ``assert done.is_set()``, where ``done.set()`` is the last that the task does.

    Nothing waits behind it, so the task is over when whoever waits for the event comes to run. The same
    goes for a future that it gives a result, and for a name of the function that is proved to hold what the
    task puts there last.
    """
    made, coroutine = _run_by(life, project)
    if made is None or coroutine is None:
        return False
    if stops_the_loop(life, project):
        return True
    heard = project.remembered(("heard", life.scope), lambda: _hear(life.scope))
    for method in ANNOUNCING:
        event = _event(method, made, coroutine, life.scope, project)
        if event is not None and (event, method) in heard.asked:
            return True
    later = {name for name, line in heard.proved.items() if line > life.call.lineno}
    return any(_is_empty_before(name, life.scope) and _is_set_last(name, coroutine) for name in later)


def _hear(scope: Scope) -> Heard:
    nodes = own_nodes(scope)
    unsure = set(_denied_or_tried(nodes))
    asked = {event for node in nodes if id(node) not in unsure for event in _asked(node)}
    proved = {name: node.lineno for node in nodes for name in _proved(node)}  # type: ignore[attr-defined]
    return Heard(asked, proved)


def _denied_or_tried(nodes: Sequence[ast.AST]) -> Iterator[int]:
    """What is denied (``assert not done.is_set()``) or expected to expire (``raises(TimeoutError)``)."""
    for node in nodes:
        match node:
            case ast.Assert(test=test) | ast.If(test=test, body=[ast.Expr() | ast.Pass()], orelse=[]):
                if isinstance(node, ast.If) and not _only_says(node.body[0]):
                    continue
                yield from (id(part) for denied in _denied(test) for part in ast.walk(denied))
            case ast.Call(func=func) if last_name(func) == "assertFalse":
                yield from map(id, ast.walk(node))
            case ast.With() | ast.AsyncWith() if swallows(node) and _expects_timeout(node):
                yield from (id(part) for statement in node.body for part in ast.walk(statement))
            case ast.Try(body=body, handlers=handlers) if any(map(_lets_expire, handlers)):
                yield from (id(part) for statement in body for part in ast.walk(statement))


def _only_says(statement: ast.stmt) -> bool:
    """``print("not yet")``, ``log.warning("…")``: nothing that may fail."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    return call is None or not isinstance(call, ast.Call) or called(call) in SAYING


def _denied(test: ast.expr) -> Iterator[ast.expr]:
    """``not done.is_set()``, ``done.is_set() is False``."""
    for part in ast.walk(test):
        match part:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                yield operand
            case ast.Compare(ops=[ast.Is() | ast.Eq()], comparators=[ast.Constant(value=False)]):
                yield part


def _lets_expire(handler: ast.ExceptHandler) -> bool:
    """``except TimeoutError: pass``."""
    caught = handler.type is not None and "Timeout" in ast.unparse(handler.type)
    return caught and all(isinstance(statement, ast.Pass) for statement in handler.body)


def _expects_timeout(statement: ast.With | ast.AsyncWith) -> bool:
    return any("Timeout" in ast.unparse(item.context_expr) for item in statement.items)


def stops_the_loop(life: Life, project: Project) -> bool:
    """``loop.run_forever()``, where ``loop.stop()`` is the last that the one task does."""
    _, coroutine = _run_by(life, project)
    stopped = _ends_with(coroutine, "stop", project) if coroutine is not None else None
    if stopped is None or life.trace.many or _is_repeated(life):
        return False
    running = isinstance(stopped, ast.Call) and last_name(stopped.func) in RUNNING
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == "run_forever"
        and (running or last_name(node.value) == last_name(stopped) != "")
        for node in _later(life)
    )


def _is_repeated(life: Life) -> bool:
    """Whether a task is started in a loop or comprehension: there may be more of its kind."""
    loops = (node for node in own_nodes(life.scope) if isinstance(node, REPEATING))
    return any(start_of(loop) <= start_of(life.call) <= end_of(loop) for loop in loops)


def _run_by(life: Life, project: Project) -> tuple[ast.Call | None, Scope | None]:
    """The call whose coroutine a task runs, and the project's function that it calls."""
    made = life.call.args[0] if life.call.args else None
    value = project.inference.value(made.func, life.scope) if isinstance(made, ast.Call) else None
    if not isinstance(value, Function) or value.calling is not Calling.COROUTINE:
        return None, None
    assert isinstance(made, ast.Call)
    return made, value.scope


def _later(life: Life) -> Iterator[ast.AST]:
    """What the function that starts a task has behind that."""
    return (node for node in own_nodes(life.scope) if getattr(node, "lineno", 0) > life.call.lineno)


def _asked(node: ast.AST) -> Iterator[tuple[str, str]]:
    """``event.wait``, ``event.is_set``; ``await future``, ``wait_for(future, 1)``, ``future.done``.

    The name of what is asked, and what it may have heard by then.
    """
    match node:
        case ast.Attribute(ast.Name(name), asked):
            yield from ((name, method) for method, hears in ANNOUNCING.items() if asked in hears)
        case ast.Await(ast.Name(name)):
            yield from ((name, method) for method in ANNOUNCING)
        case ast.Call(func, args) if last_name(func) in WAITING:
            names = (arg.id for arg in args if isinstance(arg, ast.Name))
            yield from ((name, method) for name in names for method in ANNOUNCING)


def _event(method: str, made: ast.Call, coroutine: Scope, starter: Scope, project: Project) -> str | None:
    """What the one who starts a coroutine calls the event that it sets last: its own, or one it is given."""
    event: str | None = getattr(_ends_with(coroutine, method, project), "id", None)
    if event is None or coroutine.lookup(event) == starter.lookup(event):
        return event
    assert isinstance(coroutine.node, (ast.FunctionDef, ast.AsyncFunctionDef))
    arguments = coroutine.node.args
    params = [param.arg for param in (*arguments.posonlyargs, *arguments.args)]
    given: dict[str | None, ast.expr] = {keyword.arg: keyword.value for keyword in made.keywords}
    if isinstance(made.func, ast.Name):  # no ``self`` before them
        given |= dict(zip(params, made.args, strict=False))
    value = given.get(event)
    return value.id if isinstance(value, ast.Name) else None


def _ends_with(coroutine: Scope, method: str, project: Project) -> ast.expr | None:
    """``done`` where a coroutine function ends with ``done.set()``, in a ``finally`` too, for ``set``."""
    last: ast.AST = coroutine.node
    while True:
        if isinstance(last, TRYING) and last.finalbody:
            last = last.finalbody[-1]
        elif isinstance(last, ast.AsyncWith) and not _is_left_at_once(last, coroutine, project):
            break
        elif isinstance(last, (ast.AsyncFunctionDef, ast.With, ast.AsyncWith)):
            last = last.body[-1]
        else:
            break
    call = last.value if isinstance(last, ast.Expr) else None
    func = call.func if isinstance(call, ast.Call) else None
    return func.value if isinstance(func, ast.Attribute) and func.attr == method else None


def _is_left_at_once(statement: ast.AsyncWith, scope: Scope, project: Project) -> bool:
    """Whether nothing that an ``async with`` enters waits when it is left."""
    return all(_ends_at_once(item.context_expr, scope, project) for item in statement.items)


def _ends_at_once(entered: ast.expr, scope: Scope, project: Project) -> bool:
    """Whether a context manager of the project, made of a generator, waits for nothing behind its yield."""
    value = project.inference.value(entered.func, scope) if isinstance(entered, ast.Call) else None
    if not isinstance(value, Function) or value.calling is not Calling.ASYNC_CONTEXT:
        return False
    yields = value.scope.facts.yields
    waits = (node for node in own_nodes(value.scope) if isinstance(node, WAITS))
    return bool(yields) and not any(end_of(node) > start_of(yields[0]) for node in waits)


def _proved(node: ast.AST) -> Iterator[str]:
    """``assert seen``, ``assert seen is not None``, ``self.assertTrue(seen)``: names that hold something."""
    if isinstance(node, ast.Assert):
        yield from _held(node.test)
    if isinstance(node, ast.Call) and node.args and last_name(node.func) in PROVING:
        yield from _held(node.args[0])


def _held(test: ast.expr) -> Iterator[str]:
    match test:
        case ast.Name(id=name):
            yield name
        case ast.BoolOp(op=ast.And(), values=values):
            for value in values:
                yield from _held(value)
        case ast.Compare(left=ast.Name(id=name), ops=[ast.IsNot()], comparators=[ast.Constant(value=None)]):
            yield name


def _is_empty_before(name: str, starter: Scope) -> bool:
    """``seen = None`` is all that the function itself gives a name."""
    bindings = starter.bindings.get(name, ())
    return bool(bindings) and all(
        binding.kind == "assign" and isinstance(binding.value, ast.Constant) and not binding.value.value
        for binding in bindings
    )


def _is_set_last(name: str, coroutine: Scope) -> bool:
    """Whether a coroutine gives a name from outside a value, and neither waits nor asserts behind that.

    An assertion there fails unheard where nobody awaits the task.
    """
    if name not in coroutine.facts.outer:
        return False
    assert isinstance(coroutine.node, ast.AsyncFunctionDef)
    last = set(_last(coroutine.node.body))
    nodes = own_nodes(coroutine)
    written = [node for node in nodes if isinstance(node, ast.Name) and node.id == name]
    targets = [node for node in written if isinstance(node.ctx, ast.Store)]
    if not targets or any(_asserts(node) for node in nodes if start_of(node) > start_of(targets[0])):
        return False
    return all(target in last for target in targets)


def _asserts(node: ast.AST) -> bool:
    """``assert ok``, ``self.assertEqual(a, b)``."""
    return isinstance(node, ast.Assert) or (
        isinstance(node, ast.Call) and last_name(node.func).startswith("assert")
    )


def _last(block: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    """What is done in a block, or in what its last wait stands in, when nothing is waited for any more."""
    for statement in reversed(block):
        if not any(isinstance(node, WAITS) for node in ast.walk(statement)):
            yield from ast.walk(statement)
            continue
        if isinstance(statement, ast.Assign):  # ``seen = await queue.get()``
            yield from statement.targets
        for inner in _blocks(statement):
            yield from _last(inner)
        return


def _blocks(statement: ast.stmt) -> Iterable[Sequence[ast.stmt]]:
    """The blocks of which one is a statement's last."""
    if isinstance(statement, ast.If):
        return (statement.body, statement.orelse)
    if isinstance(statement, ast.With):
        return (statement.body,)
    if isinstance(statement, TRYING):
        if any(isinstance(node, WAITS) for inner in statement.finalbody for node in ast.walk(inner)):
            return (statement.finalbody,)
        return (statement.orelse or statement.body, *(handler.body for handler in statement.handlers))
    return ()
