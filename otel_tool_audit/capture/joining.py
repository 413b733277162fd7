"""
A decorated tool that an adapter, ``tool_call()`` or ``execute_tool()`` calls by its name: one call, told of twice.

The gate is open already, so the decorator only tells it what came of the tool, in the tool's own words: a framework often hands on
no more than a text.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context as otel

from otel_tool_audit.capture.gate import OpenCall, begin, begin_async
from otel_tool_audit.record.model import ToolCall
from otel_tool_audit.recording import CALL_KEY, Outcome, ToolSpec
from otel_tool_audit.redaction.objects import as_fields

if TYPE_CHECKING:
    from otel_tool_audit.trail.trail import Trail

BY_ADAPTERS: Final[weakref.WeakSet[OpenCall]] = weakref.WeakSet()
"""Calls that adapters opened; those that have ended go by themselves."""

_COMPARED: Final = (str, int, float, bool)
"""Types whose values are compared; others a framework may have made of what the model gave."""


class NestedCall:
    """The inner of two tellings: tells the outer one what came of the tool."""

    __slots__ = ("_outer",)

    def __init__(self, outer: OpenCall) -> None:
        """Take the call that is open."""
        self._outer = outer

    def enter(self) -> None:
        """Nothing changes: what follows belongs to the open call already."""

    def leave(self) -> None:
        """As :meth:`enter`."""

    def finish(self, outcome: Outcome) -> ToolCall | None:
        """Keep what came of the tool for the call that is open; nothing is recorded here. What is further in has told it in its own words."""
        if self._outer.inner_outcome is None:
            self._outer.inner_outcome = outcome
        return None

    async def finish_async(self, outcome: Outcome) -> ToolCall | None:
        """As :meth:`finish`."""
        return self.finish(outcome)


def by_adapter(opened: OpenCall | None, adapter: str | None) -> None:
    """
    Let what another framework's adapter opens of the same tool, elsewhere in the process, be this call.

    Args:
        opened: By whoever calls the tool by its name.
        adapter: Which framework's adapter it is; None: the application.
    """
    if opened is not None and adapter is not None:
        opened.adapter = adapter
        BY_ADAPTERS.add(opened)


def begin_tool(spec: ToolSpec, arguments: Mapping[str, Any], trail: Trail | None) -> OpenCall | NestedCall | None:
    """
    Open the call of a decorated sync tool, or join the one that is open for it; see :func:`~otel_tool_audit.capture.gate.begin`.

    Raises:
        AuditUnavailable: The tool must not run.
    """
    return _joined(spec, arguments, trail) or begin(spec, arguments, trail)


async def begin_tool_async(spec: ToolSpec, arguments: Mapping[str, Any], trail: Trail | None) -> OpenCall | NestedCall | None:
    """As :func:`begin_tool`, without holding up the event loop."""
    return _joined(spec, arguments, trail) or await begin_async(spec, arguments, trail)


def _joined(spec: ToolSpec, arguments: Mapping[str, Any], trail: Trail | None) -> NestedCall | None:
    outer = otel.get_value(CALL_KEY)
    if not isinstance(outer, OpenCall) or outer.offered is None or outer.spec.name != spec.name or not outer.recorded or outer.ended:
        return None
    if (trail is not None and outer.recorder.trail is not trail) or _contradict(outer.offered, arguments):
        return None
    # The first one takes it: a tool that calls itself, or is tried again, is called again. No lock: whoever opened the call hands it to one
    # thread or task, and two that share it share one context, where the second finds it taken.
    outer.offered = None
    return NestedCall(outer)


def _contradict(offered: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    common = offered.keys() & own.keys()
    if offered and own and not common:
        # frameworks spread the fields of a lone parameter
        fields = as_fields(next(iter(own.values()))) if len(own) == 1 else None
        return fields is None or not fields.keys() >= offered.keys()
    return any(type(offered[n]) is type(own[n]) and type(own[n]) in _COMPARED and offered[n] != own[n] for n in common)
