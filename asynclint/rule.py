"""What a rule is: its metadata, its trigger, its check; and the registry that finds them.

A rule lives in one file of ``asynclint/rules`` whose module docstring is its documentation::

    ASL999 some-pattern: one line that says what it reports.

    What it does, in a paragraph or two.

    Why it matters: ...

    Bad::

        (a test module that must be reported)

    Good::

        (a test module that must be silent)

    Fix: what it does, and whether it is safe.

The file defines one ``Rule`` and registers two functions on it::

    rule = Rule("ASL999", "some-pattern", Scope.FUNCTION, fix=Safety.SAFE)

    @rule.trigger      # cheap and necessary: asks outline and index, never libcst
    def trigger(unit: Unit, project: Project) -> bool: ...

    @rule.check        # the verdict, on the libcst tree of the same unit
    def check(function: Function, project: Project) -> Iterator[Finding]: ...

Rules that ask the same register the same function, ``rule.trigger(may_leave_tasks)``: it is asked once.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any

from asynclint.finding import Finding, Safety

UNUSED_NOQA = "ASL004"  # of asynclint's own codes the one that is selected like an off rule's
Trigger = Callable[[Any, Any], bool]
Check = Callable[[Any, Any], Iterator[Finding]]


class Scope(Enum):
    """What a rule's trigger and check are asked about, beside the project.

    FUNCTION: one outermost function with what is nested in it; the trigger gets its outline Scope,
    the check its Function. CLASS and MODULE: an outline Scope, for both. SUITE: the directory of one
    project's configuration, for both; at the command only, since flake8 never sees those files. A
    finding of a suite that stands elsewhere than at the suite's place has the absolute path of its file.
    """

    FUNCTION = "function"
    CLASS = "class"
    MODULE = "module"
    SUITE = "suite"


@dataclass(eq=False)
class Rule:
    """One rule; ``code`` is ``ASL`` and three digits, ``slug`` names the pattern it reports.

    ``fix`` is the safety of its fix, None where it has none.
    ``default`` False makes it an *off* rule, which runs only where its full code is named.
    A rule of files that has something to say of a suite's configuration, too, registers ``check_suite``.
    """

    code: str
    slug: str
    scope: Scope
    fix: Safety | None = None
    default: bool = True
    since: str = "0.1"
    triggered: Trigger | None = None
    checked: Check | None = None
    suite_checked: Check | None = None
    docs: str = ""

    def trigger(self, function: Trigger) -> Trigger:
        """Register the necessary condition that is asked before libcst is imported."""
        self.triggered = function
        return function

    def check(self, function: Check) -> Check:
        """Register the function that yields findings."""
        self.checked = function
        return function

    def check_suite(self, function: Check) -> Check:
        """Register the function that yields findings of a suite, beside those of files.

        It is asked at the command only, and must be cheap where it has nothing to say.
        """
        self.suite_checked = function
        return function

    @property
    def of_suites(self) -> Check | None:
        """What it has to say of a suite, by the directory of its configuration."""
        return self.checked if self.scope is Scope.SUITE else self.suite_checked

    @property
    def name(self) -> str:
        """The name that its file and its fixture folder share."""
        return f"{self.code.lower()}_{self.slug.replace('-', '_')}"

    @property
    def summary(self) -> str:
        """What it reports, in one line: the docstring's first, without code and slug."""
        return self.docs.split("\n", 1)[0].partition(": ")[2]


def by_trigger(rules: Iterable[Rule]) -> list[tuple[Trigger | None, list[Rule]]]:
    """The rules that ask the same first, so that it is asked once."""
    groups: dict[Trigger | None, list[Rule]] = {}
    for rule in rules:
        groups.setdefault(rule.triggered, []).append(rule)
    return list(groups.items())


@cache
def slugs() -> dict[str, str]:
    """The slug of each rule, by code; as their files are called, so that no rule is imported."""
    package = importlib.import_module("asynclint.rules")
    names = (info.name.partition("_") for info in pkgutil.iter_modules(package.__path__))
    return {code.upper(): slug.replace("_", "-") for code, _, slug in names}


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule of ``asynclint.rules``, by code."""
    package = importlib.import_module("asynclint.rules")
    found = []
    for info in pkgutil.iter_modules(package.__path__, "asynclint.rules."):
        module = importlib.import_module(info.name)
        module.rule.docs = module.__doc__ or ""
        found.append(module.rule)
    return tuple(sorted(found, key=lambda rule: rule.code))
