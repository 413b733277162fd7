"""
Calls of which nobody told what came back: whether they ran shows only by what came after them.

A framework that waits for a person ends the tool's span as if the tool had returned nothing. What tells the two apart is the agent around it: one
whose tool returned goes on and asks its model again, one that waits ends. And a provider's id is answered once: who calls under it again,
without a model having asked again, goes on with a call that had no answer yet.

Source: the spans of OpenAI Agents SDK, Strands and Google ADK when they wait; ARCHITECTURE.md, "Spans of other instrumentations".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from otel_tool_audit.observe.open_spans import SpanNode
from otel_tool_audit.observe.recent_calls import RecordedCall
from otel_tool_audit.observe.writer import Writing
from otel_tool_audit.recognise import CallFacts, SpanRole
from otel_tool_audit.recognise.caller import ANCESTOR, MODEL_SPAN
from otel_tool_audit.record.model import PAUSED, ToolCall
from otel_tool_audit.record.summary import size, summary
from otel_tool_audit.recording.builder import CallBuilder
from otel_tool_audit.recording.earlier import earlier, may_follow

_MOST: Final = 1_024
"""Calls that are remembered by their id."""

_MOST_SCOPES: Final = 256
_MOST_NODES: Final = 512
_NOTHING: Final = (None, "")


class Unanswered:
    """Settles what came of calls that their spans told no result of."""

    def __init__(self, build: CallBuilder, writing: Writing) -> None:
        """
        Begin with none.

        Args:
            build: Remembers pauses for the calls that go on with them.
            writing: Hands over what becomes known.
        """
        self._build = build
        self._writing = writing
        self._telling: set[str] = set()
        self._by_id: dict[tuple[str, str], RecordedCall] = {}

    def observed(self, seen: RecordedCall, facts: CallFacts, scope: str) -> None:
        """
        Take note of a call that a span told of.

        Args:
            seen: The call.
            facts: What the span told.
            scope: The instrumentation.
        """
        if facts.has_result and facts.result not in _NOTHING:
            if len(self._telling) < _MOST_SCOPES:
                self._telling.add(scope)
            return
        number = seen.call["tool_call_id"]
        if number is None or seen.own or facts.failure is not None or facts.halt is not None or seen.call["success"] is False:
            return
        if len(self._by_id) >= _MOST:
            self._by_id.pop(next(iter(self._by_id)), None)
        self._by_id[seen.call["tool_name"], number] = seen

    def goes_on(self, call: ToolCall) -> None:
        """
        Look whether a call that no model has asked for goes on with one that was not answered: that one waited.

        Args:
            call: As its span tells it; it is on record as no call yet.
        """
        number = call["tool_call_id"]
        before = None if number is None else self._by_id.pop((call["tool_name"], number), None)
        if before is not None and before.call["success"] is not False and may_follow(call, earlier(before.call)):
            self._wait(before, MODEL_SPAN)

    def agent_ended(self, agent: SpanNode, below: Iterable[RecordedCall], *, final: bool) -> None:
        """
        Settle what came of the calls directly inside an agent's span: it has ended, or is known to.

        Args:
            agent: Its span.
            below: Calls directly inside it.
            final: Whether all spans inside it have been looked at; else what comes later may settle it otherwise.
        """
        for seen in [each for each in below if each.unanswered]:
            seen.unanswered = not final
            if self._telling.isdisjoint(seen.scopes):
                # results are told of nowhere: contents are switched off
                self._went_well(seen, ANCESTOR)
            elif _asked_again(agent, seen.end or 0):
                self._went_well(seen, MODEL_SPAN)
            elif seen.call["success"] is None and (agent.model is not None or any(_models_in(agent))):
                self._wait(seen, MODEL_SPAN)

    def _went_well(self, seen: RecordedCall, place: str) -> None:
        if seen.call["success"]:
            return
        told: dict[str, Any] = {"success": True, "result_summary": summary(True, {}, size(None), None)}
        self._writing.amend(seen, told, f"success={place}", None)
        # the record that says so has taken these back
        seen.call.pop("outcome", None)
        seen.call.pop("waits_for", None)
        self._build.remember(seen.call)

    def _wait(self, seen: RecordedCall, place: str) -> None:
        if seen.call.get("outcome") == PAUSED:
            return
        taken_back: dict[str, Any] = dict.fromkeys(("success", "error", "error_type", "result_summary"))
        self._writing.amend(seen, {**taken_back, "outcome": PAUSED, "waits_for": {"kind": None, "reason": None}}, f"outcome={place}", None)
        self._build.remember(seen.call)


def is_unanswered(facts: CallFacts) -> bool:
    """Tell whether a span tells what went in and not what came out: of those that tell contents, a sign that nothing came out yet."""
    return facts.arguments is not None and facts.failure is None and facts.halt is None and (not facts.has_result or facts.result in _NOTHING)


def _asked_again(agent: SpanNode, end: int) -> bool:
    return (agent.model is not None and agent.model.start >= end) or any(start >= end for start in _models_in(agent))


def _models_in(agent: SpanNode) -> Iterator[int]:
    """Give when models' spans began that are remembered inside an agent's, but not inside another agent's."""
    waiting = list(agent.children or ())
    for _ in range(_MOST_NODES):
        if not waiting:
            return
        node = waiting.pop()
        if node.role is SpanRole.MODEL and node.view is not None:
            yield node.view.start_time or 0
        elif node.role is not SpanRole.AGENT:
            waiting.extend(node.children or ())
