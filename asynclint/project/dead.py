"""Code that is never run: behind a return, a raise, a break, a continue or a skip, and beside ``if True``.

A name of a module that is given True or False once, and nothing else, decides as the word itself does:
of sync code that is made from async code, or the reverse, half stands behind ``if not _IS_SYNC``. So does a
comparison of ``sys.version_info`` that has one outcome on every Python that the project supports.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from asynclint.finding import Position, Span
from asynclint.project.index.values import Function
from asynclint.project.names import chain, definition
from asynclint.project.project import Project
from asynclint.project.python_version import target_version
from asynclint.source.outline import FUNCTIONS, Outline, Scope
from asynclint.source.written import called, uncalled

JUMPS = (ast.Return, ast.Raise, ast.Break, ast.Continue)
# What skips or fails a test by raising (docs.pytest.org, "API reference"; docs.python.org, unittest).
RAISING = frozenset({"skip", "xfail", "fail", "exit", "skipTest"})
SETTLED = (ast.Constant, ast.Compare)
OLDEST = (3, 8)  # tests that support a Python older than this one run on newer ones, too
# What skips a test, and which outcome of its condition does (docs.python.org, unittest; docs.pytest.org).
SKIPS = {"unittest.skipIf": True, "unittest.skipUnless": False, "pytest.mark.skipif": True}
ALWAYS = frozenset({"unittest.skip", "pytest.mark.skip"})


def is_dead(node: ast.expr, scope: Scope, project: Project) -> bool:
    """Whether a function never comes to a part of it."""
    return is_never_run(scope.outline.text.span(node).start, scope, project)


def is_never_run(place: Position, scope: Scope, project: Project) -> bool:
    """Whether a place in a function is never come to, or the function never defined or always skipped."""
    dead = project.remembered(("dead code", scope), lambda: _spans(scope, project))
    return any(span.start <= place < span.end for span in dead)


def _spans(scope: Scope, project: Project) -> list[Span]:
    found = _spanned(_dead(ast.walk(scope.node), scope, project), scope.outline)
    for around in scope.around():
        if around is not scope:
            found += project.remembered(("dead statements", around), partial(_around, around, project))
    if any(_skips(decorator, scope, project) for decorator in scope.decorators):
        found.append(scope.outline.text.span(scope.node))
    return found


def _around(scope: Scope, project: Project) -> list[Span]:
    return _spanned(_dead(_statements(scope.node), scope, project), scope.outline)


def _spanned(parts: Iterable[Sequence[ast.AST]], outline: Outline) -> list[Span]:
    span = outline.text.span
    return [Span(span(part[0]).start, span(part[-1]).end) for part in parts if part]


def _statements(root: ast.AST) -> Iterator[ast.AST]:
    """The statements of a module or class, without what stands in its functions and classes."""
    for child in ast.iter_child_nodes(root):
        if isinstance(child, ast.stmt):
            yield child
            if not isinstance(child, (*FUNCTIONS, ast.ClassDef)):
                yield from _statements(child)


def _dead(nodes: Iterator[ast.AST], scope: Scope, project: Project) -> Iterator[Sequence[ast.AST]]:
    """What stands behind such a statement, to the end of its block; the other branch of ``if True``."""
    for node in nodes:
        if isinstance(node, (ast.If, ast.IfExp)):
            outcome = _outcome(node.test, scope, project)
            never = [] if outcome is None else node.orelse if outcome else node.body
            yield never if isinstance(never, list) else [never]
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                at = next((i for i, s in enumerate(block) if _jumps(s, scope, project)), len(block))
                yield block[at + 1 :]


def _jumps(statement: ast.stmt, scope: Scope, project: Project) -> bool:
    """``return``, ``raise``, and what raises by itself: ``pytest.skip("…")``, ``self.fail()``."""
    if isinstance(statement, JUMPS):
        return True
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(call, ast.Call) or called(call) not in RAISING:
        return False
    if any(name.startswith("pytest.") for name in chain(call.func, scope, project.modules)):
        return True
    method = project.inference.value(call.func, scope)
    return isinstance(method, Function) and method.scope.outline.path.parent.name == "unittest"


def _outcome(test: ast.expr, scope: Scope, project: Project) -> bool | None:
    """Whether a condition always holds, or never; None where that depends."""
    match test:
        case ast.Constant():
            return bool(test.value)
        case ast.UnaryOp(op=ast.Not()):
            outcome = _outcome(test.operand, scope, project)
            return None if outcome is None else not outcome
        case ast.BoolOp():
            outcomes = {_outcome(value, scope, project) for value in test.values}
            decides = isinstance(test.op, ast.Or)
            return decides if decides in outcomes else (not decides if outcomes == {not decides} else None)
        case ast.Name():
            return _switch(test, scope, project)
        case ast.Compare(left, [op], [ast.Tuple(elts)]) if "version_info" in ast.unparse(left):
            return _outcome_of_version(left, op, elts, scope, project)
    return None


def _outcome_of_version(
    left: ast.expr, op: ast.cmpop, parts: Sequence[ast.expr], scope: Scope, project: Project
) -> bool | None:
    """``sys.version_info >= (3, 7)``, ``sys.version_info[:2] < (3, 7)``."""
    whole = left.value if isinstance(left, ast.Subscript) and isinstance(left.slice, ast.Slice) else left
    numbers = tuple(part.value for part in parts if isinstance(part, ast.Constant))
    if "sys.version_info" not in chain(whole, scope, project.modules) or len(numbers) != len(parts):
        return None
    oldest = max(target_version(scope.outline.directory) or OLDEST, OLDEST)
    if not all(isinstance(number, int) for number in numbers) or oldest < numbers:
        return None
    if isinstance(op, ast.GtE):
        return True
    if isinstance(op, ast.Lt):
        return False
    return None


def _switch(name: ast.Name, scope: Scope, project: Project) -> bool | None:
    """What a name of a module is, if that is True or False for good."""
    found = definition(name, scope, project.modules)
    value, module = found if found is not None else (name, scope)
    if module.parent is not None or not isinstance(value, SETTLED):
        return None
    if isinstance(value, ast.Constant) and not isinstance(value.value, bool):
        return None
    changed = re.search(rf"^\s*global\b.*\b{name.id}\b", module.outline.text.text, re.MULTILINE)
    return None if changed else _outcome(value, module, project)


def _skips(decorator: ast.expr, scope: Scope, project: Project) -> bool:
    """``@unittest.skipUnless(not _IS_SYNC, "…")``; what else asks such a name may skip, too."""
    outside = scope.parent or scope
    func = uncalled(decorator)
    names = chain(func, outside, project.modules)
    if not ALWAYS.isdisjoint(names):
        return True
    outcomes = [SKIPS[name] for name in names if name in SKIPS]
    if outcomes:
        test = decorator.args[0] if isinstance(decorator, ast.Call) and decorator.args else None
        if test is None or (isinstance(test, ast.Constant) and isinstance(test.value, str)):
            return False  # ``skipif("sys.platform == 'win32'")``: pytest evaluates it
        return _outcome(test, outside, project) is outcomes[0]
    asked = project.inference.value(func, outside)
    if not isinstance(asked, Function) or asked.scope.outline.is_stub:
        return False
    asks = (node for node in ast.walk(asked.scope.node) if isinstance(node, ast.Name))
    return any(_outcome(name, asked.scope, project) is not None for name in asks)
