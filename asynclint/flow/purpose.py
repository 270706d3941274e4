"""Where a test lets a coroutine go on purpose."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from asynclint.project.index.values import Calling, Function
from asynclint.project.project import Project
from asynclint.source.function import Function as Unit
from asynclint.source.nodes import end_of, start_of
from asynclint.source.outline import Scope
from asynclint.source.written import called

# Blocks in which a test lets a coroutine go on purpose: it wants the warning, or the TypeError of
# a call with wrong arguments, which comes before anything is awaited.
ON_PURPOSE = frozenset(
    {"warns", "catch_warnings", "assertWarns", "assertWarnsRegex", "deprecated_call", "check_warnings"}
)
# What a call itself may raise: the wrong arguments, no such method.
CALL_ERRORS = frozenset({"TypeError", "AttributeError"})
OTHER_WARNINGS = frozenset(
    {"ResourceWarning", "UserWarning", "SyntaxWarning", "ImportWarning", "BytesWarning"}
)
RAISES = frozenset({"raises", "assertRaises", "assertRaisesRegex"})
FAILING = frozenset({"fail", "pytest.fail", "self.fail", "cls.fail"})
# Who asks these of a function knows which of two it may be.
QUESTIONS = frozenset({"iscoroutinefunction", "is_coroutine_function", "is_async_callable", "iscoroutine"})
# A remark on the line of a call, or right above it.
REMARK = re.compile(
    r"(don'?t|do not|not|never|without|no|un)[ -]?(be(ing)? )?await|on purpose|intention|deliberate",
    re.IGNORECASE,
)


def is_on_purpose(function: Unit, made: ast.AST, project: Project, *, used: bool = False) -> bool:
    """Whether a test wants the warning of a dropped coroutine, or the error of a wrong call.

    Or the error that comes of using a coroutine, where it is ``used``. ``made`` is where it is made or used.
    """
    unit = function.scope
    if not used and _is_remarked(made, unit):
        return True
    fits = not used and isinstance(made, ast.Call) and _fits(made, function.scope_round(made), project)
    wants = " ".join(ast.unparse(decorator) for decorator in unit.decorators)
    marked = unit.outline.scope.bindings.get("pytestmark", [])
    wants += " ".join(ast.unparse(b.value) for b in marked if b.value is not None)
    if (
        "never awaited" in wants
        or "xfail" in wants
        or "RuntimeWarning" in wants
        or "recwarn" in {a.arg for a in unit.parameters}
    ):
        return True
    errors = CALL_ERRORS | {"Exception", "BaseException"} if used else CALL_ERRORS
    in_block = False
    for outer in function.around(made):
        if isinstance(outer, ast.If) and _asked_before(outer, made):
            return True
        if isinstance(outer, ast.Try) and not fits and any(_may_catch(h, errors) for h in outer.handlers):
            return True
        if isinstance(outer, ast.Try) and used and outer.handlers and _fails(outer.body, made):
            return True
        if isinstance(outer, (ast.With, ast.AsyncWith)):
            scope = function.scope_round(outer)
            sure = fits and not in_block  # with raises(AttributeError): with that_is_asynchronous(): …
            if any(_expects(item.context_expr, scope, project, errors, fits=sure) for item in outer.items):
                return True
            in_block |= isinstance(outer, ast.With)
    return used and _is_made_to_fail(function.scope_round(made), unit)


def is_tried(function: Unit, node: ast.AST) -> bool:
    """``try: job.name = name``, ``except Exception``: who uses a coroutine so reckons with its failing."""
    errors = CALL_ERRORS | {"Exception", "BaseException"}
    return any(
        isinstance(outer, ast.Try) and any(_may_catch(handler, errors) for handler in outer.handlers)
        for outer in function.around(node)
    )


def _asked_before(statement: ast.If, made: ast.AST) -> bool:
    """``if not iscoroutinefunction(send): send()``: it is called where it is none."""
    if not isinstance(made, ast.Call):
        return False
    test, branch = statement.test, statement.orelse
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test, branch = test.operand, statement.body
    return (
        isinstance(test, ast.Call)
        and called(test) in QUESTIONS
        and any(ast.unparse(argument) == ast.unparse(made.func) for argument in test.args)
        and any(part is made for inner in branch for part in ast.walk(inner))
    )


def _is_remarked(made: ast.AST, unit: Scope) -> bool:
    """``send()  # not awaited on purpose``."""
    if not isinstance(made, ast.expr):
        return False
    lines = unit.outline.text.lines
    said = [lines[made.lineno - 1].partition("#")[2]]
    above = lines[made.lineno - 2].strip() if made.lineno > 1 else ""
    said += [above] if above.startswith("#") else []
    return any(REMARK.search(remark) for remark in said)


def _is_made_to_fail(scope: Scope, unit: Scope) -> bool:
    """Whether a function inside a test is used in blocks that expect an exception, and nowhere else.

    Or in other functions of which that is so.
    """
    expecting: list[ast.AST] = [
        statement
        for inner in unit.nested()
        for statement in inner.facts.withs
        if any(
            isinstance(item.context_expr, ast.Call) and called(item.context_expr) in RAISES
            for item in statement.items
        )
    ]
    if scope is unit or not scope.is_function or not expecting:
        return False
    names = [node for node in ast.walk(unit.node) if isinstance(node, ast.Name)]
    inner = [function for function in unit.nested() if function.is_function and function is not unit]
    failing: set[Scope] = set()
    while True:
        more = {
            function
            for function in inner
            if function not in failing and _is_used_only_in(expecting, function.name, names)
        }
        if not more:
            return scope in failing
        failing |= more
        expecting += [function.node for function in more]


def _is_used_only_in(places: Sequence[ast.AST], name: str, names: Sequence[ast.Name]) -> bool:
    uses = [node for node in names if node.id == name]
    return bool(uses) and all(
        any(start_of(place) <= start_of(use) <= end_of(place) for place in places) for use in uses
    )


def _fits(call: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether an async function surely takes the arguments of a call, which then raises nothing itself."""
    value = project.inference.value(call.func, scope)
    if not isinstance(value, Function) or value.calling is not Calling.COROUTINE or value.scope.decorators:
        return False
    if any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords):
        return False
    assert isinstance(value.scope.node, ast.AsyncFunctionDef)
    args = value.scope.node.args
    if args.kwarg is not None and value.scope.outline.is_stub:  # the stub doesn't say what it takes
        return False
    positional = [arg.arg for arg in (*args.posonlyargs, *args.args)][value.receiver is not None :]
    named = {arg.arg for arg in (*args.args, *args.kwonlyargs)}
    given = [*positional[: len(call.args)], *(keyword.arg for keyword in call.keywords)]
    needed = positional[: len(positional) - len(args.defaults)]
    needed += [
        arg.arg for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True) if default is None
    ]
    return (
        (len(call.args) <= len(positional) or args.vararg is not None)
        and (args.kwarg is not None or all(keyword.arg in named for keyword in call.keywords))
        and len(set(given)) == len(given)
        and set(needed) <= set(given)
    )


def _fails(block: list[ast.stmt], made: ast.AST) -> bool:
    """``self.fail("it should raise")``, ``pytest.fail("…")``, in any case, once something has been done."""
    calls = (statement.value for statement in _statements(block, made) if isinstance(statement, ast.Expr))
    funcs = (call.func for call in calls if isinstance(call, ast.Call))
    return any(ast.unparse(func) in FAILING for func in funcs)


def _statements(block: list[ast.stmt], made: ast.AST) -> Iterator[ast.stmt]:
    """The statements of a block behind one that holds something, and so on inside that one."""
    for number, statement in enumerate(block):
        if any(part is made for part in ast.walk(statement)):
            yield from block[number + 1 :]
            if isinstance(statement, (ast.With, ast.AsyncWith)):
                inside = any(part is made for inner in statement.body for part in ast.walk(inner))
                yield from _statements(statement.body, made) if inside else statement.body


def _may_catch(handler: ast.ExceptHandler, errors: frozenset[str]) -> bool:
    caught = ast.unparse(handler.type) if handler.type is not None else ""
    return bool(errors & set(re.findall(r"\w+", caught)))


def _expects(expr: ast.expr, scope: Scope, project: Project, errors: frozenset[str], *, fits: bool) -> bool:
    """A block whose point is a warning, or an exception that may be the TypeError of a wrong call."""
    if not isinstance(expr, ast.Call):
        return False
    name = called(expr)
    if name in ON_PURPOSE:
        kinds = {
            part.id for argument in expr.args[:1] for part in ast.walk(argument) if isinstance(part, ast.Name)
        }
        return not kinds or not kinds <= OTHER_WARNINGS
    if name in RAISES:
        return not fits and any(_may_be_one(argument, scope, errors) for argument in expr.args[:1])
    value = project.inference.value(expr.func, scope)
    maker = getattr(value, "scope", None)
    if maker is None or maker.outline.is_stub:
        return False
    return any(called(call) in RAISES | ON_PURPOSE for inner in maker.nested() for call in inner.facts.calls)


def _may_be_one(expected: ast.expr, scope: Scope, errors: frozenset[str]) -> bool:
    names = {node.id for node in ast.walk(expected) if isinstance(node, ast.Name)}
    found = [scope.lookup(name) for name in names]
    is_parameter = any(f is not None and f[1][0].kind in ("param", "for", "unpack") for f in found)
    return is_parameter or bool(names & errors)
