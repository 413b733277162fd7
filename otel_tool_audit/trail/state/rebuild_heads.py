"""
Making heads for a trail that this state directory has never known: only from a verification of every line.

What was written before has no head that speaks for it, so its integrity stays "cannot tell" for ever; ``trail.opened`` records that.

Source: PROTOCOL.md, rule 2.
"""

from __future__ import annotations

import os
import stat
from typing import Any, NamedTuple

from otel_tool_audit.errors import TrailTampered
from otel_tool_audit.format.events import EPOCH
from otel_tool_audit.format.following import follow
from otel_tool_audit.format.head import NO_PENDING, NO_PREVIOUS, ZERO_HASH, Head, Pending, Position
from otel_tool_audit.format.line import MAX_LINE
from otel_tool_audit.format.names import PRIVATE_STATE, genesis, parse_segment_name, segment_name, valid_chain
from otel_tool_audit.host.directory import Directory, read_exactly
from otel_tool_audit.host.system import System
from otel_tool_audit.trail.chain.chain import write_head
from otel_tool_audit.trail.chain.scan import first_record, named_ending, reading
from otel_tool_audit.trail.state.directory import State


class ChainWalk(NamedTuple):
    """
    How far the files of a chain can be followed.

    Attributes:
        end: The place after the last good line, in the last segment that has one.
        first_seq: First seq of that segment.
        attempt: Its attempt.
        size: Its size in bytes.
        epoch: The epoch it belongs to.
        flaw: What stopped the walk before the end of the files; None when nothing did, but for a torn last line.
    """

    end: Position
    first_seq: int
    attempt: int
    size: int
    epoch: int
    flaw: str | None


def rebuild_heads(state: State, root: Directory, trail_id: str) -> list[dict[str, Any]]:
    """
    Make a head for every chain of an unknown trail.

    Returns:
        What ``trail.opened`` records: chain, count and hash of each head that was made.

    Raises:
        TrailTampered: A chain cannot be followed to its end.
    """
    made: list[dict[str, Any]] = []
    heads = state.heads(trail_id)
    try:
        for name in chain_names(root):
            directory = root.open_directory(name)
            try:
                found = walk(state.system, directory, trail_id, name)
                if found.flaw is not None:
                    raise TrailTampered(
                        f"{directory.path} cannot be taken over: {found.flaw}; run `otel-tool-audit verify`, then `otel-tool-audit recover --accept`"
                    )
                _sync_segment(directory, found)
            finally:
                directory.close()
            write_head(heads, name, _head(state.system, trail_id, name, found))
            made.append({"chain": name, "head": "absent", "count": found.end.lines, "hash": found.end.hash.hex()})
    finally:
        heads.close()
    return made


def chain_names(root: Directory) -> list[str]:
    """List the directories of a trail that are named as chains are."""
    return [
        name for name in root.names()
        if name != PRIVATE_STATE and valid_chain(name) and stat.S_ISDIR(root.system.stat(name, dir_fd=root.fd).st_mode)
    ]  # fmt: skip


def walk(system: System, directory: Directory, trail_id: str, chain: str) -> ChainWalk:
    """
    Follow a chain through its segments, by what each segment's first record says of the one before.

    Args:
        system: The system calls.
        directory: The chain's.
        trail_id: The trail's.
        chain: The chain's name.
    """
    place = ChainWalk(Position(0, 0, genesis(trail_id, chain)), 0, 0, 0, 0, None)
    for first_seq, attempt in _segments(system, directory):
        name = segment_name(first_seq, attempt)
        fd = directory.open_file(name, os.O_RDONLY)
        try:
            size = system.fstat(fd).st_size
            first = first_record(system, fd)
            previous = named_ending(first)
            number = first.get("details", {}).get("epoch")
            if first.get("event") == EPOCH and type(number) is int:
                epoch = number
                start = Position(first_seq, 0, genesis(trail_id, chain, epoch))
            elif previous is not None:
                epoch, start = place.epoch, Position(place.end.lines, 0, place.end.hash)
                if previous["segment"] != segment_name(place.first_seq, place.attempt) or previous["valid_end"] != place.end.offset:
                    place = _until(system, directory, place, previous)
                    start = Position(place.end.lines, 0, place.end.hash)
            else:
                epoch, start = place.epoch, Position(place.end.lines, 0, place.end.hash)
            if place.flaw is not None and first.get("event") != EPOCH:
                continue
            if start.lines != first_seq:
                # an accepted loss ends here if one was accepted: the walk goes on from the next epoch
                place = place._replace(
                    flaw=f"segment {name} begins at seq {first_seq}, the lines before it end at {start.lines}: a segment is missing or was changed"
                )
                continue
            end = follow(reading(system, fd), start, size)
            place = ChainWalk(end, first_seq, attempt, size, epoch, None)
            if size - end.offset > MAX_LINE or b"\n" in read_exactly(system, fd, end.offset, size - end.offset):
                place = place._replace(flaw=f"the line at seq {end.lines} in segment {name} is not the one that was written")
        finally:
            system.close(fd)
    return place


def _until(system: System, directory: Directory, place: ChainWalk, previous: dict[str, Any]) -> ChainWalk:
    """The segment before ended earlier than its last good line (a failed sync set lines aside): follow it again, only that far."""
    fd = directory.open_file(segment_name(place.first_seq, place.attempt), os.O_RDONLY)
    try:
        try:
            before = bytes.fromhex(first_record(system, fd).get("previous_hash", ""))
        except (ValueError, TypeError):
            before = ZERO_HASH
        return place._replace(end=follow(reading(system, fd), Position(place.first_seq, 0, before), previous["valid_end"]), flaw=None)
    finally:
        system.close(fd)


def _segments(system: System, directory: Directory) -> list[tuple[int, int]]:
    """List the segments that count: of each first seq the highest attempt, and none that is empty."""
    counting: dict[int, int] = {}
    for name in directory.names():
        parsed = parse_segment_name(name)
        if parsed is not None and system.stat(name, dir_fd=directory.fd).st_size:
            counting[parsed[0]] = max(parsed[1], counting.get(parsed[0], 0))
    return sorted(counting.items())


def _sync_segment(directory: Directory, found: ChainWalk) -> None:
    if found.size:
        fd = directory.open_file(segment_name(found.first_seq, found.attempt), os.O_RDONLY)
        try:
            directory.system.fdatasync(fd)
        finally:
            directory.system.close(fd)


def _head(system: System, trail_id: str, chain: str, found: ChainWalk) -> Head:
    torn = found.size - found.end.offset
    # a torn last line is what a killed write leaves; announced as longer than it is, it is set aside by the ordinary recovery
    pending = Pending(1, torn + 1, ZERO_HASH) if torn else NO_PENDING
    origin = genesis(trail_id, chain, found.epoch)
    return Head(1, origin, system.boot_id(), 0, found.first_seq, found.attempt, found.end, found.end, pending, NO_PREVIOUS)
