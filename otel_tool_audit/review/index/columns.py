"""
Calls as a table: its columns, and the same as an Arrow table.

Source: ARCHITECTURE.md, R28; FORMAT.md, section 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from otel_tool_audit.extras import optional
from otel_tool_audit.review.calls.filters import as_text
from otel_tool_audit.review.calls.fold import FIELDS

if TYPE_CHECKING:
    import pyarrow as pa

TEXT: Final = "text"
INTEGER: Final = "integer"
NUMBER: Final = "number"
TRUTH: Final = "truth"
JSON: Final = "json"

_KINDS: Final = {
    "turn_number": INTEGER, "attempt": INTEGER, "arguments": JSON, "result_summary": JSON, "success": TRUTH, "duration_ms": NUMBER,
    "session_metadata": JSON, "redactions": JSON, "claimed": JSON, "waits_for": JSON, "denial": JSON, "seq": INTEGER, "records": JSON,
}  # fmt: skip
COLUMNS: Final = {name: _KINDS.get(name, TEXT) for name in (*FIELDS, "status", "writer", "chain", "seq", "hash", "records", "other")} | {
    "other": JSON
}
"""The columns of a table of calls, by name; ``other`` holds the fields that this version does not know. Objects and lists stand as JSON text."""

_ALWAYS: Final[dict[str, set[type]]] = {TEXT: {str, type(None)}, TRUTH: {bool, type(None)}, NUMBER: {float, type(None)}, INTEGER: {type(None)}}
"""Of each kind, the types whose every value is of it."""
_ROWS: Final = 10_000
_LARGEST: Final = 1 << 53


def row(call: Mapping[str, Any]) -> dict[str, Any]:
    """Give a call as a row of :data:`COLUMNS`; what is not of its column's kind is null there, and stands as it is in ``other``."""
    other = {name: value for name, value in call.items() if name not in COLUMNS}
    found: dict[str, Any] = {}
    for name, kind in COLUMNS.items():
        value = call.get(name)
        if value is None:
            found[name] = None
        elif kind is JSON:
            found[name] = as_text(value)
        elif fits(value, kind):
            found[name] = float(value) if kind is NUMBER else value
        else:
            found[name], other[name] = None, value
    found["other"] = as_text(other) if other else None
    return found


def columns_of(calls: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Give calls as columns: what :func:`row` gives of each, by name."""
    others: dict[int, dict[str, Any]] = {}
    for at, call in enumerate(calls):
        if not call.keys() <= COLUMNS.keys():
            others[at] = {name: value for name, value in call.items() if name not in COLUMNS}
    found: dict[str, list[Any]] = {}
    for name, kind in COLUMNS.items():
        values = [call.get(name) for call in calls]
        if kind is JSON:
            values = [None if value is None else as_text(value) for value in values]
        elif not _ALWAYS[kind].issuperset(map(type, values)) and not (kind is INTEGER and _integers(values)):
            for at, value in enumerate(values):
                if value is None:
                    continue
                if fits(value, kind):
                    values[at] = float(value) if kind is NUMBER else value
                else:
                    values[at] = None
                    others.setdefault(at, {})[name] = value
        found[name] = values
    found["other"] = [as_text(others[at]) if at in others else None for at in range(len(calls))]
    return found


def _integers(values: list[Any]) -> bool:
    if not {int, type(None)}.issuperset(map(type, values)):
        return False
    found = [value for value in values if value is not None]
    return not found or (fits(min(found), INTEGER) and fits(max(found), INTEGER))


def fits(value: object, kind: str) -> bool:
    """Tell whether a value is of a column's kind."""
    if kind is TEXT:
        return isinstance(value, str)
    if kind is TRUTH:
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    return isinstance(value, int) and abs(value) < _LARGEST if kind is INTEGER else isinstance(value, (int, float))


def schema() -> pa.Schema:
    """Give :data:`COLUMNS` as an Arrow schema."""
    pa = arrow()
    types = {TEXT: pa.string(), INTEGER: pa.int64(), NUMBER: pa.float64(), TRUTH: pa.bool_(), JSON: pa.string()}
    return pa.schema([pa.field(name, types[kind]) for name, kind in COLUMNS.items()])


def batches(calls: Iterable[Mapping[str, Any]], rows: int = _ROWS) -> Iterator[pa.RecordBatch]:
    """
    Give calls as Arrow record batches, as they come.

    Args:
        calls: Any number.
        rows: At most so many in a batch.
    """
    rest = iter(calls)
    while part := list(islice(rest, rows)):
        yield batch(part)


def batch(calls: Sequence[Mapping[str, Any]]) -> pa.RecordBatch:
    """Give calls as one Arrow record batch."""
    columns, found = schema(), columns_of(calls)
    return arrow().RecordBatch.from_arrays([arrow().array(found[field.name], type=field.type) for field in columns], schema=columns)


def table(calls: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Give calls as an Arrow table."""
    return arrow().Table.from_batches(list(batches(calls)), schema=schema())


def arrow() -> Any:  # noqa: ANN401 - a module
    """
    Import pyarrow.

    Raises:
        SettingsError: It is not installed.
    """
    return optional("pyarrow", "tables need pyarrow: pip install 'otel-tool-audit[query]'")
