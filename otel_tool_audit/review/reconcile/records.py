"""
The trail's side: every record of a call, hashed anew, and what the trail says about what is not there.

Source: FORMAT.md, sections 2 and 4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from otel_tool_audit.record.codec import leaf_digest
from otel_tool_audit.record.model import AMENDED, CLOSED, HEARTBEAT, PRUNED, STARTED, TRAIL_CHAIN
from otel_tool_audit.review import segments
from otel_tool_audit.review.reader import TrailReader
from otel_tool_audit.review.reconcile.values import Recorded
from otel_tool_audit.review.values import details_of, listing, mapping
from otel_tool_audit.trail.format import split_line

_ID: Final = re.compile(r"[0-9a-f]{32}").fullmatch
_FRONT: Final = re.compile(
    rb'\{"seq":(\d{1,16}),"previous_hash":"[0-9a-f]{64}","event":"tool_call\.(started|finished|observed)","call_id":"([0-9a-f]{32})",'
    rb'"salt":"[0-9a-f]{32}","writer":"[0-9a-f]{32}","service":(?:null|"[^"\\]*"),"timestamp":"([0-9T:.Z-]{27})"'
).match
_END: Final = re.compile(
    rb',"span_id":(null|"[0-9a-f]{16}"),"parent_span_id":(?:null|"[0-9a-f]{16}"),"source":"[^"\\]*","claimed":null,'
    rb'"retention_class":"[a-z0-9-]+"(,"sampled":false)?,"hash":"[0-9a-f]{64}"\}\Z'
).search
_LONGEST_END: Final = 512
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class TrailSide:
    """
    What the trail has.

    Attributes:
        records: How many records of calls were read.
        unreadable: How many lines are no records; ``verify`` says which.
        first: When the first record of any kind was written, in nanoseconds since the Unix epoch; 0 when there is none.
        pruned: By chain, the first seq that is left where the trail says that older ones were pruned.
        names: For each id of a joined call, the id that stands for the call.
    """

    def __init__(self, reader: TrailReader) -> None:
        """
        Take the trail.

        Args:
            reader: Open.
        """
        self.records = 0
        self.unreadable = 0
        self.first = 0
        self.pruned: dict[str, int] = {}
        self.names: dict[bytes, bytes] = {}
        self._reader = reader
        self._counted: dict[str, Mapping[str, Any]] = {}

    @property
    def spans_dropped(self) -> int:
        """How many spans the writers themselves know to have been lost on the way to the backend."""
        numbers = [counters.get("spans_dropped") for counters in self._counted.values()]
        return sum(number for number in numbers if isinstance(number, int))

    def stream(self) -> Iterator[Recorded]:
        """Read the whole trail, one chain after the other."""
        for chain in self._reader.chains():
            begun, pruned = -1, False
            for line in self._reader.lines(chain):
                taken = split_line(line + b"\n")
                usual = None if taken is None else _usual(line, chain, leaf_digest(taken[0]))
                if usual is not None:
                    begun = usual.seq if begun < 0 else begun
                    self.first = min(self.first or usual.at, usual.at)
                    self.records += 1
                    yield usual
                    continue
                record = segments.parse(line)
                if record is None or taken is None:
                    self.unreadable += 1
                    continue
                begun = record["seq"] if begun < 0 else begun
                at = nanoseconds(record.get("timestamp"))
                self.first = min(self.first or at, at) or self.first
                if record.get("call_id") is None:
                    pruned = pruned or record.get("event") == PRUNED
                    self._event(record, chain)
                    continue
                made = self._recorded(record, chain, leaf_digest(taken[0]), at)
                if made is None:
                    self.unreadable += 1
                    continue
                self.records += 1
                yield made
            if pruned:
                self.pruned[chain] = begun

    def _event(self, record: Mapping[str, Any], chain: str) -> None:
        if chain == TRAIL_CHAIN and record.get("event") in {HEARTBEAT, CLOSED}:
            self._counted[str(record.get("writer"))] = mapping(details_of(record).get("counters"))

    def _recorded(self, record: Mapping[str, Any], chain: str, digest: bytes, at: int) -> Recorded | None:
        call = record.get("call_id")
        if not isinstance(call, str) or not _ID(call):
            return None
        event = record.get("event")
        own = bytes.fromhex(call)
        if event == AMENDED:
            self._join(own, [i for i in listing(record.get("joins")) if isinstance(i, str) and _ID(i)])
        traced = record.get("span_id") is not None
        return Recorded(own, chain, record["seq"], digest, event != STARTED, at, traced, record.get("sampled") is not False)

    def _join(self, own: bytes, others: list[str]) -> None:
        """Let one id stand for all of a call's ids, those that were joined before included."""
        ids = {own, *map(bytes.fromhex, others)}
        if len(ids) == 1:
            return
        leads = {self.names[i] for i in ids if i in self.names}
        ids |= {i for i, lead in self.names.items() if lead in leads} if leads else set()
        self.names.update(dict.fromkeys(ids, min(ids)))


def _usual(line: bytes, chain: str, digest: bytes) -> Recorded | None:
    """
    Read the record of a usual call by position, in a tenth of the time that parsing its arguments takes; None when it is not one.

    Both ends of the line are matched whole, and no string in them holds a quote: nothing that a caller wrote can be taken for a field.
    """
    front, end = _FRONT(line), _END(line, max(0, len(line) - _LONGEST_END))
    if front is None or end is None:
        return None
    at = nanoseconds(front[4].decode("ascii"))
    return Recorded(bytes.fromhex(front[3].decode()), chain, int(front[1]), digest, front[2] != b"started", at, end[1] != b"null", end[2] is None)


def nanoseconds(timestamp: object) -> int:
    """Read a record's timestamp as nanoseconds since the Unix epoch; 0 when it is none."""
    try:
        moment = datetime.fromisoformat(timestamp) if isinstance(timestamp, str) else _EPOCH
        return (moment - _EPOCH) // _MICROSECOND * 1000
    except (ValueError, TypeError):
        return 0
