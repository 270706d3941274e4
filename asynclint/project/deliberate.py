"""What blocks on purpose: by a remark, an argument, or what the function around it is for."""

from __future__ import annotations

import ast
import re

from asynclint.project.index.decorators import calling
from asynclint.project.project import Project
from asynclint.source.nodes import end_of, start_of
from asynclint.source.outline import FUNCTIONS, Outline, Scope

# A remark that somebody blocks on purpose: the code of a sister rule, or words.
ON_PURPOSE = re.compile(
    r"#.*(noqa(?!:)|(ASYNC|TRIO)(2\d\d|10[012])|block|purpose|intention|deliberate|pretend|crunch|busy"
    r"|\bcpu\b|\bforc(e|es|ing)\b)",
    re.IGNORECASE,
)
# Words of a remark above it, in lines that no empty one parts from it.
WORDS_ABOVE = re.compile(
    r"\bblock|\bstall|hold(s|ing)? |purpose|intention|deliberate|sync sleep|pretend|crunch|busy|\bcpu\b"
    r"|event loop|(new|own|separate|another) thread",
    re.IGNORECASE,
)
# Loops whose time stands still while others wait, so that nothing but blocking makes it pass.
FAKE_LOOPS = ("looptime", "async_solipsism")
MAX_ABOVE = 8
# A function whose point it is.
POINT = re.compile(
    r"(^|_)(un)?block(s|ed|ing)?(_|$|\()|blocking|slow_callback|long_exec|starv|stall|hog|(^|_)busy_",
    re.IGNORECASE,
)


# What the docstring of a function says of its point.
SAID = re.compile(
    r"\bblock(s|ed|ing)? (the |its |an )?(event )?loop|\bsync(hronous)? sleep|time\.sleep", re.IGNORECASE
)


# A test that names what blocks in a string, or debug mode's limit, looks for what is blocked.
NAMED = re.compile(r"slow_callback_duration|[\"']time\.sleep")


def is_the_point(scope: Scope, project: Project) -> bool:
    """Whether a function blocks for its own sake, by its name, docstring, class, module or loop.

    Or nobody knows in which loop a decorator of a nested function runs it.
    """
    if scope.outline.text.has_any(FAKE_LOOPS):
        return True
    is_nested = scope.parent is not None and scope.parent.is_function
    if is_nested and scope.decorators and calling(scope, project.inference) is None:
        return True
    return project.remembered(("blocks for its own sake", scope), lambda: _says_so(scope))


def _says_so(scope: Scope) -> bool:
    """``async def block_loop()``, ``class BlockingClient``, tests of slow callbacks and of a loop's clock."""
    if scope.outline.path.stem.startswith("blocking"):
        return True
    for outer in scope.around():
        said = " ".join((outer.name, *map(ast.unparse, outer.decorators)))
        if outer.is_class and "Blocking" in said:
            return True
        if outer.is_function and (POINT.search(said) or NAMED.search(outer.source)):
            return True
        if isinstance(outer.node, FUNCTIONS) and SAID.search(ast.get_docstring(outer.node) or ""):
            return True
    clock = not scope.facts.awaits and any(_is_clock(call) for call in scope.facts.calls)
    return clock or _runs_in_thread(scope)


def _is_clock(call: ast.Call) -> bool:
    """``loop.time()``."""
    return (
        isinstance(call.func, ast.Attribute)
        and call.func.attr == "time"
        and ast.unparse(call.func.value).endswith("loop")
    )


def _runs_in_thread(scope: Scope) -> bool:
    """``self.run_worker(self.work, thread=True)``: it has a loop of its own there."""
    outermost = [scope, *(outer for outer in scope.around() if outer.is_function)][-1]
    handed = (call for inner in outermost.nested() for call in inner.facts.calls)
    calls = (*handed, *(d for d in scope.decorators if isinstance(d, ast.Call)))
    return any(
        isinstance(keyword.value, ast.Constant) and keyword.value.value is True
        for call in calls
        for keyword in call.keywords
        if keyword.arg in ("thread", "in_thread")
        if call in scope.decorators or scope.name in ast.unparse(call)
    )


def is_expected(call: ast.Call, scope: Scope) -> bool:
    """``with raises(BlockingError):``, as of blockbuster, where what finds blocking calls is to find one."""
    return any(
        start_of(statement) <= start_of(call) <= end_of(statement)
        and any("BlockingError" in ast.unparse(item.context_expr) for item in statement.items)
        for statement in scope.facts.withs
    )


def is_on_purpose(call: ast.Call, outline: Outline) -> bool:
    """Whether a remark at a call or right above it, or an argument, says that it blocks on purpose."""
    if any(POINT.search(ast.unparse(argument)) for argument in call.args):  # time.sleep(BLOCK_SECONDS)
        return True
    lines = outline.text.lines
    last = call.end_lineno or call.lineno
    if any(ON_PURPOSE.search(line) for line in lines[call.lineno - 1 : last]):
        return True
    for line in reversed(lines[max(call.lineno - 1 - MAX_ABOVE, 0) : call.lineno - 1]):
        if not line.strip():
            return False
        remark = line.partition("#")[2]
        if WORDS_ABOVE.search(remark) or f"{ast.unparse(call.func)} " in remark:
            return True
    return False
