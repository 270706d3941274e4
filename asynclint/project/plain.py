"""What plainly comes to its end behind the statement that makes it: nothing there needs a libcst tree.

``task = asyncio.create_task(…)``, and ``await task`` further down on every way to the end of the function.
This is a screen: it walks the statements as asynclint.flow.paths does, and knows few states. Whatever is
less plain is for asynclint.flow to judge.
"""

from __future__ import annotations

import ast
from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from heapq import merge
from typing import NamedTuple

from asynclint.knowledge.asyncs import EXPECTING
from asynclint.project.project import Project
from asynclint.source.outline import FUNCTIONS, Scope
from asynclint.source.written import called

BLOCKS = ("body", "orelse", "finalbody")
JUMPS = (ast.Return, ast.Raise, ast.Break, ast.Continue)
LOOPS = (ast.For, ast.AsyncFor, ast.While)
TRIES = (ast.Try, ast.TryStar)
DEFINITIONS = (*FUNCTIONS, ast.ClassDef)
DISPLAYS = (ast.List, ast.Set, ast.Tuple)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp)
SWALLOWING = EXPECTING | {"suppress"}
# Those of some names whose values an expression, by itself, ends or hands on.
Ends = Callable[[ast.expr, Collection[str]], Iterable[str]]
# Positions in blocks, in order, by the identity of the block.
Positions = Mapping[int, Sequence[int]]


class Naming(NamedTuple):
    """The statement that gives a value its one name, or with ``many`` puts it in a container of that name."""

    statement: ast.stmt
    name: str
    many: bool


def naming(value: ast.expr, scope: Scope, project: Project) -> Naming | None:
    """What gives an expression, or a display of several, its name; None where it has none or more.

    Other statements may give the name to something else.
    """
    return project.remembered(("naming", scope), lambda: dict(_namings(scope))).get(value)


def _namings(scope: Scope) -> Iterator[tuple[ast.expr, Naming]]:
    for name, bindings in scope.bindings.items():
        for binding in bindings:
            node, value = binding.node, binding.value
            if value is None:
                continue
            if isinstance(node, ast.AnnAssign) or (isinstance(node, ast.Assign) and len(node.targets) == 1):
                for part in parts(value) if binding.kind == "assign" else [value]:
                    yield part, Naming(node, name, part is not value)


class Place(NamedTuple):
    """Where a statement stands: its block, its position there, and what holds the block."""

    block: list[ast.stmt]
    position: int
    holder: ast.stmt | None


class Layout:
    """Where the statements of a scope's own body stand; ``jumps`` are those that are or hold a jump."""

    def __init__(self, scope: Scope) -> None:
        self.places: dict[ast.stmt, Place] = {}
        blocks: list[tuple[list[ast.stmt], ast.stmt | None]] = []
        if isinstance(scope.node, FUNCTIONS):
            blocks.append((scope.node.body, None))
        while blocks:  # no recursion: a chain of ``elif`` is as deep as it is long
            block, holder = blocks.pop()
            for index, statement in enumerate(block):
                self.places[statement] = Place(block, index, holder)
                if not isinstance(statement, DEFINITIONS):
                    inner = (getattr(part, name, []) for part in _holding(statement) for name in BLOCKS)
                    blocks.extend((one, statement) for one in inner)
        jumps = [statement for statement in self.places if isinstance(statement, JUMPS)]
        self.jumps = self.marked(sorted(jumps, key=lambda jump: isinstance(jump, ast.Raise)))

    def marked(self, statements: Iterable[ast.stmt]) -> Positions:
        """Where some statements, and what holds them, stand in their blocks."""
        found: dict[int, list[int]] = {}
        seen = set[ast.stmt]()
        for statement in statements:
            for outer in (statement, *self.holders(statement)):
                raises_or_not = isinstance(outer, ast.If) and not outer.orelse  # is left as it is entered
                if outer in seen or (raises_or_not and isinstance(statement, ast.Raise)):
                    break
                seen.add(outer)
                block, position, _ = self.places[outer]
                insort(found.setdefault(id(block), []), position)
        return found

    def holders(self, statement: ast.stmt) -> Iterator[ast.stmt]:
        """The statements round another one, inner ones first."""
        holder = self.places[statement].holder
        while holder is not None:
            yield holder
            holder = self.places[holder].holder


def layout_of(scope: Scope, project: Project) -> Layout:
    """The layout of a scope, worked out once."""
    return project.remembered(("layout", scope), lambda: Layout(scope))


class Way(Enum):
    """How a block leaves what it is entered with."""

    LEFT = "the function may be left before it is ended"
    BROKEN = "a loop may be left, or go on, before it is ended"
    OPEN = "it may not be ended at the end of the block"
    RETURNED = "it is ended or given back on every way, and perhaps none leads to the end"
    ENDED = "it is ended on every way to the end"
    GONE = "no way leads to the end"


class Endings:
    """Where the values that have some ``names`` in a scope come to their ends, or are handed on."""

    def __init__(self, names: Iterable[str], ends: Ends, scope: Scope, project: Project) -> None:
        self._scope = scope
        self._layout = layout_of(scope, project)
        self._where: dict[str, list[ast.stmt]] = {}
        self._positions: dict[str, Positions] = {}
        self._rebound: dict[str, Collection[ast.stmt] | None] = {}
        self.ended: dict[ast.stmt, AbstractSet[str]] = {}
        self.asked: dict[ast.stmt, AbstractSet[str]] = {}  # names in the condition of an ``if``
        names = set(names)
        names.update([each for loop in scope.facts.fors for each, name in _each_of(loop) if name in names])
        for statement in self._layout.places:
            ended = {name for part in _evaluated(statement) for name in _ended(part, names, ends)}
            self.ended[statement] = ended | names.intersection(_given_away(statement, scope))
            if isinstance(statement, ast.If):
                tested = (node for node in ast.walk(statement.test) if isinstance(node, ast.Name))
                self.asked[statement] = {*names_of(tested, names)}
            for name in (*self.ended[statement], *(name for _, name in _each_of(statement))):
                self._where.setdefault(name, []).append(statement)

    def come(self, named: Naming) -> bool:
        """Whether what gets a name is sure to be ended, or handed on, behind the statement that gives it."""
        rebound = self._rebound.get(named.name, ())
        if named.name not in self._rebound:
            rebound = self._rebound[named.name] = _rebinding(named.name, self._scope, self._layout)
        if rebound is None or named.statement not in self._layout.places:
            return False
        return _Walk(self, self._layout, rebound, named.many).leads_to_end(named)

    def has_any(self, name: str) -> bool:
        """Whether any statement ends what a name is given."""
        return any(name in self.ended[statement] for statement in self._where.get(name, ()))

    def positions(self, name: str) -> Positions:
        """Where the statements that do something with a name stand."""
        if name not in self._positions:
            where = (*self._where.get(name, ()), *(self._rebound.get(name) or ()))
            self._positions[name] = self._layout.marked(where)
        return self._positions[name]


class _Walk(NamedTuple):
    """One walk; ``rebound`` are the statements that may give the name to something else."""

    endings: Endings
    layout: Layout
    rebound: Collection[ast.stmt]
    many: bool

    def leads_to_end(self, named: Naming) -> bool:
        """Whether every way from behind a statement to the end of the function ends what it gives a name."""
        names = {named.name}
        block, position, holder = self.layout.places[named.statement]
        try:
            way = self._block(block, names, position + 1)
            while way is not Way.ENDED and holder is not None:
                way = self._behind(block, holder, way, names)
                block, position, outer = self.layout.places[holder]
                if way is Way.OPEN:
                    way = self._block(block, names, position + 1)
                holder = outer
        except _ReboundError:
            return False
        return way in (Way.ENDED, Way.RETURNED) or (way is Way.GONE and self.endings.has_any(named.name))

    def _behind(self, block: list[ast.stmt], holder: ast.stmt, way: Way, names: Collection[str]) -> Way:
        """How what is made in a block leaves the statement that holds it."""
        if isinstance(holder, LOOPS) and block is holder.body:
            if not self.many and way is not Way.RETURNED:  # the next turn makes another one
                raise _ReboundError
            return self._behind_loop(holder, way, names)
        if not isinstance(holder, TRIES) or block is holder.finalbody:
            return Way.OPEN if way is Way.GONE and swallows(holder) else way
        if block is holder.body:
            ways = [self._block(holder.orelse, names) if way is Way.OPEN else way]
            way = _joined([*ways, *(self._block(handler.body, names) for handler in holder.handlers)])
        return self._finally(holder, way, names)

    def _finally(self, holder: ast.Try | ast.TryStar, way: Way, names: Collection[str]) -> Way:
        final = self._block(holder.finalbody, names)
        if final is Way.OPEN or way in (Way.ENDED, Way.RETURNED):
            return way
        return _joined([way, final]) if final is Way.BROKEN else final

    def _block(self, block: list[ast.stmt], names: Collection[str], start: int = 0) -> Way:
        at = [self.layout.jumps.get(id(block), ())]
        at += [self.endings.positions(name).get(id(block), ()) for name in names]
        seen = Way.OPEN
        for position in merge(*(_behind_first(positions, start) for positions in at)):
            if block[position] in self.rebound:
                raise _ReboundError
            way = self._statement(block[position], names)
            if way is Way.BROKEN and not isinstance(block[position], JUMPS):
                seen = way
            elif way is not Way.OPEN:
                return _joined([seen, way]) if seen is Way.BROKEN else way
        return seen

    def _statement(self, statement: ast.stmt, names: Collection[str]) -> Way:
        if isinstance(statement, ast.If):
            return self._if(statement, names)
        if not self.endings.ended[statement].isdisjoint(names):
            return Way.RETURNED if isinstance(statement, ast.Return) else Way.ENDED
        match statement:
            case ast.For() | ast.AsyncFor() | ast.While():
                return self._loop(statement, names)
            case ast.With() | ast.AsyncWith():
                way = self._block(statement.body, names)
                return Way.OPEN if way in (Way.GONE, Way.RETURNED) and swallows(statement) else way
            case ast.Try() | ast.TryStar():
                return self._try(statement, names)
            case ast.Match():
                ways = [self._block(case.body, names) for case in statement.cases]
                last = statement.cases[-1].pattern
                is_last = isinstance(last, ast.MatchAs) and last.pattern is None
                return _joined(ways if is_last else [*ways, Way.OPEN])
            case ast.Break() | ast.Continue():
                return Way.BROKEN
            case ast.Return():
                return Way.LEFT
        return Way.GONE if isinstance(statement, ast.Raise) else Way.OPEN

    def _if(self, statement: ast.If, names: Collection[str]) -> Way:
        ways, orelse = list[Way](), list[ast.stmt]([statement])
        while len(orelse) == 1 and isinstance(orelse[0], ast.If):  # a chain may be longer than calls go deep
            branch = orelse[0]
            if not self.endings.ended[branch].isdisjoint(names):
                return _joined([*ways, Way.ENDED])
            ways.append(self._block(branch.body, names))
            orelse = branch.orelse
        asked = not self.endings.asked[statement].isdisjoint(names)
        if asked and not statement.orelse and ways[0] in (Way.ENDED, Way.RETURNED):
            return Way.ENDED  # if not task.done(): await task
        return _joined([*ways, self._block(orelse, names)])

    def _loop(self, statement: ast.For | ast.AsyncFor | ast.While, names: Collection[str]) -> Way:
        """A loop is taken to run at least once, as in asynclint.flow.paths."""
        each = {each for each, name in _each_of(statement) if name in names}
        way = self._block(statement.body, {*names, *each})
        if isinstance(statement, ast.While) and isinstance(statement.test, ast.Constant):  # while True
            way = {Way.ENDED: Way.RETURNED, Way.OPEN: Way.GONE}.get(way, way)
        return self._behind_loop(statement, way, names)

    def _behind_loop(
        self, statement: ast.For | ast.AsyncFor | ast.While, way: Way, names: Collection[str]
    ) -> Way:
        if way not in (Way.OPEN, Way.BROKEN):
            return way
        other = self._block(statement.orelse, names)
        return other if way is Way.OPEN else _joined([Way.OPEN, other])

    def _try(self, statement: ast.Try | ast.TryStar, names: Collection[str]) -> Way:
        way = self._block(statement.body, names)
        if way is Way.ENDED:
            return way
        ways = [self._block(statement.orelse, names) if way is Way.OPEN else way]
        ways += [self._block(handler.body, names) for handler in statement.handlers]
        return self._finally(statement, _joined(ways), names)


class _ReboundError(Exception):
    """The name may be of something else from here on."""


def _behind_first(positions: Sequence[int], start: int) -> Iterator[int]:
    return (positions[index] for index in range(bisect_left(positions, start), len(positions)))


def _joined(ways: Sequence[Way]) -> Way:
    """How several ways that are taken in each other's place come to an end together."""
    return next(way for way in Way if way in ways)


def _evaluated(statement: ast.stmt) -> Sequence[ast.AST]:
    """What a statement evaluates itself, the blocks that it holds left out."""
    match statement:
        case ast.If(test=expr) | ast.Match(subject=expr) | ast.For(iter=expr) | ast.AsyncFor(iter=expr):
            return [expr]
        case ast.With(items=items) | ast.AsyncWith(items=items):
            return [item.context_expr for item in items]
        case ast.While() | ast.Try() | ast.TryStar() | ast.FunctionDef() | ast.AsyncFunctionDef():
            return []
    return [] if isinstance(statement, ast.ClassDef) else [statement]


def _ended(evaluated: ast.AST, names: Collection[str], ends: Ends) -> Iterator[str]:
    """The names whose values an expression or small statement, or any part of it, ends."""
    for node in ast.walk(evaluated):
        if isinstance(node, ast.expr):
            yield from ends(node, names)
        if isinstance(node, COMPREHENSIONS):
            over = {each: name for loop in node.generators for each, name in _each_of(loop) if name in names}
            yield from (over[each] for each in _ended(node.elt, over, ends)) if over else ()


def _given_away(statement: ast.stmt, scope: Scope) -> Iterator[str]:
    """``return task``, ``return first, second``, ``request.task = task``."""
    match statement:
        case ast.Return(value=ast.expr() as value):
            yield from (part.id for part in parts(value) if isinstance(part, ast.Name))
        case ast.Assign(targets=[ast.Attribute() as target], value=ast.Name(id=name)):
            yield from () if is_of_self(target, scope) else [name]


def _each_of(loop: ast.AST) -> Iterator[tuple[str, str]]:
    """``task`` and ``tasks`` of ``for task in tasks``."""
    match loop:
        case ast.For(target=ast.Name(id=each), iter=ast.Name(id=name)):
            yield each, name
        case ast.comprehension(target=ast.Name(id=each), iter=ast.Name(id=name), is_async=0):
            yield each, name


def swallows(statement: ast.stmt) -> bool:
    """``with raises(ValueError):``, ``with suppress(CancelledError):``."""
    items = statement.items if isinstance(statement, (ast.With, ast.AsyncWith)) else ()
    calls = (item.context_expr for item in items if isinstance(item.context_expr, ast.Call))
    return any(called(call) in SWALLOWING for call in calls)


def parts(value: ast.expr) -> Sequence[ast.expr]:
    """What a display or comprehension holds; any other expression by itself."""
    if isinstance(value, DISPLAYS):
        return value.elts
    return [value.elt] if isinstance(value, COMPREHENSIONS) else [value]


def given_to(call: ast.Call) -> Iterator[ast.expr]:
    """What a call is given, one by one, in a display or by ``*``."""
    for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
        yield from parts(argument.value if isinstance(argument, ast.Starred) else argument)


def names_of(values: Iterable[ast.expr], names: Collection[str]) -> Iterator[str]:
    """Those of some names that are among expressions."""
    return (value.id for value in values if isinstance(value, ast.Name) and value.id in names)


def is_of_self(attribute: ast.Attribute, scope: Scope) -> bool:
    """Whether it is one of the object whose method a scope is."""
    own = scope.parameters[:1] if scope.enclosing_class is not None else ()
    return any(getattr(attribute.value, "id", "") == first.arg for first in own)


def _rebinding(name: str, scope: Scope, layout: Layout) -> Collection[ast.stmt] | None:
    """The statements that assign a name where several do; None where anything else binds it."""
    bindings = scope.bindings[name]
    if len(bindings) == 1:
        return ()
    kinds = ("assign", "unpack")
    known = {b.node for b in bindings if b.kind in kinds and b.node in layout.places}
    return known if len(known) == len(bindings) else None


def _holding(statement: ast.stmt) -> list[ast.AST]:
    """A statement, and the handlers and cases in it, which hold statements too."""
    return [statement, *getattr(statement, "handlers", ()), *getattr(statement, "cases", ())]
