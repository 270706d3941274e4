"""What becomes of a task on every normal path: ASL202 is the rule that asks."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

import pytest
from programs import EVERYTHING

from asynclint.engine import Fixing, check_text
from asynclint.source.text import SourceText

MODULE = "import asyncio\nimport contextlib\nimport pytest\n\nasync def test_it(x, work):\n"
MADE = "t = asyncio.create_task(work())\n"
FINISHED = {
    "awaited": MADE + "await t",
    "gathered": MADE + "await asyncio.gather(t, x)",
    "handed on": MADE + "x.own(t)",
    "returned": MADE + "return t",
    "stored": MADE + "x.task = t",
    "closed over": MADE + "def stop(): t.cancel()\nx.at_end(stop)",
    "cancelled": MADE + "t.cancel()",
    "on every branch": MADE + "if x: await t\nelse: t.cancel()",
    "unless it is done": MADE + "if not t.done(): await t",
    "polled": MADE + "while not t.done(): await asyncio.sleep(0)",
    "in finally": MADE + "try: x()\nfinally: t.cancel()",
    "in finally, for a return": MADE + "try:\n    return x\nfinally:\n    await t",
    "in else": MADE + "try: x()\nexcept ValueError: raise\nelse: await t",
    "under raises": MADE + "with pytest.raises(ValueError):\n    await t",
    "in a loop": "for i in x:\n    t = asyncio.create_task(work(i))\n    await t",
    "in a loop it is made before": MADE + "for i in x:\n    await t",
    "by every case": MADE + "match x:\n    case 1: await t\n    case _: t.cancel()",
    "before the end raises": MADE + "if x:\n    raise ValueError\nawait t",
    "endless loop": MADE + "while True:\n    await x()",
    "endless loop left after": MADE + "while True:\n    if x():\n        await t\n        break",
    "in a with header": MADE + "async with x(t): pass",
    "in a loop's header": MADE + "for i in x(t): pass",
    "in a match's subject": MADE + "match await t:\n    case 1: pass",
    "for else": MADE + "for i in x: pass\nelse: await t",
    "try star": MADE + "try:\n    await t\nexcept* ValueError:\n    pass",
}
LEFT = {
    "never looked at": MADE + "await x",
    "only looked at": MADE + "assert not t.done()\nprint(t)\nassert t is not None",
    "formatted": MADE + "print(f'{t}')",
    "on one branch": MADE + "if x: await t",
    "on the other branch": MADE + "if x: pass\nelse: await t",
    "returned before": MADE + "if x: return\nawait t",
    "made in a branch": "if x:\n    t = asyncio.create_task(work())",
    "in one case": MADE + "match x:\n    case 1: await t\n    case 2: pass",
    "remade": "for i in x:\n    t = asyncio.create_task(work(i))",
    "broken out of": MADE + "while True:\n    if x: break\n    await t",
    "gone on past": "for i in x:\n    t = asyncio.create_task(work(i))\n    if i: continue\n    await t",
    "in a handler": MADE + "try: x()\nexcept ValueError: await t",
    "in a with body": "with x:\n    t = asyncio.create_task(work())\n    await x",
    "try with a bare finally": MADE + "try:\n    return x()\nfinally:\n    x.close()",
    "annotated": "t: asyncio.Task = asyncio.create_task(work())\nawait x",
}


def found(body: str, fixing: Fixing = Fixing.NONE) -> tuple[list[str], str]:
    text = SourceText.from_lines([MODULE + indent(body, "    ") + "\n"])
    result = check_text(text, Path("/nowhere/tests/test_it.py"), "test_it.py", EVERYTHING, fixing=fixing)
    assert result.problem is None
    return [finding.code for finding in result.findings if finding.code == "ASL202"], result.after


@pytest.mark.parametrize("name", FINISHED)
def test_a_finished_task(name: str) -> None:
    assert found(FINISHED[name])[0] == []


@pytest.mark.parametrize("name", LEFT)
def test_a_task_that_is_left(name: str) -> None:
    assert found(LEFT[name])[0] == ["ASL202"]


@pytest.mark.parametrize("name", LEFT)
def test_the_fix_finishes_it_or_is_not_given(name: str) -> None:
    left, after = found(LEFT[name], Fixing.UNSAFE)
    compile(after, name, "exec")
    finished = ".gather(t, return_exceptions=True)" in after
    assert finished == (left == [])
