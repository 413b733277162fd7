"""Corners of the adapters: async agents, tools that raise through, time out, run side by side, and what is no function tool."""

from __future__ import annotations

import asyncio
import json

import common
from agents import Agent, ModelResponse, Runner, Usage, WebSearchTool, function_tool, set_tracing_disabled
from agents.models.interface import Model
from agents.tool import FunctionTool
from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

from otel_tool_audit.capture.langchain import AuditMiddleware
from otel_tool_audit.capture.openai_agents import audited

common.configured()
set_tracing_disabled(True)


class Stub(GenericFakeChatModel):
    """Says what it was told to say."""

    def bind_tools(self, tools, **kwargs):
        return self


async def wait(seconds: float) -> str:
    """Wait."""
    await asyncio.sleep(seconds)
    return "waited"


async def langchain() -> None:
    wanted = [{"id": f"lc_{n}", "name": "wait", "args": {"seconds": n / 100}, "type": "tool_call"} for n in (1, 2)]
    agent = create_agent(Stub(messages=iter([AIMessage("", tool_calls=wanted), AIMessage("done")])), [tool(wait)], middleware=[AuditMiddleware()])
    await agent.ainvoke({"messages": [("user", "wait")]})


class Provider(Model):
    """Asks for all of it at once."""

    def __init__(self, wanted):
        self.answers = iter([wanted, None])

    async def get_response(self, *args, **kwargs):
        wanted = next(self.answers)
        if wanted is None:
            text = ResponseOutputText(annotations=[], text="done", type="output_text")
            output = [ResponseOutputMessage(id="m", content=[text], role="assistant", status="completed", type="message")]
        else:
            output = [
                ResponseFunctionToolCall(arguments=json.dumps(a), call_id=f"oa_{n}", name=name, type="function_call")
                for n, (name, a) in enumerate(wanted)
            ]
        return ModelResponse(output=output, usage=Usage(), response_id=None)

    def stream_response(self, *args, **kwargs):
        raise NotImplementedError


async def by_hand(context, arguments):
    """Raise through, as an invoker of one's own may."""
    raise LookupError(json.loads(arguments)["key"])


async def openai_agents() -> str:
    slow = function_tool(wait, name_override="slow", timeout=0.05)
    tools = audited([function_tool(wait), slow, function_tool(common.get_order), WebSearchTool()])
    wanted = [
        ("wait", {"seconds": 0.05}),
        ("slow", {"seconds": 9}),
        ("get_order", {"order_id": "ORD-123", "api_key": common.SECRET}),
        ("get_order", {"order_id": 7}),
    ]
    await Runner.run(Agent(name="support", model=Provider(wanted), tools=tools), "go")
    schema = {"type": "object", "properties": {"key": {"type": "string"}}, "required": ["key"], "additionalProperties": False}
    made = audited([FunctionTool(name="by_hand", description="", params_json_schema=schema, on_invoke_tool=by_hand)])
    try:
        await Runner.run(Agent(name="support", model=Provider([("by_hand", {"key": "k"})]), tools=made), "go")
    except Exception as error:
        return type(error).__name__
    return "nothing raised"


async def story() -> str:
    await langchain()
    return await openai_agents()


common.run(lambda: asyncio.run(story()))
