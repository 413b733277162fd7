"""
Stretches of time, one after the other, as series count by them: minutes, hours, days, months, in UTC. Pure.

Source: ARCHITECTURE.md, R14.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from otel_tool_audit.review.calls.statistics import STRETCHES, start_of

_STEPS: Final = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}


def named(first: str, last: str, every: str, most: int) -> list[str]:
    """
    Name all stretches from one to another.

    Args:
        first: When the first begins: ``2026-03-01T12:00:00Z``.
        last: When the last begins.
        every: ``minute``, ``hour``, ``day`` or ``month``.
        most: Give no more than so many, the latest.

    Returns:
        When each begins, in order; where one of the two is no moment of the calendar, only these two.
    """
    try:
        begin, end = (datetime.fromisoformat(moment).astimezone(UTC) for moment in (first, last))
    except (ValueError, OverflowError):
        return sorted({first, last})[-most:]
    if every == "month":
        months = range(begin.year * 12 + begin.month - 1, end.year * 12 + end.month)[-most:]
        return [f"{month // 12:04}-{month % 12 + 1:02}-01T00:00:00Z" for month in months]
    step = _STEPS[every]
    count = min(most, (end - begin) // step + 1)
    return [(end - n * step).strftime("%Y-%m-%dT%H:%M:%SZ") for n in reversed(range(count))]


def filled(found: Mapping[str, tuple[int, ...]], every: str, most: int) -> tuple[str, dict[str, tuple[int, ...]]]:
    """
    Put the stretches in between in which nothing happened; and where these are too many, count by longer ones.

    Args:
        found: Numbers by when their stretch begins, in order.
        every: How long one is.
        most: How many there may be; months may be more.

    Returns:
        How long a stretch is now, and their numbers.
    """
    if not found:
        return every, {}
    nothing = (0,) * len(next(iter(found.values())))
    lengths = list(STRETCHES)
    for longer in lengths[lengths.index(every) :]:
        counted: dict[str, tuple[int, ...]] = {}
        for start, numbers in found.items():
            name = start_of(start[: STRETCHES[longer]])
            counted[name] = tuple(a + b for a, b in zip(counted.get(name, nothing), numbers, strict=True))
        starts = named(min(counted), max(counted), longer, most + 1)
        if len(starts) <= most or longer == lengths[-1]:
            # what is no moment of the calendar is counted all the same
            return longer, {name: counted.get(name, nothing) for name in sorted({*starts, *counted})}
    return every, dict(found)
