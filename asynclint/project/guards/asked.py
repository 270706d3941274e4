"""What a metaclass, base class or class decorator asks a class and its tests for before it bounds them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from asynclint.project.guards.tests import Test, read_marks
from asynclint.project.guards.wrappers import project_function
from asynclint.project.project import Project
from asynclint.source.outline import Scope
from asynclint.source.written import uncalled

SOUNDS_LIKE_A_LIMIT = re.compile(r"time|limit|second|deadline|duration|expire", re.IGNORECASE)
EVERY_TEST = frozenset({"test", "test_", "_", "__"})


def questions(code: Scope) -> frozenset[str]:
    """Names that code looks up and may not find: ``getattr(method, "timeout", None)``.

    Patterns that it picks tests by (``test_long*`` for ``key.startswith("test_long")``) are among
    them, which nothing answers.
    """
    return frozenset(_questions(code))


def _questions(code: Scope) -> Iterator[str]:
    if code.name == "__init_subclass__" and isinstance(code.node, ast.FunctionDef):
        args = code.node.args
        positional = args.args[len(args.args) - len(args.defaults) :]
        defaults = [*zip(positional, args.defaults, strict=True)]
        defaults += [(a, d) for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True) if d is not None]
        yield from (arg.arg for arg, default in defaults if _is_none(default))
    for node in ast.walk(code.node):
        match node:
            case ast.Call(func=ast.Name(id="hasattr"), args=[_, ast.Constant(value=str(name))]):
                yield from _limit(name)
            case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=str(name)), default]):
                yield from _limit(name) if _is_none(default) else ()
            case ast.Call(
                func=ast.Attribute(attr="get" | "pop"), args=[ast.Constant(value=str(name)), *fallback]
            ):
                yield from _limit(name) if all(_is_none(default) for default in fallback) else ()
            case ast.Compare(left=ast.Constant(value=str(name)), ops=[ast.In() | ast.NotIn()]):
                yield from _limit(name)
            case ast.Call(
                func=ast.Attribute(attr="startswith" | "endswith"), args=[ast.Constant(value=str(part))]
            ):
                yield from () if part in EVERY_TEST else (f"{part}*",)


def _limit(name: str) -> Iterator[str]:
    if SOUNDS_LIKE_A_LIMIT.search(name):
        yield name


def _is_none(default: ast.expr) -> bool:
    return isinstance(default, ast.Constant) and default.value is None


def answers(name: str, test: Test, project: Project) -> bool:
    """Whether a test or its class has what is asked for, as far as can be told."""
    assert test.bases is not None
    for cls in test.bases.project:
        keywords = cls.node.keywords if isinstance(cls.node, ast.ClassDef) else []
        if name in cls.bindings or any(keyword.arg == name for keyword in keywords):
            return True
        if any(target.attr == name for target, _ in cls.facts.attributes):  # test_kite.timeout = 5
            return True
    around = test.scope.parent or test.scope
    return any(_leaves(name, decorator, around, project) for decorator in test.scope.decorators)


def _leaves(name: str, decorator: ast.expr, scope: Scope, project: Project) -> bool:
    """Whether a decorator may give what it decorates an attribute; one that can't be read may."""
    if any(read_marks(decorator, scope, project)):
        return False
    target = uncalled(decorator)
    function = project_function(target, scope, project)
    if function is None:
        return True
    source = function.source
    return re.search(rf"\.{re.escape(name)}\b|['\"]{re.escape(name)}['\"]", source) is not None
