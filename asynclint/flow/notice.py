"""Which of the things that run could notice that something else didn't: assertions, raises, reads, waits.

Two questions, asked of the same nodes from opposite sides. ``is_assertion`` is positive evidence: this
is there to make a test fail. ``may_notice`` is the benefit of the doubt: this could make one fail.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from asynclint.knowledge.asyncs import CHECKPOINTS, GUARD_CONTEXTS, SLEEPS, TASK_INSPECTION
from asynclint.project.index.values import Function
from asynclint.project.names import chain
from asynclint.project.project import Project
from asynclint.source.nodes import own_nodes
from asynclint.source.outline import Scope
from asynclint.source.written import called

MAX_DEPTH = 3
SOUNDS_LIKE_A_CHECK = re.compile(
    r"assert|expect|verif|check(?!point)|fail(?!_after|_at)|raises|warn|ensure(?!_future)|should|must|compare"
    r"|validate|match|^skip|xfail|^(_?exit|abort)$",
    re.IGNORECASE,
)
FAILURES = frozenset({"fail", "skip", "xfail", "skipTest", "exit"})
CLEANUP = re.compile(
    r"^_*(a?close|wait_closed|stop|shut_?down|cancel|terminate|kill|disconnect|release|clean_?up|tear_?down|quit"
    r"|finish|dispose|abort|exit|__a?exit__|send_signal)(_|d$|$)",
    re.IGNORECASE,
)
ENDING = re.compile(r"stop|shut|exit|quit|clos|finish|kill|abort|terminat", re.IGNORECASE)
HARMLESS = frozenset(
    ["print", "debug", "info", "warning", "error", "exception", "log", "clear", "reset", "remove", "unlink",
     "discard", "pop", "set", "undo", "suppress", "gather", "bool", "isinstance", "len", "str", "repr",
     "join", "flush"]
)  # fmt: skip


def is_cleanup(node: ast.AST) -> bool:
    """``server.close()``, ``task.cancel()``, ``await client.disconnect()``, ``stop_event.set()``."""
    call = node.value if isinstance(node, ast.Await) else node
    if not isinstance(call, ast.Call):
        return False
    asked = called(call) == "set" and ENDING.search(ast.unparse(call.func))
    return bool(asked or CLEANUP.search(called(call)))


def is_assertion(node: ast.AST, scope: Scope, project: Project) -> bool:
    """``assert``, ``self.assertEqual(…)``, ``mock.assert_called()``, ``raises(…)``, a helper that asserts."""
    if isinstance(node, ast.Assert):
        return not is_failure(node)
    if not isinstance(node, ast.Call):
        return False
    if called(node).lower().startswith("assert"):
        return True
    expects = "pytest.raises" in chain(node.func, scope, project.modules)
    return expects or helper_asserts(node, scope, project)


def is_failure(node: ast.AST) -> bool:
    """What fails wherever it is reached: ``pytest.fail(…)``, ``raise …``, ``assert False``."""
    if isinstance(node, ast.Assert):
        return isinstance(node.test, ast.Constant) and not node.test.value
    return isinstance(node, ast.Raise) or (isinstance(node, ast.Call) and called(node) in FAILURES)


def may_notice(node: ast.AST, scope: Scope, project: Project) -> bool:
    """Whether a node could make a test fail on purpose."""
    if isinstance(node, (ast.Assert, ast.Raise)):
        return True
    if not isinstance(node, ast.Call):
        return False
    names = chain(node.func, scope, project.modules)
    if any(name in GUARD_CONTEXTS for name in names):
        return False
    if any(name.startswith("pytest.") for name in names):
        return True
    return bool(SOUNDS_LIKE_A_CHECK.search(called(node))) or helper_asserts(node, scope, project)


def helper_asserts(call: ast.Call, scope: Scope, project: Project, depth: int = 0) -> bool:
    """Whether a call runs a function of the tests that asserts something."""
    value = project.inference.value(call.func, scope)
    if not isinstance(value, Function) or depth >= MAX_DEPTH:
        return False
    helper = value.scope
    if not helper.is_function or helper.outline.is_stub or not project.is_test_code(helper.outline.path):
        return False
    nodes = own_nodes(helper)
    if any(isinstance(node, ast.Assert) for node in nodes):
        return True
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    return any(
        called(node).lower().startswith("assert") or helper_asserts(node, helper, project, depth + 1)
        for node in calls
    )


def is_harmless(node: ast.AST, scope: Scope, project: Project) -> bool:
    """Whether a node can run whatever happened before: cleaning up, logging, sleeping, no call at all."""
    if isinstance(node, (ast.AsyncFor, ast.While, ast.Yield, ast.YieldFrom)):
        return False
    if isinstance(node, ast.Return):
        return node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None)
    if isinstance(node, ast.Await):
        return isinstance(node.value, ast.Call)
    if not isinstance(node, ast.Call):
        return True
    names = chain(node.func, scope, project.modules)
    if any(name in SLEEPS or name in CHECKPOINTS or name in GUARD_CONTEXTS for name in names):
        return True
    name = called(node)
    return name in HARMLESS or name in TASK_INSPECTION or is_cleanup(node)


def bound_names(nodes: Iterable[ast.AST]) -> set[str]:
    """Names that are given a value, parts of assigned attributes and items (``seen[0] = …``) included."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)) and isinstance(node.ctx, ast.Store):
            root: ast.expr = node
            while isinstance(root, (ast.Attribute, ast.Subscript)):
                root = root.value
            if isinstance(root, ast.Name):
                names.add(root.id)
    return names


def read_names(nodes: Iterable[ast.AST]) -> set[str]:
    """Names whose value is looked at."""
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
