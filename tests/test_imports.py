from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynclint.output.imports import add_imports, drop_imports, is_read_alone
from asynclint.source.text import SourceError, SourceText

CASES = {
    "among plain imports, sorted": (
        "import abc\nimport sys\n\nx = 1\n",
        "import abc\nimport asyncio\nimport sys\n\nx = 1\n",
    ),
    "first of its block": ("import sys\nimport time\n", "import asyncio\nimport sys\nimport time\n"),
    "last plain import, before from": (
        "import abc\nfrom abc import ABC\nfrom typing import Any\n",
        "import abc\nimport asyncio\nfrom abc import ABC\nfrom typing import Any\n",
    ),
    "only from imports": ("from abc import ABC\n", "import asyncio\nfrom abc import ABC\n"),
    "from asyncio is no import of asyncio": (
        "from asyncio import sleep\n",
        "import asyncio\nfrom asyncio import sleep\n",
    ),
    "alias is no import of asyncio": ("import asyncio as aio\n", "import asyncio\nimport asyncio as aio\n"),
    "behind docstring and future": (
        '"""Doc."""\n\nfrom __future__ import annotations\n\nimport pytest\n',
        '"""Doc."""\n\nfrom __future__ import annotations\n\nimport asyncio\n\nimport pytest\n',
    ),
    "a block of its own before others": (
        "import pytest\n\nx = 1\n",
        "import asyncio\n\nimport pytest\n\nx = 1\n",
    ),
    "relative imports stay last": ("from . import a\n", "import asyncio\n\nfrom . import a\n"),
    "names of one row": ("import abc, sys\nimport time\n", "import abc, sys\nimport asyncio\nimport time\n"),
    "semicolons": (
        "import abc; import sys\nimport time\n",
        "import abc; import sys\nimport asyncio\nimport time\n",
    ),
    "semicolons after": ("import sys; import abc\n", "import asyncio\nimport sys; import abc\n"),
    "backslash": ("import abc; \\\n  import sys\n", "import abc; \\\n  import sys\nimport asyncio\n"),
    "parentheses": (
        "import abc\nfrom x import (\n    a,\n)\n",
        "import abc\nimport asyncio\nfrom x import (\n    a,\n)\n",
    ),
    "comment at the end of the row": ("import abc  # why; not\n", "import abc  # why; not\nimport asyncio\n"),
    "comment that belongs to an import": (
        "import abc\n\n# needed first\nimport sys\n",
        "import abc\nimport asyncio\n\n# needed first\nimport sys\n",
    ),
    "comment that belongs to the next import": (
        "import abc\n# types\nfrom typing import Any\n",
        "import abc\nimport asyncio\n# types\nfrom typing import Any\n",
    ),
    "comment above the first import": (
        '"""Doc."""\n\n# order matters\nimport sys\n',
        '"""Doc."""\n\nimport asyncio\n\n# order matters\nimport sys\n',
    ),
    "section heading": (
        "# Standard library\nimport sys\n\n# Third party\nimport pytest\n",
        "# Standard library\nimport asyncio\nimport sys\n\n# Third party\nimport pytest\n",
    ),
    "shebang, cookie, licence": (
        "#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n\n# Copyright 2024\nimport sys\n",
        "#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n\n# Copyright 2024\nimport asyncio\nimport sys\n",
    ),
    "comment at the top": ("# Tests of it.\nimport sys\n", "# Tests of it.\nimport asyncio\nimport sys\n"),
    "no import": ("def f(): pass\n", "import asyncio\n\n\ndef f(): pass\n"),
    "no import, but a docstring": (
        '"""Doc."""\n\n\ndef f(): pass\n',
        '"""Doc."""\n\nimport asyncio\n\n\ndef f(): pass\n',
    ),
    "no import, one blank line": ('"""Doc."""\n\nx = 1\n', '"""Doc."""\n\nimport asyncio\n\nx = 1\n'),
    "no import, no blank line": ('"""Doc."""\nx = 1\n', '"""Doc."""\n\nimport asyncio\n\nx = 1\n'),
    "no import, but a licence": (
        "# Licence: MIT\nx = 1\n",
        "# Licence: MIT\n\nimport asyncio\n\nx = 1\n",
    ),
    "no import, but a decorated function with a comment": (
        "#!/bin/python\n\n# it\n@d\ndef f(): pass\n",
        "#!/bin/python\n\nimport asyncio\n\n\n# it\n@d\ndef f(): pass\n",
    ),
    "only a future import": (
        "from __future__ import annotations\n\n\nclass C: ...\n",
        "from __future__ import annotations\n\nimport asyncio\n\n\nclass C: ...\n",
    ),
    "docstring and code in one row": (
        '"""Doc."""; import os\nx = 1\n',
        '"""Doc."""; import os\n\nimport asyncio\n\nx = 1\n',
    ),
    "future and code in one row": (
        "from __future__ import annotations; import os\nimport time\n",
        "from __future__ import annotations; import os\nimport asyncio\nimport time\n",
    ),
    "never inside a condition": (
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import asyncio\n",
        "import asyncio\nfrom typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import asyncio\n",
    ),
    "never inside a try": (
        "try:\n    import asyncio\nexcept ImportError:\n    pass\nimport sys\n",
        "try:\n    import asyncio\nexcept ImportError:\n    pass\nimport asyncio\nimport sys\n",
    ),
    "imports below a function don't count as a place": (
        "def f(): pass\n\nimport sys\n",
        "import asyncio\n\n\ndef f(): pass\n\nimport sys\n",
    ),
    "a string is no docstring": ("x = 1\n'''no'''\n", "import asyncio\n\nx = 1\n'''no'''\n"),
    "sorted within sections": (
        "import abc\nfrom ast import parse\nimport sys\n",
        "import abc\nfrom ast import parse\nimport asyncio\nimport sys\n",
    ),
    "empty file": ("", "import asyncio\n"),
    "only a comment": ("# nothing\n", "# nothing\n\nimport asyncio\n"),
    "no final newline": ("import abc", "import abc\nimport asyncio"),
    "no final newline behind a docstring": ('"""Doc."""', '"""Doc."""\n\nimport asyncio\n'),
    "carriage returns": ("import abc\r\nx = 1\r\n", "import abc\r\nimport asyncio\r\nx = 1\r\n"),
    "old carriage returns": ("'''Doc'''\rx = 1\r", "'''Doc'''\r\rimport asyncio\r\rx = 1\r"),
    "blank lines in carriage returns": (
        "# (c) me, copyright\r\nimport sys\r\n\r\nimport pytest\r\n",
        "# (c) me, copyright\r\nimport asyncio\r\nimport sys\r\n\r\nimport pytest\r\n",
    ),
    "form feed": ("import abc\n\x0c\nx = 1\n", "import abc\nimport asyncio\n\x0c\nx = 1\n"),
}


def added(text: str, *modules: str) -> str:
    return add_imports(SourceText.from_lines([text]), modules)


@pytest.mark.parametrize("case", CASES)
def test_place(case: str) -> None:
    before, after = CASES[case]
    assert added(before, "asyncio") == after
    assert added(after, "asyncio") == after


@pytest.mark.parametrize(
    "text",
    [
        "import asyncio\n",
        "import sys, asyncio\n",
        "import asyncio as asyncio\n",
        "import asyncio.subprocess\n",
        '"""Doc."""; import asyncio\n',
        "import sys; import asyncio\n",
        "def f(): pass\nimport asyncio\n",
    ],
)
def test_imported_already(text: str) -> None:
    assert added(text, "asyncio") == text


def test_dotted_module() -> None:
    assert added("import a\nimport a.bc\n", "a.b") == "import a\nimport a.b\nimport a.bc\n"
    assert added("import a.b.c\n", "a.b") == "import a.b.c\n"
    assert added("import a.b as b\n", "a.b") == "import a.b\nimport a.b as b\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import os\n\nimport pytest\n", "import os\n\nimport anyio\nimport pytest\n"),
        ("import os\n\nfrom . import a\n", "import os\n\nimport anyio\n\nfrom . import a\n"),
        ("import os\nfrom . import a\n", "import os\n\nimport anyio\n\nfrom . import a\n"),
        ("import os\n\n\nclass C: ...\n", "import os\n\nimport anyio\n\n\nclass C: ...\n"),
        (
            "from typing import Any\n\nfrom x import y\n",
            "from typing import Any\n\nimport anyio\nfrom x import y\n",
        ),
        ("import os", "import os\n\nimport anyio"),
    ],
)
def test_other_packages(before: str, after: str) -> None:
    assert added(before, "anyio") == after


def test_several_modules() -> None:
    after = "import asyncio\nimport os\n\nimport pytest\n\nx = 1\n"
    assert added("import os\n\nx = 1\n", "pytest", "asyncio", "os", "pytest") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import asyncio\nimport time\n\n\nx = 1\n", "import asyncio\n\n\nx = 1\n"),
        ("import time\n\nimport trio\n", "import trio\n"),
        ('"""Doc."""\n\nimport time\n\nimport trio\n', '"""Doc."""\n\nimport trio\n'),
        ("import abc\n\nimport time\n\n\ndef f(): ...\n", "import abc\n\n\ndef f(): ...\n"),
        ("import abc\r\nimport time\r\n", "import abc\r\n"),
        ("from clock import (\n    now as time,\n)\nimport abc\n", "import abc\n"),
        ("import abc\nimport time", "import abc\n"),
        (
            "import abc\nimport time\n\nx = 'each time, for a time; time.'\n",
            "import abc\n\nx = 'each time, for a time; time.'\n",
        ),
    ],
)
def test_import_that_nothing_uses(before: str, after: str) -> None:
    assert drop_imports(SourceText.from_lines([before]), ["time", "sleep"]) == after


@pytest.mark.parametrize(
    "text",
    [
        "import time\n\ntime.sleep(1)\n",
        "import time\n\n__all__ = ['time']\n",
        "import time\n\npatch('shop.time.sleep')\n",
        "import time\n\nsince: 'dict[str, time.struct_time]'\n",
        "from fixtures import time\n\ndef test_shop(time): ...\n",
        "import time  # noqa: F401\n",
        "import abc; import time\n",
        "from clock import time, date\n",
        "if 1:\n    import time\n",
        "import time as clock\n",
        "from clock import Time\n",
        '"""\n>>> time.sleep(0)\n"""\n\nimport time\n',
        "from clock import time\n\nmark = skipif('not callable(time)')\n",
    ],
)
def test_import_that_stays(text: str) -> None:
    assert drop_imports(SourceText.from_lines([text]), ["time", "Time"]) == text


@pytest.mark.parametrize(
    ("path", "alone"),
    [
        ("tests/test_shop.py", True),
        ("test_shop.py", True),
        ("shop_test.py", True),
        ("tests\\conftest.py", True),
        ("tests/common.py", False),
        ("tests/test_shop/common.py", False),
        ("latest.py", False),
        ("-", False),
    ],
)
def test_files_that_others_may_import(path: str, *, alone: bool) -> None:
    assert is_read_alone(path) == alone


def test_source_that_cannot_be_parsed() -> None:
    with pytest.raises(SourceError):
        added("import (\n", "asyncio")


ROWS = st.sampled_from(
    [
        "import abc",
        "import sys  # why",
        "import time; import types",
        "import pytest",
        "from abc import ABC",
        "from pytest import (\n    fixture,\n)",
        "from . import x",
        "# a comment",
        "",
        "x = 1",
        "if x:\n    import asyncio",
        "def f():\n    pass",
    ]
)
HEADS = st.sampled_from(
    ["", "#!/bin/python\n", '"""Doc."""\n', '"""Doc."""\nfrom __future__ import division\n']
)


@given(
    HEADS, st.lists(ROWS, max_size=10), st.sampled_from(["\n", "\r\n"]), st.sampled_from(["asyncio", "anyio"])
)
def test_any_module_only_gains_lines(head: str, rows: list[str], newline: str, module: str) -> None:
    before = (head + "\n".join([*rows, ""])).replace("\n", newline)
    after = added(before, module)
    left = SourceText.from_lines([after]).lines
    left.remove(f"import {module}{newline if before else chr(10)}")
    compile(after, "<after>", "exec", dont_inherit=True)
    assert [line for line in left if line.strip()] == [
        line for line in SourceText.from_lines([before]).lines if line.strip()
    ]
    assert added(after, module) == after


def test_ruff_would_sort_it_the_same_way(tmp_path: Path) -> None:
    """Over every case that ruff's import sorting has nothing to say about."""
    before, after = tmp_path / "before", tmp_path / "after"
    for directory in (before, after):
        directory.mkdir()
    for number, (old, new) in enumerate(CASES.values()):
        (before / f"case{number}.py").write_bytes(old.encode())
        (after / f"case{number}.py").write_bytes(new.encode())

    def unsorted(directory: Path) -> set[str]:
        options = ["--isolated", "--no-cache", "--select=I001", "--output-format=concise", "--exit-zero"]
        command = [sys.executable, "-m", "ruff", "check", *options, "."]
        lines = subprocess.check_output(command, cwd=directory, encoding="utf-8").splitlines()
        return {line.split(":")[0] for line in lines if ".py:" in line}

    assert unsorted(after) - unsorted(before) == set()
    assert len(unsorted(before)) < len(CASES) / 2
