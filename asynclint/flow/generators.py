"""What becomes of an asynchronous generator that is not gone through to its end."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

import libcst as cst

from asynclint.finding import Edit, Fix, Safety
from asynclint.flow.fates import RAISES, RAISING, Event, Fate, Fates, Step, written_name
from asynclint.flow.finishing import CannotFinishError, is_taken_away, statement_of
from asynclint.flow.lives import Life, life
from asynclint.flow.trace import Tracer
from asynclint.project.generators import STEPS, generators, is_left_early
from asynclint.project.guards.insertion import importable, oldest_python
from asynclint.project.guards.refusals import NoGuardError
from asynclint.project.project import Project
from asynclint.project.tasks import SPAWN_NAMES
from asynclint.source.function import Function
from asynclint.source.wrap import UnwrappableError, wrap_rest, wrap_run

ACLOSING_SINCE = (3, 10)  # https://docs.python.org/3/library/contextlib.html#contextlib.aclosing
# A test whose point is what becomes of a generator that nobody finishes.
ON_PURPOSE = re.compile(
    r"shutdown_asyncgens|gc\.collect|gc_collect|GeneratorExit|ResourceWarning|asyncgen_hooks"
)


class GeneratorFates(Fates):
    """Generators are gone through to their end, closed or handed on; a step leaves them in the middle."""

    swept = False

    def of(self, node: cst.CSTNode, *, many: bool = False, shielded: bool = False) -> Iterator[Step]:
        """What becomes of the generator that ``node`` evaluates to."""
        parent = self._function.parent(node)
        match parent:
            case cst.For() if parent.iter is node and parent.asynchronous is not None:
                loop = self._function.ast_of(parent)
                assert isinstance(loop, ast.AsyncFor)
                left = is_left_early(loop) and not self._is_expected_to_fail(node)
                yield Event(Fate.USED if left else Fate.FINISHED, node)
            case cst.CompFor() if parent.iter is node:
                yield Event(Fate.FINISHED, node)
            case _:
                yield from super().of(node, many=many, shielded=shielded)

    def _attribute(self, attribute: cst.Attribute, *, many: bool) -> Iterator[Step]:
        name = attribute.attr.value
        call = self._function.parent(attribute)
        called = isinstance(call, cst.Call)
        if many:
            yield from super()._attribute(attribute, many=many)
        elif name in STEPS and called and self._is_task(call):
            yield Event(Fate.HANDED, attribute)
        elif name in STEPS and called:
            yield Event(Fate.FINISHED if self._ends_here(attribute) else Fate.USED, attribute)
        elif name.startswith("ag_"):
            yield Event(Fate.LOOKED, attribute)
        elif name == "aclose" and called:
            yield Event(Fate.FINISHED, attribute)
        else:
            yield Event(Fate.HANDED, attribute)

    def _argument(self, node: cst.CSTNode, arg: cst.Arg, *, many: bool, shielded: bool) -> Iterator[Step]:
        call = self._function.parent(arg)
        is_step = isinstance(call, cst.Call) and written_name(call) == "anext" and len(call.args) == 1
        if is_step and self._is_task(call):
            yield Event(Fate.HANDED, node)
        elif is_step:
            yield Event(Fate.FINISHED if self._ends_here(node) else Fate.USED, node)
        else:
            yield from super()._argument(node, arg, many=many, shielded=shielded)

    def _is_task(self, step: cst.CSTNode | None) -> bool:
        """``create_task(items.__anext__())``: cancelling the task ends the generator."""
        arg = self._function.parent(step) if step is not None else None
        call = self._function.parent(arg) if isinstance(arg, cst.Arg) else None
        return isinstance(call, cst.Call) and written_name(call) in SPAWN_NAMES

    def _ends_here(self, step: cst.CSTNode) -> bool:
        """``with raises(StopAsyncIteration):``; any other exception ends a generator, too."""
        tries = (outer for outer in self._function.parents(step) if isinstance(outer, cst.Try))
        return any(outer.handlers for outer in tries) or self._is_expected_to_fail(step)

    def _is_expected_to_fail(self, node: cst.CSTNode) -> bool:
        """``with raises(TimeoutError):``: what is raised in a generator ends it."""
        withs = (outer for outer in self._function.parents(node) if isinstance(outer, cst.With))
        items = (item.item for outer in withs for item in outer.items)
        return any(isinstance(item, cst.Call) and written_name(item) in RAISES for item in items)


def unfinished(function: Function, project: Project) -> Sequence[Life]:
    """The generators that a function, or what is nested in it, begins and neither ends nor closes."""
    return function.once("unfinished generators", lambda: list(_unfinished(function, project)))


def _unfinished(function: Function, project: Project) -> Iterator[Life]:
    source = function.scope.source
    if ON_PURPOSE.search(source):
        return
    tracer = Tracer(function, project, GeneratorFates)
    for scope in function.scope.nested():
        if scope is not function.scope and RAISING.search(source):
            continue  # what is expected to be raised may end it
        for call in generators(scope, project) if scope.is_function else ():
            birth = function.cst_of(call)
            assert isinstance(birth, cst.Call)
            trace = tracer.call(birth, scope)
            found = life(function, project, call, birth, scope, trace)
            deleted = any(is_taken_away(name, scope, function) for name in trace.names)
            if Fate.USED in trace.fates() and found.is_unfinished and not (trace.attributes or deleted):
                yield found


def close(function: Function, left: Life, project: Project) -> Fix:
    """``async with aclosing(…)`` round the loop, or what follows; raises CannotFinishError."""
    scope = left.scope
    if not scope.is_async:
        message = f"{scope.name} is not async, so it cannot close a generator"
        raise CannotFinishError(message)
    if oldest_python(scope, project) < ACLOSING_SINCE:
        message = "contextlib.aclosing needs Python 3.10, and the project supports older ones"
        raise CannotFinishError(message)
    try:
        module, imported = importable("contextlib", scope, project)
    except NoGuardError as error:
        raise CannotFinishError(str(error)) from None
    try:
        edit = _round_loop(function, left, module) or _round_rest(function, left, module)
    except UnwrappableError as error:
        raise CannotFinishError(str(error)) from None
    return Fix("close the generator with aclosing", (edit,), Safety.UNSAFE, (imported,) if imported else ())


def _round_loop(function: Function, left: Life, module: str) -> Edit | None:
    loop = function.parent(function.cst_of(left.call))
    if not isinstance(loop, cst.For):
        return None
    statement = function.ast_of(loop)
    assert isinstance(statement, ast.AsyncFor)
    text = function.text
    source = text.slice(text.span(left.call))
    taken = {n.id for n in ast.walk(function.scope.node) if isinstance(n, ast.Name)}
    name = next(n for n in ("items", *(f"items_{i}" for i in range(2, 10_000))) if n not in taken)
    wrapped = wrap_run(left.scope, [statement], f"async with {module}.aclosing({source}) as {name}:")
    header, newline, moved = wrapped.text.partition(text.newline)
    if text.newline in source or moved.count(source) < 1:
        message = "the call that makes it takes more than one line"
        raise CannotFinishError(message)
    return Edit(wrapped.span, header + newline + moved.replace(source, name, 1))


def _round_rest(function: Function, left: Life, module: str) -> Edit:
    statement = statement_of(function, left.call)
    target = statement.targets[0] if isinstance(statement, ast.Assign) else None
    if (
        not isinstance(target, ast.Name)
        or not isinstance(statement, ast.Assign)
        or statement.value is not left.call
    ):
        message = "it is not assigned to a name by a statement of its own"
        raise CannotFinishError(message)
    if len(left.scope.bindings[target.id]) > 1:
        message = f"{target.id} is assigned more than once"
        raise CannotFinishError(message)
    return wrap_rest(
        left.scope, statement, f"async with {module}.aclosing({target.id}):", (), ended=target.id
    )
