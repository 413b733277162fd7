"""
The open segment of a chain, read as it is: what was appended since the last question is read on, the rest is remembered.

Source: FORMAT.md, section 3.
"""

from __future__ import annotations

import os
from functools import partial
from typing import Final

from otel_tool_audit.format.line import whole_blocks
from otel_tool_audit.review.index.extract import Extraction
from otel_tool_audit.review.source.directory import Folder, pread

_REMEMBERED: Final = 256


class OpenSegment:
    """
    An open segment.

    Attributes:
        chain: Its chain.
        name: Its file.
        found: What was extracted so far.
        at: Up to where it was read, in bytes.
    """

    def __init__(self, chain: str, name: str) -> None:
        self.chain = chain
        self.name = name
        self.found = Extraction()
        self.at = 0
        self._inode = -1
        self._last = b""

    def read_on(self, folder: Folder, end: int) -> bool:
        """
        Read what was appended.

        Args:
            folder: The chain's directory.
            end: Where its lines end now, in bytes.

        Returns:
            False when the file is another one, or no longer holds what was read: then begin anew.
        """
        with folder.opened(self.name) as descriptor:
            # An inode may be used again, and a file that was cut and written anew may be longer than it was: so the last bytes that were
            # read must stand where they stood. A byte that was changed before them is `verify`'s to find: what was read is remembered.
            inode = os.fstat(descriptor).st_ino
            if self.at and (inode != self._inode or end < self.at or pread(descriptor, len(self._last), self.at - len(self._last)) != self._last):
                return False
            self._inode = inode
            # lines of any length, whole: where the next one begins is counted by them
            for block in whole_blocks(partial(pread, descriptor), self.at, end, longest=end):
                self.at = self.found.feed(block.split(b"\n")[:-1], self.at)
            start = max(0, self.at - _REMEMBERED)
            self._last = pread(descriptor, self.at - start, start)
        return True
