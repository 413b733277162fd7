"""Requests that a receiver takes, and an account of what it did not get."""

from __future__ import annotations

import logging
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanContext, TraceFlags

import otel_tool_audit as audit
from otel_tool_audit.processor.batches import LARGEST, LONGEST, batches, size_of
from otel_tool_audit.processor.delivery import CountingExporter, Delivery
from otel_tool_audit.setup.exporters import Several
from otel_tool_audit.trail.trail import Trail

REQUEST = 4 * 1024 * 1024
CONTEXT = SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1))


class Receiver(SpanExporter):
    """Refuses what is larger than a receiver takes; may be slow."""

    def __init__(self, delay: float = 0.0, result=SpanExportResult.SUCCESS):
        self.batches, self.delay, self.result = [], delay, result
        self.stopped = threading.Event()

    def export(self, spans):
        self.stopped.wait(self.delay)
        self.batches.append(list(spans))
        return self.result if encode_spans(spans).ByteSize() <= REQUEST else SpanExportResult.FAILURE

    def shutdown(self):
        self.stopped.set()


def span(**attributes):
    return ReadableSpan("s", context=CONTEXT, attributes=attributes, start_time=1, end_time=2)


@pytest.fixture
def trail(tmp_path):
    with Trail.open(tmp_path / "audit", durability="os") as opened:
        yield opened


def warned():
    told = []
    return told, lambda topic, message, *values: told.append(message % values)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["x", "ü", "ü😀"]), st.integers(0, 1_500_000)), max_size=6))
def test_every_portion_fits_a_request(texts):
    """Whatever texts spans hold, no request is too large, none is empty, and no span is left out or repeated."""
    spans = [span(text=text * times, at=n) for n, (text, times) in enumerate(texts)]
    made = list(batches(spans))
    assert list(range(len(spans))) == [s.attributes["at"] for portion in made for s in portion]
    assert all(portion and encode_spans(portion).ByteSize() <= REQUEST for portion in made)


def test_what_fits_is_handed_on_as_it_is():
    """The usual batch is not copied."""
    spans = [span(text="x" * 100)] * 10
    (only,) = batches(spans)
    assert only is spans


def test_a_span_that_is_too_large_alone_is_shortened():
    """Its long texts are cut and say so; everything else stays, dropped counts included."""
    large = span(text="ä" * 2_000_000, short="x", many=["y" * 1000] * 5000)
    ((cut,),) = batches([large])
    assert cut.attributes["text"].endswith("ä… <2000000 characters>")
    assert len(cut.attributes["text"]) < LONGEST + 50
    assert ("x", ("<5000 values, cut>",)) == (cut.attributes["short"], tuple(cut.attributes["many"]))
    assert size_of(cut) < LARGEST
    assert CONTEXT == cut.context


def test_512_calls_with_the_largest_arguments_arrive(trail):
    """The SDK's batch of them has 16 MB; four requests and more take it, and none is refused."""
    receiver = Receiver()
    counting = CountingExporter(receiver, trail)
    assert SpanExportResult.SUCCESS is counting.export([span(arguments="x" * 32_768) for _ in range(512)])
    assert (512, 0, 512) == (counting.exported, counting.failed, sum(map(len, receiver.batches)))
    assert len(receiver.batches) >= 4


def test_one_portion_that_fails_is_counted_alone(trail):
    """The others arrived, the batch as a whole is told as failed; what the exporter raises is raised when all were tried."""

    class Failing(Receiver):
        def export(self, spans):
            super().export(spans)
            if len(self.batches) == 2:
                raise OSError("refused")
            return SpanExportResult.FAILURE if len(self.batches) == 3 else SpanExportResult.SUCCESS

    counting = CountingExporter(Failing(), trail)
    with pytest.raises(OSError, match="refused"):
        counting.export([span(arguments="x" * 3_000_000) for _ in range(4)])
    assert (2, 2, 2) == (counting.exported, counting.failed, trail.counters["spans_dropped"])


def test_a_full_queue_is_counted_and_told_when_it_happens(trail):
    """Not only when the process ends: heartbeats and `doctor` know of it while it runs; in the end the account adds up."""
    receiver = Receiver(delay=60)
    told, once = warned()
    delivery = Delivery(BatchSpanProcessor(receiver, max_queue_size=8, max_export_batch_size=2), trail, once)
    for _ in range(50):
        delivery.hand_over(span())
    assert trail.counters["spans_dropped"] >= 38
    assert "queue of 8 is full" in told[0]
    receiver.stopped.set()
    delivery.shutdown(5)
    arrived = sum(map(len, receiver.batches))
    assert (50, 50 - arrived) == (trail.counters["spans_forwarded"], trail.counters["spans_dropped"])
    assert f"{50 - arrived} of 50 spans did not reach their backend" in told[-1]


def test_flushing_and_shutting_down_keep_their_deadlines(trail):
    """The SDK's batch processor ignores its own; a backend that hangs must not hold the application up."""
    receiver = Receiver(delay=60)
    told, once = warned()
    delivery = Delivery(BatchSpanProcessor(receiver), trail, once)
    delivery.hand_over(span())
    begun = time.monotonic()
    assert not delivery.flush(0.2)
    receiver.result = SpanExportResult.FAILURE
    delivery.shutdown(0.2)
    assert time.monotonic() - begun < 10
    assert "1 of 1 spans" in told[-1]
    assert 1 == trail.counters["spans_dropped"]


def test_several_exporters_are_each_accounted_for(trail):
    """What one of them loses is lost to its backend, whatever the other has."""
    good, bad = Receiver(), Receiver(result=SpanExportResult.FAILURE)
    told, once = warned()
    delivery = Delivery(Several([SimpleSpanProcessor(good), BatchSpanProcessor(bad)]), trail, once)
    for _ in range(3):
        delivery.hand_over(span())
    assert not delivery.flush(5)
    delivery.shutdown(5)
    assert (3, 3, 3) == (trail.counters["spans_forwarded"], trail.counters["spans_dropped"], sum(map(len, good.batches)))
    assert "3 of 6 spans" in told[-1]


def test_a_backend_that_is_down_is_told_once_and_costs_no_call(tmp_path, caplog):
    """Nothing is refused, everything is on record, and shutting down says how many spans went nowhere."""
    with caplog.at_level(logging.WARNING, "otel_tool_audit"):
        made = audit.configure(
            tmp_path / "audit", tracer_provider=TracerProvider(shutdown_on_exit=False), durability="os",
            forward=BatchSpanProcessor(Receiver(result=SpanExportResult.FAILURE), max_queue_size=600, max_export_batch_size=512),
        )  # fmt: skip
        with audit.attribution(user="u", conversation="c", model="m"):
            for _ in range(700):
                audit.execute_tool("t", {}, lambda: 1)
        made.shutdown()
    assert 700 == sum(call["status"] == "success" for call in audit.TrailReader(tmp_path / "audit").calls())
    assert 700 == made.trail.counters["spans_dropped"]
    assert "700 of 700 spans did not reach their backend" in caplog.text
