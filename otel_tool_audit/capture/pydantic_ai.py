"""
Pydantic AI: a capability of an agent, whose tools run only when their start is on record.

    Agent(model, capabilities=[AuditCapability()])

It covers function tools, toolsets and MCP servers alike; not what a provider runs on its side. A call that waits is on record as paused,
one that a person denied as denied.

Source: pydantic-ai 2.x, ``pydantic_ai.capabilities``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic_ai import AgentRunResult, ApprovalRequired, CallDeferred, DeferredToolRequests, RunContext
from pydantic_ai.capabilities import AbstractCapability, CapabilityOrdering, WrapRunHandler, WrapToolExecuteHandler
from pydantic_ai.messages import ToolCallPart, ToolReturnPart
from pydantic_ai.models import ModelRequestContext
from pydantic_ai.tools import ToolDefinition

from otel_tool_audit.capture.adapting import About, Who, attributed, by_name
from otel_tool_audit.capture.block import adapted_call, tool_call
from otel_tool_audit.record.model import APPROVAL, DENIED, PAUSED, RESULT

_MOST: Final = 4_096
"""Halts that are remembered."""


@dataclass
class AuditCapability(AbstractCapability[Any]):
    """Records every tool call of an agent, before it runs and after."""

    who: Who | None = None
    """Tells from a ``RunContext`` who calls; for instance from ``context.deps``."""

    about: About = field(default_factory=dict)
    """What there is to say about tools, by name."""

    _halted: dict[tuple[str | None, str, str], None] = field(default_factory=dict, init=False, repr=False)
    """Calls whose pause or denial is on record: the same run is told of it in more than one place."""

    def get_ordering(self) -> CapabilityOrdering:
        """Stand next to the tool: what is recorded is what it really gets."""
        return CapabilityOrdering(position="innermost")

    async def wrap_tool_execute(
        self, ctx: RunContext[Any], *, call: ToolCallPart, tool_def: ToolDefinition, args: dict[str, Any], handler: WrapToolExecuteHandler
    ) -> Any:  # noqa: ANN401 - the tool's own
        """
        Run one tool.

        Raises:
            AuditUnavailable: No durable record, so no call.
        """
        try:
            async with attributed(_known(ctx), self.who, ctx), self._opened(tool_def.name, args, call.tool_call_id) as opened:
                result = await handler(args)
                opened.result(result)
        except (ApprovalRequired, CallDeferred):
            self._is_new(ctx, call.tool_call_id, PAUSED)
            raise
        return result

    async def wrap_run(self, ctx: RunContext[Any], *, handler: WrapRunHandler) -> AgentRunResult[Any]:
        """
        Run the agent, and record the calls that it ends for before they reach the tool: those that need approval by their definition.

        Raises:
            AuditUnavailable: One of them cannot be recorded.
        """
        result = await handler()
        if isinstance(result.output, DeferredToolRequests):
            for kind, calls in ((APPROVAL, result.output.approvals), (RESULT, result.output.calls)):
                for call in calls:
                    if self._is_new(ctx, call.tool_call_id, PAUSED):
                        async with (
                            attributed(_known(ctx), self.who, ctx),
                            self._opened(call.tool_name, by_name(call.args), call.tool_call_id) as opened,
                        ):
                            opened.pause(kind)
        return result

    async def before_model_request(self, ctx: RunContext[Any], request_context: ModelRequestContext) -> ModelRequestContext:
        """
        Record what a person has denied: the tool is not reached, only the model is told.

        Raises:
            AuditUnavailable: It cannot be recorded.
        """
        told = request_context.messages[-1].parts if request_context.messages else ()
        denied = [part for part in told if isinstance(part, ToolReturnPart) and getattr(part, "outcome", None) == "denied"]
        for part in denied:
            if self._is_new(ctx, part.tool_call_id, DENIED):
                asked = (each for message in request_context.messages for each in message.parts if isinstance(each, ToolCallPart))
                arguments = next((each.args for each in asked if each.tool_call_id == part.tool_call_id), None)
                async with attributed(_known(ctx), self.who, ctx), self._opened(part.tool_name, by_name(arguments), part.tool_call_id) as opened:
                    opened.deny("approval", part.content)
        return request_context

    def _opened(self, name: str, arguments: Mapping[str, Any], tool_call_id: str) -> tool_call:
        return adapted_call("pydantic_ai", name, arguments, tool_call_id, self.about.get(name, {}))

    def _is_new(self, ctx: RunContext[Any], tool_call_id: str, halt: str) -> bool:
        """Remember that a call's halt is on record in this run; False when it was already. Ids may come again in another run."""
        which = (getattr(ctx, "run_id", None), tool_call_id, halt)
        if which in self._halted:
            return False
        if len(self._halted) >= _MOST:
            self._halted.pop(next(iter(self._halted)), None)
        self._halted[which] = None
        return True


def _known(ctx: RunContext[Any]) -> dict[str, Any]:
    """Tell what the run knows."""
    known: dict[str, Any] = {
        "agent": getattr(ctx.agent, "name", None),
        "model": getattr(ctx.model, "model_name", None),
        # not in the oldest versions
        "conversation": getattr(ctx, "conversation_id", None),
    }
    if ctx.retry:
        known.update(attempt=ctx.retry + 1, trigger="retry")
    return known
