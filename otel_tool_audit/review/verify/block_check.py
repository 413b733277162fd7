"""What a check of a chain's lines is: it is handed them as they go by, so that they are read once for all checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_tool_audit.format.segment_order import SegmentPart
from otel_tool_audit.review.verify.blocks import Block

if TYPE_CHECKING:
    from otel_tool_audit.review.verify.chain import ChainReading


class BlockCheck:
    """A check of one chain while it is read; each hook does nothing unless a check has something to do there."""

    def __init__(self, chain: ChainReading) -> None:
        """
        Begin, before the first segment is read.

        Args:
            chain: The chain as it is read; takes what is found.
        """
        self.chain = chain

    def begin_segment(self, part: SegmentPart, *, last: bool) -> bool:
        """
        Begin a segment.

        Args:
            part: The segment.
            last: Whether none follows it.

        Returns:
            Whether the SHA-256 of its bytes is needed at its end.
        """
        del part, last
        return False

    def take(self, block: Block) -> None:
        """Take lines that hold, in order; the places of some of them may be wrong."""

    def end_segment(self, part: SegmentPart, digest: str | None) -> None:
        """
        End a segment.

        Args:
            part: The segment.
            digest: SHA-256 of its bytes in hex, if any check needed it and it could be read.
        """

    def end(self) -> None:
        """End the chain: everything of it was read."""
