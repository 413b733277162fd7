"""
Two adapters around one call in one process, a client's and a server's: one call, told of twice.

Source: ARCHITECTURE.md, "One record a call".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry import context as otel
from opentelemetry import trace

from otel_tool_audit.capture.gate import OpenCall
from otel_tool_audit.capture.joining import BY_ADAPTERS, NestedCall
from otel_tool_audit.propagation.context import Attribution, current
from otel_tool_audit.recognise.sameness import same_tool
from otel_tool_audit.record.model import ToolCall
from otel_tool_audit.recording import Outcome


class FarCall(NestedCall):
    """The same, told of elsewhere in the process: an MCP server in one process with its client runs in a task of its own."""

    __slots__ = ("_arguments", "_token")

    def __init__(self, outer: OpenCall, arguments: Mapping[str, Any]) -> None:
        """Take the call that is open, and what it is called with here."""
        super().__init__(outer)
        self._arguments = arguments
        self._token: Any = None

    @property
    def call(self) -> ToolCall:
        """The call that is open."""
        return self._outer.call

    def enter(self) -> None:
        """Let what follows belong to the open call; a decorated tool that runs here is still this very call."""
        self._token = otel.attach(self._outer.inside)
        self._outer.offered = self._arguments

    def finish(self, outcome: Outcome) -> ToolCall | None:
        """As above, and leave."""
        if self._token is not None:
            otel.detach(self._token)
            self._token = None
        return super().finish(outcome)


def far_call(name: str, arguments: Mapping[str, Any], adapter: str) -> FarCall | None:
    """
    Find the open call of another adapter that a server's adapter is about to tell of again, as spans beside each other are found.

    Args:
        name: Of the tool; the client's may have a server's name before it.
        arguments: Raw.
        adapter: Which one asks: what one adapter tells twice happened twice.

    Returns:
        None when there is none, or more than one that nothing tells apart.
    """
    here, trace_id = current(), trace.get_current_span().get_span_context().trace_id
    found = [
        opened
        for opened in list(BY_ADAPTERS)
        if opened.offered is not None and not opened.ended and opened.recorded and opened.adapter != adapter
        and same_tool(opened.spec.name, name) and dict(opened.offered) == dict(arguments) and _same_caller(opened, here)
    ]  # fmt: skip
    if len(found) > 1 and trace_id:
        found = [opened for opened in found if opened.call["trace_id"] == f"{trace_id:032x}"] or found
    if not found or len({opened.call["conversation_id"] for opened in found}) > 1:
        return None
    # of calls with the same arguments in one conversation any may be the one: each is taken once
    outer = min(found, key=lambda opened: opened.call["timestamp"])
    outer.offered = None
    return FarCall(outer, arguments)


def _same_caller(opened: OpenCall, here: Attribution) -> bool:
    """Tell whether the server was told of no other user or conversation than the open call has."""
    each = ((here.get(name), opened.caller_said(name)) for name in ("user", "conversation"))
    return all(None in {said, known} or said == known for said, known in each)
