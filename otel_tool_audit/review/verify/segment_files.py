"""
Checks 5 and 11: whether every segment is there and ends where its successor says, and whether what is gone is on record.

Source: FORMAT.md, sections 3 and 4 (``trail.pruned``); PROTOCOL.md, rules 3 and 9.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_tool_audit.format.events import PRUNED
from otel_tool_audit.format.segment_order import SegmentPart
from otel_tool_audit.review.source.segments import sha256_of
from otel_tool_audit.review.verify import findings as f
from otel_tool_audit.review.verify.block_check import BlockCheck
from otel_tool_audit.review.verify.seals import covers

if TYPE_CHECKING:
    from otel_tool_audit.review.verify.chain import ChainReading


class SegmentCheck(BlockCheck):
    """Holds the files against the order that the head and the segments' first records give them."""

    def __init__(self, chain: ChainReading) -> None:
        super().__init__(chain)
        for seq, message in chain.taken.layout.strangers:
            chain.find(f.SEGMENTS, seq, message)
        chain.findings.notes.extend(chain.taken.layout.notes)

    def end_segment(self, part: SegmentPart, digest: str | None) -> None:
        """Hold what follows the segment's end against what its successor says of it."""
        del digest
        ending, at = part.ending, self.chain.walk.seq
        if ending is None:
            return
        after = part.size - ending.valid_end
        if after < 0:
            self.chain.find(f.SEGMENTS, at, f"segment {part.name} is {-after} bytes shorter than what follows it says")
        elif after != ending.aside_bytes and not (ending.aside_bytes and ending.aside_sha256 is None):
            what = f"segment {part.name} has {after} bytes after its end, what follows it says {ending.aside_bytes}: added or cut"
            self.chain.find(f.SEGMENTS, at, what)
        elif ending.aside_sha256 is not None and after and self._sha256(part, ending.valid_end) != ending.aside_sha256:
            self.chain.find(f.SEGMENTS, at, f"the bytes that were set aside in segment {part.name} were changed")

    def _sha256(self, part: SegmentPart, begin: int) -> str:
        with self.chain.folder.opened(part.name) as descriptor:
            return sha256_of(descriptor, begin, part.size)


class LossCheck(BlockCheck):
    """Tells segments that were pruned from segments that are missing, once all records are read that may say so."""

    def end(self) -> None:
        """Judge everything that is not there."""
        chain, name = self.chain, self.chain.name
        pruned = [record for _, record in chain.facts.events if record.get("event") == PRUNED]
        for missing, begin, stop, following in chain.absent:
            if covers(chain.folder, pruned, begin, stop, following, lambda seq, what: chain.find(f.EPOCHS, seq, what)):
                chain.findings.notes.append(f"records {begin} to {stop - 1} of chain {name} were pruned; the record of it and their seals are here")
            else:
                ending = "" if missing.ending is None else f" of {missing.ending.valid_end} bytes"
                chain.find(f.SEGMENTS, begin, f"a segment{ending} with records {begin} to {stop - 1} is missing; rotated?")
        for missing in chain.taken.layout.missing:
            if not any(missing is one.missing for one in chain.absent):
                what = f"the segment beginning with record {missing.key[0]}, which {missing.named_by} names, is missing; rotated?"
                chain.find(f.SEGMENTS, missing.key[0], what)
