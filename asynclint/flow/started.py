"""Which coroutine functions a module starts as tasks, or hands on to who may do so. By their names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from asynclint.project.project import Project
from asynclint.source.outline import Scope
from asynclint.source.written import called, uncalled

# Calls that start what they are given, by their names.
STARTING = re.compile(
    r"task|future|spawn|start|soon|gather|wait$|completed|run|schedul|background|submit|add|later"
)


def is_started(function: Scope, project: Project, *, surely: bool = False) -> bool:
    """Whether its module has a call of a coroutine function start as a task, or hands it on.

    ``surely`` leaves out what is handed to something else than what starts tasks by its name: of who
    gives a value one may think that it is called there, and awaited.
    """
    key = ("started", function.outline)
    started = project.remembered(key, lambda: set(_started(function.outline.tree)))
    ways = [True] if surely else [True, False]
    if any((function.name, True, way) in started for way in ways):
        return True
    return function.enclosing_class is None and any((function.name, False, way) in started for way in ways)


def _started(tree: ast.Module) -> Iterator[tuple[str, bool, bool]]:
    """Names of what a module starts or hands on, whether they are of methods, and if it starts them."""
    for node in ast.walk(tree):
        given: list[ast.expr] = []
        starts = True
        if isinstance(node, ast.Call):
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            starts = bool(STARTING.search(called(node)))
        elif isinstance(node, ast.Assign):
            given, starts = [node.value], is_own(node.value)
        elif isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            given = node.elts
        elif isinstance(node, ast.ListComp):
            given = [node.elt]
        for value in given:
            surely = starts and (isinstance(node, ast.Call) or isinstance(value, ast.Call))
            yield from ((name, is_method, surely) for name, is_method in _named(value, starts))


def _named(value: ast.expr, starts: bool) -> Iterator[tuple[str, bool]]:
    """What a value, or a call in it, is by name; ``timeout.connect`` is no method of ours."""
    if isinstance(value, ast.Starred):
        value = value.value
    is_call = isinstance(value, ast.Call)
    target = uncalled(value)
    if is_call and not starts:
        return
    if isinstance(target, ast.Name):
        yield target.id, False
    elif isinstance(target, ast.Attribute) and (is_call or is_own(target)):
        yield target.attr, True


def is_own(value: ast.expr) -> bool:
    """``self.run`` and ``self.run()``; a name."""
    target = uncalled(value)
    receiver = target.value if isinstance(target, ast.Attribute) else target
    return isinstance(receiver, ast.Name) and (receiver is target or receiver.id in ("self", "cls"))
