"""Which files are test files, by their place and name alone."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from asynclint.project.config import find_pytest_config
from asynclint.project.index.modules import project_directories
from asynclint.source.files import is_test_path


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
