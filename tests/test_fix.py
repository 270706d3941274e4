from __future__ import annotations

import ast
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynclint.finding import Edit, Finding, Fix, Position, Safety, Span
from asynclint.output.fix import Applied, apply, diff, write
from asynclint.source.text import SourceText

Raw = tuple[int, int, str]


def finding(
    text: SourceText, *edits: Raw, safety: Safety = Safety.SAFE, imports: tuple[str, ...] = ()
) -> Finding:
    """A finding whose fix makes these edits, given as offsets."""
    made = tuple(Edit(Span(text.position(start), text.position(end)), new) for start, end, new in edits)
    return Finding("t.py", made[0].span, "ASL999", repr(edits), Fix("", made, safety, imports))


def applied(source: str, *fixes: list[Raw], unsafe: bool = False) -> tuple[str, list[int], list[int]]:
    """The text, the numbers of the fixes that are in, and of those that are held."""
    text = SourceText.from_bytes(source.encode())
    findings = [finding(text, *edits) for edits in fixes]
    result = apply(text, findings, unsafe=unsafe)
    return result.text, numbers(findings, result.applied), numbers(findings, result.held)


def numbers(findings: list[Finding], some: tuple[Finding, ...]) -> list[int]:
    return [number for number, one in enumerate(findings) if any(one is other for other in some)]


def test_edits_land_where_they_belong() -> None:
    text = SourceText.from_bytes(b"\xef\xbb\xbf# \xc3\xa9\r\n'\xc3\xa9\xc3\xa9'; call()\r\nx = 1")
    at = Position(2, 6)
    one = Finding(
        "t.py", Span(at, at), "ASL301", "", Fix("", (Edit(Span(at, Position(2, 10)), "other"),), Safety.SAFE)
    )
    result = apply(text, [one], unsafe=False)
    assert result == Applied("# é\r\n'éé'; other()\r\nx = 1", (one,), ())
    assert text.encode(result.text) == b"\xef\xbb\xbf# \xc3\xa9\r\n'\xc3\xa9\xc3\xa9'; other()\r\nx = 1"


def test_edits_of_one_fix_in_any_order() -> None:
    assert applied("abc\n", [(3, 3, ")"), (0, 0, "("), (1, 2, "X")]) == ("(aXc)\n", [0], [])


def test_only_safe_fixes_unless_asked() -> None:
    text = SourceText.from_lines(["a; b\n"])
    safe = finding(text, (0, 1, "A"))
    unsafe = finding(text, (3, 4, "B"), safety=Safety.UNSAFE)
    none = Finding("t.py", safe.span, "ASL999", "no fix")
    assert apply(text, [safe, unsafe, none], unsafe=False) == Applied("A; b\n", (safe,), ())
    assert apply(text, [safe, unsafe, none], unsafe=True) == Applied("A; B\n", (safe, unsafe), ())


def test_no_fix_at_all() -> None:
    assert applied("x = 1\n") == ("x = 1\n", [], [])


@pytest.mark.parametrize("order", [1, -1])
def test_outer_wins_over_nested(order: int) -> None:
    fixes: list[list[Raw]] = [[(0, 0, "("), (5, 5, ")")], [(2, 3, "-")]][::order]
    outer = 0 if order == 1 else 1
    assert applied("a + b\n", *fixes) == ("(a + b)\n", [outer], [1 - outer])


def test_earlier_wins_over_overlapping() -> None:
    assert applied("abcdef\n", [(2, 5, "X")], [(0, 3, "Y")], [(4, 6, "Z")]) == ("YdZ\n", [1, 2], [0])


def test_longer_wins_at_the_same_place() -> None:
    assert applied("a.b.c\n", [(0, 1, "x")], [(0, 5, "y")]) == ("y\n", [1], [0])


def test_same_edits_count_once() -> None:
    assert applied("abc\n", [(0, 1, "X")], [(0, 1, "X")], [(3, 3, "1")], [(3, 3, "1")]) == (
        "Xbc1\n",
        [0, 1, 2, 3],
        [],
    )


def test_different_replacements_of_one_place() -> None:
    assert applied("abc\n", [(0, 1, "X")], [(0, 1, "Y")]) == ("Xbc\n", [0], [1])


def test_insertions_at_one_place_keep_their_order() -> None:
    assert applied("a\n", [(1, 1, "1")], [(1, 1, "2")], [(1, 1, "3")]) == ("a123\n", [0, 1, 2], [])


def test_touching_is_no_overlap() -> None:
    assert applied("ab\n", [(0, 1, "X")], [(1, 2, "Y")], [(1, 1, "_")]) == ("X_Y\n", [0, 1, 2], [])


def test_line_behind_a_replaced_block_waits_for_the_next_round() -> None:
    both = applied("if a:\n    b", [(6, 11, "    with c:\n        b")], [(11, 11, "\n    d")])
    assert both == ("if a:\n    with c:\n        b", [0], [1])


def test_fix_whose_own_edits_overlap_is_held() -> None:
    assert applied("abc\n", [(0, 2, "X"), (1, 3, "Y")], [(2, 3, "Z")]) == ("abZ\n", [1], [0])


def test_fix_that_changes_nothing_is_held() -> None:
    assert applied("abc\n", [(0, 1, "a")]) == ("abc\n", [], [0])


def test_fix_that_does_not_compile_is_held_alone() -> None:
    source = "a\nb\nc\nd\ne\n"
    fixes: list[list[Raw]] = [[(0, 1, "A")], [(2, 3, "(")], [(4, 5, "C")], [(6, 7, "return")], [(8, 9, "E")]]
    assert applied(source, *fixes) == ("A\nb\nC\nd\nE\n", [0, 2, 4], [1, 3])


def test_fixes_that_only_compile_apart() -> None:
    both = applied("def f():\n    pass\n", [(9, 9, "    x = 2\n")], [(9, 9, "    global x\n")])
    assert both == ("def f():\n    x = 2\n    pass\n", [0], [1])


def test_what_a_broken_fix_kept_out_gets_its_turn() -> None:
    assert applied("(a + b)\n", [(0, 7, "(")], [(1, 2, "A")]) == ("(A + b)\n", [1], [0])


def nested(depth: int) -> str:
    return "".join(f"{' ' * level}with a:\n" for level in range(depth)) + " " * depth + "pass\n"


def compiles(source: str) -> bool:
    try:
        compile(source, "<source>", "exec")
    except SyntaxError:
        return False
    return True


def test_too_many_nested_blocks_are_noticed() -> None:
    depth = next(depth for depth in range(1, 100) if not compiles(nested(depth + 1)))
    ast.parse(nested(depth + 1))
    source = nested(depth)
    assert applied(source, [(0, len(source), nested(depth + 1))]) == (source, [], [0])


def test_source_that_did_not_compile_is_left_alone() -> None:
    assert applied("return\nx\n", [(7, 8, "y")], [(7, 7, "z")]) == ("return\nx\n", [], [0, 1])


@pytest.mark.filterwarnings("error")
def test_no_warning_is_printed() -> None:
    assert applied("x = '\\d' is 1\n", [(0, 1, "y")])[1] == [0]


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="an error in any module")
def test_future_flags_of_the_fixing_module_are_not_inherited() -> None:
    # an error under "from __future__ import annotations" alone
    assert applied("def g():\n    def f(x: (yield)): pass\n", [(4, 5, "h")])[1] == [0]


def test_imports_come_once_and_only_with_their_fix() -> None:
    text = SourceText.from_lines(["import os\n", "\n", "a\n", "b\n"])
    findings = [
        finding(text, (11, 12, "A"), imports=("asyncio",)),
        finding(text, (13, 14, "B"), imports=("asyncio", "os")),
        finding(text, (13, 14, "("), imports=("time",)),
    ]
    result = apply(text, findings, unsafe=False)
    assert result.text == "import asyncio\nimport os\n\nA\nB\n"
    assert numbers(findings, result.held) == [2]


SOURCE = "".join(f"name{number} = 'é{number}'\r\n" for number in range(12))
PLACES = st.integers(0, len(SOURCE))
TEXTS = st.sampled_from(["", "x", "(", "\n", "'", "# é\n", "    "])
EDITS = st.builds(lambda a, b, new: (min(a, b), max(a, b), new), PLACES, PLACES, TEXTS)
SMALL = st.builds(lambda a, size, new: (a, min(a + size, len(SOURCE)), new), PLACES, st.integers(0, 3), TEXTS)


@given(st.lists(st.lists(EDITS | SMALL, min_size=1, max_size=3), max_size=8))
def test_any_fixes(fixes: list[list[Raw]]) -> None:
    text = SourceText.from_bytes(SOURCE.encode())
    findings = [finding(text, *edits) for edits in fixes]
    result = apply(text, findings, unsafe=False)
    taken, held = numbers(findings, result.applied), numbers(findings, result.held)
    assert sorted(taken + held) == list(range(len(fixes)))
    compile(result.text, "<result>", "exec", dont_inherit=True)
    rest = 0
    done = 0
    edits = {tuple(sorted(fixes[number], key=lambda edit: edit[:2])) for number in taken}
    for start, end, _ in sorted((edit for one in edits for edit in one), key=lambda edit: edit[:2]):
        kept = SOURCE[done:start]  # every stretch between edits is there, in order, untouched
        assert result.text.find(kept, rest) >= rest
        rest = result.text.index(kept, rest) + len(kept)
        done = end
    assert result.text.endswith(SOURCE[done:])
    grown = sum(len(new) - (end - start) for one in edits for start, end, new in one)
    assert len(result.text) == len(SOURCE) + grown
    again = apply(text, findings, unsafe=False)
    assert again.text == result.text


def test_write_replaces_bytes_and_keeps_the_mode(tmp_path: Path) -> None:
    path = tmp_path / "t.py"
    path.write_bytes(b"old")
    path.chmod(0o751)
    write(path, b"new\r\n\xff")
    assert path.read_bytes() == b"new\r\n\xff"
    assert stat.S_IMODE(path.stat().st_mode) == 0o751
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.py"]


def test_write_follows_a_link_to_its_target(tmp_path: Path) -> None:
    target = tmp_path / "real" / "t.py"
    target.parent.mkdir()
    target.write_bytes(b"old")
    link = tmp_path / "link.py"
    link.symlink_to("real/t.py")
    write(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert [entry.name for entry in target.parent.iterdir()] == ["t.py"]


def test_write_to_what_is_gone(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write(tmp_path / "t.py", b"new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(
    not Path("/proc/version").exists(), reason="needs a directory in which nobody makes files"
)
def test_write_where_no_file_can_be_made() -> None:
    with pytest.raises(OSError, match="/proc"):
        write(Path("/proc/self/comm"), b"new")


@pytest.mark.parametrize("locked", ["file", "directory"])
def test_write_without_permission(tmp_path: Path, locked: str) -> None:
    path = tmp_path / "t.py"
    path.write_bytes(b"old")
    forbidden = path if locked == "file" else tmp_path
    forbidden.chmod(0o555)
    if os.access(forbidden, os.W_OK):
        pytest.skip("root may write everything")
    try:
        with pytest.raises(PermissionError):
            write(path, b"new")
    finally:
        tmp_path.chmod(0o755)
    assert path.read_bytes() == b"old"


@pytest.mark.skipif(os.name == "nt", reason="needs resource limits")
def test_write_on_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "t.py"
    path.write_bytes(b"old")
    code = """
import resource, sys
from pathlib import Path
from asynclint.output.fix import write
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write(Path(sys.argv[1]), b"x" * 100_000)
except OSError as error:
    print(error.strerror)
"""
    printed = subprocess.check_output([sys.executable, "-c", code, str(path)], encoding="utf-8")
    assert printed == "File too large\n"
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.py"]


def test_diff() -> None:
    before = "".join(f"line {number}\n" for number in range(20))
    expected = """\
--- tests/t.py
+++ tests/t.py
@@ -7,7 +7,8 @@
 line 6
 line 7
 line 8
-line 9
+line nine
+more
 line 10
 line 11
 line 12
"""
    assert diff("tests/t.py", before, before.replace("9\n", "nine\nmore\n", 1)) == expected
    assert diff("tests/t.py", before, before) == ""


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_diff_shows_no_carriage_returns(newline: str) -> None:
    shown = diff("t.py", f"a{newline}b{newline}", f"a{newline}c{newline}")
    assert shown == "--- t.py\n+++ t.py\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"


def test_diff_without_a_final_newline() -> None:
    shown = diff("t.py", "a\nb", "a\nc\n")
    assert shown == "--- t.py\n+++ t.py\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n"


def test_diff_of_lines_that_hold_other_separators() -> None:
    shown = diff("t.py", "a\x0c\u2028b\nc\n", "a\x0c\u2028b\nd\n")
    assert shown == "--- t.py\n+++ t.py\n@@ -1,2 +1,2 @@\n a\x0c\u2028b\n-c\n+d\n"


@pytest.mark.skipif(shutil.which("patch") is None, reason="needs patch")
@pytest.mark.parametrize("before", ["a\nb\nc\n", "a\nb\nc", ""])
@pytest.mark.parametrize("after", ["a\nX\nc\n", "a\nb\nc\nd", "z"])
def test_patch_understands_the_diff(tmp_path: Path, before: str, after: str) -> None:
    path = tmp_path / "t.py"
    path.write_text(before)
    command = ["patch", "--silent", "t.py"]
    subprocess.run(command, cwd=tmp_path, input=diff("t.py", before, after), encoding="utf-8", check=True)
    assert path.read_text() == after
