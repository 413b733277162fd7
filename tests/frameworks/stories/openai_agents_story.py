"""OpenAI Agents SDK: instrumented by three instrumentations; gated by wrapped tools."""

from __future__ import annotations

import common
import httpx
from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_trace_processors, set_tracing_disabled
from openai import AsyncOpenAI

common.configured()
set_trace_processors([])
if common.INSTRUMENTATION == "none":
    set_tracing_disabled(True)
common.instrument("openai_agents", "OpenAIAgentsInstrumentor")
provider = AsyncOpenAI(api_key="none", http_client=httpx.AsyncClient(transport=httpx.MockTransport(common.answer)))
tools = [function_tool(common.get_order), function_tool(common.cancel_order)]
if common.GATE:
    from otel_tool_audit.capture.openai_agents import audited

    tools = audited(tools)
agent = Agent(name="support", model=OpenAIChatCompletionsModel("stub-model", provider), tools=tools)
common.run(lambda: Runner.run_sync(agent, "Where is ORD-123? Cancel ORD-456.").final_output)
