"""What a backend got: the spans of a process that is audited, as a Collector's file and as a Jaeger that answers over gRPC."""

from __future__ import annotations

import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Self

import grpc
import orjson
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import otel_tool_audit as audit
from otel_tool_audit.review.reconcile.sources import Help, Source
from otel_tool_audit.review.reconcile.spill import Spill
from otel_tool_audit.review.reconcile.values import ExportedSpan, Window
from otel_tool_audit.review.source.directory import Folder
from otel_tool_audit.review.source.workers import Pool

_BYTES = ("traceId", "spanId", "parentSpanId")


class Exported(NamedTuple):
    """A trail, and the requests in which its spans were exported: one for each span."""

    path: Path
    requests: list[ExportTraceServiceRequest]


def export(path: Path, calls: int = 5, **settings: Any) -> Exported:
    """Make calls for which everything works, and close."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    with audit.configure(path, tracer_provider=provider, forward=SimpleSpanProcessor(exporter), service_name="shop", **settings):

        @audit.tool
        def get_order(order_id: str) -> dict[str, Any]:
            return {"success": True, "order_id": order_id}

        with audit.attribution(user="usr_1", conversation="conv_1", model="m"):
            for number in range(calls):
                get_order(f"ORD-{number}")
    return Exported(path, [encode_spans([span]) for span in exporter.get_finished_spans()])


def line(request: ExportTraceServiceRequest) -> bytes:
    """Write a request as the Collector's file exporter does."""

    def hexed(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: base64.b64decode(v).hex() if k in _BYTES else hexed(v) for k, v in value.items()}
        return [hexed(v) for v in value] if isinstance(value, list) else value

    return orjson.dumps(hexed(json_format.MessageToDict(request))) + b"\n"


def spans_of(source: Source, window: Window, moments: Callable[[int], list[int]] = lambda _: []) -> list[ExportedSpan]:
    """Read a source, in this process, and unpack what it gives, by call."""
    with Folder.at("/") as root, Spill() as spill:
        for packed in source.spans(window, Help(moments, lambda desk, _: Pool(root, 1, desk), lambda *_: None)):
            spill.put_spans(packed)
        return [span for _, span in spill.spans()]


def _request_class() -> Any:
    """The request's message, from its description; written a second time, for the package writes it by hand."""
    pool = descriptor_pool.DescriptorPool()
    for name in ("timestamp",):
        file = descriptor_pb2.FileDescriptorProto(name=f"google/protobuf/{name}.proto", package="google.protobuf", syntax="proto3")
        message = file.message_type.add(name="Timestamp")
        message.field.add(name="seconds", number=1, type=3, label=1)
        message.field.add(name="nanos", number=2, type=5, label=1)
        pool.Add(file)
    file = descriptor_pb2.FileDescriptorProto(
        name="query.proto", package="jaeger.api_v3", syntax="proto3", dependency=["google/protobuf/timestamp.proto"]
    )
    query = file.message_type.add(name="TraceQueryParameters")
    for name, number in (("start_time_min", 4), ("start_time_max", 5)):
        query.field.add(name=name, number=number, type=11, label=1, type_name=".google.protobuf.Timestamp")
    query.field.add(name="search_depth", number=8, type=5, label=1)
    query.field.add(name="raw_traces", number=9, type=8, label=1)
    file.message_type.add(name="FindTracesRequest").field.add(
        name="query", number=1, type=11, label=1, type_name=".jaeger.api_v3.TraceQueryParameters"
    )
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("jaeger.api_v3.FindTracesRequest"))


class FakeJaeger(grpc.GenericRpcHandler):
    """Answers ``FindTraces`` as the memory store does: each trace with a span in the time range, the newest first, up to the limit."""

    def __init__(self, requests: list[ExportTraceServiceRequest], keeps: int = 100_000, wants: str | None = None, tls: Path | None = None) -> None:
        self.traces: dict[bytes, TracesData] = {}
        self.asked: list[Any] = []
        self.keeps = keeps
        self.wants = wants
        for request in requests:
            for resource in request.resource_spans:
                self.traces.setdefault(resource.scope_spans[0].spans[0].trace_id, TracesData()).resource_spans.append(resource)
        self._request = _request_class()
        self._server = grpc.server(ThreadPoolExecutor(2))
        self._server.add_generic_rpc_handlers((self,))
        if tls is None:
            self.port = self._server.add_insecure_port("127.0.0.1:0")
        else:
            pair = ((tls / "gateway.key").read_bytes(), (tls / "gateway.crt").read_bytes())
            self.port = self._server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def service(self, details: Any) -> Any:
        if details.method != "/jaeger.api_v3.QueryService/FindTraces":
            return None
        return grpc.unary_stream_rpc_method_handler(self._find, self._request.FromString, TracesData.SerializeToString)

    def _find(self, request: Any, context: Any) -> Any:
        if self.wants is not None and ("authorization", self.wants) not in [(m.key, m.value) for m in context.invocation_metadata()]:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "no token")
        query = request.query
        self.asked.append(query)
        if not 0 < query.search_depth <= self.keeps:
            context.abort(grpc.StatusCode.UNKNOWN, "search depth must be greater than 0 and less than max traces")
        begin, end = (t.seconds * 10**9 + t.nanos for t in (query.start_time_min, query.start_time_max))
        given = 0
        for trace in reversed(self.traces.values()):
            inside = any(begin <= s.start_time_unix_nano <= end for r in trace.resource_spans for c in r.scope_spans for s in c.spans)
            if inside and given < query.search_depth:
                given += 1
                yield trace
