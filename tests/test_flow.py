"""What becomes of a task on every path: ASL202 to ASL205 are the rules that ask."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

import pytest
from programs import EVERYTHING

from asynclint.engine import Fixing, Result, check_text
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
    "on every branch": MADE + "if x: await t\nelse: await t",
    "unless it is done": MADE + "if not t.done(): await t",
    "polled": MADE + "while not t.done(): await asyncio.sleep(0)",
    "in finally": MADE + "try: x()\nfinally: await t",
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


# What is asked to stop, waited for or left by a failure: the code that says so, if one does.
ENDS = {
    "cancelled": (MADE + "t.cancel()", "ASL203"),
    "cancelled in finally": (MADE + "try: x()\nfinally: t.cancel()", "ASL203"),
    "cancelled on one branch": (MADE + "if x: await t\nelse: t.cancel()", "ASL203"),
    "cancelled and slept": (MADE + "t.cancel()\nawait asyncio.sleep(0)", "ASL203"),
    "cancelled and asserted to run": (MADE + "t.cancel()\nassert not t.done()", "ASL203"),
    "cancelled and asserted to be done": (MADE + "t.cancel()\nawait x\nassert t.cancelled()", ""),
    "cancelled and awaited": (MADE + "t.cancel()\nawait asyncio.wait([t], timeout=1)", ""),
    "cancelled in a comprehension": ("ts = [asyncio.create_task(x)]\n[t.cancel() for t in ts]", "ASL203"),
    "cancelled by a gathered future": (MADE + "g = asyncio.gather(t, x)\ng.cancel()", "ASL203"),
    "gathered by name": (MADE + "g = asyncio.gather(t, x)\ng.cancel()\nawait g", ""),
    "first of two": (
        "await asyncio.wait([asyncio.create_task(x()), x], return_when=x.FIRST_COMPLETED)",
        "ASL205",
    ),
    "time is up": (MADE + "await asyncio.wait([t], timeout=1)", "ASL205"),
    "time is up, on one branch": (MADE + "if x: await t\nelse: await asyncio.wait([t], timeout=1)", "ASL205"),
    "time is up, and cancelled": (MADE + "await asyncio.wait([t], timeout=1)\nt.cancel()", "ASL203"),
    "time is up, and asserted": (MADE + "d, p = await asyncio.wait([t], timeout=1)\nassert d == {t}", ""),
    "time is up, and asked": (MADE + "d, p = await asyncio.wait([t], timeout=1)\nif p:\n    x()", ""),
    "time without a limit": (MADE + "await asyncio.wait([t], timeout=None)", ""),
    "assertion first": (MADE + "assert x\nawait t", "ASL204"),
    "wait first": (MADE + "await x()\nawait t", "ASL204"),
    "sleep first": (MADE + "await asyncio.sleep(1)\nawait t", ""),
    "assertion under finally": (MADE + "try:\n    assert x\nfinally:\n    await t", ""),
    "assertion under another finally": (MADE + "try:\n    assert x\nfinally:\n    x()\nawait t", "ASL204"),
    "assertion under a handler": (MADE + "try:\n    assert x\nexcept Exception: x()\nawait t", ""),
    "assertion in the handler": (MADE + "try: x()\nexcept ValueError:\n    assert x\nawait t", "ASL204"),
    "assertion behind": (MADE + "await t\nassert x", ""),
    "nested function that asserts": (MADE + "def check():\n    assert x\nawait t", ""),
    "wait in a handler's finally": (MADE + "try:\n    await t\nfinally:\n    await x()", ""),
    "awaited under shield that expires": (
        MADE + "with pytest.raises(TimeoutError):\n    await asyncio.wait_for(asyncio.shield(t), 1)",
        "ASL202",
    ),
    "overwritten": (MADE + "t = asyncio.create_task(work())\nawait t", "ASL202"),
    "overwritten when done": (MADE + "await t\nt = asyncio.create_task(work())\nawait t", ""),
    "made anew by every turn": ("for i in x:\n    t = asyncio.create_task(work())\nawait t", "ASL202"),
    "made by one turn": ("for i in x:\n    if i: t = asyncio.create_task(work())\nawait t", ""),
    "unless there is one": (
        "t = None\nfor i in x:\n    if t is None: t = asyncio.create_task(work())\nawait t",
        "",
    ),
    "container that dies": ("ts = []\nts.append(asyncio.create_task(work()))", "ASL201"),
    "dictionary": ("ts = {}\nts[x] = asyncio.create_task(work())\nfor t in ts.values():\n    await t", ""),
    "dictionary that dies": ("ts = {}\nts[x] = asyncio.create_task(work())\nprint(len(ts))", "ASL201"),
    "unpacked": ("t, u = asyncio.create_task(work()), asyncio.create_task(work())\nawait t", "ASL202"),
    "starred": ("t, *ts = [asyncio.create_task(work()) for i in x]\nawait asyncio.gather(t, *ts)", ""),
    "walrus": ("if (t := asyncio.create_task(work())):\n    x()", "ASL202"),
    "alias": (MADE + "u = t\nawait u", ""),
    "set of both": (MADE + "both = {t, x}\nfor one in both:\n    one.cancel()\nawait asyncio.wait(both)", ""),
    "kept outside": ("t = x\nasync def go():\n    nonlocal t\n    t = asyncio.create_task(x)\nawait t", ""),
    "kept outside, and dropped": (
        "t = None\nasync def go():\n    nonlocal t\n    t = asyncio.create_task(x)\nprint(t)",
        "ASL202",
    ),
    "helper that awaits": ("async def end(task): await task\n" + MADE + "await end(t)", ""),
    "helper that only looks": ("def show(task): print(task)\n" + MADE + "show(t)", "ASL202"),
    "helper that is not awaited": ("async def end(task): await task\n" + MADE + "x(end(t))", ""),
    "helper that cancels": ("def end(*tasks):\n    for t in tasks: t.cancel()\n" + MADE + "end(t)", "ASL203"),
    "future, not a task": ("def later(): return x.future\nt = asyncio.ensure_future(later())\nprint(t)", ""),
    "asked, then finished in a block": (
        MADE + "if not t.done():\n    t.cancel()\n    with x:\n        await t",
        "",
    ),
    "asked in a loop": (MADE + "t.cancel()\nwhile True:\n    if t.done(): break\n    await x", ""),
    "cancelled and asserted to be true": (MADE + "t.cancel()\nassert t.cancelled() is True", ""),
    "awaited under shield, or failed": (
        MADE + "try:\n    await asyncio.wait_for(asyncio.shield(t), 1)\nexcept TimeoutError:\n    x.fail()",
        "",
    ),
    "awaited by a comprehension over them": ("[await t for t in [asyncio.create_task(work())]]", ""),
    "waits for all by name": (MADE + "await asyncio.wait([t, x], return_when='ALL_COMPLETED')", ""),
    "two targets": ("(a, b) = ts = (asyncio.create_task(x), x)\nawait asyncio.gather(*ts)", ""),
    "siblings in a loop": ("ts = [asyncio.create_task(x)]\n" + MADE + "for s in ts: await s\nawait t", ""),
    "helper that cancels alone": ("def stop(t): t.cancel()\n" + MADE + "stop(t)", "ASL203"),
    "future by name": ("u = x.later()\nt = asyncio.ensure_future(u)\nprint(t)", ""),
    "coroutine by name": (
        "async def go(): ...\nu = go()\nt = asyncio.ensure_future(u)\nprint(t)",
        "ASL202",
    ),
    "counting all tasks": (MADE + "print(len(asyncio.all_tasks()))", "ASL202"),
    "gathering all tasks": (MADE + "await asyncio.gather(*asyncio.all_tasks() - {x})", ""),
}  # fmt: skip


def checked(body: str, fixing: Fixing = Fixing.NONE) -> Result:
    text = SourceText.from_lines([MODULE + indent(body, "    ") + "\n"])
    result = check_text(text, Path("/nowhere/tests/test_it.py"), "test_it.py", EVERYTHING, fixing=fixing)
    assert result.problem is None
    return result


def found(body: str, fixing: Fixing = Fixing.NONE) -> tuple[list[str], str]:
    result = checked(body, fixing)
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


@pytest.mark.parametrize("name", ENDS)
def test_how_a_task_ends(name: str) -> None:
    body, code = ENDS[name]
    codes = {finding.code for finding in checked(body).findings if finding.code.startswith("ASL2")}
    assert codes == ({code} if code else set())


@pytest.mark.parametrize("name", ENDS)
def test_fixes_of_how_it_ends_hold(name: str) -> None:
    after = checked(ENDS[name][0], Fixing.UNSAFE).after
    compile(after, name, "exec")
    again = check_text(
        SourceText.from_lines([after]), Path("/nowhere/tests/test_it.py"), "test_it.py", EVERYTHING,
        fixing=Fixing.UNSAFE,
    )  # fmt: skip
    assert again.after == after


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (MADE + "if x: await t", "7: where this is false, nothing finishes it"),
        (MADE + "if x:\n    return\nawait t", "8: this return leaves it running"),
        (MADE + "t = x", "7: here its only name is given another value"),
        (MADE + "await x()\nawait t", "7: this can fail first"),
        (MADE + "t.cancel()", "6: the task is made here"),
        (MADE + "await asyncio.wait([t], timeout=1)", "6: the task is made here"),
    ],
)
def test_related_places_say_how_it_escapes(body: str, said: str) -> None:
    (finding,) = [f for f in checked(body).findings if f.code.startswith("ASL2")]
    assert said in [f"{place.span.start.line}: {place.message}" for place in finding.related]


@pytest.mark.parametrize("head", ["for i in x:", "if x:", "with x:", "while x():", "try:"])
def test_blocks_in_each_other_are_each_walked_once(head: str) -> None:
    """A walk that doubled with every level would not come to an end here."""
    depth = 18
    lines = [f"{'    ' * level}{head}" for level in range(depth)]
    lines.append(f"{'    ' * depth}t = asyncio.create_task(work())")
    if head == "try:":
        for level in reversed(range(depth)):
            lines += [f"{'    ' * level}finally:", f"{'    ' * level}    if x(): return"]
    assert found("\n".join(lines))[0] == ["ASL202"]
