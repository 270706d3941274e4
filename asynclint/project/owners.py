"""Who finishes a task, or closes a resource, that a class keeps in an attribute of ``self``."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable
from functools import partial

from asynclint.knowledge.asyncs import CONTAINER_LOOKS, TASK_INSPECTION
from asynclint.project.guards.tests import bases, test_of
from asynclint.project.project import Project
from asynclint.source.outline import Outline, Scope
from asynclint.source.written import last_name

# Methods that end what an object has.
ENDS = re.compile(
    r"^(a?close|stop|shut_?down|disconnect|dispose|__a?exit__|(async)?[tT]ear_?[dD]own|cleanup)$"
)
PROPERTIES = frozenset({"property", "cached_property"})
LOOKS = TASK_INSPECTION | CONTAINER_LOOKS


def is_finished_elsewhere(attributes: Iterable[str], scope: Scope, project: Project) -> bool:
    """Whether a task that is kept on ``self`` may be finished elsewhere; outside of tests one can't tell."""
    names = tuple(attributes)
    if not names or test_of(scope, project) is None:
        return bool(names)
    return any(may_be_finished(name, scope, project) for name in names)


def _is_look(use: ast.Attribute) -> bool:
    """Whether ``use`` of a task or a container of tasks only looks at it."""
    return use.attr in LOOKS


def may_be_finished(
    attribute: str, method: Scope, project: Project, is_look: Callable[[ast.Attribute], bool] = _is_look
) -> bool:
    """Whether a method of the class, of a base or of an heir does more with an attribute than look at it.

    ``method`` is the one that assigns it, whose own uses are left out. Classes whose bases can't be read may.
    """
    owner = method.enclosing_class
    if owner is None:
        return True
    found = bases(owner, project)
    heirs = heirs_in(owner.outline, project).get(owner, [])
    if found.unknown or any(bases(heir, project).unknown for heir in heirs):
        return True
    others = [scope for cls in {*found.project, *heirs} for scope in cls.facts.scopes if scope is not method]
    if any(_ends_all(scope) for scope in others if ENDS.search(scope.name)):
        return True
    return any(
        not is_look(use)
        for scope in others
        for use in project.remembered(("uses of attributes", scope), partial(_uses, scope)).get(attribute, ())
    )


def _ends_all(method: Scope) -> bool:
    """``stop(self)``, ``getattr(self, name).close()``, ``vars(self)``: whatever the object has."""
    facts, own = method.facts, method.parameters[0].arg if method.parameters else ""
    given = [value for call in facts.calls for value in (*call.args, *(k.value for k in call.keywords))]
    if any(isinstance(value, ast.Name) and value.id == own for value in given):
        return True
    return "all_tasks" in {*facts.functions, *facts.methods} or f"{own}.__dict__" in method.source


def ends_its_own(owner: Scope) -> bool:
    """Whether a class has a method that ends what its objects have, such as ``close``."""
    return any(method.is_function and ENDS.search(method.name) for method in owner.facts.scopes)


def shows_its_own(method: Scope) -> bool:
    """A property or a private method of such a class, for what it returns stays the object's."""
    owner = method.enclosing_class
    if owner is None or not method.is_function or not ends_its_own(owner):
        return False
    private = method.name.startswith("_") and not method.name.endswith("__")
    return private or any(last_name(decorator) in PROPERTIES for decorator in method.decorators)


def heirs_in(outline: Outline, project: Project) -> dict[Scope, list[Scope]]:
    """The classes of a module by each that they inherit from, themselves among them."""

    def read() -> dict[Scope, list[Scope]]:
        found: dict[Scope, list[Scope]] = {}
        for cls in outline.classes:
            for base in bases(cls, project).project:
                found.setdefault(base, []).append(cls)
        return found

    return project.remembered(("heirs", outline), read)


def _uses(scope: Scope) -> dict[str, list[ast.Attribute]]:
    """By attribute: ``self.task.cancel`` for ``self.task``, itself where it is used otherwise."""
    found: dict[str, list[ast.Attribute]] = {}
    inner: set[int] = set()
    for node in ast.walk(scope.node):
        if not isinstance(node, ast.Attribute):
            continue
        if isinstance(node.value, ast.Attribute):
            inner.add(id(node.value))
            found.setdefault(node.value.attr, []).append(node)
        if isinstance(node.ctx, ast.Load) and id(node) not in inner:
            found.setdefault(node.attr, []).append(node)
    return found
