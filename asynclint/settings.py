"""One frozen Settings, whichever door it came through."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a run was asked to do; see README for each key.

    ``guard_seconds`` are seconds; ``target_version`` is ``(3, minor)`` or None to read ``requires-python``.
    """

    select: tuple[str, ...] = ("ASL",)
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    extend_ignore: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    exclude: tuple[str, ...] = ()
    extend_exclude: tuple[str, ...] = ()
    guard_seconds: float = 30
    loop_guards_only: bool = False
    target_version: tuple[int, int] | None = None
    scope: str = "tests"
