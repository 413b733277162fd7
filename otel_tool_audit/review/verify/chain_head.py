"""
Check 8: whether every chain ends where the head outside the trail says.

Source: FORMAT.md, section 5; PROTOCOL.md, rule 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_tool_audit.format.names import TRAIL_CHAIN
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
