"""
The calls that are no rows of one segment: which lines each of them is made of, in little memory; the lines stay in the trail.

Source: FORMAT.md, section 4.
"""

from __future__ import annotations

import heapq
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from otel_tool_audit.format.events import AMENDED, FINISHED, OBSERVED, STARTED
from otel_tool_audit.review.calls.fold import Call, fold
from otel_tool_audit.review.calls.stream import Amendments
from otel_tool_audit.review.source.line_cache import Line, Lines, StaleIndexError

_KNOWN: Final = {event: event for event in (STARTED, FINISHED, OBSERVED, AMENDED)}


class RecordRef:
    """What has to be known of a record to tell which call it is of. It is asked like the record itself."""

    __slots__ = ("at", "bytes", "call_id", "chain", "event", "joins", "segment", "seq", "timestamp", "writer")

    def __init__(self, record: dict[str, Any], line: Line) -> None:
        """
        Keep what is needed of a record.

        Args:
            record: With ``chain``.
            line: Where it stands.
        """
        event = record.get("event")
        self.event = _KNOWN.get(event) if isinstance(event, str) else None
        self.call_id = record.get("call_id")
        self.joins = record.get("joins")
        self.timestamp = str(record.get("timestamp"))
        self.seq: int = record["seq"]
        self.writer = sys.intern(str(record.get("writer")))
        self.chain, self.segment, self.at, self.bytes = line

    def get(self, name: str) -> Any:  # noqa: ANN401 - a value of a record
        """Give a field, as a record does."""
        return getattr(self, name)


class UnindexedCalls:
    """Calls by number, from 0, each with its lines in the order in which they are folded."""

    def __init__(self, refs: Iterable[RecordRef], lines: Lines) -> None:
        """
        Group records to calls.

        Args:
            refs: All records of these calls, and all amendments.
            lines: Reads the trail; stays the caller's.
        """
        self._lines = lines
        self._names: list[str] = []
        self._files: list[tuple[str, str]] = []
        self._begins, self._numbers, self._at, self._bytes = array("Q", [0]), array("L"), array("Q"), array("L")
        self.open: list[str] = []
        """The writers of calls that have not ended, one for each."""
        self._group(_by_time(refs))

    def __len__(self) -> int:
        """How many calls there are."""
        return len(self._names)

    def _group(self, ordered: list[RecordRef]) -> None:
        names = Amendments(ordered).names
        groups: dict[str, list[RecordRef]] = {}
        for ref in ordered:
            if isinstance(ref.call_id, str):
                groups.setdefault(names.get(ref.call_id, ref.call_id), []).append(ref)
        numbers: dict[tuple[str, str], int] = {}
        for name, group in groups.items():
            self._names.append(name)
            for ref in group:
                self._numbers.append(numbers.setdefault((ref.chain, ref.segment), len(numbers)))
                self._at.append(ref.at)
                self._bytes.append(ref.bytes)
            self._begins.append(len(self._at))
            if not any(ref.event in {FINISHED, OBSERVED} for ref in group):
                self.open.append(group[0].writer)
        self._files = list(numbers)

    def call(self, number: int, is_alive: Callable[[str], bool]) -> Call:
        """
        Read a call's lines and fold them.

        Args:
            number: Which.
            is_alive: Tells whether a writer lives.

        Raises:
            StaleIndexError: The trail does not hold them.
        """
        places = [
            Line(*self._files[self._numbers[at]], self._at[at], self._bytes[at]) for at in range(self._begins[number], self._begins[number + 1])
        ]  # fmt: skip
        records = [self._lines.record(place) for place in places]
        found = [record for record in records if record is not None]
        if len(found) != len(records):
            raise StaleIndexError(f"{places[0].chain}/{places[0].segment} does not hold what the index says")
        return fold(list(found), self._names[number]).call(is_alive)

    def calls(self, is_alive: Callable[[str], bool]) -> Iterator[Call]:
        """Give all, in order; as :meth:`call`."""
        return (self.call(number, is_alive) for number in range(len(self)))


def _by_time(refs: Iterable[RecordRef]) -> list[RecordRef]:
    """Order records as a reader does: of a chain as written, chains by time."""
    chains: dict[str, list[RecordRef]] = {}
    for one in sorted(refs, key=lambda one: (one.chain, one.seq)):
        chains.setdefault(one.chain, []).append(one)
    return list(heapq.merge(*chains.values(), key=lambda one: one.timestamp))
