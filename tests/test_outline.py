"""What one pass over a module says of its scopes, its names and what each function does itself."""

from __future__ import annotations

import ast
from pathlib import Path
from textwrap import dedent

import pytest

from asynclint.source.outline import Outline, Scope
from asynclint.source.text import SourceText


def outline_of(source: str, name: str = "test_it.py", version: tuple[int, int] = (3, 11)) -> Outline:
    text = SourceText.from_lines([dedent(source).lstrip("\n")])
    return Outline(Path(name), text, text.parse(), version)


def kinds(scope: Scope) -> dict[str, str]:
    return {name: " ".join(binding.kind for binding in found) for name, found in scope.bindings.items()}


BINDINGS = {
    "import a.b\nimport c as d": "a: import, d: import",
    "from a import b as c, d\nfrom e import *": "c: from, d: from",
    "def f(): x = 1\nasync def g(): ...\nclass C: y = 1": "C: class, f: def, g: def",
    "a = b = 1\nc: int\nd: int = 2\ne += 1": "a: assign, b: assign, c: assign, d: assign, e: other",
    "a, (b, *c) = d": "a: unpack, b: unpack, c: unpack",
    "for a, b in c: d = 1": "a: unpack, b: unpack, d: assign",
    "for a in b: pass": "a: for",
    "with a as b, c as (d, e): pass": "b: with, d: unpack, e: unpack",
    "try: pass\nexcept A as a: pass\nexcept B: pass": "a: other",
    "match a:\n case [b, *c]: pass\n case {'d': d, **e}: pass\n case A(f=1) as g: pass": (
        "b: other, c: other, d: other, e: other, g: other"
    ),
    "f((a := 1))": "a: assign",
    "a = 1\na = 2\ndel a\ndel a.b, c[d]": "a: assign assign",
    "a.b = 1\na[c] = 2": "",
    "lambda a: a": "",
}


@pytest.mark.parametrize("source", BINDINGS)
def test_bindings_of_a_module(source: str) -> None:
    found = ", ".join(f"{name}: {kind}" for name, kind in sorted(kinds(outline_of(source).scope).items()))
    assert found == BINDINGS[source]


def test_parameters_are_bound_in_source_order() -> None:
    (scope,) = outline_of("async def f(a, /, b, *c, d, **e): ...").functions
    assert kinds(scope) == dict.fromkeys("abcde", "param")
    assert [arg.arg for arg in scope.parameters] == list("abcde")


NESTED = """
    class A:
        class B:
            def g(self):
                return lambda: x()

        async def f(self):
            def inner():
                yield 1
            await inner()

    if True:
        def h():
            class Local:
                def m(self): ...
"""


def test_scopes_and_their_names() -> None:
    outline = outline_of(NESTED)
    assert [scope.qualname for scope in outline.functions] == ["A.B.g", "A.f", "h"]
    assert [scope.qualname for scope in outline.classes] == ["A", "A.B"]
    assert [scope.qualname for scope in outline.scope.nested()] == [
        "", "A", "A.B", "A.B.g", "A.B.g.<lambda>", "A.f", "A.f.inner", "h", "h.Local", "h.Local.m",
    ]  # fmt: skip
    by_name = {scope.qualname: scope for scope in outline.scope.nested()}
    assert by_name["A.f"].is_async
    assert not by_name["A.f"].is_generator
    assert by_name["A.f.inner"].is_generator
    assert by_name["A.f"].enclosing_class is by_name["A"]
    assert by_name["h"].enclosing_class is None
    assert all(outline.scope_of(scope.node) is scope for scope in by_name.values())
    assert by_name["A"].child(by_name["A.f"].node) is by_name["A.f"]
    assert by_name["A"].child(by_name["h"].node) is None
    assert "A.f" in repr(by_name["A.f"])


def test_facts_are_a_functions_own() -> None:
    outline = outline_of("""
        @deco(1)
        async def f(a=default()):
            async with b() as c, d():
                await e(g())
            async for h in i(): pass
            x = [j async for j in k()]
            self.l = m()
            self.n, o = p()

            @inner_deco()
            def inner(q=inner_default()):
                hidden()
                return 1

            r()
            return s()
    """)
    facts = outline.functions[0].facts
    called = [ast.unparse(call) for call in facts.calls]
    assert called == [
        "b()",
        "d()",
        "e(g())",
        "g()",
        "i()",
        "k()",
        "m()",
        "p()",
        "inner_deco()",
        "inner_default()",
        "r()",
        "s()",
    ]
    assert [ast.unparse(node) for node in facts.awaits] == ["await e(g())"]
    assert [ast.unparse(node) for node in facts.expressions] == ["await e(g())", "r()"]
    assert [ast.unparse(node) for node in facts.returns] == ["return s()"]
    assert len(facts.withs) == 1
    assert len(facts.async_fors) == 2
    assert [(ast.unparse(target), value is not None) for target, value in facts.attributes] == [
        ("self.l", True),
        ("self.n", False),
    ]


LOOKUPS = {
    "own": ("x = 1\ndef f(x): ...", "f", "f"),
    "enclosing": ("def f(x):\n    def g(): ...", "f.g", "f"),
    "module": ("x = 1\nclass C:\n    x = 2\n    def f(self): ...", "C.f", ""),
    "class body": ("x = 1\nclass C:\n    x = 2", "C", "C"),
    "global": ("x = 1\ndef f():\n    x = 2\n    def g():\n        global x", "f.g", ""),
    "nonlocal": ("x = 1\ndef f(x):\n    def g():\n        nonlocal x\n        x = 2", "f.g", "f"),
    "nowhere": ("def f(): ...", "f", None),
    "global, nowhere": ("def f():\n    global x", "f", None),
}


@pytest.mark.parametrize("name", LOOKUPS)
def test_lookup(name: str) -> None:
    source, where, owner = LOOKUPS[name]
    scope = next(s for s in outline_of(source).scope.nested() if s.qualname == where)
    found = scope.lookup("x")
    assert (found[0].qualname if found else None) == owner


def test_only_stubs_have_their_version_tests_decided() -> None:
    source = """
        import sys
        if sys.version_info >= (3, 12) and sys.version_info < (3, 14):
            def new(): ...
        elif sys.version_info <= (3, 10) or sys.platform == "win32":
            def maybe(): ...
        else:
            def old(): ...
    """
    assert [f.name for f in outline_of(source).functions] == ["new", "maybe", "old"]
    assert [f.name for f in outline_of(source, "m.pyi", (3, 12)).functions] == ["new"]
    assert [f.name for f in outline_of(source, "m.pyi", (3, 10)).functions] == ["maybe"]
    assert [f.name for f in outline_of(source, "m.pyi", (3, 11)).functions] == ["maybe", "old"]
