"""Rule scopes: what triggers and checks of each scope are given, and what a fault in one costs."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from asynclint import engine
from asynclint.engine import check_suite, check_text, is_kept, process_project
from asynclint.finding import Finding, Position, Related, Span
from asynclint.processes import spared_by_collector
from asynclint.project import dead
from asynclint.project.index.reading import Reader
from asynclint.project.project import Project
from asynclint.project.suite import suite_at
from asynclint.rule import Rule, Scope, all_rules
from asynclint.run import check_groups
from asynclint.settings import Settings
from asynclint.source.files import File
from asynclint.source.function import Function
from asynclint.source.outline import Outline
from asynclint.source.outline import Scope as Unit
from asynclint.source.text import SourceText

MODULE = """\
class TestShelf:
    async def test_empty(self):
        def helper(): ...

    class Inner:
        pass


def test_plain(): ...
"""
PLACE = Span(Position(1, 0), Position(1, 5))


def named(scope: Scope, seen: list[str], code: str = "ASL998") -> Rule:
    """A rule that reports every unit it is asked about."""
    rule = Rule(code, "every-unit", scope)

    @rule.check
    def check(subject: Function | Unit | Path, project: Project) -> Iterator[Finding]:
        assert isinstance(project, Project)
        name = subject.scope.qualname if isinstance(subject, Function) else getattr(subject, "qualname", "?")
        seen.append(name)
        yield Finding("", PLACE, code, f"saw {name}")

    return rule


def check(rules: list[Rule], text: str = MODULE) -> tuple[list[str], str]:
    result = check_text(SourceText.from_bytes(text.encode()), None, "shelf.py", Settings(), rules=rules)
    return [
        f"{f.path} {f.message}" for f in result.findings
    ], result.problem.message if result.problem else ""


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope.FUNCTION, ["TestShelf.test_empty", "test_plain"]),
        (Scope.CLASS, ["TestShelf", "TestShelf.Inner"]),
        (Scope.MODULE, [""]),
        (Scope.SUITE, []),
    ],
)
def test_each_scope_is_asked_about_its_units(scope: Scope, expected: list[str]) -> None:
    seen: list[str] = []
    findings, problem = check([named(scope, seen)])
    assert (seen, problem) == (expected, "")
    assert sorted(findings) == sorted(f"shelf.py saw {name}" for name in expected)


def test_a_trigger_that_says_no_keeps_the_check_away() -> None:
    seen: list[str] = []
    rule = named(Scope.FUNCTION, seen)
    rule.trigger(lambda unit, _: unit.is_async)
    check([rule])
    assert seen == ["TestShelf.test_empty"]


def test_a_fault_in_one_rule_costs_no_other_unit() -> None:
    seen: list[str] = []
    broken = Rule("ASL997", "broken", Scope.FUNCTION)

    @broken.check
    def fail(function: Function, project: Project) -> Iterator[Finding]:
        if function.scope.is_async:
            message = "no such shelf"
            raise LookupError(message)
        yield Finding("", PLACE, "ASL997", "fine")

    findings, problem = check([broken, named(Scope.CLASS, seen)])
    assert findings == ["shelf.py fine", "shelf.py saw TestShelf", "shelf.py saw TestShelf.Inner"]
    assert problem.startswith("TestShelf.test_empty could not be checked")
    assert problem.endswith("LookupError: no such shelf")


def test_related_places_are_in_the_file_itself_unless_they_name_another() -> None:
    rule = Rule("ASL995", "related", Scope.MODULE)

    @rule.check
    def check(subject: Unit, project: Project) -> Iterator[Finding]:
        places = (Related("", PLACE, "here"), Related("conftest.py", PLACE, "there"))
        yield Finding("", PLACE, "ASL995", "two places", related=places)

    text = SourceText.from_bytes(MODULE.encode())
    result = check_text(text, None, "shelf.py", Settings(extend_select=("ASL995",)), rules=[rule])
    (finding,) = result.findings
    assert [(place.path, place.message) for place in finding.related] == [
        ("shelf.py", "here"),
        ("conftest.py", "there"),
    ]


def test_suite_rules_see_the_project_s_directory(tmp_path: Path) -> None:
    rule = Rule("ASL996", "suite-wide", Scope.SUITE)
    rule.trigger(lambda root, _: root == tmp_path)

    @rule.check
    def check_root(root: Path, project: Project) -> Iterator[Finding]:
        yield Finding(str(root / "tox.ini"), PLACE, "ASL996", "no leak check")
        yield Finding("", PLACE, "ASL996", "no timeout")

    seen: list[str] = []
    project = Project(Settings())
    found = check_suite(tmp_path, [rule, named(Scope.FUNCTION, seen)], project)
    assert {path: [f.message for f in findings] for path, findings in found.items()} == {
        tmp_path / "tox.ini": ["no leak check"],
        suite_at(tmp_path, project).place: ["no timeout"],
    }
    assert seen == []
    assert check_suite(tmp_path / "other", [rule], project) == {}


def test_modules_that_import_fixtures_from_each_other(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": '[tool.pytest.ini_options]\nasyncio_mode = "auto"\ntimeout = "5"\n',
        "lib/__init__.py": "from lib.mocks import *\nfrom lib.mocks import sender\n",
        "lib/mocks.py": (
            "import pytest\nfrom lib import *\nfrom lib import sender as again\n\n\n"
            "class Sender:\n    async def send(self): ...\n\n\n"
            "@pytest.fixture\ndef sender():\n    return Sender()\n"
        ),
        "tests/conftest.py": "from lib import sender as postman\n",
        "tests/test_it.py": "async def test_it(postman):\n    postman.send()\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    path = tmp_path / "tests" / "test_it.py"
    result = check_text(SourceText.from_bytes(path.read_bytes()), path, "test_it.py", Settings())
    assert result.problem is None
    assert [finding.code for finding in result.findings] == ["ASL301"]


def test_a_judged_module_is_let_go_unless_another_asked_for_it(tmp_path: Path) -> None:
    """With the garbage collector off, as in a run: nothing may be left to it."""
    files = {
        "pyproject.toml": "",
        "tests/conftest.py": "import pytest\n\n\n@pytest.fixture\nasync def port():\n    yield 1\n",
        "tests/test_a.py": (
            "import asyncio\nimport unittest\n\nimport pytest\n\n\n"
            "class Server:\n    async def stop(self): ...\n\n\n"
            "@pytest.mark.parametrize('n', [pytest.param(1, marks=pytest.mark.timeout(5)), 2])\n"
            "def test_n(n): ...\n\n\n"
            "class Case(unittest.TestCase):\n    def test_id(self):\n        self.assertTrue(self.id())\n\n\n"
            "async def helper(task):\n    await task\n\n\n"
            "async def test_a(port):\n    server = Server()\n    task = asyncio.create_task(server.stop())\n"
            "    if port:\n        return\n    await helper(task)\n    server.stop()\n"
        ),
        "tests/test_b.py": "from test_c import Client\n\n\nasync def test_b():\n    Client().get()\n",
        "tests/test_c.py": "class Client:\n    async def get(self): ...\n",
        "tests/test_d.py": "",
    }
    for name, source in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(source)
    project, found, outlines = Project(Settings()), list[str](), {}
    gc.disable()
    try:
        for path in sorted(tmp_path.glob("tests/*.py")):
            text = SourceText.from_bytes(path.read_bytes())
            found += [
                f.code for f in check_text(text, path, path.name, project.settings, project=project).findings
            ]
            outlines[path.name] = weakref.ref(project.modules.get(path) or pytest.fail(path.name))
    finally:
        gc.enable()
    kept = {name for name, outline in outlines.items() if outline() is not None}
    assert found == ["ASL101", "ASL202", "ASL301", "ASL301"]
    assert kept == {"conftest.py", "test_c.py", "test_d.py"}


def test_a_project_that_is_folded_leaves_nothing_to_the_collector(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "test_it.py").write_text("import shop\n\n\nasync def test_it():\n    shop.Client().get()\n")
    (tmp_path / "shop.py").write_text("class Client:\n    async def get(self): ...\n")
    project = Project(Settings())
    text, path = SourceText.from_bytes((tmp_path / "test_it.py").read_bytes()), tmp_path / "test_it.py"
    gc.disable()
    try:
        found = check_text(text, path, "test_it.py", project.settings, project=project).findings
        outlines = [project.modules.get(tmp_path / name) for name in ("test_it.py", "shop.py")]
        alive = [weakref.ref(outline) for outline in outlines if outline is not None]
        outlines.clear()
        project.fold()
        assert [reference() for reference in alive] == [None, None]
    finally:
        gc.enable()
    assert [finding.code for finding in found] == ["ASL301"]


def test_what_is_asked_of_a_coroutine_decides_nothing_about_a_task() -> None:
    """A helper cancels all tasks, which awaits no coroutine."""
    text = """
import asyncio
async def work(): await asyncio.sleep(1)
async def cancel_all():
    for task in asyncio.all_tasks():
        task.cancel()
async def test_coroutine():
    coroutine = work()
    await cancel_all()
    assert coroutine
async def test_task():
    task = asyncio.create_task(work())
    assert task
    await cancel_all()
async def test_both():
    task = asyncio.create_task(work())
    coroutine = work()
    await cancel_all()
    assert task and coroutine
"""
    path = Path("/nowhere/test_it.py")
    for settings in (Settings(ignore=("ASL1",)), Settings(select=("ASL3",))):
        result = check_text(SourceText.from_bytes(text.encode()), path, path.name, settings)
        assert [(f.code, f.span.start.line) for f in result.findings] == [("ASL303", 8), ("ASL303", 17)]


def test_all_projects_of_a_process_together_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as there are settings: a tree of projects has many."""
    monkeypatch.setattr(engine, "MAX_SIZE", 10)
    (tmp_path / "pyproject.toml").touch()
    path = tmp_path / "test_it.py"
    text = SourceText.from_bytes(b"async def test_it(): ...\n")
    for blocks, kept in ((1000, [False, False, True]), (10**12, [True, True, True])):
        monkeypatch.setattr(engine, "MAX_BLOCKS", blocks)
        alive = []
        for seconds in (1, 2, 3):
            settings = Settings(guard_seconds=seconds + blocks)
            check_text(text, path, "test_it.py", settings)
            alive.append(weakref.ref(process_project(settings)))
        assert [reference() is not None for reference in alive] == kept


def test_a_run_that_changes_nothing_reads_a_suite_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    outline = Reader.outline

    def reading(self: Reader, path: Path) -> Outline | None:
        read.append(path.name)
        return outline(self, path)

    monkeypatch.setattr(Reader, "outline", reading)
    (tmp_path / "pyproject.toml").write_text('[tool.pytest.ini_options]\nasyncio_mode = "auto"\n')
    (tmp_path / "helpers.py").write_text("import pytest\n@pytest.fixture\ndef shelf(): ...\n")
    (tmp_path / "test_it.py").write_text(
        "from helpers import shelf\nasync def test_it(shelf):\n    await shelf\n"
    )
    settings = Settings(extend_select=("ASL207", "ASL401"))
    results = [*check_groups({settings: [File(tmp_path / "test_it.py", "test_it.py")]}, jobs=1)]
    codes = {finding.code for result, _ in results for finding in result.findings}
    assert codes >= {"ASL207", "ASL401"}
    assert read.count("helpers.py") == 1


def test_a_later_run_of_a_process_reads_suites_anew(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.pytest.ini_options]\nasyncio_mode = "auto"\n')
    settings = Settings(extend_select=("ASL207",))
    found = []
    for jobs, test in ((1, "async def test_it(shelf):\n    await shelf\n"), (2, "def test_it(): ...\n")):
        files = [File(tmp_path / name, name) for name in ("test_a.py", "test_b.py")]
        for file in files:
            file.path.write_text(test)
        results = [*check_groups({settings: files}, jobs=jobs)]
        found.append({finding.code for result, _ in results for finding in result.findings} & {"ASL207"})
    assert found == [{"ASL207"}, set()]


def test_what_others_leave_is_not_hidden_from_the_collector() -> None:
    class Cycle:
        def __init__(self) -> None:
            self.own = self

    left = weakref.ref(Cycle())
    with spared_by_collector():
        assert left() is None
        assert not gc.isenabled()
    assert gc.isenabled()


def test_what_surrounds_many_functions_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code that is never run is looked for round each function with a finding, in one module only once."""
    looked: list[Unit] = []
    look = dead._around

    def around(scope: Unit, project: Project) -> list[Span]:
        looked.append(scope)
        return look(scope, project)

    monkeypatch.setattr(dead, "_around", around)
    functions = "".join(f"def test_{number}(): ...\n" for number in range(20))
    assert len(check([named(Scope.FUNCTION, [])], functions)[0]) == 20
    assert len(looked) == 1


def test_what_a_cache_may_keep_is_told_without_rules(tmp_path: Path) -> None:
    assert {rule.code: rule for rule in all_rules()}["ASL104"].default is False
    assert is_kept(tmp_path / "test_a.py", Settings())
    assert not is_kept(tmp_path / "test_a.py", Settings(extend_select=("ASL104",)))
    assert is_kept(tmp_path / "test_a.py", Settings(extend_select=("ASL1",)))
