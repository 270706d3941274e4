"""The language server: what editors show while a test is written, and the fixes they offer."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asynclint.settings import Overrides

MISSING = "--lsp needs pygls, which comes with the extra: pip install 'asynclint[lsp]'"


def start(overrides: Overrides) -> int:
    """Serve an editor until it ends that; the exit status, 2 where the extra is not installed.

    ``overrides`` are what the command line says beside the settings of each file.
    """
    if importlib.util.find_spec("pygls") is None:
        sys.stderr.write(f"asynclint: {MISSING}\n")
        return 2
    if sys.stdin is None:
        sys.stderr.write("asynclint: --lsp talks on standard input, which is closed\n")
        return 2
    from asynclint.server.language_server import serve

    return serve(overrides)
