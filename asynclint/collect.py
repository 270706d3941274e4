"""The files of a run: found below the paths it is given, and grouped by the settings that hold for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from glob import glob
from itertools import groupby
from pathlib import Path

from asynclint.project.config import PytestConfig, find_pytest_config
from asynclint.settings import DEFAULTS, Overrides, Settings, SettingsError, override, settings_for
from asynclint.source.files import File, Problem, absolute, find, shown
from asynclint.source.text import SourceError, SourceText


@dataclass
class Collected:
    """Files in ``groups``, each once; ``problems`` are what cannot be read or used of files and settings."""

    groups: dict[Settings, list[File]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def collect(paths: Sequence[Path], overrides: Overrides, *, force_exclude: bool = False) -> Collected:
    """Group the files that ``paths`` name, and the ``*.py`` files below the directories that they name.

    Raises SettingsError where the overrides themselves are at fault.
    """
    collected, broken = Collected(), dict[str, SettingsError]()
    for file in _found(paths, overrides, force_exclude, collected.problems, broken):
        try:
            settings = settings_for(file.path, overrides)
            if settings.baseline is not None:
                from asynclint.suppress import baseline

                baseline.load(settings.baseline)  # at fault now, and not in the middle of the run
            collected.groups.setdefault(settings, []).append(file)
        except SettingsError as error:
            broken.setdefault(str(error), error)
    collected.problems += map(problem_of, broken.values())
    directories = dict.fromkeys(file.path.parent for files in collected.groups.values() for file in files)
    collected.problems += pytest_refusals(directories)
    return collected


def default_paths() -> tuple[Path, ...]:
    """What pytest would collect from here without arguments: its ``testpaths`` that exist, else all."""
    here = Path.cwd()
    config = find_pytest_config(here)
    if config.root != here:  # as pytest: testpaths are for a run from the root
        return (Path(),)
    # As pytest expands them: unlike Path.glob, absolute ones too.
    found = (sorted(glob(testpath, recursive=True)) for testpath in config.testpaths)  # noqa: PTH207
    return tuple(Path(path) for paths in found for path in paths) or (Path(),)


def problem_of(error: SettingsError) -> Problem:
    """Settings that cannot be used as a result; raises those that no file is to blame for."""
    if error.path is None:
        raise error
    return Problem(shown(error.path), error.message, error.line, error.column, "ASL003")


def pytest_refusals(directories: Iterable[Path]) -> Iterator[Problem]:
    """Each configuration of pytest that holds in one of some directories (absolute), and can't be read.

    Files are checked all the same, but nothing is said of time bounds.
    """
    for config in dict.fromkeys(map(find_pytest_config, directories)):
        if config.broken:
            by, line = config.broken_by
            name = shown(by) if isinstance(by, Path) else by
            cause = config.broken.removeprefix(f"{by}: ")
            message = f"pytest can't read it, so no test is known to be unbounded: {cause}; correct it"
            yield Problem(name, message, line or _addopts(config), code="ASL003")


def _addopts(config: PytestConfig) -> int:
    """The line of the one option whose words can't be told apart; 0 where it is not in a file."""
    from asynclint.project.config_lines import ConfigLines

    by, _ = config.broken_by
    try:
        text = SourceText.from_bytes(by.read_bytes()) if isinstance(by, Path) else None
    except (OSError, SourceError):
        text = None
    return ConfigLines(config, text).key("addopts") if text is not None and config.section else 0


def _found(
    paths: Sequence[Path],
    overrides: Overrides,
    force_exclude: bool,
    problems: list[Problem],
    broken: dict[str, SettingsError],
) -> Iterator[File]:
    """Each file below ``paths`` once; what is excluded is up to the settings that hold for its path."""

    def settings_of(path: Path) -> Settings:
        try:
            return settings_for(absolute(path), overrides)
        except SettingsError as error:
            broken.setdefault(str(error), error)
            return override(DEFAULTS, overrides)

    seen: set[Path] = set()
    for settings, alike in groupby(paths, settings_of):
        for found in find(list(alike), settings, force_exclude=force_exclude):
            if isinstance(found, Problem):
                problems.append(found)
            elif found.path not in seen:
                seen.add(found.path)
                yield found
