"""``stats``: how calls went, tool by tool, and over time."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer

from otel_tool_audit.cli import options as opt
from otel_tool_audit.cli import output
from otel_tool_audit.cli.journal import Journal, Reading, announce, without_key
from otel_tool_audit.cli.options import trail_directory
from otel_tool_audit.cli.output import Cell, Column, RowsFormat
from otel_tool_audit.cli.pages import sparkline
from otel_tool_audit.cli.questions import Question, missing
from otel_tool_audit.export.document import duration
from otel_tool_audit.review.reader import TrailReader
from otel_tool_audit.review.reports import Bucket, ToolStatistics

_COLUMNS: Final = (
    Column("TOOL", shrinks=True), Column("CALLS", right=True), Column("SUCCESS", right=True), Column("FAILED", right=True), Column("INTERRUPTED", right=True),
    Column("USERS", right=True), Column("MEAN", right=True), Column("50 %", right=True), Column("95 %", right=True), Column("99 %", right=True), Column("MAX", right=True),
    Column("OVER TIME"),
)  # fmt: skip
_STEPS: Final = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
_LONGEST: Final = 60
"""Stretches that a line of bars shows, the latest; JSON has all."""

_Every = Annotated[str | None, typer.Option("--every", metavar="STRETCH", help="Over time, too: minute, hour, day or month (UTC).", show_default=False)]


def stats(
    directory: opt.Directory = None,
    *,
    question: Question,
    every: _Every = None,
    name: opt.As = None,
    reason: opt.Reason = None,
    style: opt.TableOrRows = RowsFormat.table,
    json: opt.Json = False,
    state: opt.State = None,
) -> None:
    """Count calls, tool by tool: outcomes, durations, users, over time."""
    path = trail_directory(directory)
    reader = TrailReader(path, state=state)
    total, tools = reader.statistics(every=every, **question.filters())
    if "subject" in question.only:
        announce(Journal(path, state, name=name, reason=reason).note(Reading("stats", question.on_record()), total.calls))
    if json or style is RowsFormat.json:
        output.print_json({"total": dataclasses.asdict(total), "tools": [dataclasses.asdict(tool) for tool in tools]})
    elif style is RowsFormat.jsonl:
        output.print_json_lines(dataclasses.asdict(row) for row in (*tools, total))
    elif not total.calls:
        output.say("no calls", "dim")
    else:
        columns = _COLUMNS if every else _COLUMNS[:-1]
        span = _span(total.series, every)
        output.print_table(columns, [_row(row, span) for row in (*tools, total)])
    for note in (*without_key(question.only.get("subject"), path, state), *missing(reader)):
        output.say(note, "yellow")


def _row(row: ToolStatistics, span: Sequence[str]) -> list[Cell]:
    found = {bucket.start: bucket.calls for bucket in row.series}
    weight = "bold" if row.tool is None else ""
    return [
        Cell(row.tool if row.tool is not None else "all", "bold"),
        Cell(f"{row.calls:,}", weight),
        # never rounded up to all of them
        Cell("" if row.success_rate is None else f"{int(row.success_rate * 1000) / 10:.1f} %", weight),
        Cell(f"{row.failed:,}", "red" if row.failed else "dim"),
        Cell(f"{row.interrupted:,}", "yellow" if row.interrupted else "dim"),
        Cell(f"{row.unique_users:,}", weight),
        *(Cell(duration(value), weight) for value in (row.mean_ms, row.p50_ms, row.p95_ms, row.p99_ms, row.max_ms)),
        *([Cell(sparkline(found.get(start, 0) for start in span), "blue")] if span else []),
    ]


def _span(series: Sequence[Bucket], every: str | None) -> list[str]:
    """Name the stretches from the first to the last, those without a call, too; the latest of them."""
    starts = [bucket.start for bucket in series]
    step = _STEPS.get(every or "")
    try:
        first, last = (datetime.fromisoformat(start).astimezone(UTC) for start in (starts[0], starts[-1]))
    except (ValueError, IndexError):
        return starts[-_LONGEST:]
    if step is None:
        months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
        return [f"{month // 12:04}-{month % 12 + 1:02}-01T00:00:00Z" for month in months][-_LONGEST:]
    count = min(_LONGEST, (last - first) // step + 1)
    return [(last - n * step).strftime("%Y-%m-%dT%H:%M:%SZ") for n in reversed(range(count))]
