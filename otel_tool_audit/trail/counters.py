"""
What a writer counts, so that a reader can tell whether anything is missing.

Source: FORMAT.md, section 6.
"""

from __future__ import annotations

from typing import Final

NAMES: Final = (
    "calls", "recorded", "finished", "refused", "lost", "spans_forwarded", "spans_dropped", "unsampled", "unattributed", "blocked_loop",
)  # fmt: skip


class Counters:
    """
    Counts since the writer's ``trail.opened``; safe for threads, without a lock.

    A lock would be held across lines of the thread that calls a tool, and stay held when a signal handler raises there. The interpreter switches threads at
    calls and jumps only, and there is none within an addition.

    Attributes:
        append_seconds: How long callers waited for records of their calls.
    """

    def __init__(self) -> None:
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
        self._counts[name] += number
        self.append_seconds += seconds

    def __getitem__(self, name: str) -> int:
        return self._counts[name]

    def snapshot(self) -> dict[str, int]:
        """Copy all counters."""
        return self._counts.copy()
