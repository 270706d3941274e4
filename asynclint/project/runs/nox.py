"""Sessions of a noxfile: what they run, and with which variables (https://nox.thea.codes/en/stable/config.html)."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from pathlib import Path

from asynclint.project.runs.script import Command, Does, read_command
from asynclint.project.runs.steps import Kind, Step, Variable

RUNS = frozenset({"run", "run_always", "run_install"})
INSTALLS = frozenset(
    {"install", "conda_install", "log", "warn", "debug", "error", "notify", "skip", "chdir", "cd"}
)


def nox_steps(path: Path, text: str) -> Iterator[Step]:
    """Each function of a noxfile that gets a session; none where it can't be parsed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.args.args:
            yield _step(node, node.args.args[0].arg, path)


def _step(function: ast.FunctionDef, session: str, path: Path) -> Step:
    variables: dict[str, Variable] = {}
    found: list[Command] = []
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Subscript) and ast.unparse(target.value) == f"{session}.env":
                    _set(variables, target.slice, node.value, path)
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called == f"{session}.env.update":
                for one in node.args:
                    for key, value in _pairs(one):
                        _set(variables, key, value, path)
                for keyword in node.keywords:
                    if keyword.arg:
                        _set(
                            variables,
                            ast.Constant(keyword.arg, lineno=keyword.value.lineno),
                            keyword.value,
                            path,
                        )
            else:
                found += _commands(node, called, session)
    found.sort(key=lambda command: command.line)
    return Step(Kind.NOX, path, (_name(function),), 0, found, variables, path.parent)


def _name(function: ast.FunctionDef) -> str:
    for decorator in function.decorator_list:
        for keyword in decorator.keywords if isinstance(decorator, ast.Call) else ():
            if keyword.arg == "name" and isinstance(keyword.value, ast.Constant):
                return str(keyword.value.value)
    return function.name


def _commands(call: ast.Call, called: str, session: str) -> Iterator[Command]:
    """What ``session.run("pytest", env={…})`` does; a call that is handed the session may run anything."""
    owner, _, method = called.rpartition(".")
    last = call.end_lineno or call.lineno
    if owner == session and method in RUNS:
        words = [
            one.value if isinstance(one, ast.Constant) and isinstance(one.value, str) else "?"
            for one in call.args
        ]
        sets: list[tuple[str, str]] = []
        for keyword in call.keywords:
            if keyword.arg == "env":
                sets += [(_constant(key), _constant(value)) for key, value in _pairs(keyword.value)]
        command = read_command(words or ["?"], call.lineno, last)
        yield command._replace(sets=(*command.sets, *sets))
        return
    is_handed = any(isinstance(one, ast.Name) and one.id == session for one in call.args)
    if is_handed or (owner == session and method not in INSTALLS and not method.startswith("_")):
        yield Command((called,), Does.UNKNOWN, call.lineno, last)


def _set(variables: dict[str, Variable], key: ast.expr, value: ast.expr, path: Path) -> None:
    name = _constant(key)
    variables[name] = Variable(name, _constant(value), path, value.lineno, value.end_lineno or value.lineno)


def _pairs(node: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(node, ast.Dict):
        yield from (
            (key, value) for key, value in zip(node.keys, node.values, strict=True) if key is not None
        )


def _constant(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else "?"
