"""Reading single lines of a trail by where they stand; segments stay open between them."""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from otel_tool_audit.review.source import segments
from otel_tool_audit.review.source.directory import Folder, UnsafeFileError, pread

_OPEN: Final = 64
_SPARSE: Final = 4
"""Reading so many times what is wanted at once is still quicker than reading line by line."""
_SPAN: Final = 16 << 20


class StaleIndexError(Exception):
    """The files changed while they were read, or do not hold what an index says."""


class Line(NamedTuple):
    """
    Where a line stands.

    Attributes:
        chain: The chain.
        segment: The segment's file.
        at: Offset in bytes.
        size: Length in bytes, without LF.
    """

    chain: str
    segment: str
    at: int
    size: int


class Lines:
    """Reads lines."""

    def __init__(self, root: Folder) -> None:
        """
        Begin.

        Args:
            root: The trail's directory; stays the caller's.
        """
        self._root = root
        self._open: OrderedDict[tuple[str, str], int] = OrderedDict()

    def close(self) -> None:
        """Close what is open; reading goes on all the same."""
        while self._open:
            os.close(self._open.popitem()[1])

    def record(self, line: Line) -> dict[str, Any] | None:
        """Read a line as a record, ``chain`` added; None when no record stands there."""
        with contextlib.suppress(FileNotFoundError, UnsafeFileError):
            data = pread(self._descriptor(line.chain, line.segment), line.size, line.at)
            record = segments.parse(data)
            if record is not None:
                record["chain"] = line.chain
            return record
        return None

    def records(self, lines: Sequence[Line]) -> Iterator[dict[str, Any] | None]:
        """Read lines as :meth:`record` does; those that lie near each other at once."""
        spans: dict[tuple[str, str], tuple[int, int, int]] = {}
        for chain, segment, at, size in lines:
            low, high, wanted = spans.get((chain, segment), (at, 0, 0))
            spans[chain, segment] = (min(low, at), max(high, at + size), wanted + size)
        blocks = {
            where: self._block(*where, low, high - low) for where, (low, high, wanted) in spans.items() if high - low <= min(_SPARSE * wanted, _SPAN)
        }
        for line in lines:
            where = line[:2]
            if where not in blocks:
                yield self.record(line)
                continue
            start = line[2] - spans[where][0]
            record = segments.parse(blocks[where][start : start + line[3]])
            if record is not None:
                record["chain"] = line[0]
            yield record

    def _block(self, chain: str, segment: str, at: int, size: int) -> bytes:
        with contextlib.suppress(FileNotFoundError, UnsafeFileError):
            return pread(self._descriptor(chain, segment), size, at)
        return b""

    def _descriptor(self, chain: str, segment: str) -> int:
        key = (chain, segment)
        if key in self._open:
            self._open.move_to_end(key)
            return self._open[key]
        with self._root.folder(chain) as folder:
            descriptor = self._open[key] = folder.file(segment)
        # the one that was asked for least recently goes; a trail has more segments than a process may have files open
        if len(self._open) > _OPEN:
            os.close(self._open.popitem(last=False)[1])
        return descriptor
