"""
Spans in the files that the Collector's file exporter writes: OTLP requests as JSON, one a line, when all went well.

After a crash two requests may stand on one line, and a fragment of one may stand anywhere; what is whole is read, the rest is told.
A request is in memory at a time, so the largest one is the bound (:data:`LONGEST` bytes; a longer line is told as unread).

Source: OpenTelemetry protocol 1.7, "JSON Protobuf Encoding": ids in hex, 64-bit integers as decimal strings.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, ClassVar, Final, NamedTuple, cast

import orjson

from otel_tool_audit.errors import SettingsError
from otel_tool_audit.format.nesting import end_of_value
from otel_tool_audit.record.untrusted import listing, mapping
from otel_tool_audit.review.reconcile.sources import Help, Source, SourceTally
from otel_tool_audit.review.reconcile.spill import pack_seen
from otel_tool_audit.review.reconcile.values import WANTED, ExportedSpan, Window
from otel_tool_audit.review.source.workers import Pool, Worker

LONGEST: Final = 256 * 1024 * 1024
"""Bytes of the longest line that is read as such."""

PIECE: Final = 8 << 20
"""Bytes that are read in one piece; it is as much longer as its last line needs."""

_GZIP: Final = b"\x1f\x8b"
_BEGIN: Final = b'{"resourceSpans":'
_MOST_TOLD: Final = 20


class Stretch(NamedTuple):
    """
    A part of a file that begins and ends with a line.

    Attributes:
        path: The file.
        start: First byte.
        stop: The byte after the last; None: up to the file's end, wherever that is by then.
        since: As in :class:`~otel_tool_audit.review.reconcile.values.Window`.
        until: Likewise.
    """

    path: str
    start: int
    stop: int | None
    since: int
    until: int


class Got(NamedTuple):
    """
    What lines hold.

    Attributes:
        packed: Spans that started in the window and name a record.
        spans_read: As :class:`~otel_tool_audit.review.reconcile.sources.SourceTally` has it.
        unrecorded: Likewise.
        lines: How many lines there were.
        fragments: What is no request: in which line, counted from 1, and how many bytes it has.
    """

    packed: list[bytes]
    spans_read: int
    unrecorded: dict[str, int]
    lines: int
    fragments: list[tuple[int, int]]


class FilesReading(Worker):
    """Reads stretches of files, here or in a helper process."""

    job: ClassVar[Callable[..., Any]] = Stretch

    def do(self, job: Stretch) -> Got:
        """
        Read one stretch.

        Args:
            job: Which.

        Raises:
            OSError: As the system says.
        """
        with open(job.path, "rb") as file:
            file.seek(job.start)
            return read(_lines(file, None if job.stop is None else job.stop - job.start), Window(job.since, job.until))


class OtlpFiles(Source):
    """Files in the order given; rotated and compressed (gzip) ones as well."""

    def __init__(self, paths: Sequence[str]) -> None:
        """
        Take the files.

        Args:
            paths: Of one Collector or several.

        Raises:
            SettingsError: One is not there or is no file.
        """
        super().__init__(paths[0] if len(paths) == 1 else f"{len(paths)} files")
        self._paths = paths
        self._fragments = 0
        for path in paths:
            if not os.path.isfile(path):
                message = f"there is no file {path}: --otlp-file names what the Collector's file exporter wrote"
                raise SettingsError(message)

    def spans(self, window: Window, helping: Help) -> Iterator[list[bytes]]:
        """Give the spans that started in a window and name a record, packed, a stretch's at a time."""
        total, before = sum(os.path.getsize(path) for path in self._paths), 0
        with helping.pool(FilesReading, total) as pool:
            for path in self._paths:
                lines = 0
                try:
                    for got, done in _compressed(path, window) if _is_compressed(path) else _plain(path, window, pool):
                        helping.progress("reading the files", before + done, total)
                        self._take(path, lines, got)
                        lines += got.lines
                        yield got.packed
                except (OSError, EOFError, zlib.error) as error:
                    # a compressed file that was cut off ends like this
                    self.unread.append(f"{path}, after line {lines:,}: {error}")
                before += os.path.getsize(path)
        if self._fragments > _MOST_TOLD:
            self.unread.append(f"… and {self._fragments - _MOST_TOLD:,} more fragments")

    def _take(self, path: str, lines: int, got: Got) -> None:
        self.tally.add(SourceTally(got.spans_read, got.unrecorded))
        for number, size in got.fragments:
            self._fragments += 1
            if self._fragments <= _MOST_TOLD:
                self.unread.append(f"{path}, line {lines + number:,}: a fragment of {size:,} bytes, as a killed Collector leaves")


def read(lines: Iterable[bytes], window: Window) -> Got:
    """
    Read lines of the file exporter.

    Args:
        lines: With or without their LF.
        window: Spans that started outside of it are only counted.
    """
    packed: list[bytes] = []
    tally, fragments, number = SourceTally(), list[tuple[int, int]](), 0
    for line in lines:
        number += 1
        for request in _requests(line, number, fragments):
            packed += [pack_seen(found) for found in _of(request, tally) if window.holds(found.at)]
    return Got(packed, tally.spans_read, dict(tally.unrecorded), number, fragments)


def _plain(path: str, window: Window, pool: Pool) -> Iterator[tuple[Got, int]]:
    """Read a file in stretches, and tell how far each goes, in bytes."""
    size = os.path.getsize(path)
    for job, got in pool.imap(Stretch(path, start, stop, window.since, window.until) for start, stop in _cuts(path, size)):
        yield got, size if job.stop is None else job.stop


def _cuts(path: str, size: int) -> Iterator[tuple[int, int | None]]:
    with open(path, "rb") as file:
        start = 0
        while start + PIECE < size:
            file.seek(start + PIECE - 1)
            file.readline(LONGEST)
            stop = file.tell()
            yield start, stop
            start = stop
    yield start, None


def _compressed(path: str, window: Window) -> Iterator[tuple[Got, int]]:
    """Read a compressed file, which has to be read from its beginning."""
    trouble: list[Exception] = []

    def whole(file: IO[bytes]) -> Iterator[bytes]:
        # what was read before it failed counts
        try:
            yield from _lines(file, PIECE)
        except (OSError, EOFError, zlib.error) as error:
            trouble.append(error)

    with open(path, "rb") as raw, gzip.open(raw, "rb") as file:
        while (got := read(whole(cast("IO[bytes]", file)), window)).lines:
            yield got, raw.tell()
            if trouble:
                break
    if trouble:
        raise trouble[0]


def _is_compressed(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(len(_GZIP)) == _GZIP


def _lines(file: IO[bytes], size: int | None) -> Iterator[bytes]:
    """Give lines until so many bytes have been given; None: until the file ends."""
    while (size is None or size > 0) and (line := file.readline(LONGEST)):
        if size is not None:
            size -= len(line)
        yield line


def _requests(line: bytes, number: int, fragments: list[tuple[int, int]]) -> Iterator[Mapping[str, Any]]:
    try:
        request = orjson.loads(line)
    except ValueError:
        yield from _mended(line, number, fragments)
    else:
        if isinstance(request, dict):
            yield request
        else:
            fragments.append((number, len(line)))


def _mended(line: bytes, number: int, fragments: list[tuple[int, int]]) -> Iterator[Mapping[str, Any]]:
    """Find the whole requests in a line that is not one, and tell of what is left."""
    text = line.strip()
    at = 0
    while at < len(text):
        begin = text.find(_BEGIN, at)
        if begin != at:
            fragments.append((number, (begin if begin >= 0 else len(text)) - at))
        if begin < 0:
            return
        at = end_of_value(text, begin)
        try:
            request = orjson.loads(text[begin:at])
        except ValueError:
            # cut off here; whole ones may follow
            following = text.find(_BEGIN, begin + 1)
            at = following if following >= 0 else len(text)
            fragments.append((number, at - begin))
        else:
            yield mapping(request)


def _of(request: Mapping[str, Any], tally: SourceTally) -> Iterator[ExportedSpan]:
    for resource in map(mapping, listing(request.get("resourceSpans"))):
        for scope in map(mapping, listing(resource.get("scopeSpans"))):
            for span in map(mapping, listing(scope.get("spans"))):
                found = _span(span, resource, tally)
                if found is not None:
                    yield found


def _span(span: Mapping[str, Any], resource: Mapping[str, Any], tally: SourceTally) -> ExportedSpan | None:
    given = listing(span.get("attributes"))
    try:
        named = {entry["key"]: entry["value"] for entry in given}
    except (TypeError, KeyError):
        # no attributes as OTLP has them; look at each
        named = {entry.get("key"): entry.get("value") for entry in map(mapping, given) if isinstance(entry.get("key"), str)}
    attributes = {key: _value(named[key]) for key in WANTED if key in named}
    at = _integer(span.get("startTimeUnixNano")) or 0
    return tally.take(attributes, lambda: _service(resource), _hex(span.get("traceId")), _hex(span.get("spanId")), at)


def _value(value: object) -> str | int | None:
    """Read a string or an integer; nothing else is wanted."""
    if not isinstance(value, dict):
        return None
    text = value.get("stringValue")
    return text if isinstance(text, str) else _integer(value.get("intValue"))


def _integer(value: object) -> int | None:
    """Read a whole number of no more than 64 bits; it is text in OTLP's JSON."""
    number = value if type(value) is int else int(value) if isinstance(value, str) and len(value) < 20 and value.isascii() and value.isdigit() else -1  # noqa: PLR2004 - 64 bits
    return number if 0 <= number < 1 << 64 else None


def _hex(value: object) -> bytes:
    try:
        return bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        return b""


def _service(resource: Mapping[str, Any]) -> str:
    for entry in map(mapping, listing(mapping(resource.get("resource")).get("attributes"))):
        if entry.get("key") == "service.name":
            return str(_value(entry.get("value")))
    return "unknown"
