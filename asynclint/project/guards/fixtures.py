"""Fixtures that reach a test: of its module and classes, of conftest files upward, and of plugins."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from asynclint.project.config import PytestConfig, find_pytest_config
from asynclint.project.guards.plugins import plugin_modules
from asynclint.project.guards.tests import Test, bases, is_fixture, is_fixture_decorator, marks, tests_in
from asynclint.project.guards.wrappers import project_function
from asynclint.project.index.modules import is_known_package
from asynclint.project.index.reading import is_installed
from asynclint.project.project import Project
from asynclint.source.outline import Binding, Outline, Scope
from asynclint.source.written import uncalled, written


class Fixture(NamedTuple):
    """A pytest fixture: its function, the name tests request it by, whether every test gets it.

    ``attribute`` is the name that its module or class has it under.
    """

    scope: Scope
    name: str
    autouse: bool
    attribute: str


def reaching_fixtures(test: Test, project: Project) -> list[Scope]:
    """Fixtures that pytest sets up round a test: autouse ones, requested ones, and what those request.

    Of several with one name, the nearest to the test; a farther one where that requests its own name.
    """
    return _reached(test, project)[0]


def reached_tests(outline: Outline, project: Project) -> dict[Scope, list[Test]]:
    """The tests of a module, in source order, by each fixture that reaches them."""

    def read() -> dict[Scope, list[Test]]:
        found: dict[Scope, list[Test]] = {}
        for test in tests_in(outline, project).values():
            for fixture in reaching_fixtures(test, project):
                found.setdefault(fixture, []).append(test)
        return found

    return project.remembered(("reached tests", outline), read)


def requested(test: Test, project: Project) -> set[str]:
    """Names of the fixtures that reach a test, those that are defined nowhere in the project included."""
    return _reached(test, project)[1]


def _reached(test: Test, project: Project) -> tuple[list[Scope], set[str]]:
    return project.remembered(("reaching", test.scope), lambda: _reaching(test, project))


def _reaching(test: Test, project: Project) -> tuple[list[Scope], set[str]]:
    modules = plugin_modules(test.scope.outline, test.config, project)
    levels = [*_class_levels(test, project), *(_fixtures(module.scope, project) for module in modules)]
    wanted = [fixture.name for level in levels for fixture in level if fixture.autouse]
    wanted += [arg.arg for arg in test.scope.parameters]
    wanted += [*_used_by_mark(test, project), *test.config.usefixtures, *_by_hand(test.scope)]
    given = _parametrized(test, project)
    queue = [(name, 0) for name in wanted if name not in given]
    found: dict[Scope, None] = {}
    seen: set[tuple[str, int]] = set()
    while queue:
        request = queue.pop(0)
        if request in seen:
            continue
        seen.add(request)
        name, first = request
        depth, nearest = _nearest(name, first, levels)
        for fixture in nearest:
            found[fixture.scope] = None
            needs = [*(arg.arg for arg in fixture.scope.parameters), *_by_hand(fixture.scope)]
            queue += [(need, depth + 1 if need == name else 0) for need in needs if need not in given]
    return list(found), {name for name, _ in seen}


def filling(name: str, function: Scope, project: Project) -> Fixture | None:
    """The fixture that fills a parameter of a test or of a fixture; None where none or several may."""
    test = tests_in(function.outline, project).get(function)
    if test is not None and (
        name in _parametrized(test, project) or _is_filled_otherwise(name, test, project)
    ):
        return None
    if test is None and is_fixture(function, project) is None:
        return None
    levels = _levels(function, test, project)
    depth, nearest = _nearest(name, 0, levels)
    if any(fixture.scope is function for fixture in nearest):  # it requests the one it overrides
        depth, nearest = _nearest(name, depth + 1, levels)
    alone = len(nearest) == 1 and len(nearest[0].scope.decorators) == 1
    return nearest[0] if alone else None


def _levels(function: Scope, test: Test | None, project: Project) -> list[list[Fixture]]:
    """Fixtures that a test or a fixture can request, nearest first."""
    return project.remembered(("levels", function), lambda: _read_levels(function, test, project))


def _read_levels(function: Scope, test: Test | None, project: Project) -> list[list[Fixture]]:
    outline, owner = function.outline, function.enclosing_class
    inner: list[list[Fixture]] = [*_class_levels(test, project)] if test is not None else []
    if test is None and owner is not None:
        inner = [_fixtures(owner, project)]
    return [*inner, *project.remembered(("levels of", outline), lambda: _module_levels(outline, project))]


def _module_levels(outline: Outline, project: Project) -> list[list[Fixture]]:
    """Fixtures of a module, of its conftest files, nearest first, and of plugins."""
    modules = plugin_modules(outline, find_pytest_config(outline.directory), project)
    return [_fixtures(module.scope, project) for module in modules]


def _is_filled_otherwise(name: str, test: Test, project: Project) -> bool:
    """Whether a decorator, ``pytestmark`` or a hook may give a test what would be a fixture's."""
    key = ("filled otherwise", test.scope)
    others = project.remembered(key, lambda: _other_fillers(test, project))
    return others is None or any(name in hook and re.search(rf"\b{name}\b", hook) for hook in others)


def _other_fillers(test: Test, project: Project) -> tuple[str, ...] | None:
    """Sources of the hooks that may fill parameters of a test; None where something may fill any."""
    for decorator in test.scope.decorators:
        target = uncalled(decorator)
        if not isinstance(target, ast.Attribute) or ".mark." not in written(target):
            return None
    scopes = [test.scope.outline.scope, *(test.bases.project if test.bases is not None else ())]
    marked = [b.value for scope in scopes for b in scope.bindings.get("pytestmark", [])]
    if any(value is not None and "parametrize" in ast.unparse(value) for value in marked):
        return None
    outline = test.scope.outline
    return project.remembered(("hooks of", outline), lambda: _all_hooks(outline, test.config, project))


def _all_hooks(outline: Outline, config: PytestConfig, project: Project) -> tuple[str, ...]:
    return tuple(hook for m in plugin_modules(outline, config, project) for hook in _hooks(m, project))


def _hooks(module: Outline, project: Project) -> list[str]:
    """Sources of the ``pytest_generate_tests`` of a module."""
    return project.remembered(
        ("pytest_generate_tests", module),
        lambda: [
            module.text.slice(module.text.span(function.node))
            for function in module.scope.facts.scopes
            if function.name == "pytest_generate_tests"
        ],
    )


def _nearest(name: str, first: int, levels: list[list[Fixture]]) -> tuple[int, list[Fixture]]:
    """Fixtures of one name in the first level that has any, and that level's index."""
    for depth in range(first, len(levels)):
        found = [fixture for fixture in levels[depth] if fixture.name == name]
        if found:
            return depth, found
    return len(levels), []


def _class_levels(test: Test, project: Project) -> Iterator[list[Fixture]]:
    """Fixtures of the test's class and of each class round it, those of bases included."""
    inherited = test.bases.project if test.bases is not None else ()
    outer = test.scope.enclosing_class
    while inherited or outer is not None:
        hidden: set[str] = set()
        level: list[Fixture] = []
        for cls in inherited:
            level += [fixture for fixture in _fixtures(cls, project) if fixture.attribute not in hidden]
            hidden |= {name for name, found in cls.bindings.items() if _replaces(found[-1])}
        yield level
        outer = outer.enclosing_class if outer is not None else None
        inherited = bases(outer, project).project if outer is not None else ()


def _replaces(binding: Binding) -> bool:
    """Whether an attribute of a class surely takes the place of a fixture it would inherit."""
    return binding.kind == "def" or isinstance(binding.value, ast.Constant)


def _by_hand(function: Scope) -> Iterator[str]:
    """``request.getfixturevalue("timer")``."""
    for call in function.facts.calls:
        if isinstance(call.func, ast.Attribute) and call.func.attr == "getfixturevalue":
            yield from _strings(call.args)


def _strings(arguments: list[ast.expr]) -> Iterator[str]:
    for argument in arguments:
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            yield argument.value


def _parametrized(test: Test, project: Project) -> set[str]:
    """Parameters that get their values from the test's own mark, and no longer from a fixture."""
    names: set[str] = set()
    for mark in marks(test, project):
        call = mark.call if mark.name == "parametrize" else None
        if call is not None and len(call.args) == 2 and not any(k.arg == "indirect" for k in call.keywords):
            texts = (node.value for node in ast.walk(call.args[0]) if isinstance(node, ast.Constant))
            names |= {name.strip() for text in texts if isinstance(text, str) for name in text.split(",")}
    return names


def visible_fixtures(outline: Outline, config: PytestConfig, project: Project) -> list[Fixture]:
    """Fixtures that tests of a module can request: its own, its conftest files' and local plugins'."""
    return project.remembered(("fixtures", outline), lambda: _visible_fixtures(outline, config, project))


def _visible_fixtures(outline: Outline, config: PytestConfig, project: Project) -> list[Fixture]:
    return [
        f for module in plugin_modules(outline, config, project) for f in _fixtures(module.scope, project)
    ]


def _fixtures(owner: Scope, project: Project) -> list[Fixture]:
    """Fixtures that a module or class defines, and those that a module imports."""
    return project.remembered(
        ("fixtures of", owner), lambda: list(dict.fromkeys(_all_fixtures(owner, project)))
    )


def _all_fixtures(owner: Scope, project: Project) -> Iterator[Fixture]:
    yield from _own_fixtures(owner, project)
    if owner.parent is None:
        yield from _imported_fixtures(owner.outline, project)


def _own_fixtures(owner: Scope, project: Project) -> list[Fixture]:
    """Fixtures that a module or class defines itself."""
    return project.remembered(("own fixtures", owner), lambda: list(_defined_fixtures(owner, project)))


def _defined_fixtures(owner: Scope, project: Project) -> Iterator[Fixture]:
    for scope in owner.facts.scopes:
        decorator = is_fixture(scope, project) if scope.is_function and scope.decorators else None
        if decorator is not None:
            yield _fixture(scope, decorator, scope.name)
    for name, bindings in owner.bindings.items():
        for binding in bindings:
            if binding.kind == "assign" and isinstance(binding.value, ast.Call):
                yield from _called_fixtures(binding.value, name, owner, project)


def _fixture(function: Scope, decorator: ast.expr, attribute: str) -> Fixture:
    return Fixture(function, _fixture_name(decorator, attribute), is_autouse(decorator), attribute)


def _called_fixtures(call: ast.Call, name: str, owner: Scope, project: Project) -> Iterator[Fixture]:
    """``limit = pytest.fixture(autouse=True)(function)``, or what a function that makes fixtures returns."""
    options = call.func if isinstance(call.func, ast.Call) else call
    if is_fixture_decorator(options, owner, project):
        function = project_function(call.args[0], owner, project) if call.args else None
        if function is not None:
            yield _fixture(function, options, name)
        return
    maker = project_function(call.func, owner, project)
    for scope in maker.facts.scopes if maker is not None else ():
        decorator = is_fixture(scope, project) if scope.is_function and scope.decorators else None
        if decorator is not None:
            made = _fixture(scope, decorator, name)
            handed_on = isinstance(decorator, ast.Call) and any(k.arg is None for k in decorator.keywords)
            yield made._replace(autouse=made.autouse or (handed_on and is_autouse(call)))


def _imported_fixtures(module: Outline, project: Project) -> Iterator[Fixture]:
    """Fixtures that a module imports, under one name each or with all that another holds."""
    queue, seen = [module], {module}
    while queue:
        outline = queue.pop(0)
        if outline is not module:
            yield from _fixtures_of_its_own(outline, project)
        for name, bindings in outline.scope.bindings.items():
            for binding in bindings:
                if binding.kind == "from":
                    origin = _origin(binding, outline, project)
                    for fixture in _fixtures_named(origin, binding.member, project):
                        own_name = fixture.name != fixture.attribute
                        yield fixture._replace(name=fixture.name if own_name else name, attribute=name)
        stars = [_origin(star, outline, project) for star in outline.scope.facts.stars]
        queue += dict.fromkeys(s for s in stars if s is not None and s not in seen)
        seen.update(queue)


def _origin(binding: Binding, importer: Outline, project: Project) -> Outline | None:
    """The module that an import names; an installed one only if it says "fixture" at all, and no stub."""
    place = project.modules.place(binding.module, binding.level, importer.path)
    if place is not None and place.suffix == ".pyi":
        return None
    word = b"fixture" if is_installed(importer.path) else b""
    found = project.modules.find(binding.module, binding.level, importer, word)
    if found is not None or binding.level or is_known_package(binding.module):
        return found
    wider = project.with_installed(importer.path.parent)
    return wider.modules.find(binding.module, 0, importer, b"fixture")


def _fixtures_named(origin: Outline | None, member: str, project: Project) -> Iterator[Fixture]:
    """The fixtures that a module has under a name, its own and those it imports, as they are defined."""
    seen: set[tuple[Outline, str]] = set()
    queue = [(origin, member)]
    while queue:
        outline, name = queue.pop()
        if outline is None or (outline, name) in seen:
            continue
        seen.add((outline, name))
        yield from (found for found in _fixtures_of_its_own(outline, project) if found.attribute == name)
        bindings = [b for b in outline.scope.bindings.get(name, []) if b.kind == "from"]
        nexts = [(_origin(binding, outline, project), binding.member) for binding in bindings]
        nexts += [(_origin(star, outline, project), name) for star in outline.scope.facts.stars]
        queue += reversed(nexts)


def _fixtures_of_its_own(outline: Outline, project: Project) -> list[Fixture]:
    """Fixtures that a module defines, if it says "fixture" at all."""
    return _own_fixtures(outline.scope, project) if "fixture" in outline.text.text else []


def _used_by_mark(test: Test, project: Project) -> Iterator[str]:
    for mark in marks(test, project):
        if mark.name == "usefixtures" and mark.call is not None:
            yield from _strings(mark.call.args)


def is_autouse(decorator: ast.expr) -> bool:
    """Whether a fixture decorator gives its fixture to every test."""
    if not isinstance(decorator, ast.Call):
        return False
    return any(
        k.arg == "autouse" and not (isinstance(k.value, ast.Constant) and not k.value.value)
        for k in decorator.keywords
    )


def _fixture_name(decorator: ast.expr, attribute: str) -> str:
    for keyword in decorator.keywords if isinstance(decorator, ast.Call) else ():
        if keyword.arg == "name" and isinstance(keyword.value, ast.Constant):
            return str(keyword.value.value)
    return attribute
