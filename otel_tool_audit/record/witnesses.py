"""
What others say that a chain's records were: heartbeats, closings, openings, heads, earlier readers. Each names a count and the hash of the record before it. Pure.

Source: FORMAT.md, section 4 ("Claims"), sections 5 and 7; PROTOCOL.md, rules 7 and 9, "Taking over".
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from otel_tool_audit.format.events import CHAIN_CREATED, OPENED, Integrity, kind_of
from otel_tool_audit.format.segment_order import EpochStart
from otel_tool_audit.record.untrusted import details_of, listing, mapping

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
        seq: The seq of the record of chain ``trail`` that says so; None when it is none.
    """

    upto: int
    hash: str
    source: str
    seq: int | None


class Epoch(NamedTuple):
    """
    An epoch of a chain.

    Attributes:
        begin: Its first seq.
        says: What its first record says.
    """

    begin: int
    says: EpochStart


class WitnessedHeads:
    """
    All claims on one chain, in little memory.

    Attributes:
        taken_over: Openings that took the chain over without a head: the seq of ``trail.opened``, and how many records it found.
    """

    def __init__(self) -> None:
        self.taken_over: list[tuple[int, int]] = []
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
        seq = None if source >= _LABELS_FIRST else source
        return Claim(self._counts[at], self._hashes[at * _WIDTH : (at + 1) * _WIDTH].hex(), says, seq)

    def highest(self) -> Claim | None:
        """Give the claim with the highest count, or None."""
        return self.sorted(len(self) - 1) if len(self) else None

    def explained(self, claim: Claim, epochs: Iterable[Epoch], seen_in: int = 0) -> bool:
        """
        Tell whether an epoch, or a taking over, explains that a claim is not true.

        Args:
            claim: On this chain.
            epochs: The chain's.
            seen_in: The epoch in which a reader saw it, for a claim that is no record's.
        """
        if claim.seq is not None and any(claim.seq < at and claim.upto > found for at, found in self.taken_over):
            return True
        return any(
            epoch.says.files[0] < claim.upto <= epoch.begin
            or (claim.seq is not None and claim.seq < epoch.says.claims_before)
            or (claim.seq is None and seen_in < epoch.says.number and claim.upto > epoch.says.files[0])
            for epoch in epochs
        )


class Witnesses:
    """
    What the records of chain ``trail`` say of all chains.

    Attributes:
        created: The chains that they say were created.
    """

    def __init__(self) -> None:
        self.created: set[str] = set()
        self._chains: dict[str, WitnessedHeads] = {}

    def names(self) -> set[str]:
        """The chains that are spoken of."""
        return set(self._chains)

    def on(self, chain: str) -> WitnessedHeads:
        """Give what others say of a chain, and take what is added to it."""
        return self._chains.setdefault(chain, WitnessedHeads())

    def take(self, seq: int, record: Mapping[str, Any]) -> None:
        """
        Take in a record of chain ``trail``.

        Args:
            seq: Its seq.
            record: It.
        """
        details = details_of(record)
        if record.get("event") == CHAIN_CREATED:
            self.created.add(str(details.get("chain")))
        if kind_of(record).integrity is not Integrity.WITNESS:
            return
        for name, mark in mapping(details.get("heads")).items():
            self.claim(name, mark, seq)
        for mark in map(mapping, listing(details.get("heads"))):
            name = str(mark.get("chain"))
            if self.claim(name, mark, seq) and record.get("event") == OPENED:
                self.on(name).taken_over.append((seq, mark["count"]))

    def claim(self, name: str, mark: object, source: int | str) -> bool:
        """Add a claim that stands as ``count`` and ``hash``; False when it is none."""
        said = mapping(mark)
        return self.on(name).add(said.get("count"), said.get("hash"), source)
