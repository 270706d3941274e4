"""Where a suite's configuration hides what asyncio reports: filters, and plugins of pytest kept out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from asynclint.finding import Edit, Position, Span
from asynclint.knowledge.diagnostics import NEVER_AWAITED, UNRAISABLE
from asynclint.project.config import PytestConfig, find_pytest_config
from asynclint.project.config_lines import ConfigLines
from asynclint.project.project import Project
from asynclint.project.runs.words import Word, variable
from asynclint.project.warning_filters import Filter, action_on, decisive, hidden, read_filter, titles
from asynclint.source.text import SourceError, SourceText

QUIET = ("--disable-warnings", "--disable-pytest-warnings")
STARTS_TESTS = re.compile(r"\bpytest\b|\btox\b|\bnox\b|\bunittest\b")
ENVIRONMENT = re.compile(r"\s*\[\s*(testenv(:py[\w{},.-]*)?|env_run_base)\s*\]")
# A remark that says why.
EXPLAINS = re.compile(
    r"(resource|runtime)warning|unraisable|unclosed|never awaited|leak|teardown|garbage|https?://|#\d+",
    re.IGNORECASE,
)
RECIPES = frozenset({".yml", ".yaml", ".py", ".sh", ""})


class Silenced(NamedTuple):
    """One setting that hides something: where it stands, what to say of it, and the edit that removes it."""

    path: Path
    span: Span
    message: str
    edit: Edit | None = None
    what: str = ""


def filters_of(config: PytestConfig) -> list[Filter]:
    """The filters that pytest is configured with; what comes later wins."""
    written = [(text, False) for text in config.filterwarnings]
    written += [(text, True) for text in config.command_line.filters]
    read = (read_filter(text, literal=literal) for text, literal in written)
    return [found for found in read if found is not None]


def silenced(root: Path, project: Project, *, strict: bool) -> Iterator[Silenced]:
    """What hides asyncio's reports where a directory is configured.

    ``strict`` asks for what makes them errors that fail no test, too.
    """
    config = find_pytest_config(root)
    if config.broken:
        return
    own = filters_of(config)
    if config.path is not None:
        try:
            text = SourceText.from_bytes(project.modules.source(config.path))
        except SourceError:
            return
        lines = ConfigLines(config, text)
        yield from _of_filters(own, lines)
        yield from _of_options(own, lines)
        if strict:
            yield from _without_effect(own, lines)
    yield from _of_variables(root, own)


def _of_filters(filters: list[Filter], lines: ConfigLines) -> Iterator[Silenced]:
    config = lines.config
    assert config.path is not None
    for place, diagnostics in hidden(filters).items():
        written = filters[place].written
        in_file = written in config.filterwarnings
        number = lines.entry("filterwarnings", written) if in_file else lines.key("addopts")
        if in_file and EXPLAINS.search(lines.remark(number)):
            continue
        source = "the filter" if in_file else "-W"
        message = f"{source} {written} hides {titles(diagnostics)}"
        edit = lines.without(number, written) if in_file else None
        yield Silenced(config.path, lines.span(number), message, edit, f"remove the filter {written}")


def _of_options(filters: list[Filter], lines: ConfigLines) -> Iterator[Silenced]:
    """``-p no:warnings`` and the like in ``addopts``."""
    config = lines.config
    assert config.path is not None
    blocked = config.command_line.blocked
    raised = action_on(filters, NEVER_AWAITED) == "error"
    message = ""
    if "warnings" in blocked:
        message = (
            'with -p no:warnings pytest shows no warning, "never awaited" neither, and applies no filter'
        )
    elif "unraisableexception" in blocked:
        message = "with -p no:unraisableexception pytest doesn't hear of errors in finalizers"
        message += ', "never awaited" as an error among them' if raised else ""
    elif any(word in QUIET for word in config.command_line.words) and not raised:
        word = next(word for word in config.command_line.words if word in QUIET)
        message = f'{word} leaves "never awaited" out of what pytest prints'
    if message and "addopts" in config.options:
        yield Silenced(config.path, lines.span(lines.key("addopts")), message)


def _without_effect(filters: list[Filter], lines: ConfigLines) -> Iterator[Silenced]:
    """``error::RuntimeWarning`` alone: the error comes up in a finalizer, where it fails no test."""
    config = lines.config
    place = decisive(filters, NEVER_AWAITED)
    if place < 0 or filters[place].action != "error" or filters[place].category != "RuntimeWarning":
        return
    if action_on(filters, UNRAISABLE) not in ("error", "ignore"):
        assert config.path is not None
        written = filters[place].written
        in_file = written in config.filterwarnings
        number = lines.entry("filterwarnings", written) if in_file else lines.key("addopts")
        message = f"{written} fails no test for a coroutine that is never awaited without"
        message += " error::pytest.PytestUnraisableExceptionWarning"
        yield Silenced(config.path, lines.span(number), message)


def _of_variables(root: Path, own: list[Filter]) -> Iterator[Silenced]:
    """``PYTHONWARNINGS`` where tests are started, as far as pytest's own filters leave it its effect."""
    for word in variable("PYTHONWARNINGS", root):
        if not word.value or not _starts_tests(word, root):
            continue
        read = [read_filter(text, literal=True) for text in word.value.split(",")]
        given = [found for found in read if found is not None]
        hiding = {n: found for n, found in hidden([*given, *own]).items() if n < len(given)}
        if hiding:
            what = titles(dict.fromkeys(one for found in hiding.values() for one in found))
            start = Position(word.line, 0)
            message = f"PYTHONWARNINGS={word.value} hides {what}"
            yield Silenced(word.path, Span(start, start), message)


def _starts_tests(word: Word, root: Path) -> bool:
    """Whether a variable is set for tests; where the file can't be understood, for whatever it starts."""
    from asynclint.project.runs.started import Reach, is_understood, reach

    if is_understood(word, root):
        return reach(word, root) is Reach.SURE
    lines = word.path.read_text(encoding="utf-8", errors="replace").split("\n")
    if word.path.name in ("tox.ini", "tox.toml", "setup.cfg"):
        headers = [line for line in lines[: word.line] if line.lstrip().startswith("[")]
        return bool(headers) and ENVIRONMENT.match(headers[-1]) is not None
    return word.path.suffix in RECIPES and any(STARTS_TESTS.search(line) for line in lines)
