"""Spans of other instrumentations, and what is forwarded of any span."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import threading
import time
import weakref

import pytest
from opentelemetry import baggage, trace
from opentelemetry import context as otel
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags

import otel_tool_audit as audit
from otel_tool_audit.diagnosis.process import diagnose
from otel_tool_audit.processor import AuditSpanProcessor
from otel_tool_audit.processor.spans import FAILED
from otel_tool_audit.recording import unbind
from otel_tool_audit.testing import audit_trail

SECRET = "sk-abcdefghijklmnopqrstuvwxyz1234567890ABCD"
TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "get_order"}


def foreign(tracer, name="execute_tool get_order", **attributes):
    """End a span as an instrumentation would."""
    with tracer.start_as_current_span(name, attributes=TOOL | attributes) as span:
        return span


def test_a_foreign_tool_span_gets_its_record_and_a_stamp(trail, tracer):
    """Recorded once, as observed, with what the span and this process' attribution tell; the exported copy carries the record's place."""
    with audit.attribution(user="usr_1", conversation="conv_1"):
        span = foreign(
            tracer,
            **{
                "gen_ai.tool.call.id": "call_1",
                "gen_ai.tool.call.arguments": json.dumps({"order_id": "ORD-1", "api_key": SECRET}),
                "gen_ai.tool.call.result": json.dumps({"order_id": "ORD-1", "status": "shipped", "note": "x"}),
                "gen_ai.request.model": "gpt-4.1",
                "gen_ai.agent.name": "shop",
                "user.id": "claimed by the span",
            },
        )
    call = trail.assert_recorded("get_order", times=1, success=True, user_id="usr_1", conversation_id="conv_1", model="gpt-4.1", agent="shop")
    assert ["tool_call.observed"] == [r["event"] for r in call["records"]]
    assert {"order_id": "ORD-1", "api_key": "***REDACTED***"} == call["arguments"]
    assert ("call_1", "gen_ai") == (call["tool_call_id"], call["source"])
    assert {"success": True, "order_id": "ORD-1", "status": "shipped"}.items() <= call["result_summary"].items()
    assert call["span_id"] == f"{span.get_span_context().span_id:016x}"
    (copy,) = trail.spans()
    assert (call["hash"], call["seq"], call["call_id"]) == tuple(
        copy.attributes[name] for name in ("tool_audit.hash", "audit.sequence.number", "audit.record.id")
    )
    assert SECRET not in copy.to_json()
    assert "usr_1" not in span.attributes.values(), "the instrumentation's own span is left alone"


def test_attribution_is_that_of_the_start(trail, tracer):
    """A span may end on another thread, where nobody knows who called."""
    with audit.attribution(user="usr_1"):
        span = tracer.start_span("execute_tool get_order", attributes=TOOL)
    thread = threading.Thread(target=span.end)
    thread.start()
    thread.join()
    trail.assert_recorded("get_order", user_id="usr_1")


def test_baggage_at_the_start_is_a_claim(trail, tracer):
    """Where nobody else names the user it is recorded, marked as claimed, and is no actor on the exported span."""
    token = otel.attach(baggage.set_baggage("user.id", "admin"))
    foreign(tracer)
    otel.detach(token)
    claimed = {"baggage": {"user.id": "admin"}, "fields": {"user_id": "baggage user.id"}}
    trail.assert_recorded("get_order", user_id="admin", claimed=claimed, source="gen_ai user=baggage")
    (copy,) = trail.spans()
    assert {"user.id", "audit.actor.id", "audit.actor.type"}.isdisjoint(copy.attributes)


def test_a_claim_gives_way_to_whoever_is_named(trail, tracer):
    """By this process, or by the instrumentation: baggage that says otherwise stands beside it."""
    token = otel.attach(baggage.set_baggage("user.id", "admin"))
    foreign(tracer, **{"user.id": "usr_2"})
    with audit.attribution(user="usr_1"):
        foreign(tracer, **{"gen_ai.tool.call.id": "second"})
    otel.detach(token)
    assert ["usr_2", "usr_1"] == [call["user_id"] for call in trail.calls()]
    assert all(call["claimed"] == {"baggage": {"user.id": "admin"}} for call in trail.calls())


def failing(span):
    span.set_status(Status(StatusCode.ERROR, "it broke"))


def raising(span):
    span.record_exception(ValueError("it broke"))


def typed(span):
    span.set_attribute("error.type", "timeout")


def misplaced(span):
    span.set_attribute("error.type", "it broke")


@pytest.mark.parametrize(
    ("how", "error", "kind"),
    [(failing, "it broke", None), (raising, "it broke", "ValueError"), (typed, "timeout", "timeout"), (misplaced, "it broke", None)],
)
def test_failures_of_foreign_spans_are_seen(trail, tracer, how, error, kind):
    """Status, exception event or error.type: each is a failure, also where the message stands in the place of the kind."""
    with tracer.start_as_current_span("execute_tool get_order", attributes=TOOL) as span:
        how(span)
    trail.assert_recorded("get_order", times=1, success=False, error=error, error_type=kind)


def test_a_cancelled_foreign_span_is_no_success(trail, tracer):
    """Instrumentations leave its status UNSET; what was on its way through is seen all the same."""

    async def work():
        with tracer.start_as_current_span("execute_tool get_order", attributes=TOOL):
            await asyncio.sleep(60)

    async def main():
        task = asyncio.create_task(work())
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    trail.assert_recorded("get_order", times=1, success=False, error_type="CancelledError")


def test_own_calls_are_not_recorded_twice(trail, tracer):
    """The gate wrote; the processor forwards. A foreign span inside is a call of its own."""
    audit.execute_tool("outer", {}, lambda: foreign(tracer) and 1)
    assert ["outer", "get_order"] == [c["tool_name"] for c in trail.calls()]
    assert ["tool_call.started", "tool_call.observed", "tool_call.finished"] == [r["event"] for r in trail.records()]
    outer, inner = sorted(trail.spans(), key=lambda span: span.parent is not None)
    assert inner.parent.span_id == outer.context.span_id


def test_what_a_tool_puts_on_its_span_is_sanitized(trail):
    """Own spans are checked for what the tool's body added or overwrote."""

    def body():
        span = trace.get_current_span()
        span.set_attribute("note", f"the key is {SECRET}")
        span.set_attribute("user.id", SECRET)
        span.add_event("saw", {"password": "hunter2hunter2"})

    audit.execute_tool("tool", {}, body)
    (span,) = trail.spans()
    assert span.attributes["tool_audit.hash"] == trail.records()[-1]["hash"]
    assert "hunter2" not in span.to_json()
    assert SECRET not in span.to_json()


def test_every_span_is_sanitized_wherever_the_secret_is(trail, tracer):
    """Attributes, events, links, status and name of LLM and chain spans; clean parts stay."""
    link = Link(SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1)), {"note": f"key {SECRET}"})
    with tracer.start_as_current_span(f"chat {SECRET}", links=[link], record_exception=False) as span:
        span.set_attribute("gen_ai.input.messages", json.dumps([{"role": "user", "parts": [{"content": f"my key is {SECRET}"}]}]))
        span.set_attribute("tokens", 7)
        span.set_attribute("list", ["clean", SECRET])
        span.add_event(f"event {SECRET}", {"exception.message": f"bad key {SECRET}"})
        span.set_status(Status(StatusCode.ERROR, f"bad {SECRET}"))
    (copy,) = trail.spans()
    assert SECRET not in copy.to_json()
    assert (7, ("clean", "***REDACTED***")) == (copy.attributes["tokens"], tuple(copy.attributes["list"]))
    assert json.loads(copy.attributes["gen_ai.input.messages"])[0]["parts"][0]["content"] == "my key is ***REDACTED***"
    assert (copy.context, copy.start_time, copy.end_time) == (span.context, span.start_time, span.end_time)
    assert trail.calls() == []


def test_a_clean_span_is_forwarded_as_it_is(trail, tracer):
    """Nothing to change, nothing copied."""
    with tracer.start_as_current_span("clean", attributes={"a": 1, "b": ["x"]}):
        pass
    (span,) = trail.spans()
    assert type(span).__name__ == "ReadableSpan"


def test_resources_are_sanitized():
    """A secret in OTEL_RESOURCE_ATTRIBUTES does not leave the process either."""
    provider = TracerProvider(resource=Resource({"service.name": "shop", "api_key": SECRET}), shutdown_on_exit=False)
    exporter = InMemorySpanExporter()
    with audit.configure(_place(), tracer_provider=provider, forward=SimpleSpanProcessor(exporter), durability="os"):
        provider.get_tracer("t").start_span("s").end()
    (span,) = exporter.get_finished_spans()
    assert {"service.name": "shop", "api_key": "***REDACTED***"} == dict(span.resource.attributes)


def _place():
    return os.path.join(os.environ["OTEL_TOOL_AUDIT_STATE"], "..", f"audit-{time.monotonic_ns()}")


def test_unsampled_foreign_spans_are_recorded_and_not_exported(trail, tracer):
    """configure() lets every span reach the processor, and no more spans the exporter."""
    parent = trace.NonRecordingSpan(SpanContext(1 << 70, 7, is_remote=True, trace_flags=TraceFlags(0)))
    token = otel.attach(trace.set_span_in_context(parent))
    foreign(tracer, **{"gen_ai.tool.call.arguments": '{"a":1}'})
    otel.detach(token)
    trail.assert_recorded("get_order", times=1, arguments={"a": 1})
    assert trail.spans() == []
    assert trail.audit.trail.counters["unsampled"] == 1


def test_a_sanitizer_that_fails_exports_nothing_raw(trail, tracer, monkeypatch):
    """The span goes on without its contents, and the application notices nothing."""

    def broken(*_, **__):
        raise RuntimeError

    monkeypatch.setattr(type(trail.audit.processor.recorder.sanitizer), "attributes", broken)
    with tracer.start_as_current_span("chat", attributes={"note": SECRET}):
        pass
    (span,) = trail.spans()
    assert {FAILED: True} == dict(span.attributes)
    assert SECRET not in span.to_json()


def test_a_record_that_cannot_be_made_is_lost_and_counted(trail, tracer, monkeypatch):
    """The span is forwarded, sanitized; the loss is counted."""

    def broken(*_, **__):
        raise RuntimeError

    monkeypatch.setattr(type(trail.audit.processor.recorder.calls), "observed", broken)
    foreign(tracer, note=SECRET)
    assert trail.audit.trail.counters["lost"] == 1
    (span,) = trail.spans()
    assert "tool_audit.hash" not in span.attributes
    assert SECRET not in span.to_json()


def test_a_closed_trail_costs_the_application_nothing(trail, tracer):
    """on_end never raises."""
    trail.audit.trail.close()
    foreign(tracer)
    assert trail.audit.trail.counters["lost"] == 1


def test_ending_a_span_does_not_wait_for_the_disk(tmp_path):
    """The record is handed over; the copy is forwarded when it is durable."""
    let = threading.Event()
    exporter = InMemorySpanExporter()
    trail = audit.Trail.open(tmp_path / "audit")
    provider = TracerProvider(shutdown_on_exit=False)
    processor = AuditSpanProcessor(trail, SimpleSpanProcessor(exporter), tracer_provider=provider)
    provider.add_span_processor(processor)
    foreign(provider.get_tracer("t"))
    processor.force_flush()
    commit = trail._groups["general"].chain.commit

    def held(tails):
        let.wait(30)
        return commit(tails)

    trail._groups["general"].chain.commit = held
    foreign(provider.get_tracer("t"))
    assert 1 == len(exporter.get_finished_spans())
    assert not processor.force_flush(20)
    let.set()
    assert processor.force_flush()
    assert 2 == len(exporter.get_finished_spans())
    processor.shutdown()
    unbind()
    trail.close()


def test_another_exporter_on_the_provider_is_told_of_loudly(trail, tracer, caplog):
    """It would export what is not sanitized; a processor that only looks is none."""
    trail.audit.provider.add_span_processor(SpanProcessor())
    with caplog.at_level(logging.WARNING, "otel_tool_audit"):
        tracer.start_span("s").end()
        assert "UNSANITIZED" not in caplog.text
        trail.audit.provider.add_span_processor(SimpleSpanProcessor(InMemorySpanExporter()))
        tracer.start_span("s").end()
        tracer.start_span("s").end()
    assert 1 == caplog.text.count("UNSANITIZED SPANS ARE EXPORTED by SimpleSpanProcessor")
    assert any(not f.ok and f.name == "neighbours" for f in diagnose())


@pytest.fixture
def bare(tmp_path):
    """A processor that an application adds to a provider with a sampler of its own: ``bare(sampler)``."""
    trail = audit.Trail.open(tmp_path / "audit", durability="os")
    made = []

    def add(sampler):
        provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        provider.add_span_processor(AuditSpanProcessor(trail, tracer_provider=provider))
        made.append(provider)
        return provider

    yield add
    for provider in made:
        provider.shutdown()
    assert not trail.closed
    assert 1 == audit.execute_tool("t", {}, lambda: 1)
    unbind()
    trail.close()


@pytest.mark.parametrize("sampler", [TraceIdRatioBased(1.0), ParentBased(TraceIdRatioBased(1.0)), ALWAYS_OFF])
def test_a_bare_processor_says_what_a_sampler_keeps_off_the_record(bare, caplog, sampler):
    """Without configure() it cannot see what is dropped, and says so once, by the sampler's name; a call of ours tells, too."""
    with caplog.at_level(logging.WARNING, "otel_tool_audit"):
        tracer = bare(sampler).get_tracer("t")
        foreign(tracer)
        foreign(tracer)
        audit.execute_tool("t", {}, lambda: 1)
    assert 1 == caplog.text.count("RecordAll(sampler)")
    assert f"the sampler {sampler.get_description()} drops spans" in caplog.text


def test_the_sdks_default_sampler_is_told_of_only_where_it_drops(bare, caplog):
    """It drops what a caller elsewhere did not sample: diagnosis says so, a warning comes with the first such call."""
    unsampled = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(0))
    with caplog.at_level(logging.WARNING, "otel_tool_audit"):
        tracer = bare(None).get_tracer("t")
        foreign(tracer)
        audit.execute_tool("t", {}, lambda: 1)
        assert "drops spans" not in caplog.text
        with trace.use_span(NonRecordingSpan(unsampled)):
            audit.execute_tool("t", {}, lambda: 1)
    assert 1 == caplog.text.count("drops spans")
    (finding,) = [f for f in diagnose() if f.name == "sampler"]
    assert "what callers in other processes did not sample" in finding.message


class Failing(SpanExporter):
    def __init__(self, result=SpanExportResult.FAILURE):
        self.result = result
        self.stopped = threading.Event()

    def export(self, spans):
        if self.result is None:
            # as an exporter that tries again until it is shut down
            self.stopped.wait(60)
            return SpanExportResult.FAILURE
        return self.result

    def shutdown(self):
        self.stopped.set()


def test_spans_that_an_exporter_drops_are_counted_and_told(caplog):
    """force_flush() says so, the counter says so, the log says so; the trail has the call."""
    with audit_trail() as other:
        other.audit.shutdown()
        provider = TracerProvider(shutdown_on_exit=False)
        with (
            caplog.at_level(logging.WARNING, "otel_tool_audit"),
            audit.configure(_place(), tracer_provider=provider, forward=BatchSpanProcessor(Failing()), durability="os") as made,
        ):
            audit.execute_tool("t", {}, lambda: 1)
            assert not made.flush(5)
            assert 1 == made.trail.counters["spans_dropped"]
        assert "1 of 1 spans did not reach their backend" in caplog.text


def test_spans_that_fall_out_of_the_batch_processors_queue_are_counted():
    """It tells nobody; the difference between forwarded and exported does."""
    exporter = Failing(None)
    provider = TracerProvider(shutdown_on_exit=False)
    forward = BatchSpanProcessor(exporter, max_queue_size=1, max_export_batch_size=1, schedule_delay_millis=10)
    with audit.configure(_place(), tracer_provider=provider, forward=forward, durability="os") as made:
        for _ in range(10):
            provider.get_tracer("t").start_span("s").end()
        exporter.stopped.set()
        exporter.result = SpanExportResult.SUCCESS
    assert made.trail.counters["spans_dropped"] >= 8


def test_shutting_down_does_not_wait_for_an_exporter_that_tries_for_ever(monkeypatch):
    """After its patience the exporter is told to give up."""
    monkeypatch.setattr("otel_tool_audit.processor.processor._PATIENCE", 0.2)
    exporter = Failing(None)
    made = audit.configure(_place(), tracer_provider=TracerProvider(shutdown_on_exit=False), forward=BatchSpanProcessor(exporter), durability="os")
    audit.execute_tool("t", {}, lambda: 1)
    begun = time.monotonic()
    made.shutdown()
    assert time.monotonic() - begun < 10
    assert exporter.stopped.is_set()


def test_a_fork_reports_for_itself(trail, tracer):
    """The child's calls and spans are its own; nothing waits for the parent's."""
    foreign(tracer)
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            audit.execute_tool("in_child", {}, lambda: 1)
            foreign(tracer)
            os.write(write, b"%d" % trail.audit.processor.force_flush(5000))
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(read, 1) == b"1"
    os.close(read)
    os.close(write)
    assert {"get_order": 2, "in_child": 1} == {name: sum(c["tool_name"] == name for c in trail.calls()) for name in ("get_order", "in_child")}


class Following(SpanProcessor):
    """Knows whether spans are still in memory."""

    def __init__(self):
        self.spans = []

    def on_start(self, span, parent_context=None):
        self.spans.append(weakref.ref(span))


def test_a_call_leaves_nothing_to_the_garbage_collector(trail, tracer):
    """What a call held in memory, withheld values among it, goes when the call ends, not when the collector comes by."""
    following = Following()
    trail.audit.provider.add_span_processor(following)

    @audit.tool
    def get_order(order_id, api_key):
        if order_id == "ORD-2":
            raise ValueError(order_id)
        return {"order_id": order_id}

    gc.collect()
    gc.disable()
    try:
        get_order("ORD-1", SECRET)
        with contextlib.suppress(ValueError):
            get_order("ORD-2", SECRET)
        foreign(tracer)
        assert trail.audit.trail.flush()
        assert [None, None, None] == [span() for span in following.spans]
    finally:
        gc.enable()
