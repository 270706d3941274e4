"""What ``--show-settings`` prints: each value, as it would stand in a pyproject.toml, and its origin."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from configparser import Error as ConfigParserError
from configparser import RawConfigParser
from dataclasses import fields
from pathlib import Path

from asynclint.settings import TABLE, Loaded, Overrides, Settings, line_of, override

_SHOWN_APART = (
    "target_version",
    "guard_from_junit",
    "environment",
    "baseline",
    "fixes",
)  # they may have no value, or no key


def page(
    subject: str,
    loaded: Loaded,
    overrides: Overrides,
    stated: tuple[tuple[int, int], str] | None,
    environment: tuple[Path, str],
    flake8: Sequence[tuple[str, str]] = (),
) -> str:
    """The settings that hold for ``subject`` (a path as displayed).

    ``flake8`` are assignments in its configuration that concern us, with the place of each.

    ``stated`` is the oldest Python the project says it runs on, and the place that says so;
    ``environment`` is where the packages lie that names are resolved in, and what says so.
    """
    settings = override(loaded.settings, overrides)
    names = [field.name for field in fields(Settings) if field.name not in _SHOWN_APART]
    rows = [
        (
            f"{name.replace('_', '-')} = {_toml(name, getattr(settings, name))}",
            _origin(name, loaded, overrides),
        )
        for name in names
    ]
    if settings.target_version:
        stated = settings.target_version, _origin("target_version", loaded, overrides)
    if stated:
        version, origin = stated
        rows.append((f"target-version = {_toml('target_version', version)}", origin))
    else:
        rows.append(("# target-version", "not set, and the project states none"))
    path, origin = environment
    found = f"environment = {_toml('environment', str(path))}"
    if settings.environment:
        rows.append((found, _origin("environment", loaded, overrides)))
    else:
        rows.append((f"# {found}", f"not set: {origin}"))
    if settings.baseline:
        shown = f"baseline = {_toml('baseline', str(settings.baseline))}"
        rows.append((shown, _origin("baseline", loaded, overrides)))
    else:
        rows.append(("# baseline", _origin("baseline", loaded, overrides).replace("default", "not set")))
    rows += [(f"# --guard-from-junit {report}", "command line") for report in settings.guard_from_junit]
    rows += [(f"# flake8: {assignment}", f"{origin}, for flake8 alone") for assignment, origin in flake8]
    width = max(len(assignment) for assignment, _ in rows)
    lines = [f"{assignment.ljust(width)}  # {origin}" for assignment, origin in rows]
    return "\n".join([f"# for {subject}", TABLE, *lines])


def flake8_settings() -> Iterator[tuple[str, str]]:
    """What flake8, started in the working directory, reads of us: assignments, and where they stand.

    That is what names our codes or options, and ``select``, which leaves them out where it doesn't.
    """
    from flake8.exceptions import ExecutionError  # type: ignore[import-untyped]
    from flake8.options.config import load_config  # type: ignore[import-untyped]

    try:
        config, directory = load_config(None, [])
    except (ExecutionError, OSError, ValueError, ConfigParserError):
        return
    if not config.has_section("flake8"):
        return
    origin = next((path for path in _candidates(Path(directory)) if _has_section(path)), Path(directory))
    for key, value in config.items("flake8"):
        name, shown = key.replace("_", "-"), " ".join(str(value).split())
        if "ASL" in shown or name.startswith("asynclint") or name == "select":
            yield f"{name} = {shown}", f"{origin} [flake8]"


def _candidates(directory: Path) -> Iterator[Path]:
    """Where flake8 looks, in its order: https://flake8.pycqa.org/en/latest/user/configuration.html."""
    yield from (directory / name for name in ("setup.cfg", "tox.ini", ".flake8"))


def _has_section(path: Path) -> bool:
    config = RawConfigParser()
    try:
        config.read(path, encoding="utf-8")
    except (ValueError, ConfigParserError):
        return False
    return config.has_section("flake8")


def _origin(field: str, loaded: Loaded, overrides: Overrides) -> str:
    origins = []
    if field in loaded.keys and loaded.path is not None:
        line = line_of(loaded.path, field.replace("_", "-"))
        origins.append(f"{loaded.path}:{line}" if line else str(loaded.path))
    if any(name == field for name, _ in overrides.values):
        origins = [*origins, "command line"] if field.startswith("extend_") else ["command line"]
    return ", ".join(origins) or "default"


def _toml(field: str, value: object) -> str:
    """A setting's value as TOML; for these types JSON's notation is TOML's too."""
    match value:
        case int(major), int(minor):
            return f'"{major}.{minor}"'
        case tuple() if field.startswith("per_file_"):
            pairs = (f"{json.dumps(glob)} = {json.dumps(item)}" for glob, item in value)
            return "{ " + ", ".join(pairs) + " }" if value else "{}"
        case _:
            return json.dumps(value, ensure_ascii=False)
