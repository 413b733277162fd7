"""
Folding the records of a call into one picture of it. Pure.

Source: FORMAT.md, section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal

from otel_tool_audit.record.model import FINISHED, OBSERVED, STARTED, UNKNOWN

Status = Literal["success", "error", "interrupted", "running"]
Record = dict[str, Any]
Call = dict[str, Any]

ENDED: Final = frozenset({FINISHED, OBSERVED})
_PLACE: Final = ("seq", "previous_hash", "event", "salt", "hash", "chain", "joins")


def is_call_record(record: Mapping[str, Any]) -> bool:
    """Tell whether a record is about a call, not about the trail's own life."""
    return isinstance(record.get("call_id"), str)


def fold(records: Iterable[Record], lives: Callable[[str], bool] = lambda _: False) -> Call:
    """
    Fold a call's records, in written order.

    Args:
        records: At least one; each with its ``chain``.
        lives: Tells whether a writer still runs; asked only when the call has no outcome.

    Returns:
        The fields of section 4, each the last that is neither null nor ``unknown``, and ``status``, ``chain``, ``seq`` and ``hash`` of the last
        record, ``records`` with the place of each.
    """
    call: Call = {}
    places: list[Record] = []
    ended = False
    for record in records:
        _lay_over(call, record)
        ended = ended or record.get("event") in ENDED
        places.append({name: record.get(name) for name in ("chain", "seq", "hash", "event", "timestamp")})
    last = places[-1]
    call["status"] = _status(call, places, ended=ended, lives=lives)
    call.update(chain=last["chain"], seq=last["seq"], hash=last["hash"], records=places)
    return call


def _lay_over(call: Call, record: Record) -> None:
    first = not call
    for name, value in record.items():
        if name in _PLACE or (name in {"timestamp", "call_id"} and not first):
            continue
        if name not in call or (value is not None and value != UNKNOWN):
            call[name] = value


def _status(call: Call, places: list[Record], *, ended: bool, lives: Callable[[str], bool]) -> Status:
    if ended:
        return "error" if call.get("success") is False else "success"
    started = any(place["event"] == STARTED for place in places)
    return "running" if started and lives(str(call.get("writer"))) else "interrupted"
