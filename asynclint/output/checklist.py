"""What ``--checklist`` prints: for each suite the four demands as done or missing, where, and what adds them.

The JSON document is ``{"version": 1, "suites": [...]}``. A suite has ``root``, ``config`` (the file that
configures pytest, or null), ``tests`` (the number of its async tests), ``done``, and ``demands``, each with
``name`` (``timeouts``, ``cleanup``, ``debug-mode``, ``pending-tasks``), ``title``, ``done``, ``summary``,
``fix`` (what adds what is missing, else "") and ``places``: ``path`` as displayed, ``line`` (1-based, null
where only the file is known) and ``message``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from asynclint.output.report import console
from asynclint.output.text import printable
from asynclint.source.files import shown

if TYPE_CHECKING:
    from rich.text import Text

    from asynclint.checklist import Checklist, Demand, Place

FEW = 3  # places shown of one demand


def show(lists: Sequence[Checklist], stream: TextIO, layout: str, color: str = "auto") -> None:
    """Print checklists to ``stream``; ``layout`` is ``full``, ``concise`` or ``json``."""
    lists = [checklist for checklist in lists if checklist.demands]
    if layout == "json":
        stream.write(json.dumps(document(lists), indent=2) + "\n")
        return
    terminal = console(stream, color)
    for number, checklist in enumerate(lists):
        if number:
            stream.write("\n")
        for line in _table(checklist, everything=layout == "full"):
            terminal.print(line, soft_wrap=True)


def _table(checklist: Checklist, *, everything: bool) -> Iterator[Text]:
    from rich.text import Text

    width = max(len(demand.title) for demand in checklist.demands)
    yield Text(_head(checklist), style="bold")
    for demand in checklist.demands:
        line = Text("  ").append("done   " if demand.done else "missing", style=_style(demand))
        line.append(f"  {demand.title:{width}}  {printable(demand.summary)}")
        if demand.done and demand.places:
            line.append(f"  {_at(demand.places[0])}", style="dim")
        line.rstrip()
        yield line
        if demand.done:
            continue
        shown_places = demand.places if everything and len(demand.places) <= 2 * FEW else demand.places[:FEW]
        for place in shown_places:
            message = "" if place.message.endswith(demand.summary) else f": {printable(place.message)}"
            yield Text(f"           {_at(place)}{message}", style="dim")
        if len(demand.places) > len(shown_places):
            yield Text(f"           and {len(demand.places) - len(shown_places)} more", style="dim")
        if demand.fix:
            yield Text(f"           fix: {printable(demand.fix)}")


def _style(demand: Demand) -> str:
    return "green" if demand.done else "bold red"


def _head(checklist: Checklist) -> str:
    config = checklist.config
    count = f"{checklist.tests} async test" + ("" if checklist.tests == 1 else "s")
    if config.path is None:
        return f"{shown(config.root)} (pytest is not configured): {count}"
    return f"{shown(config.root)} ({config.path.name} {config.section}".rstrip() + f"): {count}"


def _at(place: Place) -> str:
    return printable(f"{place.path}:{place.line}" if place.line else place.path)


def document(lists: Sequence[Checklist]) -> dict[str, Any]:
    """The JSON document; see the module's docstring."""
    return {"version": 1, "suites": [_suite(checklist) for checklist in lists]}


def _suite(checklist: Checklist) -> dict[str, Any]:
    config = checklist.config
    return {
        "root": shown(config.root),
        "config": shown(config.path) if config.path is not None else None,
        "tests": checklist.tests,
        "done": checklist.done,
        "demands": [
            {
                "name": demand.name,
                "title": demand.title,
                "done": demand.done,
                "summary": demand.summary,
                "fix": demand.fix,
                "places": [
                    {"path": place.path, "line": place.line or None, "message": place.message}
                    for place in demand.places
                ],
            }
            for demand in checklist.demands
        ],
    }
