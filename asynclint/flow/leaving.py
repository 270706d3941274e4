"""Statements that what stands behind them never follows."""

from __future__ import annotations

import libcst as cst

from asynclint.flow.fates import written_name


def never_returns(node: cst.CSTNode) -> bool:
    """``raise``, ``pytest.fail(…)``, ``self.skipTest(…)``, ``sys.exit()``, ``assert False``."""
    if isinstance(node, cst.Raise):
        return True
    if isinstance(node, cst.Assert):
        return isinstance(node.test, cst.Name) and node.test.value == "False"
    if not isinstance(node, cst.Expr) or not isinstance(node.value, cst.Call):
        return False
    name, func = written_name(node.value), node.value.func
    if name == "abort":  # that of a transport does
        return (
            isinstance(func, cst.Attribute) and isinstance(func.value, cst.Name) and func.value.value == "os"
        )
    return name in ("fail", "skip", "xfail", "skipTest", "exit", "_exit")


def is_true(test: cst.BaseExpression) -> bool:
    """``while True``, ``while 1``."""
    return (isinstance(test, cst.Name) and test.value == "True") or (
        isinstance(test, cst.Integer) and test.value != "0"
    )
