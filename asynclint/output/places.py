"""Paths as programs want them: from the top of what CI has checked out, in the form of a URI."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

#: where a job's checkout lies: https://docs.github.com/actions/reference/variables-reference and
#: https://docs.gitlab.com/ci/variables/predefined_variables/
CHECKOUTS = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")


def root() -> Path:
    """The directory that paths in CI are relative to: the checkout that we are in, else where we are."""
    here = Path.cwd()
    for variable in CHECKOUTS:
        checkout = os.environ.get(variable)
        if checkout and here.is_relative_to(Path(checkout).resolve()):
            return Path(checkout).resolve()
    return here


def absolute(display: str) -> Path:
    """The path from the root of what is displayed, ``..`` taken out."""
    return Path(os.path.abspath(display))  # noqa: PTH100 (links are not resolved)


def below(display: str, top: Path) -> str:
    """A displayed path relative to ``top``, with slashes; absolute where it doesn't lie below."""
    path = absolute(display)
    return (path.relative_to(top) if path.is_relative_to(top) else path).as_posix()


def uri(display: str, top: Path) -> str:
    """The same as a URI: relative, or of the scheme ``file``."""
    found = below(display, top)
    return Path(found).as_uri() if Path(found).is_absolute() else quote(found)
