"""
The trail's side: every record of a call, hashed anew, and what the trail says about what is not there.

Source: FORMAT.md, sections 2 and 4.
"""

from __future__ import annotations

import re
from binascii import unhexlify
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import groupby
from typing import Any, ClassVar, Final, NamedTuple

from otel_tool_audit.format.events import AMENDED, PRUNED, STARTED, Completeness, kind_of
from otel_tool_audit.format.line import HASH_TRAILER, leaf_digest, split_line
from otel_tool_audit.format.names import TRAIL_CHAIN
from otel_tool_audit.record.untrusted import details_of, listing, mapping
from otel_tool_audit.review.reconcile.spill import ENDED, SAMPLED, TRACED, pack_recorded, packed_record
from otel_tool_audit.review.reconcile.values import Recorded
from otel_tool_audit.review.source import segments
from otel_tool_audit.review.source.records import Piece, TrailRecords
from otel_tool_audit.review.source.workers import Worker

_ID: Final = re.compile(r"[0-9a-f]{32}").fullmatch
_FRONT: Final = re.compile(
    rb'\{"seq":(\d{1,16}),"previous_hash":"[0-9a-f]{64}","event":"tool_call\.(started|finished|observed)","call_id":"([0-9a-f]{32})",'
    rb'"salt":"[0-9a-f]{32}","writer":"[0-9a-f]{32}","service":(?:null|"[^"\\]*"),"timestamp":"([0-9T:-]{19})\.(\d{6})Z"'
).match
_END: Final = re.compile(
    rb',"span_id":(null|"[0-9a-f]{16}"),"parent_span_id":(?:null|"[0-9a-f]{16}"),"source":"[^"\\]*","claimed":null,'
    rb'"retention_class":"[a-z0-9-]+"(,"sampled":false)?,"hash":"[0-9a-f]{64}"\}\Z'
).match
_END_BEGINS: Final = b',"span_id":'
_LONGEST_END: Final = 512
_TRAILER: Final = HASH_TRAILER - 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LATEST: Final = (1 << 63) - 1

PIECE: Final = 4 << 20
"""Bytes of the trail that are read in one piece."""


class ChainPiece(NamedTuple):
    """
    What a piece of a chain says.

    Attributes:
        packed: Its records of calls.
        unreadable: How many of its lines are no records.
        begun: The seq of its first record of any kind; None when it has none.
        first: When the earliest was written, in nanoseconds since the Unix epoch; 0 when none says when.
        pruned: Whether a record in it says that older ones were pruned.
        counted: By writer, the counters that it told last.
        joins: Ids of calls that are one, as amendments say.
    """

    packed: list[bytes]
    unreadable: int
    begun: int | None
    first: int
    pruned: bool
    counted: dict[str, dict[str, Any]]
    joins: list[list[bytes]]


class RecordsReading(Worker):
    """Reads pieces of the trail, here or in a helper process."""

    job: ClassVar[Callable[..., Any]] = Piece

    def do(self, job: Piece) -> tuple[Any, ...]:
        """
        Read one piece.

        Args:
            job: Which.

        Returns:
            The values of :class:`ChainPiece`.
        """
        return read(segments.whole_lines(self._descriptor(job.chain, job.name), job.start, job.stop), job.chain)


def read(lines: Iterable[bytes], chain: str) -> ChainPiece:
    """
    Read lines as far as they are compared with a backend.

    Args:
        lines: Without their LF.
        chain: Where they stand.
    """
    packed: list[bytes] = []
    counted: dict[str, dict[str, Any]] = {}
    joins: list[list[bytes]] = []
    unreadable, begun, first, pruned, stream = 0, None, _LATEST, False, chain.encode()
    for line in lines:
        usual = _usual(line, stream)
        if usual is not None:
            seq, at, entry = usual
            if begun is None:
                begun = seq
            if at < first:  # noqa: PLR1730 - the call of min() would show
                first = at
            packed.append(entry)
            continue
        taken, record = split_line(line + b"\n"), segments.parse(line)
        if record is None or taken is None or not 0 <= record["seq"] <= _LATEST:
            unreadable += 1
            continue
        begun = record["seq"] if begun is None else begun
        at = nanoseconds(record.get("timestamp"))
        first = min(first, at or _LATEST)
        if record.get("call_id") is None:
            pruned = pruned or record.get("event") == PRUNED
            if chain == TRAIL_CHAIN and kind_of(record).completeness is Completeness.COUNTERS:
                counted[str(record.get("writer"))] = mapping(details_of(record).get("counters"))
            continue
        made = _recorded(record, chain, leaf_digest(taken[0]), at)
        if made is None:
            unreadable += 1
            continue
        if record.get("event") == AMENDED:
            joins.append([made.call, *(bytes.fromhex(i) for i in listing(record.get("joins")) if isinstance(i, str) and _ID(i))])
        packed.append(pack_recorded(made))
    return ChainPiece(packed, unreadable, begun, first if first < _LATEST else 0, pruned, counted, joins)


class TrailSide:
    """
    What the trail has.

    Attributes:
        unreadable: How many lines are no records; ``verify`` says which.
        first: When the first record of any kind was written, in nanoseconds since the Unix epoch; 0 when there is none.
        pruned: By chain, the first seq that is left where the trail says that older ones were pruned.
        names: For each id of a joined call, the id that stands for the call.
    """

    def __init__(self, source: TrailRecords) -> None:
        """
        Take the trail.

        Args:
            source: Its records.
        """
        self.unreadable = 0
        self.first = 0
        self.pruned: dict[str, int] = {}
        self.names: dict[bytes, bytes] = {}
        self._source = source
        self._counted: dict[str, Mapping[str, Any]] = {}

    @property
    def spans_dropped(self) -> int:
        """How many spans the writers themselves know to have been lost on the way to the backend."""
        numbers = [counters.get("spans_dropped") for counters in self._counted.values()]
        return sum(number for number in numbers if isinstance(number, int))

    def stream(self) -> Iterator[list[bytes]]:
        """Read the whole trail, one chain after the other, and give its records packed, a piece's at a time."""
        pieces = [piece for chain in self._source.chains() for piece in self._source.pieces(chain, PIECE)]
        with self._source.pool(RecordsReading, sum(piece.stop - piece.start for piece in pieces)) as pool:
            for chain, group in groupby(pool.imap(pieces), key=lambda done: done[0].chain):
                begun, pruned = None, False
                for _, answer in group:
                    piece = ChainPiece(*answer)
                    begun = piece.begun if begun is None else begun
                    pruned = pruned or piece.pruned
                    self._take(piece)
                    yield piece.packed
                if pruned and begun is not None:
                    self.pruned[chain] = begun

    def _take(self, piece: ChainPiece) -> None:
        self.unreadable += piece.unreadable
        self.first = min(self.first or piece.first, piece.first or self.first)
        self._counted.update(piece.counted)
        for ids in piece.joins:
            self._join(set(ids))

    def _join(self, ids: set[bytes]) -> None:
        """Let one id stand for all of a call's ids, those that were joined before included."""
        if len(ids) == 1:
            return
        leads = {self.names[i] for i in ids if i in self.names}
        ids |= {i for i, lead in self.names.items() if lead in leads} if leads else set()
        self.names.update(dict.fromkeys(ids, min(ids)))


def _recorded(record: Mapping[str, Any], chain: str, digest: bytes, at: int) -> Recorded | None:
    call = record.get("call_id")
    if not isinstance(call, str) or not _ID(call):
        return None
    traced = record.get("span_id") is not None
    return Recorded(bytes.fromhex(call), chain, record["seq"], digest, record.get("event") != STARTED, at, traced, record.get("sampled") is not False)


def _usual(line: bytes, chain: bytes) -> tuple[int, int, bytes] | None:
    """
    Read the record of a usual call by position, in a tenth of the time that parsing its arguments takes; None when it is not one.

    Both ends of the line are matched whole, and no string in them holds a quote: nothing that a caller wrote can be taken for a field.
    Gives its seq, when it was written, and the record packed.
    """
    front = _FRONT(line)
    end = _END(line, line.rfind(_END_BEGINS, len(line) - _LONGEST_END)) if front is not None else None
    if front is None or end is None:
        return None
    number, event, call, second, rest = front.groups()
    at = _second(second)
    if not at:
        return None
    at += int(rest) * 1000
    seq, (span, unsampled) = int(number), end.groups()
    flags = (event != b"started") * ENDED | (span != b"null") * TRACED | (unsampled is None) * SAMPLED
    return seq, at, packed_record(unhexlify(call), chain, seq, leaf_digest(line[:-_TRAILER] + b"}"), at, flags)


@lru_cache(256)
def _second(text: bytes) -> int:
    """Read a timestamp without its fraction; many records in a row share it."""
    return nanoseconds(text.decode("ascii") + "Z")


def nanoseconds(timestamp: object) -> int:
    """Read a record's timestamp as nanoseconds since the Unix epoch; 0 when it is none, and never more than 63 bits."""
    try:
        moment = datetime.fromisoformat(timestamp) if isinstance(timestamp, str) else _EPOCH
        return max(0, min((moment - _EPOCH) // _MICROSECOND * 1000, _LATEST))
    except (ValueError, TypeError):
        return 0
