"""
Following an open segment from a place that is known: how far its lines are good, and how far they count after a crash of the host. Pure.

Source: FORMAT.md, section 5 ("After a crash"); PROTOCOL.md, HOST CRASH, "Vouching".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from otel_tool_audit.format.head import NONE, Head, Position
from otel_tool_audit.format.line import HASH_TRAILER, Read, good_line, whole_blocks
from otel_tool_audit.format.vouching import Voucher


class Followed(NamedTuple):
    """
    How far an open segment goes after a crash of the host.

    Attributes:
        good: The place after the last line that is whole, holds its hash and follows the one before it.
        counting: The place after the last of these that belongs to the chain.
        vouched: The place after the last of these that is vouched for; ``synced`` when none is.
    """

    good: Position
    counting: Position
    vouched: Position


def good_lines(read: Read, start: Position, end: int) -> Iterator[tuple[bytes, Position]]:
    """
    Follow a segment line by line as far as it is good.

    Args:
        read: Reads the segment.
        start: From where; its hash is what the first line must name.
        end: Where to stop, in bytes.

    Yields:
        Each good line with its LF, and the place after it.
    """
    place = start
    for block in whole_blocks(read, start.offset, end):
        for text in block.split(b"\n")[:-1]:
            found = good_line(text + b"\n", place.lines, place.hash)
            if found is None:
                return
            place = Position(place.lines + 1, place.offset + len(text) + 1, found)
            yield text + b"\n", place


def follow(read: Read, start: Position, end: int) -> Position:
    """Give the place after the last good line at or before *end*; as for :func:`good_lines`."""
    place = start
    for _, after in good_lines(read, start, end):
        place = after
    return place


def follow_after_crash(read: Read, head: Head, size: int, voucher: Voucher | None) -> Followed:
    """
    Follow the open segment from what was synced, after the host went down.

    Args:
        read: Reads the segment.
        head: The chain's head.
        size: The segment's size, in bytes.
        voucher: The state directory's key; None when it cannot be had.
    """
    needed_from = head.vouched_from if voucher is not None and voucher.id == head.key_id else NONE
    good = counting = vouched = head.synced
    for line, after in good_lines(read, head.synced, size):
        good = after
        if voucher is not None and voucher.vouches_for(line[:-HASH_TRAILER] + b"}"):
            counting = vouched = after
        elif needed_from == NONE or after.lines <= needed_from:
            counting = after
    return Followed(good, counting, vouched)
