"""
Which call a retry tries again.

Source: ARCHITECTURE.md, R8: a retry knows which attempt and of which call.
"""

from __future__ import annotations

from otel_tool_audit.record.model import UNKNOWN, ToolCall
from otel_tool_audit.recording.earlier import EarlierCalls


class Retries:
    """Remembers the last failure of each tool in each conversation, and of each id that a provider gave."""

    def __init__(self) -> None:
        self._failed = EarlierCalls()

    def failed(self, call: ToolCall) -> None:
        """Remember a call that failed."""
        for key in _keys(call):
            self._failed.keep(key, call)

    def succeeded(self, call: ToolCall) -> None:
        """Forget what failed under the id of a call that went well: whoever gives out an id again does not try again."""
        if self._failed and call["tool_call_id"] is not None:
            self._failed.forget(_keys(call)[0])

    def link(self, call: ToolCall) -> None:
        """
        Fill in what a retry did not say itself: which attempt it is, and of which call.

        It is one when it says so, or when the tool has failed before under the provider's id of the call.
        """
        said = call["trigger"] == "retry" or (call["attempt"] or 0) > 1
        if not self._failed or not (said or call["tool_call_id"]):
            return
        for key in _keys(call):
            before = self._failed.before(call, key)
            if before is not None and (said or key[2]):
                if call["retry_of"] is None:
                    call["retry_of"] = before.call_id
                if call["attempt"] is None:
                    call["attempt"] = before.attempt + 1
                return


def _keys(call: ToolCall) -> list[tuple[str, str, bool]]:
    """Name what a failure is found by, best first. Without an id or a conversation it is not: another user's failure may not be linked."""
    number, conversation, tool = call["tool_call_id"], call["conversation_id"], call["tool_name"]
    by_id = [] if number is None else [(number, tool, True)]
    return by_id if conversation == UNKNOWN else [*by_id, (conversation, tool, False)]
