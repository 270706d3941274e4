"""Who else may close what a function leaves open: other methods of its class, the users of a fixture."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable

from asynclint.knowledge.resources import LOOP, Resource
from asynclint.project.guards.tests import is_fixture, test_of
from asynclint.project.owners import ends_its_own, may_be_finished, shows_its_own
from asynclint.project.project import Project
from asynclint.project.tasks import is_setup
from asynclint.source.outline import Scope
from asynclint.source.written import written


def is_closed_elsewhere(
    attributes: Collection[str], scope: Scope, resource: Resource, project: Project
) -> bool:
    """Whether a class, or the users of a fixture, may close what a function leaves open.

    ``attributes`` of ``self`` hold it; of those that others may use one can't tell, but in classes of tests.
    """
    closers = resource.closers
    if not attributes:
        return is_lent(scope, project) and _is_closed_by_users(scope, closers)
    own = test_of(scope, project) is not None or is_setup(scope, project)
    own = own or _is_own_business(scope, attributes, closers)
    if not own and not all(name.startswith("_") for name in attributes):
        return True
    unit = scope.enclosing_class or scope
    lent = project.remembered(("shown", unit), lambda: _shown_attributes(scope) | _asked_attributes(scope))
    if resource is LOOP:
        lent = lent | project.remembered(("lent", unit), lambda: _lent_attributes(scope))

    def is_look(use: ast.Attribute) -> bool:
        return use in lent or use.attr not in {*closers, *resource.parts, *attributes}

    return any(may_be_finished(name, scope, project, is_look) for name in attributes)


def is_lent(scope: Scope, project: Project) -> bool:
    """Whether what a generator yields comes back to it: fixtures and context managers."""
    if not scope.is_generator or not scope.decorators:
        return False
    named = [ast.unparse(decorator) for decorator in scope.decorators]
    return any(name.endswith("contextmanager") for name in named) or is_fixture(scope, project) is not None


def _lent_attributes(method: Scope) -> frozenset[ast.expr]:
    """What a class gives to others as ``loop=self.loop``, or to functions of asyncio."""
    given: set[ast.expr] = set()
    scopes = (method.enclosing_class or method).nested()
    for call in (call for scope in scopes for call in scope.facts.calls):
        given.update(k.value for k in call.keywords if (k.arg or "").endswith("loop"))
        given.update(call.args if written(call.func).startswith("asyncio.") else ())
    return frozenset(given)


def _is_own_business(method: Scope, attributes: Iterable[str], closers: frozenset[str]) -> bool:
    """Whether a class ends what it has itself, and its module does so nowhere else."""
    owner = method.enclosing_class
    if owner is None or not ends_its_own(owner):
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
    """What a class that ends its own things only shows: ``return self._session``."""
    owner = method.enclosing_class
    shown = (m for m in owner.facts.scopes if shows_its_own(m)) if owner is not None else ()
    returned = (given.value for m in shown for given in m.facts.returns)
    return frozenset(value for value in returned if isinstance(value, ast.Attribute))


def _is_closed_by_users(fixture: Scope, closers: frozenset[str]) -> bool:
    """Whether tests of the same module close what a fixture gives them.

    ``client.aclose()``, ``async with client:``, ``stack.enter_async_context(client)``.
    """
    name, methods = re.escape(fixture.name), "|".join(map(re.escape, sorted(closers)))
    ends = rf"\b{name}\.({methods})\b|\bwith\b[^:#\n]*\b{name}\b(?!\()|enter(_async)?_context\(\s*{name}\b"
    return re.search(ends, fixture.outline.text.text) is not None
