"""How the work on a function grows with its length: calls are counted, nobody looks at a clock."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from programs import EVERYTHING

from asynclint.engine import Result, check_text
from asynclint.finding import Finding
from asynclint.settings import Settings
from asynclint.source.text import SourceText

HEAD = """\
import asyncio
import contextlib
import threading

import anyio


async def test_it(work, other):
    loop = asyncio.get_running_loop()
    tasks = []
"""
# What stands in a function again and again, ``#`` for the number.
SHAPES = {
    "dropped tasks": ["asyncio.create_task(work(#))"],
    "unfinished tasks": ["t# = asyncio.create_task(work(#))", "assert not t#.done()", "await other()"],
    "tasks and blocks": ["t# = asyncio.create_task(work(#))", "async with other() as o:", "    await o()"],
    "cancelled tasks": ["t# = asyncio.create_task(work(#))", "t#.cancel()"],
    "tasks in a list": ["tasks.append(asyncio.create_task(work(#)))"],
    "waits that leave tasks": ["t# = asyncio.create_task(work(#))", "await asyncio.wait([t#], timeout=1)"],
    "open streams": ["r#, w# = await asyncio.open_connection(work, #)"],
    "guards": ["async with asyncio.timeout(9):", "    await work(#)"],
    "named guards": ["with anyio.fail_after(9) as scope#:", "    await work(#)"],
    "looked at": ["with anyio.move_on_after(9) as s#:", "    await work(#)", "assert not s#.cancel_called"],
    "queues": ["q# = asyncio.Queue()", "x = await q#.get()", "q#.task_done()", "await q#.join()"],
    "threads": ["def g#():", "    loop.call_soon(work, #)", "threading.Thread(target=g#).start()"],
}  # fmt: skip


def result_of(source: str, settings: Settings = EVERYTHING) -> Result:
    path = Path("test_it.py")
    return check_text(SourceText.from_bytes(source.encode()), path, path.name, settings)


def written(shape: list[str], times: int) -> str:
    lines = (f"    {line.replace('#', str(number))}\n" for number in range(times) for line in shape)
    return HEAD + "".join(lines)


def calls(action: Callable[[], object]) -> int:
    """How many functions an action calls, those of C too."""
    count = 0

    def called(_: object, event: str, __: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        action()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("between", ["", "    if work.done:\n        raise LookupError\n"])
def test_tasks_that_are_awaited_at_the_end_need_no_tree(between: str) -> None:
    def source(times: int) -> str:
        numbers = range(times)
        started = (f"    t{n} = asyncio.create_task(work())\n{between}" for n in numbers)
        return HEAD + "".join(started) + "".join(f"    await t{n}\n" for n in numbers)

    settings = replace(EVERYTHING, select=("ASL202",), extend_select=())
    result_of(source(1), settings)
    once, twice = (calls(partial(result_of, source(times), settings)) for times in (400, 800))
    assert result_of(source(800), settings).findings == ()
    assert twice < 2.2 * once


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_twice_the_function_is_twice_the_work(shape: str) -> None:
    few, some, many = (written(SHAPES[shape], times) for times in (1, 40, 80))
    result_of(few)  # what a process does once
    nothing, once, twice = (calls(partial(result_of, source)) for source in (few, some, many))
    assert once > nothing
    assert twice - nothing < 2.4 * (once - nothing), (nothing, once, twice)


def held_back(findings: tuple[Finding, ...]) -> set[str]:
    return {finding.held_back for finding in findings if finding.code == "ASL201" and finding.fix is None}


def test_no_more_fixes_are_offered_than_stand_in_each_other() -> None:
    """Each holds the rest of the function."""
    found = result_of(written(SHAPES["dropped tasks"], 60)).findings
    offered = [finding for finding in found if finding.code == "ASL201" and finding.fix is not None]
    assert len(offered) == 16
    assert held_back(found) == {"others come first"}


@pytest.mark.parametrize("length", [600, 2400])
def test_a_long_chain_of_elif_is_judged(length: int) -> None:
    """It is as deep as it is long, and deeper than functions call each other."""
    chain = [f"elif other == {number}:\n        await work({number})" for number in range(length)]
    lines = ["task = asyncio.create_task(work())", "if other is None:", "    await work()", *chain]
    result = result_of(HEAD + "".join(f"    {line}\n" for line in lines))
    assert result.problem is None
    assert {finding.code for finding in result.findings} >= {"ASL101", "ASL202"}
