"""agno: instrumented by OpenInference."""

from __future__ import annotations

import common
import httpx
from agno.agent import Agent
from agno.models.openai import OpenAIChat

common.configured()
common.instrument("agno", "AgnoInstrumentor")
model = OpenAIChat(id="stub-model", api_key="none", http_client=httpx.Client(transport=httpx.MockTransport(common.answer)))
agent = Agent(name="support", model=model, tools=[common.get_order, common.cancel_order], telemetry=False)
common.run(lambda: agent.run("Where is ORD-123? Cancel ORD-456.").content)
