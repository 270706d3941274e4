"""Dotted names through imports, aliases and re-exports, and what a name is bound to."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from small_projects import small

from asynclint.project.names import chain, definition, known

NAMES = {
    "module": ("import asyncio\nasyncio.timeout  # ?", "asyncio.timeout"),
    "alias": ("import asyncio as aio\naio.timeout  # ?", "asyncio.timeout"),
    "member": ("from asyncio import timeout as limit\nlimit  # ?", "asyncio.timeout"),
    "submodule": ("import os.path\nos.path.join  # ?", "os.path.join"),
    "assigned": ("import asyncio\nlimit = asyncio.timeout\nlimit  # ?", "asyncio.timeout"),
    "in a function": ("def f():\n    import anyio as a\n    a.fail_after  # ?", "anyio.fail_after"),
    "own": ("def helper(): ...\nhelper  # ?", "test_it.helper"),
    "class attribute": ("class C:\n    x = 1\nC.x  # ?", "test_it.C.x"),
    "one of two": ("try:\n    from a import b\nexcept ImportError:\n    from c import b\nb  # ?", "a.b c.b"),
    "local": ("def f(asyncio):\n    asyncio.timeout  # ?", ""),
    "rebound": ("import asyncio\nasyncio = 3\nasyncio.timeout  # ?", ""),
    "shadowed in a class": ("import a\nclass C:\n    a = 1\n    def f(self):\n        a.b  # ?", "a.b"),
    "loop variable": ("for x in []: pass\nx.y  # ?", ""),
    "no name": ("(1).real  # ?", ""),
    "undefined": ("print  # ?", ""),
    "itself": ("x = x\nx  # ?", ""),
    "global": ("import a\ndef f():\n    global a\n    a.b  # ?", "a.b"),
    "global unbound": ("def f():\n    global a\n    a.b  # ?", ""),
}


@pytest.mark.parametrize("name", NAMES)
def test_chain(name: str, tmp_path: Path) -> None:
    source, expected = NAMES[name]
    project = small(tmp_path, source)
    assert chain(*project.asked(), project.project.modules) == tuple(expected.split())


ELSEWHERE = {
    "re-export": ({"compat.py": "from asyncio import timeout"}, "from compat import timeout\ntimeout  # ?"),
    "by package": (
        {"pkg/__init__.py": "from .inner import timeout", "pkg/inner.py": "from asyncio import timeout"},
        "import pkg\npkg.timeout  # ?",
    ),
    "submodule that its package imports": (
        {
            "tests/__init__.py": "",
            "tests/near/__init__.py": "from . import inner",
            "tests/near/inner.py": "from asyncio import timeout",
        },
        "from .near import inner\ninner.timeout  # ?",
    ),
    "src layout": (
        {"src/pkg/__init__.py": "", "src/pkg/inner.py": "from asyncio import timeout"},
        "from pkg.inner import timeout\ntimeout  # ?",
    ),
    "beside": (
        {"tests/__init__.py": "", "tests/near.py": "import asyncio as a\ntimeout = a.timeout"},
        "from .near import timeout\ntimeout  # ?",
    ),
    "above": (
        {"tests/__init__.py": "", "__init__.py": "", "near.py": "from asyncio import timeout"},
        "from ..near import timeout\ntimeout  # ?",
    ),
    "namespace package": (
        {"ns/inner.py": "from asyncio import timeout"},
        "from ns.inner import timeout\ntimeout  # ?",
    ),
    "star": ({"compat.py": "from asyncio import timeout"}, "from compat import *\ntimeout  # ?"),
    "star of a star": (
        {"compat.py": "from inner import *", "inner.py": "from asyncio import timeout"},
        "import compat\ncompat.timeout  # ?",
    ),
    "conditional": (
        {
            "compat.py": "import sys\nif sys.version_info >= (3, 11):\n"
            "    from asyncio import timeout\nelse:\n    from async_timeout import timeout"
        },
        "from compat import timeout\ntimeout  # ?",
    ),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_chain_across_files(name: str, tmp_path: Path) -> None:
    files, source = ELSEWHERE[name]
    project = small(tmp_path, source, files)
    expr, scope = project.asked()
    assert known(expr, scope, project.project.modules, {"asyncio.timeout"}) == "asyncio.timeout"
    assert known(expr, scope, project.project.modules, {"anyio.fail_after"}) == ""


def test_modules_that_import_each_other_end(tmp_path: Path) -> None:
    files = {
        "one.py": "from two import x",
        "two.py": "from one import x\nfrom two import *\nfrom one import *",
    }
    project = small(tmp_path, "from one import x\nfrom two import y\nx\ny.z  # ?", files)
    expr, scope = project.asked()
    assert "asyncio.timeout" not in chain(expr, scope, project.project.modules)


def test_a_broken_module_of_the_project_is_no_obstacle(tmp_path: Path) -> None:
    project = small(tmp_path, "from broken import x\nx  # ?", {"broken.py": "def ("})
    assert chain(*project.asked(), project.project.modules) == ("broken.x",)


def test_the_standard_library_is_never_looked_for_in_the_project(tmp_path: Path) -> None:
    project = small(tmp_path, "import asyncio\nasyncio.sleep  # ?", {"asyncio.py": "from time import sleep"})
    assert chain(*project.asked(), project.project.modules) == ("asyncio.sleep",)


DEFINITIONS = {
    "function": ("def f(): ...\nf  # ?", "def f(): ..."),
    "class": ("class C: ...\nC  # ?", "class C: ..."),
    "value": ("LIMIT = 5 * 2\nLIMIT  # ?", "5 * 2"),
    "value of a value": ("A = 1 + 1\nB = A\nB  # ?", "1 + 1"),
    "imported": ("from consts import LIMIT\nLIMIT  # ?", "2 + 3"),
    "attribute of a module": ("import consts\nconsts.LIMIT  # ?", "2 + 3"),
    "re-exported": ("from more import LIMIT\nLIMIT  # ?", "2 + 3"),
    "alias of something unknown": ("from elsewhere import x\nLIMIT = x\nLIMIT  # ?", "x"),
    "bound twice": ("A = 1\nA = 2\nA  # ?", ""),
    "parameter": ("def f(a):\n    a  # ?", ""),
    "unknown module": ("import elsewhere\nelsewhere.A  # ?", ""),
    "call": ("f()  # ?", ""),
    "two modules that hand it to each other": ("from ring import x\nx  # ?", ""),
}


@pytest.mark.parametrize("name", DEFINITIONS)
def test_definition(name: str, tmp_path: Path) -> None:
    source, expected = DEFINITIONS[name]
    files = {
        "consts.py": "LIMIT = 2 + 3",
        "more.py": "from consts import LIMIT",
        "ring.py": "from other import x",
        "other.py": "from ring import x",
    }
    project = small(tmp_path, source, files)
    found = definition(*project.asked(), project.project.modules)
    assert (ast.unparse(found[0]).replace("\n    ", " ") if found else "") == expected
