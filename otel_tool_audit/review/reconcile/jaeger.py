"""
Spans in Jaeger, by its gRPC interface, streamed a window of time after the other.

A window is asked for with a limit; if that many traces come, there may be more, and the window is halved. A span is taken in the window
in which it started, so a trace that lies in several is read once. In memory is one trace at a time, as Jaeger sends it
(at most :data:`LARGEST` bytes), by each helper process.

Source: jaeger-idl, ``api_v3/query_service.proto`` (``QueryService.FindTraces``); opentelemetry-proto, ``TracesData``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar, Final, NamedTuple
from urllib.parse import urlsplit

from otel_tool_audit.errors import AuditError, SettingsError
from otel_tool_audit.review.reconcile.sources import Help, Source, SourceTally
from otel_tool_audit.review.reconcile.spill import pack_seen
from otel_tool_audit.review.reconcile.values import WANTED, Window
from otel_tool_audit.review.source.directory import Folder
from otel_tool_audit.review.source.workers import Worker

METHOD: Final = "/jaeger.api_v3.QueryService/FindTraces"

HEADERS: Final = "OTEL_TOOL_AUDIT_JAEGER_HEADERS"
"""Variable with headers to send (``name=value``, separated by commas), for a Jaeger behind a proxy that wants a token."""

DEPTH: Final = 10_000
"""Traces that are asked for at once; a store that keeps fewer refuses, and is asked for less."""

LARGEST: Final = 256 * 1024 * 1024
"""Bytes of the largest trace that is received."""

SECONDS: Final = 120.0
"""How long one window may take."""

_SPAN: Final = 1024
"""Bytes that a tool's span may have, to guess how much there is to read."""

_PORT: Final = 16685
_NS: Final = 1_000_000_000
_SHORTEST: Final = 1_000


class JaegerWindow(NamedTuple):
    """
    A window that Jaeger is asked about.

    Attributes:
        name: Of Jaeger, for messages.
        target: Host and port.
        secure: Over TLS.
        depth: How many traces are asked for at once.
        since: As in :class:`~otel_tool_audit.review.reconcile.values.Window`.
        until: Likewise.
    """

    name: str
    target: str
    secure: bool
    depth: int
    since: int
    until: int


class JaegerAnswer(NamedTuple):
    """
    What came.

    Attributes:
        packed: Spans that started in the window and name a record.
        spans_read: As :class:`~otel_tool_audit.review.reconcile.sources.SourceTally` has it.
        unrecorded: Likewise.
        trouble: Why not all could be read, in words; None when it could.
    """

    packed: list[bytes]
    spans_read: int
    unrecorded: dict[str, int]
    trouble: str | None = None


class JaegerWorker(Worker):
    """Asks Jaeger, here or in a helper process: gRPC takes more of a core's time here than Jaeger takes to answer."""

    job: ClassVar[Callable[..., Any]] = JaegerWindow

    def __init__(self, root: Folder) -> None:
        super().__init__(root)
        self._channel: Any = None
        self._ask: Any = None

    def close(self) -> None:
        """Close the connection."""
        super().close()
        if self._channel is not None:
            self._channel.close()
            self._channel = self._ask = None

    def do(self, job: JaegerWindow) -> JaegerAnswer:
        """
        Ask about one window, as often as it takes.

        Args:
            job: Which.
        """
        import grpc  # noqa: PLC0415 - takes longer to import than all the rest

        if self._ask is None:
            self._connect(job, grpc)
        metadata, depth = _headers(), job.depth
        tally, packed, pending = SourceTally(), list[bytes](), [Window(job.since, job.until)]
        while pending:
            asked = pending.pop()
            answer = self._ask((asked, depth), timeout=SECONDS, metadata=metadata)
            try:
                found = _within(asked, depth, answer)
            except grpc.RpcError as error:
                if not _keeps_fewer(error) or depth <= 1:
                    return JaegerAnswer([], 0, {}, _trouble(job.name, error))
                # a store that keeps fewer traces than are asked for refuses, and is asked for less
                depth //= 2
                pending.append(asked)
                continue
            if found is not None:
                packed += found[0]
                tally.add(found[1])
            elif asked.until - asked.since < _SHORTEST:
                message = f"more than {depth:,} traces began within {asked.until - asked.since} ns: not all of them could be read"
                return JaegerAnswer([], 0, {}, f"{job.name}: {message}; reconcile with the Collector's files instead (--otlp-file)")
            else:
                middle = (asked.since + asked.until) // 2
                pending += [Window(middle, asked.until), Window(asked.since, middle)]
        return JaegerAnswer(packed, tally.spans_read, dict(tally.unrecorded))

    def _connect(self, job: JaegerWindow, grpc: Any) -> None:  # noqa: ANN401 - a module without types
        from otel_tool_audit.review.reconcile.message import traces_data  # noqa: PLC0415 - as gRPC

        # the second is an experiment of gRPC's, and only saves a thread: versions that don't know it pass over it
        options = [("grpc.max_receive_message_length", LARGEST), ("SingleThreadedUnaryStream", 1)]
        self._channel = (
            grpc.secure_channel(job.target, grpc.ssl_channel_credentials(), options) if job.secure else grpc.insecure_channel(job.target, options)
        )
        self._ask = self._channel.unary_stream(METHOD, request_serializer=_request, response_deserializer=traces_data().FromString)


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
        _headers()

    def spans(self, window: Window, helping: Help) -> Iterator[list[bytes]]:
        """
        Give the spans that started in a window and name a record, packed, a window's at a time.

        Raises:
            AuditError: Jaeger cannot be read.
        """
        # a call has two records, so there are half as many traces as records, and room for those of others
        windows = _windows(window, helping.moments(DEPTH))
        questions = (JaegerWindow(self.name, self._target, self._secure, DEPTH, since, until) for since, until in windows)
        helping.progress("asking Jaeger", 0, window.until - window.since)
        with helping.pool(JaegerWorker, len(windows) * DEPTH * _SPAN) as pool:
            for asked, given in pool.imap(questions):
                answer = JaegerAnswer(*given)
                if answer.trouble is not None:
                    raise AuditError(answer.trouble)
                self.tally.add(SourceTally(answer.spans_read, answer.unrecorded))
                helping.progress("asking Jaeger", asked.until - window.since, window.until - window.since)
                yield answer.packed


def _within(window: Window, depth: int, answer: Any) -> tuple[list[bytes], SourceTally] | None:  # noqa: ANN401 - grpc has no types
    """Take the spans that started in a window; None when there may be more traces than were asked for."""
    tally, packed, traces = SourceTally(), list[bytes](), set[bytes]()
    for data in answer:
        for resource in data.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    trace = span.trace_id
                    traces.add(trace)
                    at = span.start_time_unix_nano
                    if window.since <= at < window.until:
                        found = tally.take(_wanted(span.attributes), partial(_service, resource), trace, span.span_id, at)
                        if found is not None:
                            packed.append(pack_seen(found))
        if len(traces) >= depth:
            answer.cancel()
            return None
    return packed, tally


def _wanted(attributes: Any) -> dict[str, str | int]:  # noqa: ANN401 - a message's map
    return {key: _value(attributes[key]) for key in WANTED if key in attributes}


def _value(value: Any) -> str | int:  # noqa: ANN401 - a message
    """Read text or an integer; anything else is an integer that nobody looks at."""
    found: str | int = value.text.decode("utf-8", "replace") if value.HasField("text") else value.number
    return found


def _service(resource: Any) -> str:  # noqa: ANN401 - a message
    given = resource.resource.attributes
    return str(_value(given["service.name"])) if "service.name" in given else "unknown"


def _windows(window: Window, moments: list[int]) -> list[tuple[int, int]]:
    """Cut a window at moments between which the trail has about as many calls as Jaeger gives at once."""
    cuts = [window.since, *(moment for moment in moments if window.since < moment < window.until), window.until]
    return [(since, until) for since, until in pairwise(cuts) if since < until]


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


def _keeps_fewer(error: Any) -> bool:  # noqa: ANN401 - grpc has no types
    return "search depth" in str(error.details()).lower()


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
