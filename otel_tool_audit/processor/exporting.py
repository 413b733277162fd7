"""
What becomes of forwarded spans, as far as an exporter tells: the trail's counters say how many never arrived.

Source: ARCHITECTURE.md (``force_flush()`` returns True after a failed export); FORMAT.md, section 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from otel_tool_audit.trail.trail import Trail


class CountingExporter(SpanExporter):
    """
    Passes spans on and counts what the exporter says became of them.

    Attributes:
        inner: The exporter.
        exported: Spans that it took.
        failed: Spans that it gave up on.
    """

    def __init__(self, inner: SpanExporter, trail: Trail) -> None:
        """
        Wrap an exporter.

        Args:
            inner: Does the work.
            trail: Whose counters count.
        """
        self.inner = inner
        self.exported = 0
        self.failed = 0
        self._trail = trail

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export a batch."""
        arrived = False
        try:
            result = self.inner.export(spans)
            arrived = result is SpanExportResult.SUCCESS
        finally:
            if arrived:
                self.exported += len(spans)
            else:
                self.failed += len(spans)
                self._trail.counters.add("spans_dropped", len(spans))
        return result

    def shutdown(self) -> None:
        """Shut the exporter down."""
        self.inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the exporter, where it has something to flush."""
        return self.inner.force_flush(timeout_millis)


def counted(forward: SpanProcessor, trail: Trail) -> CountingExporter | None:
    """
    Count what the exporter of a processor drops.

    The SDK's processors keep their exporter in a place that has no public setter; where it cannot be found, nothing is
    counted and the span counters say only what was forwarded.

    Args:
        forward: The processor that exports.
        trail: Whose counters count.
    """
    for owner, name in ((getattr(forward, "_batch_processor", None), "_exporter"), (forward, "span_exporter")):
        exporter: Any = getattr(owner, name, None)
        if isinstance(exporter, CountingExporter):
            return exporter
        if isinstance(exporter, SpanExporter):
            wrapped = CountingExporter(exporter, trail)
            try:
                setattr(owner, name, wrapped)
            except AttributeError:
                continue
            return wrapped
    return None
