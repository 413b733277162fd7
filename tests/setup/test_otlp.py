"""Spans over the wire: OTLP by gRPC and by HTTP, to servers that speak it."""

from __future__ import annotations

import gzip
import http.server
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceServicer, add_TraceServiceServicer_to_server
from opentelemetry.sdk.trace import TracerProvider

import otel_tool_audit as audit


@pytest.fixture
def over_http():
    """An OTLP/HTTP endpoint, and what it received."""
    received = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
            received.append((self.path, ExportTraceServiceRequest.FromString(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_): ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def over_grpc():
    """An OTLP/gRPC endpoint, and what it received."""
    received = []

    class Service(TraceServiceServicer):
        def Export(self, request, context):  # noqa: N802 - the protocol's name and arguments
            received.append(("grpc", request))
            return ExportTraceServiceResponse()

    server = grpc.server(ThreadPoolExecutor(1))
    add_TraceServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"http://127.0.0.1:{port}", received
    server.stop(None).wait()


@pytest.mark.parametrize(("protocol", "endpoint"), [("http/protobuf", "over_http"), ("grpc", "over_grpc")])
def test_a_stamped_and_sanitized_span_arrives(request, tmp_path, monkeypatch, protocol, endpoint):
    """The standard variables decide where and how; shutting down exports what is left."""
    url, received = request.getfixturevalue(endpoint)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    with (
        audit.configure(tmp_path / "audit", tracer_provider=TracerProvider(shutdown_on_exit=False), durability="os") as made,
        audit.attribution(user="usr_1", conversation="conv_1", model="m"),
    ):
        audit.execute_tool("pay", {"order_id": "ORD-1", "card": "4111 1111 1111 1111"}, lambda **_: {"id": 7})
    ((_, message),) = received
    (span,) = message.resource_spans[0].scope_spans[0].spans
    attributes = {a.key: a.value for a in span.attributes}
    (call,) = audit.TrailReader(tmp_path / "audit").calls()
    assert span.name == "execute_tool pay"
    assert attributes["tool_audit.hash"].string_value == call["hash"]
    assert attributes["audit.sequence.number"].int_value == call["seq"]
    assert not re.search(r"4111.?1111", str(message))
    assert made.trail.counters["spans_forwarded"] == 1
    assert made.trail.counters["spans_dropped"] == 0
