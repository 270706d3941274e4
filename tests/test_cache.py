"""The cache, in real runs: what it still knows is shown as it was, and whatever changes is judged anew.

An entry that is used can be told from one that is not: the tests rewrite what the entries say.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from itertools import product
from pathlib import Path

import pytest
from samples import environment, spawn

from asynclint.project.stored import load

pytestmark = pytest.mark.slow

MARK = "as it was kept"
FILES = {
    "pyproject.toml": (
        '[project]\nname = "x"\nrequires-python = ">=3.11"\n\n'
        '[tool.pytest.ini_options]\nasyncio_mode = "auto"\n'
    ),
    "lib/__init__.py": "",
    "lib/client.py": "async def send():\n    pass\n\ndef close():\n    pass\n",
    "tests/test_one.py": (
        "from lib import client\n\n\nasync def test_one(event):\n    await event.wait()\n    client.close()\n"
    ),
    "tests/test_two.py": "async def test_two(event):\n    await event.wait()\n",
}


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A project of two test modules, with one finding each; one of them imports a module."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def check(suite: Path, *arguments: str, **variables: str) -> list[str]:
    """The lines of a report."""
    done = spawn(suite, "--quiet", "--output-format", "concise", *arguments, **variables)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.splitlines()


def entries(suite: Path, directory: str = ".asynclint_cache") -> list[Path]:
    return [path for path in (suite / directory).glob("*.json") if path.name != "modules.json"]


def mark(suite: Path) -> None:
    """Let each entry say something else, in as many characters as it likes."""
    assert entries(suite)
    for path in entries(suite):
        entry = json.loads(path.read_text())
        for finding in entry["findings"]:
            finding["message"] = MARK
        path.write_text(json.dumps(entry))


def kept(lines: list[str]) -> set[str]:
    """Modules whose report comes from the cache."""
    return {line.partition(":")[0] for line in lines if line.endswith(MARK)}


ONE, TWO = "tests/test_one.py", "tests/test_two.py"


def test_what_is_known_is_not_judged_again(suite: Path) -> None:
    first = check(suite)
    assert {line.partition(":")[0] for line in first} == {ONE, TWO}
    assert check(suite) == first
    mark(suite)
    assert kept(check(suite)) == {ONE, TWO}
    assert check(suite, "--no-cache") == first


def write(name: str, text: str) -> Callable[[Path], None]:
    def change(suite: Path) -> None:
        (suite / name).parent.mkdir(exist_ok=True, parents=True)
        (suite / name).write_text(text)

    return change


@pytest.mark.parametrize(
    ("change", "left"),
    [
        pytest.param(write(ONE, FILES[ONE] + "\n"), {TWO}, id="the module itself"),
        pytest.param(write("lib/client.py", "async def close():\n    pass\n"), {TWO}, id="what it imports"),
        pytest.param(write("lib/other.py", "x = 1\n"), {ONE, TWO}, id="what nobody imports"),
        pytest.param(write("tests/lib.py", "client = None\n"), {TWO}, id="a module that shadows"),
        pytest.param(write("tests/conftest.py", "x = 1\n"), set(), id="a conftest that appears"),
        pytest.param(write("conftest.py", "x = 1\n"), set(), id="a conftest further up"),
        pytest.param(write("pytest.ini", "[pytest]\n"), set(), id="a configuration that appears"),
        pytest.param(write("requirements.txt", "pytest-timeout\n"), set(), id="requirements"),
        pytest.param(write("pyproject.toml", "[tool.asynclint]\nguard-seconds = 5\n"), set(), id="settings"),
        pytest.param(lambda suite: (suite / "lib/client.py").unlink(), {TWO}, id="a module that is gone"),
    ],
)
def test_what_a_verdict_leaned_on_is_watched(
    suite: Path, change: Callable[[Path], None], left: set[str]
) -> None:
    check(suite)
    mark(suite)
    change(suite)
    fresh = check(suite, "--no-cache")
    lines = check(suite)
    assert kept(lines) == left
    unmarked = [line for line in lines if not line.endswith(MARK)]
    assert unmarked == [line for line in fresh if line.partition(":")[0] not in left]
    assert [line for line in check(suite) if not line.endswith(MARK)] == unmarked


MINE = '[project.entry-points.pytest11]\nmine = "lib.plugin"\n'
STUB = "from .low import close as close\n"
TYPED = FILES[ONE].replace("import client", "import typed as client")
SITE = ".venv/lib/python3.11/site-packages"
EXT = "import ext\n\n\nasync def test_two():\n    ext.tools.send()\n"


@pytest.mark.parametrize(
    ("files", "changed", "text"),
    [
        pytest.param(
            {"lib/typed.pyi": STUB, "lib/low.pyi": "def close() -> None: ...\n", ONE: TYPED},
            "lib/low.pyi",
            "async def close() -> None: ...\n",
            id="a stub that a stub imports",
        ),
        pytest.param(
            {"pyproject.toml": FILES["pyproject.toml"] + MINE, "lib/plugin.py": "x = 1\n"},
            "lib/plugin.py",
            "import pytest\n\n\ndef pytest_collection_modifyitems(items):\n    for item in items:\n"
            "        item.add_marker(pytest.mark.timeout(5))\n",
            id="a plugin of the project's own entry points",
        ),
        pytest.param(
            {"pyproject.toml": '[project]\nname = "x"\n', ".git/HEAD": ""},
            "../pytest.ini",
            "[pytest]\nasyncio_mode = auto\ntimeout = 4\n",
            id="pytest's configuration above the repository",
        ),
        pytest.param(
            {
                "pyproject.toml": FILES["pyproject.toml"] + '[tool.asynclint]\nenvironment = ".venv"\n',
                f"{SITE}/ext.pth": "../../../../elsewhere\n",
                "elsewhere/ext/__init__.py": "from . import tools\n",
                "elsewhere/ext/tools.py": "def send():\n    pass\n",
                TWO: EXT,
            },
            "elsewhere/ext/tools.py",
            "async def send():\n    pass\n",
            id="a package that is developed in place",
        ),
    ],
)
def test_what_is_kept_is_what_would_be_said_now(
    tmp_path: Path, files: dict[str, str], changed: str, text: str
) -> None:
    suite = tmp_path / "repository"
    for name, content in {**FILES, **files}.items():
        write(name, content)(suite)
    before = check(suite)
    assert check(suite, "--no-cache") == before
    write(changed, text)(suite)
    now = check(suite, "--no-cache")
    assert now != before
    assert check(suite) == now


def test_requirements_that_others_include_are_watched(suite: Path) -> None:
    write("requirements.txt", "-r needs/tests.txt\n")(suite)
    write("needs/tests.txt", "pytest\n")(suite)
    check(suite)
    mark(suite)
    write("needs/tests.txt", "pytest\npytest-timeout\n")(suite)
    assert kept(check(suite)) == set()


def test_what_is_judged_beside_a_fix_is_not_kept(suite: Path) -> None:
    (suite / ONE).write_text("async def test_one():\n    pass\n")
    check(suite, "--diff")
    assert not (suite / ".asynclint_cache").exists()
    check(suite)
    assert len(entries(suite)) == 2


def test_a_link_to_elsewhere_is_not_followed(suite: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (suite / ".asynclint_cache").symlink_to(elsewhere)
    assert len(check(suite)) == 2
    assert not list(elsewhere.iterdir())


def test_a_directory_that_was_not_finished(suite: Path) -> None:
    (suite / ".asynclint_cache").mkdir()
    check(suite)
    assert (suite / ".asynclint_cache" / ".gitignore").read_text() == "*\n"


def test_a_directory_of_somebody_gets_no_gitignore(suite: Path) -> None:
    (suite / "kept").mkdir()
    check(suite, "--cache-dir", "kept")
    assert len(entries(suite, "kept")) == 2
    assert not (suite / "kept" / ".gitignore").exists()


def test_what_nobody_asks_for_goes_after_a_month(suite: Path) -> None:
    directory = suite / ".asynclint_cache"
    check(suite)
    old, own = time.time() - 40 * 86_400, directory / "notes.json"
    own.write_text("")
    (directory / f"{'a' * 32}.json.77").write_text("")
    for path in directory.iterdir():
        os.utime(path, (old, old))
    (suite / TWO).unlink()
    (suite / ONE).write_text(FILES[ONE] + "\n")
    check(suite)
    assert len(entries(suite)) == 1 + len([own])
    assert own.exists()
    assert TWO not in (directory / "modules.json").read_text()
    assert ONE in (directory / "modules.json").read_text()
    assert not list(directory.glob("*.77"))


def test_a_run_that_finds_nothing_new_writes_nothing(suite: Path) -> None:
    check(suite)
    before = {path: path.stat().st_mtime_ns for path in (suite / ".asynclint_cache").iterdir()}
    check(suite)
    assert {path: path.stat().st_mtime_ns for path in (suite / ".asynclint_cache").iterdir()} == before


@pytest.mark.parametrize("value", ["1e999", "-7", "123456", "99999999999999999999", "NaN"])
@pytest.mark.parametrize("index", [0, 1, 2, 3])
def test_places_that_a_file_has_not_are_no_entry(value: str, index: int) -> None:
    raw = FILES[TWO].encode()
    finding = {
        "path": "",
        "span": [2, 4, 2, 8],
        "code": "ASL101",
        "message": "x",
        "fix": None,
        "held_back": "",
        "related": [],
        "confidence": "certain",
    }
    entry = {"content": "x", "counts": None, "findings": [finding]}
    assert load(entry, raw).findings
    finding["span"] = [json.loads(value) if at == index else n for at, n in enumerate([2, 4, 2, 8])]
    with pytest.raises((ValueError, ArithmeticError)):
        load(entry, raw)


def test_a_conftest_that_changes_and_goes(suite: Path) -> None:
    conftest = suite / "tests" / "conftest.py"
    conftest.write_text("x = 1\n")
    check(suite)
    mark(suite)
    assert kept(check(suite)) == {ONE, TWO}
    conftest.write_text("import asyncio\nx = 1\n")
    assert kept(check(suite)) == set()
    mark(suite)
    conftest.unlink()
    assert kept(check(suite)) == set()


def test_what_a_conftest_imports_is_watched(suite: Path) -> None:
    (suite / "tests" / "conftest.py").write_text("from lib.client import close\n")
    check(suite)
    mark(suite)
    (suite / "lib" / "client.py").write_text("async def close():\n    pass\n")
    assert kept(check(suite)) == set()


def test_variables_settings_and_environments_have_their_own(suite: Path) -> None:
    first = check(suite)
    mark(suite)
    assert kept(check(suite, PYTEST_TIMEOUT="5")) == set()
    assert kept(check(suite, "--guard-seconds", "5")) == set()
    site = suite / "env" / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    assert kept(check(suite, VIRTUAL_ENV=str(suite / "env"))) == set()
    assert kept(check(suite)) == {ONE, TWO}
    assert len(first) == 2


def test_installing_a_package_is_noticed(suite: Path) -> None:
    site = suite / "env" / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    check(suite, VIRTUAL_ENV=str(suite / "env"))
    mark(suite)
    assert kept(check(suite, VIRTUAL_ENV=str(suite / "env"))) == {ONE, TWO}
    (site / "newcomer.py").write_text("")
    assert kept(check(suite, VIRTUAL_ENV=str(suite / "env"))) == set()


def test_files_beside_packages_that_are_developed_in_place_do_not_matter(suite: Path) -> None:
    site = suite / ".venv" / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    (site / "x.pth").write_text(f"{suite}\n")
    check(suite)
    mark(suite)
    (suite / "notes.txt").write_text("")
    assert kept(check(suite)) == {ONE, TWO}
    write("x.egg-info/entry_points.txt", "[pytest11]\nx = lib.plugin\n")(suite)
    assert kept(check(suite)) == set()


def test_fixes_never_come_from_the_cache(suite: Path) -> None:
    check(suite)
    for path in entries(suite):
        path.write_text(path.read_text().replace("asyncio.timeout", "evil.timeout"))
    assert spawn(suite, "--fix", "--quiet").returncode == 0
    assert "asyncio.timeout(30)" in (suite / ONE).read_text()
    assert check(suite) == []


def test_suppressions_are_read_anew(suite: Path) -> None:
    (suite / TWO).write_text(FILES[TWO].replace("(event):", "(event):  # noqa: ASL101"))
    assert len(check(suite)) == 1
    assert len(check(suite)) == 1


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"findings": 3}', "\x00", "[" * 9999])
def test_a_corrupt_cache_is_none(suite: Path, text: str) -> None:
    first = check(suite)
    for path in (suite / ".asynclint_cache").glob("*.json"):
        path.write_text(text)
    assert check(suite) == first
    for path in entries(suite):
        path.write_text(text)
    assert check(suite) == first
    mark(suite)
    assert kept(check(suite)) == {ONE, TWO}


def test_an_entry_of_another_shape_is_none(suite: Path) -> None:
    check(suite, ONE)
    (path,) = entries(suite)
    whole, raw = json.loads(path.read_text()), FILES[ONE].encode()
    refused = 0
    for key, value in product(whole["findings"][0], [None, 3, "x", [1], {"a": 1}, [[1, 2, 3], 4]]):
        entry = deepcopy(whole)
        entry["findings"][0][key] = value
        try:
            load(entry, raw)
        except (KeyError, TypeError, ValueError):
            refused += 1
    assert refused > 30
    path.write_text(json.dumps(entry))
    assert kept(check(suite, ONE)) == set()


def test_where_it_cannot_be_written_there_is_none(suite: Path) -> None:
    (suite / ".asynclint_cache").write_text("a file")
    assert check(suite) == check(suite)
    assert (suite / ".asynclint_cache").read_text() == "a file"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_is_read_only(suite: Path) -> None:
    first = check(suite)
    (suite / ".asynclint_cache").chmod(0o500)
    (suite / TWO).write_text(FILES[TWO] + "\n")
    assert check(suite) == first


def test_it_is_marked_and_ignored(suite: Path) -> None:
    check(suite)
    assert (suite / ".asynclint_cache" / ".gitignore").read_text() == "*\n"
    assert (suite / ".asynclint_cache" / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172")


def test_another_directory(suite: Path) -> None:
    check(suite, "--cache-dir", "kept/here")
    assert len(entries(suite, "kept/here")) == 2
    assert not (suite / ".asynclint_cache").exists()


def test_outside_a_project_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(FILES[TWO])
    assert len(check(tmp_path)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["test_it.py"]


def test_several_processes(suite: Path) -> None:
    for number in range(20):
        (suite / "tests" / f"test_{number}.py").write_text(FILES[ONE])
    alone = check(suite, "--no-cache", "--jobs", "1")
    assert check(suite, "--jobs", "2") == alone
    mark(suite)
    assert len(kept(check(suite, "--jobs", "2"))) == 22
    assert len(kept(check(suite, "--jobs", "1"))) == 22


def test_two_runs_at_once(suite: Path) -> None:
    command = [sys.executable, "-m", "asynclint", "--quiet", "--output-format", "concise"]
    runs = [
        subprocess.Popen(command, cwd=suite, env=environment(), stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    outputs = {run.communicate()[0] for run in runs}
    assert outputs == {"\n".join([*check(suite), ""])}


def test_flake8_shares_it(suite: Path) -> None:
    check(suite)
    mark(suite)
    flake8 = [sys.executable, "-m", "flake8", "--select", "ASL", "tests"]
    done = subprocess.run(flake8, cwd=suite, env=environment(), capture_output=True, text=True, check=False)
    assert kept(done.stdout.splitlines()) == {ONE, TWO}
    (suite / TWO).write_text(FILES[TWO] + "\n")
    done = subprocess.run(flake8, cwd=suite, env=environment(), capture_output=True, text=True, check=False)
    assert kept(done.stdout.splitlines()) == {ONE}
    assert len(done.stdout.splitlines()) == 2
    assert kept(check(suite)) == {ONE}


def test_flake8_leaves_no_answers_without_fixes(suite: Path) -> None:
    python = [sys.executable, "-m"]
    run = partial(subprocess.run, cwd=suite, env=environment(), capture_output=True, text=True, check=False)
    run([*python, "flake8", "--select", "ASL", "tests"])
    json_of = [*python, "asynclint", "--output-format", "json"]
    said, fresh = (run([*json_of, *options]).stdout for options in ([], ["--no-cache"]))
    assert said == fresh
    assert '"edits"' in said


def test_it_runs_nothing(suite: Path) -> None:
    check(suite)
    trace = suite / "trace"
    code = f"import pathlib; pathlib.Path({str(trace)!r}).touch()"
    for path in (suite / ".asynclint_cache").glob("*.json"):
        path.write_bytes(b"cos\nsystem\n(S'touch trace'\ntR." + code.encode())
    (suite / "conftest.py").write_text(code)
    check(suite)
    check(suite)
    assert not trace.exists()


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_flake8_fills_it_when_it_ends(suite: Path, jobs: str) -> None:
    for number in range(12):
        text = f"from lib import m{number}\nfrom . import test_0\n\n\ndef test_it():\n    m{number}.close()\n"
        (suite / "tests" / f"test_{number}.py").write_text(text)
        (suite / "lib" / f"m{number}.py").write_text(f"from .m{number - 1} import close\n")
    flake8 = [sys.executable, "-m", "flake8", "--select", "ASL", "--jobs", jobs, "tests"]
    written: list[dict[Path, int]] = []
    while len(written) < 2 or written[-1] != written[-2]:
        # processes that run at the same time learn of each other's imports the next time
        assert len(written) < (3 if jobs == "1" else 7), "it is never filled"
        subprocess.run(flake8, cwd=suite, env=environment(), capture_output=True, text=True, check=False)
        written.append({path: path.stat().st_mtime_ns for path in entries(suite)})
    assert len(written[-1]) == 14
    assert not list((suite / ".asynclint_cache").glob("*.json.*"))
