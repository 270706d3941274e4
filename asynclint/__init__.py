"""asynclint: a static checker that makes async Python test suites honest.

For programs, ``check_source`` and ``check_paths`` give ``Checked`` results with ``Finding`` objects; both are
imported, with what they need, when they are first asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asynclint.api import Checked, check_paths, check_source
    from asynclint.finding import Confidence, Edit, Finding, Fix, Position, Related, Safety, Span
    from asynclint.settings import Settings, SettingsError, settings_for
    from asynclint.source.files import Problem

__version__ = "0.1.0"
__all__ = [
    "Checked",
    "Confidence",
    "Edit",
    "Finding",
    "Fix",
    "Position",
    "Problem",
    "Related",
    "Safety",
    "Settings",
    "SettingsError",
    "Span",
    "__version__",
    "check_paths",
    "check_source",
    "settings_for",
]
_HOMES = ("asynclint.api", "asynclint.finding", "asynclint.settings", "asynclint.source.files")


def __getattr__(name: str) -> Any:
    """Import what is public when it is asked for (PEP 562): importing the package costs nothing."""
    from importlib import import_module

    for home in _HOMES if name in __all__ else ():
        module = import_module(home)
        if hasattr(module, name):
            return getattr(module, name)
    message = f"module 'asynclint' has no attribute {name!r}"
    raise AttributeError(message)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
