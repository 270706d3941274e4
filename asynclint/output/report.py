"""What one run prints while it goes on and when it ends, and the exit status that follows from it."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from asynclint.finding import Finding, Position, Safety
from asynclint.output import text
from asynclint.output.formats import FORMATS, document
from asynclint.output.gathered import Gathered
from asynclint.output.output_file import write_output
from asynclint.output.progress import Progress
from asynclint.output.statistics import Statistics
from asynclint.source.files import Problem, shown

if TYPE_CHECKING:
    from rich.console import Console

    from asynclint.project.tally import Tally
    from asynclint.settings import SettingsError

WHOLE_SUITE = 10  # unbounded tests; of fewer it says nothing that the reports don't


def console(stream: TextIO, color: str = "auto") -> Console:
    """A rich console that adds colour and nothing else.

    ``color`` is ``always``, ``never`` or ``auto``: on a terminal, where ``NO_COLOR`` and ``FORCE_COLOR``
    count as in rich (https://rich.readthedocs.io/en/stable/console.html#environment-variables).
    """
    from rich.console import Console

    plain = Console(file=stream, highlight=False, markup=False, emoji=False)
    if color == "auto":
        return plain
    forced = color == "always"
    return Console(
        file=stream,
        highlight=False,
        markup=False,
        emoji=False,
        width=plain.width,
        force_terminal=forced,
        no_color=not forced,
        color_system="standard" if forced else None,
    )


class Report:
    """Prints results to ``stream`` as they come; counts what summary and exit status need.

    ``layout`` is ``concise``, ``full``, None (full on a terminal), or a format for programs, which is printed
    at the end. ``diff`` prints changes instead of findings. ``fixing`` and ``unsafe`` tell what the run was
    asked to fix. ``quiet`` leaves out notes and the summary. ``verb`` is what a run that changes files does
    with findings: fix or silence. ``file`` is written at the end and gets what would go to ``stream``.
    ``statistics`` prints a table instead of findings. ``color``: see ``console``. ``progress`` allows a bar
    on standard error.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        layout: str | None = None,
        fixing: bool = False,
        diff: bool = False,
        unsafe: bool = False,
        quiet: bool = False,
        verb: str = "fix",
        file: Path | None = None,
        statistics: bool = False,
        color: str = "auto",
        progress: bool = False,
    ) -> None:
        self.stream = stream if file is None else io.StringIO(newline="")
        self.layout = layout or ("full" if self.stream.isatty() else "concise")
        self.file = file
        self.color = color
        self.statistics = Statistics() if statistics else None
        self.gathered = Gathered() if layout in FORMATS else None
        self.fixing = fixing
        self.diff = diff
        self.unsafe = unsafe
        self.quiet = quiet
        self.verb = verb
        self.files = self.files_reported = self.files_changed = 0
        self.findings = self.fixable = self.unsafe_fixable = self.fixed = 0
        self.problems = self.notes = 0
        self.recorded = self.gone = 0
        self._suites: dict[tuple[Path, Path | None], list[Tally]] = {}
        self._shows_progress = progress and not quiet and Progress.suits(sys.stderr)
        self._progress: Progress | None = None

    @property
    def status(self) -> int:
        """0: nothing to report or change; 1: findings or changes remain; 2: something was not checked."""
        if self.problems:
            return 2
        return int(self.files_changed > 0 if self.diff else self.findings > 0)

    def problem(self, display: str, line: int, column: int, message: str, code: str = "ASL001") -> None:
        """A file that could not be checked: a result. ``line`` is 1-based, 0 if unknown."""
        self.problems += 1
        if self.gathered is not None:
            self.gathered.problems.append(Problem(display, message, line, column, code))
            return
        self.hide()
        # What --diff prints is for patch(1).
        stream = sys.stderr if self.diff else self.stream
        stream.write(text.line(display, Position(line, column), code, message) + "\n")

    def broken_settings(self, error: SettingsError) -> None:
        """Settings that cannot be used, so that what they hold for was not checked."""
        path = error.path
        if path is None:
            raise error
        self.problem(shown(path), error.line, error.column, error.message, "ASL003")

    def note(self, display: str, message: str) -> None:
        """Something to know about a file, such as why nothing of it was checked."""
        self.notes += 1
        self._say(f"{text.printable(display)}: {message}")

    def checked(self, display: str, findings: Sequence[Finding], before: str, after: str, fixed: int) -> None:
        """One file's findings that are left in ``after``, its text once ``fixed`` fixes are in."""
        self.files += 1
        self.files_reported += bool(findings)
        self.files_changed += before != after
        self.fixed += fixed
        self.findings += len(findings)
        for finding in findings:
            if finding.fix is not None:
                self.fixable += finding.fix.safety is Safety.SAFE
                self.unsafe_fixable += finding.fix.safety is Safety.UNSAFE
            if self.statistics is not None:
                self.statistics.count(finding)
        if self.gathered is not None:
            self.gathered.add(display, findings, after, fixed)
        elif self.diff:
            if before != after:
                from asynclint.output.fix import diff

                self.hide()
                self.stream.write(diff(display, before, after))
        elif findings and self.statistics is None:
            self.hide()
            self._print(findings, after)

    def _print(self, findings: Sequence[Finding], source: str) -> None:
        if self.layout == "concise":
            self.stream.writelines(f"{text.concise(finding)}\n" for finding in findings)
            return
        from asynclint.output.explain import names

        terminal = console(self.stream, self.color)
        for block in text.full(findings, source, names()):
            terminal.print(block, soft_wrap=True)

    def expect(self, files: int) -> None:
        """So many calls of ``advance`` are to come: a terminal is shown how far they are."""
        if self._shows_progress:
            self._progress = Progress(sys.stderr, files, self.color)

    def advance(self) -> None:
        """One of the expected files is done."""
        if self._progress is not None:
            self._progress.advance()

    def hide(self) -> None:
        """Take the progress bar away before something is printed, or when the run ends."""
        if self._progress is not None:
            self._progress.hide()

    def counted(self, tally: Tally) -> None:
        """How many tests of one file are bounded."""
        self._suites.setdefault((tally.config.root, tally.config.path), []).append(tally)

    def known(self, recorded: int, gone: int) -> None:
        """Of one file: findings that the baseline records, and entries that nothing matches any more."""
        self.recorded += recorded
        self.gone += gone

    def baseline_written(self, name: str, findings: int, files: int, kept: int) -> None:
        """Say what a baseline holds now, and how much of it this run did not look for."""
        unasked = f", {kept} of them not looked for in this run" if kept else ""
        where = f"{text.printable(name)} records {_count(findings, 'finding')} in {_count(files, 'file')}"
        self._say(f"{where}{unasked}{self._unchecked()}.")

    def close(self, paths: str) -> None:
        """Print what waits for the end, and the summary; ``paths`` are what was asked for.

        Raises SettingsError where the output file cannot be written.
        """
        self.hide()
        if self.gathered is not None:
            self.stream.write(document(self.layout, self.gathered))
        elif self.statistics is not None:
            self.stream.writelines(f"{row}\n" for row in self.statistics.table())
        self.stream.flush()
        if self.file is not None and isinstance(self.stream, io.StringIO):
            write_output(self.file, self.stream.getvalue())
        if not self.files and not self.problems and not self.notes:
            self._say(f"no test file found in {text.printable(paths)}")
        elif self.fixing or self.diff:
            self._say(self._fix_summary())
        elif self.findings:
            self._say(f"Found {_count(self.findings, 'finding')} in {self._where()}{self._ways_out()}.")
            for tallies in self._suites.values():
                self._unbounded_suite(tallies)
        else:
            self._say(f"No findings in {_count(self.files, 'file')}{self._unchecked()}.")
        if self.gone:
            entries = (
                "1 entry of the baseline is" if self.gone == 1 else f"{self.gone} entries of the baseline are"
            )
            self._say(f"{entries} fixed: --write-baseline renews it.")

    def _fix_summary(self) -> str:
        past = {"fix": "Fixed", "silence": "Silenced"}[self.verb]
        would, left = (f"Would {self.verb}", "would be left") if self.diff else (past, "left")
        fixed = f"{would} {_count(self.fixed, 'finding')} in {_count(self.files_changed, 'file')}"
        ways_out = ""
        if self.unsafe_fixable and not self.unsafe and self.verb == "fix":
            have = "has" if self.unsafe_fixable == 1 else "have"
            ways_out = f" ({self.unsafe_fixable} of them {have} an unsafe fix: --unsafe-fixes)"
        return f"{fixed}; {self.findings} {left}{ways_out}{self._unchecked()}."

    def _unbounded_suite(self, tallies: Sequence[Tally]) -> None:
        """What to do where not one test of a suite is bounded, rather than a thousand reports to read."""
        unbounded = sum(tally.unbounded for tally in tallies)
        if unbounded < WHOLE_SUITE or any(tally.others for tally in tallies):
            return
        config = tallies[0].config
        where = "" if config.root == Path.cwd() else f" in {text.printable(shown(config.root))}"
        self._say(f"Nothing bounds any of the {unbounded} async tests that wait{where}.")
        if any(tally.by_pytest for tally in tallies):
            line = 'timeout = "60"' if config.native else "timeout = 60"
            file = config.path.name if config.path is not None else "pyproject.toml"
            section = config.section or "[tool.pytest.ini_options]"
            self._say(f"  One line bounds them all, with pytest-timeout: {line} under {section} in {file};")
            self._say("  or asynclint --fix puts a guard into each.")
        else:
            self._say("  asynclint --fix puts a guard into each.")

    def _where(self) -> str:
        return f"{self.files_reported} of {_count(self.files, 'file')}{self._unchecked()}"

    def _ways_out(self) -> str:
        ways = []
        if self.fixable:
            ways.append(f"--fix repairs {self.fixable}")
        if self.unsafe_fixable:
            number = f"{self.unsafe_fixable} more" if ways else f"repairs {self.unsafe_fixable}"
            ways.append(f"--fix --unsafe-fixes {number}")
        return "; " + ", ".join(ways) if ways else ""

    def _unchecked(self) -> str:
        known = f", {self.recorded} in the baseline" if self.recorded else ""
        return known + (f", {self.problems} could not be checked" if self.problems else "")

    def _say(self, message: str) -> None:
        if not self.quiet:
            self.hide()
            sys.stderr.write(f"{message}\n")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
