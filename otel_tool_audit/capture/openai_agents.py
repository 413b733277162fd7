"""
OpenAI Agents SDK: function tools that run only when their start is on record.

    Agent(name="support", tools=audited([get_order, cancel_order]))

A hook of the SDK (``on_tool_start``) could stop a call as well, but hears nothing of one that raises, and cannot hold the
attribution while the tool runs. Tools that the provider runs, and tools that the SDK fetches from MCP servers during a run,
are not function tools of the agent: put the gate into that server.

Source: openai-agents 0.12 to 0.24, ``agents.tool``.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from importlib.metadata import version
from typing import Any, Final

from agents import FunctionTool
from agents.tracing import get_current_span

from otel_tool_audit.capture.adapting import About, Who, attributed, by_name, parsed
from otel_tool_audit.capture.block import tool_call
from otel_tool_audit.errors import SettingsError
from otel_tool_audit.recording import error_text, error_type

Invoke = Callable[[Any, str], Awaitable[Any]]

_OLDEST: Final = (0, 12)
"""The first version whose invokers can be looked into: before, a failed tool's call would be on record as a success."""

_raised: Final[ContextVar[list[Exception]]] = ContextVar("tool_audit_raised")
"""What the tool that runs here has raised: the SDK makes a text of it for the model before anybody outside sees it."""


def audited(tools: Iterable[Any], *, who: Who | None = None, about: About | None = None) -> list[Any]:
    """
    Put an agent's function tools through the gate.

    Args:
        tools: The agent's; those that are no function tools are handed on as they are.
        who: Tells from a ``ToolContext`` who calls; for instance from its ``context``.
        about: What there is to say about tools, by name.

    Returns:
        Copies. A copy's call raises ``AuditUnavailable`` when there is no durable record: the tool does not run, and neither
        does the agent any longer.

    Raises:
        SettingsError: The SDK is so old that it hides from everybody which tools failed.
    """
    installed = version("openai-agents")
    if tuple(int(part) for part in re.findall(r"\d+", installed)[:2]) < _OLDEST:
        message = f"openai-agents {installed} makes a text of a tool's failure before anybody sees it: use {'.'.join(map(str, _OLDEST))} or newer"
        raise SettingsError(message)
    return [_audited(tool, who, about or {}) if isinstance(tool, FunctionTool) else tool for tool in tools]


def _audited(tool: Any, who: Who | None, about: About) -> Any:  # noqa: ANN401 - a FunctionTool
    said = about.get(tool.name, {})
    made = copy.copy(tool)
    invoke = _noting(made)

    async def on_invoke_tool(context: Any, arguments: str) -> Any:  # noqa: ANN401 - the SDK's own
        raised: list[Exception] = []
        token = _raised.set(raised)
        try:
            async with (
                attributed(_known(context), who, context),
                tool_call(tool.name, by_name(arguments), tool_call_id=getattr(context, "tool_call_id", None), **said) as call,
            ):
                result = await invoke(context, arguments)
                _tell(call, result, raised)
        finally:
            _raised.reset(token)
        return result

    made.on_invoke_tool = on_invoke_tool
    return made


def _noting(tool: Any) -> Invoke:  # noqa: ANN401 - a FunctionTool
    """Give a tool's invoker, one that notes what is raised in it where the SDK handles that inside."""
    invoker = tool.on_invoke_tool
    inner: Invoke | None = getattr(invoker, "_invoke_tool_impl", None)
    handled = getattr(invoker, "_on_handled_error", None)
    if inner is None or handled is None:
        # an invoker of the application's own raises through, or says itself what failed
        plain: Invoke = invoker
        return plain

    async def noting(context: Any, arguments: str) -> Any:  # noqa: ANN401 - the SDK's own
        try:
            return await inner(context, arguments)
        except Exception as error:
            _raised.get().append(error)
            raise

    # markers by which the SDK knows what it may prepare before the call
    vars(noting).update(vars(inner))
    made: Invoke = type(invoker)(noting, handled, function_tool=tool)
    return made


def _tell(call: tool_call, result: object, raised: list[Exception]) -> None:
    """Say what came of it; also where the model only got a text that tells of an error."""
    if raised:
        call.fail(error_text(raised[-1]), error_type(raised[-1]))
        return
    # an invoker of the application's own may handle its error; the span of the tool, if they trace, has it
    span = get_current_span()
    error = None if span is None else span.error
    if error is not None:
        call.fail((error.get("data") or {}).get("error") or error.get("message"))
    else:
        call.result(parsed(result))


def _known(context: Any) -> dict[str, Any]:  # noqa: ANN401 - a ToolContext
    """Tell what the run knows."""
    agent, config = getattr(context, "agent", None), getattr(context, "run_config", None)
    model = getattr(config, "model", None) or getattr(agent, "model", None)
    return {
        "agent": getattr(agent, "name", None),
        "model": model if isinstance(model, str) else getattr(model, "model", None),
        "conversation": getattr(config, "group_id", None),
    }
