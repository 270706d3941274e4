from __future__ import annotations

import pytest

from asynclint.output.unused_imports import without_unused
from asynclint.source.text import SourceText

USE = "\n\ntime.sleep(1)\n"
GONE = "\n\nawait_it(1)\n"
CASES = {
    "first of the file": ("import time\n\nimport pytest\n", "import pytest\n"),
    "in a block": ("import os\nimport time\nimport sys\n", "import os\nimport sys\n"),
    "a block of its own": ('"""Tests."""\n\nimport time\n', '"""Tests."""\n'),
    "one name of a module": ("from datetime import time\n", ""),
    "by another name": ("import datetime as time\n", ""),
    "over several lines": ("from datetime import (\n    time,\n)\nimport os\n", "import os\n"),
}
KEPT = (
    "import os, time\n",
    "import time  # noqa: F401\n",
    "import time; import os\n",
    "import time\n__all__ = ['time']\n",
    "import time\nPATCHED = 'test_this.time.sleep'\n",
    "import time\n\n\ndef test(clock: 'dict[time, int]'): pass\n",
    "from project import time\n",  # importing it may do more
    "if True:\n    import time\n",
)


@pytest.mark.parametrize("case", CASES)
def test_what_only_fixes_leave_unused_goes(case: str) -> None:
    before, after = CASES[case]
    assert _left(before + USE, before + GONE) == (after + GONE).removeprefix("\n\n")


@pytest.mark.parametrize("imports", KEPT)
def test_kept(imports: str) -> None:
    assert _left(imports + USE, imports + GONE) == imports + GONE


def test_what_was_unused_before_is_kept() -> None:
    assert _left("import time\nx()\n", "import time\ny()\n") == "import time\ny()\n"


def test_line_ends_stay() -> None:
    before, after = ("import time\r\n\r\nimport os\r\ntime()\r\n", "import time\r\n\r\nimport os\r\nx()\r\n")
    assert _left(before, after) == "import os\r\nx()\r\n"


def _left(before: str, after: str) -> str:
    return without_unused(SourceText.from_lines([before]), SourceText.from_lines([after]))
