"""Options of the test run, which tests it leaves out unless asked, and the command as a fixture."""

from __future__ import annotations

import gc
import io
import sys
from pathlib import Path

import pytest
from samples import Asynclint, Ran

from asynclint.cli import run

ON_REQUEST = ("corpus", "editors", "precommit")  # they need more than a checkout: name them with -m


def pytest_configure() -> None:
    # nearly as in a run of the command: else every tree is walked again and again
    gc.set_threshold(500_000, 20, 100)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update",
        action="store_true",
        help="rewrite the reports and fixed files of fixtures/ (read the difference before you commit it)",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.option.markexpr:
        return
    left_out = [item for item in items if any(item.get_closest_marker(name) for name in ON_REQUEST)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def update(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update"))


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with an empty configuration, which is the current directory."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nrequires-python = ">=3.11"\n')
    monkeypatch.chdir(tmp_path)
    names = ("PYTEST_ADDOPTS", "PYTEST_TIMEOUT", "FORCE_COLOR", "ASYNCLINT_TRACEBACK", "VIRTUAL_ENV")
    for variable in names:
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


@pytest.fixture
def asynclint(
    suite: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> Asynclint:
    """Run the command in this process, for speed; standard output keeps its bytes."""

    def call(*arguments: str, stdin: str | bytes = b"") -> Ran:
        raw = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
        status = run(arguments)
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return Ran(status, out.decode(), err.decode())

    return call
