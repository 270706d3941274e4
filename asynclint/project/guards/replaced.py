"""Names that the tests put something else in place of: mocks, patches, assignments."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from asynclint.project.config import find_pytest_config
from asynclint.project.guards.fixtures import Fixture, is_autouse, reaching_fixtures, visible_fixtures
from asynclint.project.guards.patches import ANY, Replaced, assigned_in, patched_by, patching
from asynclint.project.guards.plugins import plugin_modules
from asynclint.project.guards.tests import is_fixture, tests_in
from asynclint.project.index.classes import ancestors
from asynclint.project.index.reading import is_fixed
from asynclint.project.index.values import Calling, Class, Function, Instance, Module, Value
from asynclint.project.project import Project
from asynclint.source.outline import Outline, Scope
from asynclint.source.written import called

MAX_DEPTH = 3  # names of names
IMPORTING = frozenset({"importorskip", "import_module", "reload", "__import__"})


def is_replaced(func: ast.expr, scope: Scope, project: Project, *, by_plain: bool = False) -> bool:
    """Whether part of a dotted name is patched somewhere, or a parameter that a mocking fixture fills.

    ``by_plain``: by something whose calls need no ``await``.
    """

    def concerned(name: str, owner: ast.expr | None, where: Scope) -> bool:
        return any(
            _concerns(one, owner, where, project) and not (by_plain and one.is_awaited(project))
            for one in _replaced(name, scope, project)
        )

    for name, owner, where in _on_the_way(func, scope):
        if concerned(name, owner, where) or (owner is not None and concerned(ANY, owner, where)):
            return True
    if _is_mocked_parameter(_root(func), scope, project):
        return True
    value = project.inference.value(func, scope)
    receiver = value.receiver if isinstance(value, Function) else None
    cls = receiver.cls if isinstance(receiver, Instance) else receiver
    return cls is not None and are_replaced([cls.scope.name], scope, project)


def _concerns(replaced: Replaced, owner: ast.expr | None, scope: Scope, project: Project) -> bool:
    """Whether what is patched may be an attribute of ``owner``, which is asked for one of that name."""
    if owner is None:
        return True
    accessed = project.inference.value(owner, scope)
    if not replaced.owner:
        return replaced.name != ANY or not _is_left_alone(accessed, replaced)
    patched = _patched(replaced, project)
    if isinstance(patched, Module) or (patched is None and _is_imported(replaced.owner, replaced.scope)):
        if accessed is None:  # a module, perhaps, that can't be found
            return _is_imported(owner, scope)
        return isinstance(accessed, Module) and (patched is None or accessed == patched)
    if patched is None:
        return replaced.name != ANY or not _is_left_alone(accessed, replaced)
    if isinstance(accessed, Module):
        return False
    one, other = _class_of(patched), _class_of(accessed) if accessed is not None else None
    return one is None or other is None or _are_related(one, other, project)


def _is_left_alone(accessed: Value | None, replaced: Replaced) -> bool:
    """Whether something is surely not the unknown object that is patched.

    A module; where that is an attribute of ``self``, whatever is known; where it is no parameter, what
    the standard library has.
    """
    if isinstance(accessed, Module):
        return True
    cls = _class_of(accessed) if accessed is not None else None
    if cls is None:
        return False
    owner, parameters = replaced.owner, [parameter.arg for parameter in replaced.scope.parameters]
    root = _root(owner) if isinstance(owner, ast.expr) else ""
    on_self = replaced.scope.enclosing_class is not None and parameters[:1] == [root]
    if on_self and isinstance(owner, ast.Attribute):
        return True
    return is_fixed(cls.scope.outline.path) and root not in parameters


def _is_imported(owner: ast.expr | str, scope: Scope) -> bool:
    """``import tools``, ``importorskip("tools")``: the name of a module, whether that can be found or not."""
    found = scope.lookup(owner.id) if isinstance(owner, ast.Name) else None
    return found is not None and all(
        binding.kind == "import"
        or (isinstance(binding.value, ast.Call) and called(binding.value) in IMPORTING)
        for binding in found[1]
    )


def _patched(replaced: Replaced, project: Project) -> Value | None:
    """The object whose attribute is patched, as far as it is known."""
    if not isinstance(replaced.owner, str):
        return project.inference.value(replaced.owner, replaced.scope)
    outline = project.modules.find(replaced.owner, 0, replaced.scope.outline)
    if outline is not None:
        return Module(outline)
    module, _, member = replaced.owner.rpartition(".")
    outline = project.modules.find(module, 0, replaced.scope.outline) if module else None
    return project.inference.attribute(Module(outline), member) if outline is not None else None


def _class_of(value: Value) -> Class | None:
    if isinstance(value, Instance):
        return value.cls
    return value if isinstance(value, Class) else None


def _are_related(one: Class, other: Class, project: Project) -> bool:
    """Whether one of two classes is an heir of the other, as far as their bases are known."""
    families = [
        {cls.scope for cls in ancestors(each, project.inference) if cls is not None} for each in (one, other)
    ]
    return one.scope in families[1] or other.scope in families[0]


def gives_replaced(func: ast.expr, scope: Scope, project: Project) -> bool:
    """Whether a plain function gives on what it has from a patched name: ``return self.request()``."""
    value = project.inference.value(func, scope)
    if not isinstance(value, Function) or value.calling is not Calling.SYNC:
        return False
    given = [returned.value for returned in value.scope.facts.returns]
    names = [_own_name(_given_to(expr, value.scope)) if expr is not None else "" for expr in given]
    return bool(names) and all(
        any(not one.is_awaited(project) for one in _replaced(name, scope, project)) for name in names
    )


def _given_to(expr: ast.expr, scope: Scope) -> ast.expr:
    """What a name that has one value in a function is given there; any other expression itself."""
    bindings = scope.bindings.get(expr.id, []) if isinstance(expr, ast.Name) else []
    value = bindings[0].value if len(bindings) == 1 else None
    return expr if value is None else value


def _own_name(expr: ast.expr) -> str:
    """``request`` of ``self.request()`` and ``api`` of ``self.api.get()``: what is asked of the object."""
    name = ""
    while isinstance(expr, (ast.Attribute, ast.Call, ast.Await, ast.Subscript)):
        name = expr.attr if isinstance(expr, ast.Attribute) else name
        expr = expr.func if isinstance(expr, ast.Call) else expr.value
    return name if isinstance(expr, ast.Name) and expr.id in ("self", "cls") else getattr(expr, "id", "")


def _on_the_way(expr: ast.expr, scope: Scope, depth: int = 0) -> Iterator[tuple[str, ast.expr | None, Scope]]:
    """Names of a call and of how its receiver is come by: ``get_client`` of ``client = app.get_client()``.

    With each what it is an attribute of (None: of nothing), and where.
    """
    while isinstance(expr, (ast.Attribute, ast.Call, ast.Await, ast.Subscript)):
        if isinstance(expr, ast.Attribute):
            yield expr.attr, expr.value, scope
        expr = expr.func if isinstance(expr, ast.Call) else expr.value
    if not isinstance(expr, ast.Name):
        return
    yield expr.id, None, scope
    found = scope.lookup(expr.id) if depth < MAX_DEPTH else None
    for binding in found[1] if found is not None else ():
        if binding.value is not None and binding.kind in ("assign", "unpack", "with", "async with"):
            yield from _on_the_way(binding.value, scope, depth + 1)


def are_replaced(names: Iterable[str], scope: Scope, project: Project) -> bool:
    """Whether something is put in place of one of some names where a scope runs, whoever has it."""
    return any(True for name in names for _ in _replaced(name, scope, project))


def _replaced(name: str, scope: Scope, project: Project) -> Iterator[Replaced]:
    """What is put in place of something of that name where a scope runs."""
    outline = scope.outline
    found = project.remembered(("replaced", outline), lambda: _all_replaced(outline, project))
    for user, one in found.get(name, ()):
        if _meet(user, scope, project):
            yield one


def _meet(user: Scope | None, scope: Scope, project: Project) -> bool:
    """Whether a scope may run while a test or fixture has something replaced; None has for good."""
    own = _user(scope, project)
    test = own if own is not None and _is_test(own) else None  # None: a helper of whichever test
    if user is None or user is test:
        return True
    if _is_test(user):
        return test is None
    key = ("runs with", user, scope.outline, test)
    return project.remembered(key, lambda: _reaches(user, test, scope.outline, project))


def _reaches(fixture: Scope, test: Scope | None, outline: Outline, project: Project) -> bool:
    """Whether a test of a module, or that one, asks for a fixture, as far as can be told."""
    if outline.text.has_any((f'"{fixture.name}"', f"'{fixture.name}'")):
        return True
    tests = tests_in(outline, project)
    if not tests or (test is not None and test not in tests):
        return True
    chosen = tests.values() if test is None else [tests[test]]
    return any(fixture in reaching_fixtures(each, project) for each in chosen)


def _root(expr: ast.expr) -> str:
    """``client`` of ``client.session.send``; empty where that is no name."""
    while isinstance(expr, ast.Attribute):
        expr = expr.value
    return expr.id if isinstance(expr, ast.Name) else ""


def _all_replaced(
    outline: Outline, project: Project
) -> Mapping[str, Sequence[tuple[Scope | None, Replaced]]]:
    """What is replaced, by name, with the test or fixture that does so while it runs; None does for good."""
    config = find_pytest_config(outline.directory)
    names: dict[str, list[tuple[Scope | None, Replaced]]] = {}
    for module in plugin_modules(outline, config, project):
        for found in project.remembered(("replaced by", module), partial(_replaced_by, module, project)):
            names.setdefault(found[1].name, []).append(found)
    return names


def _replaced_by(module: Outline, project: Project) -> Sequence[tuple[Scope | None, Replaced]]:
    """What one module puts something else in place of."""
    found: list[tuple[Scope | None, Replaced]] = []
    decorating: dict[int, Scope] = {}
    for scope in module.scope.nested():
        if scope.is_function and scope.decorators:
            decorating |= {id(decorator): scope for decorator in scope.decorators}
        found += [(_user(scope, project), one) for one in assigned_in(scope)]
    for scope in module.scope.nested():
        for call in patching(scope):
            user = _user(decorating.get(id(call), scope), project)
            found += [(user, one) for one in patched_by(call, scope)]
    return list(dict.fromkeys(found))


def _user(scope: Scope, project: Project) -> Scope | None:
    """The test, or the fixture that tests ask for, that a scope is part of.

    What is patched there is as it was when the test ends; not in a fixture with a scope of its own.
    """
    functions = [outer for outer in scope.around() if outer.is_function]
    decorator = is_fixture(functions[-1], project) if functions else None
    if decorator is not None:
        lasts = isinstance(decorator, ast.Call) and any(k.arg == "scope" for k in decorator.keywords)
        return None if lasts or is_autouse(decorator) else functions[-1]
    return functions[-1] if functions and _is_test(functions[-1]) else None


def _is_test(function: Scope) -> bool:
    return function.name.startswith("test")


def _is_mocked_parameter(name: str, scope: Scope, project: Project) -> bool:
    """Whether a name is a test's parameter, and the fixture behind it makes a mock."""
    found = scope.lookup(name) if name else None
    if found is None or found[1][0].kind != "param":
        return False
    config = find_pytest_config(scope.outline.directory)
    for fixture in visible_fixtures(scope.outline, config, project):
        if fixture.name == name and _makes_mock(fixture, project):
            return True
    return False


def _makes_mock(fixture: Fixture, project: Project) -> bool:
    """Whether a fixture that has a mock in it may give one; not if it is seen to give something else."""
    text, facts = fixture.scope.outline.text, fixture.scope.facts
    source = text.slice(text.span(fixture.scope.node)).lower()
    given = [node.value for node in (*facts.returns, *facts.yields) if not isinstance(node, ast.YieldFrom)]
    if "mock" not in source and "autospec" not in source:
        made = [project.inference.value(value, fixture.scope) for value in given]
        return any(isinstance(value, Instance) and _is_mock(value) for value in made)
    return not given or any(_may_be_mock(value, fixture.scope, project) for value in given)


def _is_mock(value: Instance) -> bool:
    return value.cls.scope.outline.is_stub and "Mock" in value.cls.scope.name


def _may_be_mock(value: ast.expr | None, scope: Scope, project: Project) -> bool:
    """Whether a value is made by something that sounds like a mock, or nobody sees how it is made."""
    made = project.inference.value(value, scope)
    if isinstance(made, Instance):
        return _is_mock(made)
    found = scope.lookup(value.id) if isinstance(value, ast.Name) else None
    if found is None:
        return True
    texts = [ast.unparse(b.value) if b.value is not None else "" for b in found[1] if b.kind != "def"]
    return any(not text or "mock" in text.lower() or "autospec" in text for text in texts)
