"""Every rule against its fixture folder: what it reports, in which words, and what its fixes leave.

``pytest --update`` rewrites the answers (``*.txt``, ``*.fixed.py``, ``*.unsafe.py``).
"""

from __future__ import annotations

from pathlib import Path

import pytest
from fixture_folders import (
    FIXTURES,
    Folder,
    Laid,
    Mark,
    compare,
    folder_name,
    folders,
    lay_out,
    marks_in,
    marks_of,
)

from asynclint.engine import Fixing, Result
from asynclint.output.text import concise
from asynclint.rule import Rule, all_rules

BAD = [
    pytest.param(folder, path, id=f"{folder.code}-{path.stem}") for folder in folders() for path in folder.bad
]
GOOD = [
    pytest.param(folder, path, id=f"{folder.code}-{path.stem}")
    for folder in folders()
    for path in folder.good
]
CONFIGURING = (".py", ".ini", ".toml", ".cfg", ".yml", "Makefile")
PROJECTS = [
    pytest.param(folder, path, id=f"{folder.code}-{path.name}")
    for folder in folders()
    for path in folder.projects
]


@pytest.fixture
def laid(folder: Folder, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Laid:
    result = lay_out(folder, tmp_path, path if path.is_dir() else None)
    monkeypatch.chdir(result.root)
    return result


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)
def test_rule_has_fixtures(rule: Rule) -> None:
    folder = Folder(FIXTURES / folder_name(rule))
    if folder.is_of_suites:
        bad = [path for path in folder.projects if marked_files(path)]
        assert bad, f"no file of {folder.path.name}/project_*/ has a line that is marked {rule.code}"
        assert bad != folder.projects
        return
    marked = [code for path in folder.bad for _, _, code in marks_in(path, path.name)]
    assert rule.code in marked, f"no line of {folder.path.name}/test_bad.py is marked {rule.code}"
    assert (folder.path / "test_good.py").read_text(encoding="utf-8").strip()


def test_every_folder_belongs_to_a_rule() -> None:
    names = {path.name for path in FIXTURES.iterdir() if path.name.startswith("asl")}
    assert names == {folder_name(rule) for rule in all_rules()}
    assert names


@pytest.mark.parametrize(("folder", "path"), BAD)
def test_bad_is_reported(folder: Folder, path: Path, laid: Laid, update: bool) -> None:
    results = laid.check([path.name])
    differences = compare(marks_in(path, path.name), marks_of(results))
    assert not differences, differences
    expect(path.with_suffix(".txt"), report(results), update)


@pytest.mark.parametrize(("folder", "path"), GOOD)
def test_good_is_silent(folder: Folder, path: Path, laid: Laid) -> None:
    assert list(marks_in(path, path.name)) == []
    results = laid.check([path.name])
    differences = compare([], marks_of(results))
    assert not differences, differences
    results = laid.check([path.name], Fixing.UNSAFE)
    assert [result.after for result in results] == [result.before for result in results]


@pytest.mark.parametrize(("folder", "path"), PROJECTS)
def test_project(folder: Folder, path: Path, laid: Laid, update: bool) -> None:
    results = laid.check(["."])
    differences = compare(marked_files(laid.root), marks_of(results))
    assert not differences, differences
    expect(path.with_suffix(".txt"), report(results), update)
    fixed = laid.check(["."], Fixing.UNSAFE)
    for result in fixed:
        assert result.path is not None
        if result.written is not None:
            result.path.write_bytes(result.written)
    if folder.is_of_suites:
        changed = b"".join(result.written for result in fixed if result.written is not None)
        expect(path.with_suffix(".unsafe.py"), changed, update, unless=b"")
    for result in laid.check(["."], Fixing.UNSAFE):
        assert result.after == result.before
        if result.display.endswith(".py"):
            compile(result.after, result.display, "exec")


def marked_files(root: Path) -> list[Mark]:
    """What must be reported in the files of a project; those that configure pytest count, too."""
    paths = sorted(path for path in root.rglob("*") if path.name.endswith(CONFIGURING))
    return [mark for path in paths for mark in marks_in(path, path.relative_to(root).as_posix())]


@pytest.mark.parametrize(("folder", "path"), BAD)
def test_fixes_leave(folder: Folder, path: Path, laid: Laid, update: bool) -> None:
    safe = fixed_and_stable(laid, path, Fixing.SAFE)
    unsafe = fixed_and_stable(laid, path, Fixing.UNSAFE)
    expect(path.with_suffix(".fixed.py"), safe, update, unless=path.read_bytes())
    expect(path.with_suffix(".unsafe.py"), unsafe, update, unless=safe)


def fixed_and_stable(laid: Laid, path: Path, fixing: Fixing) -> bytes:
    """What fixing leaves of ``path``; it compiles, and fixing again changes nothing."""
    copy = laid.root / path.name
    copy.write_bytes(path.read_bytes())
    (first,) = laid.check([path.name], fixing)
    if first.written is None:
        assert first.after == first.before
        return path.read_bytes()
    copy.write_bytes(first.written)
    compile(first.written, path.name, "exec")
    (second,) = laid.check([path.name], fixing)
    assert second.after == second.before
    assert second.written is None
    marks = compare(marks_of([first]), marks_of([second]))
    assert not marks, "what fixing says is left is not what the next run reports"
    return first.written


def report(results: list[Result]) -> str:
    """The concise report, with what a fix would do or why there is none."""
    lines = []
    for finding in (finding for result in results for finding in result.findings):
        lines.append(concise(finding))
        if finding.fix is not None:
            lines.append(f"    {finding.fix.safety.value} fix: {finding.fix.message}")
        elif finding.held_back:
            lines.append(f"    no fix: {finding.held_back}")
    return "".join(f"{line}\n" for line in lines)


def expect(path: Path, content: bytes | str, update: bool, *, unless: bytes | None = None) -> None:
    """Compare with the answer kept at ``path``; none is kept where ``content`` is ``unless``."""
    data = content.encode() if isinstance(content, str) else content
    wanted = None if data == unless else data
    kept = path.read_bytes() if path.exists() else None
    if update and wanted is None:
        path.unlink(missing_ok=True)
    elif update and wanted is not None and kept != wanted:
        path.write_bytes(wanted)
    elif not update:
        shown = [None if answer is None else answer.decode(errors="replace") for answer in (wanted, kept)]
        assert shown[0] == shown[1], f"{path.name} differs; `pytest --update` rewrites it, then read it"
        assert wanted == kept
