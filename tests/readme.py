"""Print the generated parts of README.md; ``python tests/readme.py --write`` puts them there."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from asynclint.rule import Rule, all_rules

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
TESTS = "fixtures/legacy_suite/tests"
SHOWN = (f"{TESTS}/test_worker.py", f"--diff {TESTS}/test_portable.py")
GUARDS = f"--show-guards {TESTS}/test_inventory.py {TESTS}/test_report.py"


def rules() -> str:
    """The table of rules, one line a rule."""
    head = "| code | name | reports | default | fix |\n|---|---|---|---|---|\n"
    return head + "".join(map(_row, all_rules()))


def _row(rule: Rule) -> str:
    fix = "none" if rule.fix is None else rule.fix.value
    summary = rule.summary.rstrip(".").replace("``", "`").replace("|", "\\|")
    return f"| {rule.code} | {rule.slug} | {summary} | {'on' if rule.default else 'off'} | {fix} |\n"


def output() -> str:
    """What two commands show on a terminal."""
    return _console(*(_run(words, status=1) for words in SHOWN))


def guards() -> str:
    """What --show-guards shows of two files."""
    return _console(_run(GUARDS, status=0))


def _console(*sessions: str) -> str:
    return "```console\n" + "\n".join(sessions) + "```\n"


def _run(words: str, *, status: int) -> str:
    command = [sys.executable, "-m", "asynclint", "--output-format", "full", *words.split()]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    paths = [str(ROOT), *filter(None, [environment.get("PYTHONPATH")])]
    child = subprocess.run(
        command,
        cwd=ROOT,
        env={**environment, "PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    if child.returncode != status:
        sys.exit(f"asynclint {words} ended with status {child.returncode}:\n{child.stdout}")
    return f"$ asynclint {words}\n{child.stdout}"


PARTS: dict[str, Callable[[], str]] = {"output": output, "guards": guards, "rules": rules}


def fresh(text: str) -> str:
    """README's ``text`` with every generated part made anew between its markers."""
    for name, make in PARTS.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
        before, _, rest = text.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            sys.exit(f"README.md has no {begin.strip()} … {end.strip()}")
        text = f"{before}{begin}{make()}{end}{after}"
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    if parser.parse_args().write:
        README.write_text(fresh(README.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print("\n".join(make() for make in PARTS.values()))  # noqa: T201


if __name__ == "__main__":
    main()
