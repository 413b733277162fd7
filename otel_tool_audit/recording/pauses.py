"""
Which paused call another one goes on with.

A framework that waits for a person calls the tool again once the answer is there, under the provider's id of the first call.

Source: FORMAT.md, section 4 (``continues``).
"""

from __future__ import annotations

import threading
from typing import Final

from otel_tool_audit.record.model import PAUSED, ToolCall
from otel_tool_audit.recording.earlier import EarlierCall, earlier, may_follow

_MOST: Final = 4096
"""Pauses that are remembered; the oldest are forgotten first, and what goes on with one is then told by its ``tool_call_id`` alone."""


class Pauses:
    """Remembers the paused calls of this process by tool and the provider's id."""

    def __init__(self) -> None:
        # re-entrant, as every lock that a call's end takes: the collector may end one in a thread that holds it
        self._lock = threading.RLock()
        self._paused: dict[tuple[str, str], EarlierCall] = {}

    def remember(self, call: ToolCall) -> None:
        """Remember a call if it is paused and has an id by which it can be found again."""
        number = call["tool_call_id"]
        if call.get("outcome") != PAUSED or number is None:
            return
        key = (call["tool_name"], number)
        with self._lock:
            self._paused.pop(key, None)
            if len(self._paused) >= _MOST:
                del self._paused[next(iter(self._paused))]
            self._paused[key] = earlier(call)

    def link(self, call: ToolCall) -> None:
        """Say of a call that begins which paused one it goes on with; of another user or conversation it is none."""
        number = call["tool_call_id"]
        if number is None or not self._paused:
            return
        with self._lock:
            paused = self._paused.get((call["tool_name"], number))
        if paused is not None and may_follow(call, paused):
            call["continues"] = paused.call_id
