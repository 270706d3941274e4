"""What the classes of a test put round its run: their methods, decorators and metaclasses."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from asynclint.knowledge.asyncs import TEST_CASES
from asynclint.project.guards.asked import answers, questions
from asynclint.project.guards.decorators import decorator_bound
from asynclint.project.guards.installed import is_plain
from asynclint.project.guards.seconds import UNREAD
from asynclint.project.guards.tests import Bases, Test, read_marks
from asynclint.project.guards.timers import LATER, timer_of
from asynclint.project.guards.wrappers import (
    Bound,
    Unknown,
    Verdict,
    bound_at,
    is_listed,
    method_bound,
    project_function,
)
from asynclint.project.index.classes import ancestors
from asynclint.project.index.reading import is_installed
from asynclint.project.index.values import Builtin, Class, Function
from asynclint.project.names import chain
from asynclint.project.project import Project
from asynclint.source.outline import Scope
from asynclint.source.written import uncalled

# Where a test case class or its metaclass can put a bound round every test.
RUN_METHODS = frozenset(
    [
        "run",
        "__call__",
        "__init__",
        "__init_subclass__",
        "__new__",
        "__prepare__",
        "__getattribute__",
        "_callTestMethod",
        "_callSetUp",
        "_callAsync",
        "_callMaybeAsync",
        "_runTest",
        "defaultTestResult",
    ]
)
SETUP_METHODS = frozenset(["setUp", "asyncSetUp", "setup_method", "setUpClass", "setup_class", "_callSetUp"])
# Before the test's method is taken from its class; what is put in its place in ``setUp`` comes too late.
CLASS_SETUP = frozenset(["setUpClass", "setup_class"])
# What unittest's own class has, and does not hand on to a class behind it.
OF_TEST_CASE = (RUN_METHODS | SETUP_METHODS) - {
    "__init_subclass__",
    "__new__",
    "__getattribute__",
    "setup_method",
    "setup_class",
}


def class_bound(test: Test, project: Project) -> Verdict:
    """What the classes of a test put round its run."""
    if test.bases is None:
        return None
    cls = test.bases.project[0]
    names = (*(base.name for base in test.bases.project), *test.bases.outside)
    listed = next((n for n in names if is_listed(n, (), project.settings.guard_base_classes)), "")
    if listed:
        return bound_at(cls.node, cls, f"class {listed}", UNREAD, in_loop=True)
    bounding = next((n for n in test.bases.outside if TEST_CASES.get(n, ("", False))[1]), "")
    if bounding:
        return bound_at(cls.node, cls, f"class {bounding}", UNREAD, in_loop=False)
    if test.bases.unknown:
        return Unknown("base class")
    bases = test.bases
    unknown: Verdict = None
    for found, asked in project.remembered(("class", cls), lambda: list(_verdicts(bases, project))):
        if isinstance(found, Bound):
            if all(answers(name, test, project) for name in asked):
                return found
            found = Unknown(found.source)
        unknown = unknown or found
    return unknown


def _verdicts(bases: Bases, project: Project) -> Iterator[tuple[Verdict, frozenset[str]]]:
    """What each thing round the tests of a class says, and what it asks a test or its class for first."""
    cls = bases.project[0]
    lineage = list(ancestors(Class(cls), project.inference))
    wider = project
    if not {ancestor.scope for ancestor in lineage if ancestor is not None}.issuperset(bases.project):
        wider = project.with_installed(cls.outline.directory)
        lineage = list(ancestors(Class(cls), wider.inference))
    for ancestor in (a.scope for a in lineage if a is not None and not a.scope.outline.is_stub):
        around = ancestor.parent or ancestor
        for decorator in ancestor.decorators:
            if not any(True for _ in read_marks(decorator, around, project)):
                target = uncalled(decorator)
                function = project_function(target, around, project)
                asked = questions(function) if function is not None else frozenset()
                yield decorator_bound(decorator, around, project), asked
    for method in _called(lineage, RUN_METHODS, wider):
        asked = questions(method) if method.name == "__init_subclass__" else frozenset()
        yield _sourced(method_bound(method, cls, project), method), asked
    for method in _of_metaclass(lineage, wider):
        yield (
            _sourced(method_bound(method, cls, project), method),
            questions(method.enclosing_class or method),
        )
    for method in _called(lineage, SETUP_METHODS, wider):
        yield _sourced(_bound_by_setup(method, cls, project), method), frozenset()
    if wider is not project:
        yield _unread_base(lineage, wider), frozenset()


def _bound_by_setup(method: Scope, cls: Scope, project: Project) -> Bound | None:
    """A timer that a method starts before the test, or what it puts round the test for later."""
    if _outlasts(method, project):
        found = method_bound(method, cls, project)
        return found if isinstance(found, Bound) else None
    timer = timer_of(method, project)
    return None if timer is None else bound_at(*timer, method.name, UNREAD, in_loop=False)


def _unread_base(lineage: list[Class | None], project: Project) -> Unknown | None:
    """A class of an installed package whose ways to run a test can't all be read to the end."""
    for scope in (ancestor.scope for ancestor in lineage if ancestor is not None):
        if is_installed(scope.outline.path) and not scope.outline.is_stub:
            keywords = scope.node.keywords if isinstance(scope.node, ast.ClassDef) else []
            unread = any(project.inference.value(k.value, scope.parent or scope) is None for k in keywords)
            if unread or scope.decorators:
                return Unknown(f"base class {scope.name}")
    for method in (*_called(lineage, RUN_METHODS | SETUP_METHODS, project), *_of_metaclass(lineage, project)):
        handed = frozenset(parameter.arg for parameter in method.parameters[1:])
        if is_installed(method.outline.path) and not is_plain(method, project, handed):
            return Unknown(method.qualname)
    return None


def _sourced(found: Verdict, method: Scope) -> Verdict:
    return found._replace(source=method.qualname) if isinstance(found, Bound) else found


def _called(lineage: list[Class | None], names: Collection[str], project: Project) -> Iterator[Scope]:
    """Methods of these names that are called, the nearest first: one behind another if that hands on.

    None in a lineage stands for a class of another package, which is taken for a test case.
    """
    hidden: set[str] = set()
    for ancestor in lineage:
        if ancestor is None or ancestor.scope.outline.is_stub:
            if ancestor is None or ancestor.scope.name.endswith("TestCase"):
                hidden |= OF_TEST_CASE
            continue
        scope = ancestor.scope
        methods = [m for m in scope.facts.scopes if m.is_function and m.name in names]
        for method in methods:
            # a class is no subclass of itself
            if method.name not in hidden and (method.name != "__init_subclass__" or ancestor != lineage[0]):
                yield method
        hands_on = {m.name for m in methods if m.name == "__init_subclass__" or _hands_on(m, project)}
        hidden |= (names & scope.bindings.keys()) - hands_on


def _hands_on(method: Scope, project: Project) -> bool:
    """Whether a method calls the one it overrides: ``super().run(result)``, ``Base.run(self, result)``."""
    first = method.parameters[0].arg if method.parameters else ""
    for node in ast.walk(method.node):
        if isinstance(node, ast.Attribute) and node.attr == method.name:
            behind = project.inference.value(node.value, method)
            outside = isinstance(behind, Builtin) or (
                isinstance(behind, Class) and behind.scope.outline.is_stub
            )
            if not outside and not (isinstance(node.value, ast.Name) and node.value.id == first):
                return True
    return False


def _of_metaclass(lineage: list[Class | None], project: Project) -> Iterator[Scope]:
    """Methods of the metaclass, or the function that is one; every farther one is a base of the nearest."""
    for ancestor in lineage:
        if ancestor is None or ancestor.scope.outline.is_stub:
            continue
        node, around = ancestor.scope.node, ancestor.scope.parent or ancestor.scope
        for keyword in node.keywords if isinstance(node, ast.ClassDef) else ():
            value = project.inference.value(keyword.value, around) if keyword.arg == "metaclass" else None
            if isinstance(value, Function):
                yield value.scope
                return
            if isinstance(value, Class):
                yield from _called(list(ancestors(value, project.inference)), RUN_METHODS, project)
                return


def _outlasts(method: Scope, project: Project) -> bool:
    """Whether an in-loop bound of a method that prepares a test ends the test itself.

    It does where it replaces the test in time, or what runs it; and where it stops the loop, or
    cancels every task of it: the test has a task of its own.
    """
    source = method.source
    if "setattr(" in source and (method.name in CLASS_SETUP or "_callTestMethod" in source):
        return True
    if any(target.attr in RUN_METHODS for target, _ in method.facts.attributes):
        return True
    return any(
        isinstance(call.func, ast.Attribute)
        and call.func.attr in LATER
        and len(call.args) > 1
        and _ends_the_loop(call.args[1], scope, project)
        for scope in method.nested()
        for call in scope.facts.calls
    )


def _ends_the_loop(callback: ast.expr, scope: Scope, project: Project) -> bool:
    """``loop.stop``, or a function that calls it or asks for ``asyncio.all_tasks()``."""
    if isinstance(callback, ast.Name):
        found = scope.lookup(callback.id)
        values = [binding.value for binding in found[1]] if found is not None else []
        if any(isinstance(value, ast.Attribute) and value.attr == "stop" for value in values):
            return True
    function = project.inference.value(callback, scope)
    if isinstance(function, Function) and not function.scope.outline.is_stub:
        targets = [(call.func, inner) for inner in function.scope.nested() for call in inner.facts.calls]
    else:
        parts = ast.walk(callback) if isinstance(callback, ast.Lambda) else ()
        targets = [(callback, scope), *((n.func, scope) for n in parts if isinstance(n, ast.Call))]
    return any(
        (isinstance(target, ast.Attribute) and target.attr == "stop")
        or "asyncio.all_tasks" in chain(target, inner, project.modules)
        for target, inner in targets
    )
