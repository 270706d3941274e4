"""Programs to try the engine on, and what must hold for every program there is."""

from __future__ import annotations

import ast
import io
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import libcst as cst

from asynclint.engine import Fixing, Result, _judge_once, check_text
from asynclint.finding import Finding
from asynclint.output.fix import Applied, apply
from asynclint.project.project import Project
from asynclint.rule import Scope, all_rules
from asynclint.settings import Settings
from asynclint.source.function import UnparsedError
from asynclint.source.outline import Outline
from asynclint.source.pairing import PairedTree
from asynclint.source.text import SourceError, SourceText

FIXTURES = Path(__file__).parent.parent / "fixtures"
EVERYTHING = Settings(extend_select=tuple(rule.code for rule in all_rules()))
REPORTED_AT_CALLS = frozenset({"ASL103", "ASL201", "ASL202", "ASL301"})

Reported = tuple[object, ...]


def fixture_sources() -> dict[str, str]:
    """The text of every Python file below fixtures/ by its name there, the answers of fixes left out."""
    return {
        path.relative_to(FIXTURES).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(FIXTURES.rglob("*.py"))
        if path.suffixes == [".py"]
    }


@dataclass
class Bench:
    """Checks programs as if each were one test file of a directory, all of them in one project."""

    directory: Path
    name: str = "test_program.py"
    project: Project = field(default_factory=lambda: Project(EVERYTHING))

    @property
    def path(self) -> Path:
        return self.directory / self.name

    def check(self, raw: bytes, fixing: Fixing = Fixing.NONE) -> Result:
        """Raises SourceError for what can't be decoded or parsed."""
        text = SourceText.from_bytes(raw)
        return check_text(text, self.path, self.path.name, EVERYTHING, fixing=fixing, project=self.project)

    def findings(self, raw: bytes) -> tuple[Finding, ...]:
        result = self.check(raw)
        assert result.problem is None, result.problem
        return result.findings


def reported(finding: Finding) -> Reported:
    """A finding without the text of its edits, which end where lines do."""
    fix = finding.fix
    return (
        finding.span,
        finding.code,
        finding.message,
        finding.held_back,
        fix and (fix.message, fix.safety, fix.imports, len(fix.edits)),
    )


def assert_sound(
    bench: Bench,
    raw: bytes,
    *,
    marked: bool = True,
    fixings: Sequence[Fixing] = (Fixing.SAFE, Fixing.UNSAFE),
) -> Counter[str]:
    """What must hold for any file that parses; counts the findings and the fixes it has seen.

    ``marked`` False: it is no fixture, whose marks say what a fix may drop. ``fixings`` are those to try.
    """
    text = SourceText.from_bytes(raw)
    result = bench.check(raw)
    assert result.problem is None, result.problem
    assert result.written is None
    seen = Counter(finding.code for finding in result.findings)
    for finding in result.findings:
        assert_on_its_text(text, finding)
    for fixing in fixings:
        seen[fixing.value] += assert_fixes_well(bench, raw, result, fixing, marked=marked)
    return seen


def assert_on_its_text(text: SourceText, finding: Finding) -> None:
    """The span lies in the file, begins and ends with a character of the code, and holds what is reported."""
    shown = text.slice(finding.span)
    assert shown
    assert shown == shown.strip()
    if finding.code == "ASL101":
        assert re.fullmatch(r"async\s+def\s+\w+", shown), shown
    if finding.code in REPORTED_AT_CALLS:
        assert isinstance(ast.parse(f"({shown}\n)", mode="eval").body, ast.Call), shown


def assert_fixes_well(bench: Bench, raw: bytes, found: Result, fixing: Fixing, *, marked: bool) -> int:
    """Fixed text compiles, keeps what no fix is about, and is not fixed again; gives the number of fixes."""
    fixed = bench.check(raw, fixing)
    assert fixed.problem is None, fixed.problem
    if fixed.written is None:
        assert fixed.after == fixed.before
        assert fixed.fixed == 0
        return 0
    before, after = SourceText.from_bytes(raw), SourceText.from_bytes(fixed.written)
    assert fixed.fixed > 0
    assert (after.text, after.encoding, after.bom) == (fixed.after, before.encoding, before.bom)
    compile(after.text, "<fixed>", "exec", dont_inherit=True)
    once = apply(before, found.findings, unsafe=fixing is Fixing.UNSAFE)
    assert_edits_alone(before, once)
    if marked:
        assert_only_edited(before, SourceText.from_bytes(before.encode(once.text)), once.applied)
    again = bench.check(fixed.written, fixing)
    assert again.written is None, "fixing again changes it again"
    assert [reported(f) for f in again.findings] == [reported(f) for f in fixed.findings]
    return fixed.fixed


def assert_edits_alone(before: SourceText, once: Applied) -> None:
    """What is outside the edits of the fixes is there as it was; only imports have come, or gone."""
    fixes = {finding.fix for finding in once.applied if finding.fix is not None}
    edits = {
        (before.offset(edit.span.start), before.offset(edit.span.end), edit.text)
        for fix in fixes
        for edit in fix.edits
    }
    expected, done = "", 0
    for start, end, new in sorted(edits, key=lambda edit: edit[:2]):
        expected += before.text[done:start] + new
        done = end
    expected += before.text[done:]
    left = without_unused_imports(expected, once.text)
    if left == expected and not any(fix.imports for fix in fixes):
        assert once.text == expected, "a byte outside the edits changed"
        return
    lines = lines_of(once.text, blank=left == expected)
    added: list[str] = []
    for line in lines_of(left, blank=left == expected):
        for other in lines:
            if other == line or other.rstrip("\r\n") == line:  # a last line may get an end
                break
            added.append(other)
        else:
            message = f"a line outside the edits changed: {line!r}"
            raise AssertionError(message)
    added += lines
    assert all(re.match(r"\s*(?:import \w+.*)?$", line) for line in added), added


def without_unused_imports(text: str, fixed: str) -> str:
    """A text without the lines that import one thing each, which the fixed one neither has nor uses."""
    before, after = ast.parse(text), ast.parse(fixed)
    used = {node.id for node in ast.walk(after) if isinstance(node, ast.Name)}
    gone = Counter(map(ast.dump, before.body)) - Counter(map(ast.dump, after.body))
    lines = list(io.StringIO(text, newline=""))
    for node in before.body:
        names = node.names if isinstance(node, (ast.Import, ast.ImportFrom)) and gone[ast.dump(node)] else ()
        if len(names) == 1 and (names[0].asname or names[0].name) not in used:
            lines[node.lineno - 1 : node.end_lineno] = [""] * ((node.end_lineno or 0) - node.lineno + 1)
    return "".join(lines)


def lines_of(text: str, *, blank: bool) -> Iterator[str]:
    return (line for line in io.StringIO(text, newline="") if blank or line.strip())


# ``_ = task``, ``async with`` of what is not asynchronous, ``assert`` of a mock's assertion, acquire and
# release that ``async with`` stands for, the head of a loop that ``aclosing`` is put in front of, the
# parenthesis of a call that is handed to the loop, the name of a ``sleep`` that blocks
MAY_GO = (
    r"^\s*_ = |\basync for \w+ in (?=[\w.]+\()|\basync\s+(?=with\b|for\b)|\bassert (?=\w+\.\w+_once)"
    r"|\bawait (?=\S+\.acquire\(\))|\.acquire\(\)|^\s*\S+\.release\(\)$"
    r"|(?<=\w)\((?=[^()\n]*\)  # ASL402)|\b(?:time(?=\.sleep\()|pause(?=\())(?=.*# ASL403)"
)


def assert_only_edited(before: SourceText, after: SourceText, findings: tuple[Finding, ...]) -> None:
    """Lines outside functions with a fix are there as they were; inside, only a few words may go."""
    edits = [edit.span for finding in findings if finding.fix for edit in finding.fix.edits]
    touched = {line for span in edits for line in range(span.start.line, span.end.line + 1)}
    for function in Outline(Path("test_program.py"), before, before.parse(), (3, 11)).functions:
        span = before.span(function.node)
        if any(f.fix and span.start.line <= f.span.start.line <= span.end.line for f in findings):
            last = span.end.line
            while last < len(before.lines) and before.lines[last].lstrip().startswith("#"):
                last += 1  # comments behind a body move with it
            touched |= set(range(span.start.line, last + 1))
    outside = Counter(line for number, line in enumerate(before.lines, 1) if number not in touched)
    left = without_unused_imports(before.text, after.text)
    if left != before.text:
        outside &= Counter(lines_of(left, blank=False))
    assert not outside - Counter(after.lines)
    rest = iter("".join(after.text.split()))
    kept = "".join(re.sub(MAY_GO, "", left, flags=re.MULTILINE).split())
    assert all(character in rest for character in kept), "a fix dropped something"
    assert not constants(before) - constants(after), "a fix changed a string"
    assert not re.search(r"(?<!\r)\n", after.text) or re.search(r"(?<!\r)\n", before.text), (
        "a foreign newline"
    )


def constants(text: SourceText) -> Counter[str]:
    nodes = ast.walk(text.parse())
    return Counter(repr(node.value) for node in nodes if isinstance(node, ast.Constant))


def unscreened(text: SourceText, place: Path, project: Project) -> tuple[list[Reported], list[Reported]]:
    """Findings of the rules for files, with their triggers and with triggers that pick everything."""
    answers = []
    of_files = [rule for rule in all_rules() if rule.scope is not Scope.SUITE]
    for rules in (of_files, [replace(rule, triggered=None) for rule in of_files]):
        found, problem = _judge_once(text, tree=None, place=place, display="-", rules=rules, project=project)
        assert problem is None, problem
        answers.append(sorted(reported(finding) for finding in found))
    return answers[0], answers[1]


def pair_all(path: Path) -> Counter[str]:
    """Pair the trees of every function of a file; counts what was seen."""
    seen: Counter[str] = Counter()
    try:
        text = SourceText.from_bytes(path.read_bytes())
        outline = Outline(path, text, text.parse(), sys.version_info[:2])
    except SourceError:  # the standard library's tests hold files that are wrong on purpose
        return seen
    seen["files"] += 1
    for scope in outline.functions:
        seen["functions"] += 1
        try:
            twins = PairedTree(scope).twins
        except UnparsedError:
            seen["unparsable"] += 1
            continue
        for node, twin in twins.items():
            seen["paired"] += 1
            assert kind_of(node) == type(twin).__name__, f"{path}:{scope.qualname}"
    return seen


def kind_of(node: cst.CSTNode) -> str:
    """The name of the ast class that pairs with a libcst node."""
    match node:
        case cst.FunctionDef() | cst.For() | cst.With() if node.asynchronous:
            return f"Async{type(node).__name__}"
        case cst.Yield(value=cst.From()):
            return "YieldFrom"
        case cst.Del():
            return "Delete"
    return type(node).__name__
