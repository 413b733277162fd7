"""
Beginning an epoch in a chain: after a loss that was accepted, and where a trail is taken over.

Source: PROTOCOL.md, rule 9, "Taking over"; FORMAT.md, section 7.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from otel_tool_audit.format.events import EPOCH, TAKEN_OVER
from otel_tool_audit.format.head import NO_PENDING, NO_PREVIOUS, Head, Position
from otel_tool_audit.format.line import body, leaf_hash, line
from otel_tool_audit.format.names import TRAIL_CHAIN, genesis, parse_segment_name, segment_name
from otel_tool_audit.format.vouching import NO_SALT
from otel_tool_audit.host.directory import Directory, write_all
from otel_tool_audit.record.codec import timestamp, trail_tail
from otel_tool_audit.record.witnesses import Claim, Witnesses
from otel_tool_audit.trail.chain.chain import write_head
from otel_tool_audit.trail.state.directory import State
from otel_tool_audit.trail.state.survey import Survey


class Begun(NamedTuple):
    """
    An epoch that was begun.

    Attributes:
        number: Its number.
        first_seq: Its first seq.
    """

    number: int
    first_seq: int


class Cause(NamedTuple):
    """
    Why epochs begin.

    Attributes:
        kind: ``accepted`` or ``taken_over``.
        who: Who accepts, or takes over.
        reason: Why, in words.
    """

    kind: str
    who: str
    reason: str


ACCEPTED = "accepted"


def taking_over(state: State) -> Cause:
    """Say who takes a trail over that a state directory has never known."""
    return Cause(TAKEN_OVER, f"user {state.system.uid()} of {state.system.host()}", "this state directory had never known the trail")


def begin(  # noqa: PLR0917 - what an epoch is made of
    state: State, directory: Directory, trail_id: str, chain: str, found: Survey, old: Head | None, witnesses: Witnesses, cause: Cause, trail_count: int,
) -> Begun:  # fmt: skip
    """
    Begin an epoch: its first record is on disk before any head names it.

    If we crash before the new head stands, the old one does, or none; whoever comes next begins another epoch.

    Args:
        state: Its lock is held.
        directory: The chain's.
        trail_id: The trail's.
        chain: The chain's name.
        found: What lies in the directory.
        old: The head that is replaced, or None.
        witnesses: What the records of chain ``trail`` say.
        cause: Why.
        trail_count: The count of chain ``trail`` now; for chain ``trail`` itself it is not looked at.
    """
    claimed = witnesses.on(chain).highest()
    number = 1 + max(found.epoch, _epoch_of(old, trail_id, chain))
    first_seq = max(found.end.lines, found.highest, old.written.lines if old is not None else 0, claimed.upto if claimed is not None else 0)
    details = {
        "epoch": number, "kind": cause.kind,
        "old_head": None if old is None else _mark(old.written),
        "files": _mark(found.end),
        "claimed": _claimed(claimed, found.end),
        "claims_before": first_seq if chain == TRAIL_CHAIN else trail_count,
        "who": cause.who, "reason": cause.reason, "previous": _previous(found),
    }  # fmt: skip
    attempts = [parsed[1] for parsed in map(parse_segment_name, directory.names()) if parsed is not None and parsed[0] == first_seq]
    attempt = max(attempts, default=-1) + 1
    origin = genesis(trail_id, chain, number)
    content = state.voucher.vouch(body(first_seq, origin.hex(), trail_record(state, EPOCH, details)))
    digest = leaf_hash(content)
    data = line(content, digest)
    fd = directory.open_file(segment_name(first_seq, attempt), os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL)
    try:
        write_all(state.system, fd, data)
        state.system.fsync(fd)
    finally:
        state.system.close(fd)
    directory.sync()
    mark = Position(first_seq + 1, len(data), bytes.fromhex(digest))
    head = Head(1, origin, state.system.boot_id(), 0, first_seq, attempt, mark, mark, NO_PENDING, NO_PREVIOUS, first_seq, state.voucher.id)
    heads = state.heads(trail_id)
    try:
        if old is not None:
            # the old head stays: it is what says how much was lost
            heads.replace_file(f"{chain}.old-{number}", heads.read_file(chain))
        write_head(heads, chain, head)
    finally:
        heads.close()
    return Begun(number, first_seq)


def trail_record(state: State, event: str, details: Mapping[str, Any]) -> bytes:
    """Encode an event of the trail's life that no writer writes, but who sets the trail right."""
    return trail_tail(event, timestamp(state.system.now()), details, salt=NO_SALT, writer="0" * 32, service=b"null", digest=lambda _: None)


def _epoch_of(head: Head | None, trail_id: str, chain: str) -> int:
    """Find which epoch a head belongs to, by its origin; a loss is accepted a few times in a trail's life, not thousands."""
    if head is None:
        return 0
    return next((number for number in range(10_000) if genesis(trail_id, chain, number) == head.origin), 0)


def _mark(place: Position) -> dict[str, Any]:
    return {"count": place.lines, "hash": place.hash.hex()}


def _claimed(claim: Claim | None, end: Position) -> dict[str, Any] | None:
    return {"count": claim.upto, "hash": claim.hash} if claim is not None and claim.upto > end.lines else None


def _previous(found: Survey) -> dict[str, Any] | None:
    if not found.parts:
        return None
    part, end = found.parts[-1], found.end.offset
    return {
        "segment": part.name, "first_seq": part.key[0], "attempt": part.key[1], "valid_end": end,
        "aside_bytes": max(0, part.size - end), "aside_sha256": None, "unsynced_from": None,
    }  # fmt: skip
