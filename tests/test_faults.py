"""Faults on purpose: no byte is lost, nothing that is checked is run, and what went wrong is one line."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from samples import BAD, Asynclint, environment, spawn

pytestmark = pytest.mark.slow

CONCISE = ("--output-format", "concise")
FOUND = "tests/test_a.py:7:1: ASL101"
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX")


@pytest.fixture
def suite(suite: Path) -> Path:
    """A project with an empty configuration and one finding."""
    (suite / "tests" / "test_a.py").write_text(BAD)
    return suite


@pytest.fixture
def many(suite: Path) -> list[Path]:
    files = [suite / "tests" / f"test_many_{number}.py" for number in range(150)]
    for file in files:
        file.write_text(BAD)
    return files


@pytest.fixture
def fixed(suite: Path) -> str:
    """What ``--fix`` makes of a file of the suite."""
    done = subprocess.run(
        [sys.executable, "-m", "asynclint", "--fix", "--stdin-filename", "tests/test_a.py", "-"],
        cwd=suite,
        env=environment(),
        input=BAD,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "asyncio.timeout(" in done.stdout
    return done.stdout


# -- what is written


def wait_for_group(leader: int) -> None:
    """Wait until the last process of a group that was killed is gone."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            os.killpg(leader, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)


@pytest.mark.slow
@POSIX
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_kill_leaves_each_file_old_or_new(suite: Path, many: list[Path], fixed: str, jobs: str) -> None:
    command = [sys.executable, "-m", "asynclint", "--fix", "--jobs", jobs, "tests"]
    process = subprocess.Popen(
        command, cwd=suite, env=environment(), stdout=subprocess.DEVNULL, start_new_session=True
    )
    while process.poll() is None and many[0].read_text() == BAD:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    wait_for_group(process.pid)
    assert {file.read_text() for file in many} <= {BAD, fixed}
    left = suite / "tests" / f".asynclint-{process.pid}-0f.tmp"  # as a kill leaves one now and then
    left.write_text("half")
    mine = suite / "tests" / f".asynclint-{os.getpid()}-0f.tmp"
    mine.write_text("another run is still writing")
    assert spawn(suite, "--fix", "tests").returncode == 0
    assert {file.read_text() for file in many} == {fixed}
    assert list(suite.rglob(".asynclint-*.tmp")) == [mine]


@pytest.mark.slow
def test_two_fixing_runs_at_once(suite: Path, many: list[Path], fixed: str) -> None:
    command = [sys.executable, "-m", "asynclint", "--fix", *CONCISE, "tests"]
    runs = [
        subprocess.Popen(
            command, cwd=suite, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for run in runs:
        out, err = run.communicate()
        assert (run.returncode, out) == (0, ""), err
        assert "Traceback" not in err
    assert {file.read_text() for file in many} == {fixed}
    assert not list(suite.rglob(".asynclint-*.tmp"))


@POSIX
def test_a_disk_that_is_too_full_for_one_file(suite: Path, fixed: str) -> None:
    large = suite / "tests" / "test_large.py"
    large.write_text(BAD + "#" * 20_000)
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, 9_000));"
        "from asynclint.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--fix", *CONCISE, "tests"],
        cwd=suite,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "tests/test_large.py:1:1: ASL001 cannot be written: File too large" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert large.read_text().startswith(BAD)
    assert (suite / "tests" / "test_a.py").read_text() == fixed
    assert not list(suite.rglob(".asynclint-*.tmp"))


@pytest.mark.parametrize(
    ("meanwhile", "said", "left"),
    [
        (
            "path.write_text('saved = 1\\n')",
            "was not fixed: it has changed while it was checked",
            "saved = 1\n",
        ),
        ("path.unlink()", "No such file", None),
    ],
)
def test_what_happens_to_a_file_meanwhile_counts(
    suite: Path, meanwhile: str, said: str, left: str | None
) -> None:
    code = f"""
from asynclint import run
real = run.check_text
def check_text(text, path, *arguments, **options):
    result = real(text, path, *arguments, **options)
    if path.name == "test_a.py":
        {meanwhile}
    return result
run.check_text = check_text
from asynclint.cli import main
main()
"""
    (suite / "tests" / "test_b.py").write_text(BAD)
    done = subprocess.run(
        [sys.executable, "-c", code, "--fix", *CONCISE, "tests"],
        cwd=suite,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    line = next(line for line in done.stdout.splitlines() if "ASL001" in line)
    assert line.startswith("tests/test_a.py:1:1: ASL001 ")
    assert said in line
    file = suite / "tests" / "test_a.py"
    assert (file.read_text() if file.exists() else None) == left
    assert "asyncio.timeout(" in (suite / "tests" / "test_b.py").read_text()


# -- what is read


# Root without the right to read everything.
POWERLESS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


@POSIX
def test_what_may_not_be_read_is_one_line(tmp_path: Path) -> None:
    root, prefix = tmp_path, []
    if os.geteuid() == 0:
        prefix = POWERLESS
        if shutil.which("setpriv") is None or subprocess.run([*prefix, "true"], check=False).returncode:
            pytest.skip("root may read everything")
    (root / "pyproject.toml").write_text('[project]\nname = "x"\n')
    (root / "test_a.py").write_text(BAD)
    for name in ("test_b.py", "conftest.py", "closed"):
        path = root / name
        path.mkdir() if name == "closed" else path.write_text(BAD)
        path.chmod(0)
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "asynclint", *CONCISE],
        cwd=root,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    said = (done.stdout + done.stderr).splitlines()
    assert done.returncode == 2
    assert [line for line in said if line.startswith("test_a.py:7:1: ASL101")]
    assert [
        line for line in said if line.startswith("test_b.py:1:1: ASL001 cannot be read: Permission denied")
    ]
    assert [
        line for line in said if line.startswith("closed:1:1: ASL001 cannot be listed: Permission denied")
    ]
    assert not [line for line in said if "Traceback" in line or "ASL002" in line]


@POSIX
@pytest.mark.parametrize(
    "name", ["conftest.py", "pytest.ini", "tox.ini", "setup.cfg", ".gitignore", "setup.py"]
)
def test_links_that_lead_nowhere(suite: Path, name: str, asynclint: Asynclint) -> None:
    (suite / name).symlink_to(name)
    (suite / "tests" / "again").symlink_to(suite, target_is_directory=True)
    ran = asynclint(*CONCISE, "tests")
    assert ran.status == 1
    assert ran.out.startswith(FOUND)
    assert len(ran.out.splitlines()) == 1


def test_modules_that_import_all_from_each_other(suite: Path, asynclint: Asynclint) -> None:
    """Each name has two ways through each module: 2 ** 60 in all."""
    for number in range(60):
        following = f"m{(number + 1) % 60}"
        (suite / "tests" / f"m{number}.py").write_text(
            f"from {following} import *\nfrom {following} import fixture, Base\n"
            f"class Case{number}(Base): ...\nclass Base(Base): ...\n"
        )
    (suite / "tests" / "test_a.py").write_text(
        f"from m0 import *\n{BAD}async def test_more(fixture, other):\n    Base().run()\n    await fixture\n"
    )
    ran = asynclint(*CONCISE, "tests")
    assert ran.status == 1
    assert ran.out.startswith(FOUND.replace(":7:", ":8:"))
    assert "ASL0" not in ran.out


DEEP = "[" * 5_000
HOSTILE = {
    "deep": f"[tool.pytest.ini_options]\naddopts = {DEEP}".encode(),
    "long number": b"[tool.asynclint]\nguard-seconds = " + b"9" * 5_000,
    "bytes": b"[tool.asynclint]\n\xff\xfe\x00",
    "binary": bytes(range(256)) * 20,
    "dotted": b"[tool.asynclint]\n" + b"a." * 5_000 + b"b = 1",
    "wrong types": b"[tool]\nasynclint = 3\npytest = []\n[project]\nname = []\ndependencies = 7\n",
    "wrong tables": b"tool = 1\nproject = 'x'\n",
    "infinite": b"[tool.asynclint]\nguard-seconds = inf\n",
    "regular expression": b"[tool.asynclint]\nexclude = ['[', '***', '" + b"**/" * 200 + b"']\n",
    "pytest": b"[tool.pytest.ini_options]\ntimeout = {}\nmarkers = 3\naddopts = 1\npython_files = []\n"
    b"testpaths = [[]]\nfilterwarnings = {}\nasyncio_mode = 1\nusefixtures = 2\n",
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("name", ["pyproject.toml", "pytest.ini", "setup.cfg", "tox.ini"])
def test_hostile_configuration_is_one_line_or_none(
    suite: Path, name: str, case: str, asynclint: Asynclint
) -> None:
    (suite / name).write_bytes(HOSTILE[case])
    ran = asynclint(*CONCISE, "tests")  # what it raised would be raised here
    assert ran.status in (0, 1, 2)
    said = (ran.out + ran.err).splitlines()
    assert 0 < len(said) < 5
    assert not [line for line in said if "ASL002" in line or "Traceback" in line]
    if ran.status == 2:
        assert name in said[0]


# -- what is run: nothing

TRACE = "import pathlib\npathlib.Path(__file__).with_name('trace').touch()\n"
SHADOWS = ["ast", "json", "tomllib", "libcst", "rich", "pytest", "asyncio", "sitecustomize", "pathspec"]


@pytest.mark.parametrize(
    "command",
    [
        ["asynclint", "."],
        ["asynclint", "--fix", "--unsafe-fixes", "--no-cache", "."],
        ["asynclint", "--checklist", "."],
        ["flake8", "--select", "ASL", "--jobs", "2", "."],
    ],
)
def test_nothing_that_is_checked_is_imported(suite: Path, command: list[str]) -> None:
    for name in ["conftest", "setup", "noxfile", "tests/__init__", "tests/conftest", *SHADOWS]:
        (suite / f"{name}.py").write_text(TRACE)
    (suite / "plugins").mkdir()
    (suite / "plugins" / "__init__.py").write_text(TRACE)
    (suite / "conftest.py").write_text(f"{TRACE}pytest_plugins = ['plugins']\n")
    (suite / "tests" / "test_a.py").write_text(f"{TRACE}import plugins, json\n{BAD}")
    (suite / ".asynclint_cache").mkdir()
    for name in ("results.json", "a.pickle", "__init__.py"):
        (suite / ".asynclint_cache" / name).write_text(TRACE)
    script = Path(sys.executable).with_name(command[0])
    if not script.exists():
        pytest.skip("needs the installed commands")
    done = subprocess.run(
        [script, *command[1:]], cwd=suite, env=environment(), capture_output=True, text=True, check=False
    )
    assert "ASL" in done.stdout + done.stderr or "Fixed" in done.stderr, done
    assert not list(suite.rglob("trace"))
