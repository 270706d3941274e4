"""The hooks in a real repository, installed and run by pre-commit itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PUBLISHED = ("asynclint", "pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml")

pytestmark = pytest.mark.precommit

UNBOUNDED = """\
import asyncio


async def test_waits_for_ever(queue: asyncio.Queue[int]) -> None:
    assert await queue.get() == 1
"""
CLEAN = "def test_sum() -> None:\n    assert 1 + 1 == 2\n"


def git(directory: Path, *words: str) -> None:
    identity = ("-c", "user.name=Tester", "-c", "user.email=tester@example.org")
    subprocess.run(
        ["git", *identity, *words], cwd=directory, env=environment(), check=True, capture_output=True
    )


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PRE_COMMIT"))}


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This package as a git repository of its own, as it stands in the working tree."""
    directory = tmp_path_factory.mktemp("hooks")
    for name in PUBLISHED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, directory / name)
    git(directory, "init", "--quiet")
    git(directory, "add", ".")
    git(directory, "commit", "--quiet", "--message", "published")
    git(directory, "tag", "v1")
    return directory


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture
def repository(tmp_path: Path, hooks: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nrequires-python = ">=3.11"\n')
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_wait.py").write_text(UNBOUNDED)
    (tmp_path / "tests" / "test_sum.py").write_text(CLEAN)
    ids = "".join(f"      - id: {name}\n" for name in ("asynclint", "asynclint-fix"))
    config = f"repos:\n  - repo: {hooks.as_uri()}\n    rev: v1\n    hooks:\n{ids}"
    (tmp_path / ".pre-commit-config.yaml").write_text(config)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    return tmp_path


def pre_commit(repository: Path, store: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pre_commit", *words, "--color", "never"],
        cwd=repository,
        env={**environment(), "PRE_COMMIT_HOME": str(store)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_try_repo_reports(repository: Path, hooks: Path, store: Path) -> None:
    child = pre_commit(repository, store, "try-repo", str(hooks), "asynclint", "--all-files")
    assert child.returncode == 1, child.stdout + child.stderr
    assert "tests/test_wait.py:4:" in child.stdout
    assert "ASL101" in child.stdout
    assert "test_sum.py" not in child.stdout
    assert (repository / "tests" / "test_wait.py").read_text() == UNBOUNDED


def test_fix_fixes_then_passes(repository: Path, store: Path) -> None:
    first = pre_commit(repository, store, "run", "asynclint-fix", "--all-files")
    assert first.returncode == 1, first.stdout + first.stderr
    assert "files were modified by this hook" in first.stdout
    assert "async with asyncio.timeout(30):" in (repository / "tests" / "test_wait.py").read_text()
    assert (repository / "tests" / "test_sum.py").read_text() == CLEAN
    again = pre_commit(repository, store, "run", "--all-files")
    assert again.returncode == 0, again.stdout + again.stderr
    assert again.stdout.count("Passed") == 2


def test_only_the_changed_file_is_checked(repository: Path, store: Path) -> None:
    child = pre_commit(repository, store, "run", "asynclint", "--files", "tests/test_sum.py")
    assert child.returncode == 0, child.stdout + child.stderr


def test_excluded_in_the_settings(repository: Path, store: Path) -> None:
    with (repository / "pyproject.toml").open("a") as file:
        file.write('[tool.asynclint]\nextend-exclude = ["test_wait.py"]\n')
    child = pre_commit(repository, store, "run", "asynclint", "--all-files")
    assert child.returncode == 0, child.stdout + child.stderr
