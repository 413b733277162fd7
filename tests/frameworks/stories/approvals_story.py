"""OpenAI Agents SDK on the Responses API: approval, rejection, handoff, an agent as a tool, an MCP server, sub-agents and calls side by side."""

from __future__ import annotations

import asyncio
import json
import sys

import common
from agents import Agent, ModelResponse, Runner, Usage, function_tool, set_trace_processors, set_tracing_disabled
from agents.mcp import MCPServer
from agents.models.interface import Model
from mcp.types import CallToolResult, TextContent
from mcp.types import Tool as McpTool
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

from otel_tool_audit.capture.openai_agents import audited

common.configured()
set_trace_processors([])
if common.INSTRUMENTATION == "none":
    set_tracing_disabled(True)
common.instrument("openai_agents", "OpenAIAgentsInstrumentor")


class Provider(Model):
    """Answers as the Responses API does: items have an id and a call_id."""

    def __init__(self, name, *answers):
        self.model = name
        self.answers = iter(answers)

    async def get_response(self, *args, **kwargs):
        wanted = next(self.answers, None)
        if wanted is None:
            text = ResponseOutputText(annotations=[], text="done", type="output_text")
            output = [ResponseOutputMessage(id="msg_1", content=[text], role="assistant", status="completed", type="message")]
        else:
            output = [
                ResponseFunctionToolCall(id=f"fc_{i}", call_id=i, name=name, arguments=json.dumps(arguments), type="function_call")
                for i, name, arguments in wanted
            ]
        return ModelResponse(output=output, usage=Usage(), response_id=None)

    def stream_response(self, *args, **kwargs):
        raise NotImplementedError


def refund(amount: int) -> str:
    """Pay back."""
    common.ran.append(f"refund {amount}")
    return f"refunded {amount}"


def look(what: str) -> str:
    """Look."""
    common.ran.append(f"look {what}")
    return f"saw {what}"


class Shop(MCPServer):
    """A server in this process."""

    @property
    def name(self):
        return "shop"

    async def connect(self):
        pass

    async def cleanup(self):
        pass

    async def list_tools(self, *args, **kwargs):
        return [McpTool(name="stock", inputSchema={"type": "object", "properties": {"sku": {"type": "string"}}})]

    async def call_tool(self, tool_name, arguments, *args, **kwargs):
        common.ran.append(f"{tool_name} {arguments['sku']}")
        return CallToolResult(content=[TextContent(type="text", text="no such item")], isError=arguments["sku"] == "bad")

    async def list_prompts(self):
        raise NotImplementedError

    async def get_prompt(self, *args, **kwargs):
        raise NotImplementedError


async def decided(approve: bool) -> None:
    """A refund that a person has to approve."""
    asked = [(f"call_{'yes' if approve else 'no'}", "refund", {"amount": 5 if approve else 7})]
    tool = function_tool(refund, needs_approval=True)
    agent = audited(Agent(name="support", model=Provider("m-main", asked), tools=[tool]))
    result = await Runner.run(agent, "refund")
    state = result.to_state()
    for item in result.interruptions:
        if approve:
            state.approve(item)
        else:
            state.reject(item)
    await Runner.run(agent, state)


async def story() -> str:
    await decided(approve=True)
    await decided(approve=False)
    # two calls with the same arguments, side by side
    agent = Agent(
        name="support", model=Provider("m-main", [("call_a", "look", {"what": "x"}), ("call_b", "look", {"what": "x"})]), tools=[function_tool(look)]
    )
    await Runner.run(audited(agent), "look")
    # an agent that is a tool
    expert = audited(Agent(name="expert", model=Provider("m-sub", [("call_in", "look", {"what": "inside"})]), tools=[function_tool(look)]))
    asks = [("call_out", "ask_expert", {"input": "?"})]
    main = Agent(name="main", model=Provider("m-main", asks), tools=[expert.as_tool("ask_expert", "Ask.")])
    await Runner.run(audited(main), "ask")
    # a handoff
    other = Agent(name="other", model=Provider("m-other", [("call_h", "look", {"what": "handed"})]), tools=[function_tool(look)])
    first = Agent(name="first", model=Provider("m-first", [("call_t", "transfer_to_other", {})]), handoffs=[other])
    await Runner.run(audited(first), "go")
    # an MCP server
    stock = [("call_m", "stock", {"sku": "A1"}), ("call_e", "stock", {"sku": "bad"})]
    await Runner.run(audited(Agent(name="buyer", model=Provider("m-main", stock), mcp_servers=[Shop()])), "stock")
    # a list of tools does not know of the server
    both = [("call_x", "look", {"what": "y"}), ("call_y", "stock", {"sku": "A2"})]
    await Runner.run(Agent(name="half", model=Provider("m-main", both), tools=audited([function_tool(look)]), mcp_servers=[Shop()]), "stock")
    return "done"


common.run(lambda: asyncio.run(story()))
sys.exit(0)
