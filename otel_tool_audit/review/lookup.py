"""Reading single lines of a trail by where they stand; segments stay open between them."""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from typing import Any, Final, NamedTuple

from otel_tool_audit.review import segments
from otel_tool_audit.review.files import Folder, Refused, pread

_OPEN: Final = 64


class Stale(Exception):
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
        with contextlib.suppress(OSError, Refused):
            data = pread(self._descriptor(line.chain, line.segment), line.size, line.at)
            record = segments.parse(data)
            if record is not None:
                record["chain"] = line.chain
            return record
        return None

    def _descriptor(self, chain: str, segment: str) -> int:
        key = (chain, segment)
        if key in self._open:
            self._open.move_to_end(key)
            return self._open[key]
        with self._root.folder(chain) as folder:
            descriptor = self._open[key] = folder.file(segment)
        if len(self._open) > _OPEN:
            os.close(self._open.popitem(last=False)[1])
        return descriptor
