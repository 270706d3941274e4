"""What the oracle saw against what ``--show-guards`` says: each column of the comparison."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parent / "benchmarks"
sys.path.append(str(BENCHMARKS))
compare_guards = importlib.import_module("compare_guards")

RUN = {
    "path": "tests/test_a.py",
    "async": True,
    "drives": "",
    "outcome": "passed",
    "started": True,
    "elsewhere": [],
}
ARMED = {"kind": "k", "seconds": 5.0, "path": "tests/test_a.py", "line": 3, "in_loop": True, "where": "body"}
PLUGIN = {**ARMED, "path": "/lib/pytest_timeout.py", "in_loop": False, "where": "around"}
BOUND = {"source": "asyncio.timeout", "seconds": 5.0, "in_loop": True, "path": "tests/test_a.py", "line": 3}
SETTING = {
    "source": "tox.ini [pytest] timeout",
    "seconds": 5.0,
    "in_loop": False,
    "path": "tox.ini",
    "line": 2,
}


def seen(name: str, *armed: dict[str, Any], **more: Any) -> dict[str, Any]:
    code = {"path": "tests/test_a.py", "line": 2, "name": name}
    return {**RUN, "nodeid": name, "name": name, "code": code, "armed": list(armed), **more}


def told(name: str, status: str, *bounds: dict[str, Any]) -> dict[str, Any]:
    entry = {"path": "tests/test_a.py", "line": 2, "name": name, "status": status, "waits": True}
    return {**entry, "bounds": list(bounds), "unknown": "@it" if status == "unknown" else ""}


def columns(
    runs: list[dict[str, Any]], tests: list[dict[str, Any]], *, pytest_timeout: bool = True
) -> dict[str, str]:
    found = compare_guards.compare(runs, {"tests": tests}, pytest_timeout=pytest_timeout)
    return {compared.place.rpartition(" ")[2]: compared.column for compared in found}


def test_each_column() -> None:
    runs = [seen(n) for n in ("a", "c", "g", "h")] + [seen(n, ARMED) for n in ("b", "d", "e", "f")]
    tests = [
        told("a", "unbounded"),
        told("b", "bounded", BOUND),
        told("c", "bounded", BOUND),
        told("d", "idle"),
        told("e", "unknown"),
        told("g", "skipped"),
        told("not run", "unbounded"),
    ]
    expected = {"a": "neither", "b": "both", "c": "only said", "d": "only run", "e": "unknown"}
    assert columns(runs, tests) == {**expected, "f": "unlisted", "h": "unlisted"}


def test_runs_of_one_test_count_as_one() -> None:
    runs = [seen("a"), seen("a", ARMED), seen("a", outcome="failed")]
    (compared,) = compare_guards.compare(runs, {"tests": [told("a", "bounded", BOUND)]}, pytest_timeout=True)
    assert (compared.column, compared.partly) == ("both", True)
    assert "in 1 of 2 runs" in compared.saw


@pytest.mark.parametrize(
    "more", [{"outcome": "skipped"}, {"outcome": "failed"}, {"started": False}, {"async": False}]
)
def test_what_is_left_out(more: dict[str, Any]) -> None:
    assert columns([seen("a", ARMED, **more)], [told("a", "unbounded")]) == {}


def test_without_pytest_timeout() -> None:
    runs = [seen("a", PLUGIN), seen("b", PLUGIN, ARMED)]
    tests = [told("a", "bounded", SETTING), told("b", "bounded", BOUND, SETTING)]
    assert columns(runs, tests) == {"a": "both", "b": "both"}
    assert columns(runs, tests, pytest_timeout=False) == {"a": "neither", "b": "both"}


def test_an_inherited_test_is_found_where_it_is_defined_or_run() -> None:
    run = seen("Base.test_a")
    run["code"]["path"] = "tests/bases.py"
    assert columns([run], [{**told("Base.test_a", "unbounded"), "path": "suite/tests/bases.py"}]) == {
        "Base.test_a": "neither"
    }
    assert columns([{**run, "code": None, "name": "T.test_a"}], [told("T.test_a", "unbounded")]) == {
        "T.test_a": "neither"
    }


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    armed_file, guards = tmp_path / "it.jsonl", tmp_path / "it.json"
    armed_file.write_text("".join(json.dumps(run) + "\n" for run in (seen("a", ARMED), seen("b"))))
    guards.write_text(json.dumps({"tests": [told("a", "unbounded"), told("b", "unbounded")]}))
    files = [str(armed_file), str(guards)]
    assert compare_guards.main(files) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "it: only run: tests/test_a.py:2: a"
    assert printed[-1].split()[:4] == ["it", "2", "1", "0"]
    assert "50.00 %" in printed[-1]
    assert compare_guards.main([*files, "--at-least", "98"]) == 1
