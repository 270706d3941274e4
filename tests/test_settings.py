"""Settings from pyproject.toml, overrides, and which rules they switch on."""

from __future__ import annotations

from pathlib import Path

import pytest

from asynclint.keys import PARSERS
from asynclint.rule import Rule, Scope, all_rules
from asynclint.settings import (
    DEFAULTS,
    Overrides,
    Selection,
    Settings,
    SettingsError,
    from_text,
    load,
    read_pyproject,
    settings_for,
)


def table(directory: Path, body: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "pyproject.toml"
    path.write_text(f"[tool.asynclint]\n{body}\n", encoding="utf-8")
    return path


def error_of(directory: Path) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        load(directory)
    return caught.value


def test_defaults_where_no_file_has_a_table(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nselect = []\n")
    loaded = load(tmp_path)
    assert loaded.settings == DEFAULTS
    assert loaded.path is None


def test_every_key_is_read(tmp_path: Path) -> None:
    (tmp_path / "env" / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
    table(
        tmp_path,
        """
        select = ["ASL1"]
        ignore = ["ASL103"]
        extend-select = ["ASL201"]
        extend-ignore = ["ASL202"]
        exclude = ["legacy", "tests/old/*"]
        extend-exclude = ["vendored"]
        guard-style = "mark"
        guard-seconds = 12.5
        guard-junit-factor = 4
        guard-junit-floor = 0.5
        loop-guards-only = true
        guard-decorators = ["limited", "tests.helpers.limited"]
        guard-fixtures = ["watchdog"]
        guard-base-classes = ["BoundedCase"]
        leak-check = "warn"
        blocking-calls = ["wallet.fetch"]
        target-version = "3.9"
        scope = "all"
        environment = "env"
        baseline = "known/../base.json"
        per-file-ignores = { "test_a.py" = ["ASL101"], "tests/old/*" = ["ASL1", "ASL2"] }
        per-file-guard-seconds = { "test_slow.py" = 60.0, "tests/old/*" = 0.5 }
        """,
    )
    loaded = load(tmp_path)
    assert loaded.settings == Settings(
        select=("ASL1",),
        ignore=("ASL103",),
        extend_select=("ASL201",),
        extend_ignore=("ASL202",),
        exclude=("legacy", f"{tmp_path}/tests/old/*"),
        extend_exclude=("vendored",),
        guard_style="mark",
        guard_seconds=12.5,
        per_file_guard_seconds=(("test_slow.py", 60), (f"{tmp_path}/tests/old/*", 0.5)),
        guard_junit_factor=4,
        guard_junit_floor=0.5,
        loop_guards_only=True,
        guard_decorators=("limited", "tests.helpers.limited"),
        guard_fixtures=("watchdog",),
        guard_base_classes=("BoundedCase",),
        leak_check="warn",
        blocking_calls=("wallet.fetch",),
        target_version=(3, 9),
        scope="all",
        environment=tmp_path / "env",
        baseline=tmp_path / "base.json",
        per_file_ignores=(("test_a.py", ("ASL101",)), (f"{tmp_path}/tests/old/*", ("ASL1", "ASL2"))),
    )
    assert loaded.keys == {key.replace("-", "_") for key in PARSERS}
    assert loaded.path == tmp_path / "pyproject.toml"


def test_the_nearest_table_wins_and_files_without_one_are_passed_over(tmp_path: Path) -> None:
    table(tmp_path, "guard-seconds = 1")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    nested = tmp_path / "inner" / "nested"
    table(nested, "")
    assert settings_for(inner / "test_x.py").guard_seconds == 1
    assert settings_for(nested / "test_x.py").guard_seconds == 30
    assert settings_for(nested).guard_seconds == 30


def test_whole_seconds_are_written_without_a_fraction(tmp_path: Path) -> None:
    table(tmp_path, "guard-seconds = 20.0")
    assert repr(load(tmp_path).settings.guard_seconds) == "20"
    assert repr(from_text("guard-seconds", "7")[1]) == "7"
    assert repr(from_text("guard-seconds", "0.5")[1]) == "0.5"


@pytest.mark.parametrize(
    ("body", "line", "parts"),
    [
        ("\nguard-second = 3", 3, ['unknown key "guard-second"', 'did you mean "guard-seconds"?']),
        ("guard_seconds = 3", 2, ['did you mean "guard-seconds"?']),
        ("zzz = 3", 2, ['unknown key "zzz"', "known keys: select, ignore"]),
        ('guard-seconds = "30"', 2, ["guard-seconds: must be a number of seconds above 0, not '30'"]),
        ("guard-seconds = true", 2, ["must be a number", "True"]),
        ("guard-seconds = 0", 2, ["above 0"]),
        ("guard-seconds = nan", 2, ["above 0"]),
        ("guard-seconds = inf", 2, ["above 0"]),
        ('guard-style = "marks"', 2, ['guard-style: must be "auto", "timeout" or "mark", not \'marks\'']),
        ('leak-check = "off"', 2, ['leak-check: must be "fail" or "warn", not \'off\'']),
        ('blocking-calls = ["a b"]', 2, ["blocking-calls: must be dotted names such as", "not 'a b'"]),
        ("guard-junit-factor = 0.5", 2, ["guard-junit-factor: must be a number from 1 upwards, not 0.5"]),
        ('guard-junit-factor = "3"', 2, ["must be a number from 1 upwards"]),
        ("guard-junit-floor = 0", 2, ["guard-junit-floor: must be a number of seconds above 0"]),
        ("guard-from-junit = 'a.xml'", 2, ['unknown key "guard-from-junit"']),
        ("per-file-guard-seconds = 3", 2, ["per-file-guard-seconds: must be a table such as"]),
        (
            '[tool.asynclint.per-file-guard-seconds]\n"a*" = 3\n"b*" = "4"',
            4,
            ['per-file-guard-seconds "b*": must be a number of seconds above 0'],
        ),
        ("loop-guards-only = 1", 2, ["loop-guards-only: must be true or false, not 1"]),
        ('guard-decorators = "limited"', 2, ["guard-decorators: must be a list of strings such as"]),
        ('guard-decorators = ["@limited"]', 2, ["must be dotted names such as", "not '@limited'"]),
        ('guard-fixtures = ["a..b"]', 2, ["guard-fixtures: must be dotted names", "not 'a..b'"]),
        ('guard-base-classes = [""]', 2, ["guard-base-classes: must be dotted names", "not ''"]),
        ('guard-base-classes = ["a.class"]', 2, ["not 'a.class'"]),
        ("target-version = 3.11", 2, ['must be a string such as "3.11", not 3.11']),
        ('target-version = "py311"', 2, ['must be a string such as "3.11"']),
        ('scope = "everything"', 2, ['scope: must be "tests" or "all"']),
        ('select = "ASL1"', 2, ["select: must be a list of strings such as"]),
        ("ignore = [1]", 2, ["ignore: must be a list of strings"]),
        ('select = ["ASL101", "ASL9"]', 2, ['select: no rule has a code that starts with "ASL9"']),
        ('ignore = ["E501"]', 2, ['starts with "E501"']),
        ('select = [""]', 2, ['starts with ""']),
        ('select = ["asl101"]', 2, ["did you mean ASL101?"]),
        ('extend-ignore = ["unbounded-test"]', 2, ["did you mean ASL101?"]),
        ("per-file-ignores = []", 2, ["per-file-ignores: must be a table"]),
        ('[tool.asynclint.per-file-ignores]\n"a*" = ["XYZ"]', 3, ['per-file-ignores "a*": no rule', '"XYZ"']),
        ('"select" = 3', 2, ["select: must be a list"]),
    ],
)
def test_a_wrong_table_names_file_line_key_and_what_is_allowed(
    tmp_path: Path, body: str, line: int, parts: list[str]
) -> None:
    path = table(tmp_path, body)
    error = error_of(tmp_path)
    assert (error.path, error.line) == (path, line)
    assert str(error).startswith(f"{path}:{line}: [tool.asynclint] ")
    assert "\n" not in str(error)
    for part in parts:
        assert part in str(error)


@pytest.mark.parametrize(
    ("content", "line", "cause"),
    [
        (b"[tool.asynclint]\nselect = [\n", 3, "invalid TOML"),
        (b"[tool.asynclint\n", 1, "invalid TOML"),
        (b"a = 1\nb = = 2\n", 2, "invalid TOML"),
        (b"a = 1\nb = '\xff'\n", 2, "not UTF-8"),
        (b"a = " + b"[" * 100_000, 0, "invalid TOML"),
        (b"a = " + b"1" * 10_000, 0, "invalid TOML"),
    ],
)
def test_broken_toml_names_file_line_and_cause(tmp_path: Path, content: bytes, line: int, cause: str) -> None:
    (tmp_path / "pyproject.toml").write_bytes(content)
    error = error_of(tmp_path)
    assert error.path == tmp_path / "pyproject.toml"
    assert cause in error.message
    if line:
        assert error.line == line


def test_a_table_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("tool.asynclint = 3\n")
    assert "[tool.asynclint] must be a table" in str(error_of(tmp_path))
    other = tmp_path / "other"
    other.mkdir()
    (other / "pyproject.toml").write_text("tool = 3\n")
    assert "[tool.asynclint] must be a table" in str(error_of(other)), (
        "the outer file is the nearest with a table"
    )


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"gone\.toml: cannot be read: No such file or directory"):
        read_pyproject(tmp_path / "gone.toml")


def test_a_directory_called_pyproject_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").mkdir()
    assert load(tmp_path).settings == DEFAULTS


def test_huge_values_make_no_huge_message(tmp_path: Path) -> None:
    table(tmp_path, f'select = "{"x" * 100_000}"')
    assert len(str(error_of(tmp_path))) < 300


def test_overrides_replace_and_extend(tmp_path: Path) -> None:
    table(tmp_path, 'select = ["ASL1"]\nextend-select = ["ASL201"]\nguard-seconds = 3')
    given = Overrides((("select", ("ASL3",)), ("extend_select", ("ASL202",)), ("loop_guards_only", True)))
    settings = settings_for(tmp_path, given)
    assert settings.select == ("ASL3",)
    assert settings.extend_select == ("ASL201", "ASL202")
    assert settings.guard_seconds == 3
    assert settings.loop_guards_only


def test_config_and_isolated_replace_the_search(tmp_path: Path) -> None:
    table(tmp_path, "guard-seconds = 3")
    other = table(tmp_path / "elsewhere", "guard-seconds = 4")
    assert settings_for(tmp_path, Overrides(config=other)).guard_seconds == 4
    assert settings_for(tmp_path, Overrides(isolated=True)).guard_seconds == 30
    (tmp_path / "bare.toml").write_text("")
    with pytest.raises(SettingsError, match=r"bare\.toml: has no \[tool\.asynclint\] table"):
        settings_for(tmp_path, Overrides(config=tmp_path / "bare.toml"))


@pytest.mark.parametrize("text", ["ASL101,ASL2", "ASL101 ASL2", " ASL101 ,\n ASL2,"])
def test_lists_on_the_command_line(text: str) -> None:
    assert from_text("extend-select", text) == ("extend_select", ("ASL101", "ASL2"))


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("select", "XYZ", '--select: no rule has a code that starts with "XYZ"'),
        ("guard-seconds", "soon", "--guard-seconds: must be a number of seconds above 0, not 'soon'"),
        ("guard-seconds", "-1", "--guard-seconds: must be a number"),
        ("guard-style", "body", '--guard-style: must be "auto", "timeout" or "mark", not \'body\''),
        ("target-version", "3", '--target-version: must be a string such as "3.11"'),
    ],
)
def test_errors_on_the_command_line_name_the_option(key: str, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        from_text(key, text)
    assert str(caught.value).startswith(message)
    assert caught.value.path is None


ON = Rule("ASL204", "on", Scope.FUNCTION)
OFF = Rule("ASL204", "off", Scope.FUNCTION, default=False)


@pytest.mark.parametrize(
    ("select", "ignore", "on", "off"),
    [
        (["ASL"], [], True, False),
        ([], [], False, False),
        (["ASL1"], [], False, False),
        (["ASL20"], [], True, False),
        (["ASL204"], [], True, True),
        (["ASL1", "ASL204"], ["ASL2"], True, True),
        (["ASL"], ["ASL2"], False, False),
        (["ASL20"], ["ASL2"], True, False),
        (["ASL2"], ["ASL20"], False, False),
        (["ASL204"], ["ASL204"], False, False),
        (["ASL"], ["ASL205"], True, False),
    ],
)
def test_the_longest_prefix_wins_and_off_rules_need_their_full_code(
    select: list[str], ignore: list[str], on: bool, off: bool
) -> None:
    settings = Settings(select=tuple(select), ignore=tuple(ignore))
    assert Selection(settings).enabled(ON) is on
    assert Selection(settings).enabled(OFF) is off
    extended = Settings(select=(), extend_select=tuple(select), extend_ignore=tuple(ignore))
    assert Selection(extended).enabled(ON) is on
    assert Selection(extended).enabled(OFF) is off


@pytest.mark.parametrize(
    ("glob", "matches"),
    [
        ("test_a.py", True),
        ("test_*.py", True),
        ("tests", False),
        ("tests/*", True),
        ("tests/**/test_a.py", True),
        ("**/test_a.py", True),
        ("tests/legacy/*", False),
        ("other/*", False),
    ],
)
def test_per_file_ignores_match_base_name_or_path(tmp_path: Path, glob: str, matches: bool) -> None:
    table(tmp_path, f'per-file-ignores = {{ "{glob}" = ["ASL101"] }}')
    settings = settings_for(tmp_path)
    assert Selection(settings, tmp_path / "tests" / "test_a.py").code_on("ASL101") is not matches
    assert Selection(settings, tmp_path / "tests" / "test_a.py").code_on("ASL103")
    assert Selection(settings).code_on("ASL101")


@pytest.mark.parametrize(
    ("globs", "seconds"),
    [
        ('"test_a.py" = 5', 5),
        ('"test_b.py" = 5', 30),
        ('"tests/*" = 5, "test_a.py" = 6', 6),
        ('"test_a.py" = 6, "tests/*" = 5', 5),
        ('"**/test_a.py" = 7, "other/*" = 8', 7),
    ],
)
def test_the_last_glob_with_seconds_for_a_file_wins(tmp_path: Path, globs: str, seconds: int) -> None:
    table(tmp_path, f"per-file-guard-seconds = {{ {globs} }}")
    assert settings_for(tmp_path).guard_seconds_for(tmp_path / "tests" / "test_a.py") == seconds


def test_every_rule_can_be_selected_by_its_code() -> None:
    assert all_rules()
    for rule in all_rules():
        assert from_text("select", rule.code)[1] == (rule.code,)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[tool.asynclint]\nignore = [\n  "ASL1",\n]\n\nscope = 3\n', 6),
        ("[ tool . asynclint ]\n'scope' = 3\n", 2),
        ('["tool"."asynclint"]\n"scope" = 3\n', 2),
        ("[tool]\n\n[tool.other]\nscope = 4\n[tool.asynclint]\nscope = 3\n", 6),
        ("tool.asynclint.scope = 3\n", 1),
        ("[tool]\nasynclint.scope = 3\n", 2),
        ("[tool]\nx = 1\nasynclint = { scope = 3 }\n", 3),
        ("tool = { asynclint = { scope = 3 } }\n", 0),
        ("[tool.asynclint]\nselect = []\n[tool.asynclint.scope]\na = 1\n", 3),
        ("[[tool.asynclint]]\nscope = 3\n", 1),
        ('[tool.asynclint]\nper-file-ignores."a.b/*" = ["ASL1"]\nper-file-ignores."c.d/*" = 3\n', 3),
        ('[tool.asynclint]\nper-file-ignores = { "a.b/*" = 3 }\n', 2),
    ],
)
def test_the_line_of_a_key_in_whatever_way_it_is_written(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert error_of(tmp_path).line == line
