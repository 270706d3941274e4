"""The loop used from other threads, and held up by what belongs in them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from seeding.source import FUNCTIONS, Mutant, Source, called, with_import

THREAD = (
    r"(target=|to_thread(\.run_sync)?\(|submit\(|run_in_executor\([^,()]+,"
    r"|Timer\([^,()]+,)"
)
BLOCKING = re.compile(
    r"^(time\.sleep|subprocess\.\w+|os\.(system|wait\w*)|socket\.(create_connection|getaddrinfo|gethostby\w+)"
    r"|requests\.\w+|urllib\.request\.urlopen|select\.select|\w*(thread|queue|future)\w*\.(join|get|put|result))$"
)
SLOW = 0.1  # seconds


def threadsafe(source: Source) -> Iterator[Mutant]:
    """ASL402: ``call_soon`` for ``call_soon_threadsafe``, ``create_task`` for a coroutine sent over.

    In a function that the file itself hands to a thread, as far as its text tells.
    """
    for call in source.all(ast.Call):
        assert isinstance(call, ast.Call)
        _, name = called(call)
        inner = next((o for o in source.around(call) if isinstance(o, (*FUNCTIONS, ast.Lambda))), None)
        written = source.code(inner) if isinstance(inner, ast.Lambda) else getattr(inner, "name", "")
        handed = re.search(rf"{THREAD}\s*(self\.)?{re.escape(written)}", source.text.text)
        if not written or not handed or isinstance(inner, ast.AsyncFunctionDef):
            continue
        if name == "call_soon_threadsafe" and isinstance(call.func, ast.Attribute):
            end = source.end(call.func)
            yield Mutant(call, ((end - len("_threadsafe"), end, ""),))
        elif name == "run_coroutine_threadsafe" and len(call.args) == 2 and not call.keywords:
            text = f"{source.code(call.args[1])}.create_task({source.code(call.args[0])})"
            yield Mutant(call, ((source.start(call), source.end(call), text),))


def blocking(source: Source) -> Iterator[Mutant]:
    """ASL403: ``time.sleep`` for a library's ``sleep``; a blocking call not handed to a thread any more.

    Sleeps that debug mode lets pass are no faults: those shorter than ``slow_callback_duration``
    (https://docs.python.org/3/library/asyncio-dev.html#debug-mode).
    """
    for wait in source.all(ast.Await):
        assert isinstance(wait, ast.Await)
        call = wait.value
        receiver, name = called(call)
        if not isinstance(call, ast.Call) or not isinstance(source.function(wait), ast.AsyncFunctionDef):
            continue
        start, end = source.start(wait), source.end(wait)
        if name == "sleep" and receiver in ("asyncio", "anyio", "trio") and len(call.args) == 1:
            if not _is_brief(call.args[0]):
                text = f"time.sleep({source.code(call.args[0])})"
                yield with_import(source, Mutant(wait, ((start, end, text),)), "time")
            continue
        skipped = {"to_thread": 0, "run_sync": 0, "run_in_executor": 1}.get(name, -1)
        given = call.args[skipped + 1 :] if skipped >= 0 else []
        if given and _is_brief(given[0]):
            continue
        if skipped >= 0 and len(call.args) > skipped and BLOCKING.match(ast.unparse(call.args[skipped])):
            text = f"{source.code(call.args[skipped])}({', '.join(map(source.code, given))})"
            yield Mutant(wait, ((start, end, text),))


def _is_brief(seconds: ast.expr) -> bool:
    value = seconds.value if isinstance(seconds, ast.Constant) else None
    return isinstance(value, (int, float)) and value < SLOW
