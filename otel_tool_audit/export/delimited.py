"""
CSV that every spreadsheet and parser reads alike, and that runs nothing.

UTF-8, CRLF, every text quoted, numbers and ``true``/``false`` not; a value that is null is empty, an empty text is ``""``.

A spreadsheet takes a cell that begins with ``=``, ``+``, ``-``, ``@`` (also in their full-width forms), a tab or a line end for a formula, quoted
or not. Such text gets an apostrophe in front, and so does text that begins with an apostrophe: whoever wants the text as it was takes
one apostrophe off where there is one.

Source: RFC 4180; OWASP, "CSV Injection".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from otel_tool_audit.review.columns import COLUMNS, row

NAME: Final = "calls.csv"
_FORMULAS: Final = frozenset("=+-@\t\r\n＝＋－＠'")  # noqa: RUF001 - the full-width forms are meant


def header() -> bytes:
    """Write the first line."""
    return line(COLUMNS)


def encode(calls: Iterable[Mapping[str, Any]]) -> bytes:
    """Write calls, a row each."""
    return b"".join([line(row(call).values()) for call in calls])


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
    # most cells are text or nothing: not worth a call each
    written = [
        '"' + (cell if cell[:1] not in _FORMULAS else neutral(cell)).replace('"', '""') + '"' if cell.__class__ is str else "" if cell is None else _plain(cell)
        for cell in cells
    ]
    return (",".join(written) + "\r\n").encode("utf-8", "backslashreplace")


def _plain(value: Any) -> str:  # noqa: ANN401 - numbers and truth
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value)
