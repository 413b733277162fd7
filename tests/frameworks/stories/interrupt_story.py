"""LangGraph: a tool that asks a person, resumed; one whose result is a command or a message; a sub-agent inside a tool."""

from __future__ import annotations

import common
from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt

from otel_tool_audit.capture.langchain import AuditMiddleware

common.configured()
common.instrument("langchain", "LangChainInstrumentor")


class Stub(GenericFakeChatModel):
    """Says what it was told to say."""

    def bind_tools(self, tools, **kwargs):
        return self


def asking(model, *wanted):
    """A model that asks for calls, and is done then."""
    calls = [{"id": i, "name": name, "args": args, "type": "tool_call"} for i, name, args in wanted]
    return Stub(messages=iter([AIMessage("", tool_calls=calls, response_metadata={"model_name": model}), AIMessage("done")]))


@tool
def refund(amount: int) -> str:
    """Pay back."""
    if interrupt("pay back?") != "yes":
        raise ValueError("no")
    common.ran.append(f"refund {amount}")
    return f"refunded {amount}"


@tool
def update(order_id: str) -> Command:
    """Update."""
    return Command(update={"messages": [ToolMessage("no such order", tool_call_id="call_c", status="error")]})


@tool
def look(what: str) -> str:
    """Look."""
    common.ran.append(f"look {what}")
    return f"saw {what}"


@tool
def ask_expert(question: str) -> str:
    """Ask."""
    expert = create_agent(asking("m-sub", ("call_in", "look", {"what": "inside"})), [look], middleware=[AuditMiddleware()], name="expert")
    return expert.invoke({"messages": [("user", question)]})["messages"][-1].content


def story() -> str:
    wanted = [("call_r", "refund", {"amount": 5}), ("call_c", "update", {"order_id": "O"}), ("call_out", "ask_expert", {"question": "?"})]
    tools = [refund, update, look, ask_expert]
    for one in wanted:
        agent = create_agent(asking("m-main", one), tools, middleware=[AuditMiddleware()], name="main", checkpointer=InMemorySaver())
        config = {"configurable": {"thread_id": f"thread-{one[0]}"}}
        agent.invoke({"messages": [("user", "go")]}, config)
        if one[0] == "call_r":
            agent.invoke(Command(resume="yes"), config)
    return "done"


common.run(story)
