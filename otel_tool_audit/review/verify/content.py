"""Check 12: lines whose hashes hold and that are no records, or not of this place; :mod:`~otel_tool_audit.review.verify.strict` says what that is."""

from __future__ import annotations

from otel_tool_audit.review.verify.block_check import BlockCheck
from otel_tool_audit.review.verify.blocks import Block
from otel_tool_audit.review.verify.findings import DEEP


class ContentCheck(BlockCheck):
    """Reports the flaws that were found while the lines were checked."""

    def take(self, block: Block) -> None:
        """Report those of these lines."""
        for seq, flaw in block.flaws:
            self.chain.find(DEEP, seq, f"record {seq} holds its hash, but {flaw}")
