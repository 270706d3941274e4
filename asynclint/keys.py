"""The keys of ``[tool.asynclint]``: what each may hold, and what is said of a value that it may not."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from keyword import iskeyword
from pathlib import Path
from typing import Any


def parse(key: str, value: Any) -> Any:
    """The checked value of one kebab-case key; ValueError names the key and what is allowed."""
    if key in PARSERS:
        return PARSERS[key](key, value)
    from difflib import get_close_matches

    close = get_close_matches(key, PARSERS, n=1)
    hint = f'did you mean "{close[0]}"?' if close else "known keys: " + ", ".join(PARSERS)
    message = f'unknown key "{key}"; {hint}'
    raise ValueError(message)


def _must_be(key: str, allowed: str, value: Any) -> ValueError:
    import reprlib

    return ValueError(f"{key}: must be {allowed}, not {reprlib.repr(value)}")


def _strings(key: str, value: Any, example: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _must_be(key, f"a list of strings such as {example}", value)
    return tuple(item.strip() for item in value)


def _globs(key: str, value: Any) -> tuple[str, ...]:
    return _strings(key, value, '["tests/legacy/*"]')


def _codes(key: str, value: Any) -> tuple[str, ...]:
    from asynclint.rule import UNUSED_NOQA, slugs

    codes = _strings(key, value, '["ASL1", "ASL204"]')
    for code in codes:
        if code == UNUSED_NOQA:
            continue
        if not code or not any(known.startswith(code) for known in slugs()):
            meant = [known for known, slug in slugs().items() if code.lower() in (known.lower(), slug)]
            hint = f"did you mean {meant[0]}?" if meant else "--list-rules shows them all"
            message = f'{key}: no rule has a code that starts with "{code}"; {hint}'
            raise ValueError(message)
    return codes


def _names(
    key: str, value: Any, example: str = '"limited"', dotted: str = '"tests.helpers.limited"'
) -> tuple[str, ...]:
    names = _strings(key, value, f"[{example}, {dotted}]")
    for name in names:
        if not all(part.isidentifier() and not iskeyword(part) for part in name.split(".")):
            raise _must_be(key, f"dotted names such as {example} or {dotted}", name)
    return names


def _calls(key: str, value: Any) -> tuple[str, ...]:
    return _names(key, value, '"wallet.fetch"', '"wallet.Client.fetch"')


def _codes_by_glob(key: str, value: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(value, dict):
        raise _must_be(key, 'a table such as { "tests/legacy/*" = ["ASL1"] }', value)
    return tuple((glob, _codes(f'{key} "{glob}"', codes)) for glob, codes in value.items())


def _seconds(key: str, value: Any) -> float:
    number = not isinstance(value, bool) and isinstance(value, (int, float))
    if not number or not 0 < value < math.inf:
        raise _must_be(key, "a number of seconds above 0", value)
    # Fixes write the number into the test: 30 reads better there than 30.0.
    return int(value) if value == int(value) else float(value)


def _seconds_by_glob(key: str, value: Any) -> tuple[tuple[str, float], ...]:
    if not isinstance(value, dict):
        raise _must_be(key, 'a table such as { "tests/slow/*" = 120 }', value)
    return tuple((glob, _seconds(f'{key} "{glob}"', seconds)) for glob, seconds in value.items())


def _factor(key: str, value: Any) -> float:
    number = not isinstance(value, bool) and isinstance(value, (int, float))
    if not number or not 1 <= value < math.inf:
        raise _must_be(key, "a number from 1 upwards", value)
    return int(value) if value == int(value) else float(value)


def _flag(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _must_be(key, "true or false", value)
    return value


def _version(key: str, value: Any) -> tuple[int, int]:
    match = re.fullmatch(r"3\.(\d{1,3})", value, re.ASCII) if isinstance(value, str) else None
    if match is None:
        raise _must_be(key, 'a string such as "3.11"', value)
    return 3, int(match[1])


def _style(key: str, value: Any) -> str:
    if value not in ("auto", "timeout", "mark"):
        raise _must_be(key, '"auto", "timeout" or "mark"', value)
    return str(value)


def _leak_check(key: str, value: Any) -> str:
    if value not in ("fail", "warn"):
        raise _must_be(key, '"fail" or "warn"', value)
    return str(value)


def _environment(key: str, value: Any) -> Path:
    if not isinstance(value, str) or not value.strip():
        raise _must_be(key, 'a path such as ".venv"', value)
    return Path(value).expanduser()


def site_packages(environment: Path) -> tuple[Path, ...]:
    """Where a virtual environment, given by its directory or its Python, keeps packages; () if nowhere.

    Its layout: https://docs.python.org/3/library/venv.html and the "sysconfig" page there. Of several
    Python versions the newest counts.
    """
    # .venv/bin/python, or python.exe beside Lib; links are not followed, they lead out of the environment
    roots = [environment.parent.parent, environment.parent] if environment.is_file() else [environment]
    for root in roots:
        found = [*root.glob("lib/py*/site-packages"), *root.glob("lib64/py*/site-packages")]
        newest = max((_version_of(path) for path in found), default=())
        kept = [path for path in found if _version_of(path) == newest] or [root / "Lib" / "site-packages"]
        distinct = {path.resolve(): path for path in reversed(kept) if path.is_dir()}
        if distinct:
            return tuple(reversed(distinct.values()))
    return ()


def _version_of(directory: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", directory.parent.name))


def _file(key: str, value: Any) -> Path:
    if not isinstance(value, str) or not value.strip():
        raise _must_be(key, 'a path such as "asynclint-baseline.json"', value)
    return Path(value).expanduser()


def _scope(key: str, value: Any) -> str:
    if value not in ("tests", "all"):
        raise _must_be(key, '"tests" or "all"', value)
    return str(value)


PARSERS: dict[str, Callable[[str, Any], Any]] = {
    "select": _codes,
    "ignore": _codes,
    "extend-select": _codes,
    "extend-ignore": _codes,
    "per-file-ignores": _codes_by_glob,
    "exclude": _globs,
    "extend-exclude": _globs,
    "guard-style": _style,
    "guard-seconds": _seconds,
    "per-file-guard-seconds": _seconds_by_glob,
    "guard-junit-factor": _factor,
    "guard-junit-floor": _seconds,
    "loop-guards-only": _flag,
    "guard-decorators": _names,
    "guard-fixtures": _names,
    "guard-base-classes": _names,
    "leak-check": _leak_check,
    "blocking-calls": _calls,
    "target-version": _version,
    "scope": _scope,
    "environment": _environment,
    "baseline": _file,
}
