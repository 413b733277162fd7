"""``show``: one record, or one call with all its records, and how it stands in its chain."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer
from rich.text import Text

from otel_tool_audit import exit_codes
from otel_tool_audit.access.reader import TrailReader
from otel_tool_audit.cli import BadUsage, output
from otel_tool_audit.cli import options as opt
from otel_tool_audit.cli.answer_status import leave
from otel_tool_audit.cli.calls import STYLES
from otel_tool_audit.cli.options import directory_and
from otel_tool_audit.cli.output import Cell
from otel_tool_audit.cli.questions import AnswerRequest, asks, request_options
from otel_tool_audit.review.calls.filters import nearest
from otel_tool_audit.review.calls.timeline import one_line
from otel_tool_audit.review.verify.neighbours import Proof

_ADDRESS: Final = re.compile(r"([a-z0-9][a-z0-9-]{0,62})/(\d{1,16})")
_CALL_ID: Final = re.compile(r"[0-9a-f]{32}")
_RECORD_FIELDS_SHOWN_ELSEWHERE: Final = ("records", "hash", "previous_hash", "salt")


@asks
def show(
    first: opt.Directory = None,
    record: Annotated[str | None, typer.Argument(metavar="RECORD", help="A record's address, CHAIN/SEQ, or a call's id.", show_default=False)] = None,
    *,
    trace_url: Annotated[
        str | None,
        typer.Option(
            "--trace-url", metavar="URL", help="Where traces are seen, such as http://localhost:16686/trace/{trace_id}.", show_default=False
        ),
    ] = None,
    request: Annotated[AnswerRequest, request_options(file=False, style=opt.TableOrJson)],
) -> None:
    """Show one record, or one call with all its records.

    What shows a subject's data is recorded in the trail. Exit 1 when the record does not hold, or the trail is seen to be broken.
    """
    directory, wanted = directory_and(first, record, "RECORD")
    reader = request.open(directory)
    address = _ADDRESS.fullmatch(wanted)
    if address is not None:
        found = reader.record(address[1], int(address[2]))
    elif _CALL_ID.fullmatch(wanted):
        found = reader.call(wanted)
    else:
        raise BadUsage(_no_record(first, record, wanted))
    if found is None:
        raise BadUsage(f"there is no {wanted} in {directory}{_what_there_is(reader, address)}")
    proof = reader.proof(str(found["chain"]), int(found["seq"]))
    status = reader.status()
    if request.json or request.style == "json":
        output.print_json(found | {"proof": None if proof is None else _proof_as_dict(proof), "trail": status.as_dict()})
    else:
        console = output.stdout()
        if found.get("tool_name"):
            console.print(Text(output.safe(one_line(found)), "bold"))
        output.print_fields(chain(_details(found), _link(found, trace_url), _place(proof)))
    leave(status)
    if proof is not None and not proof.ok:
        raise typer.Exit(exit_codes.BROKEN)


def _what_there_is(reader: TrailReader, address: re.Match[str] | None) -> str:
    """Say which addresses there are, where one was asked for that is none."""
    ends = {head.chain: head.count for head in reader.heads()}
    if address is None or not ends:
        return ""
    if address[1] in ends:
        return f"; the last record of chain {address[1]} is {address[1]}/{ends[address[1]] - 1}"
    return f"; its chains are: {', '.join(nearest(address[1], ends))}"


def _no_record(first: str | None, second: str | None, wanted: str) -> str:
    """Say what is missing: whoever names a directory only has forgotten the record."""
    if second is None and first is not None and os.path.isdir(first):
        return f"which record of {first}? Write CHAIN/SEQ, such as general/12, or a call's id of 32 hex digits; `calls` lists them"
    return f"{wanted!r} names no record: write CHAIN/SEQ, such as general/12, or a call's id of 32 hex digits"


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


def _place(proof: Proof | None) -> Iterator[tuple[str, Cell]]:
    """Tell how a record stands in its chain, and between which others."""
    if proof is None:
        return
    for name, neighbour in (("before it", proof.before), ("after it", proof.after)):
        if neighbour is not None:
            call = one_line(neighbour) if neighbour.get("tool_name") else ""
            yield (
                name,
                Cell(f"{neighbour['chain']}/{neighbour['seq']}  {neighbour.get('timestamp')}  {neighbour.get('event')}  {call}".rstrip(), "dim"),
            )
    yield "proof", Cell(f"{proof.in_words()}; `verify` tells of the whole chain", "green" if proof.ok else "bold red")


def _proof_as_dict(proof: Proof) -> dict[str, Any]:
    address = [None if n is None else f"{n['chain']}/{n['seq']}" for n in (proof.before, proof.after)]
    return {"ok": proof.ok, "holds": proof.holds, "follows": proof.follows, "followed": proof.followed, "before": address[0], "after": address[1]}
