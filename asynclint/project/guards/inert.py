"""Guards in the body of a function that can never fire, each at its call."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import NamedTuple

from asynclint.knowledge.asyncs import GUARD_CONTEXTS
from asynclint.project.called import named
from asynclint.project.guards.backends import REQUESTS, anyio_backends
from asynclint.project.guards.contexts import STACK_METHODS
from asynclint.project.guards.seconds import number
from asynclint.project.guards.tests import Test
from asynclint.project.guards.yields import held_guards, is_run_apart
from asynclint.project.names import Chain, chain
from asynclint.project.project import Project
from asynclint.source.outline import Scope
from asynclint.source.written import argument

WAIT_FOR = frozenset({"asyncio.wait_for", "asyncio.tasks.wait_for"})
FIRING = GUARD_CONTEXTS | WAIT_FOR
LAST_NAMES = frozenset(name.rpartition(".")[2] for name in FIRING)
EXPECTS = re.compile(r"aises|warns|suppress|deprecated_call|[Ww]arnings")
WRONG_ENTRY = frozenset({"TypeError", "AttributeError"})  # what the wrong with raises, by release of Python
FIRED = frozenset({"cancelled_caught", "cancel_called"})
LOOKS_AT_TIME = re.compile(r"deadline|cancel|current_task|await_")  # tests of guards; greenlets that wait
SWITCHES_BACKEND = frozenset({"current_async_library", "anyio_backend_name"})

With = ast.With | ast.AsyncWith


class Inert(NamedTuple):
    """A guard that cannot fire, and why, in words for the user.

    ``entered`` is the statement that enters it with the wrong keyword, None if that isn't the fault.
    """

    call: ast.Call
    why: str
    entered: With | None = None


class _Surroundings:
    """What a function says about any of its guards: each is worked out once for all of them."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    @cached_property
    def entered(self) -> Mapping[ast.AST, tuple[With, int]]:
        """The ``with`` that enters an expression, and the place of the expression there."""
        return {
            item.context_expr: (statement, position)
            for statement in self.scope.facts.withs
            for position, item in enumerate(statement.items)
        }

    @cached_property
    def expected(self) -> Mapping[ast.AST, Sequence[ast.expr | None]]:
        """What blocks round a call expect, catch or hide; None where they don't say which exception."""
        found: dict[ast.AST, list[ast.expr | None]] = {}
        for outer in ast.walk(self.scope.node):
            expected = list(_expected(outer))
            if expected:
                for inner in ast.walk(outer):
                    if isinstance(inner, ast.Call):
                        found.setdefault(inner, []).extend(expected)
        return found

    @cached_property
    def waits(self) -> AbstractSet[ast.AST]:
        """What gives the loop a chance to end a block."""
        facts = self.scope.facts
        pauses = (*facts.awaits, *facts.async_fors, *facts.yields, *facts.withs)
        return {node for node in pauses if not isinstance(node, ast.With)}

    @cached_property
    def words(self) -> AbstractSet[str]:
        """The names and attributes that the function uses."""
        return {getattr(node, "id", getattr(node, "attr", "")) for node in ast.walk(self.scope.node)}

    @cached_property
    def loads(self) -> Mapping[str, Sequence[ast.Name]]:
        """Where a name is read."""
        found: dict[str, list[ast.Name]] = {}
        for node in ast.walk(self.scope.node):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                found.setdefault(node.id, []).append(node)
        return found

    @cached_property
    def fired(self) -> AbstractSet[ast.expr]:
        """What assertions say has fired: ``assert scope.cancelled_caught``."""
        asserted = (node.test for node in ast.walk(self.scope.node) if isinstance(node, ast.Assert))
        return {test.value for test in asserted if isinstance(test, ast.Attribute) and test.attr in FIRED}

    @cached_property
    def _shows_all(self) -> bool:
        return "locals(" in ast.unparse(self.scope.node)

    def uses(self, name: str) -> bool:
        """Whether anything in a function, or beyond it, may read a name that the function binds."""
        return name in self.loads or name in self.scope.facts.outer or self._shows_all


class _Guard(NamedTuple):
    """A call that makes a guard: its names, as it is written, and the function it stands in."""

    call: ast.Call
    names: Chain
    around: _Surroundings

    @property
    def scope(self) -> Scope:
        return self.around.scope

    @property
    def expected(self) -> Sequence[ast.expr | None]:
        """What blocks round it expect, catch or hide."""
        return self.around.expected.get(self.call, ())

    @property
    def written(self) -> str:
        return ast.unparse(self.call.func)

    @property
    def is_context(self) -> bool:
        return not WAIT_FOR.intersection(self.names)

    @property
    def item(self) -> tuple[With, int] | None:
        """The ``with`` that enters it right away, and its position there."""
        return self.around.entered.get(self.call)


def inert_guards(function: Scope, test: Test | None, project: Project) -> Iterator[Inert]:
    """Guards that cannot fire in an outermost function and what is nested in it, in source order.

    ``test`` is the test that the function is, if it is one. A guard has one report at most: the
    first of its faults.
    """
    for scope in function.nested():
        for guard in _guards(scope, project):
            found = (
                _entered_wrongly(guard)
                or _never_entered(guard)
                or _without_limit(guard, project)
                or _without_wait(guard)
                or _on_trio(guard, test, project)
            )
            if found is not None:
                yield found
    if is_run_apart(function, project):
        for expr in held_guards(function, project):
            call = _built_by(expr, function)
            why = "cannot end a test: pytest-asyncio runs the test in another task than its fixture"
            if call is not None:
                yield Inert(call, f"{ast.unparse(call.func)}(…) round the yield {why}")


def _guards(scope: Scope, project: Project) -> Iterator[_Guard]:
    around = _Surroundings(scope)
    for call in named(scope, LAST_NAMES, FIRING, project) if scope.is_function else ():
        names = chain(call.func, scope, project.modules)
        if not FIRING.isdisjoint(names):
            yield _Guard(call, names, around)


def _entered_wrongly(guard: _Guard) -> Inert | None:
    """``with asyncio.timeout(5):``, ``async with anyio.fail_after(5):``; both raise TypeError."""
    if not guard.is_context or guard.item is None:
        return None
    if any(map(_may_be_wrong_entry, guard.expected)):
        return None
    statement, _ = guard.item
    library = next(name for name in guard.names if name in GUARD_CONTEXTS).partition(".")[0]
    if isinstance(statement, ast.With) and library == "asyncio":  # async_timeout once took both
        why = "needs async with: a plain with raises TypeError and bounds nothing"
        return Inert(guard.call, f"{guard.written}(…) {why}", statement)
    if isinstance(statement, ast.AsyncWith) and library in ("anyio", "trio"):
        why = "needs a plain with: async with raises TypeError and bounds nothing"
        return Inert(guard.call, f"{guard.written}(…) {why}", statement)
    return None


def _never_entered(guard: _Guard) -> Inert | None:
    """A guard that is a statement of its own, or gets a name that nobody asks for."""
    if not guard.is_context or guard.item is not None or guard.expected:
        return None
    facts = guard.scope.facts
    bare = any(statement.value is guard.call for statement in facts.expressions)
    names = [
        name
        for name, bindings in facts.bindings.items()
        if any(b.kind == "assign" and b.value is guard.call for b in bindings)
    ]
    elsewhere = any(value is guard.call for _, value in facts.attributes)
    dropped = bool(names) and not elsewhere and not any(map(guard.around.uses, names))
    if bare or dropped:
        return Inert(guard.call, f"{guard.written}(…) is built and never entered, so it bounds nothing")
    return None


def _without_limit(guard: _Guard, project: Project) -> Inert | None:
    """``timeout(None)``, ``wait_for(x, None)``, ``fail_after(math.inf)``, never given a time later."""
    call = guard.call
    if guard.is_context:
        given = call.args[0] if call.args else next((k.value for k in call.keywords), None)
        shields = any(keyword.arg == "shield" for keyword in call.keywords)
        if shields or not _has_one_life(guard):
            return None
    else:
        given = argument(call, 1, "timeout")
    if given is None or not _is_endless(given, guard.scope, project):
        return None
    if any(expected is not None and "Timeout" in ast.unparse(expected) for expected in guard.expected):
        return None  # what is waited for runs out of time itself
    limit = ast.unparse(given)
    what = f"{guard.written}({limit})" if guard.is_context else f"{guard.written}(…, {limit})"
    because = "it has no time limit"
    if isinstance(given, ast.Name):
        because = f"{limit} is {number(given, guard.scope, project)}"
    return Inert(call, f"{what} never fires: {because}")


def _is_endless(given: ast.expr, scope: Scope, project: Project) -> bool:
    """Whether a time is None or infinite for good: not a name that tests or callers may set."""
    if number(given, scope, project) not in (None, math.inf):
        return False
    if isinstance(given, (ast.Constant, ast.Call)) or "math.inf" in chain(given, scope, project.modules):
        return True
    found = scope.lookup(given.id) if isinstance(given, ast.Name) else None
    if found is None or any(binding.kind != "assign" for binding in found[1]):
        return False
    assert isinstance(given, ast.Name)
    return not re.search(rf"[\"']{given.id}[\"']", scope.outline.text.text)  # monkeypatch.setattr(…)


def _has_one_life(guard: _Guard) -> bool:
    """Whether nobody reschedules a guard or tests it: it is entered where it is built, and unnamed.

    Its name may be there for ``assert scope.cancelled_caught``, which then fails.
    """
    if guard.item is not None:
        statement, position = guard.item
        target = statement.items[position].optional_vars
        if not isinstance(target, ast.Name):
            return target is None
        return not guard.around.uses(target.id) or _is_only_expected_to_fire(target.id, guard.around)
    for expression in guard.scope.facts.expressions:
        value = expression.value
        call = value.value if isinstance(value, ast.Await) else value
        enters = isinstance(call, ast.Call) and getattr(call.func, "attr", "") in STACK_METHODS
        if enters and isinstance(call, ast.Call) and guard.call in call.args:
            return True
    return False


def _without_wait(guard: _Guard) -> Inert | None:
    """A block in which nothing gives the loop a chance to end it."""
    if guard.item is None or not guard.scope.is_async or not _has_one_life(guard):
        return None
    statement, position = guard.item
    if isinstance(statement, ast.AsyncWith) and position + 1 < len(statement.items):
        return None
    inside: list[ast.AST] = [item.context_expr for item in statement.items[position + 1 :]]
    for node in (node for root in (*inside, *statement.body) for node in ast.walk(root)):
        word = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
        if node in guard.around.waits or isinstance(node, ast.Raise) or LOOKS_AT_TIME.search(word):
            return None
    return Inert(guard.call, f"nothing inside {guard.written}(…) waits, so it cannot fire")


def _on_trio(guard: _Guard, test: Test | None, project: Project) -> Inert | None:
    """An asyncio guard needs asyncio's loop; a test that asks which loop it has may know that."""
    if test is None or guard.scope is not test.scope or (guard.item is None and guard.is_context):
        return None
    if not any(name.startswith(("asyncio.", "async_timeout.")) for name in guard.names):
        return None
    if "trio" not in anyio_backends(test, project):
        return None
    if guard.around.words & SWITCHES_BACKEND or any(arg.arg in REQUESTS for arg in test.scope.parameters):
        return None
    if guard.expected:
        return None
    return Inert(guard.call, f"{guard.written}(…) needs asyncio's loop, and this test runs on trio too")


def _built_by(expr: ast.expr, scope: Scope) -> ast.Call | None:
    """The call that builds what is entered: itself, or what its name is bound to."""
    if isinstance(expr, ast.Name):
        expr = next((b.value for b in scope.bindings.get(expr.id, []) if b.value is not None), expr)
    return expr if isinstance(expr, ast.Call) else None


def _is_only_expected_to_fire(name: str, around: _Surroundings) -> bool:
    """Whether every use of a guard's name is an assertion that it fired."""
    loads = around.loads.get(name, ())
    return name not in around.scope.facts.outer and all(load in around.fired for load in loads)


def _expected(outer: ast.AST) -> Iterator[ast.expr | None]:
    """What a block expects, catches or hides; None where it doesn't say which exception."""
    if isinstance(outer, (ast.With, ast.AsyncWith)):
        managers = [item.context_expr for item in outer.items]
        expecting = [m for m in managers if EXPECTS.search(ast.unparse(m))]
        yield from (m.args[0] if isinstance(m, ast.Call) and m.args else None for m in expecting)
    elif isinstance(outer, ast.Try):
        yield from (handler.type for handler in outer.handlers)


def _may_be_wrong_entry(expected: ast.expr | None) -> bool:
    """Whether an expected exception may be the one that entering a guard the wrong way raises."""
    parts = expected.elts if isinstance(expected, ast.Tuple) else [expected]
    written = [ast.unparse(part).rpartition(".")[2] if part is not None else "" for part in parts]
    return any(name in WRONG_ENTRY or not name.endswith(("Error", "Cancelled")) for name in written)
