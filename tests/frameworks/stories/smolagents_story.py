"""smolagents: instrumented by OpenInference."""

from __future__ import annotations

import common
import httpx
from smolagents import OpenAIModel, ToolCallingAgent, tool

common.configured()
common.instrument("smolagents", "SmolagentsInstrumentor")
model = OpenAIModel("stub-model", api_key="none", client_kwargs={"http_client": httpx.Client(transport=httpx.MockTransport(common.answer))})
agent = ToolCallingAgent(tools=[tool(common.get_order), tool(common.cancel_order)], model=model, name="support", verbosity_level=0)
common.run(lambda: agent.run("Where is ORD-123? Cancel ORD-456."))
