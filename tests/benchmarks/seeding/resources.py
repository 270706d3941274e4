"""Resources that nobody closes any more."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from seeding.source import Mutant, Source, bare_call, called, dropped, made_in, unwrapped

MADE_BY = re.compile(
    r"^(open_(unix_)?connection|start_(unix_)?server|create_subprocess_(exec|shell)|create_(unix_)?connection"
    r"|create_(unix_)?server|create_datagram_endpoint|new_event_loop|Runner|ClientSession|AsyncClient)$"
)
PACKAGES = frozenset({"asyncio", "aiohttp", "httpx", "httpx2", "uvloop"})
CLOSES = frozenset({"close", "aclose", "shutdown", "abort"})
REAPS = frozenset({"wait", "communicate"})


def is_maker(call: ast.expr, source: Source) -> bool:
    """A maker of asyncio, a loop, aiohttp or httpx; not one that is given a transport (nothing is held).

    Other packages have a ``ClientSession``, too.
    """
    receiver, name = called(call)
    given = {keyword.arg for keyword in call.keywords} if isinstance(call, ast.Call) else set()
    modules = (receiver or source.origin(name)) in PACKAGES or receiver.endswith("loop")
    held = not given & {"transport", "mounts", "app"}
    return bool(MADE_BY.match(name)) and (modules or receiver.endswith("loop()")) and held


def close(source: Source) -> Iterator[Mutant]:
    """ASL404: the only closing call of a resource made in the function; ``async with make() as x``."""
    for statement in source.all(ast.Expr):
        call = bare_call(statement)
        receiver, name = called(call) if call is not None else ("", "")
        function = source.function(statement)
        if name not in CLOSES | REAPS or function is None or not receiver.isidentifier():
            continue
        maker = made_in(source, function, receiver)
        if maker is None or not is_maker(maker, source):
            continue
        closes = REAPS if called(maker)[1].startswith("create_subprocess") else CLOSES
        ends = [c for c in source.all(ast.Call) if called(c)[0] == receiver and called(c)[1] in closes]
        if sum(source.function(end) is function for end in ends) == 1 and name in closes:
            yield dropped(source, statement)
    for block in source.all(ast.With, ast.AsyncWith):
        assert isinstance(block, (ast.With, ast.AsyncWith))
        item = block.items[0]
        if len(block.items) == 1 and isinstance(item.optional_vars, ast.Name):
            expr = item.context_expr
            if is_maker(expr.value if isinstance(expr, ast.Await) else expr, source):
                mutant = unwrapped(source, block, f"{item.optional_vars.id} = {source.code(expr)}")
                if mutant is not None:
                    yield mutant


def close_on_self(source: Source) -> Iterator[Mutant]:
    """ASL404: the only closing call of what a class keeps on ``self`` when it is set up, or in private."""
    for cls in source.all(ast.ClassDef):
        made: dict[str, ast.AST] = {}
        for node in ast.walk(cls):
            value = node.value if isinstance(node, ast.Assign) else None
            value = value.value if isinstance(value, ast.Await) else value
            if isinstance(node, ast.Assign) and value is not None and is_maker(value, source):
                parts = [part for target in node.targets for part in ast.walk(target)]
                kept = {ast.unparse(part) for part in parts if isinstance(part, ast.Attribute)}
                made |= dict.fromkeys((name for name in kept if name.startswith("self.")), node)
        closing = [(s, called(c)) for s in ast.walk(cls) if (c := bare_call(s)) is not None]
        for statement, (receiver, name) in closing:
            only = sum(r == receiver and n in CLOSES for _, (r, n) in closing) == 1
            if receiver in made and name in CLOSES and only:
                yield dropped(source, statement)
