"""What editors show that run flake8: the findings of the command."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lsp_client import Client, Json
from samples import environment, spawn

ROOT = Path(__file__).parents[1]
TESTS = "legacy_suite/tests"
# As https://github.com/microsoft/vscode-flake8 gives it, quotes and all, and what it makes of a line.
FORMAT = "--format='%(row)d,%(col)d,%(code).1s,%(code)s:%(text)s'"
LINE = re.compile(r"'(?P<line>\d+),(?P<column>-?\d+),\w+,(?P<code>\w+\d+):(?P<message>[^\r\n]*)'")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "fixtures" / "legacy_suite", tmp_path / "legacy_suite")
    return tmp_path


def command(project: Path, name: str) -> list[str]:
    """What the command says of a file, as ``line:column: code message``."""
    done = spawn(project, "--quiet", "--no-cache", name)
    return [line.removeprefix(f"{name}:") for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", ["test_worker.py", "test_orders.py"])
def test_visual_studio_code_runs_flake8(project: Path, name: str) -> None:
    path = project / TESTS / name
    done = subprocess.run(
        [sys.executable, "-m", "flake8", FORMAT, "--stdin-display-name", str(path), "-"],
        cwd=project,
        env=environment(),
        input=path.read_text(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    matches = list(filter(None, map(LINE.fullmatch, done.stdout.splitlines())))
    shown = [
        f"{m['line']}:{m['column']}: {m['code']} {m['message']}" for m in matches if m["code"][:3] == "ASL"
    ]
    assert shown == command(project, f"{TESTS}/{name}")
    assert len(shown) > 1


@pytest.fixture
def pylsp(project: Path) -> Iterator[Client]:
    """python-lsp-server, set up as its manual says."""
    client = Client(project, "pylsp", PATH=f"{Path(sys.executable).parent}:{environment()['PATH']}")
    yield client
    client.close()


@pytest.mark.editors
def test_python_lsp_server_runs_flake8(project: Path, pylsp: Client) -> None:
    plugins: Json = {"flake8": {"enabled": True}}
    plugins |= {name: {"enabled": False} for name in ("pycodestyle", "pyflakes", "mccabe")}
    pylsp.initialize()
    settings = {"pylsp": {"plugins": plugins}}
    pylsp.notify("workspace/didChangeConfiguration", {"settings": settings})
    for name in ("test_worker.py", "test_orders.py"):
        path = project / TESTS / name
        text = path.read_text()
        pylsp.open(path.as_uri(), text)
        found = pylsp.diagnostics(path.as_uri())
        shown = []
        for each in found:
            start = each["range"]["start"]
            if str(each["code"]).startswith("ASL"):
                shown.append(f"{start['line'] + 1}:{start['character'] + 1}: {each['message']}")
        assert len(shown) > 1
        assert shown == command(project, f"{TESTS}/{name}")
        pylsp.change(path.as_uri(), "", 2)
        assert pylsp.diagnostics(path.as_uri()) == []
    assert pylsp.leave() == 0
