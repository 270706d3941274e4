"""The flake8 plugin: the tree and the lines that flake8 has read go through the engine of the command.

Suppression, selection and per-file ignores of flake8's own are flake8's business; what ``[tool.asynclint]``
says applies as well. Nothing is imported here that a file without findings does not need.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from asynclint import __version__
from asynclint.keys import site_packages
from asynclint.settings import Overrides, SettingsError, from_text, settings_for

if TYPE_CHECKING:
    import argparse

Report = tuple[int, int, str, type["Plugin"]]

_TEXTS = (
    ("guard-decorators", "NAMES"),
    ("guard-fixtures", "NAMES"),
    ("guard-base-classes", "NAMES"),
    ("blocking-calls", "NAMES"),
    ("target-version", "3.x"),
    ("scope", "tests|all"),
)
_PATHS = (("environment", "DIR"), ("baseline", "FILE"))
_STDIN = ("stdin", "-")  # flake8's names for standard input without --stdin-display-name


class Plugin:
    """Checks one file for flake8, which counts columns from 0 here and prints them from 1."""

    name = "asynclint"
    version = __version__

    _overrides: ClassVar[Overrides] = Overrides()
    _broken: ClassVar[SettingsError | None] = None
    _said: ClassVar[set[str]] = set()

    def __init__(self, tree: ast.Module, lines: Sequence[str], filename: str) -> None:
        self._tree = tree
        self._lines = lines
        self._filename = filename

    @staticmethod
    def add_options(option_manager: Any) -> None:
        """Register asynclint's options with flake8's OptionManager, which has no published types.

        They are the settings that change what is reported; what fixes write is no business of flake8's.
        """
        option_manager.add_option(
            "--asynclint-config",
            metavar="FILE",
            default="",
            parse_from_config=True,
            normalize_paths=True,
            help="Read asynclint's settings from this TOML file, not the nearest pyproject.toml.",
        )
        option_manager.add_option(
            "--asynclint-loop-guards-only",
            action="store_true",
            default=False,
            parse_from_config=True,
            help="Only guards in the event loop count as bounds.",
        )
        for key, metavar in (*_TEXTS, *_PATHS):
            option_manager.add_option(
                f"--asynclint-{key}",
                metavar=metavar,
                default="",
                parse_from_config=True,
                normalize_paths=(key, metavar) in _PATHS,
                help=f"The setting {key} of asynclint, instead of what pyproject.toml says.",
            )

    @classmethod
    def parse_options(cls, options: argparse.Namespace) -> None:
        """Keep what flake8 was told; runs again in each worker process that is not forked.

        An *off* rule runs where flake8's configuration names its full code, never through a prefix.
        """
        named = [*_listed(options, "select"), *_listed(options, "extend_select")]
        codes = tuple(sorted({code for code in named if re.fullmatch(r"ASL\d{3}", code)}))
        values: list[tuple[str, Any]] = [("extend_select", codes)] if codes else []
        given = {key: getattr(options, f"asynclint_{key.replace('-', '_')}") for key, _ in (*_TEXTS, *_PATHS)}
        cls._broken = None
        for key, _ in _TEXTS:
            try:
                values += [from_text(key, given[key])] if given[key] else []
            except SettingsError as error:
                cls._broken = SettingsError(str(error).replace("--", "asynclint-", 1))
        values += [(key, Path(given[key]).absolute()) for key, _ in _PATHS if given[key]]
        if given["environment"] and not site_packages(Path(given["environment"]).absolute()):
            message = f"asynclint-environment: no virtual environment at {given['environment']}"
            cls._broken = SettingsError(message)
        values += [("loop_guards_only", True)] if options.asynclint_loop_guards_only else []
        config = Path(options.asynclint_config).absolute() if options.asynclint_config else None
        cls._overrides = Overrides(tuple(values), config)
        cls._said = set()

    def run(self) -> Iterator[Report]:
        """Line (1-based), column (0-based), code and text of each finding.

        Never raises: an exception would end flake8's whole run, so it becomes a finding itself.
        """
        try:
            reports = list(self._reports())
        except SettingsError as error:
            reports = list(self._broken_settings(error))
        except Exception as error:
            fault = " ".join(f"{type(error).__name__}: {error}".split())
            text = f"ASL002 asynclint failed on {self._filename}: {fault}. This is a bug in asynclint."
            reports = [(1, 0, text, Plugin)]
        yield from reports

    def _reports(self) -> Iterator[Report]:
        path = None if self._filename in _STDIN else Path(self._filename).absolute()
        if self._broken is not None:
            raise self._broken
        settings = settings_for(path or Path.cwd(), self._overrides)
        if path is not None and settings.scope != "all" and not self._may_be_test(path):
            return

        from asynclint.run import check_and_keep
        from asynclint.source.text import SourceText

        text = SourceText.from_lines(self._lines)
        result = check_and_keep(text, path, self._filename, settings, self._tree)
        if result.problem is not None:  # flake8 has parsed the file, so it can only be a fault of ours
            yield (
                max(result.problem.line, 1),
                result.problem.column,
                f"ASL002 {result.problem.message}",
                Plugin,
            )
        for finding in result.findings:
            start = finding.span.start
            yield start.line, start.column, f"{finding.code} {finding.message}", Plugin

    def _may_be_test(self, path: Path) -> bool:
        """Whether the engine is worth its import: most files of a run are no tests."""
        from asynclint.project.test_files import is_test_file

        return is_test_file(path) or any("TestCase" in line for line in self._lines)

    def _broken_settings(self, error: SettingsError) -> Iterator[Report]:
        """One finding for the first file that the settings would have held for, in this process."""
        if str(error) not in self._said:
            self._said.add(str(error))
            yield 1, 0, f"ASL003 {error}", Plugin


def _listed(options: argparse.Namespace, name: str) -> Sequence[str]:
    value: Any = getattr(options, name, None)
    return value or ()
