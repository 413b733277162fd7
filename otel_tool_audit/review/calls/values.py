"""What is counted of calls, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

StatusCounts = tuple[int, int, int, int, int, int]
"""How many calls came to each of ``STATUSES``, in its order, which is that of the figures below."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """The calls that started within one stretch of time."""

    start: str
    """When it begins: ``2026-03-01T12:00:00Z``."""
    calls: int
    succeeded: int
    failed: int
    interrupted: int
    running: int
    paused: int
    denied: int
    mean_ms: float | None
    max_ms: float | None


@dataclass(frozen=True, slots=True)
class ToolStatistics:
    """How calls of one tool, or of all together, went."""

    tool: str | None
    """None: all together."""
    calls: int
    succeeded: int
    failed: int
    interrupted: int
    """Started, and no end is on record."""
    running: int
    paused: int
    """Waiting for somebody when they ended; what went on later is a call of its own."""
    denied: int
    """Somebody said no, and they did not run."""
    success_rate: float | None
    """Of all that ran and run no more (``ended``), 0 to 1; None when there are none."""
    mean_ms: float | None
    """Of the calls with a duration; None when there are none, as for those that follow."""
    max_ms: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    unique_users: int
    """How many different ``user_id``; ``unknown`` counts as one."""
    first: str | None = None
    """When the first call started."""
    last: str | None = None
    """When the last call started."""
    series: tuple[Bucket, ...] = ()
    """Over time, without stretches in which nothing was called; empty when no stretch was asked for."""

    @property
    def ended(self) -> int:
        """Calls that ran and run no more: neither running, nor paused, nor denied."""
        return self.succeeded + self.failed + self.interrupted


@dataclass(frozen=True, slots=True)
class Count:
    """How often something occurs."""

    name: str | None
    """What; None is what nobody named."""
    calls: int
    failed: int


COUNTED: Final = {
    "users": "user_id", "roles": "user_role", "agents": "agent", "models": "model", "triggers": "trigger", "purposes": "purpose", "errors": "error_type",
}  # fmt: skip
"""What an activity report counts: its attribute, and the field."""
