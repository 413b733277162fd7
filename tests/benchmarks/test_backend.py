"""Figures of what happens between a process and its backend: cost of a backend that is down, 5,000 calls a second, reconciling 100,000."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from running import Program, free_ports

import otel_tool_audit as audit
from otel_tool_audit.processor import AuditSpanProcessor, RecordAll
from otel_tool_audit.recording import unbind
from otel_tool_audit.review.reconcile.jaeger import Jaeger
from otel_tool_audit.review.reconcile.otlp_files import OtlpFiles
from otel_tool_audit.review.reconcile.run import reconcile
from otel_tool_audit.settings import Settings
from otel_tool_audit.setup.exporters import QUEUE, Several, forward
from otel_tool_audit.trail.trail import Trail

CALLS = 8_000
LARGEST_RATIO = 1.1
RATE, SECONDS = 5_000, 4
MANY = 100_000
MOST_TIMES = 4.0


def made_call(order_id: str, note: str) -> dict[str, object]:
    return {"success": True, "order_id": order_id, "total": 129, "currency": "EUR", "items": 2}


def machine() -> str:
    return f"{platform.node()}, {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}"


ATTRIBUTION = {"user": "usr_1", "role": "agent", "model": "m", "conversation": "conv_1", "turn": 3, "trigger": "user_request"}


def audited(path: Path, port: int) -> tuple[Callable[..., object], AuditSpanProcessor, Trail]:
    """Give a tool with a trail, a provider and an exporter of its own."""
    trail = Trail.open(path, durability="os")
    provider = TracerProvider(sampler=RecordAll(ALWAYS_ON), shutdown_on_exit=False)
    exporting = BatchSpanProcessor(OTLPSpanExporter(endpoint=f"http://127.0.0.1:{port}", insecure=True), max_queue_size=QUEUE)
    processor = AuditSpanProcessor(trail, exporting, settings=Settings.resolve(), tracer_provider=provider)
    provider.add_span_processor(processor)
    return audit.tool(made_call, trail=trail), processor, trail


@pytest.mark.benchmark
def test_a_call_costs_the_same_whether_the_backend_is_up_or_down(run_jaeger: Callable[..., Program], tmp_path, capsys) -> None:
    """
    The median call takes at most 1.1 times as long with a backend that is down as with one that is up, and the other way round.

    Both are called by turns in one process, so that both meet the same neighbours, the exporters' threads included: what is compared is
    what the calling thread does itself.
    """
    up, down = audited(tmp_path / "up", run_jaeger().ports["otlp_grpc"]), audited(tmp_path / "down", free_ports("nobody")["nobody"])
    took: tuple[list[int], list[int]] = ([], [])
    with audit.attribution(**ATTRIBUTION):
        for at in range(CALLS):
            for which in (0, 1) if at % 2 else (1, 0):
                tool = (up, down)[which][0]
                begun = time.perf_counter_ns()
                tool("ORD-1", note="gift")
                took[which].append(time.perf_counter_ns() - begun)
    for _, processor, trail in (up, down):
        processor.shutdown()
        unbind(processor.binding)
        trail.close()
    assert (0, CALLS) == (up[2].counters["spans_dropped"], down[2].counters["spans_dropped"])
    one, other = (statistics.median(times) / 1000 for times in took)
    with capsys.disabled():
        print(f"\nbackend up {one:.1f} us a call, down {other:.1f} us: ratio {one / other:.2f} (at most {LARGEST_RATIO}, either way); {machine()}")
    assert 1 / LARGEST_RATIO <= one / other <= LARGEST_RATIO


@pytest.mark.benchmark
@pytest.mark.timeout(300)
def test_five_thousand_calls_a_second_reach_jaeger_or_are_counted(run_jaeger: Callable[..., Program], tmp_path, monkeypatch, capsys) -> None:
    """At the queue size that configure() chooses: what did not arrive is counted to the last span, and the trail has all of it."""
    jaeger = run_jaeger()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{jaeger.address('otlp_grpc')}")
    number = RATE * SECONDS
    with audit.configure(tmp_path / "audit", tracer_provider=TracerProvider(shutdown_on_exit=False), durability="os", service_name="fast") as made:
        tool = audit.tool(made_call)
        with audit.attribution(**ATTRIBUTION):
            begun = time.perf_counter()
            for at in range(number):
                tool(f"ORD-{at}", note="gift")
                if (ahead := begun + at / RATE - time.perf_counter()) > 0.002:
                    time.sleep(ahead)
            took = time.perf_counter() - begun
        flushed = made.flush(60)
    dropped = made.trail.counters["spans_dropped"]
    now = time.time_ns()
    found = reconcile(tmp_path / "audit", Jaeger(f"http://{jaeger.address('grpc')}"), now=now + 10**12)
    counts = found.comparison.counts
    with capsys.disabled():
        print(
            f"\n{number:,} calls at {number / took:,.0f}/s (asked: {RATE:,}): {dropped:,} spans dropped, {counts['agreed']:,} in Jaeger; {machine()}"
        )
    assert (number, number - dropped, dropped) == (counts["calls"], counts["agreed"], counts["missing in backend"])
    assert flushed


def at_work() -> float:
    """Seconds that cores worked for this process, and for those it started and saw end."""
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


class ToFile(SpanExporter):
    """Writes requests as the Collector's file exporter does, as far as they are read."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("wb")

    def export(self, spans):
        made = [
            {
                "traceId": f"{span.context.trace_id:032x}", "spanId": f"{span.context.span_id:016x}", "name": span.name, "kind": 1,
                "startTimeUnixNano": str(span.start_time), "endTimeUnixNano": str(span.end_time), "status": {},
                "attributes": [{"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": str(value)}} for key, value in span.attributes.items()],
            }
            for span in spans
        ]  # fmt: skip
        self.file.write(orjson.dumps({"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"scope": {}, "spans": made}]}]}) + b"\n")
        return SpanExportResult.SUCCESS

    def shutdown(self):
        self.file.close()


@pytest.mark.benchmark
@pytest.mark.timeout(600)
def test_reconciling_a_hundred_thousand_calls(run_jaeger: Callable[..., Program], tmp_path, monkeypatch, capsys) -> None:
    """With a file it is at most four times the work of parsing both sides, spread over all cores; the aim is ten seconds, with Jaeger as well."""
    jaeger = run_jaeger()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{jaeger.address('otlp_grpc')}")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", str(MANY))
    both = Several([forward(), BatchSpanProcessor(ToFile(tmp_path / "spans.jsonl"), max_queue_size=MANY)])
    with audit.configure(tmp_path / "audit", tracer_provider=TracerProvider(shutdown_on_exit=False), durability="os", forward=both) as made:
        tool = audit.tool(made_call)
        with audit.attribution(**ATTRIBUTION):
            for at in range(MANY):
                tool(f"ORD-{at}", note="gift")
        assert made.flush(300)
    segments = [*(tmp_path / "audit" / "general").glob("*.jsonl"), tmp_path / "spans.jsonl"]
    begun = at_work()
    for segment in segments:
        with segment.open("rb") as file:
            for text in file:
                orjson.loads(text)
    bare = at_work() - begun
    for source in (OtlpFiles([str(tmp_path / "spans.jsonl")]), Jaeger(f"http://{jaeger.address('grpc')}")):
        begun, worked = time.perf_counter(), at_work()
        found = reconcile(tmp_path / "audit", source, now=time.time_ns())
        took, worked = time.perf_counter() - begun, at_work() - worked
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        with capsys.disabled():
            print(
                f"\n{type(source).__name__}: {MANY:,} calls in {took:.1f} s (aim 10), {worked:.1f} s of all cores' work; parsing alone {bare:.1f} s; {memory} MiB; {machine()}"
            )
        assert (MANY, "agrees") == (found.comparison.counts["agreed"], found.verdict)
        if isinstance(source, OtlpFiles):
            assert worked <= bare * MOST_TIMES
