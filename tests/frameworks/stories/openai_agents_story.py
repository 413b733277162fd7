"""OpenAI Agents SDK: instrumented by four instrumentations; gated by wrapped tools."""

from __future__ import annotations

import json

import common
from agents import Agent, Runner, function_tool, set_trace_processors, set_tracing_disabled
from agents.items import ModelResponse
from agents.models.interface import Model
from agents.usage import Usage
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

common.configured()
set_trace_processors([])
if common.INSTRUMENTATION == "none":
    set_tracing_disabled(True)
common.instrument("openai_agents", "OpenAIAgentsInstrumentor")


class Stub(Model):
    """Asks for one tool after the other."""

    model = "stub-model"

    def __init__(self):
        self.turn = 0

    async def get_response(self, *args, **kwargs):
        turn, self.turn = self.turn, self.turn + 1
        if turn < len(common.ASKED):
            call_id, name, arguments = common.ASKED[turn]
            item = ResponseFunctionToolCall(arguments=json.dumps(arguments), call_id=call_id, name=name, type="function_call")
        else:
            text = ResponseOutputText(annotations=[], text="done", type="output_text")
            item = ResponseOutputMessage(id="m", content=[text], role="assistant", status="completed", type="message")
        return ModelResponse(output=[item], usage=Usage(), response_id=None)

    def stream_response(self, *args, **kwargs):
        raise NotImplementedError


tools = [function_tool(common.get_order), function_tool(common.cancel_order)]
if common.GATE:
    from otel_tool_audit.capture.openai_agents import audited

    tools = audited(tools)
agent = Agent(name="support", model=Stub(), tools=tools)
common.run(lambda: Runner.run_sync(agent, "Where is ORD-123? Cancel ORD-456.").final_output)
