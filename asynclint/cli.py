"""The command: arguments become settings, files go through the engine, results are printed.

Exit status 0: nothing to report; 1: findings (or, with ``--diff``, changes) remain; 2: something could not
be checked, or bad usage; 130: interrupted. Findings and files that could not be checked are results and go
to standard output; notes, summaries and complaints about usage go to standard error.
"""

from __future__ import annotations

import atexit
import io
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from asynclint import __version__
from asynclint.options import (
    Command,
    output_file,
    output_of,
    overrides_of,
    refuse_together,
    table_layout,
    with_options,
)
from asynclint.processes import pause_collector
from asynclint.settings import Overrides, Settings, SettingsError, loaded_for, settings_for
from asynclint.source.files import absolute

if TYPE_CHECKING:
    from asynclint.engine import Fixing, Result
    from asynclint.output.report import Report
    from asynclint.source.files import File


@click.command(
    cls=Command, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@with_options
@click.version_option(__version__, message="asynclint %(version)s")
def command(**options: Any) -> int:
    """Find, explain and fix what makes async Python test suites hang, leak or lie.

    PATH is a file, a directory, or - for standard input; without one, the testpaths of pytest's
    configuration, else the current directory.
    """
    if options["explain"] is not None:
        return _explain(options["explain"], options["color"])
    if options["list_rules"]:
        return _list_rules()
    refuse_together(options)
    overrides = overrides_of(options)
    if options["lsp"]:
        from asynclint import server

        return server.start(overrides)
    if options["show_settings"]:
        return _show_settings(options["paths"], overrides)
    if options["show_guards"]:
        return _show_guards(options, overrides)
    if options["checklist"]:
        return _checklist(options, overrides)
    if options["write_baseline"] or options["add_noqa"]:
        return _adopt(options, overrides)
    if options["profile"]:
        from asynclint.profile import profiling

        options["jobs"] = 1  # the clock sees this process alone
        with profiling():
            return _check(options, overrides)
    return _check(options, overrides)


def main() -> NoReturn:
    """The console script: run on the arguments of this process and exit.

    What is registered to run at exit does; taking apart every tree that was read would be a tenth of a run.
    """
    pause_collector()
    status = run(sys.argv[1:])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # what is done is done
    atexit._run_exitfuncs()  # noqa: SLF001
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # closed, or nobody reads it
            stream.flush()
    os._exit(status)


def run(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status; never raises, never shows a traceback."""
    _open_streams()
    try:
        with command.make_context("asynclint", list(arguments)) as context:
            status: int = command.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        return _complain(error.format_message())
    except SettingsError as error:
        return _complain(str(error))
    except (KeyboardInterrupt, click.Abort):
        _complain("interrupted")
        return 130
    except BrokenPipeError:
        _abandon_stdout()
        return 1
    except OSError as error:
        _abandon_stdout()
        nameless = "the current directory" if isinstance(error, FileNotFoundError) else "standard output"
        return _complain(f"{error.filename or nameless}: {error.strerror or error}")
    except Exception as error:
        if os.environ.get("ASYNCLINT_TRACEBACK"):
            raise
        return _complain(
            f"internal error: {type(error).__name__}: {error}. This is a bug in asynclint; please report it"
            " with the traceback that ASYNCLINT_TRACEBACK=1 in the environment shows."
        )
    return status


def _open_streams() -> None:
    """Make printing safe: a closed stream swallows, a character the terminal lacks is escaped."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, io.StringIO())
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace", newline="\n")


def _abandon_stdout() -> None:
    """Nobody can read standard output any more: keep Python from flushing it at exit."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())


def _complain(message: str) -> int:
    click.echo(f"asynclint: {message}", err=True)
    return 2


def _explain(name: str, color: str) -> int:
    from asynclint.output import explain
    from asynclint.output.report import console
    from asynclint.rule import all_rules

    terminal = console(sys.stdout, color)
    if name.upper() in explain.OWN_CODES:
        explain.print_own_code(name.upper(), terminal)
        return 0
    found = explain.find(name, all_rules())
    if isinstance(found, str):
        return _complain(f"--explain: {found}")
    if terminal.is_terminal:
        explain.print_page(found, terminal)
    else:
        click.echo(explain.plain(found), nl=False)
    return 0


def _list_rules() -> int:
    from asynclint.output.explain import table
    from asynclint.rule import all_rules

    click.echo(table(all_rules()))
    return 0


def _show_settings(paths: Sequence[Path], overrides: Overrides) -> int:
    from asynclint.output import show_settings
    from asynclint.project.environment import packages_for
    from asynclint.project.python_version import requires_python

    pages, flake8 = [], tuple(show_settings.flake8_settings())
    for path in map(absolute, paths or (Path(),)):
        directory = path if path.is_dir() else path.parent
        found = requires_python(directory)
        stated = (found.lowest, f'{found.path} {found.key} = "{found.specifier}"') if found else None
        loaded = loaded_for(directory, overrides)
        packages = packages_for(directory, loaded.settings.environment)
        environment = packages.path, packages.origin
        pages.append(show_settings.page(str(path), loaded, overrides, stated, environment, flake8))
    click.echo("\n\n".join(pages))
    return 0


def _show_guards(options: dict[str, Any], overrides: Overrides) -> int:
    from asynclint.collect import default_paths
    from asynclint.output.output_file import opened
    from asynclint.output.report import Report
    from asynclint.output.show_guards import Row, show
    from asynclint.run import survey_files

    layout, target = table_layout(options), output_file(options)
    report = Report(sys.stderr, quiet=options["quiet"])  # what can't be read; the table alone is output
    paths = options["paths"] or default_paths()
    if Path("-") in paths:
        message = "--show-guards reads files: what bounds a test depends on where it lies"
        raise click.UsageError(message)
    rows = []
    for settings, files in _by_settings(paths, overrides, options["force_exclude"], report).items():
        for surveyed in survey_files(files, settings):
            if isinstance(surveyed, tuple):
                file, tests = surveyed
                rows += [Row(file.display, test) for test in tests]
            else:
                report.problem(surveyed.display, surveyed.line, surveyed.column, surveyed.message)
    with opened(target) as stream:
        show(rows, stream, layout, options["color"])
    if not rows and not report.problems and not options["quiet"]:
        click.echo(f"no async test found in {' '.join(map(str, paths))}", err=True)
    return report.status


def _checklist(options: dict[str, Any], overrides: Overrides) -> int:
    from asynclint import checklist
    from asynclint.collect import default_paths
    from asynclint.output.checklist import show
    from asynclint.output.output_file import opened
    from asynclint.output.report import Report
    from asynclint.output.text import printable

    layout, target = table_layout(options), output_file(options)
    report = Report(sys.stderr, quiet=options["quiet"])  # what can't be read; the table alone is output
    paths = options["paths"] or default_paths()
    if Path("-") in paths or options["diff"]:
        message = "--checklist reads whole suites, and goes with --fix, not with --diff or standard input"
        raise click.UsageError(message)
    groups = _by_settings(paths, overrides, options["force_exclude"], report)
    if options["fix"]:
        for result in checklist.fix(groups, unsafe=options["unsafe_fixes"], jobs=options["jobs"] or 1):
            if result.problem is not None:
                report.problem(
                    result.display, result.problem.line, result.problem.column, result.problem.message
                )
            elif not options["quiet"]:
                click.echo(printable(checklist.done(result)), err=True)
        groups = _by_settings(paths, overrides, options["force_exclude"], report)
    lists = list(checklist.checklists(groups))
    for problem in (problem for one in lists for problem in one.problems):
        report.problem(problem.display, problem.line, problem.column, problem.message, problem.code)
    with opened(target) as stream:
        show(lists, stream, layout, options["color"])
    if not lists and not report.problems and not options["quiet"]:
        click.echo(f"no async test found in {' '.join(map(str, paths))}", err=True)
    missing = any(not one.done for one in lists) and not options["exit_zero"]
    return report.status or int(missing)


def _check(options: dict[str, Any], overrides: Overrides) -> int:
    from asynclint.collect import default_paths
    from asynclint.engine import Fixing
    from asynclint.output.report import Report

    fixing = Fixing.NONE
    if options["fix"] or options["diff"]:
        fixing = Fixing.UNSAFE if options["unsafe_fixes"] else Fixing.SAFE
    paths = options["paths"] or default_paths()
    from_stdin = Path("-") in paths
    if from_stdin and len(paths) > 1:
        message = "- reads standard input alone: name no other PATH beside it"
        raise click.UsageError(message)
    prints_source = from_stdin and options["fix"] and not options["diff"]
    report = Report(
        sys.stderr if prints_source else sys.stdout,
        fixing=options["fix"],
        diff=options["diff"],
        unsafe=options["unsafe_fixes"],
        **output_of(options),
    )
    try:
        if from_stdin:
            _check_stdin(options, overrides, fixing, report, prints_source)
        else:
            _check_files(paths, options, overrides, fixing, report)
        report.close(" ".join(map(str, paths)))
    finally:
        report.hide()
    return 0 if options["exit_zero"] and report.status == 1 else report.status


def _check_stdin(
    options: dict[str, Any], overrides: Overrides, fixing: Fixing, report: Report, prints_source: bool
) -> None:
    from asynclint.collect import pytest_refusals
    from asynclint.engine import check_text
    from asynclint.source.text import SourceError, SourceText

    if sys.stdin is None:  # closed by the caller
        message = "standard input is closed"
        raise click.UsageError(message)
    raw = sys.stdin.buffer.read()
    name = options["stdin_filename"]
    path = absolute(Path(name)) if name else None
    display = name or "stdin"
    written = None
    for problem in pytest_refusals([path.parent if path is not None else Path.cwd()]):
        report.problem(problem.display, problem.line, problem.column, problem.message, problem.code)
    try:
        settings = settings_for(path or Path.cwd(), overrides)
        result = check_text(SourceText.from_bytes(raw), path, display, settings, fixing=fixing)
    except SettingsError as error:
        report.broken_settings(error)
    except SourceError as error:
        report.problem(display, error.line, error.column, error.message)
    else:
        written = result.written
        _record(result, report, named=True)
    if prints_source:
        # Whatever went wrong, an editor that takes standard output as the new text loses nothing.
        sys.stdout.buffer.write(raw if written is None else written)


def _check_files(
    paths: Sequence[Path], options: dict[str, Any], overrides: Overrides, fixing: Fixing, report: Report
) -> None:
    groups = _by_settings(paths, overrides, options["force_exclude"], report)
    for result, named in _results(groups, options, fixing, report):
        _record(result, report, named=named)


def _results(
    groups: dict[Settings, list[File]], options: dict[str, Any], fixing: Fixing, report: Report
) -> Iterator[tuple[Result, bool]]:
    """What becomes of each file, and whether it was named; what is said of whole suites at the end."""
    from asynclint.run import Caching, check_groups

    write = options["fix"] and not options["diff"]
    directory = options["cache_dir"]
    cache = None if options["no_cache"] else Caching(absolute(directory) if directory is not None else None)
    report.expect(sum(map(len, groups.values())))
    for result, named in check_groups(groups, fixing=fixing, jobs=options["jobs"], write=write, cache=cache):
        report.advance()
        yield result, named


def _adopt(options: dict[str, Any], overrides: Overrides) -> int:
    """Record what is found, or silence it where it stands."""
    from asynclint import adopt
    from asynclint.collect import default_paths
    from asynclint.engine import Fixing
    from asynclint.output.report import Report

    paths, target = options["paths"] or default_paths(), options["write_baseline"]
    name = "--write-baseline" if target else "--add-noqa"
    if Path("-") in paths or options["fix"] or (target and (options["diff"] or options["add_noqa"])):
        with_diff = "" if target else ", with --diff if need be"
        message = f"{name} reads files, and goes alone{with_diff}: run --fix before it"
        raise click.UsageError(message)
    diff = options["diff"]
    report = Report(sys.stdout, fixing=not target, diff=diff, verb="silence", **output_of(options))
    groups = _by_settings(paths, overrides, options["force_exclude"], report)
    results = (result for result, _ in _results(groups, options, Fixing.NONE, report))
    try:
        if target:
            written = adopt.write_baseline(absolute(target), groups, _problems_said(results, report))
            report.baseline_written(str(target), written.findings, written.files, written.kept)
            return report.status
        files = [file for files in groups.values() for file in files]
        for result in adopt.add_noqa(results, files, write=not diff):
            _record(result, report, named=False)
        report.close(" ".join(map(str, paths)))
    finally:
        report.hide()
    return 0 if options["exit_zero"] and report.status == 1 else report.status


def _problems_said(results: Iterable[Result], report: Report) -> Iterator[Result]:
    """The results; what could not be checked is reported on the way."""
    for result in results:
        if result.problem is not None:
            _record(replace(result, findings=()), report, named=False)
        yield result


def _by_settings(
    paths: Sequence[Path], overrides: Overrides, force_exclude: bool, report: Report
) -> dict[Settings, list[File]]:
    """The files below ``paths`` by the settings that hold for them; those that can't be used are reported."""
    from asynclint.collect import collect

    collected = collect(paths, overrides, force_exclude=force_exclude)
    for problem in collected.problems:
        report.problem(problem.display, problem.line, problem.column, problem.message, problem.code)
    return collected.groups


def _record(result: Result, report: Report, *, named: bool) -> None:
    """Report one result; why nothing of a file was checked matters where the user ``named`` it."""
    if result.problem is not None:
        problem = result.problem
        report.problem(problem.display, problem.line, problem.column, problem.message, problem.code)
        if not result.findings:
            return
    if result.tally is not None:
        report.counted(result.tally)
    report.known(result.recorded, result.gone)
    if not result.note:
        report.checked(result.display, result.findings, result.before, result.after, result.fixed)
    elif named:
        report.note(result.display, result.note)
