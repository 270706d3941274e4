"""Names that the tests put something else in place of: mocks, patches, assignments."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial

from asynclint.project.config import find_pytest_config
from asynclint.project.guards.fixtures import Fixture, visible_fixtures
from asynclint.project.guards.plugins import plugin_modules
from asynclint.project.index.values import Calling, Function, Instance, Module
from asynclint.project.project import Project
from asynclint.source.outline import Outline, Scope
from asynclint.source.written import called, last_name, uncalled, written

MAX_DEPTH = 3  # names of names
ANY = "*"  # nobody knows which name
NAMING = frozenset({"target", "target_string", "attribute", "name"})
PATCHES = frozenset(
    ["patch", "object", "setattr", "multiple", "delattr", "spy", "stub", "dict", "patch_object", "replace",
     "attach_mock"]
)  # fmt: skip


def is_replaced(func: ast.expr, scope: Scope, project: Project) -> bool:
    """Whether part of a dotted name is patched somewhere, or a parameter that a mocking fixture fills."""
    patched = replaced_names(scope, project)
    if not patched.isdisjoint(_on_the_way(func, scope)) or _is_mocked_parameter(_root(func), scope, project):
        return True
    if ANY in patched and isinstance(func, ast.Attribute):
        owner = project.inference.value(func.value, scope)
        if not isinstance(owner, Module):
            return True
    value = project.inference.value(func, scope)
    receiver = value.receiver if isinstance(value, Function) else None
    cls = receiver.cls if isinstance(receiver, Instance) else receiver
    return cls is not None and cls.scope.name in patched


def gives_replaced(func: ast.expr, scope: Scope, project: Project) -> bool:
    """Whether a plain function gives on what it has from a patched name: ``return self.request()``."""
    value = project.inference.value(func, scope)
    if not isinstance(value, Function) or value.calling is not Calling.SYNC:
        return False
    patched = replaced_names(scope, project)
    given = [returned.value for returned in value.scope.facts.returns]
    return bool(given) and all(
        expr is not None and _own_name(_given_to(expr, value.scope)) in patched for expr in given
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


def _on_the_way(expr: ast.expr, scope: Scope, depth: int = 0) -> Iterator[str]:
    """Names of a call and of how its receiver is come by: ``get_client`` of ``client = app.get_client()``."""
    while isinstance(expr, (ast.Attribute, ast.Call, ast.Await, ast.Subscript)):
        if isinstance(expr, ast.Attribute):
            yield expr.attr
        expr = expr.func if isinstance(expr, ast.Call) else expr.value
    if not isinstance(expr, ast.Name):
        return
    yield expr.id
    found = scope.lookup(expr.id) if depth < MAX_DEPTH else None
    for binding in found[1] if found is not None else ():
        if binding.value is not None and binding.kind in ("assign", "unpack", "with", "async with"):
            yield from _on_the_way(binding.value, scope, depth + 1)


def replaced_names(scope: Scope, project: Project) -> frozenset[str]:
    """Names that something else is put in place of where a scope runs, whatever they are attributes of."""
    outline = scope.outline
    found = project.remembered(("replaced", outline), lambda: _replaced_names(outline, project))
    test = _test_of(scope)
    if test is None:  # a helper of whichever test
        return project.remembered(("replaced anywhere", outline), lambda: frozenset().union(*found.values()))
    return found[None] | found.get(test, frozenset())


def _root(expr: ast.expr) -> str:
    """``client`` of ``client.session.send``; empty where that is no name."""
    while isinstance(expr, ast.Attribute):
        expr = expr.value
    return expr.id if isinstance(expr, ast.Name) else ""


def _replaced_names(outline: Outline, project: Project) -> dict[Scope | None, frozenset[str]]:
    """Names by the test that puts something else in their place, and only for itself; None for any test."""
    config = find_pytest_config(outline.directory)
    found: dict[Scope | None, frozenset[str]] = {None: frozenset()}
    for module in plugin_modules(outline, config, project):
        own = project.remembered(("replaced by", module), partial(_replaced_by, module))
        found |= {test: found.get(test, frozenset()) | names for test, names in own.items()}
    return found


def _replaced_by(module: Outline) -> dict[Scope | None, frozenset[str]]:
    """The names that one module puts something else in place of."""
    found: dict[Scope | None, set[str]] = {}
    decorating: dict[int, Scope] = {}
    for scope in module.scope.nested():
        if scope.is_function and scope.decorators:
            decorating |= {id(decorator): scope for decorator in scope.decorators}
        names = _assigned_in(scope)
        if names:
            found.setdefault(_test_of(scope), set()).update(names)
    for scope in module.scope.nested():
        for call in _patches(scope):
            names = _patched_by(call, scope)
            if names:
                found.setdefault(_test_of(decorating.get(id(call), scope)), set()).update(names)
    return {test: frozenset(names) for test, names in found.items()}


def _test_of(scope: Scope) -> Scope | None:
    """The test that a scope is part of; what is patched there is as it was when the test ends."""
    functions = [outer for outer in scope.around() if outer.is_function]
    if not functions or not functions[-1].name.startswith("test"):
        return None
    makers = [uncalled(d) for d in functions[-1].decorators]
    is_fixture = any("fixture" in written(maker) for maker in makers)
    return None if is_fixture else functions[-1]


def _assigned_in(scope: Scope) -> set[str]:
    names: set[str] = set()
    own = scope.parameters[0].arg if scope.enclosing_class is not None and scope.parameters else ""
    for target, value in scope.facts.attributes:
        if _is_async_mock(value):
            continue
        if not (isinstance(target.value, ast.Name) and target.value.id == own):
            names.add(target.attr)
    names |= {name for name, kind in scope.facts.outer.items() if kind == "global" and name in scope.bindings}
    return names


def _patches(scope: Scope) -> Iterator[ast.Call]:
    for calls in (scope.facts.functions, scope.facts.methods):
        for name in calls.keys() & PATCHES:
            yield from calls[name]


def _patched_by(call: ast.Call, scope: Scope) -> set[str]:
    name = called(call)
    if name == "multiple":
        return {k.arg or ANY for k in call.keywords if not _is_async_mock(k.value)}
    if any(_is_async_mock(value) for value in (*call.args, *(keyword.value for keyword in call.keywords))):
        return set()
    if name == "setattr" and len(call.args) == 3 and not any(_texts(call.args[1], scope)):
        return {ANY}
    named = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg in NAMING)]
    return {text.rpartition(".")[2] for value in named for text in _texts(value, scope)} - {""}


def _texts(expr: ast.expr, scope: Scope) -> Iterator[str]:
    """Strings that an argument may be: a constant, the end of a sum, what a loop goes over."""
    if isinstance(expr, ast.Name):
        found = scope.lookup(expr.id)
        values = [binding.value for binding in found[1]] if found is not None else []
        literals = [
            v for v in values if isinstance(v, (ast.Constant, ast.Tuple, ast.List, ast.Dict, ast.Set))
        ]
        for literal in literals:
            yield from (_text(node) for node in ast.walk(literal) if isinstance(node, ast.Constant))
    elif isinstance(expr, ast.BinOp):
        yield from (_text(side) for side in (expr.left, expr.right))
    else:
        yield _text(expr)


def _is_async_mock(value: ast.expr | None) -> bool:
    """``AsyncMock``, ``mock.AsyncMock(…)``: what it stands for is still to be awaited."""
    func = value.func if isinstance(value, ast.Call) else value
    return func is not None and last_name(func) == "AsyncMock"


def _text(expr: ast.expr) -> str:
    """A string, or the last piece of an f-string (``f"{__name__}.fetch"``)."""
    if isinstance(expr, ast.JoinedStr) and expr.values:
        expr = expr.values[-1]
    return expr.value if isinstance(expr, ast.Constant) and isinstance(expr.value, str) else ""


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
