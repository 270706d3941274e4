"""Which functions, classes and modules need a closer look, and by which rules."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from asynclint.rule import Rule
from asynclint.source.outline import Scope
from asynclint.source.text import SourceText

if TYPE_CHECKING:
    from asynclint.project.project import Project


def wanted(scope: Scope, rules: Sequence[Rule], project: Project) -> tuple[Rule, ...]:
    """The rules that want to see a unit; where none does, libcst never does either."""
    return tuple(rule for rule in rules if rule.triggered is None or rule.triggered(scope, project))


def no_test_module(text: SourceText, path: Path, project: Project) -> str:
    """Why a module is no module of tests; empty for one that is, by its name or its content."""
    if project.is_test_code(path) or ("TestCase" in text.text and _has_test_case(text)):
        return ""
    return 'no test file by its name or content, so it was not checked; scope = "all" checks every file'


def _has_test_case(text: SourceText) -> bool:
    for node in ast.walk(text.parse()):
        if isinstance(node, ast.ClassDef):
            for base in node.bases:
                name = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
                if name.endswith("TestCase"):
                    return True
    return False
