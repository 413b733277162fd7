"""
The lines of a chain as they stand in its files, in order, a block at a time.

Source: FORMAT.md, sections 2 and 3.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from otel_tool_audit.format.head import Head
from otel_tool_audit.format.line import leaf_hash, parse_place, split_line
from otel_tool_audit.format.names import segment_name
from otel_tool_audit.format.nesting import read_json
from otel_tool_audit.review.source.directory import Folder, pread
from otel_tool_audit.review.source.segment_order import MAX_LINE, SegmentOrder, SegmentPart, order_segments

BLOCK: Final = 1 << 20
"""Bytes that are read at once."""

_NEAR: Final = 16 << 10
"""Bytes that are searched line by line."""
_PROBE: Final = 4 << 10
"""Bytes in which a line usually begins."""
_PLACE: Final = 128
"""Bytes that hold the seq of a line, see :func:`~otel_tool_audit.format.names.parse_place`."""


class Extent(NamedTuple):
    """A segment and where its lines end, in bytes."""

    part: SegmentPart
    end: int


def extents(folder: Folder, head: Head | None, boot: bytes | None = None) -> list[Extent]:
    """
    Tell what there is to read of a chain, first to last.

    Args:
        folder: The chain's directory.
        head: The head that speaks for these files, or None: then the last segment is read to its last whole line.
        boot: This boot's id; after a crash of the host the head says nothing of the end.
    """
    return extents_of(order_segments(folder, head), head, boot)


def extents_of(layout: SegmentOrder, head: Head | None, boot: bytes | None) -> list[Extent]:
    """Tell what there is to read of a chain that is laid out; as for :func:`extents`."""
    found = [Extent(part, part.end) for part in layout.parts]
    if head is not None and found and found[-1].part.key == (head.first_seq, head.attempt) and (head.clean or head.boot == boot):
        last = found[-1]
        end = head.written.offset
        if head.pending.lines and last.part.size == end + head.pending.size:
            end = last.part.size
        found[-1] = last._replace(end=min(end, last.part.size))
    return found


def absent(folder: Folder, layout: SegmentOrder, found: list[Extent]) -> list[str]:
    """
    Tell what of a chain cannot be read, so that no answer passes over it in silence.

    Args:
        folder: The chain's directory.
        layout: How the chain is laid out.
        found: What there is to read.
    """
    lacking = [f"segment {segment_name(*m.key)}, which {m.named_by} names, is not there: its records are in no answer" for m in layout.missing]
    if found and found[-1].end:
        last_one = found[-1]
        with folder.opened(last_one.part.name) as descriptor:
            start = max(0, last_one.end - MAX_LINE)
            rest = pread(descriptor, last_one.end - start, start).rpartition(b"\n")[2]
        if rest:
            lacking.append(f"{last_one.part.name} ends in {len(rest)} bytes of a line that is not whole: torn, it is in no answer")
    return lacking


def lines(folder: Folder, extent: Extent, start: int = 0) -> Iterator[bytes]:
    """
    Give the whole lines of a segment, without their LF.

    Args:
        folder: The chain's directory.
        extent: Which segment, and how far.
        start: From which byte on; a line begins there.
    """
    with folder.opened(extent.part.name) as descriptor:
        yield from whole_lines(descriptor, start, extent.end)


def whole_lines(descriptor: int, start: int, stop: int) -> Iterator[bytes]:
    """
    Give the whole lines of a part of a segment, without their LF.

    Args:
        descriptor: Of the segment.
        start: From which byte on; a line begins there.
        stop: Before which byte.
    """
    rest, at = b"", start
    while at < stop:
        block = pread(descriptor, min(BLOCK, stop - at), at)
        if not block:
            break
        at += len(block)
        whole = (rest + block).split(b"\n")
        rest = whole.pop()
        if len(rest) > MAX_LINE:
            # no line is that long: what stands here is none, and must not fill the memory
            rest = rest[-MAX_LINE:]
        yield from whole


def line_end(descriptor: int, stop: int, end: int) -> int:
    """
    Find the end of the line that holds the byte before *stop*.

    Args:
        descriptor: Of the segment.
        stop: Where to begin.
        end: Where the segment's lines end, which counts as the end of a line.
    """
    while stop < end:
        data = pread(descriptor, min(MAX_LINE, end - stop + 1), stop - 1)
        at = data.find(b"\n")
        if at >= 0:
            return stop + at
        stop += max(len(data) - 1, 1)
    return end


def parse(line: bytes) -> dict[str, Any] | None:
    """Read a line as a record; None when it is none."""
    try:
        record = read_json(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and type(record.get("seq")) is int else None


def holds(line: bytes) -> bool:
    """Tell whether a line's own hash is right."""
    taken = split_line(line + b"\n")
    return taken is not None and leaf_hash(taken[0]).encode() == taken[1]


def find(folder: Folder, found: list[Extent], seq: int) -> bytes | None:
    """
    Find the line with that seq, by halving the segment it must stand in.

    Args:
        folder: The chain's directory.
        found: Its segments.
        seq: Which record.
    """
    inside = [extent for extent in found if extent.part.key[0] <= seq]
    if not inside:
        return None
    extent = inside[-1]
    low, high = 0, extent.end
    with folder.opened(extent.part.name) as descriptor:
        while high - low > _NEAR:
            at, here = _next_line(descriptor, (low + high) // 2)
            if here is None or at >= high:
                break
            low, high = (at, high) if here <= seq else (low, at)
        for line in whole_lines(descriptor, low, high):
            place = parse_place(line)
            if place is not None and place[0] == seq:
                return line
    return None


def _next_line(descriptor: int, at: int) -> tuple[int, int | None]:
    """Tell where the first line after *at* begins, and its seq; None when none begins soon, or it is no record."""
    for size in (_PROBE, 2 * MAX_LINE):
        block = pread(descriptor, size, at)
        begin = block.find(b"\n") + 1
        if begin and len(block) - begin >= _PLACE:
            place = parse_place(block[begin : begin + _PLACE])
            return at + begin, None if place is None else place[0]
    return at, None


def last(folder: Folder, found: list[Extent]) -> dict[str, Any] | None:
    """Read the last record; None when there is none."""
    for extent in reversed(found):
        with folder.opened(extent.part.name) as descriptor:
            start = max(0, extent.end - 2 * MAX_LINE)
            for line in reversed(pread(descriptor, extent.end - start, start).split(b"\n")):
                record = parse(line)
                if record is not None:
                    return record
    return None


def show(line: bytes) -> str:
    """Show a line that is no record, cut to what fits in a message."""
    return json.dumps(line[:80].decode("utf-8", "replace"))
