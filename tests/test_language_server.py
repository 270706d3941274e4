"""``asynclint --lsp``, as a client sees it: a real process, real messages."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from lsp_client import Client, Json, apply
from samples import BAD, DROPPED, GOOD, environment, spawn

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
EVERYWHERE = {"start": {"line": 0, "character": 0}, "end": {"line": 9999, "character": 0}}
VERSIONED = {"workspace": {"workspaceEdit": {"documentChanges": True}}}
LAZY = {"textDocument": {"codeAction": {"resolveSupport": {"properties": ["edit"]}}}}
PULLING = {"textDocument": {"diagnostic": {}}, "workspace": {"diagnostics": {"refreshSupport": True}}}
WATCHING = {"workspace": {"didChangeWatchedFiles": {"dynamicRegistration": True}}}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with an empty configuration, in a directory whose name has to be escaped."""
    root = tmp_path / "my suite, né 🎈"
    (root / "tests").mkdir(parents=True)
    (root / "pyproject.toml").write_text('[project]\nname = "x"\nrequires-python = ">=3.11"\n')
    return root


@pytest.fixture
def connect(project: Path) -> Iterator[Callable[..., Client]]:
    """Start a server in the project, and initialize it with what the client can do."""
    clients = []

    def start(capabilities: Json = None, *arguments: str) -> Client:
        client = Client(project, "asynclint", "--lsp", *arguments)
        clients.append(client)
        client.initialize(capabilities)
        return client

    yield start
    for client in clients:
        client.close()
        assert b"Traceback" not in client.err, client.err.decode()


def put(project: Path, text: str, name: str = "tests/test_it.py") -> str:
    """Write a file; its URI."""
    path = project / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")
    return path.as_uri()


def codes(diagnostics: list[Json]) -> list[tuple[int, str]]:
    return [(found["range"]["start"]["line"] + 1, found["code"]) for found in diagnostics]


def edits_of(action: Json) -> list[Json]:
    edit = action["edit"]
    if "documentChanges" in edit:
        (change,) = edit["documentChanges"]
        found: list[Json] = change["edits"]
    else:
        (found,) = edit["changes"].values()
    return found


def fixed(project: Path, uri: str, *arguments: str) -> str:
    """What the command makes of a file."""
    copy = Path(unquote(urlsplit(uri).path))
    before = copy.read_bytes()
    spawn(project, "--fix", "--no-cache", *arguments, str(copy))
    after = copy.read_bytes()
    copy.write_bytes(before)
    return after.decode()


def test_says_what_the_command_says(project: Path, connect: Callable[..., Client]) -> None:
    shutil.copytree(ROOT / "fixtures" / "legacy_suite", project / "legacy")
    client = connect()
    shown = []
    for path in sorted((project / "legacy" / "tests").glob("*.py")):
        client.open(path.as_uri(), path.read_text())
        found = client.diagnostics(path.as_uri(), 1)
        for each in found:
            start = each["range"]["start"]
            place = f"{path.relative_to(project)}:{start['line'] + 1}:{start['character'] + 1}"
            shown.append(f"{place}: {each['code']} {each['message']}")
        assert all(each["source"] == "asynclint" and each["severity"] == 2 for each in found)
        pages = {each["codeDescription"]["href"] for each in found}
        assert all(Path(unquote(urlsplit(page).path)).is_file() for page in pages)
    assert shown == spawn(project, "--quiet", "--no-cache", "legacy").stdout.splitlines()
    assert len(shown) > 10
    assert client.leave() == 0


def test_related_places(project: Path, connect: Callable[..., Client]) -> None:
    shutil.copytree(ROOT / "fixtures" / "legacy_suite", project / "legacy")
    path = project / "legacy" / "tests" / "test_worker.py"
    client = connect()
    client.open(path.as_uri(), path.read_text())
    (guarded,) = [found for found in client.diagnostics(path.as_uri()) if found["code"] == "ASL102"]
    (related,) = guarded["relatedInformation"]
    assert unquote(related["location"]["uri"]) == unquote(path.as_uri())
    assert related["location"]["range"]["start"] == {"line": 23, "character": 4}
    assert "waits outside" in related["message"]


def test_the_newest_text_wins(project: Path, connect: Callable[..., Client]) -> None:
    uri = put(project, GOOD)
    client = connect()
    client.open(uri, GOOD)
    for version in range(2, 30):
        client.change(uri, GOOD + "#" * version, version)
    client.change(uri, BAD, 30)
    assert codes(client.diagnostics(uri, 30)) == [(7, "ASL101")]
    pushed = [note["params"] for note in client.notes if "Diagnostics" in note["method"]]
    assert len(pushed) < 10  # most texts were never checked
    assert all(note["diagnostics"] == [] for note in pushed[:-1])
    client.change(uri, GOOD, 31)
    assert client.diagnostics(uri, 31) == []


def test_closing_takes_diagnostics_away(project: Path, connect: Callable[..., Client]) -> None:
    uri = put(project, BAD)
    client = connect()
    client.open(uri, BAD)
    assert client.diagnostics(uri, 1)
    client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    assert client.diagnostics(uri) == []


@pytest.mark.parametrize("capabilities", [None, VERSIONED, LAZY])
def test_a_safe_fix(project: Path, connect: Callable[..., Client], capabilities: Json) -> None:
    uri = put(project, BAD)
    client = connect(capabilities)
    client.open(uri, BAD)
    (action, _) = client.actions(uri, EVERYWHERE, ["quickfix"])
    assert action["title"] == "asynclint (ASL101): guard the body with asyncio.timeout(30)"
    assert action["isPreferred"] is True
    assert [found["code"] for found in action["diagnostics"]] == ["ASL101"]
    if capabilities is LAZY:
        assert "edit" not in action
        action = client.request("codeAction/resolve", action)
    if capabilities is VERSIONED:
        assert action["edit"]["documentChanges"][0]["textDocument"]["version"] == 1
    assert apply(BAD, edits_of(action)) == fixed(project, uri) != BAD


def test_an_unsafe_fix_says_so(project: Path, connect: Callable[..., Client]) -> None:
    uri = put(project, DROPPED)
    client = connect()
    client.open(uri, DROPPED)
    (action, _) = client.actions(uri, EVERYWHERE)
    assert action["title"].startswith("asynclint (ASL201): ")
    assert action["title"].endswith(" (unsafe)")
    assert not action.get("isPreferred")
    assert apply(DROPPED, edits_of(action)) == fixed(project, uri, "--unsafe-fixes") != DROPPED


def test_only_the_fixes_of_a_line(project: Path, connect: Callable[..., Client]) -> None:
    text = BAD + BAD.partition("\n\n\n")[2].join(["\n\n", ""]).replace("test_waits", "test_too")
    uri = put(project, text)
    client = connect()
    client.open(uri, text)
    assert codes(client.diagnostics(uri)) == [(7, "ASL101"), (13, "ASL101")]
    cursor = {"line": 12, "character": 3}
    (action, _) = client.actions(uri, {"start": cursor, "end": cursor})
    fixed_one = apply(text, edits_of(action))
    assert fixed_one.startswith(BAD)
    assert fixed_one.count("asyncio.timeout(30)") == 1
    elsewhere = {"line": 0, "character": 0}
    assert client.actions(uri, {"start": elsewhere, "end": elsewhere}) == []


def test_all_safe_fixes(project: Path, connect: Callable[..., Client]) -> None:
    shutil.copytree(ROOT / "fixtures" / "legacy_suite", project / "legacy")
    client = connect()
    texts, fixed_texts = {}, {}
    for path in sorted((project / "legacy" / "tests").glob("test_*.py")):
        texts[path] = path.read_text()
        client.open(path.as_uri(), texts[path])
        (action,) = client.actions(path.as_uri(), EVERYWHERE, ["source.fixAll"])
        assert action["kind"] == "source.fixAll.asynclint"
        assert client.actions(path.as_uri(), EVERYWHERE, ["source.fixAll.asynclint"]) == [action]
        fixed_texts[path] = apply(texts[path], edits_of(action))
    assert client.actions(path.as_uri(), EVERYWHERE, ["source.organizeImports"]) == []
    spawn(project, "--fix", "--no-cache", "legacy")
    assert fixed_texts == {path: path.read_text() for path in texts}
    assert sum(texts[path] != fixed_texts[path] for path in texts) > 3


@pytest.mark.parametrize(
    "text",
    [
        BAD.replace("\n", "\r\n"),
        BAD.removesuffix("\n"),
        "\ufeff" + BAD,
        BAD.replace("event = asyncio", "flag = '🎈'\n\tevent = asyncio").replace("    ", "\t"),
    ],
)
def test_texts_stay_what_they_are(project: Path, connect: Callable[..., Client], text: str) -> None:
    uri = put(project, text)
    client = connect()
    client.open(uri, text)
    (action, _) = client.actions(uri, EVERYWHERE, ["quickfix"])
    assert apply(text, edits_of(action)) == fixed(project, uri) != text


@pytest.mark.parametrize(
    ("offered", "agreed", "units"),
    [
        (None, "utf-16", 10),
        (["utf-32", "utf-16"], "utf-32", 9),
        (["utf-8", "utf-16"], "utf-8", 13),
    ],
)
def test_columns(project: Path, offered: Json, agreed: str, units: int) -> None:
    before = "'🎈é';\t\t\t"  # of as many units
    text = DROPPED.replace("asyncio.create_task", f"{before}asyncio.create_task")
    uri = put(project, text)
    client = Client(project, "asynclint", "--lsp")
    try:
        capabilities = {"general": {"positionEncodings": offered}} if offered else None
        assert client.initialize(capabilities).get("positionEncoding", "utf-16") == agreed
        client.open(uri, text)
        (found,) = client.diagnostics(uri)
    finally:
        client.close()
    start = len("        ") + units - 1
    assert found["range"]["start"]["character"] == start
    assert found["range"]["end"]["character"] == start + len("asyncio.create_task(work())")


def test_a_form_feed_ends_no_line(project: Path, connect: Callable[..., Client]) -> None:
    text = "import os\n\x0c\nNAME = 'a\u2028b'\n" + BAD
    uri = put(project, text)
    client = connect()
    client.open(uri, text)
    assert codes(client.diagnostics(uri)) == [(10, "ASL101")]


def test_hover_shows_the_page(project: Path, connect: Callable[..., Client]) -> None:
    uri = put(project, BAD)
    client = connect()
    client.open(uri, BAD)
    here = {"textDocument": {"uri": uri}, "position": {"line": 6, "character": 8}}
    found = client.request("textDocument/hover", here)
    assert found["contents"]["kind"] == "markdown"
    assert found["contents"]["value"].startswith("# ASL101 unbounded-test\n\non by default")
    assert found["contents"]["value"].count("```python\n") == 2
    assert found["range"]["start"] == {"line": 6, "character": 0}
    away = {"textDocument": {"uri": uri}, "position": {"line": 0, "character": 0}}
    assert client.request("textDocument/hover", away) is None


def test_what_never_runs_is_faded(project: Path, connect: Callable[..., Client]) -> None:
    text = (
        "import unittest\n\n\nclass T(unittest.TestCase):\n    async def test_it(self):\n        assert 1\n"
    )
    uri = put(project, text)
    client = connect()
    client.open(uri, text)
    assert [(found["code"], found["tags"]) for found in client.diagnostics(uri)] == [("ASL305", [1])]


def test_hover_says_why_there_is_no_fix(project: Path, connect: Callable[..., Client]) -> None:
    text = BAD.replace("import asyncio\n", "import asyncio\nfrom hypothesis import given\n").replace(
        "@pytest.mark.asyncio\n", "@pytest.mark.asyncio\n@given()\n"
    )
    uri = put(project, text)
    client = connect()
    client.open(uri, text)
    (found,) = client.diagnostics(uri)
    here = {"textDocument": {"uri": uri}, "position": found["range"]["start"]}
    page = client.request("textDocument/hover", here)["contents"]["value"]
    assert page.startswith("ASL101 has no fix here: ")
    assert "# ASL101 unbounded-test" in page
    (silence,) = client.actions(uri, found["range"])
    assert silence["title"] == "asynclint: disable ASL101 for this line"


def test_a_line_is_silenced(project: Path, connect: Callable[..., Client]) -> None:
    uri = put(project, BAD)
    client = connect()
    client.open(uri, BAD)
    _, silence = client.actions(uri, EVERYWHERE, ["quickfix"])
    assert silence["title"] == "asynclint: disable ASL101 for this line"
    assert not silence.get("isPreferred")
    after = apply(BAD, edits_of(client.request("codeAction/resolve", silence)))
    assert [line for line in after.split("\n") if line not in BAD.split("\n")] == [
        f"{BAD.split(chr(10))[6]}  # noqa: ASL101"
    ]
    client.change(uri, after, 2)
    assert client.diagnostics(uri, 2) == []


def test_a_syntax_error_is_one_diagnostic(project: Path, connect: Callable[..., Client]) -> None:
    uri = put(project, BAD)
    client = connect()
    client.open(uri, BAD + "def (\n")
    (found,) = client.diagnostics(uri, 1)
    assert (found["code"], found["severity"], found["range"]["start"]["line"]) == ("ASL001", 1, 9)
    (action,) = client.actions(uri, EVERYWHERE, ["source.fixAll"])
    assert edits_of(action) == []
    client.change(uri, BAD, 2)
    assert codes(client.diagnostics(uri, 2)) == [(7, "ASL101")]


@pytest.mark.parametrize("watched", [True, False])
def test_settings_are_read_again(project: Path, connect: Callable[..., Client], watched: bool) -> None:
    settings = project / "pyproject.toml"
    mended = settings.read_text()
    settings.write_text("[tool.asynclint]\nselect = [\n")
    uri = put(project, BAD)
    client = connect(WATCHING if watched else None)
    client.open(uri, BAD)
    (found,) = client.diagnostics(uri, 1)
    assert found["code"] == "ASL003"
    assert str(settings) in found["message"]
    (related,) = found["relatedInformation"]
    assert unquote(related["location"]["uri"]) == unquote(settings.as_uri())
    version = 1
    for content, expected in [(mended, [(7, "ASL101")]), ('[tool.asynclint]\nignore = ["ASL1"]\n', [])]:
        settings.write_text(content)
        if watched:
            assert client.wait_for_request("client/registerCapability")
            changes = [{"uri": settings.as_uri(), "type": 2}]
            client.notify("workspace/didChangeWatchedFiles", {"changes": changes})
        else:
            version += 1
            client.change(uri, BAD, version)
        assert codes(client.diagnostics(uri, version)) == expected


def test_other_open_documents_count_as_they_are(project: Path, connect: Callable[..., Client]) -> None:
    text = BAD.replace("event = asyncio.Event()\n    await event.wait()", "await limited()").replace(
        "import pytest", "import pytest\n\nfrom helper import limited"
    )
    unlimited = "import asyncio\n\n\nasync def limited():\n    await asyncio.Event().wait()\n"
    helper, uri = put(project, unlimited, "tests/helper.py"), put(project, text)
    client = connect()
    client.open(uri, text)
    assert codes(client.diagnostics(uri, 1)) == [(9, "ASL101")]
    client.open(helper, unlimited)
    assert client.diagnostics(helper, 1) == []
    # unsaved: the coroutine function becomes a function, whose result nobody has to await
    client.change(uri, text.replace("await limited()", "limited()"), 2)
    assert codes(client.diagnostics(uri, 2)) == [(10, "ASL301")]
    client.change(helper, unlimited.replace("async def", "def").replace("await ", ""), 2)
    assert client.diagnostics(uri) == []
    client.notify("textDocument/didClose", {"textDocument": {"uri": helper}})  # the file counts again
    assert codes(client.diagnostics(uri)) == [(10, "ASL301")]


def test_a_module_that_changes_on_the_disk(project: Path, connect: Callable[..., Client]) -> None:
    conftest = project / "conftest.py"
    uri = put(project, BAD)
    client = connect()
    client.open(uri, BAD)
    assert codes(client.diagnostics(uri, 1)) == [(7, "ASL101")]
    conftest.write_text("import pytest\n\n\ndef pytest_collection_modifyitems(items):\n")
    with conftest.open("a") as file:
        file.write("    for item in items:\n        item.add_marker(pytest.mark.timeout(5))\n")
    client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
    assert client.diagnostics(uri) == []


@pytest.mark.parametrize("text", [BAD, DROPPED, GOOD, "import time\n\n\ndef main():\n    time.sleep(1)\n"])
def test_untitled_documents_are_judged_as_standard_input(
    project: Path, connect: Callable[..., Client], text: str
) -> None:
    client = connect()
    client.open("untitled:Untitled-1", text)
    found = codes(client.diagnostics("untitled:Untitled-1"))
    done = subprocess.run(
        [sys.executable, "-m", "asynclint", "--quiet", "-"],
        cwd=project,
        env=environment(),
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line.split(":", 3) for line in done.stdout.splitlines()]
    assert found == [(int(line), rest.split()[0]) for _, line, _, rest in lines]
    assert bool(found) == (text in (BAD, DROPPED))


def test_files_that_are_left_out(project: Path, connect: Callable[..., Client]) -> None:
    client = connect()
    for name in ("tests/build/test_it.py", "helper.py"):
        uri = put(project, BAD.replace("test_waits", "waits") if name == "helper.py" else BAD, name)
        client.open(uri, BAD)
        assert client.diagnostics(uri) == [], name


def test_options_of_the_command_count(project: Path, connect: Callable[..., Client]) -> None:
    uri = put(project, BAD)
    client = connect(None, "--guard-seconds", "7", "--ignore", "ASL3")
    client.open(uri, BAD)
    (action, _) = client.actions(uri, EVERYWHERE, ["quickfix"])
    assert "asyncio.timeout(7)" in apply(BAD, edits_of(action))


def test_a_client_that_pulls_is_not_told_twice(project: Path, connect: Callable[..., Client]) -> None:
    uri = put(project, BAD)
    client = connect(PULLING)
    client.open(uri, BAD)
    report = client.request("textDocument/diagnostic", {"textDocument": {"uri": uri}})
    assert report["kind"] == "full"
    assert codes(report["items"]) == [(7, "ASL101")]
    client.change(uri, GOOD, 2)
    report = client.request("textDocument/diagnostic", {"textDocument": {"uri": uri}})
    assert report["items"] == []
    assert client.requests == []
    client.change(uri, BAD, 3)
    (project / "pyproject.toml").write_text('[tool.asynclint]\nignore = ["ASL101"]\n')
    report = client.request("textDocument/diagnostic", {"textDocument": {"uri": uri}})
    assert report["items"] == []
    (project / "pyproject.toml").write_text("")
    client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
    client.wait_for_request("workspace/diagnostic/refresh")
    report = client.request("textDocument/diagnostic", {"textDocument": {"uri": uri}})
    assert codes(report["items"]) == [(7, "ASL101")]
    assert [note for note in client.notes if "publishDiagnostics" in note["method"]] == []


def test_goodbyes(project: Path, connect: Callable[..., Client]) -> None:
    uri = put(project, BAD)
    polite, rude, gone = connect(), connect(), connect()
    for client in (polite, rude, gone):
        client.open(uri, BAD)
    assert polite.leave() == 0
    rude.notify("exit")
    assert rude.process.wait(60) == 1
    assert gone.process.stdin is not None
    gone.process.stdin.close()
    assert gone.process.wait(60) == 1


def test_without_the_extra(project: Path) -> None:
    program = "import sys; sys.modules['pygls'] = None; from asynclint.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--lsp"],
        cwd=project,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "asynclint: --lsp needs pygls, which comes with the extra: pip install 'asynclint[lsp]'"
    ]
