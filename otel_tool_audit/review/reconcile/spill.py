"""
Sorting more than fits in memory, in a temporary file under ``TMPDIR`` that is gone when it is closed, or when the process dies.

What is sorted is packed: ids, positions, times and hashes; nothing of what a record says. An entry begins with the call's id, so entries
sort as bytes, and come back call by call.
"""

from __future__ import annotations

import heapq
import os
import struct
import tempfile
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Final, Self

from otel_tool_audit.errors import AuditError
from otel_tool_audit.review.reconcile.values import ExportedSpan, Recorded

HELD: Final = 32 << 20
"""Bytes of records, and as many of spans, that are in memory at once."""

ENDED: Final = 1
TRACED: Final = 2
SAMPLED: Final = 4
"""What a packed record says of itself."""

TIMED: Final = 64
"""Of so many records, the time of one is kept to cut the trail into windows."""

_OVERHEAD: Final = 57
"""Bytes that an object of bytes takes beside what it holds, and its place in a list."""

_BLOCK: Final = 64 << 10
_AT_ONCE: Final = 4096
_KEY: Final = 16
_LENGTH: Final = struct.Struct("<I")
_RECORDED: Final = struct.Struct(">16sQ16s32sQB")
_SEEN: Final = struct.Struct(">16sQ8s16s16sq32sB")
_LEAVE_KEY: Final = struct.Struct(">Q16s32sQB"), struct.Struct(">Q8s16s16sq32sB")
_SEQ: Final = 1
_HASH: Final = 2
_LAST: Final = b"\xff" * _KEY


def pack_recorded(record: Recorded) -> bytes:
    """Pack a record; in order, they are by call, and each call's as written."""
    flags = record.ended * ENDED | record.traced * TRACED | record.sampled * SAMPLED
    return packed_record(record.call, record.chain.encode(), record.seq, record.hash, record.at, flags)


def packed_record(call: bytes, chain: bytes, seq: int, digest: bytes, at: int, flags: int) -> bytes:
    """
    Pack a record's values, as :func:`pack_recorded` does.

    Args:
        call: As in :class:`~otel_tool_audit.review.reconcile.values.Recorded`, like the following.
        chain: Encoded.
        seq: As there.
        digest: As there.
        at: As there.
        flags: :data:`ENDED`, :data:`TRACED` and :data:`SAMPLED`, as far as they hold.
    """
    return _RECORDED.pack(call, seq, call, digest, at, flags) + chain


def pack_seen(span: ExportedSpan) -> bytes:
    """Pack a span; in order, they are by call, and each call's by time."""
    call, trail, chain, seq, digest, trace, own, at = span
    flags = (seq is not None) * _SEQ | (digest is not None) * _HASH
    stream = f"{trail or ''}/{chain or ''}".encode("utf-8", "surrogatepass")
    return _SEEN.pack(call, at, own, trace, call, seq or 0, digest or b"", flags) + stream


class Heap:
    """Entries of any number, given back in order."""

    def __init__(self, held: int = HELD) -> None:
        """
        Begin.

        Args:
            held: Bytes that it keeps in memory at most.
        """
        self._most = held
        self._entries: list[bytes] = []
        self._size = 0
        self._file: IO[bytes] | None = None
        self._runs: list[tuple[int, int]] = []

    def close(self) -> None:
        """Throw everything away."""
        self._entries = []
        if self._file is not None:
            self._file.close()

    def put(self, entries: Sequence[bytes]) -> None:
        """
        Take some.

        Raises:
            AuditError: The temporary file cannot be written.
        """
        self._entries += entries
        self._size += sum(map(len, entries)) + _OVERHEAD * len(entries)
        if self._size < self._most:
            return
        try:
            self._write()
        except OSError as error:
            message = f"what is compared cannot be sorted in {tempfile.gettempdir()} ({error}): make room there, or let TMPDIR name another place"
            raise AuditError(message) from error

    def sorted(self) -> Iterator[bytes]:
        """Give all; nothing may be put afterwards."""
        self._entries.sort()
        return heapq.merge(*(self._read(*run) for run in self._runs), self._entries) if self._runs else iter(self._entries)

    def _write(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=_BLOCK)  # noqa: SIM115 - closed with this object
        begin = self._file.tell()
        self._entries.sort()
        for at in range(0, len(self._entries), _AT_ONCE):
            self._file.write(b"".join(part for entry in self._entries[at : at + _AT_ONCE] for part in (_LENGTH.pack(len(entry)), entry)))
        self._file.flush()
        self._runs.append((begin, self._file.tell()))
        self._entries, self._size = [], 0

    def _read(self, at: int, end: int) -> Iterator[bytes]:
        assert self._file is not None  # noqa: S101 - a run was written to it
        rest = b""
        while at < end:
            block = rest + os.pread(self._file.fileno(), min(_BLOCK, end - at), at)
            at += len(block) - len(rest)
            begin = 0
            while begin + _LENGTH.size <= len(block):
                stop = begin + _LENGTH.size + _LENGTH.unpack_from(block, begin)[0]
                if stop > len(block):
                    break
                yield block[begin + _LENGTH.size : stop]
                begin = stop
            rest = block[begin:]


class Spill:
    """Two heaps, of records and of spans, and the names under which calls go."""

    def __init__(self, held: int = HELD) -> None:
        """
        Begin.

        Args:
            held: As :class:`Heap`.
        """
        self._recorded, self._seen = Heap(held), Heap(held)
        self._heaps = [self._recorded, self._seen]
        self._most = held
        self._names: Mapping[bytes, bytes] = {}
        self._count = 0
        self._times = array("Q")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for heap in self._heaps:
            heap.close()

    def put_records(self, packed: Sequence[bytes]) -> None:
        """Take what the trail has, packed; chain by chain, in written order."""
        for entry in packed[-self._count % TIMED :: TIMED]:
            self._times.append(_RECORDED.unpack_from(entry)[4])
        self._count += len(packed)
        self._recorded.put(packed)

    def put_spans(self, packed: Sequence[bytes]) -> None:
        """Take what the backend has, packed."""
        self._seen.put(packed)

    def join(self, names: Mapping[bytes, bytes]) -> None:
        """Let several ids stand for one call: each of *names* for the one it leads to."""
        self._names = names

    def moments(self, step: int) -> list[int]:
        """
        Tell when the trail's records were written, of *step* records about one, in order.

        Args:
            step: About so many records lie between two moments, which are in nanoseconds.
        """
        each = max(1, step // TIMED)
        return sorted(self._times)[each - 1 :: each]

    def records(self) -> Iterator[tuple[bytes, Recorded]]:
        """Give the records by call, each call's in written order."""
        fields, size = _LEAVE_KEY[0].unpack_from, _LEAVE_KEY[0].size
        for key, rest in self._by_call(self._recorded):
            seq, call, digest, at, flags = fields(rest)
            yield key, Recorded(call, rest[size:].decode(), seq, digest, flags & ENDED > 0, at, flags & TRACED > 0, flags & SAMPLED > 0)

    def spans(self) -> Iterator[tuple[bytes, ExportedSpan]]:
        """Give the spans by call."""
        fields, size = _LEAVE_KEY[1].unpack_from, _LEAVE_KEY[1].size
        for key, rest in self._by_call(self._seen):
            at, own, trace, call, seq, digest, flags = fields(rest)
            trail, _, chain = rest[size:].decode("utf-8", "surrogatepass").partition("/")
            where = (trail or None, chain or None, seq if flags & _SEQ else None, digest if flags & _HASH else None)
            yield key, ExportedSpan(call, *where, trace, own, at)

    def _by_call(self, heap: Heap) -> Iterator[tuple[bytes, bytes]]:
        """Give each entry's key and the rest of it, in the keys' order: joined calls come last, under the name that they share."""
        joined = Heap(self._most)
        self._heaps.append(joined)
        names = self._names
        for entry in heap.sorted():
            key = entry[:_KEY]
            if key in names:
                joined.put([names[key] + entry[_KEY:]])
            else:
                yield key, entry[_KEY:]
        for entry in joined.sorted():
            yield _LAST + entry[:_KEY], entry[_KEY:]
