"""
The lines of a chain as they stand in its files, in order, a block at a time.

Source: FORMAT.md, sections 2 and 3.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import partial
from typing import Any, Final, NamedTuple

from otel_tool_audit.format.line import BLOCK, MAX_LINE, Read, leaf_hash, parse_place, split_line, whole_blocks
from otel_tool_audit.format.names import segment_name
from otel_tool_audit.format.nesting import read_json
from otel_tool_audit.format.segment_order import SegmentOrder, SegmentPart
from otel_tool_audit.review.source.chain_end import HeadView, expected_end
from otel_tool_audit.review.source.directory import Folder, pread
from otel_tool_audit.review.source.segment_order import order_segments

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


def extents(folder: Folder, view: HeadView | None) -> list[Extent]:
    """
    Tell what there is to read of a chain, first to last.

    Args:
        folder: The chain's directory.
        view: The head that speaks for these files, or None: then the last segment is read to its last whole line.
    """
    return extents_of(folder, order_segments(folder, view.head if view is not None else None), view)


def extents_of(folder: Folder, layout: SegmentOrder, view: HeadView | None) -> list[Extent]:
    """Tell what there is to read of a chain that is laid out; as for :func:`extents`."""
    found = [Extent(part, part.end) for part in layout.parts]
    if view is not None and found and found[-1].part.key == (view.head.first_seq, view.head.attempt):
        last = found[-1]
        with folder.opened(last.part.name) as descriptor:
            end = expected_end(view, descriptor, last.part.size, None).end
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
    for block in whole_blocks(partial(pread, descriptor), start, stop):
        yield from block.split(b"\n")[:-1]


def digested(descriptor: int, digest: hashlib._Hash) -> Read:
    """Make a reader of a segment that hashes every byte it gives."""

    def read(size: int, at: int) -> bytes:
        data = pread(descriptor, size, at)
        digest.update(data)
        return data

    return read


def sha256_of(descriptor: int, start: int, end: int) -> str:
    """Hash a part of a file, in hex."""
    found = hashlib.sha256()
    for at in range(start, end, BLOCK):
        found.update(pread(descriptor, min(BLOCK, end - at), at))
    return found.hexdigest()


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
