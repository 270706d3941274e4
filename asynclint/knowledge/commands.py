"""Commands that recipes are made of: what runs tests, what starts another command, what does neither.

Sources: the manuals of the tools named; https://docs.pytest.org/en/stable/how-to/usage.html,
https://docs.astral.sh/uv/reference/cli/, https://hatch.pypa.io/latest/cli/reference/,
https://coverage.readthedocs.io/en/latest/cmd.html#coverage-run-command-line.
"""

from __future__ import annotations

#: what runs tests
TESTERS = frozenset(
    {"pytest", "py.test", "unittest", "nose", "nose2", "nosetests", "trial", "stestr", "green", "ward"}
)
#: what runs the command behind it in the same environment; ``if`` and the like stand before commands
WRAPPERS = frozenset(
    {
        "command",
        "do",
        "else",
        "env",
        "exec",
        "if",
        "nice",
        "nohup",
        "stdbuf",
        "sudo",
        "then",
        "time",
        "timeout",
    }
    | {"unbuffer", "while", "xvfb-run", "!"}
)
#: what starts a command by the word ``run``
LAUNCHERS = frozenset(
    {"hatch", "micromamba", "pdm", "pipenv", "pixi", "poetry", "rye", "uv", "conda", "mamba"}
)
#: what runs a module by ``run … -m``
MODULES_OF = frozenset({"coverage", "memray", "slipcover", "kernprof", "scalene"})
#: what runs tests by some of its words only, and these
BARRED = {
    "uv": frozenset({"run", "tool"}),
    "hatch": frozenset({"run", "test"}),
    "poetry": frozenset({"run"}),
    "pdm": frozenset({"run", "test"}),
    "pipenv": frozenset({"run"}),
    "rye": frozenset({"run", "test"}),
    "pixi": frozenset({"run"}),
    "conda": frozenset({"run"}),
    "mamba": frozenset({"run"}),
    "micromamba": frozenset({"run"}),
    "coverage": frozenset({"run"}),
}
#: what runs no tests
OTHERS = frozenset(
    # the shell and its tools
    {
        "[",
        "[[",
        "awk",
        "cat",
        "cd",
        "chmod",
        "chown",
        "cp",
        "curl",
        "cut",
        "date",
        "diff",
        "done",
        "echo",
        "elif",
    }
    | {
        "esac",
        "case",
        "shift",
        "exit",
        "export",
        "false",
        "fi",
        "find",
        "for",
        "grep",
        "gunzip",
        "gzip",
        "head",
        "jq",
        "kill",
    }
    | {
        "ln",
        "ls",
        "mkdir",
        "mv",
        "printf",
        "pwd",
        "read",
        "rm",
        "sed",
        "set",
        "shopt",
        "sleep",
        "sort",
        "tail",
        "tar",
    }
    | {
        "tee",
        "test",
        "touch",
        "tr",
        "true",
        "uname",
        "unset",
        "unzip",
        "wc",
        "wget",
        "which",
        "zip",
        "}",
        "{",
    }
    # packages, builds, releases
    | {
        "apk",
        "apt",
        "apt-get",
        "bump2version",
        "brew",
        "build",
        "check-manifest",
        "choco",
        "cibuildwheel",
        "dnf",
    }
    | {
        "ensurepip",
        "flit",
        "gh",
        "git",
        "npm",
        "pip",
        "pip3",
        "pip-compile",
        "pipdeptree",
        "pnpm",
        "towncrier",
        "twine",
    }
    | {"venv", "virtualenv", "yarn", "yum", "setuptools_scm"}
    # checks and documents
    | {
        "actionlint",
        "bandit",
        "black",
        "codecov",
        "codespell",
        "coveralls",
        "flake8",
        "interrogate",
        "isort",
        "linkchecker",
    }
    | {
        "mkdocs",
        "mypy",
        "pip-audit",
        "pre-commit",
        "prek",
        "pycodestyle",
        "pydocstyle",
        "pyflakes",
        "pylint",
        "pyright",
    }
    | {
        "ruff",
        "sphinx-apidoc",
        "sphinx-autobuild",
        "sphinx-build",
        "stubtest",
        "ty",
        "vulture",
        "yamllint",
        "zensical",
    }
)
#: names that tell a command from the value of an option before it
HEADS = (TESTERS | MODULES_OF | OTHERS | {"tox", "nox", "make"}) - {
    "build",
    "test",
    "docs",
    "read",
    "date",
    "head",
}
#: owners of GitHub actions that run nothing of the project's
ACTIONS = frozenset(
    {
        "actions",
        "astral-sh",
        "codecov",
        "coverallsapp",
        "docker",
        "github",
        "pypa",
        "peaceiris",
        "softprops",
        "re-actors",
    }
    | {
        "pre-commit",
        "aws-actions",
        "conda-incubator",
        "mamba-org",
        "snok",
        "abatilo",
        "pdm-project",
        "prefix-dev",
    }
    | {
        "dorny",
        "tj-actions",
        "step-security",
        "sigstore",
        "crazy-max",
        "peter-evans",
        "ncipollo",
        "dependabot",
    }
)
