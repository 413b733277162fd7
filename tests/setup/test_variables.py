"""OpenTelemetry's own environment variables: each that concerns spans is honoured by what ``configure()`` makes."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import textwrap
import threading

import pytest
import requests
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult

import otel_tool_audit as audit
from otel_tool_audit.setup import exporters


def told(code, **environment):
    """Run an agent in a process of its own, and read what it prints."""
    started = "import json, sys, otel_tool_audit as audit\nmade = audit.configure(sys.argv[1], durability='os')\n"
    done = subprocess.run(
        [sys.executable, "-c", started + textwrap.dedent(code), environment.pop("path")],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_resource_attributes_and_the_services_name(tmp_path):
    """OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME are on the provider that is made, and the service on the records."""
    found = told(
        """
        audit.execute_tool("t", {}, lambda: 1)
        made.shutdown()
        (call,) = audit.TrailReader(sys.argv[1]).calls()
        print(json.dumps([dict(made.provider.resource.attributes), call["service"]]))
        """,
        path=str(tmp_path / "audit"), OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test,team=blue", OTEL_SERVICE_NAME="shop", OTEL_TRACES_EXPORTER="none",
    )  # fmt: skip
    assert ("test", "blue", "shop") == tuple(found[0][name] for name in ("deployment.environment.name", "team", "service.name"))
    assert found[1] == "shop"


@pytest.mark.parametrize(("named", "expected"), [(None, {"traceparent", "baggage"}), ("baggage", {"baggage"}), ("none", set())])
def test_propagators_stay_as_chosen(tmp_path, named, expected):
    """OTEL_PROPAGATORS decides; attribution travels beside them in a header of its own, when there is a key to sign it."""
    found = told(
        """
        from opentelemetry import baggage, context, propagate
        context.attach(baggage.set_baggage("k", "v"))
        carrier = {}
        with made.provider.get_tracer("t").start_as_current_span("s"), audit.attribution(user="u"):
            propagate.inject(carrier)
        print(json.dumps(sorted(carrier)))
        """,
        path=str(tmp_path / "audit"), OTEL_TRACES_EXPORTER="none", OTEL_TOOL_AUDIT_ATTRIBUTION_KEY="0123456789abcdef", **({"OTEL_PROPAGATORS": named} if named else {}),
    )  # fmt: skip
    assert expected | {"tool-audit-attribution"} == set(found)


def test_sampling_stays_as_chosen(tmp_path):
    """OTEL_TRACES_SAMPLER decides what is exported; recorded is all the same."""
    found = told(
        """
        audit.execute_tool("t", {}, lambda: 1)
        made.shutdown()
        (call,) = audit.TrailReader(sys.argv[1]).calls()
        print(json.dumps([made.trail.counters["spans_forwarded"], call["sampled"]]))
        """,
        path=str(tmp_path / "audit"), OTEL_TRACES_SAMPLER="always_off",
    )  # fmt: skip
    assert [0, False] == found


def is_given_up(exporter, span):
    """Whether an exporter stops waiting for an answer; older ones raise what their HTTP client raised."""
    try:
        return SpanExportResult.FAILURE is exporter.export([span])
    except requests.ReadTimeout:
        return True


def test_headers_timeouts_and_compression(monkeypatch):
    """OTEL_EXPORTER_OTLP_HEADERS, _TIMEOUT and _COMPRESSION hold on the wire: a receiver that hangs is given up."""
    received, answer = [], threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            received.append((self.path, dict(self.headers)))
            self.rfile.read(int(self.headers["Content-Length"]))
            answer.wait(30)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_): ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}/base")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20t0ken")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "2")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        (made,) = exporters.exporting_processors()
        span = TracerProvider(shutdown_on_exit=False).get_tracer("t").start_span("s")
        span.end()
        assert is_given_up(made.span_exporter, span)
        answer.set()
        assert SpanExportResult.SUCCESS is made.span_exporter.export([span])
        made.shutdown()
        server.shutdown()
    path, headers = received[0]
    assert ("/base/v1/traces", "Bearer t0ken", "gzip") == (path, headers["authorization"], headers["Content-Encoding"])


def test_the_batch_processors_numbers(monkeypatch):
    """OTEL_BSP_* count; only the queue is larger than the SDK's when nobody names its size."""
    (made,) = exporters.exporting_processors()
    batch = made._batch_processor
    assert (exporters.QUEUE, exporters.QUEUE, 512, 5000) == (
        batch._max_queue_size, batch._queue.maxlen, batch._max_export_batch_size, batch._schedule_delay_millis,
    )  # fmt: skip
    made.shutdown()
    for name, number in (("MAX_QUEUE_SIZE", 77), ("MAX_EXPORT_BATCH_SIZE", 7), ("SCHEDULE_DELAY", 70)):
        monkeypatch.setenv(f"OTEL_BSP_{name}", str(number))
    (made,) = exporters.exporting_processors()
    batch = made._batch_processor
    assert (77, 7, 70) == (batch._queue.maxlen, batch._max_export_batch_size, batch._schedule_delay_millis)
    made.shutdown()


def test_numbers_that_contradict_each_other_are_named(monkeypatch, tmp_path):
    """A batch larger than the queue is a mistake of whoever set it, told as such."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "10")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "20")
    with pytest.raises(audit.SettingsError, match="OTEL_BSP"):
        audit.configure(tmp_path / "audit", tracer_provider=TracerProvider(shutdown_on_exit=False), durability="os")
    audit.shutdown()
