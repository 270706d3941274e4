"""What a rule may ask of the rest of the repository: one object, shared by every file of a run."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from asynclint.project.index.infer import Inference
from asynclint.project.index.modules import Modules
from asynclint.project.test_files import is_test_file
from asynclint.settings import Settings

T = TypeVar("T")


class Project:
    """Modules, names and guards, as seen with one file's settings.

    ``at`` gives the same project with another file's settings; what was learnt is shared.
    """

    def __init__(self, settings: Settings, shared: Project | None = None) -> None:
        self.settings = settings
        self.modules: Modules = Modules() if shared is None else shared.modules
        self._shared = shared
        self._answers: dict[Hashable, Any] = {} if shared is None else shared._answers  # noqa: SLF001

    def remembered(self, key: Hashable, answer: Callable[[], T]) -> T:
        """An answer that is worked out once in a run; the key names the question and what it is about."""
        if key not in self._answers:
            self._answers[key] = answer()
        found: T = self._answers[key]
        return found

    def at(self, settings: Settings) -> Project:
        """The same project with other settings."""
        if settings == self.settings:
            return self
        return Project(settings, self._shared or self)

    @cached_property
    def inference(self) -> Inference:
        """What expressions are; see ``Inference``."""
        return Inference(self.modules) if self._shared is None else self._shared.inference

    def is_test_code(self, path: Path) -> bool:
        """Whether a module belongs to the tests rather than to what they test."""
        return is_test_file(path)
