"""Handlers of a cancellation outside tests (``scope = "all"``): meant to end the work, or not."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent

import pytest

from asynclint.engine import check_text
from asynclint.settings import Settings
from asynclint.source.text import SourceText

MEANT = {
    "closes down in order": """
        try:
            await self.loop.run()
        except asyncio.CancelledError:
            log.info("stops")
            await self.shutdown()
        """,
    "closes down in finally": """
        try:
            await self.stopping.happened()
        except asyncio.CancelledError:
            pass
        finally:
            await self.shutdown()
        """,
    "stops others whatever comes": """
        for child in self.children:
            try:
                await asyncio.shield(child.stop())
            except asyncio.CancelledError:
                pass
        """,
    "ends its loop and tidies up": """
        while True:
            try:
                await self.next()
            except asyncio.CancelledError:
                break
        await self.shutdown()
        """,
    "looks whether it is to stop": """
        while not self.stopping.is_set():
            try:
                await self.next()
            except (Exception, asyncio.CancelledError):
                if self.stopping.is_set():
                    return
                log.exception("lost")
        """,
    "Ctrl-C": """
        try:
            await self.next()
        except (KeyboardInterrupt, asyncio.CancelledError):
            self.lines.clear()
        """,
}
FORGOTTEN = {
    "tidies up": """
        try:
            await self.next()
        except asyncio.CancelledError:
            self.lines.clear()
        """,
    "gives something back": """
        try:
            self.line = await self.next()
        except (TimeoutError, asyncio.CancelledError):
            pass
        return self.line
        """,
    "goes on": """
        while True:
            try:
                await self.next()
            except asyncio.CancelledError:
                log.info("this means that we should stop")
            await self.pause()
        """,
}


HEAD = """\
import asyncio
import logging

log = logging.getLogger()


class Service:
    async def read(self):
"""


def reports(body: str, directory: Path) -> list[str]:
    path = directory / "service.py"
    path.write_text(HEAD + indent(dedent(body), " " * 8))
    settings = Settings(select=("ASL502",), scope="all")
    result = check_text(SourceText.from_bytes(path.read_bytes()), path, "service.py", settings)
    assert result.problem is None
    return [finding.message for finding in result.findings]


@pytest.mark.parametrize("body", MEANT.values(), ids=MEANT)
def test_meant(body: str, tmp_path: Path) -> None:
    assert reports(body, tmp_path) == []


@pytest.mark.parametrize("body", FORGOTTEN.values(), ids=FORGOTTEN)
def test_forgotten(body: str, tmp_path: Path) -> None:
    assert len(reports(body, tmp_path)) == 1
