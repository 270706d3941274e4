"""Where installed packages lie, and which of them are read."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from samples import spawn
from small_projects import IT, PRELUDE, small

from asynclint.project.dependencies import own_plugins
from asynclint.project.environment import Packages, installed_plugins, packages_for
from asynclint.project.guards.standing import standing
from asynclint.project.index.modules import Modules
from asynclint.settings import DEFAULTS, SettingsError, load

PLACE = "lib/python3.11/site-packages"
LIMITED = """
import asyncio, functools
def limited(test):
    @functools.wraps(test)
    async def run():
        async with asyncio.timeout(5):
            await test()
    return run
"""


@pytest.fixture(autouse=True)
def no_active_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def made(path: Path, files: dict[str, str] | None = None, place: str = PLACE) -> Path:
    """An environment with a module ``here.py`` that says where it lies."""
    write(path / place, {"here.py": "", **(files or {})})
    return path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write(tmp_path / "project", {"pyproject.toml": "", "tests/test_it.py": ""})


def found_for(project: Path, setting: Path | None = None) -> Packages:
    return packages_for(project / "tests", setting)


# -- which environment


def test_the_setting_wins(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", str(made(tmp_path / "active")))
    found = found_for(project, made(tmp_path / "chosen"))
    assert (found.path, found.origin) == (tmp_path / "chosen", "environment")
    assert found.find("here") == tmp_path / "chosen" / PLACE / "here.py"


def test_the_active_environment_comes_next(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(project / ".venv")
    monkeypatch.setenv("VIRTUAL_ENV", str(made(tmp_path / "active")))
    found = found_for(project)
    assert (found.path, found.origin) == (tmp_path / "active", "$VIRTUAL_ENV")


def test_an_active_environment_that_is_gone_is_passed_over(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(project / ".venv")
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "removed"))
    assert found_for(project).path == project / ".venv"


@pytest.mark.parametrize("names", [[".venv", "venv"], ["venv"]])
def test_an_environment_beside_the_project_file(project: Path, names: list[str]) -> None:
    for name in names:
        made(project / name)
    found = found_for(project)
    assert (found.path, found.origin) == (project / names[0], f"{names[0]} of {project}")


def test_the_nearest_project_with_an_environment(project: Path) -> None:
    made(project / ".venv")
    write(project, {"packages/part/pyproject.toml": "", ".git/HEAD": ""})
    assert packages_for(project / "packages/part", None).path == project / ".venv"
    made(project / "packages/part/venv")
    inner = write(project, {"packages/part/inner/setup.py": ""}) / "packages/part/inner"
    assert packages_for(inner, None).path == project / "packages/part/venv"


def test_the_running_python_at_last(project: Path) -> None:
    found = found_for(project)
    assert (found.path, found.origin) == (Path(sys.prefix), "the Python that runs asynclint")
    assert found.find("pytest") == Path(pytest.__file__)


# -- layouts


def test_a_python_stands_for_its_environment(project: Path, tmp_path: Path) -> None:
    python = write(made(tmp_path / "env"), {"bin/python": ""}) / "bin/python"
    assert found_for(project, python).find("here") == tmp_path / "env" / PLACE / "here.py"
    windows = write(made(tmp_path / "win", place="Lib/site-packages"), {"python.exe": ""}) / "python.exe"
    assert found_for(project, windows).find("here") == tmp_path / "win" / "Lib/site-packages/here.py"


def test_the_newest_python_of_several(project: Path, tmp_path: Path) -> None:
    for minor in (9, 10):
        made(tmp_path / "env", place=f"lib/python3.{minor}/site-packages")
    found = found_for(project, tmp_path / "env")
    assert found.directories == (tmp_path / "env/lib/python3.10/site-packages",)


def test_directories_of_pth_files(project: Path, tmp_path: Path) -> None:
    write(tmp_path, {"elsewhere/side.py": "", "env/up/other.py": ""})
    lines = f"# comment\nimport os; os.abort()\n\n{tmp_path / 'elsewhere'}\n../../../up\nmissing\n"
    env = made(tmp_path / "env", {"paths.pth": lines})
    found = found_for(project, env)
    assert found.find("side") == tmp_path / "elsewhere/side.py"
    assert found.find("other") == tmp_path / "env/up/other.py"
    assert len(found.directories) == 3


def test_editable_installs(project: Path, tmp_path: Path) -> None:
    write(
        tmp_path, {"src/kites/__init__.py": "", "src/kites/tail.py": "", "src/one.py": "", "ext/far.py": ""}
    )
    finder = "__editable___kites_1_0_finder"
    mapping = {
        "kites": str(tmp_path / "src/kites"),
        "one": str(tmp_path / "src/one.py"),
        "kites.ext": str(tmp_path / "ext"),
    }
    source = f"MAPPING: dict[str, str] = {mapping!r}\nNAMESPACES = {{}}\n"
    env = made(
        tmp_path / "env",
        {
            "__editable__.kites-1.0.pth": f"import {finder}; {finder}.install()",
            f"{finder}.py": source,
            "__editable__.gone-1.0.pth": "import __editable___gone_1_0_finder; …",
            "__editable__.torn-1.0.pth": "import __editable___torn_1_0_finder",
            "__editable___torn_1_0_finder.py": "MAPPING = {",
        },
    )
    found = found_for(project, env)
    assert found.find("kites") == tmp_path / "src/kites/__init__.py"
    assert found.find("kites.tail") == tmp_path / "src/kites/tail.py"
    assert found.find("kites.ext.far") == tmp_path / "ext/far.py"
    assert found.find("one") == tmp_path / "src/one.py"
    assert found.has("kites")
    assert not found.has("kite")


def test_what_has_no_source_is_not_found(project: Path, tmp_path: Path) -> None:
    env = made(
        tmp_path / "env",
        {
            "typed-stubs/__init__.pyi": "",
            "stubbed.pyi": "",
            "fast.cpython-311-x86_64-linux-gnu.so": "",
            "shared/part/__init__.py": "",
        },
    )
    found = found_for(project, env)
    assert [found.find(name) for name in ("typed", "stubbed", "fast", "shared", "absent.part")] == [None] * 5
    assert found.find("shared.part") == env / PLACE / "shared/part/__init__.py"


def test_the_first_directory_with_a_package_has_all_of_it(project: Path, tmp_path: Path) -> None:
    write(tmp_path, {"old/kites/__init__.py": "", "old/kites/extra.py": ""})
    env = made(tmp_path / "env", {"kites/__init__.py": "", "old.pth": str(tmp_path / "old")})
    assert found_for(project, env).find("kites.extra") is None


# -- pytest's plugins


def test_plugins_of_installed_distributions(project: Path, tmp_path: Path) -> None:
    env = made(
        tmp_path / "env",
        {
            "one-1.0.dist-info/entry_points.txt": "[gui_scripts]\no=o:main\n[pytest11]\nUno=one.plugin\n",
            "two.egg-info/entry_points.txt": "[pytest11]\ndue = two\n",
            "three-1.0.dist-info/entry_points.txt": "[console_scripts]\npytest11 = three:main\n",
            "torn-1.0.dist-info/entry_points.txt": "[pytest11\nno sense",
            "bare-1.0.dist-info/entry_points.txt": "[pytest11]\nno value\n",
        },
    )
    assert installed_plugins(found_for(project, env)) == {"Uno": "one.plugin", "due": "two"}


def test_plugins_of_the_project_itself(tmp_path: Path) -> None:
    points = '[project]\nname = "kites"\n[project.entry-points.pytest11]\nkites = "kites.plugin"\n'
    write(tmp_path, {"pyproject.toml": points, "tests/unit/here": "", "other/pyproject.toml": "[project]\n"})
    assert own_plugins(tmp_path / "tests/unit") == {"kites": "kites.plugin"}
    assert own_plugins(tmp_path / "other") == {}


# -- the setting


def test_the_setting_is_relative_to_its_file(tmp_path: Path) -> None:
    made(tmp_path / "env")
    write(tmp_path, {"pyproject.toml": '[tool.asynclint]\nenvironment = "env"\n'})
    assert load(tmp_path).settings.environment == tmp_path / "env"


def test_show_settings_says_which_environment_and_why(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": "[tool.asynclint]\n"})
    running = f'# environment = "{sys.prefix}"'
    assert shown_environment(tmp_path) == (running, "not set: the Python that runs asynclint")
    active = str(made(tmp_path / "active"))
    assert shown_environment(tmp_path, VIRTUAL_ENV=active) == (
        f'# environment = "{active}"',
        "not set: $VIRTUAL_ENV",
    )
    made(tmp_path / "venv")
    beside = (f'# environment = "{tmp_path}/venv"', f"not set: venv of {tmp_path}")
    assert shown_environment(tmp_path) == beside
    write(tmp_path, {"pyproject.toml": '[tool.asynclint]\nenvironment = "venv"\n'})
    chosen = (f'environment = "{tmp_path}/venv"', f"{tmp_path}/pyproject.toml:2")
    assert shown_environment(tmp_path, VIRTUAL_ENV=active) == chosen


def shown_environment(directory: Path, **variables: str) -> tuple[str, ...]:
    shown = spawn(directory, "--show-settings", **variables).stdout
    line = next(line for line in shown.splitlines() if "environment = " in line)
    return tuple(part.strip() for part in line.split("  # "))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('"nowhere"', "environment: must be a virtual environment or its Python, but {root}/nowhere has no"),
        ('"pyproject.toml"', "environment: must be a virtual environment or its Python"),
        ('""', 'environment: must be a path such as ".venv"'),
        ("3", 'environment: must be a path such as ".venv", not 3'),
    ],
)
def test_a_setting_that_names_no_environment(tmp_path: Path, value: str, said: str) -> None:
    file = write(tmp_path, {"pyproject.toml": f"[tool.asynclint]\nenvironment = {value}\n"})
    with pytest.raises(SettingsError) as caught:
        load(tmp_path)
    assert caught.value.path == file / "pyproject.toml"
    assert caught.value.line == 2
    assert said.format(root=tmp_path) in str(caught.value)


# -- what is read


def read_with(root: Path, source: str, files: dict[str, str]) -> tuple[str, set[str]]:
    """Whether the test of a module is bounded, and the installed files that were read to say so."""
    env = made(root / "env", files)
    asked = small(root / "project", PRELUDE + source, {}, replace(DEFAULTS, environment=env))
    found = standing(asked.test(), asked.project).value
    return found, {
        path.relative_to(env / PLACE).as_posix() for path in read_files(asked.project.modules, env)
    }


def read_files(modules: Modules, below: Path) -> list[Path]:
    return [path for path in modules._read.outlines if path.is_relative_to(below)]


def test_only_the_modules_that_are_named_are_read(tmp_path: Path) -> None:
    files = {"limits/__init__.py": "", "limits/one.py": LIMITED, "limits/two.py": "", "other.py": ""}
    source = f"import other\nfrom limits.one import limited\n@limited\n{IT}"
    assert read_with(tmp_path, source, files) == ("bounded", {"limits/one.py"})


def test_nothing_is_read_for_a_test_that_is_bounded_without(tmp_path: Path) -> None:
    source = f"from limits import limited\n@pytest.mark.timeout(5)\n@limited\n{IT}"
    assert read_with(tmp_path, source, {"limits.py": LIMITED}) == ("bounded", set())


def test_a_context_manager_of_a_package_without_a_guard_is_not_read(tmp_path: Path) -> None:
    source = "import calm\nasync def test_it(x):\n    async with calm.waters():\n        await x\n"
    assert read_with(tmp_path, source, {"calm.py": "class waters: ..."}) == ("unbounded", set())


def test_known_packages_are_not_read(tmp_path: Path) -> None:
    source = "async def test_it(x):\n    async with anyio.create_task_group():\n        await x\n"
    files = {"anyio/__init__.py": LIMITED, "pytest.py": LIMITED, "asyncio.py": LIMITED}
    assert read_with(tmp_path, source, files) == ("unbounded", set())


def test_pytest_timeout_bounds_nothing_by_being_loaded(tmp_path: Path) -> None:
    source = f'pytest_plugins = ["pytest_timeout"]\n{IT}'
    files = {"pytest_timeout.py": "def pytest_configure(config):\n    config._env_timeout = 5\n"}
    assert read_with(tmp_path, source, files) == ("unbounded", set())


def test_inference_of_the_project_alone_knows_no_installed_package(tmp_path: Path) -> None:
    env = made(tmp_path / "env", {"limits.py": "async def limited(): ..."})
    asked = small(
        tmp_path / "project",
        "from limits import limited\nlimited  # ?\n",
        {},
        replace(DEFAULTS, environment=env),
    )
    expression, scope = asked.asked()
    assert asked.project.inference.value(expression, scope) is None
    wider = asked.project.with_installed(asked.root / "tests")
    assert wider.inference.value(expression, scope) is not None
    assert wider.with_installed(asked.root / "tests") is wider
