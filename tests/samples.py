"""Small test modules with known findings, and the command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# One ASL101 at 7:1, which has a safe fix.
BAD = """\
import asyncio

import pytest


@pytest.mark.asyncio
async def test_waits():
    event = asyncio.Event()
    await event.wait()
"""
GOOD = """\
import asyncio

import pytest


@pytest.mark.asyncio
async def test_waits():
    async with asyncio.timeout(30):
        event = asyncio.Event()
        await event.wait()
"""
# One ASL201 at 13:9, whose fix is unsafe.
DROPPED = """\
import asyncio

import pytest


async def work():
    await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_drops():
    async with asyncio.timeout(30):
        asyncio.create_task(work())
        await asyncio.Event().wait()
"""


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without what this test run put there, an active venv, or forced colours."""
    others = ("PYTEST_", "FORCE_", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    return {**kept, **variables}


def spawn(cwd: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command in ``cwd``."""
    return subprocess.run(
        [sys.executable, "-m", "asynclint", *arguments],
        cwd=cwd,
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
    )


@dataclass
class Ran:
    """What a run of the command left: exit status, standard output, standard error."""

    status: int
    out: str
    err: str


Asynclint = Callable[..., Ran]
