from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from asynclint.settings import Settings
from asynclint.source.files import File, Problem, find, is_test_path

DEFAULTS = ["*_test.py", "test_*.py"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    return project


def make(*names: str, content: str = "") -> None:
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def shown(*arguments: str, force_exclude: bool = False, **settings: Any) -> list[str]:
    """What is found, as displayed; everything must be a file."""
    found = list(find([Path(name) for name in arguments], Settings(**settings), force_exclude=force_exclude))
    assert [item for item in found if isinstance(item, Problem)] == []
    return [item.display for item in found]


def problem(argument: Path) -> Problem:
    (found,) = find([argument], Settings())
    assert isinstance(found, Problem)
    return found


def test_directories_are_walked_in_a_fixed_order() -> None:
    make("b.py", "a.py", "z/y.py", "c/d/e.py", "c/a.py", "c/notes.txt", "c/stub.pyi", "c/upper.PY")
    assert shown(".") == ["a.py", "b.py", "c/a.py", "c/d/e.py", "z/y.py"]


def test_arguments_come_in_their_order_and_once() -> None:
    make("a/x.py", "b/y.py")
    assert shown("b", "a", "b/y.py", "./b", "a/../b") == ["b/y.py", "a/x.py"]


@pytest.mark.parametrize("argument", ["a", "a/", "./a", "a/../a"])
def test_display_is_the_argument_and_what_is_below(argument: str, here: Path) -> None:
    make("a/x.py")
    (found,) = find([Path(argument)], Settings())
    assert found == File(here / "a" / "x.py", f"{Path(argument)}/x.py")


def test_display_of_absolute_arguments_and_of_those_outside(here: Path) -> None:
    make("a/x.py", "../other/y.py")
    assert shown(str(here / "a"), "../other") == [str(here / "a" / "x.py"), "../other/y.py"]


def test_explicit_is_what_was_named_itself(here: Path) -> None:
    make("a/x.py", "a/y.py", "script")
    found = find([Path("a"), Path("a/y.py"), Path("script")], Settings())
    assert [(item.display, item.explicit) for item in found if isinstance(item, File)] == [
        ("a/x.py", False),
        ("a/y.py", True),
        ("script", True),
    ]


@pytest.mark.parametrize(
    "name", [".git", ".tox", ".venv", "venv", "build", "x.egg", "site-packages", "__pycache__"]
)
def test_default_excludes(name: str) -> None:
    make(f"{name}/x.py", f"a/{name}/x.py", "a/y.py")
    assert shown(".") == ["a/y.py"]
    assert shown("a") == ["a/y.py"]
    assert shown(name) == [f"{name}/x.py"]
    assert shown(f"{name}/x.py") == [f"{name}/x.py"]


def test_default_excludes_do_not_look_above_the_argument(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("build/project/tests/x.py")
    monkeypatch.chdir("build/project")
    assert shown(".", force_exclude=True) == ["tests/x.py"]


@pytest.mark.parametrize(
    "glob",
    [
        "data",
        "dat?",
        "data/",
        "tests/data",
        "./tests/data",
        "tests/data/*",
        "*/data",
        "**/data",
        "tests/*/x.py",
    ],
)
def test_exclude_globs(glob: str) -> None:
    make("tests/data/x.py", "tests/y.py", "build/z.py")
    assert shown(".", extend_exclude=(glob,)) == ["tests/y.py"]
    assert shown(".", exclude=(glob,)) == ["build/z.py", "tests/y.py"]


def test_exclude_an_absolute_path(here: Path) -> None:
    make("tests/data/x.py", "tests/y.py")
    assert shown("tests", extend_exclude=(str(here / "tests" / "data"),)) == ["tests/y.py"]


def test_exclude_by_name_is_not_by_part_of_a_name() -> None:
    make("tests/database/x.py", "tests/my_data.py")
    assert shown(".", extend_exclude=("data", "data.py")) == ["tests/my_data.py", "tests/database/x.py"]


def test_force_exclude() -> None:
    make("tests/data/x.py", "tests/y.py", "build/lib/z.py")
    arguments = ["tests/data/x.py", "tests/data", "tests/y.py", "build/lib/z.py"]
    assert len(shown(*arguments, extend_exclude=("data",))) == 3
    assert shown(*arguments, extend_exclude=("data",), force_exclude=True) == ["tests/y.py"]
    assert shown(".", "tests/data/x.py", extend_exclude=("data",), force_exclude=True) == ["tests/y.py"]


@pytest.mark.parametrize("mark", ["pyvenv.cfg", "conda-meta/history"])
def test_virtual_environments_by_any_name(mark: str) -> None:
    make(f"env311/{mark}", "env311/lib/x.py", "y.py")
    assert shown(".") == ["y.py"]


def test_directory_links_are_not_followed(here: Path) -> None:
    make("a/x.py")
    Path("a/loop").symlink_to(here, target_is_directory=True)
    Path("link").symlink_to("a", target_is_directory=True)
    assert shown(".") == ["a/x.py"]
    assert shown("link") == ["link/x.py"]


def test_file_links_count_and_broken_ones_do_not() -> None:
    make("a/x.py")
    Path("a/y.py").symlink_to("x.py")
    Path("a/.#z.py").symlink_to("user@host.1234")  # what an editor leaves for a lock
    Path("a/loop.py").symlink_to("loop.py")
    assert shown(".") == ["a/x.py", "a/y.py"]


def test_gitignore() -> None:
    make(".gitignore", content="generated/\n*_pb2.py\n!keep_pb2.py\n/only_here.py\n# comment\n")
    make(
        "generated/x.py", "a/generated/x.py", "a/x_pb2.py", "a/keep_pb2.py", "only_here.py", "a/only_here.py"
    )
    assert shown(".") == ["a/keep_pb2.py", "a/only_here.py"]


def test_nested_gitignore_decides_before_the_outer() -> None:
    make(".gitignore", content="*.py\n")
    make("a/.gitignore", content="!x.py\n")
    make("a/b/.gitignore", content="/x.py\n")
    make("y.py", "a/x.py", "a/y.py", "a/b/x.py", "a/b/c/x.py")
    assert shown(".") == ["a/x.py", "a/b/c/x.py"]


def test_gitignore_above_the_argument_up_to_the_repository() -> None:
    make("../.gitignore", content="*.py\n")
    make(".git/config")
    make(".gitignore", content="a/b/skipped.py\n")
    make("a/b/skipped.py", "a/b/x.py")
    assert shown("a/b") == ["a/b/x.py"]
    assert shown(".") == ["a/b/x.py"]


def test_gitignore_of_no_repository_counts_below_the_argument_only() -> None:
    make(".gitignore", content="x.py\n")
    make("a/x.py")
    assert shown(".") == []
    assert shown("a") == ["a/x.py"]


def test_gitignore_stops_at_a_nested_repository() -> None:
    make(".git/config", "vendor/.git", "vendor/x.py", "x.py")
    make(".gitignore", content="x.py\n")
    assert shown(".") == ["vendor/x.py"]


def test_what_is_named_is_wanted_though_git_ignores_it() -> None:
    make(".git/config", "corpus/x.py", "corpus/sub/y.py")
    make(".gitignore", content="corpus/\n")
    assert shown(".") == []
    assert shown("corpus/sub") == ["corpus/sub/y.py"]
    assert shown("corpus/x.py", ".") == ["corpus/x.py"]


def test_gitignore_with_lines_that_are_no_patterns() -> None:
    Path(".gitignore").write_bytes(b"\xef\xbb\xbfx.py\r\n!\r\n\\\n\xff\xfe\ny.py\r\n")
    make("x.py", "y.py", "z.py")
    assert shown(".") == ["z.py"]


def test_as_git_sees_it(tmp_path: Path) -> None:
    make(".gitignore", content="a/*\n!a/keep/\n**/tmp\nfoo/**/bar.py\n*.gen.py\n!/top.gen.py\n")
    make("a/keep/.gitignore", content="no.py\n")
    make(
        "a/x.py", "a/keep/yes.py", "a/keep/no.py", "b/tmp/x.py", "foo/bar.py", "foo/1/2/bar.py", "foo/baz.py"
    )
    make("top.gen.py", "b/top.gen.py", "b/y.py")
    subprocess.run(["git", "init", "-q"], check=True)
    listed = subprocess.check_output(
        ["git", "ls-files", "--others", "--exclude-standard", "*.py"], encoding="utf-8"
    ).split()
    assert sorted(shown(".")) == sorted(listed)
    assert len(listed) == 4


def test_missing_path() -> None:
    found = problem(Path("nowhere/test_x.py"))
    assert found == Problem("nowhere/test_x.py", "cannot be read: it does not exist")


def test_a_file_named_like_a_directory() -> None:
    make("a.py")
    assert problem(Path("a.py/x.py")).message == "cannot be read: Not a directory"


def test_special_files_are_not_read() -> None:
    os.mkfifo("pipe.py")
    assert problem(Path("pipe.py")).message == "cannot be read: it is neither a file nor a directory"
    assert shown(".") == []


def test_link_to_itself() -> None:
    Path("loop.py").symlink_to("loop.py")
    assert "symbolic links" in problem(Path("loop.py")).message


def test_name_too_long() -> None:
    assert problem(Path("x" * 5000)).message == "cannot be read: File name too long"


def test_unreadable_directory() -> None:
    make("a/x.py", "b/y.py")
    Path("a").chmod(0)
    if os.access("a", os.R_OK):
        pytest.skip("root may list every directory")
    try:
        found = list(find([Path()], Settings()))
    finally:
        Path("a").chmod(stat.S_IRWXU)
    assert Problem("a", "cannot be listed: Permission denied") in found
    assert [item.display for item in found] == ["a", "b/y.py"]


def test_directory_that_vanishes_meanwhile() -> None:
    make("a.py", "b/y.py", "c/z.py")
    found = find([Path()], Settings())
    first = next(found)
    Path("b/y.py").unlink()
    Path("b").rmdir()
    assert [first.display, *(item.display for item in found)] == ["a.py", "b", "c/z.py"]


def test_names_that_are_no_text_can_be_printed(here: Path) -> None:
    raw = os.fsencode(here) + b"/\xff.py"
    Path(os.fsdecode(raw)).write_text("")
    (found,) = find([Path()], Settings())
    assert isinstance(found, File)
    assert found.display == "\ufffd.py"
    assert found.path.read_text() == ""


def test_trees_deeper_than_calls_may_nest() -> None:
    depth = sys.getrecursionlimit() + 100
    here = Path.cwd()
    for _ in range(depth):
        Path("d").mkdir()
        os.chdir("d")
    Path("x.py").write_text("")
    os.chdir(here)
    found = shown(".")
    os.chdir(Path(found[0]).parent)
    Path("x.py").unlink()
    for _ in range(depth):  # shutil.rmtree, which pytest cleans up with, would recurse
        os.chdir("..")
        Path("d").rmdir()
    assert found == ["d/" * depth + "x.py"]


def test_pathspec_is_imported_only_for_a_gitignore() -> None:
    make("a/x.py")
    code = """
import sys
from pathlib import Path
from asynclint.settings import Settings
from asynclint.source.files import find
assert len(list(find([Path()], Settings()))) == 1
assert "pathspec" not in sys.modules
Path(".gitignore").write_text("x.py")
assert list(find([Path()], Settings())) == []
assert "pathspec" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("path", "globs", "expected"),
    [
        ("test_a.py", DEFAULTS, True),
        ("src/a_test.py", DEFAULTS, True),
        ("src/a.py", DEFAULTS, False),
        ("src/testing.py", DEFAULTS, False),
        ("src/contest.py", DEFAULTS, False),
        ("conftest.py", DEFAULTS, True),
        ("src/conftest.py", [], True),
        ("tests/data.py", DEFAULTS, True),
        ("src/test/deep/er/data.py", [], True),
        ("tests.py", DEFAULTS, False),
        ("tests.py", ["tests.py"], True),
        ("src/check_a.py", ["check_*.py"], True),
        ("test_a.py", ["check_*.py"], False),
        ("unit/a.py", ["unit/*.py"], True),
        ("src/unit/a.py", ["unit/*.py"], True),
        ("/abs/src/unit/a.py", ["unit/*.py"], True),
        ("src/subunit/a.py", ["unit/*.py"], False),
        ("src/test_[a].py", ["test_[[]a].py"], True),
    ],
)
def test_test_files_by_name(path: str, globs: list[str], expected: bool) -> None:
    assert is_test_path(Path(path), globs) is expected
