"""Stubs that are parsed section by section bind what they bind as a whole."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import typeshed_client

from asynclint.source.outline import Binding, Outline
from asynclint.source.sections import Sections
from asynclint.source.text import SourceText

TYPESHED = Path(typeshed_client.__file__).parent / "typeshed"
STUBS = sorted(TYPESHED.rglob("*.pyi"))
SOME = [
    path
    for path in STUBS
    if path.parent.name == "asyncio" or path.stem in ("os", "subprocess", "typing", "socket")
]


def as_sections(path: Path, text: SourceText) -> Outline:
    sections = Sections.of(text.text)
    return Outline(path, text, sections.parse(sections.rest), (3, 12), sections)


def dumped(bindings: list[Binding]) -> list[tuple[str, str]]:
    return [(binding.kind, ast.dump(binding.node, include_attributes=True)) for binding in bindings]


def assert_same(path: Path) -> int:
    text = SourceText.from_bytes(path.read_bytes())
    whole, parts = Outline(path, text, text.parse(), (3, 12)).scope, as_sections(path, text).scope
    for name, bindings in whole.bindings.items():
        assert name in parts.bindings, name
        assert dumped(parts.bindings[name]) == dumped(bindings), name
    assert set(parts.bindings) == set(whole.bindings)
    assert [star.module for star in parts.facts.stars] == [star.module for star in whole.facts.stars]
    names = sorted(scope.qualname for scope in whole.nested())
    assert sorted(scope.qualname for scope in parts.nested()) == names
    return len(whole.bindings)


def test_some_stubs_bind_the_same() -> None:
    assert sum(map(assert_same, SOME)) > 1_000


@pytest.mark.slow
def test_all_stubs_bind_the_same() -> None:
    assert sum(map(assert_same, STUBS)) > 15_000


ODD = '''import sys
def one(
    first: int,
) -> int: ...
@overload
def one(first: str) -> str: ...
"""A remark,
def that(): binds nothing."""
class Two:
    three: int
if sys.version_info >= (3, 13):
    four: int
elif sys.version_info >= (3, 11):
    four: str
    class Two: ...
else:
    def five() -> None: ...
if sys.platform == "win32":
    from nt import *
six = seven = 1
eight: Literal["""
nine = 1
"""]
'''


def test_odd_sections_bind_what_they_bind_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "odd.pyi"
    path.write_text(ODD, encoding="utf-8")
    assert assert_same(path) == 7


def test_only_what_is_asked_for_is_walked(tmp_path: Path) -> None:
    scope = as_sections(tmp_path / "odd.pyi", SourceText.from_lines([ODD])).scope
    assert not scope.facts.scopes
    assert [binding.node.lineno for binding in scope.bindings["one"]] == [2, 6]  # type: ignore[attr-defined]
    assert [inner.name for inner in scope.facts.scopes] == ["one", "one"]
    assert "nine" not in scope.bindings
    assert "five" not in scope.bindings, "the condition is decided for the version"
