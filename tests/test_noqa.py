"""Suppressions against flake8 itself: a plugin that reports two codes on every line of every shape."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from asynclint.source.noqa import Suppressions
from asynclint.source.text import SourceText

CODES = ("QQQ101", "QQQ201")
PLUGIN = """
class Plugin:
    name = "every-line"
    version = "1"

    def __init__(self, tree, lines):
        self.lines = lines

    def run(self):
        for line in range(1, len(self.lines) + 1):
            for code in ("QQQ101", "QQQ201"):
                yield line, 0, f"{code} here", type(self)
"""
CONFIG = """
[flake8]
select = QQQ
[flake8:local-plugins]
extension = QQQ = every_line:Plugin
paths = .
"""
SHAPES = {
    "none": "x = 1\ny = 2\n",
    "bare": "x = 1  # noqa\ny = 2\n",
    "case": "x = 1  # NoQA\ny = 2  # NOQA:qqq101\nz = 3  # noqa: QQQ101\n",
    "code": "x = 1  # noqa: QQQ101\ny = 2  # noqa: QQQ201\nz = 3  # noqa: E501\n",
    "codes": "x = 1  # noqa: QQQ101,E501\ny = 2  # noqa:E501 QQQ201\nz = 3  # noqa: QQQ101, QQQ201\n",
    "odd_separators": "x = 1  # noqa : QQQ101\ny = 2  # noqa:  QQQ201\nz = 3  # noqa: E501;QQQ101\n",
    "prefix": "x = 1  # noqa: QQQ1\ny = 2  # noqa: QQQ20\nz = 3  # noqa: QQQ\nw = 1  # noqa: Q1\n",
    "explained": "x = 1  # noqa: QQQ101 because\ny = 2  # noqa because\nz = 3  # noqa: because\n",
    "tight": "x = 1  #noqa\ny = 2  #  noqa\nz = 3  # noqax\nw = 1  # type: ignore # noqa\n",
    "in_string": "x = '# noqa'\ny = 2\n",
    "string_end": "x = '''\na\n'''  # noqa\ny = 2\n",
    "string_inside": "x = '''\n# noqa: QQQ101\n'''\ny = 2\n",
    "two_strings": "f('''\na''', '''\n''')  # noqa\ny = 2\n",
    "docstring": "def f():\n    '''Doc.\n\n    More.\n    '''  # noqa: QQQ201\n    return 1\n",
    "fstring": "x = f'''\n{1}\n'''  # noqa\ny = f'{2}'  # noqa: QQQ101\n",
    "fstring_code": "# noqa\nx = f'''{\n1 +\n2\n}'''  # noqa\ny = 2\n",
    "fstring_lines": "x = f'''{\n1\n}'''  # noqa\ny = 2\n",
    "backslash": "x = 1 + \\\n    2  # noqa\ny = 3\n",
    "backslash_string": "x = 'a\\\nb'  # noqa: QQQ201\ny = 3\n",
    "call_end": "f(\n    1,\n)  # noqa\ny = 2\n",
    "call_start": "f(  # noqa\n    1,\n)\ny = 2\n",
    "call_middle": "f(\n    1,  # noqa: QQQ101\n    2,\n)\n",
    "call_with_string": "f(\n    '''a\n    b''',  # noqa\n    2,\n)\n",
    "decorated": "@d  # noqa\ndef f():  # noqa: QQQ201\n    pass\n",
    "own_line": "# noqa\nx = 1\n    # noqa: QQQ101\ny = 2\n",
    "blank_lines": "\n\nx = 1\n\n\n# noqa\n\n",
    "block": "if 1:  # noqa\n    x = 1\n    if 2:\n        y = 2  # noqa: QQQ101\nz = 3\n",
    "semicolon": "x = 1; y = 2  # noqa: QQQ101\nz = 3\n",
    "no_final_newline": "x = 1\ny = 2  # noqa",
    "final_comment": "x = 1\n# noqa",
    "empty": "",
    "form_feed": "x = 1\n\x0c\ny = '\x0c'  # noqa\n",
    "separators": "x = '\x1c\u2028\x85'\ny = 2  # noqa\nz = 3\n",
    "file": "# flake8: noqa\nx = 1\n",
    "file_late": "x = 1\n\n    # Flake8:NOQA\n",
    "file_equals": "# flake8= noqa\nx = 1\n",
    "file_with_code": "x = 1  # flake8: noqa\ny = 2\n",
    "file_codes": "# flake8: noqa: QQQ101\nx = 1\n",
    "file_code_other": "x = 2\n# flake8: noqa: E501\nx = 1\n",
    "file_in_string": "x = '''\n# flake8: noqa\n'''\ny = 1\n",
    "file_words": "# flake8: noqa because of\nx = 1\n",
    "crlf": "x = '''\r\na'''  # noqa\r\ny = 2\r\nz = 3 \\\r\n + 4  # noqa: QQQ101\r\n",
    "cr": "x = 1  # noqa\ry = 2\rz = 3  # noqa: QQQ201\r",
    "mixed": "x = 1\r\n\ry = 2  # noqa\nz = 3\r",
    "bom": "\ufeffx = 1  # noqa\ny = 2\n",
    "bom_file": "\ufeff# flake8: noqa\ny = 2\n",
    "unicode": "x = 'é漢😀'  # noqa: QQQ101 é\ny = 2\n",
}


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, int, str]]:
    """Every (shape, line, code) that flake8 reports."""
    directory = tmp_path_factory.mktemp("noqa")
    (directory / "every_line.py").write_text(PLUGIN)
    (directory / ".flake8").write_text(CONFIG)
    (directory / "shapes").mkdir()
    for name, content in SHAPES.items():
        (directory / "shapes" / f"{name}.py").write_bytes(content.encode())
    (directory / "shapes" / "latin.py").write_bytes(b"# coding: latin-1\nx = '\xe9'  # noqa\ny = 2\n")
    command = [sys.executable, "-m", "flake8", "--jobs=1", "shapes"]
    done = subprocess.run(command, cwd=directory, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 1, done.stderr
    found = set()
    for line in done.stdout.splitlines():
        path, number, _, message = line.split(":", 3)
        found.add((Path(path).stem, int(number), message.split()[0]))
    return found


@pytest.mark.parametrize("name", SHAPES)
def test_as_flake8_counts(name: str, reported: set[tuple[str, int, str]]) -> None:
    text = SourceText.from_bytes(SHAPES[name].encode())
    suppressions = Suppressions(text)
    lines = {line for line in range(1, len(text.lines) + 1) if _may_begin(line, text)}
    left = {(name, line, code) for line in lines for code in CODES if not suppressions.hides(line, code)}
    assert left == {found for found in reported if found[0] == name and found[1] in lines}


def _may_begin(line: int, text: SourceText) -> bool:
    """Whether something that is reported may begin in a line: it lies inside no string."""
    strings = [node for node in ast.walk(ast.parse(text.text)) if isinstance(node, ast.Constant)]
    return all(not node.lineno < line < (node.end_lineno or 0) for node in strings)


def test_as_flake8_counts_in_another_encoding(reported: set[tuple[str, int, str]]) -> None:
    text = SourceText.from_bytes(b"# coding: latin-1\nx = '\xe9'  # noqa\ny = 2\n")
    assert [line for line in (1, 2, 3) if not Suppressions(text).hides(line, "QQQ101")] == [1, 3]
    assert {line for name, line, _ in reported if name == "latin"} == {1, 3}


def test_shapes_tell_something(reported: set[tuple[str, int, str]]) -> None:
    possible = sum(len(SourceText.from_bytes(content.encode()).lines) for content in SHAPES.values()) * 2
    assert 60 < len(reported) < possible - 60


def test_whole_file() -> None:
    assert Suppressions(SourceText.from_lines(["# flake8: noqa\n", "x = 1\n"])).whole_file
    assert not Suppressions(SourceText.from_lines(["x = 1  # flake8: noqa\n"])).whole_file
    assert not Suppressions(SourceText.from_lines(["x = 1  # noqa\n"])).whole_file


def test_source_that_cannot_be_tokenized() -> None:
    suppressions = Suppressions(SourceText.from_lines(["x = (  # noqa\n", "1\n"]))
    assert [suppressions.hides(line, "ASL101") for line in (0, 1, 2, 3)] == [False, True, False, False]


def test_flake8_is_imported_only_where_the_word_occurs() -> None:
    code = """
import sys
from asynclint.source.noqa import Suppressions
from asynclint.source.text import SourceText
plain = Suppressions(SourceText.from_lines(["x = 1\\n"]))
assert not plain.hides(1, "ASL101") and not plain.whole_file
assert "flake8" not in sys.modules
assert Suppressions(SourceText.from_lines(["x = 1  # noqa\\n"])).hides(1, "ASL101")
"""
    subprocess.run([sys.executable, "-c", code], check=True)
