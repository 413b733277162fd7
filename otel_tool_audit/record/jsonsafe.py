"""
Values that JSON, or its readers, would lose or change, stored as marked text instead.

Source: FORMAT.md, section 2; RFC 8259, section 6 (interoperable integers); RFC 3629 (no surrogates in UTF-8).
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

import orjson

from otel_tool_audit.format.nesting import is_too_deep

LARGEST_INT: Final = 2**53 - 1
_DEEPEST: Final = 100
_LONGEST_DECIMAL: Final = 8_000
_LARGE: Final = (re.compile(r"[0-9]{19}"), re.compile(rb"[0-9]{19}"))
_STRIDE: Final = 9
_SAMPLED: Final = (re.compile(r"[0-9]{2}"), re.compile(rb"[0-9]{2}"))


def parse_json(text: str | bytes) -> Any:  # noqa: ANN401 - any JSON value
    """
    Read JSON text quickly, and integers of any size exactly: orjson makes those beyond 64 bits floating-point numbers, which are others.

    Args:
        text: Any text.

    Raises:
        ValueError: It is no JSON.
    """
    found = orjson.loads(text)
    # what lies deeper than any record keeps need not be exact, and Python's parser goes only as deep as the caller's stack allows
    return json.loads(text) if _may_be_large(text) and not is_too_deep(text) else found


def _may_be_large(text: Any) -> bool:  # noqa: ANN401 - text or bytes
    # of 19 digits in a row two neighbours stand in every ninth place: most texts need no closer look
    kind = isinstance(text, bytes)
    return _SAMPLED[kind].search(text[::_STRIDE]) is not None and _LARGE[kind].search(text) is not None


def json_safe(value: object, depth: int = 0) -> Any:  # noqa: ANN401, PLR0911 - any JSON value; one return for each type
    """
    Make a value that every JSON reader reads back as it was written.

    Integers beyond 2^53 - 1 in size become ``<int N>``, non-finite numbers ``<float nan>`` and the like, text with lone surrogates
    ``<text …>`` with the surrogates written out, and what is no JSON value at all ``<TYPE>``.

    Args:
        value: Any object; dictionaries, lists and tuples are followed.
        depth: How deep it lies in what is being made safe.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _safe_text(str(value))
    if isinstance(value, int):
        return int(value) if -LARGEST_INT <= value <= LARGEST_INT else _large_int(int(value))
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else f"<float {value:g}>"
    if depth >= _DEEPEST:
        return f"<{type(value).__name__} too deep>"
    if isinstance(value, dict):
        return {_safe_text(str(k)): json_safe(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [json_safe(v, depth + 1) for v in value]
    return f"<{type(value).__name__}>"


def _safe_text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return f"<text {text.encode('utf-8', 'backslashreplace').decode()}>"
    return text


def _large_int(number: int) -> str:
    # past this length Python itself refuses to write a number out in decimal
    return f"<int {number}>" if number.bit_length() < _LONGEST_DECIMAL else f"<int of {number.bit_length()} bits>"
