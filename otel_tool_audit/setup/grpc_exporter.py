"""OpenTelemetry's OTLP exporter over gRPC, with an encoder that leaves the process to its tools sooner."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan

from otel_tool_audit.processor.encoding import request


class QuickOTLPSpanExporter(OTLPSpanExporter):
    """Sends what its base class would send. Where that no longer asks this method, it encodes by itself: slower, nothing else."""

    def _translate_data(self, data: Sequence[ReadableSpan]) -> ExportTraceServiceRequest:
        return request(data)
