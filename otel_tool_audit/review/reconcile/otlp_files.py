"""
Spans in the files that the Collector's file exporter writes: OTLP requests as JSON, one a line, when all went well.

After a crash two requests may stand on one line, and a fragment of one may stand anywhere; what is whole is read, the rest is told.
A request is in memory at a time, so the largest one is the bound (:data:`LONGEST` bytes; a longer line is told as unread).

Source: OpenTelemetry protocol 1.7, "JSON Protobuf Encoding": ids in hex, 64-bit integers as decimal strings.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any, Final, cast

import orjson

from otel_tool_audit.errors import SettingsError
from otel_tool_audit.review.reconcile.sources import Progress, Source
from otel_tool_audit.review.reconcile.values import WANTED, Seen, Window
from otel_tool_audit.review.values import listing, mapping

LONGEST: Final = 256 * 1024 * 1024
"""Bytes of the longest line that is read as such."""

_GZIP: Final = b"\x1f\x8b"
_BEGIN: Final = '{"resourceSpans":'
_MOST_TOLD: Final = 20
_DECODE: Final = json.JSONDecoder().raw_decode


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

    def spans(self, window: Window, moments: Callable[[int], list[int]], progress: Progress) -> Iterator[Seen]:  # noqa: ARG002 - files are read in their own order
        """Give the spans that started in a window and name a record."""
        total, before = sum(os.path.getsize(path) for path in self._paths), 0
        for path in self._paths:
            with _opened(path) as (file, raw):
                for request in self._requests(path, file):
                    progress("reading the files", before + raw.tell(), total)
                    for found in self._of(request):
                        if window.holds(found.at):
                            yield found
            before += os.path.getsize(path)
        if self._fragments > _MOST_TOLD:
            self.unread.append(f"… and {self._fragments - _MOST_TOLD:,} more fragments")

    def _requests(self, path: str, file: IO[bytes]) -> Iterator[Mapping[str, Any]]:
        number = 0
        try:
            while line := file.readline(LONGEST):
                number += 1
                try:
                    request = orjson.loads(line)
                except ValueError:
                    yield from self._mended(path, number, line)
                else:
                    if isinstance(request, dict):
                        yield request
                    else:
                        self._fragment(path, number, len(line))
        except (OSError, EOFError, zlib.error) as error:
            # a compressed file that was cut off ends like this
            self._tell(f"{path}, after line {number:,}: {error}")

    def _mended(self, path: str, number: int, line: bytes) -> Iterator[Mapping[str, Any]]:
        """Find the whole requests in a line that is not one, and tell of what is left."""
        text = line.decode("utf-8", "replace").strip()
        at = 0
        while at < len(text):
            begin = text.find(_BEGIN, at)
            if begin != at:
                self._fragment(path, number, (begin if begin >= 0 else len(text)) - at)
            if begin < 0:
                return
            try:
                request, at = _DECODE(text, begin)
            except (ValueError, RecursionError):
                # cut off here; whole ones may follow
                following = text.find(_BEGIN, begin + 1)
                self._fragment(path, number, (following if following >= 0 else len(text)) - begin)
                if following < 0:
                    return
                at = following
                continue
            yield mapping(request)

    def _of(self, request: Mapping[str, Any]) -> Iterator[Seen]:
        for resource in map(mapping, listing(request.get("resourceSpans"))):
            for scope in map(mapping, listing(resource.get("scopeSpans"))):
                for span in map(mapping, listing(scope.get("spans"))):
                    found = self._span(span, resource)
                    if found is not None:
                        yield found

    def _span(self, span: Mapping[str, Any], resource: Mapping[str, Any]) -> Seen | None:
        given = listing(span.get("attributes"))
        try:
            attributes = {entry["key"]: _value(entry["value"]) for entry in given if entry["key"] in WANTED}
        except (TypeError, KeyError):
            # no attributes as OTLP has them; look at each
            pairs = [(entry.get("key"), entry.get("value")) for entry in map(mapping, given)]
            attributes = {key: _value(value) for key, value in pairs if isinstance(key, str) and key in WANTED}
        at = _integer(span.get("startTimeUnixNano")) or 0
        return self.take(attributes, lambda: _service(resource), _hex(span.get("traceId")), _hex(span.get("spanId")), at)

    def _fragment(self, path: str, number: int, size: int) -> None:
        self._fragments += 1
        if self._fragments <= _MOST_TOLD:
            self.unread.append(f"{path}, line {number:,}: a fragment of {size:,} bytes, as a killed Collector leaves")

    def _tell(self, message: str) -> None:
        self.unread.append(message)


@contextlib.contextmanager
def _opened(path: str) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Open a file to read lines from, and the file whose position tells how far that is."""
    with open(path, "rb") as raw:
        compressed = raw.read(2) == _GZIP
        raw.seek(0)
        if not compressed:
            yield raw, raw
            return
        with gzip.open(raw, "rb") as file:
            yield cast("IO[bytes]", file), raw


def _value(value: object) -> str | int | None:
    """Read a string or an integer; nothing else is wanted."""
    given = mapping(value)
    text = given.get("stringValue")
    return text if isinstance(text, str) else _integer(given.get("intValue"))


def _integer(value: object) -> int | None:
    if type(value) is int:
        return value
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20 else None  # noqa: PLR2004 - 64 bits


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
