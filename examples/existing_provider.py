"""
An application that has its OpenTelemetry provider already.

`AuditSpanProcessor` stands before the export processor: it forwards every span, sanitized, and tool spans with the
sequence number and hash of their records. Tool spans of other instrumentations get their record here, too.
"""

from __future__ import annotations

import sys

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from opentelemetry.sdk.trace.sampling import DEFAULT_ON

import otel_tool_audit as audit
from otel_tool_audit.processor import RecordAll


@audit.tool(purpose="treatment", subject="patient_id")
def access_patient_record(patient_id: str, section: str) -> dict[str, str]:
    return {"record_id": "REC-7", "section": section, "status": "opened"}


def one_line(span: ReadableSpan) -> str:
    attributes = span.attributes or {}
    return f"exported: {span.name}, record {attributes.get('audit.sequence.stream_id')}/{attributes.get('audit.sequence.number')}\n"


def main(path: str) -> None:
    # whoever calls us may have decided not to sample: that costs a span its export, and must not cost the call its record
    provider = TracerProvider(resource=Resource.create({"service.name": "clinic"}), sampler=RecordAll(DEFAULT_ON))
    trace.set_tracer_provider(provider)

    with audit.Trail.open(path, service="clinic") as trail:
        # in production: BatchSpanProcessor(OTLPSpanExporter())
        export = BatchSpanProcessor(ConsoleSpanExporter(formatter=one_line))
        provider.add_span_processor(audit.AuditSpanProcessor(trail, forward=export))

        with audit.attribution(user="dr_meyer", role="physician", model="gpt-4.1", conversation="conv_ward3", trigger="user_request"):
            # a tool of ours
            access_patient_record("P-10234", section="allergies")
            # a tool that another instrumentation, which knows nothing of us, has made a span for
            with trace.get_tracer("other").start_as_current_span("execute_tool find_bed") as span:
                span.set_attribute("gen_ai.operation.name", "execute_tool")
                span.set_attribute("gen_ai.tool.name", "find_bed")
                span.set_attribute("gen_ai.tool.call.arguments", '{"ward": 3}')

        provider.shutdown()  # flushes; the trail is closed by its own `with`

    for call in audit.TrailReader(path).calls(conversation="conv_ward3"):
        print(f"recorded: {call['tool_name']}, {call['chain']}/{call['seq']}, subject {call['subject']}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "./audit")
