"""
Check 10: what others say that a chain's records were: heartbeats, closings, heads, earlier readers.

Source: FORMAT.md, section 4 ("Claims"), section 5; PROTOCOL.md, rule 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from otel_tool_audit.record.witnesses import Claim
from otel_tool_audit.review.verify.block_check import BlockCheck
from otel_tool_audit.review.verify.blocks import Block
from otel_tool_audit.review.verify.findings import HEAD, HEARTBEATS

if TYPE_CHECKING:
    from otel_tool_audit.review.verify.chain import ChainReading

HEAD_SOURCE: Final = "the head"
"""What a claim of the chain's own head calls itself."""
_MOST_KEPT: Final = 10_000
"""Claims that are not true and are kept to be judged; where there are more, these tell enough."""


class WitnessCheck(BlockCheck):
    """
    Compares what others said with the records as they come by.

    What is not true is judged when everything was read: an epoch that explains it may begin behind it. Of a run of contradictions only the first is told.
    """

    def __init__(self, chain: ChainReading) -> None:
        super().__init__(chain)
        self._next = 0
        self._last_good = 0
        self._wrong: list[tuple[Claim, int]] = []

    def take(self, block: Block) -> None:
        """Compare the claims on these lines."""
        claims, stop = self.chain.claims, block.first_seq + block.lines
        while self._next < len(claims):
            claim = claims.sorted(self._next)
            if claim.upto > stop:
                return
            self._next += 1
            at = claim.upto - block.first_seq - 1
            if at >= 0 and block.hashes[64 * at : 64 * at + 64] == claim.hash:
                self._last_good = claim.upto
            elif claim.upto and len(self._wrong) < _MOST_KEPT:
                self._wrong.append((claim, self._last_good))

    def end(self) -> None:
        """Tell which claims are not true, and whether an epoch explains it."""
        run = -1
        for claim, last_good in self._wrong:
            if self._explained(claim):
                self._doubt(f"{claim.source} names another record {claim.upto - 1} than the one that is here")
            elif last_good != run:
                run = last_good
                self._contradicted(claim, last_good)
        self._unreached()

    def _explained(self, claim: Claim) -> bool:
        return self.chain.claims.explained(claim, self.chain.facts.epochs, self.chain.seen_in)

    def _doubt(self, what: str) -> None:
        doubt = f"{self.chain.name}: {what}: of before a loss was accepted or the trail taken over"
        if doubt not in self.chain.findings.doubts:
            self.chain.findings.doubts.append(doubt)

    def _contradicted(self, claim: Claim, last_good: int) -> None:
        seq = claim.upto - 1
        if seq in self.chain.wrong_seqs:
            return
        since = f" (or one after {last_good - 1})" if 0 < last_good < seq else ""
        check = HEAD if claim.source == HEAD_SOURCE else HEARTBEATS
        self.chain.find(check, seq, f"record {seq}{since} is not the one that {claim.source} names: rewritten with new hashes")

    def _unreached(self) -> None:
        """Tell of the first claim that the chain does not reach, unless something that is wrong explains it."""
        chain = self.chain
        reached, without_head = chain.walk.seq, chain.taken.tail is None
        if chain.wrong_seqs and not without_head:
            return
        while self._next < len(chain.claims):
            claim = chain.claims.sorted(self._next)
            self._next += 1
            if claim.upto <= reached:
                continue
            what = f"the chain ends before record {reached}, {claim.source} names {claim.upto}"
            if self._explained(claim):
                self._doubt(what)
            elif without_head:
                # whoever copies a living trail reads one chain before the other: without a head that looks like a cut
                chain.findings.doubts.append(f"{chain.name}: {what}: cut, an older backup, or copied while a writer was at work")
                return
            else:
                chain.find(HEARTBEATS, reached, f"{what}: cut, or an older backup")
                return
