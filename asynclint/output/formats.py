"""The formats for programs: each is one module here, which makes a whole run one document."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from asynclint.output.gathered import Gathered

#: by name on the command line, the module that has a ``document``; imported when it is asked for
FORMATS = {
    "json": "json_v1",
    "sarif": "sarif",
    "github": "github",
    "gitlab": "gitlab",
    "junit": "junit",
}


class Format(Protocol):
    """What each of these modules has."""

    def document(self, gathered: Gathered) -> str:
        """The run as text that ends in a line feed, or is empty; ``gathered`` is sorted."""


def document(name: str, gathered: Gathered) -> str:
    """A run in the format called ``name``."""
    gathered.sort()
    module = import_module(f"asynclint.output.{FORMATS[name]}")
    return cast("Format", module).document(gathered)
