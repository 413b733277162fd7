"""
Which paused call another one goes on with.

A framework that waits for a person calls the tool again once the answer is there, under the provider's id of the first call.

Source: FORMAT.md, section 4 (``continues``).
"""

from __future__ import annotations

from otel_tool_audit.record.model import PAUSED, ToolCall
from otel_tool_audit.recording.earlier import EarlierCalls


class Pauses:
    """Remembers the paused calls of this process by tool and the provider's id."""

    def __init__(self) -> None:
        self._paused = EarlierCalls()

    def remember(self, call: ToolCall) -> None:
        """Remember a call if it is paused and has an id by which it can be found again."""
        if call.get("outcome") == PAUSED and call["tool_call_id"] is not None:
            self._paused.keep((call["tool_name"], call["tool_call_id"]), call)

    def link(self, call: ToolCall) -> None:
        """Say of a call that begins which paused one it goes on with; of another user or conversation it is none."""
        if call["tool_call_id"] is not None and self._paused:
            paused = self._paused.before(call, (call["tool_name"], call["tool_call_id"]))
            if paused is not None:
                call["continues"] = paused.call_id
