"""
Finding the records of few calls without parsing all: the lines of sealed segments are searched as bytes, on all cores.

A search goes over the trail twice: first for the calls that some record says the wanted value of, and for all amendments; then for all
records of these calls, and of those they are joined with. Bytes stand for records only where a segment is what its seal says, so that
the writer made every line of it; every other segment is parsed line by line, and what is no record there is counted.

Source: FORMAT.md, sections 2 to 4; ARCHITECTURE.md, D16.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, Final, NamedTuple

import orjson

from otel_tool_audit.format.events import AMENDED
from otel_tool_audit.format.line import whole_blocks
from otel_tool_audit.format.names import seal_name
from otel_tool_audit.format.nesting import read_json
from otel_tool_audit.review.calls.filters import EQUALITIES, Query
from otel_tool_audit.review.calls.stream import Amendments
from otel_tool_audit.review.source import segments
from otel_tool_audit.review.source.directory import Folder, UnsafeFileError, pread
from otel_tool_audit.review.source.workers import Pool, Worker

SEARCHED: Final = ("conversation", "trace_id", "user")
"""Filters that few calls pass: their value is searched for, the first that is given."""
MOST: Final = 20_000
"""Calls; when more are found, reading everything is as quick."""

_LARGEST_SEAL: Final = 1 << 16
_AMENDED: Final = b'"event":"' + AMENDED.encode() + b'"'
_CALL: Final = b'"call_id":"'
_ID: Final = 32

Record = dict[str, Any]


class Wanted(NamedTuple):
    """A field, and the values that are searched for in it."""

    field: str
    values: frozenset[str]


class SearchTask(NamedTuple):
    """
    A piece of work: one segment.

    Attributes:
        chain: Its chain.
        name: Its file.
        end: Where its lines end, in bytes.
        field: As :class:`Wanted`.
        values: Likewise.
        ids: Calls all of whose records are wanted; None in the first round.
        trusted: Whether the first round found it to be what its seal says.
        sealed: Whether it can have a seal.
    """

    chain: str
    name: str
    end: int
    field: str
    values: frozenset[str]
    ids: frozenset[str] | None = None
    trusted: bool = False
    sealed: bool = True


class SearchHits(NamedTuple):
    """
    What was found in a segment.

    Attributes:
        ids: First round: calls that have the value.
        records: First round: amendments; second round: records of the calls.
        unreadable: Lines that are no records.
        trusted: Whether the segment is what its seal says.
    """

    ids: list[str]
    records: list[Record]
    unreadable: int
    trusted: bool


class SearchWorker(Worker):
    """Searches segments."""

    job: ClassVar[Callable[..., Any]] = SearchTask

    def do(self, job: SearchTask) -> SearchHits:
        """
        Search one segment.

        Raises:
            UnsafeFileError: The file is not what it was.
            TrailUnreadable: It could not be read.
        """
        descriptor = self._descriptor(job.chain, job.name)
        if job.ids is not None:
            return SearchHits([], list(_of_calls(descriptor, job, job.ids)), 0, job.trusted)
        seal = self._sealed_digest(job) if job.sealed else None
        found = None if seal is None else _by_bytes(descriptor, job, seal)
        return _by_parsing(descriptor, job) if found is None else found

    def _sealed_digest(self, job: SearchTask) -> str | None:
        """Read the SHA-256 that a segment's seal names; None when it has no seal that speaks of these bytes."""
        try:
            with self._root.folder(job.chain) as folder:
                seal = read_json(folder.read(seal_name(job.name), _LARGEST_SEAL))
            return str(seal["sha256"]) if seal["bytes"] == job.end else None
        except (FileNotFoundError, UnsafeFileError, ValueError, KeyError, TypeError):
            return None


def wanted_by(query: Query) -> Wanted | None:
    """Tell what to search for; None when the question names nothing that few calls have, or that no writer can have written."""
    named = ((EQUALITIES[name], getattr(query, name)) for name in SEARCHED)
    found = [Wanted(field, frozenset({value})) for field, value in named if value is not None]
    if query.subjects and query.conversation is None and query.trace_id is None:
        found.insert(0, Wanted("subject", query.subjects))
    if not found or not all(map(_encodable, found[0].values)):
        return None
    return found[0]


def records_of(
    root: Folder, extents: Mapping[str, list[segments.Extent]], wanted: Wanted, jobs: int,
) -> tuple[Iterator[Record], Amendments, int] | None:  # fmt: skip
    """
    Find all records of the calls of which some record has the value.

    Args:
        root: The trail's directory.
        extents: Every chain's segments.
        wanted: What is searched for.
        jobs: How many helper processes.

    Returns:
        The records, ordered by time with ``chain`` added; all amendments; how many lines are no records. None when more than
        :data:`MOST` calls were found.
    """
    tasks = [
        SearchTask(chain, extent.part.name, extent.end, *wanted, sealed=extent is not found[-1])
        for chain, found in extents.items() for extent in found
    ]  # fmt: skip
    ids: set[str] = set()
    amended: list[Record] = []
    trusted: list[bool] = []
    unreadable = 0
    with Pool(root, jobs, SearchWorker) as pool:
        for _, one in pool.imap(tasks):
            ids.update(one.ids)
            amended += one.records
            trusted.append(one.trusted)
            unreadable += one.unreadable
            if len(ids) > MOST:
                return None
        amendments = Amendments(_by_time(amended))
        every = frozenset(_joined(ids, amendments))
        again = [task._replace(ids=every, trusted=sure) for task, sure in zip(tasks, trusted, strict=True)] if every else []
        records = [record for _, one in pool.imap(again) for record in one.records]
    return _by_time(records), amendments, unreadable


def _joined(ids: set[str], amendments: Amendments) -> set[str]:
    """Add the ids that name the same calls."""
    names = amendments.names
    calls = {names.get(i, i) for i in ids}
    return ids | {i for i, name in names.items() if name in calls}


def _by_time(records: Iterable[Record]) -> Iterator[Record]:
    """Merge chains by time; of a chain the records stand as written."""
    chains: dict[str, list[Record]] = {}
    for record in records:
        chains.setdefault(record["chain"], []).append(record)
    return heapq.merge(*chains.values(), key=lambda record: str(record.get("timestamp")))


def _by_bytes(descriptor: int, job: SearchTask, seal: str) -> SearchHits | None:
    """Search a segment's bytes; None when they are not what its seal says."""
    texts = [orjson.dumps(value) for value in sorted(job.values)]
    digest = hashlib.sha256()
    ids: set[str] = set()
    amended: list[Record] = []

    def take(line: bytes) -> None:
        record = segments.parse(line)
        if record is not None:
            _sort_out({**record, "chain": job.chain}, job, ids, amended)

    for block in whole_blocks(segments.digested(descriptor, digest), 0, job.end):
        for text in (*texts, _AMENDED):
            _each_line(block, text, take)
    if digest.hexdigest() != seal:
        return None
    # an amendment that has the value was taken twice
    once = {record["seq"]: record for record in amended}
    return SearchHits(sorted(ids), [once[seq] for seq in sorted(once)], 0, trusted=True)


def _by_parsing(descriptor: int, job: SearchTask) -> SearchHits:
    ids: set[str] = set()
    amended: list[Record] = []
    unreadable = 0
    for block in whole_blocks(partial(pread, descriptor), 0, job.end):
        for line in block.split(b"\n")[:-1]:
            record = segments.parse(line)
            if record is None:
                unreadable += 1
            else:
                _sort_out({**record, "chain": job.chain}, job, ids, amended)
    return SearchHits(sorted(ids), amended, unreadable, trusted=False)


def _sort_out(record: Record, job: SearchTask, ids: set[str], amended: list[Record]) -> None:
    value = record.get(job.field)
    if isinstance(value, str) and value in job.values and isinstance(record.get("call_id"), str):
        ids.add(record["call_id"])
    if record.get("event") == AMENDED:
        amended.append(record)


def _of_calls(descriptor: int, job: SearchTask, ids: frozenset[str]) -> Iterator[Record]:
    """Give the records of these calls, in written order."""
    texts = {i.encode() for i in ids}
    for block in whole_blocks(partial(pread, descriptor), 0, job.end):
        if job.trusted and texts.isdisjoint([piece[:_ID] for piece in block.split(_CALL)]):
            continue
        for line in block.split(b"\n")[:-1]:
            at = line.find(_CALL) + len(_CALL)
            if job.trusted and line[at : at + _ID] not in texts:
                continue
            record = segments.parse(line)
            if record is not None and record.get("call_id") in ids:
                record["chain"] = job.chain
                yield record


def _each_line(block: bytes, text: bytes, take: Callable[[bytes], None]) -> None:
    """Give each line that holds a text, once."""
    at = block.find(text)
    while at >= 0:
        stop = block.index(b"\n", at)
        take(block[block.rfind(b"\n", 0, at) + 1 : stop])
        at = block.find(text, stop)


def _encodable(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(value.encode() or not value)
    except UnicodeEncodeError:
        return False
