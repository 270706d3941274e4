"""The ini dialect pytest reads, which is not that of ``configparser``.

pytest parses its ini files with the package ``iniconfig``: names keep their case, there is no
``DEFAULT`` section and no inline comment, blank lines and comment lines inside a value vanish,
and a duplicate or a line without ``=`` or ``:`` is an error.
"""

from __future__ import annotations

_COMMENTS = ("#", ";")


class IniError(ValueError):
    """A line that pytest would refuse."""

    def __init__(self, line: int, cause: str) -> None:
        super().__init__(f"line {line}: {cause}")


def parse_ini(text: str) -> dict[str, dict[str, str]]:
    """Return ``{section: {name: value}}``; the lines of a long value are joined by newlines.

    Raises IniError where pytest would stop with a usage error.
    """
    sections: dict[str, dict[str, list[str]]] = {}
    section: dict[str, list[str]] | None = None
    value: list[str] | None = None
    for number, raw in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        line = raw.rstrip()
        if not line or line.lstrip().startswith(_COMMENTS):
            continue
        header = _section_name(line)
        if header is not None:
            if not header or header in sections:
                raise IniError(number, f"empty or duplicate section {line!r}")
            section, value = sections.setdefault(header, {}), None
        elif line[0].isspace() or line[0] == "[":  # `[a` without `]` continues a value, too
            if value is None:
                raise IniError(number, f"nothing to continue: {line.strip()!r}")
            value.append(line.strip())
        else:
            name, first = _split_item(line, number)
            if section is None or name in section:
                raise IniError(number, f"a duplicate, or outside of any section: {name!r}")
            value = section[name] = [first] if first else []
    return {
        title: {name: "\n".join(lines) for name, lines in items.items()} for title, items in sections.items()
    }


def _section_name(line: str) -> str | None:
    if line[0] != "[":
        return None
    for comment in _COMMENTS:
        line = line.partition(comment)[0].rstrip()
    return line[1:-1] if line.endswith("]") else None


def _split_item(line: str, number: int) -> tuple[str, str]:
    name, equals, value = line.partition("=")
    if not equals or ":" in name:  # `name: a=b`
        name, colon, value = line.partition(":")
        if not colon:
            raise IniError(number, f"neither a section nor `name = value`: {line!r}")
    return name.strip(), value.strip()
