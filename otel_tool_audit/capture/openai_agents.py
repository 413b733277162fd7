"""
OpenAI Agents SDK: function tools that run only when their start is on record.

    audited(Agent(name="support", tools=[get_order, cancel_order], mcp_servers=[shop]))
    Agent(name="support", tools=audited([get_order, cancel_order]))

A hook of the SDK (``on_tool_start``) could stop a call as well, but hears nothing of one that raises, and cannot hold the
attribution while the tool runs. A call that waits for a person's approval is on record as paused, one that was rejected as denied. Tools
that the provider runs pass no gate, which is told.

Source: openai-agents 0.12 to 0.24, ``agents.tool``.
"""

from __future__ import annotations

import copy
import functools
import logging
import re
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from importlib.metadata import version
from types import TracebackType
from typing import Any, Final

from agents import Agent, FunctionTool
from agents.tracing import get_current_span

from otel_tool_audit.capture.adapting import About, Who, attributed, by_name, parsed
from otel_tool_audit.capture.block import adapted_call, tool_call
from otel_tool_audit.errors import SettingsError
from otel_tool_audit.recognise.results import NOT_SAID
from otel_tool_audit.recording import Failed, error_text, error_type

_log: Final = logging.getLogger("otel_tool_audit")

Invoke = Callable[[Any, str], Awaitable[Any]]

_OLDEST: Final = (0, 12)
"""The first version whose invokers can be looked into: before, a failed tool's call would be on record as a success."""

_MARK: Final = "_tool_audit"
_MOST: Final = 1_024
"""Calls that wait for a person, and runs, that a tool remembers."""

_failed: Final[ContextVar[list[Failed]]] = ContextVar("tool_audit_failed")
"""How the tool that runs here has failed: the SDK makes a text of it for the model before anybody outside sees it."""


def audited(tools: Any, *, who: Who | None = None, about: About | None = None) -> Any:
    """
    Put an agent's tools through the gate: its function tools, or with an agent also those of its MCP servers and of the agents it hands over to.

    Args:
        tools: The agent, or its tools; those that are no function tools are handed on as they are, which is told once.
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
    if isinstance(tools, Agent):
        return _audited_agent(tools, who, about or {}, {})
    return _audited_tools(tools, who, about or {})


def _audited_tools(tools: Iterable[Any], who: Who | None, about: About) -> list[Any]:
    given = list(tools)
    for tool in given:
        if not isinstance(tool, FunctionTool):
            _tell_of_bypass(f"{getattr(tool, 'name', None) or type(tool).__name__} is run by the provider or by the SDK itself")
    return [_audited(tool, who, about) if isinstance(tool, FunctionTool) and not hasattr(tool, _MARK) else tool for tool in given]


@functools.lru_cache(256)
def _tell_of_bypass(which: str) -> None:
    _log.warning("a tool passes no gate: %s; its calls are recorded only as far as spans tell of them (told once)", which)


# --- agents


def _audited_agent(agent: Any, who: Who | None, about: About, known: dict[int, Any]) -> Any:
    """Copy an agent with its tools, and all agents it may hand over to, each once: they may hand over in circles."""
    if id(agent) in known or hasattr(type(agent), _MARK):
        return known.get(id(agent), agent)
    made = known[id(agent)] = copy.copy(agent)
    made.tools = _audited_tools(agent.tools, who, about)
    for server in agent.mcp_servers:
        _listen(server)
    made.handoffs = [_audited_handoff(each, who, about, known) for each in agent.handoffs]

    fetch = type(agent).get_mcp_tools

    async def get_mcp_tools(self: Any, run_context: Any) -> list[Any]:
        # fetched during a run, so there is no other place to put them through the gate
        return _audited_tools(await fetch(self, run_context), who, about)

    kind: Any = type(agent)
    body = {"get_mcp_tools": get_mcp_tools, _MARK: True, "__module__": kind.__module__, "__qualname__": kind.__qualname__}
    made.__class__ = type(kind.__name__, (kind,), body)
    return made


def _listen(server: Any) -> None:
    """Hear of a server's results that tell of an error: the SDK hands on no more than their text. In place: the server may be connected later."""
    call_tool = server.call_tool
    if hasattr(call_tool, _MARK):
        return

    @functools.wraps(call_tool)
    async def listening(*args: Any, **kwargs: Any) -> Any:
        result = await call_tool(*args, **kwargs)
        if getattr(result, "isError", getattr(result, "is_error", False)) is True:
            texts = [text for block in result.content if isinstance(text := getattr(block, "text", None), str)]
            _failed.get([]).append(Failed("\n".join(texts) or NOT_SAID))
        return result

    setattr(listening, _MARK, True)
    server.call_tool = listening


def _audited_handoff(handoff: Any, who: Who | None, about: About, known: dict[int, Any]) -> Any:
    if isinstance(handoff, Agent):
        return _audited_agent(handoff, who, about, known)
    reference = getattr(handoff, "_agent_ref", None)
    target = reference() if callable(reference) else None
    if target is None or not hasattr(type(target), _MARK):
        _tell_of_bypass(f"those of agent {getattr(handoff, 'agent_name', handoff)!r}, to whom a handoff() leads; make it of audited(agent)")
    return handoff


def _look_around(context: Any) -> None:
    """Tell of tools of the agent that calls which pass no gate; whoever audits a list of tools cannot know of the others."""
    agent = getattr(context, "agent", None)
    if agent is None or hasattr(type(agent), _MARK):
        return
    for server in getattr(agent, "mcp_servers", None) or ():
        _tell_of_bypass(f"those of MCP server {getattr(server, 'name', server)!r}; use audited(agent) instead of audited(tools)")
    for tool in getattr(agent, "tools", None) or ():
        if isinstance(tool, FunctionTool) and not hasattr(tool, _MARK):
            _tell_of_bypass(f"{tool.name} of agent {agent.name!r}, which was not given to audited()")


# --- tools


class _Waiting:
    """Calls of one tool that wait for a person's yes or no, and what is known of the runs that wait."""

    def __init__(self, tool: Any, who: Who | None, said: dict[str, Any]) -> None:
        self._tool = tool
        self._who = who
        self._said = said
        self._agents: dict[int, Any] = {}
        self._calls: dict[str, Any] = {}

    def enabled(self, setting: Any) -> Callable[[Any, Any], Awaitable[bool]]:
        """Stand before ``is_enabled``, which is asked before each model request: then it shows what a person has said meanwhile."""

        async def is_enabled(context: Any, agent: Any) -> bool:
            _keep(self._agents, id(context), agent)
            for call_id, arguments in list(self._calls.items()):
                status = context.is_tool_approved(self._tool.name, call_id)
                if status is not None:
                    self._calls.pop(call_id, None)
                if status is False:
                    get_reason = getattr(context, "get_rejection_message", None)
                    async with self._opened(context, arguments, call_id) as call:
                        call.deny("approval", get_reason(self._tool.name, call_id) if callable(get_reason) else None)
            found = setting(context, agent) if callable(setting) else setting
            return bool(await found if hasattr(found, "__await__") else found)

        return is_enabled

    def needed(self, setting: Any) -> Callable[[Any, dict[str, Any], str], Awaitable[bool]]:
        """Stand before ``needs_approval``, which is asked while nobody has said yes or no."""

        async def needs_approval(context: Any, arguments: dict[str, Any], call_id: str) -> bool:
            found = setting(context, arguments, call_id) if callable(setting) else setting
            needed = bool(await found if hasattr(found, "__await__") else found)
            if needed and call_id not in self._calls and context.is_tool_approved(self._tool.name, call_id) is None:
                async with self._opened(context, arguments, call_id) as call:
                    call.pause("approval")
                _keep(self._calls, call_id, arguments)
            return needed

        return needs_approval

    def _opened(self, context: Any, arguments: Any, call_id: str) -> Any:
        known = _known(context, self._agents.get(id(context)))
        return _Both(attributed(known, self._who, context), adapted_call("openai_agents", self._tool.name, by_name(arguments), call_id, self._said))


def _keep(table: dict[Any, Any], key: Any, value: Any) -> None:
    if len(table) >= _MOST:
        table.pop(next(iter(table)), None)
    table[key] = value


class _Both:
    """Who calls, and the call, entered and left together."""

    def __init__(self, who: Any, call: tool_call) -> None:
        self._who = who
        self._call = call

    async def __aenter__(self) -> tool_call:
        self._who.__enter__()
        try:
            return await self._call.__aenter__()
        except BaseException:
            self._who.__exit__(None, None, None)
            raise

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            await self._call.__aexit__(kind, error, trace)
        finally:
            self._who.__exit__(kind, error, trace)


def _audited(tool: Any, who: Who | None, about: About) -> Any:
    said = dict(about.get(tool.name, {}))
    made = copy.copy(tool)
    vars(made)[_MARK] = True
    invoke = _noting(made)
    if getattr(tool, "needs_approval", False) is not False:
        waiting = _Waiting(tool, who, said)
        made.is_enabled, made.needs_approval = waiting.enabled(tool.is_enabled), waiting.needed(tool.needs_approval)

    async def on_invoke_tool(context: Any, arguments: str) -> Any:
        _look_around(context)
        failed: list[Failed] = []
        token = _failed.set(failed)
        try:
            async with _Both(
                attributed(_known(context), who, context),
                adapted_call("openai_agents", tool.name, by_name(arguments), getattr(context, "tool_call_id", None), said),
            ) as call:
                result = await invoke(context, arguments)
                _tell(call, result, failed)
        finally:
            _failed.reset(token)
        return result

    made.on_invoke_tool = on_invoke_tool
    return made


def _noting(tool: Any) -> Invoke:
    """Give a tool's invoker, one that notes what is raised in it where the SDK handles that inside."""
    invoker = tool.on_invoke_tool
    inner: Invoke | None = getattr(invoker, "_invoke_tool_impl", None)
    handled = getattr(invoker, "_on_handled_error", None)
    if inner is None or handled is None:
        # an invoker of the application's own raises through, or says itself what failed
        plain: Invoke = invoker
        return plain

    async def noting(context: Any, arguments: str) -> Any:
        try:
            return await inner(context, arguments)
        except Exception as error:
            _failed.get().append(Failed(error_text(error), error_type(error)))
            raise

    # markers by which the SDK knows what it may prepare before the call
    vars(noting).update(vars(inner))
    made: Invoke = type(invoker)(noting, handled, function_tool=tool)
    return made


def _tell(call: tool_call, result: object, failed: list[Failed]) -> None:
    """Say what came of it; also where the model only got a text that tells of an error."""
    if failed:
        call.fail(*failed[-1])
        return
    # an invoker of the application's own may handle its error; the span of the tool, if they trace, has it
    span = get_current_span()
    error = None if span is None else span.error
    if error is not None:
        call.fail((error.get("data") or {}).get("error") or error.get("message"))
    else:
        call.result(parsed(result))


def _known(context: Any, running: Any = None) -> dict[str, Any]:
    """Tell what the run knows."""
    agent, config = getattr(context, "agent", None) or running, getattr(context, "run_config", None)
    model = getattr(config, "model", None) or getattr(agent, "model", None)
    return {
        "agent": getattr(agent, "name", None),
        "model": model if isinstance(model, str) else getattr(model, "model", None),
        "conversation": getattr(config, "group_id", None),
    }
