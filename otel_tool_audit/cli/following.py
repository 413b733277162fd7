"""``tail``: the latest calls, and with ``-f`` those that come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from otel_tool_audit.cli import options as opt
from otel_tool_audit.cli import output
from otel_tool_audit.cli.calls import COLUMNS, row
from otel_tool_audit.cli.journal import Journal, Reading, announce
from otel_tool_audit.cli.options import BadUsage, trail_directory
from otel_tool_audit.cli.output import Column, RowsFormat
from otel_tool_audit.cli.questions import Question
from otel_tool_audit.record.model import FINISHED, OBSERVED, STARTED
from otel_tool_audit.review.clocks import zone_name
from otel_tool_audit.review.fold import fold
from otel_tool_audit.review.reader import TrailReader
from otel_tool_audit.review.records import Mark

LOOK: Final = 0.25
"""Seconds between two looks at the trail."""

_OPEN: Final = 10_000
"""Starts that are kept until their call ends; of a call beyond them its end tells all."""

_WIDTHS: Final = (19, 11, 14, 16, 22, 7, 0)
"""What a table's columns have at least, in characters: its rows are not known yet."""


def tail(
    directory: opt.Directory = None,
    *,
    question: Question,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with calls as they end; stop with Ctrl-C.", show_default=False)] = False,
    count: Annotated[int, typer.Option("--lines", "-n", metavar="N", help="So many of the latest, by default 10.", show_default=False)] = 10,
    name: opt.As = None,
    reason: opt.Reason = None,
    style: Annotated[RowsFormat, typer.Option("--format", help="table (default) or jsonl (one object a line).", metavar="FORMAT")] = RowsFormat.table,
    state: opt.State = None,
) -> None:
    """Show the latest calls; -f goes on with those that come."""
    if style is RowsFormat.json:
        raise BadUsage("a list that goes on is no JSON document: --format jsonl")
    if count < 0:
        raise BadUsage("--lines must be 0 or more")
    path = trail_directory(directory)
    reader = TrailReader(path, state=state)
    if "subject" in question.only:
        announce(Journal(path, state, name=name, reason=reason).note(Reading("tail", question.on_record()), None))
    # before the latest calls are read: what ends meanwhile comes twice rather than never
    marks = reader.ends()
    filters = question.filters()
    latest = list(reader.calls(**filters, order_by="timestamp", descending=True, limit=count)) if count else []
    show = _shower(style, question, latest)
    for call in reversed(latest):
        show(call)
    if not follow:
        if not latest:
            output.say("no calls", "dim")
        return
    output.say("waiting for calls; stop with Ctrl-C", "dim")
    matches = reader.matcher(**filters)
    for ended in _ended(reader, marks):
        if matches(dict(ended)):
            show(ended)


def _ended(reader: TrailReader, marks: dict[str, Mark]) -> Iterator[Mapping[str, Any]]:
    """Give calls as they end, for ever; each as its own records tell it."""
    begun: dict[str, Mapping[str, Any]] = {}
    while True:
        quiet = True
        for record in reader.appended(marks):
            quiet = False
            call_id, event = record.get("call_id"), record.get("event")
            if event == STARTED:
                begun[str(call_id)] = record
                if len(begun) > _OPEN:
                    del begun[next(iter(begun))]
            elif event in {FINISHED, OBSERVED}:
                start: Mapping[str, Any] | None = begun.pop(str(call_id), None)
                yield fold([record] if start is None else [start, record]).call(lambda _: False)
        if quiet:
            time.sleep(LOOK)


def _shower(style: RowsFormat, question: Question, latest: Sequence[Mapping[str, Any]]) -> Callable[[Mapping[str, Any]], None]:
    if style is RowsFormat.jsonl:
        return lambda call: output.print_json_lines([call], flush=True)
    zone = question.time.zone
    table = output.OpenTable((Column(f"TIME ({zone_name(zone)})"), *COLUMNS), _WIDTHS, [row(call, zone) for call in latest])
    return lambda call: table.add(row(call, zone))
