"""
What becomes of forwarded spans: handed over, exported, refused, or fallen out of a full queue. Spans may be lost; silently they may not.

Source: ARCHITECTURE.md, D14 (``force_flush()`` returns True after a failed export); FORMAT.md, section 6.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from otel_tool_audit.processor.batches import batches
from otel_tool_audit.trail.trail import Trail

_GRACE: Final = 1.0
"""Seconds in which an exporter that was told to give up does so."""

_TICK: Final = 0.01


class CountingExporter(SpanExporter):
    """
    Passes spans on, in portions that fit a request, and counts what the exporter says became of them.

    Attributes:
        inner: The exporter.
        queue: Where spans wait for it; None when that cannot be seen.
        handed: Spans that were handed to its processor.
        exported: Spans that it took.
        failed: Spans that it gave up on.
        fell_out: Spans that fell out of the full queue.
    """

    def __init__(self, inner: SpanExporter, trail: Trail, queue: deque[Any] | None = None) -> None:
        """
        Wrap an exporter.

        Args:
            inner: Does the work.
            trail: Whose counters count.
            queue: Where spans wait for it.
        """
        self.inner = inner
        self.queue = queue
        self._trail = trail
        self.restart()

    def restart(self) -> None:
        """Count from zero, in a fork's child: what the parent handed over is the parent's."""
        self.handed = self.exported = self.failed = self.fell_out = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """
        Export a batch.

        Raises:
            Exception: What the exporter raised, after all portions were tried.
        """
        raised: Exception | None = None
        failed = self.failed
        for portion in batches(spans):
            arrived = False
            try:
                arrived = self.inner.export(portion) is SpanExportResult.SUCCESS
            except Exception as error:  # noqa: BLE001 - raised again below
                raised = error
            if arrived:
                self.exported += len(portion)
            else:
                self.failed += len(portion)
                self._trail.counters.add("spans_dropped", len(portion))
        if raised is not None:
            raise raised
        return SpanExportResult.SUCCESS if failed == self.failed else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """Shut the exporter down."""
        self.inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the exporter, where it has something to flush."""
        return self.inner.force_flush(timeout_millis)

    @property
    def missing(self) -> int:
        """Spans of which nobody said what became of them: while it exports they wait, afterwards they are lost."""
        return max(0, self.handed - self.exported - self.failed - self.fell_out)


class Delivery:
    """
    Hands spans to the processor that exports, and keeps the account.

    Attributes:
        forward: The processor.
        exporters: Its exporters, as far as they could be found.
        busy: Whether this process has handed anything over.
    """

    def __init__(self, forward: SpanProcessor, trail: Trail, once: Callable[..., None]) -> None:
        """
        Find the exporters behind a processor, and count what passes.

        Args:
            forward: Exports, or hands on to several that do.
            trail: Whose counters count.
            once: Warns, once for each topic.
        """
        self.forward = forward
        self.exporters = tuple(_counted(forward, trail))
        self._trail = trail
        self._once = once
        self.busy = False

    def after_fork(self) -> None:
        """In a fork's child: what the parent handed over is the parent's."""
        self.busy = False
        for exporter in self.exporters:
            exporter.restart()

    def hand_over(self, span: ReadableSpan) -> None:
        """Hand a span over; never raises."""
        counters = self._trail.counters
        counters.add("spans_forwarded")
        self.busy = True
        for exporter in self.exporters:
            # no lock, which a fork's child might inherit held: the interpreter switches threads at calls and jumps only, so this is whole
            exporter.handed += 1
            queue = exporter.queue
            if queue is not None and len(queue) == queue.maxlen:
                exporter.fell_out += 1
                counters.add("spans_dropped")
                self._once(
                    "queue",
                    "spans are made faster than they are exported, and the queue of %d is full: spans are lost to the backend, not to the "
                    "trail; raise OTEL_BSP_MAX_QUEUE_SIZE, or look why the backend is slow",
                    queue.maxlen,
                )
        try:
            self.forward.on_end(span)
        except Exception as error:  # noqa: BLE001 - what a processor raises reaches the application
            counters.add("spans_dropped")
            self._once("forward", "the processor that exports failed (%r); spans are lost to the backend, not to the trail", error)

    def flush(self, seconds: float) -> bool:
        """
        Wait until everything is exported, for a limited time: the SDK's processors ignore theirs, and try for as long as they like.

        Args:
            seconds: How long.

        Returns:
            Whether it is, as far as exporters tell.
        """
        failed = [exporter.failed for exporter in self.exporters]
        flushed: list[bool] = []
        done = _within(seconds, "tool-audit-flush", lambda: flushed.append(self.forward.force_flush(int(seconds * 1000)) is not False))
        return done and flushed == [True] and failed == [exporter.failed for exporter in self.exporters]

    def shutdown(self, seconds: float) -> None:
        """
        Shut the processor down, and tell what was not delivered.

        Args:
            seconds: How long it may export what is left.
        """
        if not _within(seconds, "tool-audit-shutdown", self.forward.shutdown):
            for exporter in self.exporters:
                # tells an exporter that waits for its next try to give up
                _within(_GRACE, "tool-audit-give-up", exporter.shutdown)
            self._wait()
        self._tell_undelivered()

    def _wait(self) -> None:
        """Let what was told to give up count what it gave up."""
        deadline = time.monotonic() + _GRACE
        while any(exporter.queue for exporter in self.exporters) and time.monotonic() < deadline:
            time.sleep(_TICK)

    def _tell_undelivered(self) -> None:
        lost = handed = 0
        for exporter in self.exporters:
            # what nobody told of is still in a queue, or was in it when its thread was ended
            missing = exporter.missing
            exporter.fell_out += missing
            if missing:
                self._trail.counters.add("spans_dropped", missing)
            lost += exporter.fell_out + exporter.failed
            handed += exporter.handed
        if lost:
            self._once(
                "undelivered",
                "%d of %d spans did not reach their backend; their tool calls are on record in the trail. OTEL_EXPORTER_OTLP_ENDPOINT says "
                "where spans go (default: localhost), OTEL_TRACES_EXPORTER=none that they go nowhere",
                lost,
                handed,
            )


def _within(seconds: float, name: str, work: Callable[[], object]) -> bool:
    """Do something that may take for ever, and wait for it no longer than this; True when it is done."""
    worker = threading.Thread(target=work, name=name, daemon=True)
    try:
        worker.start()
    except RuntimeError:
        # the interpreter starts no threads any more
        work()
        return True
    worker.join(seconds)
    return not worker.is_alive()


def _counted(forward: Any, trail: Trail) -> Iterator[CountingExporter]:  # noqa: ANN401 - any processor
    """
    Put a counter before each exporter behind a processor.

    The SDK's processors keep their exporter in a place that has no public setter; where it cannot be found, nothing is counted and the
    span counters say only what was forwarded.
    """
    inner = getattr(forward, "inner", ())
    for behind in inner if isinstance(inner, tuple) else (inner,):
        yield from _counted(behind, trail)
    batch = getattr(forward, "_batch_processor", None)
    for owner, name in ((batch, "_exporter"), (forward, "span_exporter")):
        exporter: Any = getattr(owner, name, None)
        if isinstance(exporter, CountingExporter):
            yield exporter
            return
        if isinstance(exporter, SpanExporter):
            queue = getattr(batch, "_queue", None)
            wrapped = CountingExporter(exporter, trail, queue if isinstance(queue, deque) else None)
            try:
                setattr(owner, name, wrapped)
            except AttributeError:
                continue
            yield wrapped
            return
