"""
A call as a row of a table. Pure.

Source: FORMAT.md, section 4; the names are those of a call's fields.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson


class Column(NamedTuple):
    """
    A column of every table that is exported.

    Attributes:
        name: Of the field.
        kind: ``text``, ``integer``, ``number``, ``truth``, or ``json`` (a value written as JSON text).
    """

    name: str
    kind: str


COLUMNS: Final = tuple(
    Column(*pair)
    for pair in (
        ("timestamp", "text"), ("call_id", "text"), ("status", "text"), ("conversation_id", "text"), ("turn_number", "integer"), ("user_id", "text"),
        ("user_role", "text"), ("agent", "text"), ("model", "text"), ("tool_name", "text"), ("tool_call_id", "text"), ("attempt", "integer"),
        ("retry_of", "text"), ("trigger", "text"), ("purpose", "text"), ("subject", "text"), ("arguments", "json"), ("result_summary", "json"),
        ("success", "truth"), ("error", "text"), ("error_type", "text"), ("duration_ms", "number"), ("session_metadata", "json"),
        ("redactions", "json"), ("trace_id", "text"), ("span_id", "text"), ("parent_span_id", "text"), ("source", "text"), ("claimed", "json"),
        ("service", "text"), ("retention_class", "text"), ("writer", "text"), ("chain", "text"), ("seq", "integer"), ("hash", "text"), ("records", "json"),
    )
)  # fmt: skip
"""In this order. ``chain``, ``seq`` and ``hash`` name the call's last record; ``records`` has all of them."""

_LARGEST: Final = 1 << 63
_TYPES: Final[dict[str, tuple[type, ...]]] = {"text": (str,), "integer": (int,), "number": (int, float), "truth": (bool,)}


def values(call: Mapping[str, Any]) -> list[Any]:
    """
    Give a call's values in the order of the columns.

    A value of another kind than its column's, which only a forged or foreign record has, stands as JSON text, or is None where the
    column holds no text.

    Args:
        call: As the reader gives it.
    """
    return [fitting(call.get(column.name), column.kind) for column in COLUMNS]


def fitting(value: Any, kind: str) -> Any:  # noqa: ANN401 - any JSON value
    """Make a value fit into a column of a kind."""
    if value is None:
        return None
    if kind == "json":
        return as_text(value)
    if kind == "integer" and type(value) is int:
        return value if -_LARGEST <= value < _LARGEST else None
    if isinstance(value, _TYPES[kind]) and (kind == "truth" or not isinstance(value, bool)):
        return value
    return as_text(value) if kind == "text" else None


def as_text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Write a value as JSON, all on one line."""
    try:
        return orjson.dumps(value, default=str).decode()
    except TypeError:
        # numbers that no record holds, but a caller may
        return json.dumps(value, ensure_ascii=False, default=str)
