"""
From records to calls. Pure.

Source: FORMAT.md, section 4 ("A call is the fold of its records").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from otel_tool_audit.format.events import AMENDED, FINISHED, OBSERVED
from otel_tool_audit.record.model import DENIED, INTERRUPTED, OUTCOMES, PAUSED, UNKNOWN

SUCCESS: Final = "success"
ERROR: Final = "error"
RUNNING: Final = "running"
STATUSES: Final = (SUCCESS, ERROR, INTERRUPTED, RUNNING, PAUSED, DENIED)
ENDED: Final = (SUCCESS, ERROR, INTERRUPTED)
"""What a rate of success counts: calls that ran, and run no more."""

FIELDS: Final = (
    "call_id", "service", "timestamp", "conversation_id", "turn_number", "user_id", "user_role", "agent", "model", "tool_name", "tool_call_id",
    "attempt", "retry_of", "trigger", "purpose", "subject", "arguments", "result_summary", "success", "error", "error_type", "duration_ms",
    "session_metadata", "redactions", "trace_id", "span_id", "parent_span_id", "source", "claimed", "retention_class",
    "outcome", "waits_for", "denial", "continues",
)  # fmt: skip
"""The fields of a call, in the order in which a reader shows them."""

OUTCOME_FIELDS: Final = ("outcome", "waits_for", "denial")
_RESULT_FIELDS: Final = ("success", "error", "error_type", "result_summary")

_OWN: Final = frozenset({"seq", "previous_hash", "event", "salt", "hash", "chain", "joins", "writer", "timestamp", "call_id"})
_KNOWN: Final = _OWN | frozenset(FIELDS)

Record = Mapping[str, Any]
Call = dict[str, Any]


class Folding:
    """One call while its records come in, in written order."""

    __slots__ = ("amendments", "call_id", "ended", "fields", "records", "timestamp", "writer")

    def __init__(self, call_id: str) -> None:
        self.call_id = call_id
        self.fields: dict[str, Any] = {}
        self.records: list[dict[str, Any]] = []
        self.timestamp = ""
        self.writer: Any = None
        self.ended = False
        self.amendments = 0

    def add(self, record: Record) -> None:
        """
        Fold in the next record: of each field the last value counts that is neither null nor ``unknown``.

        An ``outcome`` takes back what was said of success and failure before, and what only tells of these takes back an ``outcome``.
        """
        event = record.get("event")
        if not self.records:
            self.timestamp = str(record.get("timestamp"))
            self.writer = record.get("writer")
            self.fields = dict(record)
        else:
            fields = self.fields
            if not fields.keys() >= record.keys():
                fields.update({name: value for name, value in record.items() if name not in fields})
            if record.get("outcome") is not None:
                fields.update(dict.fromkeys((*_RESULT_FIELDS, *OUTCOME_FIELDS)))
            elif record.get("success") is not None and fields.get("outcome") is not None:
                fields.update(dict.fromkeys(OUTCOME_FIELDS))
            fields.update({name: value for name, value in record.items() if value is not None and value != UNKNOWN})
        self.ended = self.ended or event == FINISHED or event == OBSERVED  # noqa: PLR1714 - whoever forged it may have made it a list
        self.amendments += event == AMENDED
        self.records.append({
            "chain": record.get("chain"), "seq": record.get("seq"), "hash": record.get("hash"), "event": event, "timestamp": record.get("timestamp"),
        })  # fmt: skip

    def call(self, is_alive: Callable[[str], bool]) -> Call:
        """
        Give the call as a reader shows it.

        Args:
            is_alive: Tells whether a writer (32 hex digits) is known to live.
        """
        last = self.records[-1]
        fields = self.fields
        call: Call = dict(zip(FIELDS, map(fields.get, FIELDS), strict=True))
        call["call_id"] = self.call_id
        call["timestamp"] = self.timestamp
        session = call["session_metadata"]
        if isinstance(session, dict) and call["user_role"] is not None:
            call["session_metadata"] = {**session, "user_role": call["user_role"]}
        if not fields.keys() <= _KNOWN:
            call.update({name: value for name, value in fields.items() if name not in _KNOWN})
        call["status"] = self._status(is_alive)
        call["writer"] = self.writer
        call["chain"], call["seq"], call["hash"] = last["chain"], last["seq"], last["hash"]
        call["records"] = self.records
        return call

    def _status(self, is_alive: Callable[[str], bool]) -> str:
        success, outcome = self.fields.get("success"), self.fields.get("outcome")
        if isinstance(success, bool):
            return SUCCESS if success else INTERRUPTED if outcome == INTERRUPTED else ERROR
        if outcome in OUTCOMES:
            return str(outcome)
        if self.fields.get("error") is not None or self.fields.get("error_type") is not None:
            return ERROR
        if not self.ended and isinstance(self.writer, str) and is_alive(self.writer):
            return RUNNING
        return INTERRUPTED


def fold(records: list[Record], call_id: str | None = None) -> Folding:
    """
    Fold all records of one call.

    Args:
        records: At least one, in written order.
        call_id: The id to give to a call that several ids stand for; by default the first record's.
    """
    folding = Folding(call_id or str(records[0].get("call_id")))
    for record in records:
        folding.add(record)
    return folding
