"""The guard outside the loop that a project may prefer: ``@pytest.mark.timeout(30)`` on the test."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from asynclint.finding import Edit, Fix, Position, Safety, Span
from asynclint.project.guards.decorators import is_builtin_decorator
from asynclint.project.guards.fixtures import reaching_fixtures
from asynclint.project.guards.insertion import depends_on, importable
from asynclint.project.guards.length import UnreadLengthError, long_enough, longest, wanted_seconds
from asynclint.project.guards.refusals import NoGuardError, mentioned, refuse_unwrappable
from asynclint.project.guards.tests import Test, is_fixture, marks, read_marks
from asynclint.project.guards.wrappers import project_function
from asynclint.project.index.values import Class
from asynclint.project.names import chain
from asynclint.project.project import Project
from asynclint.source.outline import Scope
from asynclint.source.written import uncalled

PLUGIN = "pytest-timeout"
FORM_FEED = "\f"
# What a test looks at that pytest-timeout's own timer changes.
TIMERS = frozenset({"SIGALRM", "ITIMER_REAL", "setitimer", "getitimer", "active_count"})
KEEPING_MARKS = frozenset({"functools.wraps", "functools.update_wrapper", "wrapt.decorator"})
ROUND_EACH = frozenset(
    ["setUp", "asyncSetUp", "tearDown", "asyncTearDown", "setup_method", "teardown_method"]
)
ROUND_MANY = frozenset(["setUpClass", "setup_class", "setUpModule", "setup_module"])


def mark_fix(test: Test, project: Project) -> Fix:
    """The fix that marks a test; raises NoGuardError.

    The mark stands next to the ``def``, which is a function for certain: above another decorator there
    may be something that pytest can't mark, and ``functools.wraps`` takes marks along.
    """
    _refuse_unheeded(test, project)
    _refuse_dropped(test, project)
    refuse_unwrappable(test.scope, test, project)
    for scope in (test.scope, *reaching_fixtures(test, project)):
        timer = mentioned(scope, TIMERS)
        if timer:
            message = f"{scope.name} looks at {timer}, which {PLUGIN} would change"
            raise NoGuardError(message)
    name, imported = _pytest(test, project)
    mark = f"{name}.mark.timeout({_arguments(test, project)})"
    text = test.scope.outline.text
    line = test.scope.node.lineno  # type: ignore[union-attr]  # of the def, below decorators
    row = text.lines[line - 1]
    indent = row[: len(row) - len(row.lstrip(" \t\f"))]
    start = Position(line, len(indent))
    # a form feed begins the column count anew
    edit = Edit(Span(start, start), f"@{mark}{text.newline}{indent.rpartition(FORM_FEED)[2]}")
    return Fix(f"mark it with {mark}", (edit,), Safety.SAFE, (imported,) if imported else ())


def _refuse_unheeded(test: Test, project: Project) -> None:
    """Raise NoGuardError where nothing would heed the mark, or it would not be ours to set."""
    if project.settings.loop_guards_only:
        message = "a mark bounds from outside the event loop, and loop-guards-only counts no such bound"
    elif "timeout" in test.config.command_line.blocked:
        message = "with -p no:timeout nothing heeds a mark"
    elif test.is_unittest and test.config.path is None:
        message = "unittest may run it, which heeds no mark"
    elif not depends_on(PLUGIN, test.scope, project):
        message = f"{PLUGIN}, which heeds the mark, is no dependency on every Python the project supports"
    elif any(mark.name == "timeout" for mark in marks(test, project)):
        message = "it has a timeout mark of its own, which gives no bound"
    else:
        return
    raise NoGuardError(message)


def _refuse_dropped(test: Test, project: Project) -> None:
    """Raise NoGuardError for a decorator that may make something else of a test, without its marks."""
    around = test.scope.parent or test.scope
    for decorator in test.scope.decorators:
        target = uncalled(decorator)
        if is_builtin_decorator(target, around) or any(read_marks(decorator, around, project)):
            continue
        function = project_function(target, around, project)
        replaces = function is not None and not _keeps_marks(function, project)
        if replaces or isinstance(project.inference.value(target, around), Class):
            message = f"{ast.unparse(target)} may drop the marks of what it wraps"
            raise NoGuardError(message)


def _keeps_marks(decorator: Scope, project: Project) -> bool:
    """Whether what a decorator gives carries the attributes of what it is given."""
    inner = [scope for scope in decorator.nested() if scope is not decorator]
    copies = any(name in KEEPING_MARKS for name in _called(decorator, project))
    return copies or not (inner or "functools.partial" in _called(decorator, project))


def _called(function: Scope, project: Project) -> Iterator[str]:
    """Dotted names of what a function calls and decorates with, nested functions included."""
    for scope in function.nested():
        targets = [(call.func, scope) for call in scope.facts.calls]
        targets += [(uncalled(d), scope.parent or scope) for d in scope.decorators]
        for target, where in targets:
            yield from chain(target, where, project.modules)


def _pytest(test: Test, project: Project) -> tuple[str, str]:
    """The name pytest goes by where the decorators stand, and what must be imported first."""
    owner = test.scope.parent or test.scope
    name, imported = importable("pytest", owner, project)
    line = test.scope.node.lineno  # type: ignore[union-attr]
    bound = test.scope.outline.scope.bindings.get(name, [])
    if not imported and all(binding.node.lineno > line for binding in bound):  # type: ignore[attr-defined]
        message = "pytest is imported below it"
        raise NoGuardError(message)
    return name, imported


def _arguments(test: Test, project: Project) -> str:
    """Seconds for all that the timer runs through; without fixtures where their time is not the test's.

    pytest-timeout counts fixtures in, unless ``func_only`` leaves them out
    (https://pypi.org/project/pytest-timeout/).
    """
    try:
        inside = longest(test.scope, project)
    except UnreadLengthError as error:
        message = f"can't tell how long {error} takes, and a shorter bound would cut it off"
        raise NoGuardError(message) from None
    func_only = _has_shared_setup(test, project)
    if not func_only:
        try:
            inside += sum(longest(scope, project) for scope in _round_it(test, project))
        except UnreadLengthError:
            func_only = True
    seconds = f"{long_enough(inside, wanted_seconds(test.scope, project)):.10g}"
    return f"{seconds}, func_only=True" if func_only and not test.config.timeout_func_only else seconds


def _round_it(test: Test, project: Project) -> Iterator[Scope]:
    """Fixtures and methods that run before and after each test."""
    yield from reaching_fixtures(test, project)
    for cls in test.bases.project if test.bases is not None else ():
        yield from (scope for scope in cls.facts.scopes if scope.name in ROUND_EACH)


def _has_shared_setup(test: Test, project: Project) -> bool:
    """Whether the first of several tests pays for a fixture that serves them all."""
    for fixture in reaching_fixtures(test, project):
        decorator = is_fixture(fixture, project)
        for keyword in decorator.keywords if isinstance(decorator, ast.Call) else ():
            value = getattr(keyword.value, "value", None)
            if keyword.arg == "scope" and value != "function":
                return True
    owners = [test.scope.outline.scope, *(test.bases.project if test.bases is not None else ())]
    return any(scope.name in ROUND_MANY for owner in owners for scope in owner.facts.scopes)
