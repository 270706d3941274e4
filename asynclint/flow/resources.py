"""From birth to the end: every resource that a function makes, and whether it is closed on every path."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import libcst as cst

from asynclint.flow.fates import RAISES, RAISING, Event, Fate, Fates, Step, written_name
from asynclint.flow.lives import Life, life
from asynclint.flow.trace import Tracer
from asynclint.knowledge.asyncs import CONTAINER_PARTS, EXPECTING
from asynclint.knowledge.resources import LENDING, LOOP, PROCESS, TRANSPORT, WRITER, Resource
from asynclint.project.closers import is_lent
from asynclint.project.index.classes import ancestors
from asynclint.project.index.values import Class
from asynclint.project.names import chain
from asynclint.project.owners import shows_its_own
from asynclint.project.project import Project
from asynclint.project.resources import Made, made
from asynclint.source.function import Function
from asynclint.source.outline import Scope
from asynclint.source.written import written

# A test that speaks of what is left open has it open on purpose.
ON_PURPOSE = re.compile(r"ResourceWarning|[Uu]nclosed|not_closed|non_close|without_clos")

BROKEN = re.compile(r"^(Connection\w*Error|BrokenPipeError|OSError)$")
EXITS = frozenset({"__aexit__", "__exit__"})
# What tells whether something is closed already; a condition on it says that nothing is left to do.
ASKED = frozenset({"closed", "is_closed", "is_closing", "_closed", "returncode", "is_serving"})


class ResourceFates(Fates):
    """Resources are closed or handed on; whatever else is called on one leaves it open."""

    resource: Resource
    swept = False

    def of(self, node: cst.CSTNode, *, many: bool = False, shielded: bool = False) -> Iterator[Step]:
        """What becomes of the resource that ``node`` evaluates to."""
        parent = self._function.parent(node)
        match parent:
            case cst.Await():
                yield from self.of(parent, many=many)
            case cst.Yield() if is_lent(self._scope(node), self._project):
                yield Event(Fate.LOOKED, node)
            case cst.Return() if self._is_shown(node):
                yield Event(Fate.LOOKED, node)
            case _:
                yield from super().of(node, many=many, shielded=shielded)

    def _is_shown(self, node: cst.CSTNode) -> bool:
        """``return self._session`` of a class that ends what it has itself."""
        scope = self._scope(node)
        root = node.value if isinstance(node, cst.Attribute) else None
        if not isinstance(root, cst.Name) or not shows_its_own(scope) or not scope.parameters:
            return False
        return root.value == scope.parameters[0].arg

    def taking(self, target: cst.CSTNode) -> cst.CSTNode:
        """``writer`` of ``reader, writer = await open_connection()``."""
        part = self.resource.part
        if part is None or not isinstance(target, (cst.Tuple, cst.List)) or len(target.elements) != 2:
            return target
        return target.elements[part].value

    def _attribute(self, attribute: cst.Attribute, *, many: bool) -> Iterator[Step]:
        name, resource = attribute.attr.value, self.resource
        call = self._function.parent(attribute)
        called = isinstance(call, cst.Call) and call.func is attribute
        if many:
            steps = super()._attribute(attribute, many=many) if name in CONTAINER_PARTS or not called else ()
            yield from steps or [Event(Fate.LOOKED, attribute)]
        elif name in resource.closers | EXITS or (
            name in ("close", "abort") and self._is_part(attribute.value)
        ):
            yield Event(Fate.FINISHED if called else Fate.HANDED, attribute)
        elif name in resource.asks:
            yield Event(Fate.CANCELLED if called else Fate.HANDED, attribute)
        elif name in resource.parts:
            yield from self.of(attribute)
        elif resource is PROCESS and isinstance(call, cst.Arg):  # whoever reads all of process.stdout
            yield Event(Fate.HANDED, attribute)
        elif resource is PROCESS and _reads_to_the_end(attribute, self._function):
            yield Event(Fate.FINISHED, attribute)
        elif name in ("write", "drain") and resource is WRITER and _breaks(attribute, self._function):
            yield Event(Fate.HANDED, attribute)
        elif name == "get_extra_info" and isinstance(call, cst.Call):
            yield Event(Fate.FINISHED if self._closes_socket(call) else Fate.LOOKED, attribute)
        elif name == "run_forever":  # in a thread, by a nested function: for as long as the process lives
            yield Event(Fate.USED if called else Fate.HANDED, attribute)
        elif name in ASKED:
            yield Event(Fate.LOOKED, attribute)

    def _closes_socket(self, call: cst.Call) -> bool:
        """``writer.get_extra_info("socket").close()``, also by a name."""
        holder = self._function.parent(call)
        if isinstance(holder, cst.Attribute):
            return holder.attr.value == "close"
        target = holder.targets[0].target if isinstance(holder, cst.Assign) else None
        function = self._function
        called = function.once("called methods", lambda: set(_called_methods(function.scope)))
        return isinstance(target, cst.Name) and (target.value, "close") in called

    def _is_part(self, receiver: cst.CSTNode) -> bool:
        """``writer.transport``, or anything got from the resource."""
        return (
            isinstance(receiver, (cst.Attribute, cst.Call))
            or self.resource.part is not None
            or bool(self.resource.parts)
        )

    def _argument(self, node: cst.CSTNode, arg: cst.Arg, *, many: bool, shielded: bool) -> Iterator[Step]:
        call = self._function.parent(arg)
        if isinstance(call, cst.Call) and self._is_only_lent(node, arg, call):
            yield Event(Fate.LOOKED, node)
        else:
            yield from super()._argument(node, arg, many=many, shielded=shielded)

    def _is_only_lent(self, node: cst.CSTNode, arg: cst.Arg, call: cst.Call) -> bool:
        """Whether a call leaves it to others to close what it is given: a loop, what is patched."""
        names = self._names(call)
        if any(name.startswith("unittest.mock.") for name in names) or written_name(call) == "wait_closed":
            return True
        if self.resource is not LOOP:
            return False
        if any(name in LENDING for name in names):
            return not isinstance(node, cst.Call) and not _asks_for_loop(self._function.scope)
        if any(name.startswith("asyncio.") for name in names):
            return True
        if arg.keyword is None or arg.keyword.value != "loop":
            return False
        twin = self._function.ast_of(call)
        assert isinstance(twin, ast.Call)
        made = self._project.inference.value(twin.func, self._scope(call))
        return isinstance(made, Class) and re.search(r"loop\.close\(", made.scope.source) is None


def _breaks(node: cst.CSTNode, function: Function) -> bool:
    """``with raises(ConnectionError): writer.write(data)``, which closes the connection."""
    return any(
        isinstance(outer, cst.With)
        and any(isinstance(item.item, cst.Call) and _expects_break(item.item) for item in outer.items)
        for outer in function.parents(node)
    )


def _expects_break(call: cst.Call) -> bool:
    if written_name(call) not in EXPECTING or not call.args:
        return False
    error = call.args[0].value
    kinds = [part.value for part in error.elements] if isinstance(error, cst.Tuple) else [error]
    return any(isinstance(kind, cst.Name) and BROKEN.search(kind.value) for kind in kinds)


def _reads_to_the_end(attribute: cst.Attribute, function: Function) -> bool:
    """``await process.stdout.read()``, after which its transport closes itself."""
    outer = function.parent(attribute)
    if attribute.attr.value not in ("stdout", "stderr"):
        return False
    if isinstance(outer, cst.For):  # async for line in process.stdout
        return True
    if not isinstance(outer, cst.Attribute) or not outer.attr.value.startswith("read"):
        return False
    call = function.parent(outer)
    if outer.attr.value == "read" and isinstance(call, cst.Call) and not call.args:
        return True
    return any(isinstance(around, (cst.While, cst.For)) for around in function.parents(outer))


def _asks_for_loop(unit: Scope) -> bool:
    """Whether a function, its fixtures, or what tears down its class, get at the loop that has been set."""
    owner = unit.enclosing_class
    methods = owner.facts.scopes if owner is not None else []
    texts = [unit.source, *(method.source for method in methods if "tear" in method.name.lower())]
    names = {parameter.arg for parameter in unit.parameters}
    texts += [fixture.source for fixture in unit.outline.scope.facts.scopes if fixture.name in names]
    return any("get_event_loop" in text for text in texts)


@cache
def _fates(resource: Resource) -> type[ResourceFates]:
    return type("ResourceFates", (ResourceFates,), {"resource": resource})


class Holding(NamedTuple):
    """One resource: what makes it, and how it ends."""

    made: Made
    life: Life

    @property
    def resource(self) -> Resource:
        """Its kind."""
        return self.made.resource

    @property
    def title(self) -> str:
        """What reports call it."""
        kind, name = self.resource.title, self.life.name
        if self.life.trace.many and name:
            return f"{kind} in {name}"
        return f"the {kind}" if name in ("", "_") else name if name == kind else f"{kind} {name}"


def holdings(function: Function, project: Project) -> Sequence[Holding]:
    """The resources that a function, and what is nested in it, makes, in source order.

    Those left out that hold nothing, that a test leaves open on purpose, or that are expected not to be made.
    """
    return function.once("holdings", lambda: list(_holdings(function, project)))


def _holdings(function: Function, project: Project) -> Iterator[Holding]:
    if ON_PURPOSE.search(function.scope.source):
        return
    for scope in function.scope.nested():
        for found in made(scope, project) if scope.is_function else ():
            if _closes_itself(found, scope, project):
                continue
            birth = function.cst_of(found.value)
            assert isinstance(birth, (cst.Call, cst.Await))
            trace = Tracer(function, project, _fates(found.resource)).call(birth, scope)
            if found.resource is WRITER and any(
                event.fate is Fate.HANDED and _breaks(event.node, function)
                for events in trace.events.values()
                for event in events
            ):
                continue
            unused = trace.fates() <= {Fate.BORN, Fate.LOOKED} and not trace.names
            if _is_expected_to_fail(function, birth, scope, unused=unused):
                continue
            held = Holding(found, life(function, project, found.call, birth, scope, trace, fallible=True))
            if _holds_something(held, function, project) and not _is_deleted(held, function):
                yield held


def _is_expected_to_fail(function: Function, birth: cst.CSTNode, scope: Scope, *, unused: bool) -> bool:
    """``with raises(OSError): await open_connection(…)``: there is nothing to close.

    An ``unused`` one may be expected to fail by a ``try``, too, or by the test round a nested function.
    """
    if scope is not function.scope and _expects_errors(function):
        owner = function.cst_of(scope.node)
        assert isinstance(owner, cst.FunctionDef)
        if unused or owner.body.body[-1] in function.parents(birth):
            return True
    inner = birth
    for outer in function.parents(birth):
        if unused and isinstance(outer, cst.Try) and inner is outer.body and outer.handlers:
            return True
        if isinstance(outer, cst.With) and isinstance(inner, cst.BaseSuite):
            names = [written_name(item.item) for item in outer.items if isinstance(item.item, cst.Call)]
            if any(name in RAISES and (unused or name != "suppress") for name in names):
                return True
        inner = outer
    return False


def _expects_errors(function: Function) -> bool:
    return function.once("expects errors", lambda: RAISING.search(function.scope.source) is not None)


def _closes_itself(found: Made, scope: Scope, project: Project) -> bool:
    """Whether the protocol of a transport may see to its end: only what is seen not to does not."""
    if found.resource is not TRANSPORT:
        return False
    factory = found.call.args[0] if found.call.args else None
    if isinstance(factory, ast.Lambda):
        factory = factory.body.func if isinstance(factory.body, ast.Call) else None
    if factory is None:
        return True
    value = project.inference.value(factory, scope)
    known = any(name.startswith("asyncio.") for name in chain(factory, scope, project.modules))
    if known and not (isinstance(value, Class) and not value.scope.outline.is_stub):
        return False
    if not isinstance(value, Class):
        return True
    for cls in ancestors(value, project.inference):
        if cls is not None and not cls.scope.outline.is_stub and _ends_its_transport(cls.scope, scope):
            return True
    return False


def _ends_its_transport(protocol: Scope, scope: Scope) -> bool:
    """Whether a protocol closes its transport, hears of its end, or keeps it where others close it."""
    if re.search(r"close|abort|connection_lost", protocol.source):
        return True
    kept = {target.attr for method in protocol.facts.scopes for target, _ in method.facts.attributes}
    closed = "|".join(map(re.escape, sorted(kept)))
    texts = {protocol.outline.text.text, scope.outline.text.text}
    return bool(kept) and any(re.search(rf"\.({closed})\.(close|abort)\b", text) for text in texts)


def _is_deleted(held: Holding, function: Function) -> bool:
    """``del session``: the garbage collector is to find it."""
    if not function.scope.says("del "):
        return False
    deleted = function.once("deleted names", lambda: _deleted_names(function.scope.node))
    return not deleted.isdisjoint(held.life.trace.names)


def _deleted_names(root: ast.AST) -> set[str]:
    targets = (t for node in ast.walk(root) if isinstance(node, ast.Delete) for t in node.targets)
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _holds_something(held: Holding, function: Function, project: Project) -> bool:
    """Whether a method is called by which a resource comes to hold something; users of a fixture do so."""
    works = held.resource.works
    if works and is_lent(held.life.scope, project):
        events = (event for found in held.life.trace.events.values() for event in found)
        if any(isinstance(function.parent(event.node), cst.Yield) for event in events):
            return True
    called = function.once("called methods", lambda: set(_called_methods(function.scope)))
    return not works or any((held.life.name, method) in called for method in works)


def _called_methods(unit: Scope) -> Iterator[tuple[str, str]]:
    for scope in unit.nested():
        for call in scope.facts.calls:
            if isinstance(call.func, ast.Attribute) and isinstance(
                call.func.value, (ast.Name, ast.Attribute)
            ):
                yield written(call.func.value), call.func.attr
