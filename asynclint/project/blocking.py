"""Calls that hold up the event loop: in functions that run on it, and in plain functions that these call."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from itertools import pairwise
from typing import NamedTuple

from asynclint.knowledge.blocking import CLIENTS, FUNCTIONS, HTTP_MOCKS, METHODS, UNDERNEATH, WORDS
from asynclint.project.alone import is_alone
from asynclint.project.called import named
from asynclint.project.dead import is_dead
from asynclint.project.deliberate import is_expected, is_on_purpose, is_the_point
from asynclint.project.guards.replaced import are_replaced, is_replaced
from asynclint.project.guards.tests import test_of
from asynclint.project.index.reading import is_installed
from asynclint.project.index.values import Calling, Class, Function
from asynclint.project.moments import NEVER, moments
from asynclint.project.names import chain, definition
from asynclint.project.platforms import for_other_systems
from asynclint.project.project import Project
from asynclint.project.standstill import SLOW, ends_at_once, has_timeout
from asynclint.project.tasks import is_setup
from asynclint.source.outline import Outline, Scope
from asynclint.source.written import called

MAX_DEPTH = 3  # helpers of helpers
BRANCHES = (ast.If, ast.IfExp, ast.Match, ast.ExceptHandler)
WAITS = (ast.Await, ast.AsyncFor, ast.AsyncWith)
# A condition that chooses between what waits and what blocks: ``if asynchronous:``, ``if mode == "sync":``.
SYNC = re.compile(
    r"(?<![a-z])sync(?![a-z])|asynchronous|(is|use)_?async|iscoroutine|isawaitable", re.IGNORECASE
)
# What comes from the network, another process, a pool, or time.
ELSEWHERE = re.compile(
    r"time\.sleep$|concurrent\.futures\.|subprocess\.|os\.|multiprocessing\.process"
    r"|requests\.|httpx\.|urllib|http\."
)
LAST = frozenset(name.rpartition(".")[2] for name in FUNCTIONS)
MOCKS = re.compile(rf"\b({'|'.join(HTTP_MOCKS)})\b")
NAMES = LAST | WORDS.keys() | {"input"}
BUILTIN = frozenset(name for kind in (str, list, dict, set) for name in dir(kind)) - WORDS.keys()
NETWORK = ("requests.", "httpx.", "urllib.", "urllib3.", "http.")


class Blocking(NamedTuple):
    """A call in a function that runs on the loop, and what blocks: it or a call that it leads to."""

    call: ast.Call
    scope: Scope
    name: str
    place: ast.Call
    outline: Outline


def blocking_calls(unit: Scope, project: Project) -> list[Blocking]:
    """The blocking calls of the async functions in a unit, scope by scope."""
    return project.remembered(
        ("blocking calls", unit, project.settings.blocking_calls),
        lambda: [found for scope in unit.nested() if scope.is_async for found in _in(scope, project)],
    )


def _in(scope: Scope, project: Project) -> Iterator[Blocking]:
    awaited = {id(wait.value) for wait in scope.facts.awaits}
    entered = {id(item.context_expr) for statement in scope.facts.withs for item in statement.items}
    for call, suspect in _calls_that_may(scope, project):
        if id(call) in awaited:
            continue
        name = _blocks(call, scope, project) if suspect else ""
        if name:
            found: Blocking | None = Blocking(call, scope, name, call, scope.outline)
        else:
            found = _through(call, scope, project, entered=id(call) in entered)
        if (
            found is not None
            and not is_dead(found.call, scope, project)
            and id(found.call) not in _of_sync_variant(scope, project)
            and not is_on_purpose(found.call, scope.outline)
            and not is_expected(found.call, scope)
            and not is_the_point(scope, project)
            and not (_needs_no_loop(found, project) and is_alone(found.call, scope, project))
            and found.call not in _before_exit(scope, project)
        ):
            yield found


def _needs_no_loop(found: Blocking, project: Project) -> bool:
    """Whether what is waited for comes without the loop, or not for long.

    A ``sleep`` that could as well be awaited is let pass only in a test that awaits nothing at all; in a
    plain function it can't be.
    """
    if found.name == "time.sleep":
        waits = moments(found.scope, project).first_wait != NEVER
        return found.place is not found.call or (not waits and test_of(found.scope, project) is not None)
    return ELSEWHERE.match(found.name) is not None or has_timeout(found.name, found.place)


def _of_sync_variant(scope: Scope, project: Project) -> set[int]:
    """Calls in a branch that does without waiting what the other one waits for."""
    key = ("calls of a sync variant", scope)
    return project.remembered(key, lambda: set(_sync_calls(scope)) if scope.facts.calls else set())


def _sync_calls(scope: Scope) -> Iterator[int]:
    for node in ast.walk(scope.node):
        if not isinstance(node, ast.If) or not node.orelse or not SYNC.search(ast.unparse(node.test)):
            continue
        for block, other in ((node.body, node.orelse), (node.orelse, node.body)):
            if _waits(other) and not _waits(block):
                yield from (id(part) for s in block for part in ast.walk(s) if isinstance(part, ast.Call))


def _waits(block: list[ast.stmt]) -> bool:
    return any(isinstance(node, WAITS) for statement in block for node in ast.walk(statement))


def _through(call: ast.Call, scope: Scope, project: Project, *, entered: bool) -> Blocking | None:
    helper = _helper(call, scope, project, entered=entered)
    if helper is None:
        return None
    found = _first_in(helper, project, 0)
    if found is None or is_replaced(call.func, scope, project):
        return None
    name, place, outline = found
    waits = name == "time.sleep" or moments(scope, project).first_wait != NEVER
    if not waits and _is_of_tests(scope, project):
        return None  # with helpers of sync tests it does what these do: it is async in name only
    return Blocking(call, scope, name, place, outline)


def _is_of_tests(scope: Scope, project: Project) -> bool:
    return test_of(scope, project) is not None or is_setup(scope, project)


def _helper(call: ast.Call, scope: Scope, project: Project, *, entered: bool) -> Scope | None:
    """The plain function of the project that a call runs at once."""
    root = call.func
    while isinstance(root, ast.Attribute):
        root = root.value
    value = project.inference.value(call.func, scope) if isinstance(root, ast.Name) else None
    if value is None and isinstance(call.func, ast.Name):
        made = definition(call.func, scope, project.modules)
        return made[1].child(made[0]) if made is not None and isinstance(made[0], ast.Lambda) else None
    if isinstance(value, Class):
        value = project.inference.attribute(value, "__init__")
    if not isinstance(value, Function) or value.scope.outline.is_stub or not value.scope.is_function:
        return None
    runs = value.calling is Calling.SYNC or (value.calling is Calling.CONTEXT and entered)
    return value.scope if runs else None


def _calls_that_may(scope: Scope, project: Project) -> Iterator[tuple[ast.Call, bool]]:
    """Calls in a scope's own body that may block, or be of a function of the project: cheap, most are not.

    With each, whether it has the name of something that blocks.
    """
    facts, suspects = scope.facts, _suspects(scope, project)
    others = {name for name in facts.functions if scope.lookup(name) is not None}
    others |= {name for name in facts.methods if name not in BUILTIN and not name.startswith("assert")}
    for call in facts.calls:
        suspect = call in suspects
        if suspect or called(call) in others:
            yield call, suspect


def _first_in(helper: Scope, project: Project, depth: int) -> tuple[str, ast.Call, Outline] | None:
    """The first blocking call that a plain function leads to, whatever it is called with."""
    key = ("blocks", helper, depth, project.settings.blocking_calls)
    return project.remembered(key, lambda: _search(helper, project, depth))


def _search(helper: Scope, project: Project, depth: int) -> tuple[str, ast.Call, Outline] | None:
    if is_installed(helper.outline.path) or is_the_point(helper, project) or _ends_process(helper):
        return None
    entered = {id(item.context_expr) for statement in helper.facts.withs for item in statement.items}
    for call, suspect in _calls_that_may(helper, project):
        name = _blocks(call, helper, project) if suspect else ""
        found = _in_helper(name, call, helper, project, depth, entered=id(call) in entered)
        if (
            found is not None
            and id(call) not in _optional(helper, project)
            and not is_on_purpose(call, helper.outline)
        ):
            return found
    return None


def _before_exit(scope: Scope, project: Project) -> AbstractSet[ast.AST]:
    """``done = subprocess.run(command)``, then ``sys.exit(done.returncode)``: nothing is left to run."""
    return project.remembered(("before exit", scope), lambda: set(_leaving(scope)))


def _leaving(scope: Scope) -> Iterator[ast.AST]:
    for node in ast.walk(scope.node):
        for block in (getattr(node, name, None) for name in ("body", "orelse", "finalbody")):
            for statement, after in pairwise(block) if isinstance(block, list) else ():
                is_exit = isinstance(after, ast.Expr) and _is_exit(after.value)
                if is_exit and not hasattr(statement, "body"):
                    yield from ast.walk(statement)


def _ends_process(helper: Scope) -> bool:
    """Whether a function ends with ``sys.exit(1)``: nothing is left to run then."""
    node = helper.node
    last = node.body[-1] if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) else None
    return isinstance(last, ast.Expr) and _is_exit(last.value)


def _is_exit(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and called(value) in ("exit", "_exit", "abort")


def _in_helper(
    name: str, call: ast.Call, helper: Scope, project: Project, depth: int, *, entered: bool
) -> tuple[str, ast.Call, Outline] | None:
    """What blocks when a plain function makes a call, be it that call itself (``name``)."""
    if name and is_dead(call, helper, project):
        return None
    if name and _counts(name, call, helper, project):
        return name, call, helper.outline
    inner = _helper(call, helper, project, entered=entered) if depth < MAX_DEPTH else None
    found = _first_in(inner, project, depth + 1) if inner is not None and inner is not helper else None
    return found if found is not None and not is_replaced(call.func, helper, project) else None


def _counts(name: str, call: ast.Call, helper: Scope, project: Project) -> bool:
    """Whether what blocks in a helper does so wherever that is called, as far as one can tell.

    What a package does with locks and queues follows its own rules; a host that is given may be a number.
    A sleep so short that debug mode lets it pass needs no new helper.
    """
    if name in METHODS and not project.is_test_code(helper.outline.path):
        return False
    if name == "time.sleep" and call.args:
        seconds = call.args[0].value if isinstance(call.args[0], ast.Constant) else None
        return not isinstance(seconds, (int, float)) or seconds >= SLOW
    if not name.startswith("socket.") or not call.args:
        return True
    host = call.args[0].elts[0] if isinstance(call.args[0], ast.Tuple) and call.args[0].elts else call.args[0]
    return isinstance(host, ast.Constant)


def _optional(helper: Scope, project: Project) -> set[int]:
    """Calls that a plain function may well leave out, whoever calls it.

    In tests those that a parameter or the platform switches off; in a package any under a condition: there
    retries, recovery and variants for other threads block, and what a test calls seldom comes to them.
    """
    in_tests = project.is_test_code(helper.outline.path)
    find = _chosen_from_outside if in_tests else _conditional
    return project.remembered(("optional calls", helper), lambda: find(helper))


def _conditional(helper: Scope) -> set[int]:
    """Calls under an ``if``, in a handler, or behind an ``if`` that may leave the function."""
    left: set[int] = set()
    stack: list[tuple[ast.AST, bool]] = [(helper.node, False)]
    while stack:
        node, optional = stack.pop()
        if optional and isinstance(node, ast.Call):
            left.add(id(node))
        for name, value in ast.iter_fields(node):
            branch = isinstance(node, BRANCHES) and name != "test"
            within = optional or branch
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    stack.append((child, within))
                    within = within or (isinstance(child, ast.If) and _leaves(child))
    return left


def _leaves(condition: ast.If) -> bool:
    return any(isinstance(node, (ast.Return, ast.Raise)) for node in ast.walk(condition))


def _chosen_from_outside(helper: Scope) -> set[int]:
    """Calls that a parameter of a function, or the platform, can switch off: ``if wait: time.sleep(1)``."""
    names = {parameter.arg for parameter in helper.parameters}
    left: set[int] = set()
    stack = [(node, False) for node in ast.iter_child_nodes(helper.node)]
    while stack:
        node, optional = stack.pop()
        seldom: list[ast.AST] = []
        if isinstance(node, (ast.If, ast.IfExp)) and not optional:
            asked = {part.id for part in ast.walk(node.test) if isinstance(part, ast.Name)}
            optional = not asked.isdisjoint(names)
            seldom = for_other_systems(node)
        if optional and isinstance(node, ast.Call):
            left.add(id(node))
        stack.extend((child, optional or child in seldom) for child in ast.iter_child_nodes(node))
    return left


# -- what a call is


def _blocks(call: ast.Call, scope: Scope, project: Project) -> str:
    """The dotted name of a call that blocks, where it has such a name; "" where it can't be told."""
    name = _function(call, scope, project)
    if name:
        written = name.rpartition(".")[2], getattr(call.func, "id", name)
        underneath = UNDERNEATH.get(name.partition(".")[0], ())
        replaced = are_replaced((*written, *underneath), scope, project)
    else:
        name = _method(call, scope, project)
        replaced = bool(name) and is_replaced(call.func, scope, project)
    if not name or replaced or ends_at_once(name, call, scope, project):
        return ""
    return "" if name.startswith(NETWORK) and _answers_itself(scope) else name


def _suspects(scope: Scope, project: Project) -> frozenset[ast.Call]:
    """Calls in a scope's own body that have the name of something that blocks, or may have it elsewhere."""
    added = project.settings.blocking_calls
    key = ("may block", scope, added)
    return project.remembered(key, lambda: frozenset(_by_name(scope, added, project)))


def _by_name(scope: Scope, added: tuple[str, ...], project: Project) -> Iterator[ast.Call]:
    own = {name.rpartition(".")[2] for name in added}
    yield from named(scope, NAMES | own if own else NAMES, FUNCTIONS, project)
    for calls in scope.facts.functions.values() if added else ():
        yield from calls


def _function(call: ast.Call, scope: Scope, project: Project) -> str:
    func, added = call.func, project.settings.blocking_calls
    last = func.attr if isinstance(func, ast.Attribute) else ""
    if last and last not in LAST and not any(name.endswith(f".{last}") for name in added):
        return ""
    if isinstance(func, ast.Name) and scope.lookup(func.id) is None and not scope.outline.scope.facts.stars:
        return func.id if func.id == "input" else ""
    names = chain(func, scope, project.modules)
    found = next((name for name in names if name in FUNCTIONS or name in added), "")
    if found or not added:
        return found
    own = _resolved(func, scope, project)
    return own if own in added else ""


def _method(call: ast.Call, scope: Scope, project: Project) -> str:
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in WORDS:
        return ""
    if not scope.outline.text.has_any(WORDS[call.func.attr]):
        return ""
    name = _resolved(call.func, scope, project)
    return name if name in METHODS else _of_client(call.func, scope, project)


def _resolved(func: ast.expr, scope: Scope, project: Project) -> str:
    """The dotted name of what is called, where it is defined."""
    value = project.inference.value(func, scope)
    if not isinstance(value, Function):
        return ""
    return f"{project.modules.name(value.scope.outline)}.{value.scope.qualname}"


def _of_client(func: ast.Attribute, scope: Scope, project: Project) -> str:
    """``client.get`` after ``client = httpx.Client()`` or ``with httpx.Client() as client``."""
    found = scope.lookup(func.value.id) if isinstance(func.value, ast.Name) else None
    names: set[str] = set()
    for binding in found[1] if found is not None else ():
        if binding.kind not in ("assign", "with") or not isinstance(binding.value, ast.Call):
            return ""
        names.update(chain(binding.value.func, found[0], project.modules) if found is not None else ())
    made = next((name for name in names if name in CLIENTS), "")
    return f"{made}.{func.attr}" if made and func.attr in CLIENTS[made] else ""


def _answers_itself(scope: Scope) -> bool:
    """Whether something in a module answers HTTP requests in place of the network."""
    return MOCKS.search(scope.outline.text.text) is not None
