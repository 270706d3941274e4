"""What a project depends on, from each place it can say so."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from asynclint.project.dependencies import dependencies

# name: (files, what must be there on 3.11, what must not)
PLACES: dict[str, tuple[Mapping[str, str], str, str]] = {
    "project": (
        {
            "pyproject.toml": """
                [project]
                dependencies = ["HTTPX[http2]>=0.27", "not a requirement", "local @ file:///x", 3]
                [project.optional-dependencies]
                test = ["pytest_timeout>=2", "async-timeout>=4; python_version < '3.11'"]
            """
        },
        "httpx local pytest-timeout Pytest.Timeout",
        "async-timeout pytest not",
    ),
    "groups": (
        {
            "pyproject.toml": """
                [dependency-groups]
                test = ["pytest", {include-group = "typing"}]
                typing = ["mypy"]
                broken = "pytest-trio"
            """
        },
        "pytest mypy",
        "pytest-trio typing",
    ),
    "poetry": (
        {
            "pyproject.toml": """
                [tool.poetry.dependencies]
                python = "^3.8"
                anyio = "^4"
                async-timeout = {version = "^4", python = "<3.11"}
                caret = {version = "*", python = "^3.8"}
                tilde = {version = "*", python = "~3.11"}
                old = {version = "*", python = "~3.10"}
                tilde-major = {version = "*", python = "~3"}
                exact = {version = "*", python = "3.11.*"}
                either = {version = "*", python = "~3.9 || >=3.11,<4"}
                marked = {version = "*", markers = "python_version >= '3.11'"}
                unmarked = {version = "*", markers = "python_version < '3.11'"}
                odd = {version = "*", python = "about 3"}
                many = [{version = "1", python = "<3.11"}, {version = "2", python = ">=3.11"}]
                [tool.poetry.dev-dependencies]
                pytest = "*"
                [tool.poetry.group.test.dependencies]
                pytest-timeout = "*"
            """
        },
        "anyio caret tilde tilde-major exact either marked many pytest pytest-timeout",
        "async-timeout old unmarked odd",
    ),
    "pdm_hatch_uv": (
        {
            "pyproject.toml": """
                [tool.pdm.dev-dependencies]
                test = ["pytest"]
                [tool.hatch.envs.default]
                dependencies = ["trio"]
                extra-dependencies = ["pytest-trio"]
                [tool.uv]
                dev-dependencies = ["anyio"]
            """
        },
        "pytest trio pytest-trio anyio",
        "",
    ),
    "setup_cfg": (
        {
            "setup.cfg": """
[options]
install_requires =
    aiohttp >= 3
    async-timeout; python_version < "3.11"
tests_require = pytest
[options.extras_require]
dev =
    pytest-timeout
"""
        },
        "aiohttp pytest pytest-timeout",
        "async-timeout",
    ),
    "tox": (
        {
            "tox.ini": """
[testenv]
deps =
    pytest
    -r requirements.txt
    py310: async-timeout
    py{310,311}-dev: trio
[testenv:lint]
deps = flake8
[other]
deps = mypy
"""
        },
        "pytest flake8",
        "async-timeout trio mypy",
    ),
    "requirements": (
        {
            "requirements-dev.txt": "# pytest-trio\npytest  # the runner\n-r more.txt\n--index x\n-e .\n",
            "more.txt": "anyio==4.0 \\\n    --hash=sha256:abc\n-r requirements-dev.txt\n-r absent.txt\n",
            "requirements/test.in": "pytest-timeout",
            "requirements/constraints.txt": "pytest-asyncio==1\n",
            "constraints-requirements.txt": "trio==1\n",
        },
        "pytest anyio pytest-timeout",
        "pytest-trio pytest-asyncio trio",
    ),
    "broken": (
        {"pyproject.toml": "[project\n", "setup.cfg": "no section\n", "requirements.txt": "pytest\n"},
        "pytest",
        "",
    ),
    "full_version_marker_must_hold_for_every_release": (
        {"requirements.txt": "some; python_full_version < '3.11.3'\nall; python_full_version < '3.12'\n"},
        "all",
        "some",
    ),
    "marker_without_meaning": ({"requirements.txt": "odd; python_version < 'x'\nfine\n"}, "fine", "odd"),
    "each_file_must_agree": (
        {
            "setup.cfg": "[options]\ninstall_requires = async-timeout; python_version < '3.11'\n",
            "requirements.txt": "async-timeout==5.0.1\npytest\n",
        },
        "pytest",
        "async-timeout",
    ),
    "directory_with_that_name": (
        {"requirements.txt/x": "", "pyproject.toml/x": "", "tox.ini/x": ""},
        "",
        "x",
    ),
}


@pytest.mark.parametrize("place", PLACES)
def test_places(tmp_path: Path, place: str) -> None:
    files, present, absent = PLACES[place]
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = dependencies(tmp_path)
    assert [name for name in present.split() if not found.has(name, (3, 11))] == []
    assert [name for name in absent.split() if found.has(name, (3, 11))] == []


def test_an_older_python_has_what_a_newer_one_lacks(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("async-timeout; python_version < '3.11'\n")
    found = dependencies(tmp_path)
    assert found.has("async_timeout", (3, 10))
    assert not found.has("async_timeout", (3, 11))
    assert [item.path for item in found.of("Async.Timeout")] == [tmp_path / "requirements.txt"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", "[project]\nname = 'x'\n"),
        ("pyproject.toml", "[tool.poetry]\nname = 'x'\n"),
        ("setup.cfg", "[metadata]\nname = x\n"),
        ("setup.py", ""),
        (".git/HEAD", ""),
    ],
)
def test_stops_at_the_root_of_the_project(tmp_path: Path, name: str, text: str) -> None:
    tests = tmp_path / "repo" / "tests"
    tests.mkdir(parents=True)
    (tests.parent / name).parent.mkdir(exist_ok=True)
    (tests.parent / name).write_text(text)
    (tests.parent / "requirements.txt").write_text("pytest\n")
    (tests / "requirements.txt").write_text("anyio\n")
    (tests / "pyproject.toml").write_text("[tool.ruff]\n")
    (tmp_path / "requirements.txt").write_text("trio\n")
    found = dependencies(tests)
    assert [name for name in ("pytest", "anyio", "trio") if found.of(name)] == ["pytest", "anyio"]


BEFORE = {
    "pinned": ("requirements.txt", "pytest-asyncio==0.14.0\n", True),
    "limited": ("requirements.txt", "pytest-asyncio>=0.10,<0.19\n", True),
    "compatible": ("requirements.txt", "pytest-asyncio~=0.14.0\n", True),
    "compatible_with_all": ("requirements.txt", "pytest-asyncio~=0.14\n", False),
    "any_of_zero": ("requirements.txt", "pytest-asyncio==0.*\n", False),
    "up_to_it": ("requirements.txt", "pytest-asyncio<=0.19\n", False),
    "any": ("requirements.txt", "pytest-asyncio\n", False),
    "by_python": (
        "requirements.txt",
        "pytest-asyncio<0.17; python_version<'3.7'\npytest-asyncio>=0.23; python_version>='3.7'\n",
        False,
    ),
    "poetry_exact": ("pyproject.toml", "[tool.poetry.dev-dependencies]\npytest-asyncio = '0.14.0'\n", True),
    "poetry_caret": ("pyproject.toml", "[tool.poetry.dev-dependencies]\npytest-asyncio = '^0.14'\n", True),
    "poetry_tilde": ("pyproject.toml", "[tool.poetry.dev-dependencies]\npytest-asyncio = '~0.14'\n", True),
    "poetry_table": (
        "pyproject.toml",
        "[tool.poetry.dev-dependencies]\npytest-asyncio = {version = '^0.14'}\n",
        True,
    ),
    "poetry_any": ("pyproject.toml", "[tool.poetry.dev-dependencies]\npytest-asyncio = '*'\n", False),
    "poetry_later": ("pyproject.toml", "[tool.poetry.dev-dependencies]\npytest-asyncio = '^0.21'\n", False),
    "poetry_or": ("pyproject.toml", "[tool.poetry.dev-dependencies]\npytest-asyncio = '^0.1||^2'\n", False),
}


@pytest.mark.parametrize("name", BEFORE)
def test_is_before(tmp_path: Path, name: str) -> None:
    file, text, before = BEFORE[name]
    (tmp_path / file).write_text(text)
    assert dependencies(tmp_path).is_before("pytest-asyncio", (0, 19), (3, 11)) == before
