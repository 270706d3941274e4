"""Every fenced block of README.md runs, or is read by the program that it is for.

``BLOCKS`` names each by its first line, and says what is done with it: a check, or why none can be.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sysconfig
import textwrap
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
import readme
import yaml

from asynclint import __version__, cli
from asynclint.settings import settings_for

pytestmark = pytest.mark.slow

ROOT = readme.ROOT
TEXT = readme.README.read_text(encoding="utf-8")
FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
SHELL = "sh"


class Block(NamedTuple):
    """A fenced block: the language it names, and its text without the indentation of its list."""

    language: str
    text: str

    @property
    def first(self) -> str:
        return self.text.partition("\n")[0]


def blocks_of(text: str) -> list[Block]:
    return [Block(found[2], textwrap.dedent(found[3])) for found in FENCE.finditer(text)]


def start(project: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in ``project``, where programs of the tests' environment come first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "GIT_"))}
    path = os.pathsep.join([sysconfig.get_path("scripts"), kept.get("PATH", "")])
    return subprocess.run(
        command, cwd=project, env={**kept, "PATH": path}, capture_output=True, encoding="utf-8", check=False
    )


def run_line(line: str, project: Path, statuses: tuple[int, ...] = (0, 1)) -> str:
    """Run one line as a shell does; what it printed."""
    done = start(project, "sh", "-c", line)
    assert done.returncode in statuses, f"$ {line}\n{done.stdout}{done.stderr}"
    assert "could not be checked" not in done.stderr, f"$ {line}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def run_lines(block: Block, project: Path) -> None:
    for line in block.text.splitlines():
        assert run_line(line, project), f"{line} printed nothing"


def measures_first(block: Block, project: Path) -> None:
    run_lines(block, project)
    assert "timeout(5)" in (project / "tests" / "test_broker.py").read_text(encoding="utf-8")
    assert "; 0 left." in run_line("asynclint --fix --select ASL101 tests/", project, statuses=(0,))


def sets_aside(block: Block, project: Path) -> None:
    """The baseline of the commands is the one of the settings that README gives behind them."""
    run_lines(block, project)
    (setting,) = (each for each in blocks_of(TEXT) if "\nbaseline = " in each.text)
    append(project / "pyproject.toml", setting.text)
    said = run_line("asynclint tests/", project, statuses=(0,))
    assert re.search(r"^No findings in \d files, \d+ in the baseline", said)


def holds_for_asynclint(block: Block, project: Path) -> None:
    append(project / "pyproject.toml", block.text)
    settings = settings_for(project)  # raises for what is no setting
    assert settings.baseline == project / tomllib.loads(block.text)["tool"]["asynclint"]["baseline"]


def holds_for_flake8(block: Block, project: Path) -> None:
    before = start(project, "flake8", "--select", "ASL", ".")
    assert "ASL103" in before.stdout
    assert "ASL2" in before.stdout
    (project / "setup.cfg").write_text(block.text)
    (project / "tests" / "legacy").mkdir()
    shutil.move(project / "tests" / "test_worker.py", project / "tests" / "legacy")
    done = start(project, "flake8", "--extend-exclude", "src", ".")
    assert (done.returncode, done.stderr) == (1, "")
    assert "ASL101" in done.stdout
    assert "ASL103" not in done.stdout
    assert not re.search(r"legacy/.*ASL2", done.stdout)


def holds_for_ruff(block: Block, project: Path) -> None:
    (project / "noqa.py").write_text("print()  # noqa: ASL101\n")
    check = ("ruff", "check", "--no-cache", "--preview", "--select", "RUF100,RUF102", "noqa.py")
    assert start(project, *check).returncode == 1
    append(project / "pyproject.toml", block.text)
    done = start(project, *check)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def starts_server_from_helix(block: Block, project: Path) -> None:
    read = tomllib.loads(block.text)
    ((name, server),) = read["language-server"].items()
    assert_starts_server([server["command"], *server["args"]])
    assert read["language"] == [{"name": "python", "language-servers": [name]}]


def starts_server_from_code(block: Block, project: Path) -> None:
    read = json.loads("{" + block.text + "}")
    assert_starts_server([read["glspc.server.command"], *read["glspc.server.commandArguments"]])
    assert read["glspc.server.languageId"] == ["python"]


def assert_starts_server(command: list[str]) -> None:
    known = {name for option in cli.command.params for name in option.opts}
    assert command == ["asynclint", "--lsp"]  # how that goes on, test_language_server.py shows
    assert "--lsp" in known


def holds_for_pre_commit(block: Block, project: Path) -> None:
    (project / ".pre-commit-config.yaml").write_text(block.text)
    done = start(project, "pre-commit", "validate-config", ".pre-commit-config.yaml")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (repository,) = yaml.safe_load(block.text)["repos"]
    offered = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert {hook["id"] for hook in repository["hooks"]} <= {hook["id"] for hook in offered}
    assert repository["rev"] == f"v{__version__}"


def holds_for_github(block: Block, project: Path) -> None:
    read = yaml.safe_load(block.text)
    assert set(read) == {"jobs"}
    (job,) = read["jobs"].values()
    assert set(job) == {"runs-on", "permissions", "steps"}
    assert job["permissions"] == {"contents": "read", "security-events": "write"}
    for step in job["steps"]:
        assert ("run" in step) != ("uses" in step)
        assert set(step) <= {"name", "run", "uses", "with", "if"}
        assert re.fullmatch(r"[\w-]+(/[\w-]+)+@v\d+", step.get("uses", "actions/none@v1"))
    run_ci([step["run"] for step in job["steps"] if "run" in step], project)
    assert json.loads((project / job["steps"][-1]["with"]["sarif_file"]).read_bytes())["runs"][0]["results"]


def holds_for_gitlab(block: Block, project: Path) -> None:
    (job,) = yaml.safe_load(block.text).values()
    assert set(job) == {"image", "script", "artifacts"}
    assert set(job["artifacts"]) == {"when", "reports"}
    run_ci(job["script"], project)
    assert json.loads((project / job["artifacts"]["reports"]["codequality"]).read_bytes())


def run_ci(lines: list[str], project: Path) -> None:
    """Run all lines but the first, which installs."""
    assert lines[0] == "pip install asynclint"
    for line in lines[1:]:
        run_line(line, project, statuses=(1,))


def prints_findings(block: Block, project: Path) -> None:
    (project / "example.py").write_text(block.text, encoding="utf-8")
    done = start(project, "python", "example.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("tests/test_")
    assert "[('ASL301', (Edit(" in done.stdout


def append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as stream:
        stream.write(f"\n{text}")


Check = Callable[[Block, Path], None]

INSTALLS = "installs from a package index: .ci/run takes it from here and runs it"
PRINTED = "what tests/readme.py printed: test_docs.py compares it"

BLOCKS: Mapping[tuple[str, str], Check | str] = {
    ("console", f"$ asynclint {readme.SHOWN[0]}"): PRINTED,
    ("console", f"$ asynclint {readme.GUARDS}"): PRINTED,
    (SHELL, "python3 -m venv .venv &&"): INSTALLS,  # demo, and the same line of tests
    (SHELL, "asynclint tests/                         # what is wrong"): run_lines,
    (SHELL, "pytest --junitxml report.xml"): measures_first,
    (SHELL, "asynclint --write-baseline asynclint-baseline.json tests/"): sets_aside,
    ("toml", "[tool.asynclint]"): holds_for_asynclint,
    ("ini", "[flake8]"): holds_for_flake8,
    ("lua", 'vim.lsp.config("asynclint", {'): "needs Neovim",
    ("toml", "[language-server.asynclint]"): starts_server_from_helix,
    ("elisp", "(with-eval-after-load 'eglot"): "needs Emacs",
    ("json", '"glspc.server.command": "asynclint",'): starts_server_from_code,
    ("yaml", "repos:"): holds_for_pre_commit,
    ("yaml", "jobs:"): holds_for_github,
    ("yaml", "asynclint:"): holds_for_gitlab,
    ("toml", "[tool.ruff.lint]"): holds_for_ruff,
    ("python", "import asynclint"): prints_findings,
}


@pytest.fixture
def legacy(tmp_path: Path) -> Path:
    """A copy of the legacy suite, as a project of its own."""
    kept = shutil.ignore_patterns("__pycache__", ".*_cache")
    return Path(shutil.copytree(ROOT / "fixtures" / "legacy_suite", tmp_path / "legacy", ignore=kept))


def test_each_block_has_a_check_or_a_reason() -> None:
    found = blocks_of(TEXT)
    assert len(found) == TEXT.count("```") / 2, "a block names no language"
    assert {(block.language, block.first) for block in found} == set(BLOCKS)
    installing = [block for block in found if BLOCKS[block.language, block.first] is INSTALLS]
    assert len(found) == len(BLOCKS) + len(installing) - 1, "two blocks begin alike"


def test_blocks_that_install_are_run_by_ci() -> None:
    path = ROOT / ".ci" / "run"
    if not path.exists():
        pytest.skip("a source distribution has no .ci")
    script = path.read_text(encoding="utf-8")
    named = set(re.findall(r"\$\(readme_block (\w+)\)", script))
    taken = [TEXT.partition(f"<!-- {name} -->\n")[2].partition(f"<!-- /{name} -->")[0] for name in named]
    installing = [block for block in blocks_of(TEXT) if BLOCKS[block.language, block.first] is INSTALLS]
    assert sorted(block for text in taken for block in blocks_of(text)) == sorted(installing)


@pytest.mark.parametrize(
    "block",
    [block for block in blocks_of(TEXT) if callable(BLOCKS.get((block.language, block.first)))],
    ids=lambda block: f"{block.language}: {block.first}",
)
def test_block(block: Block, legacy: Path) -> None:
    check = BLOCKS[block.language, block.first]
    assert not isinstance(check, str)
    check(block, legacy)
