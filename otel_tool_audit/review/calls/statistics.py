"""
Counting calls: how many, how they ended, how long they took. Pure, and exact: durations are added up as whole microseconds.

Source: ARCHITECTURE.md, R14, R16.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from otel_tool_audit.errors import SettingsError
from otel_tool_audit.review.calls.filters import nearest
from otel_tool_audit.review.calls.fold import ENDED, STATUSES, SUCCESS
from otel_tool_audit.review.calls.values import Bucket, Count, StatusCounts, ToolStatistics

STRETCHES: Final = {"minute": 16, "hour": 13, "day": 10, "month": 7}
"""Stretches of time for a series, in UTC: by how many characters of a timestamp one is named."""
_REST: Final = "0000-01-01T00:00:00Z"
_MICROSECONDS: Final = 1000


def microseconds(duration_ms: object) -> int | None:
    """Give a duration in milliseconds as whole microseconds, halves rounded up; None when it is none."""
    if isinstance(duration_ms, bool) or not isinstance(duration_ms, (int, float)) or not math.isfinite(duration_ms):
        return None
    return math.floor(duration_ms * _MICROSECONDS + 0.5)


def milliseconds(duration_us: int | None, number: int = 1) -> float | None:
    """Give microseconds, a sum of *number* of them, as the mean in milliseconds."""
    return None if duration_us is None or not number else duration_us / number / _MICROSECONDS


def stretch(every: str | None) -> int | None:
    """
    Tell by how many characters of a timestamp a stretch of time is named.

    Args:
        every: One of :data:`STRETCHES`, or None.

    Raises:
        SettingsError: There is no such stretch.
    """
    if every is None:
        return None
    if every not in STRETCHES:
        raise SettingsError(f"there is no stretch of time {every!r}; there are: {', '.join(nearest(every, STRETCHES))}")
    return STRETCHES[every]


def start_of(named: str) -> str:
    """Write the beginning of a stretch that is named by the first characters of a timestamp."""
    return named + _REST[len(named) :]


class Tally:
    """Calls that are counted together."""

    __slots__ = ("calls", "durations", "first", "last", "statuses", "users")

    def __init__(self) -> None:
        self.calls = 0
        self.statuses = dict.fromkeys(STATUSES, 0)
        self.durations = array("q")
        self.users: set[str] = set()
        self.first: str | None = None
        self.last: str | None = None

    def add(self, call: Mapping[str, Any]) -> None:
        """Count one more call."""
        self.calls += 1
        self.statuses[str(call["status"])] += 1
        duration = microseconds(call.get("duration_ms"))
        if duration is not None:
            self.durations.append(duration)
        self.users.add(str(call.get("user_id")))
        when = str(call.get("timestamp"))
        self.first = when if self.first is None else min(self.first, when)
        self.last = when if self.last is None else max(self.last, when)

    def statistics(self, tool: str | None, series: tuple[Bucket, ...] = ()) -> ToolStatistics:
        """Say what was counted."""
        ended = sum(self.statuses[status] for status in ENDED)
        statuses = cast("StatusCounts", tuple(self.statuses.values()))
        taken = sorted(self.durations)
        return ToolStatistics(
            tool, self.calls, *statuses,
            self.statuses[SUCCESS] / ended if ended else None, milliseconds(sum(taken), len(taken)), milliseconds(taken[-1]) if taken else None,
            milliseconds(percentile(taken, 50)), milliseconds(percentile(taken, 95)), milliseconds(percentile(taken, 99)),
            len(self.users), self.first, self.last, series,
        )  # fmt: skip

    def bucket(self, named: str) -> Bucket:
        """Say what was counted, as a stretch of a series."""
        statuses = cast("StatusCounts", tuple(self.statuses.values()))
        return Bucket(
            start_of(named), self.calls, *statuses,
            milliseconds(sum(self.durations), len(self.durations)), milliseconds(max(self.durations)) if self.durations else None,
        )  # fmt: skip


def percentile(ascending: list[int], percent: int) -> int | None:
    """
    Find the smallest value that at least so many percent of all do not exceed.

    Args:
        ascending: All values, sorted.
        percent: 1 to 100.
    """
    return ascending[-(-len(ascending) * percent // 100) - 1] if ascending else None


def by_tool(calls: Iterable[Mapping[str, Any]], every: str | None = None) -> tuple[ToolStatistics, tuple[ToolStatistics, ...]]:
    """
    Count calls: all together, and each tool by itself, the most called first.

    Args:
        calls: Folded.
        every: A stretch of time for the series.
    """
    width = stretch(every)
    tallies: dict[str | None, Tally] = {None: Tally()}
    buckets: dict[str | None, dict[str, Tally]] = {None: {}}
    for call in calls:
        tool = str(call.get("tool_name"))
        for name in (None, tool):
            tallies.setdefault(name, Tally()).add(call)
            if width is not None:
                named = str(call.get("timestamp"))[:width]
                buckets.setdefault(name, {}).setdefault(named, Tally()).add(call)
    series = {name: tuple(found[named].bucket(named) for named in sorted(found)) for name, found in buckets.items()}
    total, tools = (tallies.pop(None), sorted((name for name in tallies if name is not None), key=lambda name: (-tallies[name].calls, name)))
    return total.statistics(None, series[None]), tuple(tallies[name].statistics(name, series.get(name, ())) for name in tools)


class Counter:
    """How often each value of a field occurs, and how often in failed calls."""

    def __init__(self) -> None:
        self._found: dict[str | None, list[int]] = {}

    def add(self, value: object, *, failed: bool) -> None:
        """Count one more call."""
        counts = self._found.setdefault(None if value is None else str(value), [0, 0])
        counts[0] += 1
        counts[1] += failed

    def counts(self) -> tuple[Count, ...]:
        """Give all values, the most frequent first, then by name; what nobody named comes last among equals."""
        return ordered(Count(name, calls, failed) for name, (calls, failed) in self._found.items())


def ordered(counts: Iterable[Count]) -> tuple[Count, ...]:
    """Order counts as :meth:`Counter.counts` does."""
    return tuple(sorted(counts, key=lambda count: (-count.calls, count.name is None, count.name or "")))
