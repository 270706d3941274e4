"""Reports for programs: what each format says is read back as its readers do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from fixture_folders import folders, lay_out
from samples import BAD, DROPPED, GOOD, Asynclint, spawn

from asynclint.finding import Edit, Position
from asynclint.output import fix
from asynclint.output.gathered import Completing
from asynclint.rule import all_rules
from asynclint.source.text import SourceText

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
MACHINE = ("json", "sarif", "github", "gitlab", "junit")
REPORT = json.loads((ROOT / "asynclint/output/report_v1.schema.json").read_text(encoding="utf-8"))
SARIF = json.loads((ROOT / "tests/schemas/sarif-2.1.0-rtm.5.json").read_text(encoding="utf-8"))
HOSTILE = "a b,c:100%\xe9.py"  # what one format or other gives a meaning
NO_IMPORT = BAD.replace("import asyncio\n", "from asyncio import Event\n").replace("asyncio.Event", "Event")
MULTILINE = DROPPED.replace("create_task(work())", "create_task(\n            work(),\n        )")


@pytest.fixture
def every(suite: Path) -> Path:
    """A suite with findings that have fixes and related places, names that need care, and a broken file."""
    files = {
        f"test_{HOSTILE}": BAD,
        "test_import.py": NO_IMPORT,
        "test_multi.py": MULTILINE,
        "test_related.py": f"{BAD}    await asyncio.wait_for(event.wait(), 5)\n",
        "test_crlf.py": BAD.replace("\n", "\r\n"),
        "test_good.py": GOOD,
    }
    for name, source in files.items():
        (suite / "tests" / name).write_bytes(source.encode())
    (suite / "tests" / "test_broken\x1b.py").write_text("x = 1\ndef (:\n")
    return suite


def document(asynclint: Asynclint, name: str, *arguments: str, **stdin: str) -> Any:
    """The run's report as its readers parse it."""
    ran = asynclint("--output-format", name, *arguments, **stdin)
    assert "Traceback" not in ran.err
    return parsed(name, ran.out)


def parsed(name: str, text: str) -> Any:
    if name == "junit":
        return ET.fromstring(text)
    return list(commands(text)) if name == "github" else json.loads(text)


def commands(text: str) -> Iterator[tuple[str, dict[str, str], str]]:
    """Level, properties and message of workflow commands, as GitHub's runner takes them apart."""
    for line in text.splitlines():
        match = re.fullmatch(r"::(error|warning) ([^\n]*?)::(.*)", line)
        assert match, line
        pairs = (pair.partition("=") for pair in match[2].split(","))
        properties = {key: unescaped(value, {"%3A": ":", "%2C": ","}) for key, _, value in pairs}
        yield match[1], properties, unescaped(match[3], {})


def unescaped(text: str, more: dict[str, str]) -> str:
    for code, character in {**more, "%0D": "\r", "%0A": "\n", "%25": "%"}.items():
        text = text.replace(code, character)
    return text


# -- json


def test_json_is_as_its_schema_says(every: Path, asynclint: Asynclint) -> None:
    found = document(asynclint, "json")
    jsonschema.validate(found, REPORT, cls=jsonschema.Draft202012Validator)
    places = [(one["path"], one["line"], one["column"], one["code"]) for one in found["findings"]]
    assert places == sorted(places)
    assert (f"tests/test_{HOSTILE}", 7, 1, "ASL101") in places
    assert [problem["code"] for problem in found["problems"]] == ["ASL001"]
    problem = found["problems"][0]
    assert (problem["path"], problem["line"], problem["column"]) == ("tests/test_broken\x1b.py", 2, 5)
    assert found["summary"] == {
        "files": 6,
        "findings": 5,
        "problems": 1,
        "safe_fixes": 4,
        "unsafe_fixes": 1,
        "fixed": 0,
    }
    counts = {row["code"]: (row["name"], row["findings"], row["safe_fixes"]) for row in found["statistics"]}
    assert counts["ASL101"] == ("unbounded-test", 3, 3)
    (multi,) = (one for one in found["findings"] if one["path"] == "tests/test_multi.py")
    assert (multi["line"], multi["column"], multi["end_line"], multi["end_column"]) == (13, 9, 15, 10)
    (related,) = (one["related"] for one in found["findings"] if one["related"])
    assert related[0]["path"] == "tests/test_related.py"


def test_the_schema_is_strict_enough_to_fail(every: Path, asynclint: Asynclint) -> None:
    found = document(asynclint, "json")
    found["findings"][0]["fix"]["safety"] = "mostly"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found, REPORT)
    del found["findings"][0]["fix"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found, REPORT)


def test_edits_of_json_are_what_fix_does(every: Path, asynclint: Asynclint) -> None:
    found = document(asynclint, "json")["findings"]
    before = {path.name: path.read_bytes() for path in (every / "tests").glob("test_[!b]*.py")}
    asynclint("--fix", "--unsafe-fixes")
    for finding in found:
        path = every / finding["path"]
        text = SourceText.from_bytes(before[path.name])
        assert text.encode(applied(text, finding["fix"]["edits"])) == path.read_bytes()
    assert len(found) == 5


def applied(text: SourceText, edits: list[dict[str, Any]]) -> str:
    """The text with edits as the schema describes them, the last place first."""
    after = text.text
    for edit in reversed(edits):
        start = text.offset(Position(edit["line"], edit["column"] - 1))
        end = text.offset(Position(edit["end_line"], edit["end_column"] - 1))
        after = after[:start] + edit["text"] + after[end:]
    return after


@pytest.mark.slow
def test_a_completed_fix_is_the_whole_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked, with_imports = 0, 0
    for folder in folders():
        if folder.is_of_suites:
            continue  # its fixes are of other files
        (tmp_path / folder.code).mkdir()
        monkeypatch.chdir(tmp_path / folder.code)
        for result in lay_out(folder, tmp_path / folder.code).check(["suite"]):
            text = SourceText.from_lines([result.after])
            for finding in result.findings:
                if finding.fix is None:
                    continue
                whole = Completing(text).fix(finding)
                assert whole is not None
                assert all(one.span.end <= two.span.start for one, two in pairwise(whole.edits))
                for place in (place for edit in whole.edits for place in (edit.span.start, edit.span.end)):
                    line = (*text.lines, "")[place.line - 1]
                    assert place.column <= len(line.rstrip("\r\n")), "no line end is part of a line"
                assert changed(text, whole.edits) == fix.apply(text, [finding], unsafe=True).text
                checked += 1
                with_imports += whole.edits != finding.fix.edits
    assert checked > 400
    assert with_imports > 20


def changed(text: SourceText, edits: tuple[Edit, ...]) -> str:
    after = text.text
    for edit in reversed(edits):
        after = after[: text.offset(edit.span.start)] + edit.text + after[text.offset(edit.span.end) :]
    return after


# -- sarif


def test_sarif_is_as_the_published_schema_says(every: Path, asynclint: Asynclint) -> None:
    found = document(asynclint, "sarif")
    jsonschema.validate(found, SARIF, cls=jsonschema.Draft4Validator)
    (run,) = found["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [rule.code for rule in all_rules()]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    for rule in rules:
        assert (
            max(len(rule[key]["text"]) for key in ("shortDescription", "fullDescription")) <= 1024
        )  # GitHub's
        assert "## Why it matters" in rule["help"]["markdown"]
        assert "```python\n" in rule["help"]["markdown"]
        assert "``" not in re.sub(r"```\w*", "", rule["help"]["markdown"])
    assert len({result["partialFingerprints"]["asynclint/v1"] for result in run["results"]}) == 5
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    (notice,) = invocation["toolExecutionNotifications"]
    assert notice["locations"][0]["physicalLocation"]["region"] == {"startLine": 2, "startColumn": 5}
    notices = run["tool"]["driver"]["notifications"]
    assert notices[notice["descriptor"]["index"]]["id"] == notice["descriptor"]["id"] == "ASL001"


def test_sarif_names_files_as_uris_below_the_root(every: Path, asynclint: Asynclint) -> None:
    run = document(asynclint, "sarif")["runs"][0]
    base = unquote(urlsplit(run["originalUriBaseIds"]["%SRCROOT%"]["uri"]).path)
    assert base == f"{every}/"
    artifacts = [place["artifactLocation"] for place in physical(run)]
    assert len(artifacts) > 10
    for artifact in artifacts:
        assert artifact["uriBaseId"] == "%SRCROOT%"
        assert re.fullmatch(r"[A-Za-z0-9_./%-]+", artifact["uri"])
        assert Path(base, unquote(artifact["uri"])).is_file()


def physical(node: Any) -> Iterator[dict[str, Any]]:
    """Every object with an artifactLocation."""
    if isinstance(node, dict):
        if "artifactLocation" in node:
            yield node
        for value in node.values():
            yield from physical(value)
    elif isinstance(node, list):
        for value in node:
            yield from physical(value)


def test_sarif_fixes_can_be_applied(every: Path, asynclint: Asynclint) -> None:
    results = document(asynclint, "sarif", "tests/test_import.py")["runs"][0]["results"]
    ((change,),) = (
        [change for fix in result["fixes"] for change in fix["artifactChanges"]] for result in results
    )
    text = SourceText.from_bytes((every / "tests/test_import.py").read_bytes())
    edits = [
        {
            "line": one["deletedRegion"]["startLine"],
            "column": one["deletedRegion"]["startColumn"],
            "end_line": one["deletedRegion"]["endLine"],
            "end_column": one["deletedRegion"]["endColumn"],
            "text": one["insertedContent"]["text"],
        }
        for one in change["replacements"]
    ]
    asynclint("--fix", "tests/test_import.py")
    after = (every / "tests/test_import.py").read_text()
    assert applied(text, edits) == after
    assert "import asyncio\n" in after


def test_files_outside_the_working_directory(suite: Path, asynclint: Asynclint) -> None:
    outside = suite.parent / f"{suite.name} other" / "tests"
    outside.mkdir(parents=True)
    (outside / "test_a.py").write_text(BAD)
    named = f"../{suite.name} other"
    place = next(physical(document(asynclint, "sarif", named)["runs"][0]["results"]))
    uri = urlsplit(place["artifactLocation"]["uri"])
    assert (uri.scheme, unquote(uri.path)) == ("file", str(outside / "test_a.py"))
    assert "uriBaseId" not in place["artifactLocation"]
    assert document(asynclint, "github", named)[0][1]["file"] == str(outside / "test_a.py")
    assert document(asynclint, "json", named)["findings"][0]["path"] == f"{named}/tests/test_a.py"


@pytest.mark.parametrize("variable", ["GITHUB_WORKSPACE", "CI_PROJECT_DIR"])
def test_in_ci_paths_begin_at_the_checkout(
    suite: Path, asynclint: Asynclint, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    (suite / "service" / "tests").mkdir(parents=True)
    (suite / "service" / "tests" / "test_a.py").write_text(BAD)
    monkeypatch.chdir(suite / "service")
    monkeypatch.setenv(variable, str(suite))
    assert document(asynclint, "github")[0][1]["file"] == "service/tests/test_a.py"
    assert document(asynclint, "gitlab")[0]["location"]["path"] == "service/tests/test_a.py"
    run = document(asynclint, "sarif")["runs"][0]
    assert next(physical(run["results"]))["artifactLocation"]["uri"] == "service/tests/test_a.py"
    assert document(asynclint, "json")["findings"][0]["path"] == "tests/test_a.py"


# -- github, gitlab, junit


def test_github_commands_are_escaped(every: Path, asynclint: Asynclint) -> None:
    ran = asynclint("--output-format", "github")
    found = list(commands(ran.out))
    assert len(found) == 6
    by_file = {properties["file"]: (level, properties, message) for level, properties, message in found}
    level, properties, message = by_file[f"tests/test_{HOSTILE}"]
    assert level == "error"
    assert properties["title"] == "ASL101"
    assert (properties["line"], properties["col"], properties["endLine"]) == ("7", "1", "7")
    assert properties["endColumn"] == str(1 + len("async def test_waits"))
    assert message.startswith(f"tests/test_{HOSTILE}:7:1: ASL101 async test test_waits can hang")
    assert "col" not in by_file["tests/test_multi.py"][1], "GitHub takes columns of one line only"
    assert by_file["tests/test_multi.py"][1]["endLine"] == "15"


def test_gitlab_fingerprints_are_unique_and_outlive_moved_lines(suite: Path, asynclint: Asynclint) -> None:
    twice = BAD + BAD.partition("\n\n\n")[2]
    (suite / "tests" / "test_a.py").write_text(f"{BAD}\n\n{twice}")
    (suite / "tests" / "test_b.py").write_text(BAD)
    found = document(asynclint, "gitlab")
    prints = [issue["fingerprint"] for issue in found]
    assert len(set(prints)) == len(prints) == 4
    for issue in found:
        assert set(issue) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert issue["severity"] == "major"
        assert set(issue["location"]) == {"path", "lines"}
    for name in ("a", "b"):
        path = suite / "tests" / f"test_{name}.py"
        path.write_text(f"# a new line\n{path.read_text()}")
    moved = document(asynclint, "gitlab")
    assert [issue["fingerprint"] for issue in moved] == prints
    assert moved[-1]["location"]["lines"] == {"begin": 8, "end": 8}


def test_junit_counts_what_it_holds(every: Path, asynclint: Asynclint) -> None:
    ran = asynclint("--output-format", "junit")
    assert ran.out.isascii()
    top = parsed("junit", ran.out)
    assert (top.tag, top.get("tests"), top.get("failures"), top.get("errors")) == (
        "testsuites",
        "7",
        "5",
        "1",
    )
    suites = {suite.get("name"): suite for suite in top}
    assert list(suites) == sorted(suites)
    assert f"tests/test_{HOSTILE}" in suites
    assert "tests/test_broken\\x1b.py" in suites, "what XML cannot say is escaped"
    (clean,) = suites["tests/test_good.py"]
    assert (clean.tag, list(clean)) == ("testcase", [])
    cases = list(top.iter("testcase"))
    assert len({(case.get("classname"), case.get("name")) for case in cases}) == len(cases)
    (failure,) = suites["tests/test_multi.py"].iter("failure")
    assert failure.get("type") == "ASL201"
    assert (failure.text or "").startswith("tests/test_multi.py:13:9: ASL201 ")


# -- all of them


@pytest.mark.parametrize("name", MACHINE)
def test_there_is_one_document_whatever_was_found(suite: Path, asynclint: Asynclint, name: str) -> None:
    empty = document(asynclint, name)
    (suite / "tests" / "test_a.py").write_text(GOOD)
    clean = asynclint("--output-format", name)
    assert (clean.status, clean.err) == (0, "No findings in 1 file.\n")
    assert len(parsed(name, clean.out)) == len(empty) + (name == "junit")
    (suite / "tests" / "test_b.py").write_text("def (:\n")
    broken = asynclint("--output-format", name, "tests", "absent.py")
    assert broken.status == 2
    parsed(name, broken.out)
    assert "cannot be parsed" in broken.out
    assert "absent.py" in broken.out
    (suite / "inner" / "tests").mkdir(parents=True)
    (suite / "inner" / "pyproject.toml").write_text("[tool.asynclint]\nscope = 3\n")
    (suite / "inner" / "tests" / "test_c.py").write_text(GOOD)
    unset = asynclint("--output-format", name, "inner")
    assert unset.status == 2
    parsed(name, unset.out)
    assert "ASL003" in unset.out


@pytest.mark.parametrize("name", MACHINE)
def test_with_fix_the_document_is_what_is_left(suite: Path, asynclint: Asynclint, name: str) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    (suite / "tests" / "test_b.py").write_text(DROPPED)
    ran = asynclint("--fix", "--output-format", name)
    assert ran.status == 1
    parsed(name, ran.out)
    assert "unbounded-test (" not in ran.out
    assert "can hang: it waits" not in ran.out
    assert "asyncio.create_task starts is not kept" in ran.out
    assert "asyncio.timeout" in (suite / "tests" / "test_a.py").read_text()


@pytest.mark.parametrize("name", MACHINE)
def test_standard_input(suite: Path, asynclint: Asynclint, name: str) -> None:
    ran = asynclint("-", "--stdin-filename", "tests/test_x.py", "--output-format", name, stdin=BAD)
    assert ran.status == 1
    assert "tests/test_x.py" in ran.out
    parsed(name, ran.out)
    fixed = asynclint("-", "--fix", "--output-format", name, "--quiet", stdin=DROPPED)
    assert (fixed.status, fixed.out) == (1, DROPPED)
    parsed(name, fixed.err)
    assert "stdin" in fixed.err


@pytest.mark.parametrize("name", MACHINE)
def test_the_document_is_the_same_in_any_order(every: Path, asynclint: Asynclint, name: str) -> None:
    names = sorted(f"tests/{path.name}" for path in (every / "tests").glob("*.py"))
    one = asynclint("--output-format", name, *names)
    other = asynclint("--output-format", name, *reversed(names))
    assert one.out == other.out
    assert one.out == asynclint("--output-format", name, *names, "--no-cache").out
    if name == "json":
        many = spawn(every, "--output-format", name, "--no-cache", "--jobs", "2", *names)
        assert many.stdout == one.out


def test_a_poor_encoding_of_the_stream_breaks_no_document(every: Path) -> None:
    for name in MACHINE:
        done = spawn(every, "--output-format", name, PYTHONIOENCODING="ascii")
        assert done.returncode == 2
        parsed(name, done.stdout)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--diff", "--output-format", "json"], "--diff prints a patch: leave out --output-format"),
        (["--diff", "--statistics"], "--diff prints a patch: leave out --statistics"),
        (["--statistics", "--output-format", "sarif"], "--statistics has no place in sarif"),
        (["--show-guards", "--output-format", "sarif"], "--output-format sarif is for findings"),
        (["--checklist", "--output-format", "junit"], "--output-format junit is for findings"),
        (["--output-file", "tests"], "Invalid value for '--output-file': File 'tests' is a directory."),
        (["--color", "red"], "Invalid value for '--color'"),
        (["--isolated", "--config", "pyproject.toml"], "--isolated reads no settings from files: leave out"),
        (
            ["--no-baseline", "--baseline", "base.json"],
            "--no-baseline reports what a baseline records: leave",
        ),
        (["--write-baseline", "a", "--output-format", "json"], "--write-baseline prints no findings: leave"),
        (["--write-baseline", "a", "--output-file", "b"], "--write-baseline prints no findings: leave out"),
        (["--show-guards", "--fix"], "--show-guards prints a table: leave out --fix"),
        (["--checklist", "--add-noqa"], "--checklist prints a table: leave out --add-noqa"),
        (["--fix", "--stdin-filename", "tests/test_a.py"], "--stdin-filename is the name of what - reads"),
    ],
)
def test_what_has_no_form_together_is_bad_usage(
    suite: Path, asynclint: Asynclint, arguments: list[str], message: str
) -> None:
    ran = asynclint(*arguments)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"asynclint: {message}")
    assert ran.err.count("\n") == 1
