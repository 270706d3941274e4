"""Which branch of a condition on the operating system runs elsewhere than where most suites run."""

from __future__ import annotations

import ast
import re

# A condition that asks which system it runs on: ``if os.name == "nt":``, ``if is_windows():``.
PLATFORM = re.compile(
    r"\b(sys\.platform|os\.name|platform\.system)\b"
    r"|(?<![a-z])(?<![a-z]_)((is|on|running_on)_?)?(windows|win32|cygwin|darwin|mac_?os|linux)(?![a-z_])",
    re.IGNORECASE,
)
# One that is true where most suites run.
USUAL = re.compile(r"linux|posix", re.IGNORECASE)


def for_other_systems(choice: ast.If | ast.IfExp) -> list[ast.AST]:
    """What an ``if`` that asks for the system does elsewhere than where most suites run."""
    usual = _holds_usually(choice.test)
    if usual is None:
        return []
    branch = choice.orelse if usual else choice.body
    return list(branch) if isinstance(branch, list) else [branch]


def _holds_usually(test: ast.expr) -> bool | None:
    """Whether a condition holds where most suites run; None where the system does not decide that."""
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            held = _holds_usually(operand)
            return None if held is None else not held
        case ast.BoolOp(op=operator, values=values):
            deciding = isinstance(operator, ast.Or)  # one that is true decides an ``or``
            found = [_holds_usually(value) for value in values]
            return deciding if deciding in found else None if None in found else not deciding
    said = ast.unparse(test)
    if not PLATFORM.search(said):
        return None
    denied = isinstance(test, ast.Compare) and isinstance(test.ops[0], (ast.NotEq, ast.NotIn))
    return bool(USUAL.search(said)) is not denied
