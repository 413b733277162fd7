"""``calls``: which calls there were, a line each, or as rows for other programs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from datetime import tzinfo
from itertools import chain
from typing import Annotated, Any, Final

import typer

from otel_tool_audit.access.question import Question
from otel_tool_audit.cli import options as opt
from otel_tool_audit.cli import output
from otel_tool_audit.cli.answer_status import leave, open_trail
from otel_tool_audit.cli.options import BadUsage, choose, trail_directory
from otel_tool_audit.cli.output import CallsFormat, Cell, Column
from otel_tool_audit.export import delimited
from otel_tool_audit.export.document import duration
from otel_tool_audit.export.files import parquet, pyarrow
from otel_tool_audit.review.calls.clocks import in_zone, zone_name

STYLES: Final = {"success": "green", "error": "red", "interrupted": "yellow", "running": "cyan", "paused": "cyan", "denied": "magenta"}

COLUMNS: Final = (
    Column("STATUS"),
    Column("USER", shrinks=True),
    Column("CONVERSATION", shrinks=True),
    Column("TOOL", shrinks=True),
    Column("TOOK", right=True),
    Column("RECORD"),
)


def calls(
    directory: opt.Directory = None,
    *,
    question: Question,
    order_by: Annotated[
        str | None,
        typer.Option("--order-by", metavar="FIELD", help="A field of a call, such as duration_ms; by default the time.", show_default=False),
    ] = None,
    descending: Annotated[bool, typer.Option("--descending", help="The largest, or latest, first.", show_default=False)] = False,
    limit: opt.Limit = None,
    verified: Annotated[
        bool, typer.Option("--verified", help="Check each call's records before it is shown; stop at one that does not hold.", show_default=False)
    ] = False,
    after: Annotated[
        str | None, typer.Option("--after", metavar="KEY", help="The next page: the key that the page before named.", show_default=False)
    ] = None,
    name: opt.As = None,
    reason: opt.Reason = None,
    file: opt.Output = None,
    style: Annotated[
        CallsFormat | None,
        typer.Option(
            "--format", metavar="FORMAT", help="table (default), json (one document), jsonl (one object a line), csv or parquet.", show_default=False
        ),
    ] = None,
    json: opt.Json = False,
    state: opt.State = None,
) -> None:
    """List tool calls, oldest first.

    What shows a subject's data is recorded in the trail. Exit 1 when the trail is seen to be broken, 3 when there is no key to recognise the subject by.
    """
    if limit is not None and limit < 1:
        raise BadUsage("--limit must be 1 or more")
    chosen = choose(CallsFormat, style, file, json=json)
    if chosen is CallsFormat.parquet:
        if file is None:
            raise BadUsage("Parquet is nothing for a terminal: --output FILE")
        pyarrow()
    reader = open_trail(trail_directory(directory), state, name, reason)
    # a page that another may follow needs an order that nothing changes
    order = order_by or ("timestamp" if limit is not None or after is not None else None)
    found = reader.calls(**question.filters(), order_by=order, descending=descending, limit=limit, after=after, verified=verified)
    status = functools.cache(lambda: reader.status(question.only.get("subject")))
    if chosen is CallsFormat.table:
        zone = question.time.zone
        if not output.print_table((Column(f"TIME ({zone_name(zone)})"), *COLUMNS), (row(call, zone) for call in found)):
            output.say("no calls", "dim")
    else:
        output.give(pieces_of(found, chosen, lambda: {"next": found.next_key, "trail": status().as_dict()}), file)
    if found.next_key is not None:
        output.say(f"there may be more; the next page: --after {found.next_key}", "dim")
    leave(status())


def pieces_of(found: Iterable[Mapping[str, Any]], style: CallsFormat, beside: Callable[[], Mapping[str, Any]]) -> Iterable[str | bytes]:
    """
    Write calls as they are asked for, piece by piece.

    Args:
        found: The calls.
        style: Any but a table.
        beside: What a JSON document says beside them, once all were given.
    """
    if style is CallsFormat.parquet:
        return parquet(found)
    if style is CallsFormat.csv:
        return chain([delimited.header()], (delimited.encode([call]) for call in found))
    return output.json_document("calls", found, beside) if style is CallsFormat.json else output.json_lines(found)


def row(call: Mapping[str, Any], zone: tzinfo) -> tuple[Cell, ...]:
    """Give a call as a row of a table: the time, then :data:`COLUMNS`."""
    status = str(call["status"])
    return (
        Cell(in_zone(call["timestamp"], zone)),
        Cell(status, STYLES.get(status, "")),
        Cell(str(call["user_id"])),
        Cell(str(call["conversation_id"])),
        Cell(str(call["tool_name"]), "bold"),
        Cell(duration(took) if isinstance(took := call["duration_ms"], (int, float)) else ""),
        Cell(f"{call['chain']}/{call['seq']}", "dim"),
    )
