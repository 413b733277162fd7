"""
Reading lines of a segment for the writer's own decisions: how a segment ended, and what its bytes are.

Source: FORMAT.md, sections 2 and 3.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from otel_tool_audit.format.line import MAX_LINE, Read, leaf_hash, split_line
from otel_tool_audit.format.names import parse_segment_name
from otel_tool_audit.format.nesting import read_json
from otel_tool_audit.host.directory import read_exactly
from otel_tool_audit.host.system import System

_BLOCK: Final = 1 << 20


def reading(system: System, fd: int) -> Read:
    """Read a segment by its descriptor, as :mod:`~otel_tool_audit.format.following` wants it."""
    return lambda size, offset: system.read(fd, size, offset)


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
