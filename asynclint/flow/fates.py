"""What each use does to a value: it finishes it, asks it to end, hands it on, keeps it, or looks at it.

The value is an asyncio task, or a container or future that stands for tasks (``[task]``, ``gather(task)``).
What can't be told counts as handed on: whoever has it then may finish it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

import libcst as cst

from asynclint.flow.asserted import is_asserted, is_demanded, is_denied, is_gone
from asynclint.flow.waits import count, is_timed, left_over, sets_of
from asynclint.knowledge.asyncs import (
    BOUNDED_CALLS,
    CONTAINER_LOOKS,
    CONTAINER_PARTS,
    CONTAINER_TAKES,
    EXPECTING,
    GATHERING,
    LOOKING_CALLS,
    PASSED_ON,
    PASSING_CALLS,
    TASK_INSPECTION,
    TIMEOUT_ERRORS,
    UNBOUND,
)
from asynclint.project.handing import is_container
from asynclint.project.names import chain
from asynclint.project.project import Project
from asynclint.source.function import Function
from asynclint.source.outline import Scope

RAISES = EXPECTING | {"suppress"}
RAISING = re.compile(r"\b(raises|assertRaises\w*)\(")


class Fate(Enum):
    """What happens to a value where it is used; PROVED: asserted to be done, CHECKED: asserted otherwise."""

    BORN = "born"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    WAITED = "waited"  # asyncio.wait that may leave it pending
    HANDED = "handed"
    SWEPT = "swept"  # whatever runs is ended, the forgotten too
    LOOKED = "looked"
    PROVED = "proved"
    CHECKED = "checked"
    LOST = "lost"  # its only name is given another value
    USED = "used"  # taken for what it is to give


class Event(NamedTuple):
    """One fate, at the node where it takes effect."""

    fate: Fate
    node: cst.CSTNode


@dataclass(frozen=True, slots=True)
class Kept:
    """From here on these local names hold the value, or with ``many`` a container of it.

    Names of a loop or comprehension do so ``inside`` that alone.
    """

    names: tuple[str, ...]
    many: bool = False
    inside: cst.CSTNode | None = None


class KeptOnSelf(NamedTuple):
    """An attribute of ``self`` holds the value."""

    attribute: str
    node: cst.CSTNode


Step = Event | Kept | KeptOnSelf
# What a project's function does with an argument, given by place or name: its fate, None where that can't be
# told; and whether only awaiting the call does it.
Follow = Callable[[ast.Call, int | str, Scope], tuple[Fate | None, bool]]


class Fates:
    """Follows a value outwards from the node that has it to what becomes of it there."""

    swept = True  # whoever goes over all tasks has it, and ``del`` lets it go on purpose

    def __init__(self, function: Function, project: Project, follow: Follow) -> None:
        self._function = function
        self._project = project
        self._follow = follow

    def of(self, node: cst.CSTNode, *, many: bool = False, shielded: bool = False) -> Iterator[Step]:
        """What becomes of the value that ``node`` evaluates to."""
        parent = self._function.parent(node)
        match parent:
            case cst.Await():
                yield Event(Fate.FINISHED, parent)
            case cst.Arg():
                yield from self._argument(node, parent, many=many, shielded=shielded)
            case cst.Attribute():
                yield from self._attribute(parent, many=many)
            case cst.Element() | cst.StarredElement() | cst.DictElement() | cst.StarredDictElement():
                yield from self._element(parent)
            case cst.ListComp() | cst.SetComp() | cst.GeneratorExp() | cst.DictComp():
                yield from self.of(parent, many=True)
            case cst.CompFor() | cst.For() if parent.iter is node:
                yield from self._looped(parent)
            case cst.Assign():
                for target in parent.targets:
                    yield from self._bound(target.target, many=many)
            case cst.AnnAssign() if parent.value is node:
                yield from self._bound(parent.target, many=many)
            case cst.AugAssign():
                yield from self._bound(parent.target, many=True)
            case cst.NamedExpr():
                yield from self._bound(parent.target, many=many)
                yield from self.of(parent, many=many)
            case cst.AssignTarget() | cst.Del():  # tasks[0] = …: something else is put there
                let_go = self.swept and isinstance(node, cst.Name)  # del task
                yield Event(Fate.HANDED if let_go else Fate.LOOKED, node)
            case _ if _is_same(parent, node):
                yield from self.of(parent, many=many)  # type: ignore[arg-type]
            case _:
                yield Event(self._seen(node) if isinstance(parent, LOOKING) else Fate.HANDED, node)

    def _scope(self, node: cst.CSTNode) -> Scope:
        return self._function.scope_of(node)

    def _names(self, call: cst.Call) -> tuple[str, ...]:
        twin = self._function.ast_of(call)
        assert isinstance(twin, ast.Call)
        return chain(twin.func, self._scope(call), self._project.modules)

    # -- arguments

    def _argument(self, node: cst.CSTNode, arg: cst.Arg, *, many: bool, shielded: bool) -> Iterator[Step]:
        call = self._function.parent(arg)
        if not isinstance(call, cst.Call):  # a class's base
            yield Event(Fate.HANDED, node)
            return
        method = call.func.attr.value if isinstance(call.func, cst.Attribute) else ""
        builtin = call.func.value if isinstance(call.func, cst.Name) else ""
        if builtin and self._scope(call).lookup(builtin) is not None:
            builtin = ""
        names = self._names(call)
        if any(name in GATHERING for name in names):
            yield from self.of(call, shielded=any(name.endswith(".shield") for name in names))
        elif any(name in BOUNDED_CALLS for name in names):
            yield from self._waited(call)
        elif any(name.startswith("asyncio.") and name.endswith(PASSED_ON) for name in names):
            expires = shielded and self._is_meant_to_expire(call)
            yield from [Event(Fate.LOOKED, call)] if expires else self.of(call, many=many)
        elif any(name.startswith(UNBOUND) and name.rpartition(".")[2] in TASK_INSPECTION for name in names):
            yield Event(self._seen(node), node)
        elif builtin in PASSING_CALLS:
            yield from self.of(call, many=True)
        elif method.startswith(CALLING_ASSERTIONS) and len(call.args) > 1:
            yield Event(Fate.HANDED, call)  # self.assertRaises(CancelledError, loop.run_until_complete, task)
        elif builtin in LOOKING_CALLS or (method or builtin).startswith("assert"):
            yield Event(self._seen(node), node)
        elif method == "run_until_complete":
            yield Event(Fate.FINISHED, call)
        elif method in CONTAINER_TAKES and isinstance(call.func, cst.Attribute):
            yield from self._taken(call, call.func.value)
        else:
            yield from self._given(node, arg, call)

    def _given(self, node: cst.CSTNode, arg: cst.Arg, call: cst.Call) -> Iterator[Step]:
        """The argument of a function of the project does what that does with its parameter."""
        twin = self._function.ast_of(call)
        assert isinstance(twin, ast.Call)
        place: int | str = arg.keyword.value if arg.keyword is not None else call.args.index(arg)
        fate, is_coroutine = (None, False) if arg.star else self._follow(twin, place, self._scope(call))
        if fate is None:
            yield Event(Fate.HANDED, node)
        elif not is_coroutine or fate in (Fate.LOOKED, Fate.HANDED):
            yield Event(fate, call)
        else:  # it acts once it is awaited
            steps = list(self.of(call))
            done = all(isinstance(step, Event) and step.fate is Fate.FINISHED for step in steps)
            yield Event(fate if done else Fate.HANDED, call)

    def _taken(self, call: cst.Call, container: cst.BaseExpression) -> Iterator[Step]:
        """``tasks.append(task)``."""
        if isinstance(container, cst.Name) and is_container(container.value, self._scope(container)):
            yield Kept((container.value,), many=True)
        elif isinstance(container, cst.Attribute) and self._is_self(container.value):
            yield KeptOnSelf(container.attr.value, call)
        else:
            yield Event(Fate.HANDED, call)

    def _waited(self, call: cst.Call) -> Iterator[Step]:
        """``done, pending = await asyncio.wait(tasks, timeout=1)``."""
        awaited = self._function.parent(call)
        statement = self._function.parent(awaited) if isinstance(awaited, cst.Await) else None
        sets, timed = sets_of(statement), is_timed(call)
        limits = [arg.value for arg in call.args if arg.keyword and arg.keyword.value == "return_when"]
        when = self._function.module.code_for_node(limits[0]) if limits else ""
        given = count(self._function, call, left_over(self._function, statement))
        first = bool(when) and "ALL_COMPLETED" not in when and given != 1
        if not isinstance(awaited, cst.Await) or not (timed or first):
            yield from self.of(call, many=True)
            return
        yield Event(Fate.WAITED, awaited)
        if isinstance(statement, cst.Expr):
            return
        if not sets:
            yield Event(Fate.HANDED, awaited)
            return
        done, pending = sets
        yield from self._bound(pending, many=True)
        if not first:
            yield from self._bound(done, many=True)

    def _is_meant_to_expire(self, node: cst.CSTNode) -> bool:
        """``with raises(TimeoutError): await wait_for(shield(task), 1)``."""
        for outer in self._function.parents(node):
            if isinstance(outer, cst.With):
                for item in outer.items:
                    call = item.item
                    if isinstance(call, cst.Call) and written_name(call) in RAISES:
                        return any(self._is_timeout(arg.value) for arg in call.args)
            elif isinstance(outer, cst.Try):
                caught = [h for h in outer.handlers if h.type is not None and self._is_timeout(h.type)]
                return any(_does_nothing(handler.body) for handler in caught)
        return False

    def _is_timeout(self, error: cst.CSTNode) -> bool:
        text = self._function.module.code_for_node(error)
        return any(text == name or text.endswith(f".{name.rpartition('.')[2]}") for name in TIMEOUT_ERRORS)

    # -- parts

    def _attribute(self, attribute: cst.Attribute, *, many: bool) -> Iterator[Step]:
        """``task.cancel()``, ``task.done()``, ``tasks.pop()``; a method that is not called is handed on."""
        name = attribute.attr.value
        call = self._function.parent(attribute)
        if not isinstance(call, cst.Call) or call.func is not attribute:
            yield Event(Fate.HANDED, attribute)
        elif name == "cancel":
            yield Event(Fate.CANCELLED, call)
        elif name in ("result", "exception"):  # of a task that is not done, these raise
            yield Event(Fate.FINISHED, call)
        elif name in TASK_INSPECTION:
            yield Event(self._inspected(call, name), call)
        elif name == "add_done_callback" and isinstance(attribute.value, cst.Call):
            yield Event(Fate.LOOKED, call)  # create_task(…).add_done_callback(…)
        elif name in CONTAINER_PARTS:
            yield from self.of(call, many=many)
        else:
            yield Event(Fate.LOOKED if name in CONTAINER_LOOKS else Fate.HANDED, call)

    def _inspected(self, call: cst.Call, name: str) -> Fate:
        """``assert task.done()`` proves that it is over, ``.cancelled()`` that nothing comes of it.

        ``over = task.done()`` may well be acted on.
        """
        if isinstance(self._function.parent(call), (cst.Assign, cst.NamedExpr)):
            return Fate.HANDED
        proves = name in ("done", "cancelled") and is_asserted(self._function, call)
        if not proves or is_denied(self._function, call):
            return Fate.LOOKED
        sure = name == "cancelled" and is_demanded(self._function, call)
        return Fate.FINISHED if sure else Fate.PROVED

    def _seen(self, node: cst.CSTNode) -> Fate:
        if not is_asserted(self._function, node):
            return Fate.LOOKED
        return Fate.PROVED if is_gone(self._function, node) else Fate.CHECKED

    def _element(self, element: cst.CSTNode) -> Iterator[Step]:
        """``first, second = create_task(a), create_task(b)`` by place; else the container holds it."""
        container = self._function.parent(element)
        assert container is not None
        outer = self._function.parent(container)
        unpacked = isinstance(outer, cst.Assign) and len(outer.targets) == 1
        if isinstance(container, (cst.Tuple, cst.List)) and isinstance(outer, cst.Assign) and unpacked:
            target = outer.targets[0].target
            if isinstance(target, (cst.Tuple, cst.List)) and len(target.elements) == len(container.elements):
                index = next(i for i, other in enumerate(container.elements) if other is element)
                yield from self._bound(target.elements[index].value, many=False)
                return
        yield from self.of(container, many=True)

    # -- names

    def taking(self, target: cst.CSTNode) -> cst.CSTNode:
        """What of an assignment's target takes the value."""
        return target

    def _bound(self, target: cst.CSTNode, *, many: bool) -> Iterator[Step]:
        """What an assignment to a target makes of the value."""
        target = self.taking(target)
        match target:
            case cst.Name():
                scope = self._scope(target)
                is_global = scope.facts.outer.get(target.value) == "global"
                if is_global or target.value not in scope.bindings:
                    yield Event(Fate.HANDED, target)
                else:
                    yield Kept((target.value,), many)
            case cst.Tuple() | cst.List():
                for element in target.elements:
                    yield from self._bound(element.value, many=many)
            case cst.Attribute() if self._is_self(target.value):
                yield KeptOnSelf(target.attr.value, target)
            case cst.Subscript(value=cst.Name(value=name)) if is_container(name, self._scope(target)):
                yield Kept((name,), many=True)
            case _:
                yield Event(Fate.HANDED, target)

    def _looped(self, loop: cst.CompFor | cst.For) -> Iterator[Step]:
        """``for task in tasks``, in a comprehension too."""
        inside = self._function.parent(loop) if isinstance(loop, cst.CompFor) else loop
        for step in self._bound(loop.target, many=False):
            yield replace(step, inside=inside) if isinstance(step, Kept) else step

    def _is_self(self, node: cst.CSTNode) -> bool:
        scope = self._scope(node)
        return (
            isinstance(node, cst.Name)
            and scope.enclosing_class is not None
            and bool(scope.parameters)
            and scope.parameters[0].arg == node.value
        )


LOOKING = (
    cst.Comparison,
    cst.ComparisonTarget,
    cst.UnaryOperation,
    cst.Assert,
    cst.FormattedStringExpression,
    cst.Expr,
    cst.If,
    cst.While,
    cst.IfExp,
    cst.CompIf,
)
# Assertions that call what they are given.
CALLING_ASSERTIONS = ("assertRaises", "assertWarns", "assertLogs", "assertNoLogs")


def _is_same(parent: cst.CSTNode | None, node: cst.CSTNode) -> bool:
    """Whether what an expression evaluates to may be, or hold, what a part of it does: ``task or None``."""
    match parent:
        case cst.BooleanOperation() | cst.BinaryOperation():
            return True
        case cst.Subscript():
            return parent.value is node
        case cst.IfExp():
            return parent.test is not node
    return False


def _does_nothing(body: cst.BaseSuite) -> bool:
    """``pass``, ``...``."""
    lines = [small for line in body.body for small in getattr(line, "body", [line])]
    return all(isinstance(s, cst.Pass) or (isinstance(s, cst.Expr) and not s.value.children) for s in lines)


def written_name(call: cst.Call) -> str:
    """The last part of a called name; empty where it has none."""
    func = call.func
    return func.attr.value if isinstance(func, cst.Attribute) else getattr(func, "value", "")
