"""The command's options: their names and help, and the settings they stand for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from asynclint.output.formats import FORMATS
from asynclint.settings import Overrides, from_text
from asynclint.source.files import absolute

F = TypeVar("F", bound=Callable[..., Any])


class Option(click.Option):
    """An option that stands under a heading of ``--help``."""

    def __init__(self, *args: Any, heading: str = "Other", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.heading = heading


class Command(click.Command):
    """A command whose ``--help`` lists its options under their headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one definition list for each heading, in the order of declaration."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                sections.setdefault(getattr(parameter, "heading", "Information"), []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def option(heading: str, name: str, metavar: str, text: str, **attributes: Any) -> Callable[[Any], Any]:
    """Declare an option with a value under ``heading``; ``text`` is its help."""
    return click.option(name, cls=Option, heading=heading, metavar=metavar, help=text, **attributes)


def flag(heading: str, names: str, text: str) -> Callable[[Any], Any]:
    """Declare an option without a value under ``heading``; ``names`` are set apart by commas."""
    return click.option(*names.split(", "), cls=Option, heading=heading, is_flag=True, help=text)


FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

OPTIONS = (
    flag("Fixing", "--fix", "Apply safe fixes, report what is left."),
    flag("Fixing", "--diff", "Print what --fix would change; write nothing."),
    flag("Fixing", "--unsafe-fixes", "Widen --fix and --diff by fixes that can change a test's outcome."),
    option("Fixing", "--guard-seconds", "SECONDS", "The bound that fixes insert (default 30)."),
    option(
        "Fixing",
        "--guard-style",
        "auto|timeout|mark",
        "A guard in the test (auto, timeout), or pytest.mark.timeout on it (mark).",
    ),
    option(
        "Fixing",
        "--guard-from-junit",
        "FILE",
        "Choose each bound by the test's time in this JUnit report of pytest; may be repeated.",
        type=FILE,
        multiple=True,
    ),
    option(
        "Rules",
        "--select",
        "CODES",
        "Only these codes or prefixes (an off rule: its full code).",
        multiple=True,
    ),
    option(
        "Rules", "--ignore", "CODES", "Not these; of select and ignore the longer prefix wins.", multiple=True
    ),
    option("Rules", "--extend-select", "CODES", "These besides the selected ones.", multiple=True),
    option("Rules", "--extend-ignore", "CODES", "Not these besides the ignored ones.", multiple=True),
    flag("Rules", "--loop-guards-only", "Only guards in the event loop count as bounds."),
    option("Rules", "--target-version", "3.x", "Oldest Python to support (default: requires-python)."),
    option(
        "Files", "--exclude", "GLOBS", "Leave out these, not the usual ones (.venv, build, …).", multiple=True
    ),
    flag("Files", "--force-exclude", "Exclude even what is named on the command line."),
    option("Files", "--stdin-filename", "NAME", "The name of what PATH - reads from standard input."),
    option(
        "Files",
        "--config",
        "FILE",
        "Read settings from this TOML file, not the nearest pyproject.",
        type=FILE,
    ),
    flag("Files", "--isolated", "Read no settings from files."),
    option(
        "Adoption",
        "--baseline",
        "FILE",
        "Report only what this file does not record.",
        type=click.Path(dir_okay=False, path_type=Path),
    ),
    flag("Adoption", "--no-baseline", "Report also what the project's baseline records."),
    option(
        "Adoption",
        "--write-baseline",
        "FILE",
        "Record all findings in this file, report none.",
        type=click.Path(dir_okay=False, path_type=Path),
    ),
    flag("Adoption", "--add-noqa", "Add a # noqa comment to each line that is reported (--diff: show them)."),
    option(
        "Output",
        "--output-format",
        "FORMAT",
        "concise (a line a finding), full (with its source; default on a terminal); for programs: json,"
        " sarif, github, gitlab, junit.",
        type=click.Choice(["concise", "full", *FORMATS]),
    ),
    option(
        "Output",
        "--output-file",
        "FILE",
        "Write the report here instead of printing it.",
        type=click.Path(dir_okay=False, path_type=Path),
    ),
    flag("Output", "--statistics", "How often each code was found, instead of each finding."),
    option(
        "Output",
        "--color",
        "auto|always|never",
        "Colours (default: auto, on a terminal).",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
    ),
    flag("Output", "--no-progress", "No progress bar."),
    flag("Output", "--profile", "Say at the end where the time went, in one process."),
    flag("Output", "-q, --quiet", "Print findings only: no notes, no summary."),
    flag("Output", "--exit-zero", "Exit 0 in spite of findings."),
    option("Output", "--jobs", "N", "Processes (default: by number of files).", type=click.IntRange(min=1)),
    flag("Output", "--no-cache", "Neither read nor write what earlier runs found."),
    option(
        "Output",
        "--cache-dir",
        "DIR",
        "Keep the cache here (default: .asynclint_cache at the top of each project).",
        type=click.Path(file_okay=False, path_type=Path),
    ),
    flag("Editors", "--lsp", "Serve an editor on standard input and output (extra: asynclint[lsp])."),
    option("Information", "--explain", "CODE", "What a rule reports, why, and its fix; a code or slug."),
    flag("Information", "--list-rules", "All rules in a table."),
    flag("Information", "--show-settings", "Each setting that holds for PATH and where it came from."),
    flag("Information", "--show-guards", "What bounds each async test, how long, and where that is said."),
    flag("Information", "--checklist", "What a safe suite has and this one lacks; --fix adds it."),
)


def with_options(function: F) -> F:
    """Give a command all options, in the order of ``--help``."""
    for decorate in reversed(OPTIONS):
        function = decorate(function)
    return function


def overrides_of(options: Mapping[str, Any]) -> Overrides:
    """What the command line says beside the files; raises SettingsError naming the option."""
    given = {
        "select": ",".join(options["select"]),
        "ignore": ",".join(options["ignore"]),
        "extend-select": ",".join(options["extend_select"]),
        "extend-ignore": ",".join(options["extend_ignore"]),
        "exclude": ",".join(options["exclude"]),
        "guard-style": options["guard_style"],
        "guard-seconds": options["guard_seconds"],
        "target-version": options["target_version"],
    }
    values = [from_text(key, text) for key, text in given.items() if text]
    if options["guard_seconds"]:  # what is said now beats what files say of some paths
        values.append(("per_file_guard_seconds", ()))
    if options["loop_guards_only"]:
        values.append(("loop_guards_only", True))
    if options["guard_from_junit"]:
        values.append(("guard_from_junit", _reports(options["guard_from_junit"])))
    if options["no_baseline"] or options["write_baseline"]:
        values.append(("baseline", None))
    elif options["baseline"]:
        values.append(("baseline", absolute(options["baseline"])))
    config = options["config"]
    return Overrides(tuple(values), absolute(config) if config else None, options["isolated"])


# An option, what it means for others, and those which it would leave without effect.
ALONE = (
    ("isolated", "reads no settings from files", ("config",)),
    ("no_baseline", "reports what a baseline records", ("baseline",)),
    ("profile", "measures a check", ("show_guards", "checklist", "write_baseline", "add_noqa")),
    ("write_baseline", "prints no findings", ("statistics", "output_format", "output_file")),
    (
        "show_guards",
        "prints a table",
        ("checklist", "fix", "diff", "statistics", "write_baseline", "add_noqa"),
    ),
    ("checklist", "prints a table", ("statistics", "write_baseline", "add_noqa")),
)


def refuse_together(options: Mapping[str, Any]) -> None:
    """Raise UsageError where an option would be ignored beside another."""
    for name, means, others in ALONE:
        for other in others:
            if options[name] and options[other]:
                message = f"{_dashed(name)} {means}: leave out {_dashed(other)}"
                raise click.UsageError(message)
    if options["lsp"] and options["paths"]:
        named = " ".join(map(str, options["paths"]))
        message = f"--lsp serves an editor, which says what to check: leave out {named}"
        raise click.UsageError(message)
    if options["stdin_filename"] and Path("-") not in options["paths"]:
        message = "--stdin-filename is the name of what - reads: give - as the only PATH"
        raise click.UsageError(message)


def _dashed(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def output_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """What a Report is told of where and how to print; raises UsageError for what has no form together."""
    layout, statistics = options["output_format"], options["statistics"]
    if options["diff"] and (layout in FORMATS or statistics):
        message = f"--diff prints a patch: leave out {'--statistics' if statistics else '--output-format'}"
        raise click.UsageError(message)
    if statistics and layout in FORMATS and layout != "json":
        message = f"--statistics has no place in {layout}: leave one of them out; json has both"
        raise click.UsageError(message)
    return {
        "layout": layout,
        "quiet": options["quiet"],
        "file": output_file(options),
        "statistics": statistics,
        "color": options["color"],
        "progress": not options["no_progress"],
    }


def output_file(options: Mapping[str, Any]) -> Path | None:
    """The file to write instead of standard output, as an absolute path whose directory there is."""
    path: Path | None = options["output_file"]
    if path is None or str(path) == "-":  # standard output, as without it
        return None
    from asynclint.output.output_file import prepare

    prepare(path)
    return absolute(path)


def table_layout(options: Mapping[str, Any]) -> str:
    """How a table such as that of --show-guards is printed: ``full``, ``concise`` or ``json``."""
    layout: str | None = options["output_format"]
    if layout is None:
        return "full" if sys.stdout.isatty() and output_file(options) is None else "concise"
    if layout in FORMATS and layout != "json":
        message = f"--output-format {layout} is for findings; tables come as full, concise or json"
        raise click.UsageError(message)
    return layout


def _reports(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Paths of JUnit reports; raises SettingsError now, and not in the middle of a run, for another file."""
    from asynclint.project import junit

    found = tuple(absolute(path) for path in paths)
    junit.read(found)
    return found
