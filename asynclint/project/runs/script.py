"""Commands of shell scripts: which of them run tests, which hand on to tox, nox, make or a script.

Read is what recipes are made of: words, ``NAME=value`` before a command, ``export``, ``cd``, wrappers such as
``uv run`` and ``coverage run -m``. What is not known may do anything.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import PurePosixPath
from typing import NamedTuple

from asynclint.knowledge.commands import BARRED, HEADS, LAUNCHERS, MODULES_OF, OTHERS, TESTERS, WRAPPERS

ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
EXPRESSION = re.compile(r"\$\{\{([^{}]*)\}\}")
PYTHON = re.compile(r"(python|pypy)[\d.]*t?|py")
ENDS = re.compile(r"[;&|()]+")
SHELLS = frozenset({"bash", "sh", "dash", "zsh", "source", "."})


class Does(Enum):
    """What a command does, as far as tests are concerned."""

    TESTS = "runs tests"
    TOX = "tox"
    NOX = "nox"
    MAKE = "make"
    SCRIPT = "runs a script that the project names"
    FILE = "runs a file"
    OTHER = "runs no tests"
    UNKNOWN = "may do anything"


class Command(NamedTuple):
    """One command: ``words`` are its own, without what comes before; ``line`` (1-based) to ``last`` hold it.

    ``sets`` are the variables it is given, ``exports`` those it sets for the commands after it; ``options``
    are the words for Python itself (``-X dev``); ``target`` names what tox, nox or make are to run, or the
    script; ``directory`` is where ``cd`` has led, None where that is not known.
    """

    words: tuple[str, ...]
    does: Does
    line: int
    last: int
    sets: tuple[tuple[str, str], ...] = ()
    exports: tuple[tuple[str, str], ...] = ()
    options: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    directory: str | None = ""

    @property
    def is_dev(self) -> bool:
        """Whether it asks Python for its development mode."""
        pairs = zip(self.options, (*self.options[1:], ""), strict=True)
        return any(word == "-Xdev" or (word == "-X" and after == "dev") for word, after in pairs)


def commands(text: str, line: int, *, is_exact: bool = True) -> Iterator[Command]:
    """The commands of a script that begins at ``line``; those of one that is not exact hold all its lines."""
    last = line + text.count("\n")
    directory: str | None = ""
    for first, end, logical in _logical_lines(text, line):
        at = (first, end) if is_exact else (line, last)
        for words in _split(logical):
            command = read_command(words, *at)._replace(directory=directory)
            if command.words[:1] == ("cd",):
                directory = _below(directory, command.words[1:])
            yield command


def _below(directory: str | None, words: Sequence[str]) -> str | None:
    plain = directory is not None and len(words) == 1 and re.fullmatch(r"[\w./-]+", words[0])
    return str(PurePosixPath(directory or "", words[0])) if plain else None


def _logical_lines(text: str, line: int) -> Iterator[tuple[int, int, str]]:
    """First and last number of each line, those that go on behind a backslash being one, and its text."""
    held, first = "", line
    for number, physical in enumerate(text.split("\n"), line):
        joined = held + physical
        if joined.endswith("\\"):
            held = joined[:-1] + " "
            continue
        yield first, number, joined
        held, first = "", number + 1
    if held:
        yield first, line + text.count("\n"), held


def _split(logical: str) -> Iterator[list[str]]:
    """The words of each command of a line; one unknown word where they can't be told apart."""
    lexer = shlex.shlex(EXPRESSION.sub(_squeezed, logical), posix=True, punctuation_chars=";&|()")
    lexer.whitespace_split = True
    found: list[str] = []
    try:
        for word in lexer:
            if ENDS.fullmatch(word):
                if found:
                    yield found
                found = []
            else:
                found.append(word)
    except ValueError:
        yield ["?"]
        return
    if found:
        yield found


def _squeezed(match: re.Match[str]) -> str:
    return "${{" + re.sub(r"[\s;&|()'\"]+", "", match[1]) + "}}"


def read_command(words: Sequence[str], line: int = 0, last: int = 0) -> Command:
    """What a command does, from its words."""
    sets: list[tuple[str, str]] = []
    options: list[str] = []
    left = list(words)
    while left:
        assignment = ASSIGNMENT.fullmatch(left[0])
        if assignment is not None:
            sets.append((assignment[1], assignment[2]))
            del left[0]
            continue
        inner = _inside(left, options)
        if inner is None:
            break
        left = inner
    does, target = _does(left)
    exports: tuple[tuple[str, str], ...] = ()
    if left[:1] == ["export"] or (not left and sets):
        given = (ASSIGNMENT.fullmatch(word) for word in left[1:])
        exports = tuple((match[1], match[2]) for match in given if match is not None)
    return Command(tuple(left), does, line, last, tuple(sets), exports, tuple(options), target)


def head(word: str) -> str:
    """The name of a command, without its directory and the marks that make and tox put before it."""
    return (
        re.sub(r"^\$\{?\w+\}?(?=\w)", "", word.lstrip("@-+"))
        .replace("\\", "/")
        .rpartition("/")[2]
        .removesuffix(".exe")
    )


def _inside(words: list[str], options: list[str]) -> list[str] | None:
    """The command that a command starts, None where it is none that starts another."""
    name = head(words[0])
    if name in ("-", "") and len(words) > 1:
        return words[1:]
    if name in WRAPPERS:
        rest = words[1:]
        while rest and (rest[0].startswith("-") or rest[0][:1].isdigit()):
            rest = rest[1:]
        return rest or None
    if PYTHON.fullmatch(name):
        return _module(words[1:], options)
    if name in MODULES_OF and "run" in words:
        behind = next((n for n, word in enumerate(words) if word in ("-m", "--module")), None)
        if behind is None:  # a file, or what has the name of one (``coverage run py.test``)
            behind = next((n - 1 for n, word in enumerate(words) if head(word) in TESTERS), None)
        return words[behind + 1 :] or None if behind is not None else None
    if name in LAUNCHERS and "run" in words[:4]:
        return _launched(words[words.index("run") + 1 :])
    return None


def _module(words: list[str], options: list[str]) -> list[str] | None:
    """What Python is to run; ``options`` gets the words before it."""
    for number, word in enumerate(words):
        if word == "-m" or (word.startswith("-m") and len(word) > 2):
            options.extend(words[:number])
            return [word[2:] or "?", *words[number + 1 :]] if word != "-m" else words[number + 1 :] or None
        if word == "-c" or not (word.startswith("-") or words[number - 1] in ("-X", "-W")):
            options.extend(words[:number])
            return None
    return None


def _launched(words: list[str]) -> list[str] | None:
    """The command behind ``uv run --group tests``: the first known name, or no option's value."""
    for number, word in enumerate(words):
        if word == "--":
            return words[number + 1 :] or None
        if word.startswith(("-", "+")):
            continue
        is_known = head(word) in HEADS or PYTHON.fullmatch(head(word)) is not None
        if is_known or number == 0 or not words[number - 1].startswith("-"):
            return words[number:] if is_known or "/" in word else ["run-script", *words[number:]]
    return None


def _does(words: list[str]) -> tuple[Does, tuple[str, ...]]:
    """What a command without wrappers does, and to which targets."""
    if not words:
        return Does.OTHER, ()
    name, rest = head(words[0]), words[1:]
    plain = [word for word in rest if not word.startswith("-") and "=" not in word]
    if name in WRAPPERS or (words[1:2] and rest[0].endswith("/activate")):
        return Does.OTHER, ()
    if (
        name in TESTERS
        or name.endswith((".tests", ".test"))
        or (PYTHON.fullmatch(name) and rest[:2] == ["setup.py", "test"])
    ):
        return (Does.OTHER, ()) if "--version" in rest else (Does.TESTS, ())
    if name == "hatch" and plain[:1] == ["test"]:
        return Does.TESTS, ()
    if name == "tox":
        return Does.TOX, _targets(rest, ("-e", "--env", "-m"))
    if name == "nox":
        return Does.NOX, _targets(rest, ("-s", "--session", "--sessions", "-e"))
    if name in ("make", "gmake", "$(MAKE)", "${MAKE}"):
        return (Does.UNKNOWN, ()) if "-C" in rest or "-f" in rest else (Does.MAKE, tuple(plain))
    if name in ("run-script", "poe", "task") and plain:
        return Does.SCRIPT, (plain[0].rpartition(":")[2],)
    if name in SHELLS and plain:
        return Does.FILE, (plain[0],)
    is_own = "/" in words[0] and "bin/" not in words[0]  # scripts/build is not the command build
    if not is_own and (name in OTHERS or (name in BARRED and not BARRED[name].intersection(plain))):
        return Does.OTHER, ()
    if re.fullmatch(r"[\w./-]*/[\w.-]+|[\w.-]+\.sh", words[0].lstrip("@-+")):
        return Does.FILE, (words[0].lstrip("@-+"),)
    return Does.UNKNOWN, ()


def _targets(words: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """The values of an option, several of which may be given together (``-e py311,lint``, ``-s a b``)."""
    found: list[str] = []
    is_value = False
    for word in words:
        option, equals, value = word.partition("=")
        if word == "--":
            break
        if word.startswith("-"):
            is_value = word in names
            short = next((name for name in names if len(name) == 2 and word.startswith(name)), "")
            if equals and option in names:
                found.append(value)
            elif short and len(word) > 2 and not word.startswith("--"):
                found.append(word[2:])
        elif is_value:
            found.append(word)
    return tuple(name for value in found for name in re.split(r"[,\s]+", value) if name)
