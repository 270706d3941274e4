"""Measured times: what is read from pytest's JUnit reports, and for which tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from asynclint.project.junit import Measured, Times, read
from asynclint.settings import SettingsError


def case(owner: str, name: str, time: object, inside: str = "") -> str:
    return f'<testcase classname="{owner}" name="{name}" time="{time}">{inside}</testcase>'


def times(root: Path, *cases: str) -> Times:
    report = root / "report.xml"
    report.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
    read.cache_clear()
    return read((report,))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def test_the_slowest_run_of_all_parameters_counts(root: Path) -> None:
    ids = ("test_it[a]", "test_it[b[c]-1]", "test_it")
    found = times(root, *(case("tests.test_a", name, n + 0.5) for n, name in enumerate(ids)))
    assert found.of(root / "tests" / "test_a.py", "test_it") == Measured(2.5, passed=True)


@pytest.mark.parametrize("outcome", ["skipped", "failure", "error"])
def test_what_did_not_pass_is_known_to_be_half_measured(root: Path, outcome: str) -> None:
    found = times(
        root, case("test_a", "test_it[a]", 2), case("test_a", "test_it[b]", 0.1, f'<{outcome} message="x"/>')
    )
    assert found.of(root / "test_a.py", "test_it") == Measured(2, passed=False)


@pytest.mark.parametrize(
    ("stated", "path", "found"),
    [
        ("tests.test_a", "tests/test_a.py", True),
        ("tests.unit.test_a", "tests/unit/test_a.py", True),
        ("unit.test_a", "tests/unit/test_a.py", True),  # pytest was started in tests/
        ("test_a", "tests/unit/test_a.py", False),
        ("unit.test_a", "tests/test_a.py", False),
        ("tests.test_b", "tests/test_a.py", False),
        ("packages.api.tests.test_a", "tests/test_a.py", False),
    ],
)
def test_a_module_is_found_by_its_path(root: Path, stated: str, path: str, found: bool) -> None:
    assert (times(root, case(stated, "test_it", 1)).of(root / path, "test_it") is not None) is found


def test_a_report_may_be_of_a_run_from_above(tmp_path: Path) -> None:
    inner = tmp_path / "packages" / "api"
    inner.mkdir(parents=True)
    (inner / "pytest.ini").write_text("[pytest]\n")
    found = times(tmp_path, case("packages.api.tests.test_a", "test_it", 1))
    assert found.of(inner / "tests" / "test_a.py", "test_it") == Measured(1, passed=True)


def test_of_two_names_the_one_from_the_root_counts(root: Path) -> None:
    path = root / "tests" / "test_a.py"
    assert times(root, case("tests.test_a", "test_it", 1), case("test_a", "test_it", 9)).of(
        path, "test_it"
    ) == Measured(1, passed=True)
    above = f"{root.name}.tests.test_a"
    assert times(root, case(above, "test_it", 1), case("test_a", "test_it", 9)).of(path, "test_it") is None


def test_a_method_counts_with_those_of_its_name(root: Path) -> None:
    found = times(
        root,
        case("test_a.TestLine", "test_it", 1),
        case("test_a.TestLine.TestInner", "test_deep", 3),
        case("test_b.TestHeir", "test_it", 8),
        case("test_b", "test_other", 20),
    )
    assert found.of(root / "test_a.py", "TestLine.test_it") == Measured(8, passed=True)
    assert found.of(root / "test_a.py", "TestLine.TestInner.test_deep") == Measured(3, passed=True)
    assert found.of(root / "test_a.py", "TestBase.test_it") is None
    assert found.of(root / "test_a.py", "test_it") is None


def test_several_reports_are_read_as_one(root: Path) -> None:
    reports = []
    for number, seconds in enumerate((1, 4)):
        reports.append(root / f"{number}.xml")
        reports[-1].write_text(f"<testsuite>{case('test_a', 'test_it', seconds)}</testsuite>")
    assert read(tuple(reports)).of(root / "test_a.py", "test_it") == Measured(4, passed=True)


BOMB = """<?xml version="1.0"?>
<!DOCTYPE testsuites [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<testsuites>&b;</testsuites>"""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", ":1: is no XML: no element found"),
        ("<testsuites>\n<testsuite>", ":2: is no XML: no element found"),
        ("\x00\x01", ":1: is no XML: "),
        ('<?xml version="1.0" encoding="klingon"?><a/>', "is no XML: "),
        ("<html></html>", ":1: is no JUnit report: it begins with <html>, not <testsuites>"),
        ("<testsuites/>", ":1: has no testcase"),
        ('<testsuite>\n<testcase classname="a" name="b"/></testsuite>', ":2: has a testcase without time"),
        ('<testsuite><testcase classname="a" time="1"/></testsuite>', "has a testcase without name"),
        ('<testsuite><testcase name="a" time="1"/></testsuite>', "has a testcase without classname"),
        (f"<testsuite>{case('a', 'b', 'soon')}</testsuite>", "time is no number of seconds: 'soon'"),
        (f"<testsuite>{case('a', 'b', -1)}</testsuite>", "time is no number of seconds: '-1'"),
        (f"<testsuite>{case('a', 'b', 'nan')}</testsuite>", "time is no number of seconds: 'nan'"),
        (f"<testsuite>{case('a', 'b', 'inf')}</testsuite>", "time is no number of seconds: 'inf'"),
        (BOMB, ":2: has a DOCTYPE, which no JUnit report needs"),
        ("<testsuites>" + "<a>" * 100_000, "is no XML"),
    ],
)
def test_what_is_no_report_is_one_line_that_names_the_file(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "report.xml"
    path.write_text(content)
    with pytest.raises(SettingsError) as caught:
        read((path,))
    assert str(caught.value).startswith(f"{path}:")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"gone\.xml: cannot be read: No such file or directory"):
        read((tmp_path / "gone.xml",))
