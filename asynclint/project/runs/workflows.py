"""Jobs of GitHub workflows and of GitLab's pipelines, read for their scripts and variables.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax,
https://docs.gitlab.com/ci/yaml/. An anchor is the node it names; what is included from elsewhere is not read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from asynclint.knowledge.commands import ACTIONS
from asynclint.project.runs.script import Command, Does, commands
from asynclint.project.runs.steps import Environment, Kind, Step, Variable

if TYPE_CHECKING:
    from yaml.nodes import MappingNode, Node, ScalarNode

FOR_LATER = re.compile(r"echo\s+[\"']?(\w+)=([^\"'\s]*)[\"']?\s*>>\s*[\"']?\$\{?GITHUB_ENV")
#: keys of a GitLab pipeline that are no jobs
KEYWORDS = frozenset(
    {"default", "include", "stages", "variables", "workflow", "image", "services", "cache", "spec"}
)
DEEP = 10  # templates that extend templates, nodes within nodes
MOST_LINES = 1_000  # of a script
KEPT = 1_000  # nodes: one that many others name by its anchor is read once


Job = tuple[Mapping[str, "Node"], Mapping[str, Variable]]  # its parts, and the variables it sets


class UnreadError(ValueError):
    """A file that is no YAML, or not of the shape that is expected."""


def github_steps(path: Path, text: str) -> Iterator[Step]:
    """The steps of a workflow's jobs; raises UnreadError."""
    document = _compose(text)
    root = path.parents[2]
    everywhere = _variables(document.get("env"), path)
    events = document.get("on")
    yield Step(Kind.CI, path, (), 0, (), everywhere)
    is_gate = events is not None and "pull_request" in _texts_of(events)
    for job in _pairs(document.get("jobs")).values():
        parts = _pairs(job)
        around = {**everywhere, **_variables(parts.get("env"), path)}
        yield Step(Kind.CI, path, (), 0, (), dict(around))
        places = [_directory(document), _directory(parts)]
        if "uses" in parts:
            yield Step(Kind.CI, path, (), 0, [_unknown(parts["uses"])], around, None, is_gate=is_gate)
        is_own = not any(_is_of_others(step) for step in _items(parts.get("steps")))
        for step in _items(parts.get("steps")):
            found = _pairs(step)
            variables = {**around, **_variables(found.get("env"), path)}
            given = [_text(found.get("working-directory")), *reversed(places)]
            where = next((place for place in given if place), "")
            directory = None if "$" in where else _within(root, where)
            line = _key_line(step, "env")
            run = _step_commands(found)
            if not is_own:
                run = [command._replace(does=Does.UNKNOWN) for command in run]
            yield Step(Kind.CI, path, (), line, run, variables, directory, is_gate=is_gate)
            for match in FOR_LATER.finditer(_text(found.get("run"))):
                first, last = _lines(found["run"])
                around[match[1]] = Variable(match[1], match[2], path, first, last)


def gitlab_steps(path: Path, text: str) -> Iterator[Step]:
    """The scripts of a pipeline's jobs, with what they extend; raises UnreadError."""
    document = _compose(text)
    everywhere = _variables(document.get("variables"), path)
    default = _pairs(document.get("default"))
    yield Step(Kind.CI, path, (), 0, (), everywhere)
    known: dict[Node, Job] = {}
    jobs = {name: node for name, node in document.items() if name not in KEYWORDS and _pairs(node)}
    for name, node in jobs.items():
        parts, variables = _extended(node, jobs, path, known)
        if name.startswith(".") or not parts.get("script"):
            continue
        before = parts.get("before_script") or default.get("before_script") or document.get("before_script")
        nodes = [line for part in (before, parts["script"]) for line in _flat(part)]
        found = [command for line in nodes for command in _commands(line)]
        if any(not _text(line) for line in nodes):  # !reference, or something else than text
            found.append(_unknown(parts["script"]))
        line = _key_line(node, "variables")
        yield Step(Kind.CI, path, (), line, found, {**everywhere, **variables}, path.parent, is_gate=True)


def _extended(node: Node, jobs: Mapping[str, Node], path: Path, known: dict[Node, Job]) -> Job:
    """The parts and variables of a job, with those of what it extends; ``known`` are kept."""
    if node in known:
        return known[node]
    own = _pairs(node)
    known[node] = {}, {}  # to itself it adds nothing
    parts: dict[str, Node] = {}
    variables: dict[str, Variable] = {}
    for name in _texts_of(own["extends"]) if "extends" in own else ():
        if name in jobs:
            above, given = _extended(jobs[name], jobs, path, known)
            parts.update(above)
            variables.update(given)
    known[node] = {**parts, **own}, {**variables, **_variables(own.get("variables"), path)}
    return known[node]


def _is_of_others(step: Node) -> bool:
    """Whether a step checks out another project (``repository`` of ``actions/checkout``) in place of this."""
    given = _pairs(_pairs(step).get("with"))
    return bool(_text(given.get("repository"))) and "path" not in given


def _step_commands(parts: Mapping[str, Node]) -> list[Command]:
    if "run" in parts:
        shell = _text(parts.get("shell"))
        is_shell = not shell or shell.split()[0] in ("bash", "sh", "pwsh", "powershell", "cmd")
        return list(_commands(parts["run"])) if is_shell else [_unknown(parts["run"])]
    used = _text(parts.get("uses"))
    if used and used.partition("/")[0] not in ACTIONS:
        return [_unknown(parts["uses"])]
    return []


def _commands(node: Node) -> Iterator[Command]:
    """The commands of a scalar; a literal block (``|``) keeps its lines, the others are folded into one."""
    first, last = _lines(node)
    if getattr(node, "style", None) == "|":
        yield from commands(_text(node), first + 1)
    else:
        for command in commands(_text(node), first, is_exact=False):
            yield command._replace(line=first, last=last)


def _unknown(node: Node) -> Command:
    first, last = _lines(node)
    return Command((_text(node),), Does.UNKNOWN, first, last)


def _compose(text: str) -> Mapping[str, Node]:
    """The top of a document by its keys; raises UnreadError."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        node = yaml.compose(text, Loader=loader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UnreadError(str(error)) from error
    found = _pairs(node)
    if not found:
        message = "no mapping"
        raise UnreadError(message)
    return found


@lru_cache(maxsize=KEPT)
def _pairs(node: Node | None, depth: int = DEEP) -> Mapping[str, Node]:
    """A mapping by its keys, with what ``<<`` merges into it; empty for another node."""
    if node is None or _kind(node) != "mapping" or not depth:
        return {}
    mapping: MappingNode = node  # type: ignore[assignment]
    merged: dict[str, Node] = {}
    own: dict[str, Node] = {}
    for key, value in mapping.value:
        if key.value == "<<":
            for one in value.value if _kind(value) == "sequence" else [value]:
                merged = {**_pairs(one, depth - 1), **merged}
        elif isinstance(key.value, str):
            own[key.value] = value
    return {**merged, **own}


def _kind(node: Node) -> str:
    """``scalar``, ``sequence`` or ``mapping``."""
    return str(getattr(node, "id", ""))


def _items(node: Node | None) -> Sequence[Node]:
    return node.value if node is not None and _kind(node) == "sequence" else ()


@lru_cache(maxsize=KEPT)
def _flat(node: Node | None, depth: int = DEEP) -> Sequence[Node]:
    """The lines of a script, which may be text, or a list of such."""
    if node is None:
        return ()
    if _kind(node) != "sequence" or not depth or node.tag.startswith("!reference"):
        return (node,)
    lines = (line for item in node.value for line in _flat(item, depth - 1))
    return tuple(islice(lines, MOST_LINES))


def _text(node: Node | None) -> str:
    if node is None or _kind(node) != "scalar":
        return ""
    scalar: ScalarNode = node  # type: ignore[assignment]
    return str(scalar.value)


def _texts_of(node: Node) -> list[str]:
    """A word, the words of a list, or the keys of a mapping."""
    return (
        [_text(node)]
        if _kind(node) == "scalar"
        else list(_pairs(node)) or [_text(item) for item in _items(node)]
    )


def _key_line(node: Node, name: str) -> int:
    """The line of a key whose value is a mapping; 0 where there is none."""
    pairs: list[tuple[Node, Node]] = node.value if _kind(node) == "mapping" else []
    return next((_line(key) for key, value in pairs if key.value == name and _kind(value) == "mapping"), 0)


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _lines(node: Node) -> tuple[int, int]:
    """The first and the last line of a node; a block ends at the start of the line after it."""
    end = node.end_mark.line + (0 if node.end_mark.column == 0 else 1)
    return _line(node), max(int(end), _line(node))


def _variables(node: Node | None, path: Path) -> Environment:
    found = {}
    for name, value in _pairs(node).items():
        text = _text(_pairs(value).get("value")) if _kind(value) == "mapping" else _text(value)
        first, last = _lines(value)
        found[name] = Variable(name, text, path, first, last)
    return found


def _directory(parts: Mapping[str, Node]) -> str:
    run = _pairs(_pairs(parts.get("defaults")).get("run"))
    return _text(run.get("working-directory"))


def _within(root: Path, where: str) -> Path:
    """A directory of the repository; one that is not there is where it was checked out to."""
    place = root / where
    return place if os.path.isdir(place) else root  # noqa: PTH112 (a name may be too long for Path)
