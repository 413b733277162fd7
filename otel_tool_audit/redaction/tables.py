"""
Secrets in the columns of a table: CSV and what tabs, semicolons and bars part, what a database's shell prints, and ``INSERT`` statements.

The first line of a table names its columns; what stands below a secret's name is a secret. Each line is cut into cells once, so the time
is linear in the text.

Source: RFC 4180 (CSV); GitHub Flavored Markdown, "Tables"; ISO/IEC 9075-2, section 14.11 (INSERT).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from otel_tool_audit.redaction.judging import is_choice, is_placeholder
from otel_tool_audit.redaction.keys import KeyKind, KeyNames
from otel_tool_audit.redaction.spans import Span
from otel_tool_audit.redaction.work import Work

RULE: Final = "secret-key"

_SIGNS: Final = ("|", "\t", ";", ",")
_CELL: Final = {sign: re.compile(rf'[ \t]{{0,64}}(?:"(?:[^"\n]|"")*+"|[^\n{re.escape(sign)}]*+)') for sign in _SIGNS}
_COLUMN: Final = re.compile(r"[*_\"'`]{0,3}[^\W\d][\w.#-]{0,48}(?: [\w.#-]{1,24}){0,2}[*_\"'`]{0,3}")
_RULER: Final = re.compile(r"[-+|:= \t]{3,4096}")
_WORDS_ONLY: Final = re.compile(r"[A-Za-z _-]*|[0-9]{1,3}|[a-z]{2,16}\([0-9, ]{1,8}\)")
"""What tells nothing in a column of secrets: words, small numbers, a column's type."""

_QUOTES: Final = "\"'`* \t"
_MOST_COLUMNS: Final = 256
_INSERT: Final = re.compile(r"(?i)\b(?:insert|replace)\s{1,8}into\s{1,8}[^\s()]{1,128}\s{0,8}\(([^()]{1,2048})\)\s{0,8}values\s{0,8}(?=\()")
_LITERAL: Final = re.compile(r"\s{0,8}(?:[nN]?'((?:[^']|'')*+)(?:'|$)|([^,()'\"]*+(?:\((?:[^()]){0,256}\)[^,()]*+)?))\s{0,8}([,)]?)")
_NEXT_ROW: Final = re.compile(r"\s{0,8},\s{0,8}\(")


_MANIFEST: Final = re.compile(r"(?m)^kind:[ ]{1,4}[\"']?Secret\b")
_STORED: Final = re.compile(r"(?m)^(?:stringData|data):[ \t]{0,8}\r?\n")
_ENTRY: Final = re.compile(r"[ ]{1,64}[\w.-]{1,128}:[ ]{1,4}(?![|>])([^\s][^\n]*+)")


def _in_manifests(text: str) -> Iterator[Span]:
    """Find what a Kubernetes Secret holds, in YAML: there a name says nothing, and all values are secret."""
    begin = 0
    while begin < len(text):
        end = text.find("\n---", begin)
        end = len(text) if end < 0 else end + 1
        for stored in _STORED.finditer(text, begin, end) if _MANIFEST.search(text, begin, end) else ():
            at = stored.end()
            while text.startswith(" ", at, end):
                entry = _ENTRY.match(text, at, end)
                if entry is not None and not is_placeholder(entry[1]):
                    yield *entry.span(1), RULE
                following = text.find("\n", at, end)
                at = end if following < 0 else following + 1
        begin = end + 3


def find_columns(text: str, lower: str, names: KeyNames, work: Work) -> Iterator[Span]:
    """
    Find values that stand below a secret's name.

    Args:
        text: Any text that holds a part of a secret's name.
        lower: The same in lower case.
        names: Judges names.
        work: Counts what is looked at.
    """
    if "\n" in text:
        yield from _in_tables(text, names, work)
        if "ata:" in text and "Secret" in text:
            yield from _in_manifests(text)
    for match in _INSERT.finditer(text) if " into " in lower and "values" in lower else ():
        columns = _secret_columns(match[1].split(","), names)
        if columns:
            yield from _in_rows(text, match.end(), columns, work)


def _in_tables(text: str, names: KeyNames, work: Work) -> Iterator[Span]:
    begin, size = 0, len(text)
    sign, number, columns = "", 0, frozenset[int]()
    while begin < size:
        end = text.find("\n", begin)
        end = size if end < 0 else end
        if columns and text.count(sign, begin, end) and not _RULER.fullmatch(text, begin, end):
            cells = _cells(text, begin, end, sign)
            work.spend(end - begin)
            if len(cells) != number:
                columns = frozenset()
            for at in columns:
                start, stop = cells[at]
                if _tells(text[start:stop]):
                    yield start, stop, RULE
        elif columns and end > begin and not _RULER.fullmatch(text, begin, end):
            columns = frozenset()
        if not columns and end < size:
            sign, number, columns = _header(text, begin, end, names)
        begin = end + 1


def _header(text: str, begin: int, end: int, names: KeyNames) -> tuple[str, int, frozenset[int]]:
    """Read a line as the names of columns: what parts them, how many there are, and which of them name secrets."""
    for sign in _SIGNS:
        if 0 < text.count(sign, begin, end) < _MOST_COLUMNS:
            cells = [text[start:stop] for start, stop in _cells(text, begin, end, sign)]
            inner = cells[1:-1] if sign == "|" and not cells[0] and not cells[-1] else cells
            if len(inner) > (sign != "|") and all(map(_COLUMN.fullmatch, inner)):
                return sign, len(cells), _secret_columns(cells, names)
            return sign, 0, frozenset()
    return "", 0, frozenset()


def _cells(text: str, begin: int, end: int, sign: str) -> list[tuple[int, int]]:
    """Cut a line into its cells, without their blanks and quotes."""
    found: list[tuple[int, int]] = []
    at = begin
    while at <= end and len(found) <= _MOST_COLUMNS:
        cell = _CELL[sign].match(text, at, end)
        stop = cell.end() if cell else at
        after = text.find(sign, stop, end)
        stop = end if after < 0 else after
        start, last = at, stop
        while start < last and text[start] in _QUOTES:
            start += 1
        while last > start and text[last - 1] in _QUOTES + "\r":
            last -= 1
        found.append((start, last))
        at = stop + 1
    return found


def _secret_columns(cells: Sequence[str], names: KeyNames) -> frozenset[int]:
    return frozenset(at for at, name in enumerate(cells) if names.judge(name.strip(_QUOTES + "\r\n[]")).kind is KeyKind.SECRET)


def _tells(value: str) -> bool:
    return not (_WORDS_ONLY.fullmatch(value) or is_placeholder(value) or is_choice(value))


def _in_rows(text: str, at: int, columns: frozenset[int], work: Work) -> Iterator[Span]:
    """Find what the rows of a statement put into secret columns."""
    while True:
        at += 1
        column, begin = 0, at
        while (literal := _LITERAL.match(text, at)) is not None:
            at = literal.end()
            if column in columns and literal[1] and not is_placeholder(literal[1]):
                yield *literal.span(1), RULE
            column += 1
            if literal[3] != ",":
                break
        work.spend(at - begin)
        following = _NEXT_ROW.match(text, at)
        if following is None:
            return
        at = following.end() - 1
