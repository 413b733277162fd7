"""
CSV that every spreadsheet and parser reads alike, and that runs nothing.

UTF-8, CRLF, every text quoted, numbers and ``true``/``false`` not; a value that is null is empty, an empty text is ``""``.

A spreadsheet takes a cell that begins with ``=``, ``+``, ``-``, ``@`` (also in their full-width forms), a tab or a line end for a formula, quoted
or not. Such text gets an apostrophe in front, and so does text that begins with an apostrophe: whoever wants the text as it was takes
one apostrophe off where there is one.

Source: RFC 4180; OWASP, "CSV Injection".
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from otel_tool_audit.export.files import Stored
from otel_tool_audit.format.nesting import read_json
from otel_tool_audit.review.calls.fold import Call
from otel_tool_audit.review.index import columns
from otel_tool_audit.review.index.columns import COLUMNS, NUMBER, columns_of

_LONGEST_FIELD: Final = 16 << 20
_FORMULAS: Final = frozenset("=+-@\t\r\n＝＋－＠'")  # noqa: RUF001 - the full-width forms are meant


def header() -> bytes:
    """Write the first line."""
    return line(COLUMNS)


def encode(calls: Sequence[Mapping[str, Any]]) -> bytes:
    """Write calls, a row each."""
    if not calls:
        return b""
    # of most columns few values occur: each is written once; but 0.0 and -0.0 are one key of a dictionary
    cells = [map(_cell if COLUMNS[name] is NUMBER else _Cells().__getitem__, values) for name, values in columns_of(calls).items()]
    return ("\r\n".join(map(",".join, zip(*cells, strict=True))) + "\r\n").encode("utf-8", "backslashreplace")


def decode(path: str) -> Iterator[Stored]:
    """Read the rows of a file."""
    csv.field_size_limit(_LONGEST_FIELD)
    with open(path, encoding="utf-8", newline="") as file:
        for cells in csv.DictReader(file, strict=True):
            yield Stored(cells, int(cells["seq"]), read_json(original(cells["records"])))


def row(call: Call) -> dict[str, str]:
    """Give what :func:`decode` reads of a call."""
    fields = columns.row(call)
    return dict(zip(fields, next(csv.reader([line(fields.values()).decode()], strict=True)), strict=True))


def neutral(text: str) -> str:
    """Take from a text what a spreadsheet would run."""
    return "'" + text if text[:1] in _FORMULAS and text else text


def original(text: str) -> str:
    """Give back the text that :func:`neutral` was given."""
    return text.removeprefix("'")


def line(cells: Iterable[Any]) -> bytes:
    """
    Write a row.

    Args:
        cells: Texts, numbers, truth values, None.
    """
    return (",".join(map(_cell, cells)) + "\r\n").encode("utf-8", "backslashreplace")


class _Cells(dict[Any, str]):
    """Values of one column, as they are written."""

    def __missing__(self, value: Any) -> str:  # noqa: ANN401 - text, a number, truth, None
        written = self[value] = _cell(value)
        return written


def _cell(value: Any) -> str:  # noqa: ANN401 - text, a number, truth, None
    if value.__class__ is str:
        text = value if value[:1] not in _FORMULAS else neutral(value)
        return '"' + text.replace('"', '""') + '"'
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value)
