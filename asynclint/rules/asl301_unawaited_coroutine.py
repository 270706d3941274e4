"""ASL301 unawaited-coroutine: a coroutine function is called and the coroutine dropped.

Calling a coroutine function runs none of its body; only ``await`` does. A bare call is a line of
the test that does nothing at all: the assertion in it never fails, the set-up never happens, and
under ``pytest.raises`` the expected exception can never come. This rule reports a bare call whose
function is known to be a coroutine function: defined in the file, a method found through its
classes, imported from the project or the standard library, or called on an object whose class is
known. What can't be resolved is left alone.

What is called is followed to its definition, through the project and the standard library: through
fixtures to the parameters that they fill, objects that stand for a coroutine, and annotations. Where
that ends, the module itself is asked: a call that it awaits elsewhere, on a receiver that is come by in
the same way, and lets be only here, is reported as *likely*, and so is a call of a parameter that is
annotated as giving something to await. A bare ``asyncio.gather`` or ``shield`` in a coroutine function starts
what it is given, and waits for nothing.

Why it matters: Python's only sign is a RuntimeWarning at some later garbage collection, which
fails no test.

Bad::

    class Client:
        async def send(self, message):
            await self.transport.write(message)


    async def test_send():
        client = Client()
        client.send("ping")

Good::

    class Client:
        async def send(self, message):
            await self.transport.write(message)


    async def test_send():
        client = Client()
        await client.send("ping")

Fix: unsafe. Awaits the call, where that is legal: what never ran then runs for the first time.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.finding import Edit, Finding, Fix, Safety, Span
from asynclint.knowledge.asyncs import GATHERING
from asynclint.project.coroutines import Evidence, makes_coroutine
from asynclint.project.eager import may_work_at_once
from asynclint.project.guards.replaced import is_replaced
from asynclint.project.names import known
from asynclint.rule import Rule, Scope
from asynclint.source.written import called

if TYPE_CHECKING:
    from asynclint.project.project import Project
    from asynclint.source.function import Function
    from asynclint.source.outline import Scope as Unit

GATHERING_NAMES = frozenset(name.rpartition(".")[2] for name in GATHERING)

rule = Rule("ASL301", "unawaited-coroutine", Scope.FUNCTION, fix=Safety.UNSAFE)


@rule.trigger
def trigger(unit: Unit, project: Project) -> bool:
    """A bare call of something known to be a coroutine function."""
    return any(
        _drops_coroutine(statement, scope, project)
        for scope in unit.nested()
        for statement in scope.facts.expressions
    )


def _drops_coroutine(statement: ast.Expr, scope: Unit, project: Project) -> Evidence | None:
    call = statement.value
    if not isinstance(call, ast.Call):
        return None
    evidence = makes_coroutine(call, scope, project)
    if evidence is None and scope.is_async and called(call) in GATHERING_NAMES:
        gathers = known(call.func, scope, project.modules, GATHERING)
        return Evidence.STARTED if gathers and not is_replaced(call.func, scope, project) else None
    works = evidence is Evidence.USE and may_work_at_once(call, scope, project)
    return None if works else evidence


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """Each dropped coroutine at its call."""
    from asynclint.flow.purpose import is_on_purpose

    dropping = (
        (scope, statement) for scope in function.scope.nested() for statement in scope.facts.expressions
    )
    for scope, statement in dropping:
        evidence = _drops_coroutine(statement, scope, project)
        call = statement.value
        if evidence is None or not isinstance(call, ast.Call) or is_on_purpose(function, call, project):
            continue
        span = function.text.span(call)
        fix, held_back = None, ""
        if scope.is_async:
            fix = Fix("await the coroutine", (Edit(Span(span.start, span.start), "await "),), Safety.UNSAFE)
        else:
            held_back = f"{scope.name or 'the module'} is not async, so it cannot await"
        name = ast.unparse(call.func)
        message = f"coroutine {name}(…) is never awaited, so this line does nothing"
        if evidence is Evidence.ANNOTATION:
            message = f"{name}(…) gives an awaitable that is never awaited, so this line may do nothing"
        elif evidence is Evidence.USE:
            message = f"{name}(…) is awaited elsewhere and not here, so this line may do nothing"
        elif evidence is Evidence.STARTED:
            message = f"{name}(…) is never awaited, so this line waits for nothing"
        yield Finding("", span, rule.code, message, fix, held_back, confidence=evidence.confidence)
