"""What parameters are that have no annotation: pytest fills them with fixtures, decorators with objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynclint.project.guards.fixtures import filling
from asynclint.project.index import results
from asynclint.project.index.values import Calling, Function, Value

if TYPE_CHECKING:
    from asynclint.project.project import Project
    from asynclint.source.outline import Scope


def parameter(name: str, function: Scope, project: Project) -> Value | None:
    """What a parameter of a test or fixture is; None where that can't be told."""
    fixture = filling(name, function, project)
    if fixture is None:
        return None
    giver = Function(fixture.scope, Calling.SYNC)
    given = results.yielded if fixture.scope.is_generator else results.returned
    return given(giver, project.inference)
