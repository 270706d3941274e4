"""Bodies that can't be put under a guard; what the wrapped ones look like is in the fixtures."""

from __future__ import annotations

from pathlib import Path

import pytest

from asynclint.source.outline import Outline
from asynclint.source.text import SourceText
from asynclint.source.wrap import UnwrappableError, wrap_body


def wrap(source: str) -> str:
    text = SourceText.from_bytes(source.encode())
    outline = Outline(Path("/nowhere/test_it.py"), text, text.parse(), (3, 11))
    return wrap_body(outline.functions[0], "async with limit():").text


def nested(depth: int) -> str:
    blocks = "".join(f"{'    ' * level}with x:\n" for level in range(1, depth + 1))
    return f"async def test_it():\n{blocks}{'    ' * (depth + 1)}await x()\n"


def test_a_form_feed_resets_the_column_so_its_line_would_change_blocks() -> None:
    with pytest.raises(UnwrappableError, match="form feeds"):
        wrap("async def test_it():\n    for x in y:\n        x()\n\f        x()\n    await z()\n")
    assert wrap("async def test_it():\n    await z('\f')\n").endswith("        await z('\f')\n")


def test_blocks_in_each_other_are_counted_before_the_compiler_does() -> None:
    assert wrap(nested(15)).startswith("    async with limit():\n        with x:\n")
    with pytest.raises(UnwrappableError, match="too many blocks"):
        wrap(nested(16))


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ('async def test_it():\n    """It waits."""\n', "no statement"),
        ('async def test_it():\n    """It waits."""; await x()\n', "line of its docstring"),
    ],
)
def test_bodies_with_no_place_for_a_guard(source: str, cause: str) -> None:
    with pytest.raises(UnwrappableError, match=cause):
        wrap(source)
