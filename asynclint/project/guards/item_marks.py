"""Which tests a hook bounds that asks the test first: for a mark, a keyword, what kind of function it is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from asynclint.project.guards.plugins import plugin_modules
from asynclint.project.guards.tests import Test, marks, read_marks
from asynclint.project.names import chain, definition
from asynclint.project.project import Project
from asynclint.source.outline import Scope
from asynclint.source.written import argument

ITEMS = frozenset({"item", "pyfuncitem"})  # what pytest calls a test that it hands to a hook
LOOKUPS = frozenset({"get_closest_marker", "iter_markers"})
# Marks that pytest-asyncio, anyio and others put on what they run.
GIVEN_BY_PLUGINS = frozenset({"asyncio", "anyio", "trio", "usefixtures"})
EXITS = (ast.Continue, ast.Return, ast.Break, ast.Raise)
Condition = tuple[ast.expr, bool]  # a question, and how it must come out


def is_meant(hook: Scope, test: Test | None, project: Project) -> bool | None:
    """Whether a hook that bounds tests bounds this one; None where that can't be told.

    Without a test, whether it bounds any: what asks nothing of a test does.
    """
    placed = project.remembered(("marked items", hook), lambda: list(_marked(hook, project)))
    if not placed:
        unsure = _lacks_mark(hook, test, project) or _comes_too_late(hook, test, project)
        return None if unsure else True
    answers = [_all_hold(conditions, scope, test, project) for conditions, scope in placed]
    return True if True in answers else (None if None in answers else False)


def _marked(hook: Scope, project: Project) -> Iterator[tuple[list[Condition], Scope]]:
    """``item.add_marker(pytest.mark.timeout(1))``: under which conditions a hook says so."""
    for scope in hook.nested():
        for call in scope.facts.calls:
            named = isinstance(call.func, ast.Attribute) and call.func.attr == "add_marker"
            given = argument(call, 0, "marker") if named else None
            found = list(read_marks(given, scope, project)) if given is not None else []
            if any(mark.name == "timeout" for mark in found):
                yield list(_conditions(_body(scope), call)), scope


def _body(scope: Scope) -> list[ast.stmt]:
    body: object = getattr(scope.node, "body", [])
    return body if isinstance(body, list) else []


def _conditions(statements: list[ast.stmt], node: ast.AST) -> Iterator[Condition]:
    """What must hold for a node to be reached: of the ``if`` round it, and of those that leave before it."""
    for statement in statements:
        if not _holds_node(statement, node):
            if isinstance(statement, ast.If) and isinstance(statement.body[-1], EXITS):
                yield statement.test, False
            continue
        if isinstance(statement, ast.If):
            yield statement.test, any(_holds_node(part, node) for part in statement.body)
        elif isinstance(statement, ast.For):
            yield statement.iter, True
        blocks = [getattr(statement, name, []) for name in ("body", "orelse", "finalbody")]
        blocks += [handler.body for handler in getattr(statement, "handlers", [])]
        for block in blocks:
            if any(_holds_node(part, node) for part in block):
                yield from _conditions(block, node)
        return


def _holds_node(statement: ast.AST, node: ast.AST) -> bool:
    return any(inner is node for inner in ast.walk(statement))


def _all_hold(
    conditions: Iterable[Condition], scope: Scope, test: Test | None, project: Project
) -> bool | None:
    answers: list[bool | None] = []
    for expr, wanted in conditions:
        if not _asks_item(expr, scope):
            continue
        answer = _holds(expr, scope, test, project) if test is not None else None
        answers.append(None if answer is None else answer is wanted)
    return False if False in answers else (None if None in answers else True)


def _asks_item(expr: ast.expr, scope: Scope, hops: int = 4) -> bool:
    """Whether an expression depends on the test, or leaves out tests of a list of them."""
    for node in ast.walk(expr):
        if isinstance(node, ast.comprehension) and (node.ifs or not isinstance(node.iter, ast.Name)):
            return True
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "filter":
            return True
        if not isinstance(node, ast.Name):
            continue
        found = scope.lookup(node.id)
        for binding in found[1] if found is not None else ():
            if node.id in ITEMS or binding.kind == "for":
                return True
            value = binding.value if binding.kind == "assign" and hops else None
            if value is not None and _asks_item(value, scope, hops - 1):
                return True
    return False


def _holds(expr: ast.expr, scope: Scope, test: Test, project: Project) -> bool | None:
    """What a question about a test comes out as; None where that can't be told."""
    match expr:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            answer = _holds(operand, scope, test, project)
            return None if answer is None else not answer
        case ast.BoolOp(op=op, values=values):
            answers = [_holds(value, scope, test, project) for value in values]
            deciding = isinstance(op, ast.Or)
            return deciding if deciding in answers else (None if None in answers else not deciding)
        case ast.Compare(
            left=left, ops=[ast.Is() | ast.IsNot() as op], comparators=[ast.Constant(value=None)]
        ):
            answer = _holds(left, scope, test, project)
            return None if answer is None else answer is isinstance(op, ast.IsNot)
        case ast.Compare(
            left=ast.Constant(value=str(word)),
            ops=[ast.In() | ast.NotIn() as op],
            comparators=[ast.Attribute(attr="keywords")],
        ):
            # decorators may leave attributes, which are keywords too, as are the names of what holds it
            held_by = (*test.scope.qualname.split("."), *test.scope.outline.path.parts)
            plain = _is_plain(test, project) and word not in held_by
            answer = _has_mark(word, test, project) if plain else None
            return None if answer is None else answer is isinstance(op, ast.In)
        case ast.Name():
            found = definition(expr, scope, project.modules)
            known = found is not None and isinstance(found[0], ast.expr) and found[0] is not expr
            return _holds(found[0], scope, test, project) if known and found is not None else None  # type: ignore[arg-type]
        case ast.Call():
            return _answers(expr, scope, test, project)
    return None


def _answers(call: ast.Call, scope: Scope, test: Test, project: Project) -> bool | None:
    """``item.get_closest_marker("slow")``, ``iscoroutinefunction(item.obj)``."""
    asked = _asked_mark(call)
    if asked:
        return _has_mark(asked, test, project)
    builtin = call.func.id if isinstance(call.func, ast.Name) and scope.lookup(call.func.id) is None else ""
    if builtin in ("any", "bool", "list") and len(call.args) == 1:  # any(item.iter_markers("slow"))
        return _holds(call.args[0], scope, test, project)
    names = chain(call.func, scope, project.modules)
    if any(name.endswith(".iscoroutinefunction") for name in names) and _is_plain(test, project):
        return test.scope.is_async
    classes = chain(call.args[1], scope, project.modules) if len(call.args) == 2 else ()
    return True if builtin == "isinstance" and "pytest.Function" in classes else None


def _asked_mark(call: ast.Call) -> str:
    asking = isinstance(call.func, ast.Attribute) and call.func.attr in LOOKUPS
    name = argument(call, 0, "name") if asking else None
    return name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else ""


def _has_mark(name: str, test: Test, project: Project) -> bool | None:
    """Whether a test has a mark; None where a plugin, a hook or a parameter may give it one."""
    found = list(marks(test, project))
    if any(mark.name == name for mark in found):
        return True
    if name in GIVEN_BY_PLUGINS or any(not mark.name for mark in found):
        return None
    if any(mark.call is not None and "marks=" in ast.unparse(mark.call) for mark in found):
        return None
    given = re.compile(rf"add_marker\([^\n]*\b{re.escape(name)}\b|own_markers|\.keywords\[")
    modules = plugin_modules(test.scope.outline, test.config, project)
    return None if any(given.search(outline.text.text) for outline in modules) else False


def _is_plain(test: Test, project: Project) -> bool:
    """Whether a test has no decorators but marks."""
    around = test.scope.parent or test.scope
    return all(any(read_marks(decorator, around, project)) for decorator in test.scope.decorators)


def _lacks_mark(hook: Scope, test: Test | None, project: Project) -> bool:
    """Whether a hook looks for a mark that a test may not have."""
    asked = {_asked_mark(call) for scope in hook.nested() for call in scope.facts.calls} - {"", "timeout"}
    asked |= _looked_for(hook)
    return any(test is None or not _has_mark(name, test, project) for name in asked)


def _looked_for(hook: Scope) -> set[str]:
    """``names = [mark.name for mark in item.own_markers]``, then ``"slow" in names``."""
    return {
        node.left.value
        for node in ast.walk(hook.node)
        if isinstance(node, ast.Compare)
        and isinstance(node.left, ast.Constant)
        and isinstance(node.left.value, str)
        and isinstance(node.ops[0], (ast.In, ast.NotIn))
        and "mark" in ast.unparse(node.comparators[0])
    }


def _comes_too_late(hook: Scope, test: Test | None, project: Project) -> bool:
    """A hook that runs coroutine functions, where pytest-asyncio has made the test a plain one before."""
    if test is None or hook.name != "pytest_pyfunc_call" or "asyncio" in test.config.command_line.blocked:
        return False
    asks = any(
        name.endswith(".iscoroutinefunction")
        for scope in hook.nested()
        for call in scope.facts.calls
        for name in chain(call.func, scope, project.modules)
    )
    return asks and (test.config.asyncio_mode == "auto" or _has_mark("asyncio", test, project) is not False)
