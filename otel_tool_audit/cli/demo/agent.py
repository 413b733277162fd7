"""The agent loop: asks the (scripted) model, calls its tools, and attributes every call. This is all that an application writes itself."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.trace import Span

import otel_tool_audit as audit
from otel_tool_audit import semconv
from otel_tool_audit.cli.demo.script import AGENT, MODEL, Conversation, ToolUse, Turn
from otel_tool_audit.cli.demo.shop import Shop

CLIENT: Final[Mapping[str, Any]] = {"client_ip": "192.0.2.17", "user_agent": "ShopApp/5.2"}

THINKING: Final = 0.02
"""Seconds that the made-up model needs for an answer, so that its part of a trace can be seen."""


def converse(shop: Shop, conversation: Conversation) -> None:
    """
    Lead one conversation to its end.

    Args:
        shop: Whose tools are used.
        conversation: What the model decides.
    """
    with (
        audit.attribution(user=conversation.user, role=conversation.role, agent=AGENT, model=MODEL, conversation=conversation.name, **CLIENT),
        _span("invoke_agent", AGENT, **{semconv.AGENT: AGENT, semconv.CONVERSATION: conversation.name}),
    ):
        for number, turn in enumerate(conversation.turns, start=1):
            with audit.attribution(turn=number, trigger=turn.trigger):
                with _span("chat", MODEL, **{semconv.MODEL: MODEL, semconv.CONVERSATION: conversation.name}):
                    time.sleep(THINKING)
                _act(shop, turn)


def _span(operation: str, name: str, **attributes: str) -> AbstractContextManager[Span]:
    """Make the span of an agent or a model, as instrumentations of frameworks do; nothing is recorded of these."""
    tracer = trace.get_tracer("demo")
    return tracer.start_as_current_span(f"{operation} {name}", attributes={semconv.OPERATION: operation, **attributes})


def _act(shop: Shop, turn: Turn) -> None:
    """Call what the model wants; an agent lives on when a tool fails."""
    if inspect.iscoroutinefunction(getattr(shop, turn.uses[0].tool)):
        asyncio.run(_act_in_parallel(shop, turn.uses))
        return
    for use in turn.uses:
        with contextlib.suppress(Exception):
            getattr(shop, use.tool)(**use.arguments)


async def _act_in_parallel(shop: Shop, uses: tuple[ToolUse, ...]) -> None:
    await asyncio.gather(*(getattr(shop, use.tool)(**use.arguments) for use in uses), return_exceptions=True)
