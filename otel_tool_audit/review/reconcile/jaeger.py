"""
Spans in Jaeger, by its gRPC interface, streamed a window of time after the other.

A window is asked for with a limit; if that many traces come, there may be more, and the window is halved. A span is taken in the window
in which it started, so a trace that lies in several is read once. In memory is one trace at a time, as Jaeger sends it
(at most :data:`LARGEST` bytes).

Source: jaeger-idl, ``api_v3/query_service.proto`` (``QueryService.FindTraces``); opentelemetry-proto, ``TracesData``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from otel_tool_audit.errors import AuditError, SettingsError
from otel_tool_audit.review.reconcile.sources import Progress, Source
from otel_tool_audit.review.reconcile.values import WANTED, Seen, Window

if TYPE_CHECKING:
    from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

METHOD: Final = "/jaeger.api_v3.QueryService/FindTraces"

HEADERS: Final = "OTEL_TOOL_AUDIT_JAEGER_HEADERS"
"""Variable with headers to send (``name=value``, separated by commas), for a Jaeger behind a proxy that wants a token."""

DEPTH: Final = 10_000
"""Traces that are asked for at once; a store that keeps fewer refuses, and is asked for less."""

LARGEST: Final = 256 * 1024 * 1024
"""Bytes of the largest trace that is received."""

SECONDS: Final = 120.0
"""How long one window may take."""

_PORT: Final = 16685
_NS: Final = 1_000_000_000
_SHORTEST: Final = 1_000


class Jaeger(Source):
    """A Jaeger that answers ``api_v3`` over gRPC."""

    def __init__(self, url: str) -> None:
        """
        Take the address.

        Args:
            url: Such as ``http://localhost:16685`` (no TLS) or ``https://jaeger.example.com:443``; ``host:port`` counts as the first.

        Raises:
            SettingsError: It is no such address, or the variable with headers cannot be read.
        """
        super().__init__(url)
        parts = urlsplit(url if "://" in url else f"http://{url}")
        try:
            port = parts.port or _PORT
        except ValueError:
            port = 0
        if parts.scheme not in {"http", "https"} or not parts.hostname or not port or parts.path.strip("/") or parts.username:
            message = f"--jaeger {url!r} is no address: write http://HOST:{_PORT} or https://HOST:PORT, the port of Jaeger's gRPC query service"
            raise SettingsError(message)
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        self._target, self._secure = f"{host}:{port}", parts.scheme == "https"
        self._metadata = _headers()
        self._depth = DEPTH

    def spans(self, window: Window, moments: Callable[[int], list[int]], progress: Progress) -> Iterator[Seen]:
        """Give the spans that started in a window and name a record."""
        # imported here: gRPC takes longer to import than all the rest
        import grpc  # noqa: PLC0415
        from opentelemetry.proto.trace.v1.trace_pb2 import TracesData  # noqa: PLC0415

        options = [("grpc.max_receive_message_length", LARGEST)]
        opened = (
            grpc.secure_channel(self._target, grpc.ssl_channel_credentials(), options)
            if self._secure
            else grpc.insecure_channel(self._target, options)
        )
        with opened as channel:
            ask = channel.unary_stream(METHOD, request_serializer=_request, response_deserializer=TracesData.FromString)
            # a call has two records, so there are half as many traces as records, and room for those of others
            pending = _windows(window, moments(self._depth))[::-1]
            while pending:
                left = sum(w.until - w.since for w in pending)
                progress("asking Jaeger", window.until - window.since - left, window.until - window.since)
                asked = pending.pop()
                try:
                    found = self._within(asked, ask((asked, self._depth), timeout=SECONDS, metadata=self._metadata))
                except grpc.RpcError as error:
                    if not self._shallower(error):
                        raise AuditError(_trouble(self.name, error)) from error
                    pending.append(asked)
                    continue
                if found is None:
                    pending += self._halves(asked)
                else:
                    yield from found

    def _within(self, window: Window, answer: Any) -> list[Seen] | None:  # noqa: ANN401 - grpc has no types
        """Take the spans that started in a window; None when there may be more traces than were asked for."""
        counted = self.spans_read, self.unrecorded.copy()
        taken: list[Seen] = []
        traces: set[bytes] = set()
        for data in answer:
            for resource, span in _spans(data):
                traces.add(span.trace_id)
                if window.holds(span.start_time_unix_nano):
                    found = self._span(span, resource)
                    if found is not None:
                        taken.append(found)
            if len(traces) >= self._depth:
                answer.cancel()
                self.spans_read, self.unrecorded = counted
                return None
        return taken

    def _span(self, span: Span, resource: Any) -> Seen | None:  # noqa: ANN401 - an anonymous message
        attributes = {entry.key: _value(entry.value) for entry in span.attributes if entry.key in WANTED}
        return self.take(attributes, lambda: _service(resource), span.trace_id, span.span_id, span.start_time_unix_nano)

    def _halves(self, window: Window) -> list[Window]:
        """Halve a window that holds too much; the earlier half comes last, for that is where the next one is taken from."""
        if window.until - window.since < _SHORTEST:
            message = f"more than {self._depth:,} traces began within {window.until - window.since} ns: not all of them could be read"
            raise AuditError(f"{self.name}: {message}; reconcile with the Collector's files instead (--otlp-file)")
        middle = (window.since + window.until) // 2
        return [Window(middle, window.until), Window(window.since, middle)]

    def _shallower(self, error: Any) -> bool:  # noqa: ANN401 - grpc has no types
        """Ask for less when the store keeps fewer traces than are asked for, which is when it refuses."""
        if "search depth" not in str(error.details()).lower() or self._depth <= 1:
            return False
        self._depth //= 2
        return True


def _windows(window: Window, moments: list[int]) -> list[Window]:
    """Cut a window at moments between which the trail has about as many calls as Jaeger gives at once."""
    cuts = [window.since, *(moment for moment in moments if window.since < moment < window.until), window.until]
    return [Window(since, until) for since, until in pairwise(cuts) if since < until]


def _request(asked: tuple[Window, int]) -> bytes:
    """
    Write ``FindTracesRequest`` by hand: no package has the message, and generated code would be a hundred times as long.

    Its one field ``query`` (1) has ``start_time_min`` (4), ``start_time_max`` (5), ``search_depth`` (8) and ``raw_traces`` (9): spans as
    stored, without the query service's adjustments.
    """
    window, depth = asked
    query = _field(4, _timestamp(window.since)) + _field(5, _timestamp(window.until)) + b"\x40" + _varint(depth) + b"\x48\x01"
    return _field(1, query)


def _timestamp(nanoseconds: int) -> bytes:
    seconds, rest = divmod(nanoseconds, _NS)
    return b"\x08" + _varint(seconds) + b"\x10" + _varint(rest)


def _field(number: int, message: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(message)) + message


def _varint(number: int) -> bytes:
    written = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits a byte
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])


def _spans(data: TracesData) -> Iterator[tuple[Any, Span]]:
    for resource in data.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield resource.resource, span


def _value(value: Any) -> str | int | None:  # noqa: ANN401 - a message
    """Read a string or an integer; nothing else is wanted."""
    kind = value.WhichOneof("value")
    return value.string_value if kind == "string_value" else value.int_value if kind == "int_value" else None


def _service(resource: Any) -> str:  # noqa: ANN401 - a message
    return next((str(_value(entry.value)) for entry in resource.attributes if entry.key == "service.name"), "unknown")


def _headers() -> tuple[tuple[str, str], ...]:
    given = os.environ.get(HEADERS, "")
    pairs = [part.partition("=") for part in given.split(",") if part.strip()]
    if not all(name.strip() and sign for name, sign, _ in pairs):
        # the values are secrets: the message must not show them
        message = f"{HEADERS} cannot be read: write name=value, separated by commas"
        raise SettingsError(message)
    return tuple((name.strip().lower(), value.strip()) for name, _, value in pairs)


def _trouble(name: str, error: Any) -> str:  # noqa: ANN401 - grpc has no types
    code = getattr(error.code(), "name", "UNKNOWN")
    hint = {
        "UNAVAILABLE": "is it running, and is this the port of its gRPC query service (16685 by default)?",
        "UNIMPLEMENTED": "something else answers there: name the port of its gRPC query service (16685 by default)",
        "DEADLINE_EXCEEDED": f"it took more than {SECONDS:.0f} s for one window: name a shorter time with --since and --until",
        "UNAUTHENTICATED": f"it wants a token: put it into {HEADERS}",
        "PERMISSION_DENIED": f"it refuses this token: see {HEADERS}",
        "RESOURCE_EXHAUSTED": "a trace is larger than can be received: reconcile with the Collector's files instead (--otlp-file)",
    }.get(code, "see its log")
    return f"Jaeger at {name} cannot be read ({code}: {error.details()}): {hint}"
