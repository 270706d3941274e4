"""A rule is begun by one command, and its tests say what is left to fill in."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from samples import environment

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
NAME = "asl999_endless_nap"

# What somebody fills in: what the scaffold has, and what stands there in the end.
FILLED_RULE = [
    ("TODO what it reports, in one line.", "a test sleeps for an hour."),
    (
        "TODO what it does, in a paragraph or two: what is reported, and what is silent.",
        """Sleeps of 3600 s: nobody waits an hour for a test, so what is meant is a task that stays alive
until it is cancelled, which an event says.""",
    ),
    ("TODO.", "nobody waits for that."),
    ("await asyncio.sleep(0)\n\nGood::", "await asyncio.sleep(3600)\n\nGood::"),
    ("TODO why; or what it does, and whether it is safe.", "Only you know what the nap is for."),
    ("TODO the cheap condition without which there is nothing to report.", "A call."),
    ("return False", "return bool(unit.facts.calls)"),
    ("TODO each ..., at the ... of it.", "Each nap, at its call."),
    (
        'yield from ()  # Finding("", function.text.span(node), rule.code, "what is wrong, with its name")',
        """for call in function.scope.facts.calls:
        if function.text.slice(function.text.span(call)) == "asyncio.sleep(3600)":
            yield Finding("", function.text.span(call), rule.code, "the test naps for an hour")""",
    ),
]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this repository with a rule that was just begun."""
    root = tmp_path_factory.mktemp("checkout")
    for name in ("asynclint", "fixtures", "tests"):
        ignored = shutil.ignore_patterns("__pycache__", ".*", "legacy_suite")
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    shutil.copy2(ROOT / "pyproject.toml", root)
    done = scaffold(root, "ASL999", "endless-nap")
    assert done.returncode == 0, done.stderr
    assert f"asynclint/rules/{NAME}.py" in done.stdout
    return root


def python(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env=environment(PYTHONPATH=str(root)),
        capture_output=True,
        text=True,
        check=False,
    )


def scaffold(root: Path, code: str, slug: str) -> subprocess.CompletedProcess[str]:
    return python(root, "tests/scaffold.py", code, slug)


def run_its_tests(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    files = ("tests/test_rules.py", "tests/test_docs.py")
    return python(root, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "ASL999", *files, *arguments)


def files_of_rules(root: Path) -> list[Path]:
    return sorted([*root.glob("asynclint/rules/*.py"), *root.glob("fixtures/*/*")])


def fill_in(path: Path, *replacements: tuple[str, str]) -> None:
    text = path.read_text()
    for before, after in replacements:
        assert before in text
        text = text.replace(before, after)
    assert "TODO" not in text
    path.write_text(text)


def test_tests_say_what_is_left_and_pass_when_it_is_done(checkout: Path) -> None:
    begun = run_its_tests(checkout)
    assert begun.returncode == 1, begun.stdout
    for line in (
        "missed alarm: test_bad.py:10: ASL999",
        "ASL999 does not report its own example below Bad::",
        f"{NAME}.py: fill in what says TODO in its docstring",
    ):
        assert line in begun.stdout

    fixtures = checkout / "fixtures" / NAME
    fill_in(checkout / "asynclint" / "rules" / f"{NAME}.py", *FILLED_RULE)
    fill_in(fixtures / "test_bad.py", ("TODO what", "What"), ("todo", "nap"), ("sleep(0)", "sleep(3600)"))
    fill_in(fixtures / "test_good.py", ("TODO near", "Near"), ("todo", "nap"))
    updated = run_its_tests(checkout, "--update")
    assert updated.returncode == 0, updated.stdout
    report = (fixtures / "test_bad.txt").read_text()
    assert report == "test_bad.py:10:11: ASL999 the test naps for an hour\n"
    done = run_its_tests(checkout)
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout


@pytest.mark.parametrize(
    ("code", "slug", "why"),
    [
        ("ASL101", "new-pattern", "ASL101 is taken by unbounded-test"),
        ("ASL998", "unbounded-test", "unbounded-test is taken by ASL101"),
        ("ASL999", "endless-nap", "ASL999 is taken by endless-nap"),
        ("ASL008", "new-pattern", 'the first is not 0: not "ASL008"'),
        ("XYZ408", "new-pattern", 'not "XYZ408"'),
        ("ASL408", "New_Pattern", 'as in some-pattern: not "New_Pattern"'),
    ],
)
def test_what_is_taken_is_refused(checkout: Path, code: str, slug: str, why: str) -> None:
    before = files_of_rules(checkout)
    done = scaffold(checkout, code, slug)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("scaffold.py: ")
    assert done.stderr.rstrip().endswith(why)
    assert files_of_rules(checkout) == before
