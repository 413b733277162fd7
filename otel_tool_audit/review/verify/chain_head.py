"""
Check 8: whether every chain ends where the head outside the trail says.

Source: FORMAT.md, section 5; PROTOCOL.md, rule 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_tool_audit.format.head import Head
from otel_tool_audit.format.line import MAX_LINE, split_line
from otel_tool_audit.format.names import TRAIL_CHAIN, genesis
from otel_tool_audit.format.segment_order import of_previous
from otel_tool_audit.review.source.directory import pread
from otel_tool_audit.review.source.location import Relation
from otel_tool_audit.review.verify.block_check import BlockCheck
from otel_tool_audit.review.verify.copies import compare_with_original
from otel_tool_audit.review.verify.findings import HEAD

if TYPE_CHECKING:
    from otel_tool_audit.review.verify.view import TrailView


class HeadCheck(BlockCheck):
    """Holds the chain's end against its head."""

    def end(self) -> None:
        """Compare, once everything was read."""
        chain = self.chain
        tail, reached, last = chain.taken.tail, chain.walk.seq, chain.walk.last
        if tail is None:
            return
        if tail.wrong is not None:
            seq, what = tail.wrong
            chain.find(HEAD, reached if seq is None else seq, what)
        elif reached < tail.upto:
            chain.find(HEAD, reached, f"the chain ends before record {reached}, its head says {tail.upto}: shorter than the head: a backup?")
        elif reached > tail.upto:
            what = f"the chain goes on to record {reached - 1}, its head says {tail.upto}: longer than the head: forged, or the state restored?"
            chain.find(HEAD, tail.upto, what)
        elif last is not None and last != tail.hash:
            what = f"record {reached - 1} is not the one that the head names: it, or records up to it, were rewritten with new hashes"
            chain.find(HEAD, max(reached - 1, 0), what)
        elif chain.taken.head is not None and chain.taken.layout.parts:
            self._fields(chain.taken.head)

    def _fields(self, head: Head) -> None:
        """Hold against the files what the head says besides where the chain ends: a writer would act on it after a crash."""
        chain, part = self.chain, self.chain.taken.layout.parts[-1]
        if part.key != (head.first_seq, head.attempt):
            return
        if head.origin != genesis(chain.trail_id, chain.name, chain.epoch):
            chain.find(HEAD, None, "the head names another origin than that of the epoch that the chain is in: the state directory was damaged")
        declared = of_previous(head.prev)
        first = part.first
        if declared is not None and first is not None and first.ending is not None and declared != first.ending:
            chain.find(HEAD, None, "the head says otherwise than the open segment how the one before it ended: the state directory was damaged")
        if head.synced.offset and (head.synced.offset > part.size or self._hash_before(part.name, head.synced.offset) != head.synced.hash.hex()):
            chain.find(HEAD, None, f"no line ends at byte {head.synced.offset} of {part.name} as the head says of what was synced")

    def _hash_before(self, segment: str, offset: int) -> str | None:
        with self.chain.folder.opened(segment) as descriptor:
            start = max(0, offset - MAX_LINE)
            data = pread(descriptor, offset - start, start)
        parts = split_line(data[data.rfind(b"\n", 0, -1) + 1 :]) if data.endswith(b"\n") else None
        return None if parts is None else parts[1].decode("ascii", "replace")


def check_heads(view: TrailView) -> None:
    """
    Check that the trail has the heads that it must have, and hold a copy against those of its trail.

    Args:
        view: The trail; all chains are read.
    """
    if view.knows and TRAIL_CHAIN not in view.heads_outside:
        what = f"the state directory knows this trail, but the head of chain {TRAIL_CHAIN} is gone from it"
        view.findings.find(HEAD, TRAIL_CHAIN, None, what)
    if not view.state.private and view.found.relation is Relation.COPY and view.found.place is not None:
        compare_with_original(view.found.place, view.state, view.chains, view.findings)
