"""Real suites, one directory each below ``$ASYNCLINT_CORPORA``; run with ``pytest -m corpus``."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from programs import pair_all, reported, unscreened

from asynclint.engine import Fixing, Result
from asynclint.project.project import Project
from asynclint.run import check_files
from asynclint.settings import DEFAULTS, settings_for
from asynclint.source.files import File, find
from asynclint.source.text import SourceText

CORPORA = os.environ.get("ASYNCLINT_CORPORA", "")
SUITES = sorted(path.name for path in Path(CORPORA).glob("[!.]*") if path.is_dir()) if CORPORA else []
LINE_LENGTH = 88  # of ruff and black

pytestmark = pytest.mark.corpus


def test_there_are_suites() -> None:
    assert SUITES, "set ASYNCLINT_CORPORA to a directory of unpacked projects"


def files_of(root: Path) -> list[File]:
    files = [file for file in find([root], DEFAULTS) if isinstance(file, File)]
    assert files
    return files


def answers(results: list[Result]) -> list[object]:
    return [(result.display, [reported(f) for f in result.findings], result.problem) for result in results]


@pytest.mark.parametrize("suite", SUITES)
def test_every_file_is_checked_by_one_process_as_by_two(suite: str) -> None:
    root = Path(CORPORA) / suite
    settings, files = settings_for(root), files_of(root)
    one = list(check_files(files, settings))
    assert [result.problem for result in one if result.problem is not None] == []
    assert sum(not result.note for result in one) > 0
    assert answers(list(check_files(files, settings, jobs=2))) == answers(one)


@pytest.mark.parametrize("suite", SUITES)
def test_trees_agree(suite: str) -> None:
    seen: Counter[str] = Counter()
    for file in files_of(Path(CORPORA) / suite):
        seen += pair_all(file.path)
    assert seen["functions"] > 50
    assert seen["unparsable"] == 0


def test_a_screen_that_picks_everything_changes_no_answer() -> None:
    seen: Counter[object] = Counter()
    for suite in SUITES:
        project = Project(DEFAULTS)
        for file in files_of(Path(CORPORA) / suite):
            if project.is_test_code(file.path):
                text = SourceText.from_bytes(file.path.read_bytes())
                on, off = unscreened(text, file.path, project)
                assert on == off, file.display
                seen += Counter(code for _, code, *_ in on)
    assert sum(seen.values()) > 1_000


@pytest.mark.parametrize("fixing", [Fixing.SAFE, Fixing.UNSAFE])
def test_fixes_of_real_suites(fixing: Fixing, tmp_path: Path) -> None:
    seen: Counter[str] = Counter()
    for suite in SUITES:
        root = tmp_path / suite
        shutil.copytree(Path(CORPORA) / suite, root, symlinks=True, ignore=shutil.ignore_patterns(".git"))
        files, settings = files_of(root), settings_for(root)
        before = {file.path: file.path.read_bytes() for file in files}
        with_findings = {result.path for result in check_files(files, settings) if result.findings}
        left = list(check_files(files, settings, fixing=fixing, write=True))
        changed = []
        for result in left:
            assert result.problem is None, result.problem
            assert result.path is not None
            now = result.path.read_bytes()
            if result.path not in with_findings or result.written is None:
                assert now == before[result.path], result.display
                seen["untouched"] += 1
            else:
                compile(now, result.display, "exec", dont_inherit=True)
                changed.append(result.path)
        seen["fixed"] += len(changed)
        again = list(check_files(files, settings, fixing=fixing))
        assert [result.display for result in again if result.written is not None] == []
        assert answers(again) == answers(left)
        seen["clean"] += formatted_as_before(changed, before, tmp_path / "plain")
    assert seen["untouched"] > 500
    assert seen["fixed"] > 50
    assert seen["clean"] > 20


def formatted_as_before(changed: list[Path], before: dict[Path, bytes], room: Path) -> int:
    """Files that ruff left alone before it still leaves alone, but for lines that are now too long."""
    seen = 0
    for path in changed:
        if diff(before[path], room):
            continue
        seen += 1
        for hunk in re.split(r"^@@.*\n", diff(path.read_bytes(), room), flags=re.MULTILINE)[1:]:
            removed = [line[1:] for line in hunk.splitlines() if line.startswith("-")]
            added = "".join(line[1:] for line in hunk.splitlines() if line.startswith("+"))
            blank = not removed and not added.strip()  # before a nested function
            assert blank or any(len(line) > LINE_LENGTH for line in removed), f"{path}:\n{hunk}"
    return seen


def diff(source: bytes, room: Path) -> str:
    command = [
        sys.executable,
        "-m",
        "ruff",
        "format",
        "--isolated",
        "--diff",
        "--line-length",
        str(LINE_LENGTH),
        "-",
    ]
    room.mkdir(exist_ok=True)
    done = subprocess.run(command, cwd=room, input=source, capture_output=True, check=False)
    return done.stdout.decode()
