"""What a project gives names to: targets of make, scripts of hatch, pdm, poe and others; shell scripts."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from asynclint.project.runs.script import Command, Does, commands
from asynclint.project.runs.steps import Kind, Step, Variable

TARGET = re.compile(r"([^\s:#=](?:[^:#=]*[^\s:#=])?)\s*::?(?!=)([^=#]*)(?:#.*)?$")
ASSIGNED = re.compile(r"\s*(export\s+)?([A-Za-z_]\w*)\s*(?:[:?+]|::)?=(.*)$")
EXPORTED = re.compile(r"([^\s:=]+)\s*:\s*export\s+(\w+)\s*[:?]?=(.*)$")
USED = re.compile(r"\$[({](\w+)[)}]")
#: tables of pyproject.toml that name scripts (https://hatch.pypa.io/latest/config/environment/overview/#scripts,
#: https://pdm-project.org/latest/usage/scripts/, https://poethepoet.natn.io/, https://rye.astral.sh/guide/pyproject/)
TABLES = (("pdm", "scripts"), ("poe", "tasks"), ("rye", "scripts"), ("pixi", "tasks"), ("taskipy", "tasks"))
DEEP = 5


def make_steps(path: Path, text: str) -> Iterator[Step]:
    """The targets of a Makefile, each with its recipe and what it depends on."""
    given: dict[str, str] = {}
    exported: dict[str, Variable] = {}
    targets: list[tuple[str, str, list[tuple[int, str]]]] = []
    special: list[tuple[str, Variable]] = []
    for number, line in _joined(text):
        if line.startswith("\t"):
            if targets:
                targets[-1][2].append((number, line.strip()))
        elif (own := EXPORTED.match(line)) is not None:
            special.append((own[1], Variable(own[2], own[3].strip(), path, number, number)))
        elif (assigned := ASSIGNED.match(line)) is not None:
            name, value = assigned[2], assigned[3].strip()
            given[name] = value
            if assigned[1]:
                exported[name] = Variable(name, value, path, number, number)
        elif (target := TARGET.match(line)) is not None:
            targets.append((target[1], target[2].partition(";")[0], []))
    known = {name for title, _, _ in targets for name in title.split()}
    for title, needed, recipe in targets:
        names = tuple(title.split())
        found = [
            command
            for number, line in recipe
            for command in commands(_filled(line, given).lstrip("@-+ "), number)
        ]
        needs = tuple(word for word in _filled(needed, given).split() if word in known)
        if needs:
            found.insert(0, Command(("make", *needs), Does.MAKE, 0, 0, target=needs))
        own_variables = {variable.name: variable for name, variable in special if name in names}
        yield Step(Kind.MAKE, path, names, 0, found, {**exported, **own_variables}, path.parent)


def _joined(text: str) -> list[tuple[int, str]]:
    """Lines with their numbers, those that go on behind a backslash being one."""
    found: list[tuple[int, str]] = []
    held = False
    for number, line in enumerate(text.split("\n"), 1):
        plain = line.removesuffix("\\")
        if held:
            found[-1] = (found[-1][0], f"{found[-1][1]} {plain.strip()}")
        else:
            found.append((number, plain))
        held = line.endswith("\\")
    return [(number, line) for number, line in found if line.strip() and not line.startswith("#")]


def _filled(line: str, given: Mapping[str, str], depth: int = DEEP) -> str:
    """A line with the variables that the Makefile gives, ``$(MAKE)`` left as it is."""
    filled = USED.sub(lambda match: given.get(match[1], match[0]), line).replace("$$", "$")
    return (
        filled if filled == line or not depth or len(filled) > 10_000 else _filled(filled, given, depth - 1)
    )


def toml_scripts(path: Path, text: str) -> Iterator[Step]:
    """The scripts that a pyproject.toml, hatch.toml or pixi.toml names."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError):
        return
    tool = document.get("tool", {})
    tools = tool if isinstance(tool, dict) else {}
    hatch = tools.get("hatch", {}) if path.name == "pyproject.toml" else document
    tables = {}
    if path.name != "pixi.toml":
        for name, environment in _table(hatch, "envs").items():
            tables[f"hatch.envs.{name}.scripts"] = _table(environment, "scripts")
    tables.update({f"{name}.{key}": _table(_table(tools, name), key) for name, key in TABLES})
    if path.name == "pixi.toml":
        tables["tasks"] = _table(document, "tasks")
    for title, table in tables.items():
        for name, value in table.items():
            line = _line_of(name, title, text)
            found = [command for one in _scripts(value) for command in commands(one, line, is_exact=False)]
            yield Step(Kind.SCRIPT, path, (name,), 0, found, {}, path.parent)


def _scripts(value: object) -> Iterator[str]:
    """The command lines of a script: text, a list of it, or a table that holds it."""
    if isinstance(value, str):
        yield re.sub(r"\{args:?([^{}]*)\}", r" \1 ", value)
    elif isinstance(value, list):
        for one in value:
            yield from _scripts(one)
    elif isinstance(value, dict):
        for key in ("cmd", "shell", "composite", "chain", "sequence"):
            if key in value:
                yield from _scripts(value[key])


def _line_of(name: str, title: str, text: str) -> int:
    """The line of a key in the first table whose header ends in ``title``, or that names it there; else 1."""
    header, inside = re.compile(r"\s*\[([^\[\]]+)\]"), False
    key = re.compile(rf"\s*(?:[\w.\"'-]+\.)?[\"']?{re.escape(name)}[\"']?\s*[=.]")
    for number, line in enumerate(text.split("\n"), 1):
        match = header.match(line)
        if match is not None:
            written = re.sub(r"[\s\"']", "", match[1])
            if written.endswith(f"{title}.{name}"):
                return number
            inside = written.endswith((title, title.rpartition(".")[0]))
        elif inside and key.match(line):
            return number
    return 1


def file_step(path: Path, text: str, directory: Path | None) -> Step:
    """A shell script that is run in a directory."""
    return Step(Kind.SCRIPT, path, (), 0, list(commands(text, 1)), {}, directory)


def _table(document: Any, key: str) -> Mapping[str, Any]:
    value = document.get(key) if isinstance(document, dict) else None
    return value if isinstance(value, dict) else {}
