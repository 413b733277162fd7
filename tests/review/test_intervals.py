from __future__ import annotations

import pytest

from otel_tool_audit.review.calls.intervals import filled, named


@pytest.mark.parametrize(
    ("first", "last", "every", "expected"),
    [
        ("2026-02-28T00:00:00Z", "2026-03-01T00:00:00Z", "day", ["2026-02-28", "2026-03-01"]),
        ("2025-11-01T00:00:00Z", "2026-02-01T00:00:00Z", "month", ["2025-11-01", "2025-12-01", "2026-01-01", "2026-02-01"]),
        ("2026-03-01T22:00:00Z", "2026-03-02T00:00:00Z", "hour", ["2026-03-01T22", "2026-03-01T23", "2026-03-02T00"]),
        ("no date", "2026-03-02T00:00:00Z", "day", ["2026-03-02", "no date"]),
    ],
)
def test_all_stretches_are_named(first: str, last: str, every: str, expected: list[str]) -> None:
    """From the first to the last, those in which nothing happened, too; what is no date is left as it is."""
    found = named(first, last, every, 100)
    assert len(expected) == len(found)
    assert all(whole.startswith(part) for whole, part in zip(found, expected, strict=True))
    assert found[-1:] == named(first, last, every, 1)


def test_empty_months_stand_between_the_others() -> None:
    """A quiet month is a bar of nothing, not a bar that is left out."""
    days = {"2026-01-05T00:00:00Z": (1, 0), "2026-01-07T00:00:00Z": (2, 1), "2026-06-30T00:00:00Z": (4, 0)}
    every, counted = filled(days, "day", 62)
    assert "month" == every
    assert [(3, 1), (0, 0), (0, 0), (0, 0), (0, 0), (4, 0)] == list(counted.values())
    assert ["2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z"] == [min(counted), max(counted)]


@pytest.mark.parametrize("most", [1, 5, 62, 1000])
def test_no_call_is_lost_by_counting_longer(most: int) -> None:
    """However long a bar's stretch is, all bars together are all calls, also those whose time is no time."""
    hours = {f"2026-03-{day:02d}T{hour:02d}:00:00Z": (1, day) for day in range(1, 29) for hour in range(0, 24, 5)} | {"x": (1, 1)}
    _, counted = filled(hours, "hour", most)
    assert [sum(column) for column in zip(*hours.values(), strict=True)] == [sum(column) for column in zip(*counted.values(), strict=True)]
    assert ("day", {}) == filled({}, "day", most)
