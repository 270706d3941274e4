"""Where code hides what asyncio reports from more than one test: handlers, marks, filters round tests."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from asynclint.knowledge.diagnostics import DIAGNOSTICS
from asynclint.project.config import find_pytest_config
from asynclint.project.guards.tests import is_fixture, tests_in
from asynclint.project.names import chain, definition
from asynclint.project.project import Project
from asynclint.project.silenced import filters_of
from asynclint.project.warning_filters import Filter, action_on, hidden, make_filter, read_filter, titles
from asynclint.source.outline import Outline, Scope

# What pytest and unittest run before each test, and pytest once for all.
BEFORE = frozenset({"setUp", "asyncSetUp", "setup_method", "setup_function", "pytest_runtest_setup"})
CONFIGURING = frozenset({"pytest_configure"})
FILTERS = {"warnings.simplefilter": "", "warnings.filterwarnings": "message"}
PARTS = ("action", "message", "category", "module")
MARK = "pytest.mark.filterwarnings"
SPEAKS = re.compile(r"[Ww]arning|unclosed|never awaited|leak|teardown", re.IGNORECASE)


class Silencing(NamedTuple):
    """One piece of code that hides something."""

    node: ast.AST
    message: str


def silencing(outline: Outline, project: Project) -> Iterator[Silencing]:
    """What a module hides, by position in its functions and then of its marks."""
    words = outline.text.text
    if "set_exception_handler" in words:
        yield from _handlers(outline, project)
    if "simplefilter" in words or "filterwarnings" in words:
        yield from _filters(outline, project)
    if "pytestmark" in words and "filterwarnings" in words:
        for scope in (outline.scope, *outline.classes):
            yield from _marks(scope, project)


def _handlers(outline: Outline, project: Project) -> Iterator[Silencing]:
    """Empty handlers; not what one test sets against the errors that it brings about."""
    for function in outline.functions:
        calls = [
            (call, scope)
            for scope in function.nested()
            for call in scope.facts.calls
            if getattr(call.func, "attr", "") == "set_exception_handler"
        ]
        if len(calls) != 1 or not _is_general(function, project):  # a second call puts the old one back
            continue
        for call, scope in calls:
            if len(call.args) == 1 and not call.keywords and _does_nothing(call.args[0], scope, project):
                message = "with this handler nobody hears of errors that asyncio reports to the loop"
                yield Silencing(call, message)


def _is_general(function: Scope, project: Project) -> bool:
    """Whether a function runs for more than the one test that calls it, as far as one sees."""
    outline = function.outline
    if function in tests_in(outline, project):
        return False
    if outline.path.name == "conftest.py" or not project.is_test_code(outline.path):
        return True
    return function.name in BEFORE or bool(function.decorators and is_fixture(function, project))


def _does_nothing(handler: ast.expr, scope: Scope, project: Project) -> bool:
    if isinstance(handler, ast.Lambda):
        return isinstance(handler.body, ast.Constant)
    if not isinstance(handler, ast.Name):
        return False
    found = definition(handler, scope, project.modules)
    node = found[0] if found is not None else None
    if isinstance(node, ast.Lambda):
        return isinstance(node.body, ast.Constant)
    return isinstance(node, ast.FunctionDef) and all(_is_empty(statement) for statement in node.body)


def _is_empty(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Return):
        return statement.value is None or isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def _filters(outline: Outline, project: Project) -> Iterator[Silencing]:
    """Filters that fixtures, hooks and ``setUp`` set for the test that follows."""
    config = find_pytest_config(outline.directory)
    own = [] if config.broken else filters_of(config)
    for function in outline.functions:
        configures = function.name in CONFIGURING and outline.path.name == "conftest.py"
        reaches = outline.path.name == "conftest.py" or _has_async_code(outline, project)
        if not (configures or (reaches and _is_before_each(function, project))):
            continue
        sheltered = _sheltered(function)
        for call in function.facts.calls:
            made = _filter(call, function, project)
            if made is None or any(first <= call.lineno <= last for first, last in sheltered):
                continue
            late = isinstance(call.func, ast.Attribute) and call.func.attr == "addinivalue_line"
            order = [made, *own] if configures and not late else [*own, made]
            found = hidden(order).get(order.index(made))
            if found:
                message = f"{ast.unparse(call)} hides {titles(found)}"
                yield Silencing(call, message)


def _has_async_code(outline: Outline, project: Project) -> bool:
    """Whether a module defines a coroutine function: what hides warnings of its tests alone needs one."""
    return project.remembered(
        ("has async code", outline), lambda: any(scope.is_async for scope in outline.scope.nested())
    )


def _is_before_each(function: Scope, project: Project) -> bool:
    """A fixture that every test gets anew, or what runs before each test by its name."""
    if function.name in BEFORE:
        return True
    decorator = is_fixture(function, project) if function.decorators else None
    if not isinstance(decorator, ast.Call):
        return False
    given = {keyword.arg: keyword.value for keyword in decorator.keywords}
    autouse, scope = given.get("autouse"), given.get("scope")
    everywhere = isinstance(autouse, ast.Constant) and autouse.value is True
    return everywhere and (scope is None or getattr(scope, "value", "") == "function")


def _sheltered(function: Scope) -> list[tuple[int, int]]:
    """The lines of ``with warnings.catch_warnings():`` blocks that are over before the test runs."""
    found = []
    for statement in function.facts.withs:
        entered = " ".join(ast.unparse(item.context_expr) for item in statement.items)
        yields = any(isinstance(node, ast.Yield) for node in ast.walk(statement))
        if "catch_warnings" in entered and not yields:
            found.append((statement.lineno, statement.end_lineno or statement.lineno))
    return found


def _filter(call: ast.Call, scope: Scope, project: Project) -> Filter | None:
    """The filter that a call sets, where all of it can be read."""
    if isinstance(call.func, ast.Attribute) and call.func.attr == "addinivalue_line":
        texts = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
        named = len(texts) == 2 and texts[0] == "filterwarnings" and isinstance(texts[1], str)
        return read_filter(str(texts[1])) if named else None
    name = next((name for name in chain(call.func, scope, project.modules) if name in FILTERS), "")
    if not name or any(isinstance(arg, ast.Starred) for arg in call.args):
        return None
    order = PARTS if FILTERS[name] else ("action", "category")
    given = {**dict(zip(order, call.args, strict=False)), **{k.arg or "": k.value for k in call.keywords}}
    if set(given) - set(PARTS):
        return None
    parts = {key: _text(value, scope, project, key) for key, value in given.items()}
    if None in parts.values():
        return None
    action, message, category, module = (parts.get(key) or "" for key in PARTS)
    return make_filter(action, message, category, module, "")


def _text(value: ast.expr, scope: Scope, project: Project, key: str) -> str | None:
    if key == "category":
        names = chain(value, scope, project.modules)
        return names[-1] if names else getattr(value, "id", None)
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None


def _marks(scope: Scope, project: Project) -> Iterator[Silencing]:
    """``pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")``, alone or in a list."""
    for binding in scope.bindings.get("pytestmark", []):
        calls = [node for node in ast.walk(binding.value or ast.Pass()) if isinstance(node, ast.Call)]
        marks = [call for call in calls if MARK in chain(call.func, scope, project.modules)]
        read = [read_filter(text) for call in marks for text in _constants(call)]
        filters = [found for found in read if found is not None]
        for call in marks:
            texts = set(_constants(call))
            found = [one for place, some in hidden(filters).items() for one in some
                     if filters[place].written in texts]  # fmt: skip
            hides = found and any(action_on(filters, one) == "ignore" for one in DIAGNOSTICS)
            if hides and not _is_explained(call, scope):
                yield Silencing(call, f"this mark hides {titles(found)} in all tests here")


def _is_explained(mark: ast.Call, scope: Scope) -> bool:
    """Whether a remark at a mark, or right above the statement it stands in, speaks of warnings."""
    lines, body = scope.outline.text.lines, getattr(scope.node, "body", [])
    statement = next((s for s in body if s.lineno <= mark.lineno <= (s.end_lineno or 0)), mark)
    remarks = [line.partition("#")[2] for line in lines[statement.lineno - 1 : mark.end_lineno]]
    for line in reversed(lines[: statement.lineno - 1]):
        if not line.lstrip().startswith("#"):
            break
        remarks.append(line.partition("#")[2])
    return any(SPEAKS.search(remark) for remark in remarks)


def _constants(call: ast.Call) -> list[str]:
    return [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
