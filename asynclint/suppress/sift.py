"""What of all that was found in a file is reported: nothing with a ``# noqa``, nothing in the baseline."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from asynclint.finding import Finding
from asynclint.rule import Rule
from asynclint.settings import Settings
from asynclint.source.noqa import Suppressions
from asynclint.source.text import SourceText


class Sifted(NamedTuple):
    """The findings that are left, by position; how many the baseline knows, how many of its own are gone."""

    left: tuple[Finding, ...]
    recorded: int = 0
    gone: int = 0


class Sieve(NamedTuple):
    """How the findings of one file (absolute ``path``; None where it has no name) are sifted.

    ``rules`` gives those that judge it. ``noqa`` False leaves comments to the caller: what they suppress
    stays, and takes nothing from the baseline.
    """

    path: Path | None
    settings: Settings
    rules: Callable[[], Sequence[Rule]]
    noqa: bool = True

    def sift(self, found: Iterable[Finding], text: SourceText, tree: ast.Module | None = None) -> Sifted:
        """Sort findings and drop what isn't reported; ``tree`` is the text's ast, where the caller has it.

        Raises SettingsError for a baseline that can't be used.
        """
        findings = sorted(found, key=by_place)
        baseline = self.settings.baseline
        if baseline is None or self.path is None:
            return Sifted(tuple(self._unsuppressed(findings, text) if self.noqa else findings))
        if self.noqa and Suppressions(text).whole_file:  # nobody looks, so no entry is fixed
            return Sifted(())
        from asynclint.suppress.baseline import split

        # what concerns suites is not judged with a file
        codes = {rule.code for rule in self.rules() if rule.of_suites is None}
        bare = self._unsuppressed(findings, text)
        new, recorded, gone = split(bare, text, self.path, baseline, codes, tree)
        if not self.noqa:
            new = sorted([*new, *(set(findings) - set(bare))], key=by_place)
        return Sifted(tuple(new), recorded, gone)

    def _unsuppressed(self, findings: Sequence[Finding], text: SourceText) -> list[Finding]:
        if not findings:
            return []
        suppressions = Suppressions(text)
        return [f for f in findings if not suppressions.hides(f.span.start.line, f.code)]


def by_place(finding: Finding) -> tuple[object, ...]:
    """The order of reports."""
    return finding.span, finding.code, finding.message
