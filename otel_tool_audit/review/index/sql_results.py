"""
What the questions' rows say, as values; whichever engine answered. Pure.

Source: ARCHITECTURE.md, R14, R16.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from otel_tool_audit.review.calls.filters import Query
from otel_tool_audit.review.calls.statistics import milliseconds, ordered, start_of
from otel_tool_audit.review.calls.values import COUNTED, Bucket, Count, ToolStatistics
from otel_tool_audit.review.index import sql

Rows = Sequence[Sequence[Any]]
_TOOL = "tool_name"


def statistics_questions(query: Query, every: str | None, percentile: str = sql.PERCENTILE) -> list[sql.SqlQuestion]:
    """List what has to be asked for statistics: totals by tool, and what they do not add up to; and the same over time, when asked for."""
    asked = [sql.overall(query, percentile), sql.totals(query, _TOOL, percentile)]
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
    added = [sum(int(number or 0) for number in column) for column in list(zip(*tools, strict=True))[1:8]] or [0] * 7
    longest, first, last = ([row[at] for row in tools if row[at] is not None] for at in (8, 13, 14))
    return [None, *added, max(map(int, longest), default=None), *rest, min(first, default=None), max(last, default=None)]


def _statistics(row: Sequence[Any], series: dict[str | None, list[Bucket]]) -> ToolStatistics:
    tool, calls, *rest = row
    succeeded, failed, interrupted, running = (int(number or 0) for number in rest[:4])
    taken, total, longest, p50, p95, p99 = (None if number is None else int(number) for number in rest[4:10])
    ended = int(calls) - running
    return ToolStatistics(
        tool, int(calls), succeeded, failed, interrupted, running, succeeded / ended if ended else None, milliseconds(total, taken or 0),
        milliseconds(longest), milliseconds(p50), milliseconds(p95), milliseconds(p99), int(rest[10]), rest[11], rest[12], tuple(series.get(tool, ())),
    )  # fmt: skip


def _bucket(row: Sequence[Any]) -> Bucket:
    _, named, calls, *rest = row
    succeeded, failed, interrupted, running, taken = (int(number or 0) for number in rest[:5])
    total, longest = (None if number is None else int(number) for number in rest[5:7])
    return Bucket(start_of(named), int(calls), succeeded, failed, interrupted, running, milliseconds(total, taken), milliseconds(longest))
