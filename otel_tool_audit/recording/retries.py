"""
Which call a retry tries again.

Source: ARCHITECTURE.md, R8: a retry knows which attempt and of which call.
"""

from __future__ import annotations

import threading
from typing import Final

from otel_tool_audit.record.model import UNKNOWN, ToolCall

_MOST: Final = 4096
"""Failures that are remembered; the oldest are forgotten first, and a retry of one then has to say so itself."""


class Retries:
    """Remembers the last failure of each tool in each conversation."""

    def __init__(self) -> None:
        # re-entrant: the collector may close a generator that is a tool, which fails, in a thread that holds it
        self._lock = threading.RLock()
        self._failed: dict[tuple[str, str], tuple[str, int]] = {}

    def remember(self, call: ToolCall) -> None:
        """Remember a call that failed. Without a conversation nothing is: another user's failure may not be linked."""
        if call["conversation_id"] == UNKNOWN:
            return
        key = (call["conversation_id"], call["tool_name"])
        with self._lock:
            self._failed.pop(key, None)
            if len(self._failed) >= _MOST:
                del self._failed[next(iter(self._failed))]
            self._failed[key] = (call["call_id"], call["attempt"] or 1)

    def link(self, call: ToolCall) -> None:
        """Fill in what a retry did not say itself: which attempt it is, and of which call."""
        with self._lock:
            failed = self._failed.get((call["conversation_id"], call["tool_name"]))
        if failed is None:
            return
        if call["retry_of"] is None:
            call["retry_of"] = failed[0]
        if call["attempt"] is None:
            call["attempt"] = failed[1] + 1
