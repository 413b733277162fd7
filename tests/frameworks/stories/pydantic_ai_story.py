"""Pydantic AI: its own spans, or OpenInference's of them; gated by a capability."""

from __future__ import annotations

import common
from pydantic_ai import Agent, InstrumentationSettings
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel

audited = common.configured()


def answer(messages, info):
    turn = sum(isinstance(m, ModelResponse) for m in messages)
    if turn < len(common.ASKED):
        call_id, name, arguments = common.ASKED[turn]
        return ModelResponse(parts=[ToolCallPart(name, arguments, tool_call_id=call_id)])
    return ModelResponse(parts=[TextPart("done")])


capabilities = []
if common.GATE:
    from otel_tool_audit.capture.pydantic_ai import AuditCapability

    capabilities.append(AuditCapability())
agent = Agent(FunctionModel(answer, model_name="stub-model"), name="support", capabilities=capabilities)
agent.tool_plain(common.get_order)
agent.tool_plain(common.cancel_order)
if common.INSTRUMENTATION != "none":
    Agent.instrument_all(InstrumentationSettings(tracer_provider=audited.provider))
if common.INSTRUMENTATION == "openinference":
    from openinference.instrumentation.pydantic_ai import OpenInferenceSpanProcessor

    audited.provider.add_span_processor(OpenInferenceSpanProcessor())
common.run(lambda: agent.run_sync("Where is ORD-123? Cancel ORD-456.").output)
