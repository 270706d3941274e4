"""The pairing of libcst and ast: every call, await, name and statement of one tree is the other's."""

from __future__ import annotations

import ast
import sys
import sysconfig
import unicodedata
from collections import Counter
from pathlib import Path

import libcst as cst
import pytest
from programs import Bench, kind_of, pair_all

from asynclint.source.function import Function, UnparsedError
from asynclint.source.outline import Outline
from asynclint.source.pairing import PairedTree
from asynclint.source.text import SourceText

STDLIB = Path(sysconfig.get_path("stdlib"))
SAMPLE = 300  # files of the standard library

SHAPES = {
    "arguments out of order": """\
def f():
    g(k=a(), *b(), **c(), d=e(), **h())
    i(*j(), k(), l=m(), *n())
""",
    "annotated assignments": "def f():\n    d: e()\n    j.k: l() = m()\n    n[o()]: p() = q()\n",
    "annotated parameters": "def f(a: b() = c(), *d: e(), g: h() = i(), **j: k()) -> l(): pass\n",
    "assignments": "def f():\n    a, *b, (c, d) = [e, g] = h(), *i()\n    j()[k()] += l()\n    m().n = o()\n",
    "async comprehension": "async def f():\n    return [await a() async for b in c() if await d()]\n",
    "asynchronous": """\
async def f():
    async with a() as b: await c(await d())
    async for e, *g in h(), i(): (await j)
""",
    "backslashes": "def f():\n    a = b() + \\\n        c()\n    with d() as e, \\\n         g(): pass\n",
    "carriage returns": "def f():\r    a()\r    if b():\r        c()\r",
    "chained calls": "def f():\n    a().b[c()].d(e()).g(((h)))((i()))\n",
    "classes": """\
def f():
    @a()
    class B(c(), *d(), metaclass=e(), **g()):
        h: i() = j()
        def k(self): l()
""",
    "comparisons": """\
def f():
    return a() < b() <= c() is not d() not in e() != g() == h() >= i() > j() in k() is l()
""",
    "comprehensions": """\
def f():
    return [a() for b in c() if d() if e() for g in h()], {i(): j() for k in l()}, {m for n in o()}
""",
    "concatenated strings": "def f():\n    return ('a' f'{b()}' f'{c()}' 'd'), b'e' b'g'\n",
    "conditional": "def f():\n    return a() if b() else c() if d() else e()\n",
    "continued at the end": "def f():\n    a() \\\n\nb()\n",
    "constants": """\
def f(a=None, b=True):
    return None, True, False, ..., __debug__, 1j, 0x1F, 1_000, 'a', b'b'
""",
    "control": """\
def f():
    while a():
        if b(): break
        elif c(): continue
        else: pass
    else: d()
""",
    "decorators": "@a.b(c())\n@d\n@(e := g())\nasync def f(): pass\n",
    "deletion": "def f():\n    del a, b[c()], d().e, (g, h)\n    assert i(), j()\n    raise k() from l()\n",
    "dictionaries": "def f():\n    return {a(): b(), **c(), d: e()}, {g(), *h()}\n",
    "form feeds": "\fdef f():\n    a()\n\f\n    b('\f')\n",
    "formatted strings": """\
def f():
    return f'{a()!r:>{b()}} {c()=} {{}} {d:{e}.{g()}}' 'x' f"{h()}" rf'\\d{i()}'
""",
    "formatted values": "def f():\n    return f'{ {1: a()}[1] }{(b := c())}{(yield d())}{(lambda: e())()}'\n",
    "generator arguments": "def f():\n    return sum(a() for b in c()), any((d() for e in g()))\n",
    "imports": "def f():\n    import a.b as c, d\n    from .e import (g as h, i)\n",
    "indentation": "class A:\n\tclass B:\n\t\tasync def f(self):\n\t\t\tif a():\n\t\t\t\tawait b()\n",
    "lambdas": """\
def f():
    return lambda a, b=c(), *d, e=g(), **h: i(lambda: j()), [lambda k=l(): m(k) for n in o()]
""",
    "loops": "def f():\n    for a in b(), *c(): d()\n    else: e()\n    for g.h in i(): pass\n",
    "matches": """\
def f():
    match a(), b():
        case C(d, e=g) if h(): i()
        case [1, *rest] | {'x': y, **z}: j()
        case -1 | 1+2j | 'a' 'b' | None | True: k()
        case M.N as o: p()
        case {q.r: S(t=u), 2: _}: v()
        case (x1, x2): pass
        case *_, x3: pass
        case _: w()
""",
    "names of scopes": """\
def f():
    global a, b
    def g():
        nonlocal c
        return a(b(c))
    c = 1
""",
    "nested functions": """\
def f():
    @a(b())
    async def c(d=e(), *g, h=i(), **j) -> k(): return l()
    return c
""",
    "normalised names": "def f(ª):\n    ﬁ = ℌ(ª)\n    return ﬁ\n",
    "one line": "def f(): a(); b(); c = d();\n",
    "operators": """\
def f():
    return -a() ** -b() @ ~c() // d() % +e() << g() >> h() & i() | j() ^ k() / l() * m() - n()
""",
    "positional only": "def f(a, b=c(), /, d=e(), *, g, h=i()): pass\n",
    "redefined words": "def f():\n    match(a())\n    match = case(b)\n    type = c(_)\n    type.d()\n",
    "statements alone": "def f():\n    'doc'\n    a\n    a.b\n    a()\n    ...\n    return\n",
    "subscripts": "def f():\n    a()[b():c():d(), ..., e()] = x[*y()]\n    g[h(): , ::i()]\n",
    "truth": "def f():\n    return a() and b() or not c() and (d() or e())\n",
    "try": """\
def f():
    try: a()
    except b() as c: d()
    except (E, F): g()
    except: h()
    else: i()
    finally: j()
""",
    "try star": "def f():\n    try:\n        a()\n    except* b() as c:\n        d()\n",
    "variadic generics": "def f(*args: *Ts) -> tuple[*A, b()]: pass\n",
    "walrus": "def f():\n    if (a := b()) and (c := d(a)): pass\n    [e := g(), h]\n    i[j := k()]\n",
    "with": "def f():\n    with a() as b, c(), d() as (e, g): h()\n    with (i() as j.k, l()): m()\n",
    "yields": "def f():\n    x = yield a()\n    y = yield from b()\n    yield\n    yield *c(), d()\n",
}
if sys.version_info >= (3, 12):
    SHAPES |= {
        "type parameters": """\
def f[T: a(), *Ts, **P](x: T) -> b():
    class C[U: (d(), e())](g()): pass
    type H[V] = i()
""",
        "strings in strings": """\
def f():
    return f'{'a' + f'{b()}'}' f'{
    c()  # x
    }' f'{d()!r:{e():{g()}}}'
""",
    }
if sys.version_info >= (3, 14):
    SHAPES["template strings"] = "def f():\n    return t'{a()!r:>{b()}}'\n"
if sys.version_info >= (3, 13):
    SHAPES["type parameter defaults"] = "def f[T = a(), *Ts = *b(), **P = c(), U: d() = e()](): pass\n"

# Python takes these and libcst does not: https://github.com/Instagram/LibCST/issues
UNPARSABLE = [
    "def f():\n    class A(metaclass=B, *c()): pass\n",
    "def f():\n    (a): b = c()\n",
    "def f():\n    return a in.5\n",
]
OF_WHOLE_TREES = {"Module", "Interactive", "Expression", "FunctionType", "TypeIgnore"}
NO_LONGER_MADE = {"AugLoad", "AugStore", "ExtSlice", "Index", "Param", "Suite"}


def outline_of(source: str) -> Outline:
    text = SourceText.from_lines([source])
    return Outline(Path("test_it.py"), text, text.parse(), sys.version_info[:2])


@pytest.mark.parametrize("shape", SHAPES)
def test_both_trees_of_a_shape_agree(shape: str) -> None:
    (scope,) = outline_of(SHAPES[shape]).functions
    tree = PairedTree(scope)
    assert tree.twins
    for node, twin in tree.twins.items():
        assert_same(tree.module, node, twin)
    assert len(set(tree.twins.values())) == len(tree.twins)


def test_shapes_hold_every_node_there_is() -> None:
    seen = {type(node).__name__ for source in SHAPES.values() for node in ast.walk(ast.parse(source))}
    kinds = {
        kind.__name__ for group in ast.AST.__subclasses__() for kind in group.__subclasses__() or [group]
    }
    assert kinds - seen <= OF_WHOLE_TREES | NO_LONGER_MADE
    assert len(seen) > 90


@pytest.mark.parametrize("source", UNPARSABLE)
def test_what_libcst_cannot_parse_is_said_so(source: str) -> None:
    (scope,) = outline_of(source).functions
    with pytest.raises(UnparsedError, match=r"^f could not be checked"):
        PairedTree(scope)


def test_such_a_function_is_one_clear_problem(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    waits = "async def test_it(x):\n    asyncio.create_task(x)\n    await x\n"
    odd = waits.replace("    await x\n", "    class A(metaclass=B, *x): pass\n    await x\n")
    result = bench.check(f"import asyncio\n{odd}\n\n{waits.replace('test_it', 'test_other')}".encode())
    assert result.problem is not None
    assert (result.problem.code, result.problem.line) == ("ASL001", 2)
    assert result.problem.message.startswith("test_it could not be checked: ")
    found = [(finding.code, finding.span.start.line) for finding in result.findings]
    assert found == [("ASL101", 2), ("ASL101", 8), ("ASL201", 9)]


def test_trees_agree_over_the_standard_library() -> None:
    files = sorted(path for path in STDLIB.rglob("*.py") if "site-packages" not in path.parts)
    seen: Counter[str] = Counter()
    for path in files[:: max(len(files) // SAMPLE, 1)][:SAMPLE]:
        seen += pair_all(path)
    assert seen["files"] > 200
    assert seen["functions"] > 4_000
    assert seen["paired"] > 100_000
    assert seen["unparsable"] <= seen["functions"] // 1_000


def is_load(function: Function, node: cst.Name) -> bool:
    try:
        return isinstance(function.ast_of(node), ast.Name)
    except KeyError:  # the name of a function, parameter or attribute
        return False


def assert_same(module: cst.Module, node: cst.CSTNode, twin: ast.AST) -> None:
    """The two nodes are of one kind; an expression's code parses to the very ast node it is paired with."""
    assert kind_of(node) == type(twin).__name__
    if isinstance(node, cst.Name):
        assert isinstance(twin, ast.Name)
        assert twin.id == unicodedata.normalize("NFKC", node.value)  # PEP 3131
    elif isinstance(node, cst.BaseExpression):
        code = module.code_for_node(node)
        assert ast.dump(ast.parse(f"({code}\n)", mode="eval").body) == ast.dump(twin)


def test_spans_are_those_of_the_file() -> None:
    source = 'x = "é"\nclass A:\n    @mark("ü")\n    async def f(self):\n        "é"; await ((g))("ö", h())\n'
    outline = outline_of(source)
    function = Function(outline.functions[0])
    text = outline.text
    shown = [
        text.slice(function.span(node)) for node in function.nodes if isinstance(node, (cst.Call, cst.Await))
    ]
    for node in function.nodes:
        if isinstance(node, (cst.Call, cst.Await)):
            assert function.cst_of(function.ast_of(node)) is node
    assert shown == ['mark("ü")', 'await ((g))("ö", h())', '((g))("ö", h())', "h()"]


def test_nodes_know_what_holds_them_and_the_scope_they_see() -> None:
    source = """\
class A:
    def f(self, a):
        def g(b):
            return lambda c: a(b, c)
        class D:
            e = a
"""
    function = Function(outline_of(source).functions[0])
    assert function.parent(function.node) is None
    seen = {}
    for node in function.nodes:
        if isinstance(node, cst.Name) and is_load(function, node):
            assert list(function.parents(node))[-1] is function.node
            seen[node.value] = function.scope_of(node).qualname
    assert seen == {"a": "A.f.D", "b": "A.f.g.<lambda>", "c": "A.f.g.<lambda>", "e": "A.f.D"}


def test_nodes_by_class_come_in_source_order() -> None:
    function = Function(outline_of("def f():\n    a()\n    assert b()\n    return c()\n").functions[0])
    found = list(function.nodes_of(cst.Return, cst.Call))
    assert [type(node).__name__ for node in found] == ["Return", "Call", "Call", "Call"]
    assert found[1:] == [node for node in function.nodes if isinstance(node, cst.Call)]
