"""LangChain's agent, which is a LangGraph: instrumented by three instrumentations; gated by a middleware."""

from __future__ import annotations

import common
from langchain.agents import create_agent
from langchain.agents.middleware import wrap_tool_call
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import tool

common.configured()
common.instrument("langchain", "LangchainInstrumentor" if common.INSTRUMENTATION == "traceloop" else "LangChainInstrumentor")


class Stub(GenericFakeChatModel):
    """Asks for one tool after the other."""

    model: str = "stub-model"

    def bind_tools(self, tools, **kwargs):
        return self


@wrap_tool_call
def handled(request, handler):
    """Give the model what went wrong, as most agents do; a missing audit trail is not for the model to mend."""
    try:
        return handler(request)
    except ValueError as error:
        return ToolMessage(content=f"Error: {error}", tool_call_id=request.tool_call["id"], name=request.tool_call["name"], status="error")


asked = [
    AIMessage("", tool_calls=[{"id": i, "name": n, "args": a, "type": "tool_call"}], response_metadata={"model_name": "stub-model"})
    for i, n, a in common.ASKED
]
middleware = [handled]
if common.GATE:
    from otel_tool_audit.capture.langchain import AuditMiddleware

    middleware.append(AuditMiddleware())
agent = create_agent(
    Stub(messages=iter([*asked, AIMessage("done")])), [tool(common.get_order), tool(common.cancel_order)], middleware=middleware, name="support"
)
common.run(lambda: agent.invoke({"messages": [("user", "Where is ORD-123? Cancel ORD-456.")]})["messages"][-1].content)
