"""
What the questions' rows say, as values. Pure.

Source: ARCHITECTURE.md, R14, R16.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from otel_tool_audit.review.calls.filters import Query
from otel_tool_audit.review.calls.fold import ENDED, STATUSES, SUCCESS
from otel_tool_audit.review.calls.statistics import milliseconds, ordered, start_of
from otel_tool_audit.review.calls.values import COUNTED, Bucket, Count, StatusCounts, ToolStatistics
from otel_tool_audit.review.index import sql

Rows = Sequence[Sequence[Any]]
_TOOL = "tool_name"
_ENDED = tuple(map(STATUSES.index, ENDED))
_SUCCESS = STATUSES.index(SUCCESS)
_ADDED = 1 + len(STATUSES) + 2
"""Columns of totals that add up: calls, each status, durations and their sum; then come the longest, four of the engine's, first and last."""


def statistics_questions(query: Query, every: str | None) -> list[sql.SqlQuestion]:
    """List what has to be asked for statistics: totals by tool, and what they do not add up to; and the same over time, when asked for."""
    asked = [sql.overall(query), sql.totals(query, _TOOL)]
    return asked if every is None else [*asked, sql.series(query, None, every), sql.series(query, _TOOL, every)]


def statistics(answers: Sequence[Rows]) -> tuple[ToolStatistics, tuple[ToolStatistics, ...]]:
    """
    Read the answers to :func:`statistics_questions`.

    Returns:
        All together, and each tool by itself, the most called first.
    """
    series: dict[str | None, list[Bucket]] = {}
    for rows in answers[2:]:
        for row in sorted(rows, key=lambda row: str(row[1])):
            series.setdefault(row[0], []).append(_bucket(row))
    total = _statistics(_together(answers[1], answers[0][0]), series)
    tools = sorted((_statistics(row, series) for row in answers[1]), key=lambda tool: (-tool.calls, tool.tool or ""))
    return total, tuple(tools)


def counts_questions(query: Query) -> list[sql.SqlQuestion]:
    """List what has to be asked for all that an activity report counts by value."""
    return [sql.counts(query, field, failed_only=name == "errors") for name, field in COUNTED.items()]


def counts(answers: Sequence[Rows]) -> dict[str, tuple[Count, ...]]:
    """Read the answers to :func:`counts_questions`, by attribute of the report."""
    return {
        name: ordered(Count(value, int(calls), int(failed)) for value, calls, failed in rows) for name, rows in zip(COUNTED, answers, strict=True)
    }


def _together(tools: Rows, rest: Sequence[Any]) -> list[Any]:
    """Add up totals by tool to those of all; the percentiles and the number of users are the engine's."""
    added = [sum(int(number or 0) for number in column) for column in list(zip(*tools, strict=True))[1 : 1 + _ADDED]] or [0] * _ADDED
    longest, first, last = ([row[1 + _ADDED + at] for row in tools if row[1 + _ADDED + at] is not None] for at in (0, 5, 6))
    return [None, *added, max(map(int, longest), default=None), *rest, min(first, default=None), max(last, default=None)]


def _statistics(row: Sequence[Any], series: dict[str | None, list[Bucket]]) -> ToolStatistics:
    tool, calls, *rest = row
    statuses, rest = _counts(rest), rest[len(STATUSES) :]
    taken, total, longest, p50, p95, p99 = (None if number is None else int(number) for number in rest[:6])
    ended = sum(statuses[at] for at in _ENDED)
    return ToolStatistics(
        tool, int(calls), *statuses, statuses[_SUCCESS] / ended if ended else None, milliseconds(total, taken or 0),
        milliseconds(longest), milliseconds(p50), milliseconds(p95), milliseconds(p99), int(rest[6]), rest[7], rest[8], tuple(series.get(tool, ())),
    )  # fmt: skip


def _bucket(row: Sequence[Any]) -> Bucket:
    _, named, calls, *rest = row
    taken, total, longest = (None if number is None else int(number) for number in rest[len(STATUSES) :][:3])
    return Bucket(start_of(named), int(calls), *_counts(rest), milliseconds(total, taken or 0), milliseconds(longest))


def _counts(numbers: Sequence[Any]) -> StatusCounts:
    return cast("StatusCounts", tuple(int(number or 0) for number in numbers[: len(STATUSES)]))
