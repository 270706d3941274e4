"""The oldest Python a project supports, from what it states."""

from __future__ import annotations

from pathlib import Path

import pytest

from asynclint.project.python_version import lowest_minor, requires_python, target_version


@pytest.mark.parametrize(
    ("specifier", "lowest"),
    [
        (">=3.9", (3, 9)),
        (">= 3.10", (3, 10)),
        (">=3.8.1", (3, 8)),
        (">=3.9,<4", (3, 9)),
        (">=3.9, <4.0", (3, 9)),
        (">3.8", (3, 8)),
        ("~=3.9", (3, 9)),
        ("~=3.9.2", (3, 9)),
        ("==3.11.*", (3, 11)),
        ("==3.11.4", (3, 11)),
        (">=2.7,!=3.0.*,!=3.1.*", (3, 2)),
        (">=3.7,!=3.7.0", (3, 7)),
        ("<4", (3, 0)),
        ("<3", None),
        (">=4", None),
        ("no specifier", None),
        # poetry's own
        ("^3.8", (3, 8)),
        ("^3.8.1", (3, 8)),
        ("^2.7 || ^3.6", (3, 6)),
        ("~3.8", (3, 8)),
        ("~3", (3, 0)),
        ("3.11", (3, 11)),
        ("3.11.*", (3, 11)),
        (">=3.8 <3.12", (3, 8)),
        ("*", (3, 0)),
    ],
)
def test_lowest_minor(specifier: str, lowest: tuple[int, int] | None) -> None:
    assert lowest_minor(specifier) == lowest


@pytest.mark.parametrize(
    ("name", "content", "key"),
    [
        ("pyproject.toml", '[project]\nrequires-python = ">=3.9"\n', "project.requires-python"),
        (
            "pyproject.toml",
            '[tool.poetry.dependencies]\npython = "^3.9"\n',
            "tool.poetry.dependencies.python",
        ),
        ("setup.cfg", "[options]\npython_requires = >=3.9\n", "[options] python_requires"),
        (
            "setup.py",
            'from setuptools import setup\nsetup(\n    python_requires=">=3.9",\n)\n',
            "python_requires",
        ),
    ],
)
def test_where_it_is_stated(tmp_path: Path, name: str, content: str, key: str) -> None:
    (tmp_path / name).write_text(content)
    below = tmp_path / "tests" / "unit"
    below.mkdir(parents=True)
    stated = requires_python(below)
    assert stated is not None
    assert (stated.path, stated.key, stated.lowest) == (tmp_path / name, key, (3, 9))
    assert target_version(below) == (3, 9)


def test_the_nearest_statement_decides_and_pyproject_comes_first(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nrequires-python = ">=3.11"\n')
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "pyproject.toml").write_text('[project]\nrequires-python = ">=3.9"\n')
    (inner / "setup.cfg").write_text("[options]\npython_requires = >=3.7\n")
    assert target_version(inner) == (3, 9)
    assert target_version(tmp_path) == (3, 11)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pyproject.toml", "[project\n"),
        ("pyproject.toml", "[project]\nrequires-python = 3\n"),
        ("pyproject.toml", '[project]\nrequires-python = "  "\n'),
        ("pyproject.toml", "project = 1\ntool.poetry.dependencies = 2\n"),
        ("setup.cfg", "python_requires without a section\n"),
        ("setup.cfg", "[options]\npython_requires = maybe\n"),
        ("setup.py", "setup(python_requires=VERSION)\n"),
        ("setup.py", "def python_requires(:\n"),
        ("setup.py", 'doc = "\\d"\nprint(__import__("os"), python_requires := ">=3.9")\n'),
    ],
)
def test_what_cannot_be_read_states_nothing(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert target_version(tmp_path) is None
