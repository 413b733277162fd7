"""``calls``, ``show`` and ``timeline``: asking the trail. Each answers with exit code 0 once it answered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import tzinfo
from itertools import chain
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer
from rich.text import Text

from otel_tool_audit.cli import options as opt
from otel_tool_audit.cli import output
from otel_tool_audit.cli.journal import Journal, Reading, audited, without_key
from otel_tool_audit.cli.options import BadUsage, directory_and, named_format, trail_directory
from otel_tool_audit.cli.output import CallsFormat, Cell, Column, Format
from otel_tool_audit.cli.questions import Question, missing
from otel_tool_audit.export import delimited
from otel_tool_audit.export.files import parquet
from otel_tool_audit.review.clocks import in_zone, zone_name
from otel_tool_audit.review.proof import Proof, prove
from otel_tool_audit.review.reader import TrailReader
from otel_tool_audit.review.timeline import one_line

STYLES: Final = {"success": "green", "error": "red", "interrupted": "yellow", "running": "cyan"}

COLUMNS: Final = (
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
    order_by: Annotated[str | None, typer.Option("--order-by", metavar="FIELD", help="A field of a call, such as duration_ms; by default the time.", show_default=False)] = None,
    descending: Annotated[bool, typer.Option("--descending", help="The largest, or latest, first.", show_default=False)] = False,
    limit: opt.Limit = None,
    verified: Annotated[bool, typer.Option("--verified", help="Check each call's records before it is shown; stop at one that does not hold.", show_default=False)] = False,
    after: Annotated[str | None, typer.Option("--after", metavar="KEY", help="The next page: the key that the page before named.", show_default=False)] = None,
    name: opt.As = None,
    reason: opt.Reason = None,
    file: opt.Output = None,
    style: Annotated[CallsFormat | None, typer.Option("--format", metavar="FORMAT", help="table (default), json (one document), jsonl (one object a line), csv or parquet.", show_default=False)] = None,
    json: opt.Json = False,
    state: opt.State = None,
) -> None:
    """List tool calls, oldest first."""
    if limit is not None and limit < 1:
        raise BadUsage("--limit must be 1 or more")
    chosen = CallsFormat.json if json else style or named_format(file, CallsFormat) or CallsFormat.table
    if chosen is CallsFormat.table and file is not None:
        raise BadUsage("a table is for the terminal; for a file name another format: --format json, jsonl, csv or parquet")
    path = trail_directory(directory)
    reader = TrailReader(path, state=state)
    # a page that another may follow needs an order that nothing changes
    order = order_by or ("timestamp" if limit is not None or after is not None else None)
    pages = reader.calls(**question.filters(), order_by=order, descending=descending, limit=limit, after=after, verified=verified)
    found: Iterator[Mapping[str, Any]] = pages
    if "subject" in question.only:
        found = audited(found, Journal(path, state, name=name, reason=reason), Reading("calls", question.on_record()))
    if chosen is CallsFormat.table:
        zone = question.time.zone
        if not output.print_table((Column(f"TIME ({zone_name(zone)})"), *COLUMNS), (row(call, zone) for call in found)):
            output.say("no calls", "dim")
    else:
        _give(found, chosen, file)
    if pages.next_key is not None:
        output.say(f"there may be more; the next page: --after {pages.next_key}", "dim")
    for note in (*without_key(question.only.get("subject"), path, state), *missing(reader)):
        output.say(note, "yellow")


def _give(found: Iterator[Mapping[str, Any]], style: CallsFormat, file: str | None) -> None:
    if style is CallsFormat.parquet:
        if file is None:
            raise BadUsage("Parquet is nothing for a terminal: --output FILE")
        output.write_file(parquet(found), file)
        return
    pieces: Iterator[str | bytes] = iter(output.json_array(found) if style is CallsFormat.json else output.json_lines(found))
    if style is CallsFormat.csv:
        pieces = chain([delimited.header()], (delimited.encode([call]) for call in found))
    if file is not None:
        output.write_file(pieces, file)
    elif style is CallsFormat.csv:
        output.write_stdout(pieces)
    else:
        for piece in pieces:
            output.write(str(piece))


def show(
    first: opt.Directory = None,
    record: Annotated[
        str | None, typer.Argument(metavar="RECORD", help="A record's address, CHAIN/SEQ, or a call's id.", show_default=False)
    ] = None,
    *,
    trace_url: Annotated[str | None, typer.Option("--trace-url", metavar="URL", help="Where traces are seen, such as http://localhost:16686/trace/{trace_id}.", show_default=False)] = None,
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
    proof = prove(reader, str(found["chain"]), int(found["seq"]))
    if json or style is Format.json:
        output.print_json(found | ({"proof": _proof_as_dict(proof)} if proof is not None else {}))
        return
    console = output.stdout()
    if found.get("tool_name"):
        console.print(Text(output.safe(one_line(found)), "bold"))
    for line in output.fields(chain(_details(found), _link(found, trace_url), _standing(proof))):
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


def row(call: Mapping[str, Any], zone: tzinfo) -> tuple[Cell, ...]:
    """Give a call as a row of a table: the time, then :data:`COLUMNS`."""
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


def _link(found: Mapping[str, Any], template: str | None) -> Iterator[tuple[str, Cell]]:
    trace_id = found.get("trace_id")
    if template is not None and isinstance(trace_id, str):
        where = template if "{trace_id}" in template else template.rstrip("/") + "/{trace_id}"
        yield "trace", Cell(where.replace("{trace_id}", quote(trace_id, safe="")))


def _standing(proof: Proof | None) -> Iterator[tuple[str, Cell]]:
    """Tell how a record stands in its chain, and between which others."""
    if proof is None:
        return
    for name, neighbour in (("before it", proof.before), ("after it", proof.after)):
        if neighbour is not None:
            told = one_line(neighbour) if neighbour.get("tool_name") else ""
            yield name, Cell(f"{neighbour['chain']}/{neighbour['seq']}  {neighbour.get('timestamp')}  {neighbour.get('event')}  {told}".rstrip(), "dim")
    yield "proof", Cell(f"{proof.in_words()}; `verify` tells of the whole chain", "green" if proof.ok else "bold red")


def _proof_as_dict(proof: Proof) -> dict[str, Any]:
    address = [None if n is None else f"{n['chain']}/{n['seq']}" for n in (proof.before, proof.after)]
    return {"ok": proof.ok, "holds": proof.holds, "follows": proof.follows, "followed": proof.followed, "before": address[0], "after": address[1]}
