"""
Where sanitized spans go, as OpenTelemetry's own environment variables say.

Source: OpenTelemetry specification, "Environment Variable Specification" and "OTLP Exporter Configuration".
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from typing import Final

from opentelemetry.sdk.environment_variables import OTEL_BSP_MAX_QUEUE_SIZE
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor, SpanExporter, SpanExportResult

from otel_tool_audit.errors import SettingsError

EXPORTERS: Final = "OTEL_TRACES_EXPORTER"
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PORTS: Final = {"grpc": 4317, "http/protobuf": 4318}
_PROBE_SECONDS: Final = 0.2

QUEUE: Final = 16_384
"""
Spans that wait for the exporter unless ``OTEL_BSP_MAX_QUEUE_SIZE`` says otherwise: three seconds of 5,000 calls a second. The SDK's 2,048
overflow within half a second. A span of a call takes some 6 kB while it waits, so a backend that is down costs at most about 100 MB.
"""


def asked_for() -> bool:
    """Tell whether the environment says where spans go, so that the default endpoint is not a guess."""
    return any(os.environ.get(name) for name in (*_ENDPOINTS, EXPORTERS))


def exporting_processors() -> list[SpanProcessor]:
    """
    Make the processors that export.

    Returns:
        None at all when the environment says ``none`` or the SDK is disabled.

    Raises:
        SettingsError: A variable names an exporter or a protocol that is not there.
    """
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return []
    names = [name.strip() for name in (os.environ.get(EXPORTERS) or "otlp").split(",")]
    return [_processor(name) for name in names if name and name != "none"]


def _processor(name: str) -> SpanProcessor:
    if name == "console":
        return SimpleSpanProcessor(ConsoleSpanExporter(out=sys.stdout))
    return _batching(_otlp() if name == "otlp" else _named(name))


def _batching(exporter: SpanExporter) -> BatchSpanProcessor:
    """
    Let spans wait for an exporter, as many as the environment says, else more than the SDK would.

    Raises:
        SettingsError: The environment's numbers contradict each other.
    """
    try:
        # every other number the SDK reads from the environment by itself
        return BatchSpanProcessor(exporter, max_queue_size=None if os.environ.get(OTEL_BSP_MAX_QUEUE_SIZE) else QUEUE)
    except ValueError as error:
        message = f"OTEL_BSP_* cannot be used together ({error}); a queue must be larger than a batch"
        raise SettingsError(message) from error


def _otlp() -> SpanExporter:
    protocol = next((os.environ[name] for name in _PROTOCOLS if os.environ.get(name)), "grpc").strip().lower()
    # imported here: gRPC alone takes longer to import than all the rest
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Exporter  # noqa: PLC0415
    elif protocol == "http/protobuf":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Exporter  # type: ignore[assignment]  # noqa: PLC0415 - another class of the same use
    else:
        message = f"{_PROTOCOLS[1]}={protocol!r} cannot be used: it must be {' or '.join(_PORTS)}"
        raise SettingsError(message)
    exporter = Exporter()
    return exporter if asked_for() else IfListening(exporter, _PORTS[protocol])


def _named(name: str) -> SpanExporter:
    found = next(iter(entry_points(group="opentelemetry_traces_exporter", name=name)), None)
    if found is None:
        message = f"{EXPORTERS}={name!r} cannot be used: install a package that has such an exporter, or use otlp, console or none"
        raise SettingsError(message)
    made: SpanExporter = found.load()()
    return made


class IfListening(SpanExporter):
    """
    Exports to the default endpoint while somebody listens there.

    Nobody asked for that endpoint: without a Collector an exporter would try again for seconds, hold up the end of the
    process, and fill the log with what is no error.
    """

    def __init__(self, inner: SpanExporter, port: int) -> None:
        """
        Wrap an exporter.

        Args:
            inner: Exports to localhost.
            port: Where.
        """
        self.inner = inner
        self._port = port

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export a batch, or fail at once."""
        try:
            socket.create_connection(("localhost", self._port), _PROBE_SECONDS).close()
        except OSError:
            return SpanExportResult.FAILURE
        return self.inner.export(spans)

    def shutdown(self) -> None:
        """Shut the exporter down."""
        self.inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the exporter."""
        return self.inner.force_flush(timeout_millis)


class Several(SpanProcessor):
    """Hands spans on to more than one exporting processor (``OTEL_TRACES_EXPORTER=otlp,console``)."""

    def __init__(self, inner: Sequence[SpanProcessor]) -> None:
        """Take them, in the order in which they get spans."""
        self.inner = tuple(inner)

    def on_end(self, span: ReadableSpan) -> None:
        """
        Hand a span on.

        Raises:
            Exception: What one of them raised, after all had the span.
        """
        _each(lambda processor: processor.on_end(span), self.inner)

    def shutdown(self) -> None:
        """
        Shut all of them down.

        Raises:
            Exception: What one of them raised, after all were told.
        """
        _each(lambda processor: processor.shutdown(), self.inner)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush all of them."""
        flushed = [processor.force_flush(timeout_millis) is not False for processor in self.inner]
        return all(flushed)


def _each(do: Callable[[SpanProcessor], None], processors: Sequence[SpanProcessor]) -> None:
    """Do it with each; one that fails takes nothing from the others."""
    raised: Exception | None = None
    for processor in processors:
        try:
            do(processor)
        except Exception as error:  # noqa: BLE001 - raised again below
            raised = error
    if raised is not None:
        raise raised


def forward() -> SpanProcessor | None:
    """Make what :class:`AuditSpanProcessor` forwards to; None when spans go nowhere."""
    made = exporting_processors()
    return made[0] if len(made) == 1 else Several(made) if made else None
