"""Which timeout marks count for a test, those of its single parameters included."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from itertools import chain as joined

from asynclint.project.guards.decorators import decorator_bound
from asynclint.project.guards.tests import Mark, read_marks
from asynclint.project.guards.wrappers import Unknown, project_function
from asynclint.project.names import chain, definition
from asynclint.project.project import Project
from asynclint.source.outline import Scope
from asynclint.source.written import argument

MAX_HOPS = 6  # lists of lists of parameters, and names for them
UNREADABLE = Unknown("a mark that can't be read")


def closest_timeouts(
    own: Iterable[Mark], around: Iterable[Mark], project: Project
) -> list[Mark | None] | Unknown:
    """The timeout marks that count, one for each kind of parameters; None where parameters have none.

    ``own`` are the marks of the function, ``around`` those of its classes and module. pytest joins
    the marks of a parameter (``pytest.param(1, marks=…)``) behind those of the function. A mark
    without a name stands for marks of a parameter that can't be read.
    """
    own, around = list(own), list(around)
    if any(mark.name == "skip" for mark in (*own, *around)):
        return Unknown("skipped")
    given: list[Mark] = []
    farther: Mark | None = None
    for mark in own:
        if not mark.name:
            return UNREADABLE
        if mark.name == "timeout":
            return [mark]
        if mark.name == "parametrize":
            given.append(mark)
    for mark in around:
        if farther is None and not mark.name:
            return UNREADABLE
        if mark.name == "timeout":
            farther = farther or mark
        if mark.name == "parametrize":
            given.append(mark)
    found = [marks for marks in (_of_parameters(mark, project) for mark in given) if any(marks)]
    if not found:
        return [farther]
    if len(found) > 1:
        return [farther or Mark("", None, given[0].scope)]
    return [mark if mark is not None and (mark.name or farther is None) else farther for mark in found[0]]


def _of_parameters(mark: Mark, project: Project) -> list[Mark | None]:
    """The timeout mark of each parameter that a ``parametrize`` mark gives; one without a name is unread."""
    values = argument(mark.call, 1, "argvalues") if mark.call is not None else None
    if values is None:
        return []
    key = ("marks of parameters", values, mark.scope)
    return project.remembered(key, lambda: list(_of_values(values, mark.scope, project, MAX_HOPS)))


def _of_values(expr: ast.expr, scope: Scope, project: Project, hops: int) -> Iterator[Mark | None]:
    if hops <= 0:
        return
    if isinstance(expr, (ast.List, ast.Tuple, ast.Set)):
        for part in expr.elts:
            if isinstance(part, ast.Starred):
                yield from _of_values(part.value, scope, project, hops - 1)
            else:
                yield from _of_value(part, scope, project)
    elif isinstance(expr, ast.BinOp):
        yield from _of_values(expr.left, scope, project, hops - 1)
        yield from _of_values(expr.right, scope, project, hops - 1)
    elif isinstance(expr, (ast.Name, ast.Attribute)):
        found = definition(expr, scope, project.modules)
        if found is not None and isinstance(found[0], ast.expr) and found[0] is not expr:
            yield from _of_values(found[0], found[1], project, hops - 1)
    elif any(_made_on_the_way(expr, scope, project)):
        yield Mark("", None, scope)


def _of_value(expr: ast.expr, scope: Scope, project: Project) -> Iterator[Mark | None]:
    """The timeout mark of one parameter; nothing for one that is skipped."""
    if isinstance(expr, (ast.Name, ast.Attribute)):
        found = definition(expr, scope, project.modules)
        if found is not None and isinstance(found[0], ast.Call):
            expr, scope = found[0], found[1]
    if not isinstance(expr, ast.Call) or "pytest.param" not in chain(expr.func, scope, project.modules):
        yield None
        return
    given = argument(expr, -1, "marks")
    found_marks = list(read_marks(given, scope, project)) if given is not None else []
    if any(mark.name == "skip" for mark in found_marks):
        return
    if given is not None and not found_marks and not _is_empty(given, scope, project):
        unread = decorator_bound(given, scope, project) is not None
        yield Mark("", None, scope) if unread else None
        return
    yield next((mark for mark in found_marks if mark.name == "timeout"), None)


def _is_empty(expr: ast.expr, scope: Scope, project: Project) -> bool:
    """``()``, ``[]`` and ``None``; a list by name, too, that no timeout mark is put on."""
    if not isinstance(expr, (ast.Name, ast.Attribute)):
        return not getattr(expr, "elts", True) or (isinstance(expr, ast.Constant) and expr.value is None)
    found = definition(expr, scope, project.modules)
    if found is None or getattr(found[0], "elts", True):
        return False
    added = [arg for call in found[1].facts.calls for arg in call.args if _is_put_on(expr, call)]
    return not any(mark.name == "timeout" for arg in added for mark in read_marks(arg, found[1], project))


def _is_put_on(expr: ast.Name | ast.Attribute, call: ast.Call) -> bool:
    """``marks.append(mark)`` of the list that an expression names."""
    name = expr.id if isinstance(expr, ast.Name) else expr.attr
    return isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") == name


def _made_on_the_way(expr: ast.expr, scope: Scope, project: Project) -> Iterator[Mark]:
    """Timeout marks of parameters that a comprehension, or a function of the project, makes."""
    made = [(node, scope) for node in ast.walk(expr) if isinstance(node, ast.Call)]
    maker = project_function(expr.func, scope, project) if isinstance(expr, ast.Call) else None
    inner = maker.nested() if maker is not None else ()
    for call, where in joined(made, ((call, part) for part in inner for call in part.facts.calls)):
        yield from (mark for mark in _of_value(call, where, project) if mark is not None)
