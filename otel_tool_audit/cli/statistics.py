"""``stats``: how calls went, tool by tool, and over time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Annotated, Final

import typer

from otel_tool_audit.access.question import Question
from otel_tool_audit.cli import options as opt
from otel_tool_audit.cli import output
from otel_tool_audit.cli.answer_status import leave
from otel_tool_audit.cli.options import trail_directory
from otel_tool_audit.cli.output import Cell, Column
from otel_tool_audit.cli.pages import sparkline
from otel_tool_audit.cli.questions import AnswerRequest, asks, request_options
from otel_tool_audit.export import delimited, markdown
from otel_tool_audit.review.calls.intervals import named
from otel_tool_audit.review.calls.values import ToolStatistics
from otel_tool_audit.text import duration, percent

_COLUMNS: Final = (
    Column("TOOL", shrinks=True), Column("CALLS", right=True), Column("SUCCESS", right=True), Column("FAILED", right=True), Column("INTERRUPTED", right=True), Column("PAUSED", right=True, spare=True), Column("DENIED", right=True, spare=True),
    Column("USERS", right=True, spare=True), Column("MEAN", right=True, spare=True), Column("50 %", right=True), Column("95 %", right=True), Column("99 %", right=True, spare=True), Column("MAX", right=True),
    Column("OVER TIME"),
)  # fmt: skip
_FIGURES: Final = tuple(field.name for field in dataclasses.fields(ToolStatistics) if field.name != "series")
_SHORTEST: Final = 12
_FIGURES_WIDE: Final = 90
_LONGEST: Final = 60
"""Stretches that a line of bars shows, the latest; JSON has all."""

_Every = Annotated[
    str | None, typer.Option("--every", metavar="STRETCH", help="Over time, too: minute, hour, day or month (UTC).", show_default=False)
]


@asks
def stats(
    directory: opt.Directory = None,
    *,
    question: Question,
    every: _Every = None,
    request: Annotated[AnswerRequest, request_options(style=opt.TableOrRows)],
) -> None:
    """Count calls, tool by tool: outcomes, durations, users, over time.

    What is asked about a subject is recorded in the trail. Exit 1 when the trail is seen to be broken, 3 when there is no key to recognise the subject by.
    """
    chosen = request.format(opt.ROWS)
    reader = request.open(trail_directory(directory))
    total, tools = reader.statistics(every=every, **question.filters())
    status = reader.status(question.only.get("subject"))
    rows = (*tools, total)
    if chosen == "json":
        found = {"total": dataclasses.asdict(total), "tools": [dataclasses.asdict(tool) for tool in tools], "trail": status.as_dict()}
        output.give([output.as_json(found, indent=2) + "\n"], request.file)
    elif chosen != "table":
        output.give(_pieces(rows, chosen), request.file)
    elif not total.calls:
        output.say("no calls", "dim")
    else:
        starts = [bucket.start for bucket in total.series]
        span = named(starts[0], starts[-1], every, _longest()) if every and starts else []
        output.print_table(_COLUMNS if span else _COLUMNS[:-1], [_row(row, span) for row in rows])
    leave(status)


def _longest() -> int:
    """Tell for how many bars there is room beside the figures."""
    console = output.stdout()
    return max(_SHORTEST, min(_LONGEST, console.width - _FIGURES_WIDE)) if console.is_terminal else _LONGEST


def _pieces(rows: Iterable[ToolStatistics], style: str) -> Iterable[str | bytes]:
    """Write statistics for other programs; tables have a row a tool, and nothing over time."""
    if style == "jsonl":
        return output.json_lines(map(dataclasses.asdict, rows))
    if style == "csv":
        return (delimited.line(cells) for cells in (_FIGURES, *([getattr(row, name) for name in _FIGURES] for row in rows)))
    titles = [column.title for column in _COLUMNS[:-1]]
    return markdown.table(titles, ([cell.text for cell in _row(row, ())] for row in rows), [column.right for column in _COLUMNS])


def _row(row: ToolStatistics, span: Sequence[str]) -> list[Cell]:
    found = {bucket.start: bucket.calls for bucket in row.series}
    weight = "bold" if row.tool is None else ""
    return [
        Cell(row.tool if row.tool is not None else "all", "bold"),
        Cell(f"{row.calls:,}", weight),
        Cell("" if row.success_rate is None else percent(row.success_rate), weight),
        Cell(f"{row.failed:,}", "red" if row.failed else "dim"),
        Cell(f"{row.interrupted:,}", "yellow" if row.interrupted else "dim"),
        Cell(f"{row.paused:,}", "cyan" if row.paused else "dim"),
        Cell(f"{row.denied:,}", "magenta" if row.denied else "dim"),
        Cell(f"{row.unique_users:,}", weight),
        *(Cell(duration(value), weight) for value in (row.mean_ms, row.p50_ms, row.p95_ms, row.p99_ms, row.max_ms)),
        *([Cell(sparkline(found.get(start, 0) for start in span), "blue")] if span else []),
    ]
