"""
What was lost and is not on record yet.

Source: FORMAT.md, section 4, ``trail.gap``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple


class Gap(NamedTuple):
    """
    Records of one chain that could not be written.

    Attributes:
        chain: Where they belonged.
        first: Timestamp of the first loss.
        last: Timestamp of the last.
        calls: How many calls lack a record.
        records: How many records are missing.
        reason: Why the first was lost.
    """

    chain: str
    first: str
    last: str
    calls: int
    records: int
    reason: str

    def details(self) -> dict[str, Any]:
        """The details of the ``trail.gap`` record."""
        return {"from": self.first, "to": self.last, "calls": self.calls, "records": self.records, "reason": self.reason}


class Gaps:
    """Losses by chain; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._by_chain: dict[str, Gap] = {}
        self.owed = False
        """Whether anything waits to be recorded; looked at before every append."""

    def add(self, chain: str, when: str, calls: int, records: int, reason: str) -> bool:
        """Add a loss; True when it is the first since the last one was recorded."""
        with self._lock:
            self.owed = True
            known = self._by_chain.get(chain)
            if known is None:
                self._by_chain[chain] = Gap(chain, when, when, calls, records, reason)
            else:
                self._by_chain[chain] = known._replace(last=when, calls=known.calls + calls, records=known.records + records)
            return known is None

    def take(self) -> Gap | None:
        """Take one chain's losses to record them."""
        with self._lock:
            if not self._by_chain:
                self.owed = False
                return None
            return self._by_chain.pop(next(iter(self._by_chain)))

    def pay(self, record: Callable[[Gap], object]) -> None:
        """
        Record everything that is owed.

        Args:
            record: Writes one gap; when it raises, the gap stays owed.
        """
        while (gap := self.take()) is not None:
            try:
                record(gap)
            except BaseException:
                self.give_back(gap)
                raise

    def take_all(self) -> list[Gap]:
        """Take everything that is owed."""
        with self._lock:
            gaps, self._by_chain = list(self._by_chain.values()), {}
            return gaps

    def give_back(self, gap: Gap) -> None:
        """Put losses back that could not be recorded."""
        with self._lock:
            self.owed = True
            later = self._by_chain.get(gap.chain)
            if later is not None:
                gap = gap._replace(last=later.last, calls=gap.calls + later.calls, records=gap.records + later.records)
            self._by_chain[gap.chain] = gap
