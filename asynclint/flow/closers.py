"""Who else may close what a function leaves open: other methods of its class, the users of a fixture."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from asynclint.flow.owners import may_be_finished
from asynclint.flow.resources import Holding
from asynclint.knowledge.resources import LOOP
from asynclint.project.guards.tests import test_of
from asynclint.project.project import Project
from asynclint.project.resources import is_lent
from asynclint.project.tasks import is_setup
from asynclint.source.outline import Scope
from asynclint.source.written import written

# Methods that end what an object has.
ENDS = re.compile(
    r"^(a?close|stop|shut_?down|disconnect|dispose|__a?exit__|(async)?[tT]ear_?[dD]own|cleanup)$"
)


def is_closed_elsewhere(held: Holding, project: Project) -> bool:
    """Whether a class, or the users of a fixture, may close what a function leaves open.

    Of attributes that others may use one can't tell, but in the classes of tests.
    """
    life, closers = held.life, held.resource.closers
    attributes, scope = life.trace.attributes, life.scope
    if not attributes:
        return is_lent(scope, project) and _is_closed_by_users(scope, closers)
    own = test_of(scope, project) is not None or is_setup(scope, project)
    own = own or (project.is_test_code(scope.outline.path) and _is_own_business(scope, attributes, closers))
    if not own and not all(name.startswith("_") for name in attributes):
        return True

    lent = _shown_attributes(scope) | _asked_attributes(scope)
    if held.resource is LOOP:
        lent |= _lent_attributes(scope)

    def is_look(use: ast.Attribute) -> bool:
        return use in lent or use.attr not in {*closers, *held.resource.parts, *attributes}

    return any(may_be_finished(name, scope, project, is_look) for name in attributes)


def _lent_attributes(method: Scope) -> frozenset[ast.expr]:
    """What a class gives to others as ``loop=self.loop``, or to functions of asyncio."""
    given: set[ast.expr] = set()
    for call in ast.walk((method.enclosing_class or method).node):
        if isinstance(call, ast.Call):
            given.update(k.value for k in call.keywords if (k.arg or "").endswith("loop"))
            given.update(call.args if written(call.func).startswith("asyncio.") else ())
    return frozenset(given)


def _is_own_business(method: Scope, attributes: Iterable[str], closers: frozenset[str]) -> bool:
    """Whether a class in a test file ends what it has itself, and its module does so nowhere else."""
    owner = method.enclosing_class
    if owner is None or not any(
        other.is_function and ENDS.search(other.name) for other in owner.facts.scopes
    ):
        return False
    names = "|".join(map(re.escape, sorted(attributes)))
    ends = "|".join(map(re.escape, sorted(closers)))
    return re.search(rf"(?<!self)\.({names})\.({ends})\b", method.outline.text.text) is None


def _asked_attributes(method: Scope) -> frozenset[ast.expr]:
    """What a class only asks for: ``if self._server is None:``, ``if not self._server:``."""
    asked: set[ast.expr] = set()
    for node in ast.walk((method.enclosing_class or method).node):
        match node:
            case ast.Compare(left=left, comparators=[ast.Constant(value=None)]):
                asked.add(left)
            case ast.BoolOp(values=values):
                asked.update(values[:-1])
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                asked.add(operand)
            case ast.If(test=test) | ast.While(test=test) | ast.Assert(test=test) | ast.IfExp(test=test):
                asked.update(test.values if isinstance(test, ast.BoolOp) else [test])
    return frozenset(asked)


def _shown_attributes(method: Scope) -> frozenset[ast.expr]:
    """What properties of a class that closes its own things return: ``return self._session``."""
    owner = method.enclosing_class
    if owner is None or not any(_closes_others(other) for other in owner.facts.scopes):
        return frozenset()
    properties = (
        m for m in owner.facts.scopes if m.is_function and "property" in map(_written, m.decorators)
    )
    returned = (given.value for shown in properties for given in shown.facts.returns)
    return frozenset(value for value in returned if isinstance(value, ast.Attribute))


def _written(decorator: ast.expr) -> str:
    return written(decorator).rpartition(".")[2].removeprefix("cached_")


def _closes_others(method: Scope) -> bool:
    """``async def close(self)`` with a ``self.server.close()``, and what else ends an object."""
    if not method.is_function or not ENDS.search(method.name):
        return False
    return any(
        isinstance(call.func, ast.Attribute)
        and ENDS.search(call.func.attr)
        and isinstance(call.func.value, ast.Attribute)
        for call in method.facts.calls
    )


def _is_closed_by_users(fixture: Scope, closers: frozenset[str]) -> bool:
    """Whether tests of the same module close what a fixture gives them: ``client.aclose()``."""
    methods = "|".join(map(re.escape, sorted(closers)))
    return re.search(rf"\b{re.escape(fixture.name)}\.({methods})\b", fixture.outline.text.text) is not None
