"""
What is remembered of a call for those that come after it: enough to name it, and to tell whether the same caller goes on.

Source: ARCHITECTURE.md, R8.
"""

from __future__ import annotations

from typing import NamedTuple

from otel_tool_audit.record.model import UNKNOWN, ToolCall


class EarlierCall(NamedTuple):
    """
    A call that has ended; without its arguments, of which thousands would fill the memory.

    Attributes:
        call_id: Names it.
        attempt: Which attempt it was, counted from 1.
        conversation_id: As in its record.
        user_id: The same.
    """

    call_id: str
    attempt: int
    conversation_id: str
    user_id: str


def earlier(call: ToolCall) -> EarlierCall:
    """Keep of a call what later ones ask for."""
    return EarlierCall(call["call_id"], call["attempt"] or 1, call["conversation_id"], call["user_id"])


def may_follow(call: ToolCall, before: EarlierCall) -> bool:
    """Tell whether a call may go on with an earlier one: another one, of no other user or conversation."""
    return (
        before.call_id != call["call_id"]
        and (UNKNOWN in {before.conversation_id, call["conversation_id"]} or before.conversation_id == call["conversation_id"])
        and (UNKNOWN in {before.user_id, call["user_id"]} or before.user_id == call["user_id"])
    )
