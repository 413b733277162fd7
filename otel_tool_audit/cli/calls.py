"""``calls``, ``show`` and ``timeline``: asking the trail. Each answers with exit code 0 once it answered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import tzinfo
from typing import Annotated, Any, Final

import typer
from rich.text import Text

from otel_tool_audit.cli import options as opt
from otel_tool_audit.cli import output
from otel_tool_audit.cli.journal import Journal, Reading, audited
from otel_tool_audit.cli.options import BadUsage, directory_and, trail_directory
from otel_tool_audit.cli.output import Cell, Column, Format, RowsFormat
from otel_tool_audit.cli.questions import Question
from otel_tool_audit.review.clocks import in_zone, zone_name
from otel_tool_audit.review.reader import TrailReader
from otel_tool_audit.review.timeline import one_line

STYLES: Final = {"success": "green", "error": "red", "interrupted": "yellow", "running": "cyan"}

_COLUMNS: Final = (
    Column("STATUS"),
    Column("USER", shrinks=True),
    Column("CONVERSATION", shrinks=True),
    Column("TOOL", shrinks=True),
    Column("TOOK", right=True),
    Column("RECORD"),
)
_ADDRESS: Final = re.compile(r"([a-z0-9][a-z0-9-]{0,62})/(\d{1,16})")
_CALL_ID: Final = re.compile(r"[0-9a-f]{32}")
_SECOND: Final = 1000.0
_RECORD_FIELDS_SHOWN_ELSEWHERE: Final = ("records", "hash", "previous_hash", "salt")


def calls(
    directory: opt.Directory = None,
    *,
    question: Question,
    limit: opt.Limit = None,
    name: opt.As = None,
    reason: opt.Reason = None,
    style: opt.TableOrRows = RowsFormat.table,
    json: opt.Json = False,
    state: opt.State = None,
) -> None:
    """List tool calls, oldest first."""
    if limit is not None and limit < 1:
        raise BadUsage("--limit must be 1 or more")
    path = trail_directory(directory)
    reader = TrailReader(path, state=state)
    found: Iterator[Mapping[str, Any]] = reader.calls(**question.filters(), limit=limit)
    if "subject" in question.only:
        found = audited(found, Journal(path, state, name=name, reason=reason), Reading("calls", question.on_record()))
    if json or style is RowsFormat.json:
        output.print_json_array(found)
    elif style is RowsFormat.jsonl:
        output.print_json_lines(found)
    else:
        zone = question.time.zone
        if not output.print_table(_columns(zone), (_row(call, zone) for call in found)):
            output.say("no calls", "dim")
    for note in reader.notes:
        output.say(note, "yellow")


def show(
    first: opt.Directory = None,
    record: Annotated[
        str | None, typer.Argument(metavar="RECORD", help="A record's address, CHAIN/SEQ, or a call's id.", show_default=False)
    ] = None,
    *,
    style: opt.TableOrJson = Format.table,
    json: opt.Json = False,
    state: opt.State = None,
) -> None:
    """Show one record, or one call with all its records."""
    directory, wanted = directory_and(first, record, "RECORD")
    reader = TrailReader(directory, state=state)
    address = _ADDRESS.fullmatch(wanted)
    if address is not None:
        found = reader.record(address[1], int(address[2]))
    elif _CALL_ID.fullmatch(wanted):
        found = reader.call(wanted)
    else:
        raise BadUsage(f"{wanted!r} names no record: write CHAIN/SEQ, such as general/12, or a call's id of 32 hex digits")
    if found is None:
        raise BadUsage(f"there is no {wanted} in {directory}")
    if json or style is Format.json:
        output.print_json(found)
        return
    console = output.stdout()
    if found.get("tool_name"):
        console.print(Text(output.safe(one_line(found)), "bold"))
    for line in output.fields(_details(found)):
        console.print(line)


def timeline(
    first: opt.Directory = None,
    conversation: Annotated[str | None, typer.Argument(metavar="CONVERSATION", help="The conversation's id.", show_default=False)] = None,
    *,
    style: opt.TableOrJson = Format.table,
    json: opt.Json = False,
    state: opt.State = None,
) -> None:
    """Tell a conversation, turn by turn."""
    directory, wanted = directory_and(first, conversation, "CONVERSATION")
    reader = TrailReader(directory, state=state)
    if json or style is Format.json:
        output.print_json_array(reader.calls(conversation=wanted))
        return
    console = output.stdout()
    told = reader.timeline(wanted)
    for line in told.splitlines():
        console.print(Text(output.safe(line)))
    if not told:
        output.say(f"no calls in conversation {wanted}", "dim")


def took(milliseconds: object) -> str:
    """Write a duration for people: milliseconds below a second, then seconds."""
    if not isinstance(milliseconds, (int, float)):
        return ""
    return f"{milliseconds:.0f} ms" if milliseconds < _SECOND else f"{milliseconds / _SECOND:.1f} s"


def _columns(zone: tzinfo) -> tuple[Column, ...]:
    return (Column(f"TIME ({zone_name(zone)})"), *_COLUMNS)


def _row(call: Mapping[str, Any], zone: tzinfo) -> tuple[Cell, ...]:
    status = str(call["status"])
    return (
        Cell(in_zone(call["timestamp"], zone)),
        Cell(status, STYLES.get(status, "")),
        Cell(str(call["user_id"])),
        Cell(str(call["conversation_id"])),
        Cell(str(call["tool_name"]), "bold"),
        Cell(took(call["duration_ms"])),
        Cell(f"{call['chain']}/{call['seq']}", "dim"),
    )


def _details(found: Mapping[str, Any]) -> Iterator[tuple[str, Cell]]:
    """Everything a record says, in its order; what is null is left out, for null says that nothing is known."""
    for name, value in found.items():
        if value is None or value in ({}, []) or name in _RECORD_FIELDS_SHOWN_ELSEWHERE:
            continue
        text = value if isinstance(value, str) else output.as_json(value)
        yield name, Cell(text, STYLES.get(text, "") if name == "status" else "")
    for record in found.get("records", ()):
        yield f"{record['chain']}/{record['seq']}", Cell(f"{record['timestamp']}  {record['event']}  {record['hash']}")
    if "records" not in found:
        for name in ("previous_hash", "hash"):
            yield name, Cell(str(found.get(name)))
