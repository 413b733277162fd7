"""``calls``: which calls there were, a line each, or as rows for other programs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from datetime import tzinfo
from typing import Annotated, Any, Final

import typer

from otel_tool_audit.access.question import Question
from otel_tool_audit.cli import BadUsage, output
from otel_tool_audit.cli import options as opt
from otel_tool_audit.cli.answer_status import leave
from otel_tool_audit.cli.options import trail_directory
from otel_tool_audit.cli.output import Cell, Column
from otel_tool_audit.cli.questions import AnswerRequest, asks, request_options
from otel_tool_audit.export import formats
from otel_tool_audit.review.calls.clocks import in_zone, zone_name
from otel_tool_audit.text import duration, one_of

STYLES: Final = {"success": "green", "error": "red", "interrupted": "yellow", "running": "cyan", "paused": "cyan", "denied": "magenta"}

COLUMNS: Final = (
    Column("STATUS"), Column("USER", shrinks=True), Column("CONVERSATION", shrinks=True), Column("TOOL", shrinks=True), Column("TOOK", right=True),
    Column("RECORD"),
)  # fmt: skip


_OWN: Final = ("table", "json")
"""How calls are shown beside the formats that they are exported in."""


def _formats() -> tuple[str, ...]:
    return (*_OWN, *formats.names())


_Format = Annotated[
    str | None, opt.format_option(f"table (default), json (one document), jsonl (one object a line), {one_of(formats.names()[1:])}.", _formats)
]


@asks
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
    request: Annotated[AnswerRequest, request_options(style=_Format)],
) -> None:
    """List tool calls, oldest first.

    What shows a subject's data is recorded in the trail. Exit 1 when the trail is seen to be broken, 3 when there is no key to recognise the subject by.
    """
    if limit is not None and limit < 1:
        raise BadUsage("--limit must be 1 or more")
    chosen = request.format(_formats())
    if chosen not in _OWN and not formats.named(chosen).streams and request.file is None:
        raise BadUsage(f"{chosen.capitalize()} is nothing for a terminal: --output FILE")
    reader = request.open(trail_directory(directory))
    # a page that another may follow needs an order that nothing changes
    order = order_by or ("timestamp" if limit is not None or after is not None else None)
    found = reader.calls(**question.filters(), order_by=order, descending=descending, limit=limit, after=after, verified=verified)
    status = functools.cache(lambda: reader.status(question.only.get("subject")))
    if chosen == "table":
        zone = question.time.zone
        if not output.print_table((Column(f"TIME ({zone_name(zone)})"), *COLUMNS), (row(call, zone) for call in found)):
            output.say("no calls", "dim")
    else:
        output.give(pieces_of(found, chosen, lambda: {"next": found.next_key, "trail": status().as_dict()}), request.file)
    if found.next_key is not None:
        output.say(f"there may be more; the next page: --after {found.next_key}", "dim")
    leave(status())


def pieces_of(found: Iterable[Mapping[str, Any]], style: str, beside: Callable[[], Mapping[str, Any]]) -> Iterable[str | bytes]:
    """
    Write calls as they are asked for, piece by piece.

    Args:
        found: The calls.
        style: Any but a table.
        beside: What a JSON document says beside them, once all were given.
    """
    if style == "json":
        return output.json_document("calls", found, beside)
    return output.json_lines(found) if style == "jsonl" else formats.pieces(style, found)


def row(call: Mapping[str, Any], zone: tzinfo) -> tuple[Cell, ...]:
    """Give a call as a row of a table: the time, then :data:`COLUMNS`."""
    status = str(call["status"])
    return (
        Cell(in_zone(call["timestamp"], zone)), Cell(status, STYLES.get(status, "")), Cell(str(call["user_id"])), Cell(str(call["conversation_id"])),
        Cell(str(call["tool_name"]), "bold"), Cell(duration(took) if isinstance(took := call["duration_ms"], (int, float)) else ""),
        Cell(f"{call['chain']}/{call['seq']}", "dim"),
    )  # fmt: skip
