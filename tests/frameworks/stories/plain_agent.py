"""A LangChain agent in whose code stands nothing of auditing, and nothing of OpenTelemetry."""

from __future__ import annotations

from langchain.agents import create_agent
from langchain.agents.middleware import wrap_tool_call
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import tool


class Stub(GenericFakeChatModel):
    """Says what it was told to say."""

    model: str = "stub-model"

    def bind_tools(self, tools, **kwargs):
        return self


@tool
def get_order(order_id: str, api_key: str) -> dict[str, str]:
    """Look an order up."""
    return {"order_id": order_id, "status": "shipped"}


@tool
def cancel_order(order_id: str) -> dict[str, str]:
    """Cancel an order."""
    message = "Cannot cancel shipped order"
    raise ValueError(message)


@wrap_tool_call
def handled(request, handler):
    """Give the model what went wrong, as most agents do."""
    try:
        return handler(request)
    except ValueError as error:
        return ToolMessage(content=f"Error: {error}", tool_call_id=request.tool_call["id"], name=request.tool_call["name"], status="error")


def asking(call_id, name, arguments):
    """Ask for one tool."""
    wanted = {"id": call_id, "name": name, "args": arguments, "type": "tool_call"}
    return AIMessage("", tool_calls=[wanted], response_metadata={"model_name": "stub-model"})


answers = [
    asking("call_1", "get_order", {"order_id": "ORD-123", "api_key": "sk-test-123"}),
    asking("call_2", "cancel_order", {"order_id": "ORD-456"}),
    AIMessage("done"),
]
agent = create_agent(Stub(messages=iter(answers)), [get_order, cancel_order], middleware=[handled], name="support")
found = agent.invoke({"messages": [("user", "Where is ORD-123? Cancel ORD-456.")]}, config={"configurable": {"thread_id": "conv-789"}})
print("the agent is", found["messages"][-1].content)
