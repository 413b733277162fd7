"""
What a record says: the fields of a call.

A call is a plain dictionary of known shape, not a dataclass: building a frozen dataclass of 27 fields
costs more than hashing and writing the line it becomes. Nobody changes a :class:`ToolCall` after it was made; what is
learned later makes a new one.

Source: FORMAT.md, section 4.
"""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple, NotRequired, TypedDict

SCHEMA_VERSION: Final = 1
"""The format version of records and trail that this package writes (FORMAT.md)."""

UNKNOWN: Final = "unknown"
"""Stands for a user, conversation or model that nobody named (R6)."""

REDACTED: Final = "***REDACTED***"
"""Stands where something was removed that may not be stored."""

TRIGGERS: Final = ("user_request", "proactive", "retry", "follow_up", "system")
"""Why a call was made (R8)."""

PAUSED: Final = "paused"
DENIED: Final = "denied"
INTERRUPTED: Final = "interrupted"
OUTCOMES: Final = (PAUSED, DENIED, INTERRUPTED)
"""What came of a call beyond success and failure: it waits for somebody; somebody said no and it did not run; it was cut off."""

APPROVAL: Final = "approval"
ANSWER: Final = "answer"
RESULT: Final = "result"
WAITS_FOR: Final = (APPROVAL, ANSWER, RESULT)
"""What a paused call waits for: somebody's yes or no, somebody's words, or a result that is made elsewhere and handed in later."""


class WaitsFor(TypedDict):
    """What a paused call waits for."""

    kind: str | None
    """One of ``WAITS_FOR``; None when that is not known."""
    reason: str | None
    """In the words of whoever paused it."""


class Denial(TypedDict):
    """Who said no, and why."""

    rule: str | None
    """The rule that forbids it; ``approval`` when somebody who was asked said no."""
    reason: str | None
    """In the words of whoever said no."""
    by: str | None
    """Who; None when that is not known."""


class ToolCall(TypedDict):
    """The fields of one call as they are written, sanitized and JSON-safe, in written order after ``service``."""

    call_id: str
    timestamp: str
    conversation_id: str
    turn_number: int | None
    user_id: str
    user_role: str | None
    agent: str | None
    model: str
    tool_name: str
    tool_call_id: str | None
    attempt: int | None
    retry_of: str | None
    trigger: str | None
    purpose: str | None
    subject: str | None
    arguments: Any
    result_summary: dict[str, Any] | None
    success: bool | None
    error: str | None
    error_type: str | None
    duration_ms: float | None
    session_metadata: dict[str, Any]
    redactions: list[dict[str, Any]]
    trace_id: str | None
    span_id: str | None
    parent_span_id: str | None
    source: str
    claimed: dict[str, Any] | None
    retention_class: str
    sampled: NotRequired[Literal[False]]
    outcome: NotRequired[str]
    waits_for: NotRequired[WaitsFor]
    denial: NotRequired[Denial]
    continues: NotRequired[str]


OPTIONAL: Final = frozenset({"sampled", "outcome", "waits_for", "denial", "continues"})
"""
Fields of a call that stand there only when they tell something, after all others.

``sampled`` is false when nobody exported the span. ``outcome`` is one of ``OUTCOMES``: ``paused`` with ``waits_for`` and ``denied`` with ``denial``
stand beside a ``success`` that is None, ``interrupted`` beside one that is false. ``continues`` is the id of the paused call that this one goes on with.
"""


class Receipt(NamedTuple):
    """
    Proof that a record is durable, and where it stands.

    Attributes:
        chain: The chain's name.
        seq: The record's position in its chain.
        previous_hash: Hash of the record before it, 64 hex digits.
        hash: The record's own hash, 64 hex digits.
    """

    chain: str
    seq: int
    previous_hash: str
    hash: str

    @property
    def address(self) -> str:
        """The record's address, ``CHAIN/SEQ``."""
        return f"{self.chain}/{self.seq}"


def new_call(call_id: str, tool_name: str, timestamp: str) -> ToolCall:
    """
    Make a call of which nothing else is known yet.

    Args:
        call_id: 32 hex digits.
        tool_name: What was called.
        timestamp: When, RFC 3339 with microseconds, UTC.
    """
    return {
        "call_id": call_id, "timestamp": timestamp, "conversation_id": UNKNOWN, "turn_number": None, "user_id": UNKNOWN, "user_role": None,
        "agent": None, "model": UNKNOWN, "tool_name": tool_name, "tool_call_id": None, "attempt": None, "retry_of": None, "trigger": None,
        "purpose": None, "subject": None, "arguments": None, "result_summary": None, "success": None, "error": None, "error_type": None,
        "duration_ms": None, "session_metadata": {}, "redactions": [], "trace_id": None, "span_id": None, "parent_span_id": None,
        "source": "tool_audit", "claimed": None, "retention_class": "general",
    }  # fmt: skip
