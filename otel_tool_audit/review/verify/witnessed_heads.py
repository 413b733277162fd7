"""
Check 10: what others say that a chain's records were: heartbeats, closings, heads, earlier readers. Each names a count and the hash of the record before it.

Source: FORMAT.md, section 4 (``heads``), section 5; PROTOCOL.md, rule 7.
"""

from __future__ import annotations

import re
from array import array
from typing import TYPE_CHECKING, Final, NamedTuple

from otel_tool_audit.review.verify.block_check import BlockCheck
from otel_tool_audit.review.verify.blocks import Block
from otel_tool_audit.review.verify.findings import HEAD, HEARTBEATS

if TYPE_CHECKING:
    from otel_tool_audit.review.verify.chain import ChainReading

HEAD_SOURCE: Final = "the head"
"""What a claim of the chain's own head calls itself."""

_HASH: Final = re.compile(r"[0-9a-f]{64}").fullmatch
_WIDTH: Final = 32
_LABELS_FIRST: Final = 1 << 63
"""Sources from here on are labels, below they are seqs in the chain ``trail``: 48 bytes a claim, so that years of heartbeats fit."""


class Claim(NamedTuple):
    """
    What somebody says of a chain.

    Attributes:
        upto: How many seqs had been given out.
        hash: The hash of the record before that, in hex.
        source: Who says so, in words.
    """

    upto: int
    hash: str
    source: str


class WitnessedHeads:
    """All claims on one chain, in little memory."""

    def __init__(self) -> None:
        self._counts = array("Q")
        self._hashes = bytearray()
        self._sources = array("Q")
        self._labels: list[str] = []
        self._order: range | array[int] | None = None
        self._ascending = True

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, count: object, digest: object, source: int | str) -> bool:
        """
        Add a claim.

        Args:
            count: How many seqs had been given out.
            digest: The hash of the record before that, in hex.
            source: The seq of the record of chain ``trail`` that says so, or words.

        Returns:
            False when that is no claim at all.
        """
        if not isinstance(digest, str) or _HASH(digest) is None or type(count) is not int or not 0 <= count < _LABELS_FIRST:
            return False
        hashed = bytes.fromhex(digest)
        if isinstance(source, int) and self._counts and self._counts[-1] == count and self._hashes[-_WIDTH:] == hashed:
            return True
        self._ascending = self._ascending and (not self._counts or count >= self._counts[-1])
        self._counts.append(count)
        self._hashes += hashed
        if isinstance(source, str):
            self._sources.append(_LABELS_FIRST + len(self._labels))
            self._labels.append(source)
        else:
            self._sources.append(source)
        self._order = None
        return True

    def sorted(self, number: int) -> Claim:
        """Give the claim of that number when ordered by count."""
        if self._order is None:
            numbers = range(len(self._counts))
            # one writer's heartbeats come in order as they are
            self._order = numbers if self._ascending else array("Q", sorted(numbers, key=self._counts.__getitem__))
        at = self._order[number]
        source = self._sources[at]
        says = self._labels[source - _LABELS_FIRST] if source >= _LABELS_FIRST else f"record trail/{source}"
        return Claim(self._counts[at], self._hashes[at * _WIDTH : (at + 1) * _WIDTH].hex(), says)

    def highest(self) -> Claim | None:
        """Give the claim with the highest count, or None."""
        return self.sorted(len(self) - 1) if len(self) else None


class WitnessCheck(BlockCheck):
    """Compares what others said with the records as they come by; of a run of contradictions only the first is reported."""

    def __init__(self, chain: ChainReading) -> None:
        super().__init__(chain)
        self._next = 0
        self._doubted = False
        self._last_good = 0

    def take(self, block: Block) -> None:
        """Compare the claims on these lines."""
        claims, stop = self.chain.claims, block.first_seq + block.lines
        while self._next < len(claims):
            claim = claims.sorted(self._next)
            if claim.upto > stop:
                return
            self._next += 1
            at = claim.upto - block.first_seq - 1
            if at < 0:
                continue
            if block.hashes[64 * at : 64 * at + 64] == claim.hash:
                self._doubted, self._last_good = False, claim.upto
            elif not self._doubted:
                self._doubted = True
                self._contradicted(claim)

    def _contradicted(self, claim: Claim) -> None:
        seq = claim.upto - 1
        if seq in self.chain.wrong_seqs:
            return
        since = f" (or one after {self._last_good - 1})" if 0 < self._last_good < seq else ""
        check = HEAD if claim.source == HEAD_SOURCE else HEARTBEATS
        self.chain.find(check, seq, f"record {seq}{since} is not the one that {claim.source} names: rewritten with new hashes")

    def end(self) -> None:
        """Tell of the first claim that the chain does not reach, unless something that is wrong explains it."""
        chain = self.chain
        reached, without_head = chain.walk.seq, chain.taken.tail is None
        if chain.wrong_seqs and not without_head:
            return
        while self._next < len(chain.claims):
            claim = chain.claims.sorted(self._next)
            self._next += 1
            if claim.upto > reached and not any(given_up < claim.upto <= begin for begin, given_up in chain.facts.epochs):
                what = f"the chain ends before record {reached}, {claim.source} names {claim.upto}"
                if without_head:
                    # whoever copies a living trail reads one chain before the other: without a head that looks like a cut
                    chain.findings.doubts.append(f"{chain.name}: {what}: cut, an older backup, or copied while a writer was at work")
                else:
                    chain.find(HEARTBEATS, reached, f"{what}: cut, or an older backup")
                return
