"""Begin a rule: ``python tests/scaffold.py ASL408 some-pattern`` writes its file and its fixture folder.

Both are there to be filled in: they say TODO where, and their tests fail until that is done.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from asynclint.rule import Rule, Scope, all_rules

ROOT = Path(__file__).parent.parent

RULE = '''\
"""{code} {slug}: TODO what it reports, in one line.

TODO what it does, in a paragraph or two: what is reported, and what is silent.

Why it matters: TODO.

Bad::

    import asyncio


    async def test_todo():
        await asyncio.sleep(0)

Good::

    import asyncio


    async def test_todo():
        await asyncio.sleep(0)

Fix: there is no fix. TODO why; or what it does, and whether it is safe.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from asynclint.finding import Finding
from asynclint.rule import Rule, Scope

if TYPE_CHECKING:
    from asynclint.project.project import Project
    from asynclint.source.function import Function
    from asynclint.source.outline import Scope as Unit

rule = Rule("{code}", "{slug}", Scope.FUNCTION)


@rule.trigger
def trigger(unit: Unit, project: Project) -> bool:
    """TODO the cheap condition without which there is nothing to report."""
    return False


@rule.check
def check(function: Function, project: Project) -> Iterator[Finding]:
    """TODO each ..., at the ... of it."""
    yield from ()  # Finding("", function.text.span(node), rule.code, "what is wrong, with its name")
'''
BAD = '''\
"""TODO what is reported, each shape of it in a test."""

import asyncio

import pytest


@pytest.mark.asyncio
async def test_todo():
    await asyncio.sleep(0)  # {code}
'''
GOOD = '''\
"""TODO near misses: what looks like it, and is right."""

import asyncio

import pytest


@pytest.mark.asyncio
async def test_todo():
    await asyncio.sleep(0)
'''
NEXT = """\
Wrote {rule}
and   {fixtures}/test_bad.py, test_good.py

Fill in what says TODO, until this passes:  pytest tests/test_rules.py tests/test_docs.py -k {code}
Let it write the reports, then read them:   pytest tests/test_rules.py -k {code} --update
Then README's table:                        python tests/readme.py --write
and a line of CHANGELOG.md.
"""


def refusal(code: str, slug: str) -> str:
    """Why a rule can't have this code and slug; empty if it can."""
    if not re.fullmatch(r"ASL[1-9]\d\d", code):
        return f'a code is ASL and three digits, of which the first is not 0: not "{code}"'
    if not re.fullmatch(r"[a-z]+(-[a-z]+)*", slug):
        return f'a slug is lower-case words with hyphens, as in some-pattern: not "{slug}"'
    for taken in all_rules():
        if taken.code == code:
            return f"{code} is taken by {taken.slug}"
        if taken.slug == slug:
            return f"{slug} is taken by {taken.code}"
    return ""


def write(code: str, slug: str) -> str:
    """Write the files of a rule; what to do next. Raises FileExistsError where one of them is there."""
    name = Rule(code, slug, Scope.FUNCTION).name
    rule, fixtures = ROOT / "asynclint" / "rules" / f"{name}.py", ROOT / "fixtures" / name
    fixtures.mkdir()
    for path, template in ((rule, RULE), (fixtures / "test_bad.py", BAD), (fixtures / "test_good.py", GOOD)):
        with path.open("x", encoding="utf-8") as file:
            file.write(template.replace("{code}", code).replace("{slug}", slug))
    places = {"rule": rule.relative_to(ROOT).as_posix(), "fixtures": fixtures.relative_to(ROOT).as_posix()}
    return NEXT.format(code=code, **places)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("code", help="such as ASL408")
    parser.add_argument("slug", help="such as some-pattern")
    arguments = parser.parse_args()
    why = refusal(arguments.code, arguments.slug)
    if why:
        sys.exit(f"scaffold.py: {why}")
    try:
        sys.stdout.write(write(arguments.code, arguments.slug))
    except FileExistsError as error:
        sys.exit(f"scaffold.py: {error.filename} is there already")


if __name__ == "__main__":
    main()
