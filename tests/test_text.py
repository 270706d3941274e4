from __future__ import annotations

import ast
import codecs
import pickle
import tokenize
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynclint.finding import Position, Span
from asynclint.source.text import SourceError, SourceText

#: characters at which str.splitlines breaks a line and Python does not
NO_LINE_ENDS = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
PIECES = st.sampled_from(["a", "é", "漢", "😀", " ", "\t", "\n", "\r", "\r\n", *NO_LINE_ENDS])
TEXTS = st.lists(PIECES, max_size=40).map("".join)


def source(text: str) -> SourceText:
    return SourceText.from_bytes(text.encode())


def failure(raw: bytes) -> SourceError:
    with pytest.raises(SourceError) as caught:
        SourceText.from_bytes(raw)
    return caught.value


def call_named(text: SourceText, name: str) -> ast.Call:
    calls = [node for node in ast.walk(text.parse()) if isinstance(node, ast.Call)]
    return next(call for call in calls if isinstance(call.func, ast.Name) and call.func.id == name)


def test_plain_utf8() -> None:
    text = SourceText.from_bytes("x = 'é'\n".encode())
    assert (text.text, text.encoding, text.bom) == ("x = 'é'\n", "utf-8", b"")


def test_bom_is_kept_but_is_no_text() -> None:
    raw = codecs.BOM_UTF8 + b"x = 1\n"
    text = SourceText.from_bytes(raw)
    assert text.text == "x = 1\n"
    assert text.span(text.parse().body[0]).start == Position(1, 0)
    assert text.encode(text.text) == raw
    assert text.encode("y = 1\n") == codecs.BOM_UTF8 + b"y = 1\n"


def test_bom_with_a_utf8_cookie() -> None:
    text = SourceText.from_bytes(codecs.BOM_UTF8 + b"# coding: utf-8\nx = '\xc3\xa9'\n")
    assert text.encoding == "utf-8"
    assert text.text.endswith("x = 'é'\n")


@pytest.mark.parametrize(
    "raw",
    [
        b"# -*- coding: latin-1 -*-\nx = '\xe9'\n",
        b"#!/usr/bin/env python\n# vim: set fileencoding=latin-1 :\nx = '\xe9'\n",
        b"# coding: latin-1 \xe9\n",
        b"# \xe9\n# coding: latin-1\n",
        b"\r# coding: latin-1\rx = '\xe9'\r",
    ],
)
def test_cookie(raw: bytes) -> None:
    text = SourceText.from_bytes(raw)
    assert text.encoding == "iso-8859-1"
    assert "é" in text.text
    assert text.encode(text.text + "# ü\n") == raw + b"# \xfc\n"


@pytest.mark.parametrize(
    "raw",
    [
        b"\n\n# coding: latin-1\nx = '\xc3\xa9'\n",
        b"x = 1\n# coding: latin-1\nx = '\xc3\xa9'\n",
        b"\r\r# coding: latin-1\rx = '\xc3\xa9'\r",
        b"coding = 'latin-1'\nx = '\xc3\xa9'\n",
    ],
)
def test_what_is_no_cookie(raw: bytes) -> None:
    assert "é" in SourceText.from_bytes(raw).text


@pytest.mark.parametrize("encoding", ["cp1252", "koi8-r", "shift_jis", "gb18030"])
def test_other_encodings(encoding: str) -> None:
    body = (
        f"# coding: {encoding}\nx = 'ж漢'\n"
        if encoding in {"shift_jis", "gb18030"}
        else f"# coding: {encoding}\n"
    )
    raw = body.encode(encoding)
    text = SourceText.from_bytes(raw)
    assert text.text == body
    assert text.encode(body) == raw


def test_unknown_cookie() -> None:
    error = failure(b"#!/bin/python\n# coding: klingon\nx = 1\n")
    assert str(error) == "cannot be decoded: unknown encoding: klingon"
    assert (error.line, error.column) == (2, 0)


def test_cookie_against_bom() -> None:
    error = failure(codecs.BOM_UTF8 + b"# coding: latin-1\n")
    assert str(error) == "cannot be decoded: its encoding cookie contradicts its UTF-8 BOM"
    assert error.line == 1


@pytest.mark.parametrize("codec", ["rot13", "hex", "undefined"])
def test_codec_that_is_no_text_encoding(codec: str) -> None:
    error = failure(f"# coding: {codec}\nx = 1\n".encode())
    assert str(error) == f"cannot be decoded: {codec} is not an encoding for text"


@pytest.mark.parametrize("codec", ["idna", "punycode", "utf-7", "utf_16", "utf_32"])
def test_codec_that_hardly_holds_python(codec: str) -> None:
    error = failure(f"# coding: {codec}\nx = '".encode() + b"\xe9'\n")
    assert str(error).startswith("cannot be")


@pytest.mark.parametrize(("newline", "line"), [(b"\n", 3), (b"\r\n", 3), (b"\r", 3)])
def test_undecodable_byte_is_placed(newline: bytes, line: int) -> None:
    error = failure(newline.join([b"a = 1", b"", b"x = '\xc3\xa9\xe9'", b""]))
    assert str(error) == "cannot be decoded: byte 0xe9 is not valid utf-8"
    assert (error.line, error.column) == (line, 6)


def test_nul() -> None:
    error = failure(b"a = 1\nb\0 = 2\n")
    assert str(error) == "cannot be parsed: it contains a NUL character"
    assert (error.line, error.column) == (2, 1)


def test_utf16_is_refused_in_one_line() -> None:
    assert "\n" not in str(failure("x = 1\n".encode("utf-16")))


def test_errors_travel_between_processes() -> None:
    error = pickle.loads(pickle.dumps(SourceError("cause", 3, 4)))
    assert (str(error), error.line, error.column) == ("cause", 3, 4)


@pytest.mark.parametrize("text", ["", "x", "x\n", "\n", "\r\n", "\r"])
def test_small_files(text: str) -> None:
    made = source(text)
    assert "".join(made.lines) == text
    assert made.encode(text) == text.encode()
    assert made.position(len(text)) == Position(*((2, 0) if text.endswith(("\n", "\r")) else (1, len(text))))
    assert isinstance(made.parse(), ast.Module)


@pytest.mark.parametrize("char", list(NO_LINE_ENDS))
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_numbers_are_those_of_ast(char: str, newline: str) -> None:
    blank = "\x0c" if char == "\x0c" else ""
    text = source(newline.join([f"{blank}a = '{char}'  # {char}", f"'''{char}", f"{char}'''", "last()"]))
    assert len(text.lines) == 4
    node = text.parse().body[-1]
    assert node.lineno == 4
    assert text.slice(text.span(node)) == "last()"


def test_mixed_newlines() -> None:
    text = source("a = 1\r\n\rb = 2\n'''\r\r\n'''\nlast()")
    assert text.newline == "\r\n"
    assert text.slice(text.span(text.parse().body[-1])) == "last()"


@pytest.mark.parametrize(("text", "newline"), [("", "\n"), ("x", "\n"), ("x\r", "\r"), ("\n\r\n", "\n")])
def test_newline(text: str, newline: str) -> None:
    assert source(text).newline == newline


@pytest.mark.parametrize("string", ["éééé", "漢字", "😀😀", "e\u0301", "ascii"])
def test_columns_count_characters(string: str) -> None:
    text = source(f'"{string}"; call()\n')
    span = text.span(call_named(text, "call"))
    assert span.start == Position(1, len(string) + 4)
    assert text.slice(span) == "call()"


def test_columns_in_fstrings_never_leave_the_text() -> None:
    text = source('x = f"""é\n{\n   a()}{b():>{c()}}"""\ny = (f"é{d()}"\n  f"{e()}")\n')
    for node in ast.walk(text.parse()):
        if isinstance(node, ast.expr):
            span = text.span(node)
            text.offset(span.start)
            text.offset(span.end)


@pytest.mark.parametrize(
    "definition",
    ["def name", "async def name", "class name", "async  def\tname", "async \\\n def \\\n  name", "def ñame"],
)
def test_span_of_name(definition: str) -> None:
    rest = ": pass" if definition.startswith("class") else "(): pass"
    text = source(f"@decorator(\n  'def wrong')\n{definition}{rest}\n")
    assert text.slice(text.span_of_name(text.parse().body[0])) == definition


def test_span_of_name_of_anything_else_is_its_span() -> None:
    text = source("x = lambda: 1\n")
    node = text.parse().body[0]
    assert text.span_of_name(node) == text.span(node)


def test_offset_refuses_places_outside() -> None:
    text = source("ab\ncd")
    for position in (Position(0, 0), Position(3, 0), Position(1, 4), Position(1, -1), Position(2, 3)):
        with pytest.raises(ValueError, match="no such place"):
            text.offset(position)
    for offset in (-1, 6):
        with pytest.raises(ValueError, match="no such place"):
            text.position(offset)


@given(TEXTS)
def test_offset_and_position_are_inverse(characters: str) -> None:
    text = source(characters)
    for offset in range(len(characters) + 1):
        assert text.offset(text.position(offset)) == offset
    assert text.slice(Span(Position(1, 0), text.position(len(characters)))) == characters


@given(TEXTS)
def test_lines_are_those_of_the_interpreter(characters: str) -> None:
    text = source(characters)
    assert "".join(text.lines) == characters
    universal = characters.replace("\r\n", "\n").replace("\r", "\n")
    assert len(text.lines) == universal.count("\n") + (not universal.endswith("\n") and bool(universal))


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="'\\"), max_size=20))
def test_columns_of_any_text(string: str) -> None:
    text = source(f"'{string}'; call()\n")
    assert text.slice(text.span(call_named(text, "call"))) == "call()"


@given(TEXTS, st.sampled_from([b"", codecs.BOM_UTF8]))
def test_bytes_come_back(characters: str, bom: bytes) -> None:
    raw = bom + characters.encode()
    text = SourceText.from_bytes(raw)
    assert text.text == characters
    assert text.encode(text.text) == raw


@given(st.binary(max_size=60))
def test_any_bytes_are_text_or_one_clear_line(raw: bytes) -> None:
    cause = ""
    try:
        text = SourceText.from_bytes(raw)
        assert text.encode(text.text) == raw
        text.parse()
    except SourceError as error:
        cause = str(error)
    assert not cause or (cause.startswith("cannot be ") and len(cause.splitlines()) == 1)


def test_words_of_a_text() -> None:
    text = SourceText.from_bytes(b"import time\nasyncio_timeout = 3\n\ndef work(): pass")
    assert text.has_any(("nothing", "timeout"))  # inside a longer word, too
    assert not text.has_any(frozenset({"nothing", "wait_for"}))
    assert [text.is_between("time", 1, 1), text.is_between("time", 2, 4)] == [True, True]
    assert [text.is_between("pass", 1, 3), text.is_between("pass", 4, 4)] == [False, True]


def test_from_lines() -> None:
    lines = ["\ufeffx = 'é'\n", "y = 1"]
    text = SourceText.from_lines(lines)
    assert text.text == "x = 'é'\ny = 1"
    assert (text.bom, text.encoding) == (codecs.BOM_UTF8, "utf-8")
    assert text.raw == "".join(lines).encode()


@pytest.mark.filterwarnings("error")
def test_parse_prints_no_warning() -> None:
    assert source(r"x = '\d' if 1 is 1 else ()()" + "\n").parse().body


def test_syntax_error_is_placed() -> None:
    with pytest.raises(SourceError) as caught:
        source("a = 'é'\n'é'; b = = 2\n").parse()
    assert str(caught.value) == "cannot be parsed: invalid syntax"
    assert (caught.value.line, caught.value.column) == (2, 9)


@pytest.mark.parametrize(
    "text",
    ["-" * 200_000 + "1", "+".join(["1"] * 100_000), "(" * 300 + ")" * 300, "a" + ".b" * 50_000],
    ids=["unary", "binary", "parentheses", "attributes"],
)
def test_deep_nesting_is_refused(text: str) -> None:
    with pytest.raises(SourceError, match=r"cannot be parsed: .*(nested|parentheses)"):
        source(text).parse()


def test_lone_surrogate_is_refused() -> None:
    with pytest.raises(SourceError, match=r"cannot be parsed: .*surrogates"):
        SourceText.from_lines(["x = '\ud800'\n"]).parse()


def test_character_the_encoding_lacks() -> None:
    text = SourceText.from_bytes(b"# coding: latin-1\n")
    with pytest.raises(
        SourceError, match=r"cannot be written: '\\u6f22' has no place in iso-8859-1"
    ) as caught:
        text.encode("# coding: latin-1\nx = '漢'\n")
    assert (caught.value.line, caught.value.column) == (2, 5)


def test_bytes_that_would_change_elsewhere() -> None:
    raw = b"# coding: utf-7\nx = '+AGE-'\n"  # decodes to 'a', which UTF-7 encodes as itself
    text = SourceText.from_bytes(raw)
    assert text.encode(text.text) == raw
    with pytest.raises(SourceError, match="cannot be written: utf-7 would change bytes"):
        text.encode(text.text + "y = 1\n")


def test_decodes_as_the_interpreter_does(tmp_path: Path) -> None:
    for number, head in enumerate(
        ["", "# coding: latin-1\n", "#!x\n# coding=cp1252\n", "\ufeff# coding: utf-8\n"]
    ):
        encoding = ["utf-8", "latin-1", "cp1252", "utf-8"][number]
        path = tmp_path / f"t{number}.py"
        path.write_bytes(f"{head}x = 'é'\n".encode(encoding))
        with tokenize.open(path) as file:
            assert SourceText.from_bytes(path.read_bytes()).text == file.read()
