"""All that happens to one value in a function: every use of every name that holds it, by where it runs."""

from __future__ import annotations

import ast
import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import libcst as cst

from asynclint.flow.fates import Event, Fate, Fates, Kept, KeptOnSelf
from asynclint.project.index.values import Calling
from asynclint.project.index.values import Function as FunctionValue
from asynclint.project.names import chain
from asynclint.project.project import Project
from asynclint.source.function import Function, UnparsedError
from asynclint.source.outline import FUNCTIONS, Scope
from asynclint.source.written import called

MAX_DEPTH = 3  # helpers that hand a value to helpers; deeper is unknown
MAX_NAMES = 200
STATEMENTS = (cst.BaseSmallStatement, cst.BaseCompoundStatement)
ALL_TASKS = frozenset({"asyncio.all_tasks", "asyncio.tasks.all_tasks"})
# A condition that leaves out no task but the own one, those that are over, and those of before.
WHICHEVER = re.compile(r"^(not )?\w+$|current_task|\.(done|cancelled|exception)\(\)|\bis not\b|\bnot in\b")


@dataclass
class Trace:
    """What one value meets.

    ``events`` are by *unit*, in source order: the small statement, or the expression in the head of a
    compound one, whose evaluation they are part of; a nested definition is one unit. ``names`` held the
    value, with ``many`` in a container; ``attributes`` of ``self`` too, each with the node that says so.
    """

    events: dict[cst.CSTNode, list[Event]] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    many: bool = False
    attributes: dict[str, cst.CSTNode] = field(default_factory=dict)

    def fates(self) -> set[Fate]:
        """Everything that happens to it anywhere."""
        return {event.fate for events in self.events.values() for event in events}

    def nodes(self, fate: Fate) -> list[cst.CSTNode]:
        """Where one thing happens to it, in source order."""
        return [event.node for events in self.events.values() for event in events if event.fate is fate]


class Tracer:
    """Traces values of one function."""

    def __init__(
        self, function: Function, project: Project, kind: type[Fates] = Fates, depth: int = 0
    ) -> None:
        self._function = function
        self._project = project
        self._birth: cst.CSTNode = function.node
        self._window = ("", range(0))
        self._kind = kind
        self._arguments = _Arguments(function, project, kind, depth)
        self._fates = kind(function, project, self._arguments.fate)
        self._tellings: dict[tuple[str, Scope], list[cst.CSTNode]] = {}
        self._order = function.once("order", lambda: _evaluation_order(function))

    def call(self, birth: cst.BaseExpression, scope: Scope) -> Trace:
        """The trace of what a call, or the ``await`` of one, makes."""
        trace, self._birth = Trace(), birth
        owner = self._function.cst_of(scope.node)
        self._window = self._until_rebound(birth, scope, owner)
        found = [Event(Fate.BORN, birth), *self._grow(trace, self._fates.of(birth), scope)]
        if Fate.HANDED not in {event.fate for event in found}:
            if self._kind.swept:
                found += self._function.once(("sweeps", self._kind, scope), lambda: list(self._sweeps(scope)))
            found += self._rebound(trace, scope)
        units = self._function.once(("units", owner), dict)
        for event in sorted(found, key=self._place):
            if event.node not in units:  # those of one container meet the same events
                units[event.node] = unit(self._function, event.node, owner)
            trace.events.setdefault(units[event.node], []).append(event)
        for events in trace.events.values():  # a comprehension is written before what it goes over
            events.sort(key=lambda event: event.fate is not Fate.BORN)
        return trace

    def parameter(self, name: str, scope: Scope) -> set[Fate]:
        """What a function does with a parameter, or all of ``*name``, on whichever path."""
        trace = Trace()
        fates = {event.fate for event in self._grow(trace, iter([Kept((name,))]), scope)}
        return fates | {Fate.HANDED} if trace.attributes else fates

    def _place(self, event: Event) -> tuple[tuple[int, int], bool]:
        return self._order[event.node], event.fate is Fate.LOST

    def _grow(self, trace: Trace, steps: Iterator[object], scope: Scope) -> Iterator[Event]:
        """The events of a value and of all names it comes to be known by."""
        queue, seen = [steps], set[tuple[str, cst.CSTNode | None]]()
        while queue:
            for step in queue.pop():
                if isinstance(step, Event):
                    yield step
                elif isinstance(step, KeptOnSelf):
                    if step.attribute not in trace.attributes:
                        trace.attributes[step.attribute] = step.node
                        queue.append(self._uses_of_attribute(step, scope))
                elif isinstance(step, Kept):
                    trace.many |= step.many
                    for name in step.names:
                        if (name, step.inside) in seen or len(seen) > MAX_NAMES:
                            continue
                        seen.add((name, step.inside))
                        trace.names += [name] if step.inside is None else []
                        queue.append(self._uses(name, step, scope))

    def _uses(self, name: str, kept: Kept, scope: Scope) -> Iterator[object]:
        own, closed_over = self._function.once(("uses", scope, name), lambda: self._loads(name, scope))
        window = self._window[1] if name == self._window[0] else None
        if kept.inside is not None:
            window = range(self._index(kept.inside), self._order[kept.inside][0] + 1)
        if kept.many:
            own = self._telling(name, scope, own)
        if window is not None:
            first, last = (bisect_left(own, end, key=self._index) for end in (window.start, window.stop))
            own = own[first:last]
        for node in own:
            yield from self._fates.of(node, many=kept.many)
        for node in closed_over:
            yield from self._closed_over(node)

    def _telling(self, name: str, scope: Scope, own: list[cst.CSTNode]) -> list[cst.CSTNode]:
        """The uses of a container but those that only look at it in a statement, such as further appends."""
        if (name, scope) not in self._tellings:
            self._tellings[name, scope] = [node for node in own if not self._only_looks(node)]
        return self._tellings[name, scope]

    def _only_looks(self, node: cst.CSTNode) -> bool:
        statement = next((n for n in self._function.parents(node) if isinstance(n, STATEMENTS)), None)
        if not isinstance(statement, cst.Expr):
            return False
        steps = self._fates.of(node, many=True)
        return all(isinstance(step, Event) and step.fate is Fate.LOOKED for step in steps)

    def _loads(self, name: str, scope: Scope) -> tuple[list[cst.CSTNode], list[cst.CSTNode]]:
        """Where a scope reads a name of its own, or of the function round it; and where other scopes do."""
        own: list[cst.CSTNode] = []
        others: list[cst.CSTNode] = []
        home = scope.lookup(name)
        for node in loads(self._function).get(name, []):
            seen_from = self._function.scope_of(node)
            owner = seen_from.lookup(name)
            if owner is not None and home is not None and owner[0] is home[0]:
                (own if seen_from is scope else others).append(node)
        return own, others

    def _uses_of_attribute(self, kept: KeptOnSelf, scope: Scope) -> Iterator[object]:
        for node in self._function.nodes_of(cst.Attribute):
            if (
                node.attr.value == kept.attribute
                and isinstance(node.value, cst.Name)
                and node.value.value == scope.parameters[0].arg
                and not isinstance(self._function.parent(node), (cst.AssignTarget, cst.AnnAssign))
            ):
                yield from (
                    self._fates.of(node)
                    if self._function.scope_of(node) is scope
                    else self._closed_over(node)
                )

    def _closed_over(self, node: cst.CSTNode) -> Iterator[Event]:
        """Another function that does more than look may do it at any time."""
        steps = list(self._fates.of(node))
        looks = (Fate.LOOKED, Fate.CHECKED)
        if not all(isinstance(step, Event) and step.fate in looks for step in steps):
            yield Event(Fate.HANDED, self._birth)

    def _sweeps(self, scope: Scope) -> Iterator[Event]:
        """``for task in asyncio.all_tasks(): task.cancel()`` and its kin end whatever there is."""
        for node, fates in self._all_tasks(scope):
            if not fates <= {Fate.LOOKED, Fate.CHECKED}:
                yield Event(Fate.SWEPT, node)
        for call in scope.facts.calls:
            calling = self._arguments.sweeper(call, scope)
            if calling is None:
                continue
            node = self._function.cst_of(call)
            fates = {step.fate for step in self._grow(Trace(), self._fates.of(node), scope)}
            if calling is Calling.SYNC or fates == {Fate.FINISHED}:
                yield Event(Fate.SWEPT, node)

    def ends_all_tasks(self, scope: Scope) -> bool:
        """Whether a function does so itself, rather than hand on what it finds."""
        return any(fates & {Fate.CANCELLED, Fate.FINISHED} for _, fates in self._all_tasks(scope))

    def _all_tasks(self, scope: Scope) -> Iterator[tuple[cst.CSTNode, set[Fate]]]:
        for call in scope.facts.calls:
            name = called(call)
            if name == "locals" or any(
                found in ALL_TASKS for found in chain(call.func, scope, self._project.modules)
            ):
                node = self._function.cst_of(call)
                steps = self._grow(Trace(), self._fates.of(node, many=True), scope)
                yield node, {step.fate for step in steps}

    def _until_rebound(self, birth: cst.CSTNode, scope: Scope, owner: cst.CSTNode) -> tuple[str, range]:
        """A name that a statement gives the value, and the nodes from there to where it is given another one.

        Where no loop comes back, what the function does with the name before and behind is not done to
        this value. Empty where that is not so.
        """
        parent = self._function.parent(birth)
        target = self._fates.taking(parent.targets[0].target) if isinstance(parent, cst.Assign) else None
        if not isinstance(target, cst.Name) or scope.facts.outer.get(target.value):
            return "", range(0)
        for outer in self._function.parents(birth):
            if outer is owner:
                break
            if isinstance(outer, (cst.For, cst.While)):
                return "", range(0)
        block, start = self._block(birth), self._index(birth)
        bound = self._bound(scope, target.value)
        behind = bound[bisect_left(bound, start, key=self._index) :]
        end = next((node for node in behind if self._block(node) is block), None)
        return target.value, range(start, self._order[end][0] + 1 if end is not None else len(self._order))

    def _block(self, node: cst.CSTNode) -> cst.CSTNode | None:
        return next(
            (outer for outer in self._function.parents(node) if isinstance(outer, cst.BaseSuite)), None
        )

    def _index(self, node: cst.CSTNode) -> int:
        return -self._order[node][1]

    def _rebound(self, trace: Trace, scope: Scope) -> Iterator[Event]:
        """Other values that are given to the only name there is."""
        if len(trace.names) != 1 or trace.many or trace.attributes:
            return
        name, window = self._window
        for node in self._bound(scope, trace.names[0]):
            inside = name != trace.names[0] or self._index(node) in window
            if inside and not self._index(node) <= self._index(self._birth) <= self._order[node][0]:
                yield Event(Fate.LOST, node)

    def _bound(self, scope: Scope, name: str) -> list[cst.CSTNode]:
        """Statements that assign a name, in source order."""
        bindings = (b.node for b in scope.bindings[name] if b.kind in ("assign", "unpack"))
        plain = [node for node in bindings if isinstance(node, (ast.Assign, ast.AnnAssign))]
        return self._function.once(
            ("bound", scope, name), lambda: sorted(map(self._function.cst_of, plain), key=self._index)
        )


class _Arguments(NamedTuple):
    """What the project's functions do with what a function hands them."""

    function: Function
    project: Project
    kind: type[Fates]
    depth: int

    def fate(self, call: ast.Call, place: int | str, scope: Scope) -> tuple[Fate | None, bool]:
        """What a function of the project does with an argument; see ``Follow``."""
        value = self.project.inference.value(call.func, scope)
        if not isinstance(value, FunctionValue) or value.scope.outline.is_stub or self.depth >= MAX_DEPTH:
            return None, False
        name = _parameter(value, place) if not _is_empty(value.scope) else ""
        if not name or value.calling not in (Calling.SYNC, Calling.COROUTINE):
            return None, False
        key = ("argument", value.scope, name, self.kind)
        fate = self.project.remembered(key, lambda: self._of_parameter(value.scope, name))
        return fate, value.calling is Calling.COROUTINE

    def sweeper(self, call: ast.Call, scope: Scope) -> Calling | None:
        """The kind of a function of the project that ends whatever tasks there are; None for any other."""
        value = self.project.inference.value(call.func, scope)
        if not isinstance(value, FunctionValue) or value.calling not in (Calling.SYNC, Calling.COROUTINE):
            return None
        helper, facts = value.scope, value.scope.facts
        if helper.outline.is_stub or "all_tasks" not in facts.methods.keys() | facts.functions.keys():
            return None
        key = ("ends all tasks", helper, self.kind)
        ends = self.project.remembered(key, lambda: self._ends_all_tasks(helper))
        return value.calling if ends else None

    def _ends_all_tasks(self, helper: Scope) -> bool:
        if any(not WHICHEVER.search(ast.unparse(test)) for test in _tests(helper)):
            return False  # it may end some of them only
        try:
            return self._tracer(helper).ends_all_tasks(helper)
        except UnparsedError:
            return False

    def _tracer(self, helper: Scope) -> Tracer:
        outermost = [scope for scope in helper.around() if scope.is_function][-1]
        function = self.function if outermost is self.function.scope else Function(outermost)
        return Tracer(function, self.project, self.kind, self.depth + 1)

    def _of_parameter(self, helper: Scope, name: str) -> Fate:
        try:
            found = self._tracer(helper).parameter(name, helper)
        except UnparsedError:
            return Fate.HANDED
        for fate in (Fate.HANDED, Fate.FINISHED, Fate.CANCELLED):
            if fate in found:
                return fate
        return Fate.HANDED if found & {Fate.WAITED, Fate.USED} else Fate.LOOKED


def _is_empty(function: Scope) -> bool:
    """A method that others fill in: its own body says nothing."""
    body = getattr(function.node, "body", [])
    return all(isinstance(s, (ast.Pass, ast.Raise)) or _is_constant(s) for s in body)


def _is_constant(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _parameter(function: FunctionValue, place: int | str) -> str:
    """The name of the parameter that is given an argument, that of ``*args`` too; "" for ``**options``."""
    node = function.scope.node
    if not isinstance(node, FUNCTIONS):
        return ""
    names = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args)]
    if isinstance(place, str):
        return place if place in names or place in {arg.arg for arg in node.args.kwonlyargs} else ""
    static = any(getattr(decorator, "id", "") == "staticmethod" for decorator in function.scope.decorators)
    place += function.receiver is not None and not static
    if place < len(names):
        return names[place]
    return node.args.vararg.arg if node.args.vararg is not None else ""


def _evaluation_order(function: Function) -> dict[cst.CSTNode, tuple[int, int]]:
    """What sorts nodes in the order in which they are evaluated: parts before the whole."""
    last: dict[cst.CSTNode, int] = {}
    order: dict[cst.CSTNode, tuple[int, int]] = {}
    for index in range(len(function.nodes) - 1, -1, -1):
        node = function.nodes[index]
        end = last.get(node, index)
        order[node] = (end, -index)
        parent = function.parent(node)
        if parent is not None:
            last[parent] = max(last.get(parent, 0), end)
    return order


def loads(function: Function) -> dict[str, list[cst.CSTNode]]:
    """Every node of a function that reads or deletes a name, by name."""
    return function.once("loads", lambda: _loads(function))


def _loads(function: Function) -> dict[str, list[cst.CSTNode]]:
    found: dict[str, list[cst.CSTNode]] = {}
    for node in function.nodes_of(cst.Name):
        twin = function.twin(node)
        if isinstance(twin, ast.Name) and not isinstance(twin.ctx, ast.Store):
            found.setdefault(twin.id, []).append(node)
    return found


def unit(function: Function, node: cst.CSTNode, owner: cst.CSTNode) -> cst.CSTNode:
    """What a walk through ``owner`` evaluates as a whole when it comes to a node; see ``Trace``."""
    found, inner = node, node
    for outer in (node, *function.parents(node)):
        if outer is owner:
            break
        small = isinstance(outer, (cst.BaseSmallStatement, cst.FunctionDef, cst.ClassDef))
        if small or (isinstance(outer, cst.BaseCompoundStatement) and not isinstance(inner, BLOCKS)):
            found = outer if small else inner
        inner = outer
    return found


# What a compound statement has beside the expressions in its head.
BLOCKS = (
    cst.BaseSuite,
    cst.Else,
    cst.Finally,
    cst.ExceptHandler,
    cst.ExceptStarHandler,
    cst.MatchCase,
    cst.If,
)


def _tests(helper: Scope) -> Iterator[ast.expr]:
    """Conditions that choose among tasks: those of comprehensions, and of what cancels or passes one over."""
    for node in ast.walk(helper.node):
        if isinstance(node, ast.comprehension):
            yield from node.ifs
        elif isinstance(node, ast.If) and any(map(_chooses, ast.walk(node))):
            yield node.test


def _chooses(node: ast.AST) -> bool:
    return isinstance(node, ast.Continue) or (isinstance(node, ast.Call) and called(node) == "cancel")
