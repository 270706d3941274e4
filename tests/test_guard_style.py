"""``guard-style = "mark"``: what fixes make of tests in a project that has pytest-timeout."""

from __future__ import annotations

from pathlib import Path

import pytest
from samples import BAD, spawn

pytestmark = pytest.mark.slow

SOURCE = '''\
"""Bells."""

import asyncio
import functools


def logged(function):
    @functools.wraps(function)
    async def wrapper(*args):
        return await function(*args)

    return wrapper


class TestBell:
    @logged
    async def test_rings(self, bell):  # once
        """It rings."""
        await bell.rings()


def test_runs(bell):
    asyncio.run(bell.rings())
    asyncio.run(bell.rings())
'''
MARKED = '''\
"""Bells."""

import asyncio
import functools

import pytest


def logged(function):
    @functools.wraps(function)
    async def wrapper(*args):
        return await function(*args)

    return wrapper


class TestBell:
    @logged
    @pytest.mark.timeout(30)
    async def test_rings(self, bell):  # once
        """It rings."""
        await bell.rings()


@pytest.mark.timeout(30)
def test_runs(bell):
    asyncio.run(bell.rings())
    asyncio.run(bell.rings())
'''
PROJECT = """\
[project]
name = "bells"
requires-python = ">=3.11"
dependencies = ["pytest-timeout"]

[tool.pytest.ini_options]
asyncio_mode = "auto"

[tool.asynclint]
guard-style = "mark"
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    return tmp_path


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_mark_stands_above_the_def(suite: Path, newline: str) -> None:
    path = suite / "test_bells.py"
    path.write_bytes(SOURCE.replace("\n", newline).encode())
    fixed = spawn(suite, "--fix")
    assert (fixed.returncode, fixed.stdout) == (0, ""), fixed
    assert path.read_bytes().decode() == MARKED.replace("\n", newline)
    assert spawn(suite).returncode == 0


@pytest.mark.parametrize("indent", ["\t", "\f    ", "  "])
def test_the_mark_is_indented_as_the_def(suite: Path, indent: str) -> None:
    body = indent.lstrip("\f")
    source = f"class TestBell:\n{indent}async def test_it(self, x):\n{body}{body}await x.wait()\n"
    (suite / "test_bells.py").write_text(source)
    assert spawn(suite, "--fix").returncode == 0
    fixed = (suite / "test_bells.py").read_text()
    assert f"{indent}@pytest.mark.timeout(30)\n{body}async def test_it" in fixed


def test_the_command_line_decides_on_the_style(suite: Path) -> None:
    (suite / "test_a.py").write_text(BAD)
    assert "+@pytest.mark.timeout(7)" in spawn(suite, "--diff", "--guard-seconds", "7").stdout
    for style in ("timeout", "auto"):
        shown = spawn(suite, "--diff", "--guard-style", style).stdout
        assert "+    async with asyncio.timeout(30):" in shown
        assert "mark.timeout" not in shown
    shown = spawn(suite, "--diff", "--isolated", "--guard-style", "mark").stdout
    assert "+@pytest.mark.timeout(30)" in shown


def test_the_mark_is_as_long_as_the_measured_time_asks_for(suite: Path) -> None:
    (suite / "test_a.py").write_text(BAD)
    report = '<testsuite><testcase classname="test_a" name="test_waits" time="4.01"/></testsuite>'
    (suite / "report.xml").write_text(report)
    shown = spawn(suite, "--diff", "--guard-from-junit", "report.xml").stdout
    assert "+@pytest.mark.timeout(45)" in shown


def test_a_mark_is_no_guard_where_loop_guards_alone_count(suite: Path) -> None:
    (suite / "test_a.py").write_text(BAD)
    ran = spawn(suite, "--fix", "--loop-guards-only", "--output-format", "full")
    assert ran.returncode == 1
    assert (
        "a mark bounds from outside the event loop, and loop-guards-only counts no such bound" in ran.stdout
    )
    assert (suite / "test_a.py").read_text() == BAD


def test_configured_func_only_needs_no_word_in_the_mark(suite: Path) -> None:
    fixture = '\n\n@pytest.fixture(scope="session", autouse=True)\ndef server():\n    return 1\n'
    (suite / "test_a.py").write_text(BAD + fixture)
    assert "+@pytest.mark.timeout(30, func_only=True)" in spawn(suite, "--diff").stdout
    configured = PROJECT.replace('"auto"', '"auto"\ntimeout_func_only = true')
    (suite / "pyproject.toml").write_text(configured)
    assert "+@pytest.mark.timeout(30)" in spawn(suite, "--diff").stdout


DECORATORS = {
    "class": "class limit:\n    def __init__(self, f): ...\n    async def __call__(self): ...\n",
    "partial": "def limit(f):\n    return functools.partial(f)\n",
    "lambda": "def limit(f):\n    return lambda: f()\n",
    "function": "def limit(f):\n    async def inner():\n        await f()\n    return inner\n",
}


@pytest.mark.parametrize("decorator", DECORATORS.values(), ids=DECORATORS)
def test_a_decorator_may_drop_marks(suite: Path, decorator: str) -> None:
    source = BAD.replace("\n\n\n@", f"\nimport functools\n\n\n{decorator}\n\n@limit\n@")
    (suite / "test_a.py").write_text(source)
    ran = spawn(suite, "--fix", "--output-format", "full")
    assert (suite / "test_a.py").read_text() == source
    assert "limit may drop the marks of what it wraps" in ran.stdout, ran
