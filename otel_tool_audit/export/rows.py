"""
The rows of an export, read back, and held against the records that they name: each value must be what the trail says.

Source: FORMAT.md, section 4 ("A call is the fold of its records").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from otel_tool_audit.export import formats
from otel_tool_audit.record.model import INTERRUPTED
from otel_tool_audit.review.calls.fold import OUTCOME_FIELDS, RUNNING, Call, fold
from otel_tool_audit.review.calls.stream import ids_of
from otel_tool_audit.review.source import segments

Line = Callable[[str, int], bytes | None]
"""Finds a record's line by its address."""

_ADDED: Final = frozenset({*OUTCOME_FIELDS, "continues"})
"""Columns that exports have not always had: an older one says by their absence what a newer one says by nothing."""
_NOTHING: Final = (None, "")
_MOST_RECORDS: Final = 10_000


class Row(NamedTuple):
    """
    A row of an export.

    Attributes:
        chain: Chain of the call's last record.
        seq: Its seq.
        hash: Its hash.
        call_id: Of the call, as the row says.
        status: What became of it, likewise.
        records: The records that the call is said to be made of.
        differing: Names the fields in which the row is not what it would be for a call.
    """

    chain: str
    seq: int
    hash: str
    call_id: Any
    status: Any
    records: Any
    differing: Callable[[Call], list[str]]


def rows(path: str, style: str) -> Iterator[Row]:
    """
    Read the rows of a file.

    Args:
        path: The file.
        style: Name of its format.

    Raises:
        SettingsError: The packages of the format are not installed.
        ValueError: A row cannot be read.
        KeyError: Likewise.
        TypeError: Likewise.
        csv.Error: Likewise.
    """
    found = formats.named(style)
    for said, seq, records in found.decode(path):
        # none of these begins as a formula does: CSV has them as they are
        yield Row(said["chain"], seq, said["hash"], said["call_id"], said["status"], records, _same_fields(said, found.row))


def _same_fields(said: Mapping[str, Any], as_row: Callable[[Call], Mapping[str, Any]]) -> Callable[[Call], list[str]]:
    def differing(call: Call) -> list[str]:
        expected = as_row(call)
        # true is no 1, and a missing field no null
        return sorted(
            str(name)
            for name in {*said, *expected}
            if (name not in said and not (name in _ADDED and expected[name] in _NOTHING))
            or (name in said and (name not in expected or repr(said[name]) != repr(expected[name])))
        )

    return differing


def contradicts(row: Row, line: Line) -> str | None:
    """
    Hold a row against the trail.

    Args:
        row: The row.
        line: Finds a record's line in the trail, or None, by its chain and seq.

    Returns:
        What does not hold, in words; None when everything does.
    """
    last = _record(line, row.chain, row.seq)
    if last is None or last["hash"] != row.hash:
        return f"names {row.chain}/{row.seq} with a hash that does not stand there in the trail"
    named = row.records if isinstance(row.records, list) and 0 < len(row.records) <= _MOST_RECORDS else []
    found: list[Mapping[str, Any]] = []
    for one in named:
        record = last if (one["chain"], one["seq"]) == (row.chain, row.seq) else _record(line, one["chain"], one["seq"])
        if record is None or record["hash"] != one["hash"]:
            return f"names {one['chain']}/{one['seq']} with a hash that does not stand there in the trail"
        found.append(record)
    if not found:
        return "names no records of its call"
    if not _are_one(found, row.call_id):
        return f"puts records together that are not of call {row.call_id}"
    call = fold(found, str(row.call_id)).call(lambda _: False)
    if call["status"] == INTERRUPTED and row.status == RUNNING:
        # that its writer lived then no record tells
        call["status"] = RUNNING
    wrong = row.differing(call)
    return f"says of {row.chain}/{row.seq} what the trail does not: {', '.join(wrong)}" if wrong else None


def _record(line: Line, chain: Any, seq: Any) -> dict[str, Any] | None:  # noqa: ANN401 - a row may say anything
    found = line(chain, seq) if isinstance(chain, str) and type(seq) is int else None
    if found is None or not segments.holds(found):
        return None
    record = segments.parse(found)
    return None if record is None else {**record, "chain": chain}


def _are_one(records: list[Mapping[str, Any]], call_id: object) -> bool:
    """Tell whether all records are of the call of that id: by it, or by what amendments among them join with it."""
    reached, before = {call_id}, 0
    while len(reached) != before:
        before = len(reached)
        for record in records:
            ids = ids_of(dict(record))
            if not ids.isdisjoint(reached):
                reached |= ids
    return all(record.get("call_id") in reached for record in records)
