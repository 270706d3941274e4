"""Which files are test files, by their place and name, or by what they hold."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from asynclint.project.config import find_pytest_config
from asynclint.project.index.modules import project_directories
from asynclint.source.files import is_test_path
from asynclint.source.text import SourceText

WORDS = re.compile(r"\bpytest|\btest")


@cache
def is_test_file(path: Path) -> bool:
    """Whether pytest collects a file (``python_files``), or it is a conftest, or lies below ``tests``.

    ``path`` is absolute; directories above the project's root do not count.
    """
    directory = path.parent
    config = find_pytest_config(directory)
    roots = project_directories(directory)
    root = roots[-1] if roots else config.root
    return is_test_path(path.relative_to(root) if path.is_relative_to(root) else path, config.python_files)


def no_test_module(text: SourceText, path: Path | None) -> str:
    """Why a module is no module of tests; empty for one that is, by its name or its content.

    ``path`` None is text without a name: a test function, a fixture or an import of pytest makes it one.
    """
    by_name = is_test_file(path) if path is not None else WORDS.search(text.text) and _has_test(text)
    if by_name or ("TestCase" in text.text and _has_test_case(text)):
        return ""
    return 'no test file by its name or content, so it was not checked; scope = "all" checks every file'


def _has_test(text: SourceText) -> bool:
    """Whether a module imports pytest, or has a function or method that it would collect by default."""
    body = list(text.parse().body)
    body += [inner for node in body if isinstance(node, ast.ClassDef) for inner in node.body]
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test"):
            return True
        imported = [name.name for name in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            imported = [node.module or ""]
        if any(name.startswith("pytest") for name in imported):
            return True
    return False


def _has_test_case(text: SourceText) -> bool:
    for node in ast.walk(text.parse()):
        if isinstance(node, ast.ClassDef):
            for base in node.bases:
                name = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
                if name.endswith("TestCase"):
                    return True
    return False
