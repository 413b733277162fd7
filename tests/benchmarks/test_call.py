"""Figure 9(a): what an audited call costs beside the same call as a plain span."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

import otel_tool_audit as audit
from otel_tool_audit.processor import AuditSpanProcessor, RecordAll
from otel_tool_audit.recording import unbind
from otel_tool_audit.settings import Settings

CALLS = 15_000
MOST = 3.0


class Keeping(SpanExporter):
    """Exports to nowhere; keeps the last span, to see what the plain side has to carry."""

    def __init__(self):
        self.last = None

    def export(self, spans):
        self.last = spans[-1]
        return SpanExportResult.SUCCESS


def alternated(one: Callable[[], object], other: Callable[[], object]) -> tuple[float, float]:
    """Time both by turns, so that both meet the same caches, disk and neighbours; the median call of each, in microseconds."""
    ones, others = [], []
    for _ in range(CALLS):
        begun = time.perf_counter_ns()
        one()
        between = time.perf_counter_ns()
        other()
        others.append(time.perf_counter_ns() - between)
        ones.append(between - begun)
    return statistics.median(ones) / 1000, statistics.median(others) / 1000


@pytest.mark.benchmark
def test_an_audited_call_costs_at_most_three_plain_spans(tmp_path, capsys):
    """Recorded twice, chained and stamped, a call takes at most three times what a span with the same attributes takes."""
    exporter = Keeping()
    trail = audit.Trail.open(tmp_path / "audit", durability="os")
    audited_provider = TracerProvider()
    audited_provider.sampler = RecordAll(audited_provider.sampler)
    processor = AuditSpanProcessor(
        trail, BatchSpanProcessor(exporter, max_queue_size=100_000), settings=Settings.resolve(), tracer_provider=audited_provider
    )
    audited_provider.add_span_processor(processor)

    def order(order_id, note):
        return {"success": True, "order_id": order_id, "total": 129, "currency": "EUR", "items": 2}

    audited = audit.tool(name="get_order")(order)
    plain_provider = TracerProvider()
    plain_provider.add_span_processor(BatchSpanProcessor(Keeping(), max_queue_size=100_000))
    tracer = plain_provider.get_tracer("plain")
    with audit.attribution(user="usr_98765", role="support_agent", model="gpt-4.1", conversation="conv_abc123", turn=3, trigger="user_request"):
        audited("ORD-123", note="gift")
        processor.force_flush()
        attributes = dict(exporter.last.attributes)

        def plain():
            with tracer.start_as_current_span("execute_tool get_order", attributes=attributes):
                return order("ORD-123", note="gift")

        audited_us, plain_us = alternated(lambda: audited("ORD-123", note="gift"), plain)
    ratio = audited_us / plain_us
    with capsys.disabled():
        print(f"\n(a) {platform.node()}, {platform.machine()}, Python {platform.python_version()}, {len(attributes)} attributes")
        print(f"    audited {audited_us:6.1f} us   plain span {plain_us:6.1f} us   ratio {ratio:.2f} (at most {MOST})")
    processor.shutdown()
    unbind()
    trail.close()
    plain_provider.shutdown()
    audited_provider.shutdown()
    assert ratio <= MOST
