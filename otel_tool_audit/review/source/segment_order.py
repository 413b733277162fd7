"""
The segments of a chain in order, read from its directory; :mod:`~otel_tool_audit.format.segment_order` says what the order is.

Source: FORMAT.md, section 3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from otel_tool_audit.format.head import Head
from otel_tool_audit.format.line import MAX_LINE
from otel_tool_audit.format.names import parse_segment_name, segment_name
from otel_tool_audit.format.segment_order import ChainFolder, First, Key, SegmentOrder, order_of, read_first
from otel_tool_audit.review.source.directory import Folder, UnsafeFileError, described, pread

_SHORT: Final = 4096


def order_segments(
    folder: Folder, head: Head | None, names: list[str] | None = None, read_head: Callable[[], Head | None] | None = None
) -> SegmentOrder:
    """
    Find the order of a chain's segments.

    Args:
        folder: The chain's directory.
        head: The head that speaks for these files, or None.
        names: What was in the directory when the head was read; by default what is in it now.
        read_head: Reads the head once more: segments that a writer opened meanwhile are left for the next time.

    Raises:
        TrailUnreadable: The directory, or a segment, could not be read.
    """

    def opened_since(key: Key) -> bool:
        later = None if read_head is None else read_head()
        if head is None or later is None or later.generation == head.generation:
            return False
        return (head.first_seq, head.attempt) < key <= (later.first_seq, later.attempt)

    found = _look(folder, folder.names() if names is None else names)
    return order_of(found, head, lambda key: _first(folder, key), opened_since)


def _look(folder: Folder, names: list[str]) -> ChainFolder:
    found = ChainFolder(folder.path, sizes := {}, unsafe := {}, [], [])
    for name in names:
        key = parse_segment_name(name)
        if key is None:
            (found.seals if name.endswith(".seal") else found.others).append(name)
            continue
        try:
            with folder.opened(name) as descriptor:
                sizes[key] = described(descriptor).st_size
        except UnsafeFileError as refused:
            unsafe[key] = str(refused)
        except FileNotFoundError:
            unsafe[key] = f"{folder.path}/{name} went away while it was looked at"
    return found


def _first(folder: Folder, key: Key) -> First | None:
    try:
        with folder.opened(segment_name(*key)) as descriptor:
            # a first record is short, but for an accepted loss
            line = pread(descriptor, _SHORT, 0).split(b"\n", 1)
            if len(line) == 1:
                line = pread(descriptor, MAX_LINE, 0).split(b"\n", 1)
    except (FileNotFoundError, UnsafeFileError):
        return None
    return read_first(line[0] + b"\n") if len(line) > 1 else None
