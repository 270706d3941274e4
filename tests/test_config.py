"""pytest's configuration: the same answers as pytest's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from asynclint.project.config import find_pytest_config
from asynclint.project.ini import IniError, parse_ini

BROKEN = "broken"

# name: files of a tree; pytest is asked from the directory `a/b` of each
TREES: dict[str, Mapping[str, str]] = {
    "nothing": {},
    "setup_py_is_the_root": {"setup.py": ""},
    "pyproject_without_a_table": {"pyproject.toml": "[project]\nname = 'x'\n"},
    "pyproject_without_a_table_lets_go_up": {"a/pyproject.toml": "", "tox.ini": "[pytest]\ntestpaths = t\n"},
    "empty_pytest_ini_counts": {
        "pytest.ini": "",
        "pyproject.toml": "[tool.pytest.ini_options]\ntestpaths='t'",
    },
    "empty_dot_pytest_ini_counts": {".pytest.ini": "", "tox.ini": "[pytest]\ntestpaths = t\n"},
    "empty_pytest_toml_counts": {"pytest.toml": "", "pytest.ini": "[pytest]\ntestpaths = t\n"},
    "dot_pytest_toml": {".pytest.toml": "[pytest]\ntestpaths = ['t', 'u v']\n", "pytest.ini": ""},
    "pytest_toml_first": {"pytest.toml": "[pytest]\ntestpaths = ['t']\n", ".pytest.toml": "[pytest]\n"},
    "pytest_toml_options_outside": {"pytest.toml": "testpaths = ['t']\n"},
    "pytest_toml_other_table": {"pytest.toml": "[tool.pytest]\ntestpaths = ['t']\n"},
    "native_pyproject": {"pyproject.toml": "[tool.pytest]\npython_files = ['check_*.py', '*_spec.py']\n"},
    "native_string_is_refused": {"pyproject.toml": "[tool.pytest]\npython_files = 'check_*.py'\n"},
    "empty_native_table_is_no_table": {"pyproject.toml": "[tool.pytest]\n", "tox.ini": "[pytest]\n"},
    "empty_ini_options_counts": {"pyproject.toml": "[tool.pytest.ini_options]\n", "tox.ini": "[pytest]\n"},
    "both_dialects": {
        "pyproject.toml": "[tool.pytest]\naddopts = []\n[tool.pytest.ini_options]\naddopts = ''\n"
    },
    "empty_ini_options_beside_native": {
        "pyproject.toml": "[tool.pytest]\ntestpaths = ['t']\n[tool.pytest.ini_options]\n"
    },
    "ini_options_shell_words": {
        "pyproject.toml": "[tool.pytest.ini_options]\npython_classes = \"Test 'A B' *Suite\"\n"
    },
    "ini_options_list": {
        "pyproject.toml": "[tool.pytest.ini_options]\npython_functions = ['test', 'check_*']\n"
    },
    "tool_is_no_table": {"pyproject.toml": "tool = 1\n"},
    "broken_toml": {"pyproject.toml": "[tool.pytest\n"},
    "broken_toml_below_wins": {"a/b/pyproject.toml": "[", "pytest.ini": "[pytest]\n"},
    "tox_without_a_section": {"tox.ini": "[tox]\n", "setup.cfg": "[tool:pytest]\ntestpaths = t\n"},
    "setup_cfg_old_section": {"setup.cfg": "[pytest]\ntestpaths = t\n"},
    "setup_cfg_both_sections": {"setup.cfg": "[pytest]\n[tool:pytest]\ntestpaths = t\n"},
    "nearest_directory_shadows": {
        "a/b/setup.cfg": "[tool:pytest]\ntestpaths = near\n",
        "pytest.ini": "[pytest]\ntestpaths = far\n",
    },
    "nothing_merges": {"a/pytest.ini": "", "pytest.ini": "[pytest]\npython_files = far_*.py\n"},
    "pythonpath_is_relative_to_the_file": {"a/pytest.ini": "[pytest]\npythonpath = src .\n"},
    "override_in_addopts": {"pytest.ini": "[pytest]\naddopts = -o python_files='x_*.py y_*.py'\n"},
    "override_joined": {"pytest.ini": "[pytest]\naddopts = --override-ini=testpaths=x\ntestpaths=t\n"},
    "open_quotation": {"pytest.ini": "[pytest]\naddopts = -k 'open\n"},
    "blocked_plugin": {"pytest.ini": "[pytest]\naddopts = -p no:doctest -pno:nose\n"},
    "ini_comments_and_long_values": {
        "pytest.ini": "# c\n[pytest] ; c\ntestpaths =\n    one\n  # no\n\n    two ; three\n; c\nXfail: 1\n"
    },
    "ini_colon": {"pytest.ini": "[pytest]\ntestpaths: a=b\n"},
    "ini_half_a_header": {"pytest.ini": "[pytest]\ntestpaths = a\n[b\n"},
    "ini_duplicate_option": {"pytest.ini": "[pytest]\ntestpaths = a\ntestpaths = b\n"},
    "ini_duplicate_section": {"pytest.ini": "[pytest]\n[pytest]\n"},
    "ini_option_before_a_section": {"pytest.ini": "testpaths = a\n[pytest]\n"},
    "ini_line_alone": {"pytest.ini": "[pytest]\ntestpaths\n"},
    "ini_continuation_of_nothing": {"pytest.ini": "[pytest]\n   a\n"},
    "ini_empty_section_name": {"pytest.ini": "[]\n"},
    "ini_byte_order_mark": {"pytest.ini": "\ufeff[pytest]\ntestpaths = a\n"},
    "ini_form_feed_is_a_line_end": {"pytest.ini": "[pytest]\ntestpaths = a\x0cpython_files = b\n"},
    "ini_case_matters": {"pytest.ini": "[pytest]\nTestpaths = a\n"},
    "ini_not_utf8": {"pytest.ini": "[pytest]\ntestpaths = \udcff\n"},
}

LISTS = ("python_files", "python_classes", "python_functions", "testpaths", "pythonpath")

# Runs in a child, whose pytest is then free of ours; a usage error is what "broken" means.
ASK_PYTEST = """
import json, os, sys
from _pytest.config import _prepareconfig
from _pytest.outcomes import Failed
from _pytest.config.exceptions import UsageError

answers = {}
for directory in json.load(sys.stdin):
    os.chdir(directory)
    try:
        config = _prepareconfig([])
        lists = {name: [str(word) for word in config.getini(name)] for name in %r}
    except (UsageError, Failed, UnicodeDecodeError, ValueError, AttributeError, SystemExit) as error:
        answers[directory] = "broken"
        continue
    blocked = config.pluginmanager.is_blocked("doctest")
    answers[directory] = [str(config.rootpath), str(config.inipath), dict(lists, blocked=blocked)]
    config._ensure_unconfigure()
print(json.dumps(answers))
""" % (LISTS,)  # noqa: UP031  (a template with braces)


def write_tree(root: Path, files: Mapping[str, str]) -> Path:
    start = root / "a" / "b"
    start.mkdir(parents=True)
    for name, text in files.items():
        (root / name).write_text(text, encoding="utf-8", errors="surrogateescape", newline="")
    return start


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    top = tmp_path_factory.mktemp("trees")
    return {name: write_tree(top / name, files) for name, files in TREES.items()}


@pytest.fixture(scope="module")
def answers(trees: dict[str, Path]) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    child = subprocess.run(
        [sys.executable, "-c", ASK_PYTEST],
        input=json.dumps([str(start) for start in trees.values()]),
        env={**environment, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    by_path = json.loads(child.stdout.splitlines()[-1])
    return {name: by_path[str(start)] for name, start in trees.items()}


@pytest.mark.parametrize("name", TREES)
def test_agrees_with_pytest(name: str, trees: dict[str, Path], answers: dict[str, Any]) -> None:
    config = find_pytest_config(trees[name], {})
    if name == "native_string_is_refused":
        assert answers[name] == BROKEN
        assert config.python_files == ("test_*.py", "*_test.py")
        return
    if config.broken:
        assert answers[name] == BROKEN
        assert str(config.path) in config.broken
        return
    assert answers[name] != BROKEN
    root, path, lists = answers[name]
    assert str(config.root) == root
    if config.path is None:  # pytest calls any pyproject.toml its file, even one without its table
        assert path in ("None", str(config.root / "pyproject.toml"))
    else:
        assert str(config.path) == path
    blocked = lists.pop("blocked")
    assert {key: [str(word) for word in getattr(config, key)] for key in LISTS} == lists
    assert ("doctest" in config.command_line.blocked) == blocked


def test_trees_cover_every_file_and_both_outcomes(answers: dict[str, Any]) -> None:
    found = {Path(answer[1]).name for answer in answers.values() if isinstance(answer, list)}
    assert found >= {"pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini"}
    assert "setup.cfg" in found
    assert 10 < list(answers.values()).count(BROKEN) < len(TREES) / 2


TIMEOUTS = [
    # (pyproject.toml below [tool.pytest.ini_options], environment, seconds, source)
    ("timeout = 20", {}, 20.0, "pyproject.toml [tool.pytest.ini_options] timeout"),
    ("timeout = '0.5'", {}, 0.5, "pyproject.toml [tool.pytest.ini_options] timeout"),
    ("timeout = 20", {"PYTEST_TIMEOUT": "7"}, 7.0, "PYTEST_TIMEOUT"),
    ("", {"PYTEST_TIMEOUT": "7"}, 7.0, "PYTEST_TIMEOUT"),
    (
        "addopts = '--timeout=5'\ntimeout = 20",
        {"PYTEST_TIMEOUT": "7"},
        5.0,
        "pyproject.toml [tool.pytest.ini_options] addopts --timeout",
    ),
    ("addopts = ['--timeout', '5']", {}, 5.0, "pyproject.toml [tool.pytest.ini_options] addopts --timeout"),
    ("addopts = '--timeout=5'", {"PYTEST_ADDOPTS": "--timeout 6"}, 6.0, "PYTEST_ADDOPTS --timeout"),
    (
        "addopts = '-o timeout=9'\ntimeout = 20",
        {},
        9.0,
        "pyproject.toml [tool.pytest.ini_options] addopts -o timeout",
    ),
    (
        "addopts = '-p no:timeout'\ntimeout = 20",
        {"PYTEST_ADDOPTS": "-p pytest_timeout"},
        20.0,
        "pyproject.toml [tool.pytest.ini_options] timeout",
    ),
    ("", {}, None, ""),
    ("timeout = 0", {}, None, ""),
    ("timeout = -1", {}, None, ""),
    ("timeout = 'soon'", {}, None, ""),
    ("timeout = ''", {}, None, ""),
    ("timeout = [20]", {}, None, ""),
    ("timeout = 20", {"PYTEST_TIMEOUT": "0"}, None, ""),
    ("timeout = 20", {"PYTEST_TIMEOUT": ""}, None, ""),
    ("timeout = 20\naddopts = '--timeout=0'", {}, None, ""),
    ("timeout = 20\naddopts = '-p no:timeout'", {}, None, ""),
    ("timeout = 20\naddopts = '-pno:timeout'", {}, None, ""),
    ("timeout = 20", {"PYTEST_ADDOPTS": "-p no:timeout"}, None, ""),
    ("session_timeout = 20\nfaulthandler_timeout = 20", {}, None, ""),
]


@pytest.mark.parametrize(("options", "environment", "seconds", "source"), TIMEOUTS)
def test_timeout(
    tmp_path: Path, options: str, environment: dict[str, str], seconds: float | None, source: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.pytest.ini_options]\n{options}\n")
    setting = find_pytest_config(tmp_path, environment).timeout
    if seconds is None:
        assert setting is None
        return
    assert setting is not None
    assert (setting.value, setting.source) == (seconds, source)
    assert setting.path == (None if source.startswith("PYTEST_") else tmp_path / "pyproject.toml")


@pytest.mark.parametrize(("value", "seconds"), [("'20'", 20.0), ("20", None), ("20.5", None), ("true", None)])
def test_native_timeout_must_be_a_string(tmp_path: Path, value: str, seconds: float | None) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.pytest]\ntimeout = {value}\n")
    setting = find_pytest_config(tmp_path, {}).timeout
    assert (setting and setting.value) == seconds


def test_process_environment_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setenv("PYTEST_TIMEOUT", "3")
    first = find_pytest_config(tmp_path).timeout
    monkeypatch.setenv("PYTEST_TIMEOUT", "4")
    second = find_pytest_config(tmp_path).timeout
    assert (first and first.value, second and second.value) == (3.0, 4.0)


@pytest.mark.parametrize(
    ("options", "environment", "loads"),
    [
        ("", {}, True),
        ("", {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}, False),
        ("", {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": ""}, True),
        ("", {"PYTEST_ADDOPTS": "--disable-plugin-autoload"}, False),
        ("addopts = -q --disable-plugin-autoload", {}, False),
    ],
)
def test_plugins_that_load_by_themselves(
    tmp_path: Path, options: str, environment: dict[str, str], loads: bool
) -> None:
    (tmp_path / "pytest.ini").write_text(f"[pytest]\n{options}\n")
    assert find_pytest_config(tmp_path, environment).autoload is loads


def test_open_quotation_in_the_environment_is_named(tmp_path: Path) -> None:
    config = find_pytest_config(tmp_path, {"PYTEST_ADDOPTS": "-k 'open"})
    assert "PYTEST_ADDOPTS" in config.broken
    assert config.timeout is None


def test_addopts_overridden_by_the_environment(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --timeout=5\n")
    config = find_pytest_config(tmp_path, {"PYTEST_ADDOPTS": "-o addopts=--timeout=8"})
    assert config.timeout is not None
    assert config.timeout.value == 8.0


def test_modes_of_the_async_plugins(tmp_path: Path) -> None:
    for name, text in {
        "default": "",
        "ini": "asyncio_mode = auto\nanyio_mode = auto\ntrio_mode = true\n",
        "addopts": "addopts = --asyncio-mode=auto --anyio-mode auto -p some.plugin -pother\n",
        "strict": "addopts = --asyncio-mode=strict\nasyncio_mode = auto\nanyio_mode = strict\n",
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "pytest.ini").write_text(f"[pytest]\n{text}")
    configs = {
        name: find_pytest_config(tmp_path / name, {}) for name in ("default", "ini", "addopts", "strict")
    }
    assert {name: (c.asyncio_mode, c.anyio_mode, c.trio_mode) for name, c in configs.items()} == {
        "default": ("strict", "", False),
        "ini": ("auto", "auto", True),
        "addopts": ("auto", "auto", False),
        "strict": ("strict", "", False),
    }
    assert configs["addopts"].plugins == ("some.plugin", "other")


def test_native_flags_keep_their_type(tmp_path: Path) -> None:
    (tmp_path / "pytest.toml").write_text("[pytest]\ntrio_mode = true\ntimeout_func_only = 'true'\n")
    config = find_pytest_config(tmp_path, {})
    assert config.native
    assert config.trio_mode
    assert not config.timeout_func_only


def test_method_and_function_only(tmp_path: Path) -> None:
    (tmp_path / "tox.ini").write_text("[pytest]\ntimeout_method = thread\ntimeout_func_only = Yes\n")
    config = find_pytest_config(tmp_path, {})
    assert config.timeout_method is not None
    assert config.timeout_method.source == "tox.ini [pytest] timeout_method"
    assert config.timeout_func_only
    loud = find_pytest_config(tmp_path, {"PYTEST_ADDOPTS": "--timeout_method=signal"})
    assert loud.timeout_method is not None
    assert (loud.timeout_method.value, loud.timeout_method.path) == ("signal", None)
    odd = find_pytest_config(tmp_path, {"PYTEST_ADDOPTS": "--timeout-method=never"})
    assert odd.timeout_method is None


def test_unreadable_file_is_broken(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").mkdir()  # a directory is no file: passed over
    (tmp_path / "tox.ini").write_bytes(b"\xff")
    config = find_pytest_config(tmp_path, {})
    assert config.path == tmp_path / "tox.ini"
    assert str(tmp_path / "tox.ini") in config.broken


def test_ini_error_names_the_line() -> None:
    with pytest.raises(IniError, match="line 3"):
        parse_ini("[pytest]\na = 1\nb\n")
