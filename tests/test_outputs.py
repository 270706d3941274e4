"""Reports for programs: what each format says is read back as its readers do."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from fixture_folders import folders, lay_out
from samples import BAD, DROPPED, GOOD, Asynclint, environment, spawn

from asynclint.finding import Edit, Position
from asynclint.output import fix
from asynclint.output.gathered import complete
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
                whole = complete(finding.fix, text)
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


# -- --output-file


@pytest.mark.parametrize("name", ["full", "concise", *MACHINE])
def test_the_output_file_gets_what_would_be_printed(suite: Path, asynclint: Asynclint, name: str) -> None:
    (suite / "tests" / "test_é.py").write_text(BAD)
    printed = asynclint("--output-format", name)
    ran = asynclint("--output-format", name, "--output-file", "reports/new/a.txt")
    assert (ran.status, ran.out, ran.err) == (1, "", printed.err)
    assert (suite / "reports/new/a.txt").read_text(encoding="utf-8") == printed.out
    assert list((suite / "reports/new").iterdir()) == [suite / "reports/new/a.txt"]


def test_tables_and_patches_go_to_the_output_file_too(suite: Path, asynclint: Asynclint) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    for flags in (
        ("--diff",),
        ("--statistics",),
        ("--show-guards", "--output-format", "json"),
        ("--checklist",),
    ):
        printed = asynclint(*flags)
        ran = asynclint(*flags, "--output-file", "out.txt")
        assert (ran.status, ran.out, ran.err) == (printed.status, "", printed.err)
        assert (suite / "out.txt").read_text() == printed.out != ""


def test_the_output_file_is_replaced_and_keeps_its_mode(suite: Path, asynclint: Asynclint) -> None:
    target = suite / "report.txt"
    asynclint("--output-file", "report.txt")
    plain = suite / "plain.txt"
    plain.write_text("")
    assert target.stat().st_mode == plain.stat().st_mode, "a new file has the mode that any new file has"
    target.write_text("old\n" * 1000)
    target.chmod(0o600)
    (suite / "tests" / "test_a.py").write_text(BAD)
    asynclint("--output-file", "report.txt")
    assert target.read_text().count("\n") == 1
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_and_devices_are_written_to_and_not_replaced(suite: Path) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    pipe = suite / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True)
    assert spawn(suite, "--output-format", "json", "--output-file", "pipe").returncode == 1
    out, _ = reader.communicate(timeout=60)
    assert json.loads(out)["summary"]["findings"] == 1
    assert pipe.is_fifo()
    done = spawn(suite, "--output-file", "/dev/stdout")
    assert done.stdout.startswith("tests/test_a.py:7:1: ASL101 ")
    assert spawn(suite, "--output-file", "-").stdout == done.stdout
    assert not (suite / "-").exists()


def test_an_output_file_that_cannot_be_written_is_one_line(suite: Path, asynclint: Asynclint) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    (suite / "file").write_text("")
    ran = asynclint("--output-file", "file/report.txt")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("asynclint: --output-file file/report.txt: cannot be written: ")
    assert ran.err.count("\n") == 1


# -- --statistics


def test_statistics_count_by_code(suite: Path, asynclint: Asynclint) -> None:
    for name, source in (("a", BAD), ("b", BAD), ("c", DROPPED)):
        (suite / "tests" / f"test_{name}.py").write_text(source)
    ran = asynclint("--statistics")
    assert ran.status == 1
    assert [line.split() for line in ran.out.splitlines()] == [
        ["found", "code", "name", "safe", "fix", "unsafe", "fix"],
        ["2", "ASL101", "unbounded-test", "2"],
        ["1", "ASL201", "dropped-task", "1"],
    ]
    assert ran.err.startswith(
        "Found 3 findings in 3 of 3 files; --fix repairs 2, --fix --unsafe-fixes 1 more."
    )
    assert "; --fix --unsafe-fixes repairs 1." in asynclint("--statistics", "--ignore", "ASL101").err
    (suite / "tests" / "test_c.py").write_text("def (:\n")
    broken = asynclint("--statistics", "--fix")
    assert broken.status == 2
    assert broken.out.startswith("tests/test_c.py:1:5: ASL001 ")
    assert "found" not in broken.out, "nothing is left to count"


# -- full


def block(suite: Path, asynclint: Asynclint, source: str) -> list[str]:
    (suite / "tests" / "test_a.py").write_text(source, encoding="utf-8")
    return asynclint("--output-format", "full", "--select", "ASL201").out.splitlines()


def test_full_shows_every_line_of_a_finding(suite: Path, asynclint: Asynclint) -> None:
    lines = block(suite, asynclint, MULTILINE)
    assert lines[2:9] == [
        "   |",
        "13 |         asyncio.create_task(",
        "   |         ^^^^^^^^^^^^^^^^^^^^",
        "14 |             work(),",
        "   |             ^^^^^^^",
        "15 |         )",
        "   |         ^",
    ]


def test_full_leaves_out_the_middle_of_a_long_finding(suite: Path, asynclint: Asynclint) -> None:
    lines = block(suite, asynclint, MULTILINE.replace("work(),", "work(),\n" * 90 + "\n"))
    at = lines.index("    ...")
    assert lines[at - 2 : at] == [" 15 | work(),", "    | ^^^^^^^"]
    assert lines[at + 1] == "106 |         )"
    assert lines[3] == " 13 |         asyncio.create_task("


def test_full_puts_carets_under_wide_characters_and_tabs(suite: Path, asynclint: Asynclint) -> None:
    source = DROPPED.replace("asyncio.create_task(work())", "assert '漢字';\tasyncio.create_task(work('漢'))")
    lines = block(suite, asynclint, source)
    code, carets = lines[3], lines[4]
    assert "\t" not in code
    before, _, meant = code.partition("asyncio.create")
    assert carets.index("^") == len(before) + 2, "two cells for each of two characters"
    assert carets.count("^") == len("asyncio.create" + meant) + 1


# -- colour, progress


@pytest.mark.parametrize(
    ("arguments", "variables", "coloured"),
    [
        ((), {}, False),
        (("--color", "always"), {}, True),
        (("--color", "always"), {"NO_COLOR": "1"}, True),
        (("--color", "always"), {"TERM": "dumb"}, True),
        (("--color", "never"), {"FORCE_COLOR": "1"}, False),
        (("--color", "auto"), {"FORCE_COLOR": "1"}, True),
        (("--color", "auto"), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colour(suite: Path, arguments: tuple[str, ...], variables: dict[str, str], coloured: bool) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    done = spawn(suite, "--output-format", "full", *arguments, **variables)
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-9]m", done.stdout)) is coloured
    if "never" in arguments:
        assert "\x1b" not in done.stdout


@pytest.mark.parametrize("table", ["--show-guards", "--checklist"])
def test_colour_of_tables(suite: Path, asynclint: Asynclint, table: str) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    for colour in ("always", "never"):
        ran = asynclint(table, "--output-format", "full", "--color", colour)
        assert ("\x1b[" in ran.out) is (colour == "always")


IMPATIENT = """
import asynclint.output.progress as progress
from asynclint.cli import main

progress.DELAY = progress.PAUSE = 0
main()
"""


def on_a_terminal(suite: Path, *arguments: str) -> tuple[int, bytes]:
    """Exit status, and what a terminal is sent that both streams of the command go to."""
    import pty

    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", IMPATIENT, *arguments],
        cwd=suite,
        env=environment(TERM="xterm", COLUMNS="120"),
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    sent = b""
    while True:
        try:
            chunk = os.read(controller, 4096)
        except OSError:  # Linux' way to say that the other end is closed
            break
        if not chunk:
            break
        sent += chunk
    os.close(controller)
    return process.wait(), sent


def screen(sent: str) -> list[str]:
    """The lines that are left on a terminal: enough of its control sequences for what rich sends."""
    rows, row, column = [""], 0, 0
    for piece in re.findall(r"\x1b\[[?0-9;]*[A-Za-z]|[^\x1b]", sent):
        if piece == "\r":
            column = 0
        elif piece == "\n":
            row += 1
            rows += [""] * (row == len(rows))
        elif re.fullmatch(r"\x1b\[\d*A", piece):
            row -= int(piece[2:-1] or 1)
        elif piece == "\x1b[2K":
            rows[row] = ""
        elif not piece.startswith("\x1b"):
            rows[row] = rows[row][:column].ljust(column) + piece + rows[row][column + 1 :]
            column += 1
    return [text.rstrip() for text in rows if text.strip()]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_progress_bar_leaves_no_trace_between_results(suite: Path, asynclint: Asynclint) -> None:
    for number in range(12):
        (suite / "tests" / f"test_{number:02}.py").write_text((BAD, GOOD, GOOD, "def (:\n")[number % 4])
    expected = asynclint("--output-format", "concise")
    words = ("--output-format", "concise", "--no-cache")
    status, sent = on_a_terminal(suite, *words)
    assert status == 2
    text = sent.decode()
    assert "checking" in text
    assert "12/12" in text
    assert screen(text) == [*expected.out.splitlines(), *expected.err.splitlines()]
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l"), "the cursor is shown again"
    for flag in ("--no-progress", "--quiet"):
        assert b"checking" not in on_a_terminal(suite, *words, flag)[1]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_short_run_shows_no_progress_bar(suite: Path) -> None:
    from asynclint.output.progress import DELAY, Progress

    class Terminal:
        def isatty(self) -> bool:
            return True

        def write(self, text: str) -> None:
            raise AssertionError(text)

    assert DELAY >= 0.5
    Progress(Terminal(), 2).advance()  # type: ignore[arg-type]


def test_without_a_terminal_there_is_no_progress_bar(suite: Path) -> None:
    (suite / "tests" / "test_a.py").write_text(BAD)
    done = subprocess.run(
        [sys.executable, "-c", IMPATIENT],
        cwd=suite,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "checking" not in done.stderr + done.stdout
