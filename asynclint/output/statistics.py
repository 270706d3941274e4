"""How often each code was found, and how much of it has a fix: what ``--statistics`` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from asynclint.finding import Finding, Safety


class Row(NamedTuple):
    """One code: how many findings it has, and how many of them have a fix."""

    code: str
    name: str
    findings: int
    safe_fixes: int
    unsafe_fixes: int


class Statistics:
    """Counts findings by code."""

    def __init__(self) -> None:
        self._findings: Counter[str] = Counter()
        self._fixes: Counter[tuple[str, Safety]] = Counter()

    def count(self, finding: Finding) -> None:
        """Count one more."""
        self._findings[finding.code] += 1
        if finding.fix is not None:
            self._fixes[finding.code, finding.fix.safety] += 1

    def rows(self) -> Iterator[Row]:
        """A row for each code that was found, the commonest first."""
        from asynclint.output.explain import names

        slugs = names()
        for code, count in sorted(self._findings.items(), key=lambda item: (-item[1], item[0])):
            safe, unsafe = self._fixes[code, Safety.SAFE], self._fixes[code, Safety.UNSAFE]
            yield Row(code, slugs.get(code, ""), count, safe, unsafe)

    def table(self) -> Iterator[str]:
        """Lines of a table with a head, none where nothing was found; 0 is left blank."""
        rows = [
            (str(row.findings), row.code, row.name, str(row.safe_fixes or ""), str(row.unsafe_fixes or ""))
            for row in self.rows()
        ]
        if not rows:
            return
        table = [("found", "code", "name", "safe fix", "unsafe fix"), *rows]
        widths = [max(len(row[column]) for row in table) for column in range(5)]
        for found, code, name, *fixes in table:
            left = f"{found:>{widths[0]}}  {code:{widths[1]}}  {name:{widths[2]}}"
            right = (f"{count:>{width}}" for count, width in zip(fixes, widths[3:], strict=True))
            yield "  ".join([left, *right]).rstrip()
