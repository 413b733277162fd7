"""
Reading lines of a segment for the writer's own decisions: where the last good line ends, and whether a write is whole.

Source: FORMAT.md, sections 2 and 3.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from otel_tool_audit.format.head import Position
from otel_tool_audit.format.line import HASH_TRAILER, MAX_BODY, leaf_hash, parse_place, split_line
from otel_tool_audit.format.names import parse_segment_name
from otel_tool_audit.format.nesting import read_json
from otel_tool_audit.host.directory import read_exactly
from otel_tool_audit.host.system import System

MAX_LINE: Final = MAX_BODY - 1 + HASH_TRAILER
_BLOCK: Final = 1 << 20


def good_line(line: bytes, seq: int, previous: bytes) -> bytes | None:
    """
    Check one line against its place.

    Args:
        line: With its LF.
        seq: What its ``seq`` must be.
        previous: What its ``previous_hash`` must be, 32 bytes.

    Returns:
        The line's hash (32 bytes), or None when anything is wrong.
    """
    parts = split_line(line)
    if parts is None or len(line) > MAX_LINE:
        return None
    body, claimed = parts
    if parse_place(body) != (seq, previous.hex().encode()):
        return None
    found = leaf_hash(body)
    return bytes.fromhex(found) if found.encode() == claimed else None


def follow(system: System, fd: int, start: Position, end: int) -> Position:
    """
    Follow a segment line by line as far as it is good.

    Args:
        system: The system calls.
        fd: The segment.
        start: From where; its hash is what the first line must name.
        end: Where to stop, in bytes.

    Returns:
        The place after the last good line at or before *end*.
    """
    count, offset, previous = start
    rest, at = b"", offset
    while at < end:
        block = system.read(fd, min(_BLOCK, end - at), at)
        if not block:
            break
        at += len(block)
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        for text in lines:
            found = good_line(text + b"\n", count, previous)
            if found is None:
                return Position(count, offset, previous)
            count, offset, previous = count + 1, offset + len(text) + 1, found
        if len(rest) > MAX_LINE:
            break
    return Position(count, offset, previous)


def last_hash_before(system: System, fd: int, offset: int) -> bytes | None:
    """
    Read the hash of the line that ends at *offset*, and check that line by itself.

    Returns:
        32 bytes, or None when no good line ends there.
    """
    start = max(0, offset - MAX_LINE)
    data = read_exactly(system, fd, start, offset - start)
    if len(data) != offset - start or not data.endswith(b"\n"):
        return None
    line = data[data.rfind(b"\n", 0, -1) + 1 :]
    parts = split_line(line)
    if parts is None or leaf_hash(parts[0]).encode() != parts[1]:
        return None
    return bytes.fromhex(parts[1].decode())


def sha256_of(system: System, fd: int, start: int, end: int) -> bytes:
    """Hash a range of a file, in blocks."""
    digest = hashlib.sha256()
    while start < end:
        block = system.read(fd, min(_BLOCK, end - start), start)
        if not block:
            break
        digest.update(block)
        start += len(block)
    return digest.digest()


def first_record(system: System, fd: int) -> dict[str, Any]:
    """Read a segment's first record; empty when its line is not whole or its ``details`` are no object."""
    parts = split_line(read_exactly(system, fd, 0, MAX_LINE).split(b"\n")[0] + b"\n")
    if parts is None or leaf_hash(parts[0]).encode() != parts[1]:
        return {}
    try:
        found = read_json(parts[0])
    except ValueError:
        return {}
    return found if isinstance(found.get("details", {}), dict) else {}


def named_ending(record: dict[str, Any]) -> dict[str, Any] | None:
    """
    Read what a segment's first record says of the segment before it.

    The trail's files may have been written by anybody: what no writer says is as good as nothing, and never becomes a path.

    Args:
        record: As :func:`first_record` gives it.

    Returns:
        ``previous`` of its details; None when it says nothing, or something that no writer says.
    """
    ending = record.get("details", {}).get("previous")
    if not isinstance(ending, dict) or not isinstance(ending.get("segment"), str):
        return None
    unsynced = ending.get("unsynced_from")
    place = (ending.get("first_seq"), ending.get("attempt"))
    numbers = [*place, ending.get("valid_end"), ending.get("aside_bytes")]
    if unsynced is not None:
        if not isinstance(unsynced, dict):
            return None
        numbers += [unsynced.get("count"), unsynced.get("offset")]
    counts = all(type(number) is int and number >= 0 for number in numbers)
    return {**ending, "unsynced_from": unsynced} if counts and parse_segment_name(ending["segment"]) == place else None
