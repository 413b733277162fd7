"""The agent loop: asks the (scripted) model, calls its tools, and attributes every call. This is all that an application writes itself."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Mapping
from typing import Any, Final

import otel_tool_audit as audit
from otel_tool_audit.cli.demo.script import AGENT, MODEL, Conversation, ToolUse, Turn
from otel_tool_audit.cli.demo.shop import Shop

CLIENT: Final[Mapping[str, Any]] = {"client_ip": "192.0.2.17", "user_agent": "ShopApp/5.2"}


def converse(shop: Shop, conversation: Conversation) -> None:
    """
    Lead one conversation to its end.

    Args:
        shop: Whose tools are used.
        conversation: What the model decides.
    """
    with audit.attribution(
        user=conversation.user, role=conversation.role, agent=AGENT, model=MODEL, conversation=conversation.name, **CLIENT
    ):
        for number, turn in enumerate(conversation.turns, start=1):
            with audit.attribution(turn=number, trigger=turn.trigger):
                _act(shop, turn)


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
