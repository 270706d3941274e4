"""A stub by its top-level statements, each parsed once somebody asks for what it binds.

A run needs a function here and a class there of the standard library's stubs, which are long.
"""

from __future__ import annotations

import ast
import re
from collections import UserDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from keyword import iskeyword

from asynclint.source.outline import Binding, Facts, Scope
from asynclint.source.walk import Walk

# Expressions that begin with what is rare are far faster to search for than "^" is.
_LINE = re.compile(r"\n(?=\S)")  # before a line that is not indented
_STRING = re.compile(r"\"{3}(?s:.*?)\"{3}")
# What such a line begins with.
_BEGINNING = re.compile(
    r"""  (?:async\ +)?def\ +(?P<function>\w+)
        | class\ +(?P<class>\w+)
        | (?P<continued>[\#)\]}]|(?:elif|else)\b)
        | (?P<condition>if\b)
        | (?P<variable>[A-Za-z_]\w*)\ *[:=]
        | (?P<decorator>@)
        | (?P<other>\S)""",
    re.VERBOSE,
)
# What a line under a condition may bind.
_BOUND = re.compile(r"\n +(?:(?:(?:async +)?def|class) +)?(\w+)")
_INDIRECT = re.compile(r"\n +(?:from|import|for|with|try|global)\b")
Span = tuple[int, int]  # offsets: where the section begins, and where the next one does


@dataclass(slots=True)
class Sections:
    """The sections of a text: those that bind names by a look at their lines (``named``), and the ``rest``.

    Not everything that a section is named after needs to be bound by it.
    """

    text: str
    named: dict[str, list[Span]] = field(default_factory=dict)
    rest: list[Span] = field(default_factory=list)

    @classmethod
    def of(cls, text: str) -> Sections:
        """Divide a text; its lines end with a line feed."""
        sections = cls(text)
        for (start, kind, word), (end, _, _) in pairwise([*_starts(text), (len(text), "", "")]):
            names = {word}
            if kind == "condition" and not _is_indirect(text, start, end):
                names = {match[1] for match in _BOUND.finditer(text, start, end)}
            elif kind in ("condition", "other") or iskeyword(word):
                sections.rest.append((start, end))
                continue
            for name in names:
                sections.named.setdefault(name, []).append((start, end))
        return sections

    def parse(self, spans: Iterable[Span]) -> ast.Module:
        """The tree of some sections alone, each statement in its line.

        Raises SyntaxError where a section is none.
        """
        parts, line = [], 0
        for start, end in spans:
            first = self.text.count("\n", 0, start)
            part = self.text[start:end]
            parts += ["\n" * (first - line), part]
            line = first + part.count("\n")
        return ast.parse("".join(parts))


def _is_indirect(text: str, start: int, end: int) -> bool:
    return _INDIRECT.search(text, start, end) is not None or text.find(":=", start, end) >= 0


def _starts(text: str) -> Iterator[tuple[int, str, str]]:
    """Where sections begin, and by what word of which kind."""
    decorated = -1
    lines = [match.end() for match in _LINE.finditer(text)]
    strings = [match.span() for match in _STRING.finditer(text)]  # the lines of a long one begin nothing
    for line in [0, *lines]:
        match = _BEGINNING.match(text, line)
        if match is None or (strings and any(start < line < end for start, end in strings)):
            continue
        kind, word = match.lastgroup or "continued", match[match.lastindex or 0]
        if kind == "decorator":
            decorated = match.start() if decorated < 0 else decorated
        elif kind != "continued":
            yield decorated if decorated >= 0 else match.start(), kind, word
            decorated = -1


class Later(UserDict[str, list[Binding]]):
    """Bindings of a module whose named sections are walked one by one, when they are asked for."""

    def __init__(self, scope: Scope, sections: Sections, facts: Facts) -> None:
        super().__init__(facts.bindings)
        self._scope = scope
        self._sections = sections
        self._facts = facts
        self._left = dict(sections.named)
        self._walked: set[Span] = set()

    def _bring(self, name: str) -> None:
        spans = self._left.pop(name, None)
        new = [span for span in spans or () if span not in self._walked]
        self._walked.update(new)
        if new:
            Walk(self._scope, self._facts).over(self._sections.parse(new).body)
        if spans and name in self.data:
            self.data[name].sort(key=lambda binding: getattr(binding.node, "lineno", 0))

    def __getitem__(self, name: str) -> list[Binding]:
        if name in self._left:
            self._bring(name)
        return self.data[name]

    def __contains__(self, name: object) -> bool:
        if name in self._left:
            self._bring(str(name))
        return name in self.data

    def __iter__(self) -> Iterator[str]:
        for name in [*self._left]:
            self._bring(name)
        return iter(self.data)

    def __len__(self) -> int:
        return len([*self])
