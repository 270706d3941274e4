"""Which recipes start a project's tests, and what of the environment reaches them."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from asynclint.project.runs.script import Does, read_command
from asynclint.project.runs.started import Reach, debug_words, starts

COMMANDS = {
    "pytest -x": Does.TESTS,
    "python -m pytest tests": Does.TESTS,
    "python3.12 -X dev -m unittest": Does.TESTS,
    "uv run --group tests --python 3.13 pytest": Does.TESTS,
    "poetry run coverage run --source kiln -m pytest": Does.TESTS,
    "xvfb-run -a pdm run pytest": Does.TESTS,
    "env A=1 timeout 60 .venv/bin/pytest": Does.TESTS,
    "python -m kiln.tests": Does.TESTS,
    "hatch test": Does.TESTS,
    "hatch run tests:all": Does.SCRIPT,
    "tox -e py312": Does.TOX,
    "python -m tox run": Does.TOX,
    "nox -s tests": Does.NOX,
    "make test": Does.MAKE,
    "./scripts/test": Does.FILE,
    "bash run.sh": Does.FILE,
    "pip install pytest": Does.OTHER,
    "uv sync --group tests": Does.OTHER,
    "coverage xml": Does.OTHER,
    "pytest --version": Does.OTHER,
    "mkdocs build": Does.OTHER,
    "python run_everything.py": Does.UNKNOWN,
    "docker compose run tests": Does.UNKNOWN,
    "make -C tests": Does.UNKNOWN,
}
WORKFLOW = ".github/workflows/ci.yml"


@pytest.mark.parametrize(("written", "does"), COMMANDS.items())
def test_what_a_command_does(written: str, does: Does) -> None:
    assert read_command(written.split()).does is does


def lay(root: Path, files: dict[str, str]) -> Path:
    for name, text in {"pyproject.toml": "", "tests/test_a.py": "", **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
    return root


def started_at(root: Path) -> list[str]:
    return [f"{run.path.relative_to(root).as_posix()}:{run.line}" for run in starts(root, root / "tests")]


STARTS: dict[str, tuple[dict[str, str], list[str]]] = {
    "a script": (
        {
            WORKFLOW: "on: pull_request\njobs:\n  t:\n    steps:\n      - run: scripts/test\n",
            "scripts/test": "#!/bin/sh\nset -e\n${PREFIX}pytest\n",
        },
        ["scripts/test:3"],
    ),
    "what guards a pull request comes first": (
        {
            ".github/workflows/a.yml": "on: release\njobs:\n  t:\n    steps:\n      - run: pytest\n",
            ".github/workflows/b.yml": "on: [pull_request]\njobs:\n  t:\n    steps:\n      - run: pytest\n",
        },
        [".github/workflows/b.yml:5", ".github/workflows/a.yml:5"],
    ),
    "a part of the tests comes last": (
        {"Makefile": "quick:\n\tpytest tests/quick\ntest:\n\tpytest tests\n", "tests/quick/test_b.py": ""},
        ["Makefile:4", "Makefile:2"],
    ),
    "another directory": (
        {
            WORKFLOW: """\
                on: push
                jobs:
                  t:
                    steps:
                      - run: cd elsewhere && pytest
                      - uses: actions/checkout@v4
                        with: {repository: other/project}
                      - run: pytest
                """
        },
        [],
    ),
    "factors, references and line ends of tox": (
        {
            "tox.ini": """\
                [tox]
                env_list = py{311,312}-{dev,docs}
                [testenv]
                commands =
                    docs: sphinx-build docs out
                    dev: coverage run \\
                        -m pytest
                """
        },
        ["tox.ini:3"],
    ),
    "toml of tox": (
        {"tox.toml": '[env_run_base]\ncommands = [["pytest", "tests"]]\n[env.docs]\ncommands = []\n'},
        ["tox.toml:1"],
    ),
    "legacy ini in toml": (
        {"pyproject.toml": '[tool.tox]\nlegacy_tox_ini = """\n[testenv]\ncommands = pytest\n"""\n'},
        ["pyproject.toml:3"],
    ),
    "anchors of gitlab": (
        {".gitlab-ci.yml": ".s: &s\n  script:\n    - pytest\nt:\n  <<: *s\n"},
        [".gitlab-ci.yml:3"],
    ),
}


@pytest.mark.parametrize("name", STARTS)
def test_where_tests_are_started(name: str, tmp_path: Path) -> None:
    files, places = STARTS[name]
    assert started_at(lay(tmp_path, files)) == places


REACHES: dict[str, tuple[dict[str, str], list[Reach]]] = {
    "emptied for the step": (
        {
            WORKFLOW: """\
                on: push
                env: {PYTHONDEVMODE: 1}
                jobs:
                  t:
                    steps:
                      - run: pytest
                        env: {PYTHONDEVMODE: ""}
                """
        },
        [Reach.NO],
    ),
    "exported for later steps": (
        {
            WORKFLOW: """\
                on: push
                jobs:
                  t:
                    steps:
                      - run: echo "PYTHONDEVMODE=1" >> $GITHUB_ENV
                      - run: pytest
                """
        },
        [Reach.SURE],
    ),
    "exported too late": (
        {"Makefile": "test:\n\tpytest\n\texport PYTHONDEVMODE=1; mkdocs build\n"},
        [Reach.NO],
    ),
    "of another session": (
        {
            "noxfile.py": """\
                import nox

                @nox.session
                def docs(session):
                    session.env["PYTHONDEVMODE"] = "1"
                    session.run("mkdocs", "build")

                @nox.session
                def tests(session):
                    session.run("pytest")
                """
        },
        [Reach.NO],
    ),
    "handed to a helper": (
        {
            "noxfile.py": """\
                import nox

                def run_all(session):
                    session.run("pytest")

                @nox.session
                def tests(session):
                    session.env["PYTHONDEVMODE"] = "1"
                    run_all(session)
                """
        },
        [Reach.MAYBE],
    ),
    "through make into tox": (
        {
            "Makefile": "test:\n\tPYTHONDEVMODE=1 tox\n",
            "tox.ini": "[testenv]\npassenv = PYTHONDEV*\ncommands = pytest\n",
        },
        [Reach.SURE],
    ),
    "for Python that starts tox": (
        {"Makefile": "test:\n\tpython -X dev -m tox\n", "tox.ini": "[testenv]\ncommands = pytest\n"},
        [Reach.NO],
    ),
    "in a file of no known form": ({"Dockerfile": "ENV PYTHONDEVMODE 1\n"}, [Reach.MAYBE]),
    "in YAML that is none": ({WORKFLOW: "env:\n  PYTHONDEVMODE: 1\n : - ["}, [Reach.MAYBE]),
}


@pytest.mark.parametrize("name", REACHES)
def test_what_reaches_them(name: str, tmp_path: Path) -> None:
    files, reaches = REACHES[name]
    assert [reach for _, reach in debug_words(lay(tmp_path, files))] == reaches


HOSTILE = {
    "laughs": "a: &a [x, x]\n" + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n"
                                         for n in range(20)) + "jobs: *u\n",
    "a job within itself": "jobs: &j\n  t: &t\n    steps: &s\n      - run: pytest\n      - *t\n    <<: *t\n",
    "deep": "[" * 5000,
    "no mapping": "- 1\n",
    "lists of one list": "x: &x [" + "*x, " * 10 + "]\nt:\n  script: *x\n",
    "lists of nothing": "a: &a []\nb: &b [" + "*a, " * 200 + "]\n"
                        + "".join(f"{x}: &{x} [" + f"*{chr(ord(x) - 1)}, " * 200 + "]\n" for x in "cdefg")
                        + "t:\n  script: *g\n",
    "a template of itself": "t:\n  extends: [" + "t, " * 10 + "]\n  script: pytest\n",
    "merged into itself": "jobs: &a\n  <<: [" + "*a, " * 10 + "]\n  t: {steps: [{run: pytest}]}\n",
    "expressions": "jobs: {t: {steps: [{run: '" + "${{ " * 20_000 + "'}]}}\n",
    "long names": f"jobs: {{t: {{steps: [{{run: 'cd {'d' * 400} && pytest {'e' * 400}', "
                  f"working-directory: {'f' * 400}}}]}}}}\n",
    "numbers": "jobs: {1: 2, t: {steps: 3}, u: {steps: [4, {run: [5]}]}, v: 6}\n",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_workflows_end(name: str, tmp_path: Path) -> None:
    lay(tmp_path, {WORKFLOW: HOSTILE[name], ".gitlab-ci.yml": HOSTILE[name]})
    assert isinstance(started_at(tmp_path), list)


def test_a_makefile_of_circles_ends(tmp_path: Path) -> None:
    names = [f"t{number}" for number in range(60)]
    rules = "".join(f"{name}: {' '.join(names)}\n\tmake {' '.join(names)}\n\tpytest\n" for name in names)
    assert started_at(lay(tmp_path, {"Makefile": rules}))


@pytest.mark.parametrize(
    "text",
    [
        "[a]\nx =\n" + "    {[a]x}\n" * 100 + "[testenv]\ncommands = {[a]x}\n",
        "[testenv:" + "{a,b,c,d,e,f,g,h,i,j}-" * 12 + "]\ncommands = pytest\n",
        "[testenv]\ncommands = " + "a" * 100_000 + "\n",
        f"[testenv]\ncommands = pytest -k '{'one or ' * 60}two'\n",
    ],
    ids=["a value of itself", "names", "a long word", "a long argument"],
)
def test_hostile_environments_end(text: str, tmp_path: Path) -> None:
    assert isinstance(started_at(lay(tmp_path, {"tox.ini": text})), list)


def test_blanks_of_a_makefile_end(tmp_path: Path) -> None:
    text = "a" + " " * 100_000 + "\nA=" + " " * 100_000 + "x\nall:\n\tpytest\n"
    assert started_at(lay(tmp_path, {"Makefile": text})) == ["Makefile:4"]
