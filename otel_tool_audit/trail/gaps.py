"""
What was lost and is not on record yet.

Source: FORMAT.md, section 4, ``trail.gap``.
"""

from __future__ import annotations

import threading
from collections import deque
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
    """Losses by chain. Any thread adds one, in one step of the interpreter; only the trail's own threads take them out."""

    def __init__(self) -> None:
        self._added: deque[Gap] = deque()
        self._by_chain: dict[str, Gap] = {}
        # taken by the trail's own threads only
        self._paying = threading.RLock()

    @property
    def owed(self) -> bool:
        """Whether anything waits to be recorded; looked at before every append."""
        return bool(self._added or self._by_chain)

    def add(self, chain: str, when: str, calls: int, records: int, reason: str) -> bool:
        """Add a loss; True when none was owed."""
        first = not self.owed
        self._added.append(Gap(chain, when, when, calls, records, reason))
        return first

    def pay(self, record: Callable[[Gap], object]) -> None:
        """
        Record everything that is owed. In one of the trail's own threads.

        Args:
            record: Writes one gap; when it raises, the gap stays owed.
        """
        with self._paying:
            while gap := self._next():
                record(gap)
                # what was lost meanwhile is another gap; this one is on record
                del self._by_chain[gap.chain]

    def _next(self) -> Gap | None:
        while self._added:
            gap = self._added[0]
            known = self._by_chain.get(gap.chain)
            if known is not None:
                gap = known._replace(last=gap.last, calls=known.calls + gap.calls, records=known.records + gap.records)
            self._by_chain[gap.chain] = gap
            self._added.popleft()
        return next(iter(self._by_chain.values()), None)
