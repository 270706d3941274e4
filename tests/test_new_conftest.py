"""``--checklist --fix`` where a suite has no conftest.py that all of its tests get."""

from __future__ import annotations

from pathlib import Path

import pytest
from samples import Asynclint
from test_checklist import PYPROJECT, lay

CASE = """\
    import unittest


    class TestLamp(unittest.IsolatedAsyncioTestCase):
        async def test_lamp(self):
            pass
    """
TEST = "async def test_lamp():\n    pass\n"


@pytest.fixture
def bare(suite: Path) -> Path:
    lay(suite, {"pyproject.toml": PYPROJECT, "tests/test_lamp.py": TEST})
    return suite


def test_it_is_created(bare: Path, asynclint: Asynclint) -> None:
    before = asynclint("--checklist").out
    assert "fix: --fix creates tests/conftest.py, whose fixture warns" in before
    ran = asynclint("--checklist", "--fix")
    assert ran.err.splitlines() == ["created tests/conftest.py"]
    text = (bare / "tests/conftest.py").read_text()
    assert text.startswith(
        "import asyncio\nimport inspect\nimport warnings\n\nimport pytest\nimport pytest_asyncio\n"
    )
    assert "warnings.warn" in text
    assert "pytest.fail" not in text
    compile(text, "conftest.py", "exec")
    assert "tests/conftest.py" in next(line for line in ran.out.splitlines() if "pending tasks" in line)
    again = asynclint("--checklist", "--fix")
    assert again.err == ""
    assert (bare / "tests/conftest.py").read_text() == text


def test_with_unsafe_fixes_it_fails_a_test(bare: Path, asynclint: Asynclint) -> None:
    assert "created tests/conftest.py" in asynclint("--checklist", "--fix", "--unsafe-fixes").err
    assert "pytest.fail" in (bare / "tests/conftest.py").read_text()


def test_no_other_run_creates_it(bare: Path, asynclint: Asynclint) -> None:
    asynclint("--select", "ASL207", "--fix", "--unsafe-fixes", ".")
    assert not (bare / "tests/conftest.py").exists()


def test_what_imports_might_notice_is_unsafe(bare: Path, asynclint: Asynclint) -> None:
    # with tests/conftest.py, pytest puts tests/ on sys.path, and tests/json.py is found before json
    lay(bare, {"tests/json.py": "", "tests/unit/test_more.py": TEST})
    assert "fix: --fix --unsafe-fixes creates tests/conftest.py" in asynclint("--checklist").out
    assert "created" not in asynclint("--checklist", "--fix").err


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"tests/test_other.py": "from conftest import lamp\n"}, "something imports a module conftest"),
        ({"tests/test_lamp.py": CASE, "pyproject.toml": ""}, "nothing says that pytest"),
    ],
)  # fmt: skip
def test_where_none_is_created(bare: Path, asynclint: Asynclint, files: dict[str, str], why: str) -> None:
    lay(bare, files)
    assert why in asynclint("--checklist").out
    assert "created" not in asynclint("--checklist", "--fix").err
    assert not (bare / "tests/conftest.py").exists()


def test_what_is_ignored_is_not_added(bare: Path, asynclint: Asynclint) -> None:
    lay(bare, {"pyproject.toml": PYPROJECT + '\n    [tool.asynclint]\n    ignore = ["ASL207"]\n'})
    assert "created" not in asynclint("--checklist", "--fix").err


def test_a_directory_that_cannot_be_written_is_said(
    bare: Path, asynclint: Asynclint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes, *, new: bool = False) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("asynclint.output.fix.write", full)
    ran = asynclint("--checklist", "--fix")
    assert ran.status == 2
    assert "tests/conftest.py" in ran.err
    assert "No space left on device" in ran.err
