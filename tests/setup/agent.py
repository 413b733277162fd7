"""An agent that some instrumentation makes spans for, and that knows nothing of auditing; with an argument, it sets up a backend of its own."""

from __future__ import annotations

import sys

from opentelemetry import trace
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor


class Marking(SimpleSpanProcessor):
    """As some backends' do, puts what it knows on every span when it starts."""

    def on_start(self, span, parent_context=None):
        span.set_attribute("marked", "at its start")


if "backend" in sys.argv[1:]:
    provider = trace.get_tracer_provider()
    provider.add_span_processor(Marking(ConsoleSpanExporter(out=sys.stdout)))
tracer = trace.get_tracer("an instrumentation")
with (
    tracer.start_as_current_span("invoke_agent", attributes={"note": "password=hunter2-and-more"}),
    tracer.start_as_current_span("execute_tool find_bed") as span,
):
    span.set_attribute("gen_ai.operation.name", "execute_tool")
    span.set_attribute("gen_ai.tool.name", "find_bed")
    span.set_attribute("gen_ai.tool.call.arguments", '{"ward": 3, "password": "hunter2-and-more"}')
print("the agent is done")
