"""``tail``: the latest calls, and with ``-f`` those that come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from otel_tool_audit.access.journal import Journal, Reading, Watch
from otel_tool_audit.access.question import Question
from otel_tool_audit.cli import options as opt
from otel_tool_audit.cli import output
from otel_tool_audit.cli.answer_status import standing
from otel_tool_audit.cli.calls import COLUMNS, pieces_of, row
from otel_tool_audit.cli.options import BadUsage, choose, trail_directory
from otel_tool_audit.cli.output import CallsFormat, Column
from otel_tool_audit.export import delimited
from otel_tool_audit.format.events import FINISHED, OBSERVED, STARTED
from otel_tool_audit.review.calls.clocks import zone_name
from otel_tool_audit.review.calls.fold import fold
from otel_tool_audit.review.reader import Cursor, TrailReader

LOOK: Final = 0.25
"""Seconds between two looks at the trail."""

_OPEN: Final = 10_000
"""Starts that are kept until their call ends; of a call beyond them its end tells all."""

_WIDTHS: Final = (19, 11, 14, 16, 22, 7, 0)
"""What a table's columns have at least, in characters: its rows are not known yet."""


class Shown(StrEnum):
    """How the latest calls are shown."""

    table = "table"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"


def tail(
    directory: opt.Directory = None,
    *,
    question: Question,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with calls as they end; stop with Ctrl-C.", show_default=False)] = False,
    count: Annotated[int, typer.Option("--lines", "-n", metavar="N", help="So many of the latest, by default 10.", show_default=False)] = 10,
    name: opt.As = None,
    reason: opt.Reason = None,
    style: Annotated[
        Shown | None,
        typer.Option("--format", help="table (default), json (without -f), jsonl (one object a line) or csv.", metavar="FORMAT", show_default=False),
    ] = None,
    json: opt.Json = False,
    state: opt.State = None,
) -> None:
    """Show the latest calls; -f goes on with those that come.

    What shows a subject's data is recorded in the trail. Exit 1 when the trail is seen to be broken, 3 when there is no key to recognise the subject by.
    """
    chosen = choose(Shown, style, None, json=json)
    if chosen is Shown.json and follow:
        raise BadUsage("a list that goes on is no JSON document: --format jsonl")
    if count < 0:
        raise BadUsage("--lines must be 0 or more")
    path = trail_directory(directory)
    reader = TrailReader(path, state=state)
    watch = Watch(Journal(path, state, name=name, reason=reason), Reading("tail", question.on_record()))
    # before the latest calls are read: what ends meanwhile comes twice rather than never
    marks = reader.ends()
    filters = question.filters()
    latest = list(reader.calls(**filters, order_by="timestamp", descending=True, limit=count)) if count else []
    watch.about(latest, None if follow else len(latest))
    worth = standing(reader, state, question)
    if chosen is Shown.json:
        output.give(pieces_of(reversed(latest), CallsFormat.json, lambda: {"trail": worth.as_dict()}), None)
        worth.leave()
        return
    show = _shower(chosen, question, latest)
    for call in reversed(latest):
        show(call)
    if not follow:
        if not latest:
            output.say("no calls", "dim")
        worth.leave()
        return
    worth.say()
    output.say("waiting for calls; stop with Ctrl-C", "dim")
    matches = reader.matcher(**filters)
    for ended in _ended(reader, marks):
        if matches(dict(ended)):
            watch.about((ended,), None)
            show(ended)


def _ended(reader: TrailReader, marks: dict[str, Cursor]) -> Iterator[Mapping[str, Any]]:
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


def _shower(style: Shown, question: Question, latest: Sequence[Mapping[str, Any]]) -> Callable[[Mapping[str, Any]], None]:
    if style is Shown.jsonl:
        return lambda call: output.write_stdout(output.json_lines([call]), flush=True)
    if style is Shown.csv:
        output.write_stdout([delimited.header()], flush=True)
        return lambda call: output.write_stdout([delimited.encode([call])], flush=True)
    zone = question.time.zone
    table = output.OpenTable((Column(f"TIME ({zone_name(zone)})"), *COLUMNS), _WIDTHS, [row(call, zone) for call in latest])
    return lambda call: table.add(row(call, zone))
