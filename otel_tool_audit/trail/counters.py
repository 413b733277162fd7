"""
What a writer counts, so that a reader can tell whether anything is missing.

Source: FORMAT.md, section 6.
"""

from __future__ import annotations

import threading
from typing import Final

NAMES: Final = (
    "calls", "recorded", "finished", "refused", "lost", "spans_forwarded", "spans_dropped", "unsampled", "unattributed", "blocked_loop",
)  # fmt: skip


class Counters:
    """
    Counts since the writer's ``trail.opened``; safe for threads.

    Attributes:
        append_seconds: How long callers waited for records of their calls.
    """

    def __init__(self) -> None:
        # re-entrant: the collector may end a span, which counts, in a thread that is counting
        self._lock = threading.RLock()
        self._counts = dict.fromkeys(NAMES, 0)
        self.append_seconds = 0.0

    def add(self, name: str, number: int = 1, seconds: float = 0.0) -> None:
        """
        Count.

        Args:
            name: One of :data:`NAMES`.
            number: How many.
            seconds: How long callers waited for the record, which no record tells.

        Raises:
            KeyError: There is no such counter.
        """
        with self._lock:
            self._counts[name] += number
            self.append_seconds += seconds

    def __getitem__(self, name: str) -> int:
        return self._counts[name]

    def snapshot(self) -> dict[str, int]:
        """Copy all counters."""
        with self._lock:
            return dict(self._counts)
