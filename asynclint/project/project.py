"""What a rule may ask of the rest of the repository: one object, shared by every file of a run."""

from __future__ import annotations

import ast
from collections.abc import Callable, Hashable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from asynclint.project.environment import Packages, packages_for
from asynclint.project.forgetting import Answers, Mark
from asynclint.project.index.infer import Inference
from asynclint.project.index.memo import UNKNOWN
from asynclint.project.index.modules import Modules
from asynclint.project.test_files import is_test_file
from asynclint.settings import Settings
from asynclint.source.outline import Outline
from asynclint.source.text import SourceText

T = TypeVar("T")


class Project:
    """Modules, names and guards, as seen with one file's settings.

    ``at`` gives the same project with another file's settings; what was learnt is shared. Names of
    installed packages are unknown here: ``with_installed`` reads those packages too.
    """

    def __init__(
        self, settings: Settings, shared: Project | None = None, modules: Modules | None = None
    ) -> None:
        self.settings = settings
        self.modules: Modules = (modules or Modules()) if shared is None else shared.modules
        self._shared = shared
        self._mark: Mark | None = None
        self._wider: dict[Packages, Project] = {} if shared is None else shared._wider  # noqa: SLF001
        self._answers: dict[Hashable, Any] = {} if shared is None else shared._answers  # noqa: SLF001

    def remembered(self, key: Hashable, answer: Callable[[], T]) -> T:
        """An answer that is worked out once in a run; the key names the question and what it is about."""
        found: T = self._answers.get(key, UNKNOWN)
        if found is UNKNOWN:
            found = self._answers[key] = answer()
        return found

    def at(self, settings: Settings) -> Project:
        """The same project with other settings."""
        if settings == self.settings:
            return self
        return Project(settings, self._shared or self)

    def with_installed(self, directory: Path) -> Project:
        """The same project where names may also lie in what files of a directory (absolute) import.

        It reads more, so ask where the project alone leaves something open.
        """
        if self.modules.packages is not None:
            return self
        packages = packages_for(directory, self.settings.environment)
        if packages not in self._wider:
            self._wider[packages] = Project(self.settings, modules=Modules(packages, self.modules))
        return self._wider[packages].at(self.settings)

    def begin(self, path: Path, text: SourceText, tree: ast.Module | None) -> Outline:
        """The outline of the module that is judged next; ``tree`` is its ast, where that is at hand.

        What was learnt of the last one is forgotten, unless another module has asked for it.
        Raises SourceError where the text can't be parsed.
        """
        shared = self._shared or self
        if shared._mark is not None and (judged := self.modules.end()) is not None:  # noqa: SLF001
            shared._mark.forget(judged, shared._memories())  # noqa: SLF001
            judged.fold()
        shared._mark = Mark(shared._memories())  # noqa: SLF001
        return self.modules.begin(path, text, tree)

    def fold(self) -> None:
        """Let go of all that has been learnt; nothing waits for a collector, which may not see it."""
        self.modules.fold()
        for answers in self._memories():
            answers.clear()

    def _memories(self) -> Iterator[Answers]:
        """All that is known, by question."""
        for project in (self, *self._wider.values()):
            yield project._answers  # noqa: SLF001
            yield from project.modules.memories()
            yield from project.inference.memories()

    @cached_property
    def inference(self) -> Inference:
        """What expressions are; see ``Inference``."""
        from asynclint.project.parameters import parameter

        if self._shared is not None:
            return self._shared.inference
        return Inference(self.modules, lambda name, function: parameter(name, function, self))

    def is_test_code(self, path: Path) -> bool:
        """Whether a module belongs to the tests rather than to what they test."""
        return is_test_file(path)
