"""
LangChain and LangGraph: an agent middleware whose tools run only when their start is on record.

    create_agent(model, tools, middleware=[AuditMiddleware()])
    ToolNode(tools, wrap_tool_call=audited.wrap_tool_call, awrap_tool_call=audited.awrap_tool_call)

Middleware is outermost first: as the last one it records what the tool really gets, after the others changed it.

Source: langchain 1.x, ``langchain.agents.middleware``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from langchain.agents.middleware import AgentMiddleware

from otel_tool_audit.capture.adapting import About, Who, attributed, by_name, parsed
from otel_tool_audit.capture.block import adapted_call, tool_call
from otel_tool_audit.propagation.context import attribution


class AuditMiddleware(AgentMiddleware):
    """Records every tool call of an agent, before it runs and after."""

    def __init__(self, *, who: Who | None = None, about: About | None = None) -> None:
        """
        Prepare.

        Args:
            who: Tells from a ``ToolCallRequest`` who calls; for instance from ``request.runtime.context``.
            about: What there is to say about tools, by name.
        """
        super().__init__()
        self._who = who
        self._about: About = about or {}

    def wrap_tool_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - LangChain's own
        """
        Run one tool.

        Raises:
            AuditUnavailable: No durable record, so no call.
        """
        with self._attributed(request), self._opened(request) as call:
            result = handler(request)
            _tell(call, result)
        return result

    async def awrap_tool_call(self, request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:  # noqa: ANN401 - LangChain's own
        """As :meth:`wrap_tool_call`, on an event loop."""
        async with self._attributed(request), self._opened(request) as call:
            result = await handler(request)
            _tell(call, result)
        return result

    def _attributed(self, request: Any) -> attribution:  # noqa: ANN401 - LangChain's own
        return attributed(_known(request), self._who, request)

    def _opened(self, request: Any) -> tool_call:  # noqa: ANN401 - LangChain's own
        wanted = request.tool_call
        name = wanted["name"]
        return adapted_call("langchain", name, by_name(wanted.get("args")), wanted.get("id"), self._about.get(name, {}))


def _known(request: Any) -> dict[str, Any]:  # noqa: ANN401 - LangChain's own
    """Tell what the graph knows: its thread, its name, and the model of the message that asked for the tool."""
    config: Mapping[str, Any] = getattr(request.runtime, "config", None) or {}
    state = request.state
    messages = state.get("messages") if isinstance(state, Mapping) else getattr(state, "messages", None)
    asked = getattr(messages[-1], "response_metadata", None) if messages else None
    return {
        "conversation": (config.get("configurable") or {}).get("thread_id"),
        "agent": (config.get("metadata") or {}).get("lc_agent_name"),
        "model": (asked or {}).get("model_name"),
    }


def _tell(call: tool_call, result: Any) -> None:  # noqa: ANN401 - LangChain's own
    """Say what came of it: a message, which may tell of an error, or a command."""
    content = getattr(result, "content", result)
    if getattr(result, "status", None) == "error":
        call.fail(content)
    else:
        call.result(parsed(content))
