"""Which functions pytest or unittest runs as tests, and the marks they carry."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

from asynclint.knowledge.asyncs import PLAIN_BASES, TEST_CASES
from asynclint.project.config import PytestConfig, find_pytest_config
from asynclint.project.index.stars import exports
from asynclint.project.index.values import Class
from asynclint.project.names import chain, definition
from asynclint.project.project import Project
from asynclint.source.outline import Outline, Scope
from asynclint.source.written import uncalled

FIXTURE_DECORATORS = frozenset(
    [
        "pytest.fixture",
        "pytest.yield_fixture",
        "pytest_asyncio.fixture",
        "pytest_trio.trio_fixture",
        "trio_fixture",
    ]
)


@dataclass(frozen=True, slots=True)
class Mark:
    """A pytest mark on a test: its name, its call if it has one, and the scope the call is read in."""

    name: str
    call: ast.Call | None
    scope: Scope


@dataclass(frozen=True, slots=True)
class Bases:
    """What a test class inherits from.

    ``project`` are its own classes and those whose files were read, nearest first; ``outside`` the
    dotted names of bases in other packages; ``unknown`` says that a base could not be resolved.
    """

    project: tuple[Scope, ...]
    outside: tuple[str, ...]
    unknown: bool

    @property
    def is_unittest(self) -> bool:
        """Whether unittest runs the class's methods."""
        return any(name in TEST_CASES for name in self.outside)


@dataclass(frozen=True, slots=True)
class Test:
    """One test function; ``bases`` is None outside classes."""

    scope: Scope
    config: PytestConfig
    bases: Bases | None

    __test__ = False  # not a test class of ours

    @property
    def is_unittest(self) -> bool:
        """Whether unittest (also under pytest) runs it."""
        return self.bases is not None and self.bases.is_unittest


def tests(outline: Outline, project: Project) -> Iterator[Test]:
    """The tests of a module, in source order; a mixin's as the first class that inherits them has them."""
    config = find_pytest_config(outline.directory)
    collected = is_collected(outline, config)
    known: dict[Scope, Bases] = {}
    for cls in reversed(outline.classes):  # heirs before the mixins they run
        found = _test_class(cls, config, project, collected=collected)
        if found is not None:
            for base in found.project:
                known[base] = found
            known[cls] = found
    for scope in outline.functions:
        if not _matches(scope.name, config.python_functions) or is_fixture(scope, project):
            continue
        owner = scope.enclosing_class
        if owner is None:
            if collected and scope.parent is outline.scope and not _is_switched_off(scope):
                yield Test(scope, config, None)
            continue
        found = known.get(owner)
        if found is not None and (not found.is_unittest or scope.name.startswith("test")):
            yield Test(scope, config, found)


def test_of(scope: Scope, project: Project) -> Test | None:
    """The test that an outermost function is; None where it is none."""
    if not scope.name.startswith("test") and not scope.decorators and scope.enclosing_class is None:
        config = find_pytest_config(scope.outline.directory)
        if not _matches(scope.name, config.python_functions):
            return None
    return tests_in(scope.outline, project).get(scope)


def tests_in(outline: Outline, project: Project) -> dict[Scope, Test]:
    """The tests of a module by their functions, in source order."""
    return project.remembered(
        ("tests", outline), lambda: {test.scope: test for test in tests(outline, project)}
    )


def _is_switched_off(function: Scope) -> bool:
    """``test_connection.__test__ = False``: no test in spite of its name."""
    assigned = function.parent.facts.attributes if function.parent is not None else []
    return any(ast.unparse(target) == f"{function.name}.__test__" for target, _ in assigned)


def is_collected(outline: Outline, config: PytestConfig) -> bool:
    """Whether pytest's ``python_files`` match a module."""
    name = outline.path.name
    return name != "conftest.py" and any(
        fnmatch(name, pattern.split("/")[-1]) for pattern in config.python_files
    )


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(name.startswith(p) or ("*" in p and fnmatch(name, p)) for p in patterns)


def _test_class(cls: Scope, config: PytestConfig, project: Project, *, collected: bool) -> Bases | None:
    """The bases of a class whose methods are run as tests; None for any other class."""
    found = bases(cls, project)
    off = cls.bindings.get("__test__")
    if off and isinstance(off[-1].value, ast.Constant) and off[-1].value.value is False:
        return None
    if found.is_unittest:
        return found
    if not collected or not _matches(cls.name, config.python_classes) or "__init__" in cls.bindings:
        return found if collected and found.unknown and _looks_like_test_case(cls) else None
    return found


def _looks_like_test_case(cls: Scope) -> bool:
    node = cls.node
    assert isinstance(node, ast.ClassDef)
    written = [
        base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in node.bases
    ]
    return any(name.endswith(("TestCase", "Test", "Tests")) for name in written)


def bases(cls: Scope, project: Project) -> Bases:
    """What a class inherits from, through the project; where it holds tests, installed packages too."""
    found = _bases(cls, project)
    if not found.unknown or not any(_sounds_run(m.name) for base in found.project for m in base.facts.scopes):
        return found
    wider = project.with_installed(cls.outline.directory)
    if wider is project:
        return found
    read = project.remembered(("installed bases", cls), lambda: _bases(cls, wider))
    return found if read.unknown else read


def _sounds_run(name: str) -> bool:
    """Whether a method has a name that a test case runs or awaits."""
    return name.startswith("test") or "setup" in name.lower() or "teardown" in name.lower()


def _bases(cls: Scope, project: Project) -> Bases:
    own: list[Scope] = []
    outside: list[str] = []
    unknown = False
    queue = [cls]
    while queue and len(own) < 64:
        scope = queue.pop(0)
        if scope in own:
            continue
        own.append(scope)
        node = scope.node
        assert isinstance(node, ast.ClassDef)
        for base in node.bases:
            expr = base.value if isinstance(base, ast.Subscript) else base
            around = scope.parent or scope
            names = chain(expr, around, project.modules)
            known = next((n for n in names if n in TEST_CASES or n in PLAIN_BASES), "")
            found = None if known else project.inference.value(expr, around)
            if known:
                outside.append(known)
            elif isinstance(found, Class) and not found.scope.outline.is_stub:
                queue.append(found.scope)
            elif isinstance(found, Class):
                outside.append(names[0] if names else found.scope.name)
            elif not (isinstance(expr, ast.Name) and around.lookup(expr.id) is None and expr.id == "object"):
                unknown = True
                outside.extend(names[:1])
    return Bases(tuple(own), tuple(outside), unknown)


def is_fixture(function: Scope, project: Project) -> ast.expr | None:
    """The fixture decorator of a function, where it has one."""
    around = function.parent or function
    return next((d for d in function.decorators if is_fixture_decorator(d, around, project)), None)


def is_fixture_decorator(expr: ast.expr, scope: Scope, project: Project) -> bool:
    """Whether an expression (``pytest.fixture``, with or without arguments) makes functions fixtures."""
    target = uncalled(expr)
    names = chain(target, scope, project.modules)
    if any(name in FIXTURE_DECORATORS or name.endswith(".fixture") for name in names):
        return True
    return isinstance(target, ast.Attribute) and target.attr == "fixture"


def marks(test: Test, project: Project) -> Iterator[Mark]:
    """Marks of a test in the order of pytest's ``iter_markers``, closest first.

    The decorator nearest to the ``def`` leads; pytest then joins the marks of a class behind those
    of its bases, and of each class ``pytestmark`` before decorators.
    """
    yield from own_marks(test, project)
    yield from marks_around(test, project)


def own_marks(test: Test, project: Project) -> Iterator[Mark]:
    """Marks of the test function itself, closest first."""
    around = test.scope.parent or test.scope
    for decorator in reversed(test.scope.decorators):
        yield from read_marks(decorator, around, project)


def marks_around(test: Test, project: Project) -> Iterator[Mark]:
    """Marks that a test has from its classes and its module, closest first."""
    for cls in reversed(test.bases.project) if test.bases is not None else ():
        yield from _standing_marks(cls, project)
        for decorator in reversed(cls.decorators):
            yield from read_marks(decorator, cls.parent or cls, project)
    outer = test.bases.project[0].enclosing_class if test.bases is not None else None
    while outer is not None:  # pytest collects classes in classes
        yield from _standing_marks(outer, project)
        for decorator in reversed(outer.decorators):
            yield from read_marks(decorator, outer.parent or outer, project)
        outer = outer.enclosing_class
    yield from _standing_marks(test.scope.outline.scope, project)


def _standing_marks(scope: Scope, project: Project) -> Sequence[Mark]:
    return project.remembered(("pytestmark", scope), lambda: tuple(_pytestmark(scope, project)))


def _pytestmark(scope: Scope, project: Project, hops: int = 6) -> Iterator[Mark]:
    """Marks of a module or class; a mark without a name stands for what can't be read."""
    bindings = scope.bindings.get("pytestmark", [])
    for binding in bindings:
        if binding.kind != "assign" or binding.value is None:
            yield Mark("", None, scope)
            continue
        parts = binding.value.elts if isinstance(binding.value, (ast.List, ast.Tuple)) else [binding.value]
        for part in parts:
            found = list(read_marks(part, scope, project))
            yield from found or [Mark("", None, scope)]
    for star in reversed(scope.facts.stars) if not bindings and hops else ():
        origin = project.modules.find(star.module, star.level, scope.outline)
        brought = list(_pytestmark(origin.scope, project, hops - 1)) if origin is not None else []
        if origin is not None and brought and exports(origin, "pytestmark"):
            yield from brought
            break
    for call in scope.facts.calls if bindings else ():
        if isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "pytestmark":
            yield Mark("", None, scope)  # pytestmark.append(…)


def read_marks(expr: ast.expr, scope: Scope, project: Project, hops: int = 6) -> Iterator[Mark]:
    """Marks that an expression stands for: one, a list of them, or a name bound to either."""
    if hops <= 0:
        return
    if isinstance(expr, (ast.List, ast.Tuple)):
        for part in expr.elts:
            yield from read_marks(part, scope, project, hops - 1)
        return
    if isinstance(expr, ast.BinOp):
        yield from read_marks(expr.left, scope, project, hops - 1)
        yield from read_marks(expr.right, scope, project, hops - 1)
        return
    call = expr if isinstance(expr, ast.Call) else None
    target = uncalled(expr)
    names = [n for n in chain(target, scope, project.modules) if n.startswith("pytest.mark.")]
    if names:
        yield Mark(names[0].split(".")[2], call, scope)
        return
    for value, owner in _assigned(target, scope, project):
        for mark in read_marks(value, owner, project, hops - 1):
            # the call may stand here: ``limited = pytest.mark.timeout``, ``@limited(5)``
            yield Mark(mark.name, call or mark.call, scope if call is not None else mark.scope)


def _assigned(target: ast.expr, scope: Scope, project: Project) -> list[tuple[ast.expr, Scope]]:
    """The expressions a name is bound to; several where ``try`` and ``except`` bind it differently."""
    found = definition(target, scope, project.modules)
    if found is not None:
        return [(found[0], found[1])] if isinstance(found[0], ast.expr) and found[0] is not target else []
    local = scope.lookup(target.id) if isinstance(target, ast.Name) else None
    if local is None or any(binding.kind != "assign" for binding in local[1]):
        return []
    return [(binding.value, local[0]) for binding in local[1] if binding.value is not None]
