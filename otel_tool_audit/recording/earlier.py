"""
What is remembered of a call for those that come after it: enough to name it, and to tell whether the same caller goes on.

Source: ARCHITECTURE.md, R8.
"""

from __future__ import annotations

import contextlib
from collections.abc import Hashable
from typing import Final, NamedTuple

from otel_tool_audit.record.model import UNKNOWN, ToolCall

_MOST: Final = 4096
"""Calls that are remembered; the oldest are forgotten first, and whoever follows one then has to say so himself."""


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


class EarlierCalls:
    """
    Calls that have ended, by what they are found by.

    No lock guards them: each step is atomic, a fork's child may not inherit a held one, and the collector may end a call in a thread that
    holds it.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._calls: dict[Hashable, EarlierCall] = {}

    def __bool__(self) -> bool:
        """Whether any is remembered."""
        return bool(self._calls)

    def keep(self, key: Hashable, call: ToolCall) -> None:
        """Remember a call as the last one under a key."""
        self._calls.pop(key, None)
        while len(self._calls) >= _MOST:
            # another thread may forget the same one
            with contextlib.suppress(KeyError, RuntimeError, StopIteration):
                del self._calls[next(iter(self._calls))]
        self._calls[key] = earlier(call)

    def forget(self, key: Hashable) -> None:
        """Forget what is under a key."""
        self._calls.pop(key, None)

    def before(self, call: ToolCall, key: Hashable) -> EarlierCall | None:
        """Give the call under a key that another one follows; None when it follows none."""
        found = self._calls.get(key)
        return found if found is not None and may_follow(call, found) else None
