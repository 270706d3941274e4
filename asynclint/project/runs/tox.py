"""Environments of tox: their commands, what is set for them, and what of the outside they let in.

https://tox.wiki/en/latest/reference/config.html: ``[testenv:X]`` inherits what it does not say from
``[testenv]`` (``env_run_base`` in TOML), and sees of the variables outside only those of ``pass_env``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice, product
from pathlib import Path
from typing import Any

from asynclint.project.runs.script import Command, commands
from asynclint.project.runs.steps import Kind, Step, Variable

BASE = "testenv"
HEADER = re.compile(r"\[([^\[\]]+)\]\s*(?:[#;].*)?$")
KEY = re.compile(r"([\w.-]+)\s*[=:]\s*(.*)$")
REFERENCE = re.compile(r"\{\[([^\]{}]+)\](\w+)\}")
FACTORS = re.compile(r"^[\w.{}!-]+(?:\s*,\s*[\w.{}!-]+)*:\s+(?=\S)")
OUTSIDE = re.compile(r"\{env:(\w+)(?::([^{}]*))?\}")
SETS, PASSES = ("set_env", "setenv"), ("pass_env", "passenv")
DEEP = 5  # values that refer to values
MOST_LINES = 1_000  # of one value, those that it refers to among them
MOST_NAMES = 1_000  # of one section

Lines = list[tuple[int, str]]


@dataclass
class Section:
    """A section of an ini file: its line, and for each key its line and the lines of its value.

    ``filled`` are such lines with what they refer to, by key and depth.
    """

    line: int
    keys: dict[str, tuple[int, Lines]] = field(default_factory=dict)
    filled: dict[tuple[str, int], Lines] = field(default_factory=dict)


def ini_steps(path: Path, text: str, offset: int = 0) -> Iterator[Step]:
    """The environments of a ``tox.ini`` or ``setup.cfg``; ``offset`` lines stand above the text."""
    sections = _sections(text, offset)
    base = sections.get(BASE, Section(0))
    for name, section in sections.items():
        title, _, own = name.partition(":")
        if title != BASE:
            continue
        found = {**base.keys, **section.keys}
        lines = _value(sections, found.get("commands", (0, []))[1])
        variables, outer = _variables(sections, _first(found, SETS), path)
        passes = [
            word
            for _, line in _value(sections, _first(found, PASSES)[1])
            for word in re.split(r"[,\s]+", line)
        ]
        yield Step(
            Kind.TOX,
            path,
            tuple(_expanded(own)) if own else ("",),
            _first(found, SETS)[0] or section.line,
            [command for number, line in lines for command in _commands(line, number)],
            variables,
            path.parent,
            (*(FACTORS.sub("", word) for word in passes if word), *outer),
        )


def _first(keys: Mapping[str, tuple[int, Lines]], names: tuple[str, ...]) -> tuple[int, Lines]:
    return next((keys[name] for name in names if name in keys), (0, []))


def _sections(text: str, offset: int) -> dict[str, Section]:
    """The sections by name; comments are left out, and what can't be understood."""
    found: dict[str, Section] = {}
    section, value = Section(0), None
    for number, raw in enumerate(text.split("\n"), offset + 1):
        line = re.sub(r"(^|\s)[#;].*$", "", raw).rstrip()
        if not line:
            continue
        header = HEADER.match(line)
        pair = KEY.match(line)
        if header is not None:
            section, value = found.setdefault(header[1].strip(), Section(number)), None
        elif line[0].isspace():
            if value is not None:
                value.append((number, line.strip()))
        elif pair is not None:
            value = [(number, pair[2].strip())] if pair[2].strip() else []
            section.keys[pair[1]] = (number, value)
    return found


def _value(sections: Mapping[str, Section], lines: Lines, depth: int = DEEP) -> Lines:
    """The lines of a value, those that refer to another value (``{[base]commands}``) replaced by it."""
    found: Lines = []
    held: tuple[int, str] | None = None
    for number, line in lines:
        if held is not None:
            number, line, held = held[0], f"{held[1]} {line}", None
        if line.endswith("\\"):
            held = (number, line[:-1])
            continue
        match = REFERENCE.fullmatch(line)
        section = sections.get(match[1]) if match is not None else None
        if match is not None and section is not None and match[2] in section.keys and depth:
            key = (match[2], depth - 1)
            if key not in section.filled:
                section.filled[key] = _value(sections, section.keys[match[2]][1], depth - 1)
            found += section.filled[key]
        else:
            found.append((number, line))
    return found[:MOST_LINES]


def _variables(
    sections: Mapping[str, Section], given: tuple[int, Lines], path: Path
) -> tuple[dict[str, Variable], list[str]]:
    """What is set, and the names of those that take their value from outside."""
    found, outer = {}, []
    for number, line in _value(sections, given[1]):
        name, equals, value = FACTORS.sub("", line, count=1).partition("=")
        if not equals:
            continue
        outside = OUTSIDE.fullmatch(value.strip())
        if outside is not None:
            outer.append(outside[1])
            if not outside[2]:
                continue
            value = outside[2]
        found[name.strip()] = Variable(name.strip(), value.strip(), path, number, number)
    return found, outer


def _commands(line: str, number: int) -> Iterator[Command]:
    """The commands of a line, which may be for some factors only; ``{posargs:tests}`` are arguments."""
    line = line.replace("{envpython}", "python").replace("{envbindir}/", "")
    plain = re.sub(r"\{posargs:?([^{}]*)\}", r" \1 ", FACTORS.sub("", line, count=1))
    plain = re.sub(r"\{[^{}]*\}", "", plain).lstrip("-! ")
    yield from commands(plain, number)


def _expanded(name: str) -> Iterator[str]:
    """``py{310,311}-x`` as the names it stands for."""
    parts = re.split(r"(\{[^{}]*\})", name)
    choices = [part[1:-1].split(",") if part.startswith("{") else [part] for part in parts]
    for chosen in islice(product(*choices), MOST_NAMES):
        yield "".join(one.strip() for one in chosen)


def toml_steps(path: Path, text: str) -> Iterator[Step]:
    """The environments of a ``tox.toml`` or of ``[tool.tox]`` in a pyproject.toml that can be read."""
    try:
        document: Mapping[str, Any] = tomllib.loads(text)
    except (ValueError, RecursionError):
        return
    prefix = ""
    if path.name != "tox.toml":
        document, prefix = _table(_table(document, "tool"), "tox"), "tool.tox."
    legacy = document.get("legacy_tox_ini")
    if isinstance(legacy, str):
        start = text.find("legacy_tox_ini")
        yield from ini_steps(
            path, legacy, text.count("\n", 0, start) + (1 if "\n" in text[start:][:24] else 0)
        )
        return
    base = _table(document, "env_run_base")
    tables = {"": base, **_table(document, "env")} if base or "env" in document else {}
    for name, table in tables.items():
        if isinstance(table, dict):
            yield _toml_step(
                path,
                text,
                name,
                {**base, **table},
                f"{prefix}env.{name}" if name else f"{prefix}env_run_base",
            )


def _toml_step(path: Path, text: str, name: str, table: Mapping[str, Any], title: str) -> Step:
    lines = text.split("\n")
    headers = {f"[{title}]", f"[{title}.set_env]"}
    line = next((n for n, one in enumerate(lines, 1) if re.sub(r"[\s\"']|#.*", "", one) in headers), 0)
    found: list[Command] = []
    for command in table.get("commands") or ():
        words = (
            [word if isinstance(word, str) else "?" for word in command]
            if isinstance(command, list)
            else ["?"]
        )
        first = next((n for n, one in enumerate(lines, 1) if n >= line and words[0] in one), line)
        found += commands(" ".join(words), first)
    variables = {}
    for key, value in _table(table, "set_env").items():
        first = next((n for n, one in enumerate(lines, 1) if n >= line and key in one), line)
        variables[key] = Variable(key, value if isinstance(value, str) else "?", path, first, first)
    passes = table.get("pass_env") or ()
    patterns = [word for word in passes if isinstance(word, str)] if isinstance(passes, list) else ["*"]
    return Step(Kind.TOX, path, (name,), line, found, variables, path.parent, tuple(patterns))


def _table(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}
