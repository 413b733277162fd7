"""
Pydantic AI: a capability of an agent, whose tools run only when their start is on record.

    Agent(model, capabilities=[AuditCapability()])

It covers function tools, toolsets and MCP servers alike; not what a provider runs on its side.

Source: pydantic-ai 2.x, ``pydantic_ai.capabilities``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.capabilities import AbstractCapability, CapabilityOrdering, WrapToolExecuteHandler
from pydantic_ai.messages import ToolCallPart
from pydantic_ai.tools import ToolDefinition

from otel_tool_audit.capture.adapting import About, Who, attributed
from otel_tool_audit.capture.block import tool_call


@dataclass
class AuditCapability(AbstractCapability[Any]):
    """Records every tool call of an agent, before it runs and after."""

    who: Who | None = None
    """Tells from a ``RunContext`` who calls; for instance from ``context.deps``."""

    about: About = field(default_factory=dict)
    """What there is to say about tools, by name."""

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
        said = self.about.get(tool_def.name, {})
        async with attributed(_known(ctx), self.who, ctx), tool_call(tool_def.name, args, tool_call_id=call.tool_call_id, **said) as opened:
            result = await handler(args)
            opened.result(result)
        return result


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
