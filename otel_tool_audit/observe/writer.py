"""
Hands what becomes known of a call over to the trail.

What a span tells is handed over when the span ends. Nothing waits for a second span: what that adds is a record of its own.

Source: ARCHITECTURE.md, "Spans of other instrumentations" and "One record a call".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from otel_tool_audit.observe.call import ASSUMED, amendment
from otel_tool_audit.observe.recent_calls import RecordedCall
from otel_tool_audit.record.model import Receipt, ToolCall
from otel_tool_audit.recording.recorder import Recorder

Submit = Callable[[ToolCall, Callable[[Receipt | None], None]], bool]
Recorded = Callable[[RecordedCall | None], None]
"""Hears of the call that a span tells of, when its record is durable; None: the record is lost."""


_OUTCOME: Final = frozenset({"success", "result_summary"})


class Writing:
    """
    Records of spans, on their way to the trail.

    Attributes:
        pending: Records that were handed over and are not durable yet.
    """

    __slots__ = ("_recorder", "pending")

    def __init__(self, recorder: Recorder) -> None:
        """
        Begin with nothing on its way.

        Args:
            recorder: Writes.
        """
        self._recorder = recorder
        # no lock guards this set: adding and discarding are atomic
        self.pending: set[object] = set()

    def observe(self, seen: RecordedCall, told: Recorded) -> None:
        """
        Record a call that a span tells of.

        Args:
            seen: What is known of it.
            told: Hears of it.
        """
        self._recorder.trail.counters.add("calls")

        def recorded(receipt: Receipt | None) -> None:
            seen.recorded(receipt)
            told(seen if receipt is not None else None)

        self._hand_over(self._recorder.submit, seen.call, recorded)

    def amend(self, seen: RecordedCall, found: dict[str, Any], said: str, claimed: dict[str, Any] | None, told: Recorded | None = None) -> None:
        """
        Record what became known of a call; where that is nothing, only wait for its record.

        Args:
            seen: The call.
            found: Fields and their values.
            said: Where they came from.
            claimed: What is only claimed.
            told: Hears of it.
        """
        if not found:
            if told is not None:
                seen.when_recorded(lambda: told(seen))
            return
        if not seen.own:
            # the gate's own source stands: what others add to its records is named by these
            found["source"] = _joined_sources(seen.call["source"], said, found)
        else:
            found["source"] = f"{seen.call['source']} + {said}"
        if claimed and claimed.get("fields"):
            found["claimed"] = {**(seen.call["claimed"] or {}), **claimed}
        record = amendment(seen.call, found, self._recorder.calls.now())
        merged: Any = {**seen.call, **found}
        seen.call = merged
        seen.claimed = {**seen.claimed, **((claimed or {}).get("fields") or {})}

        def recorded(receipt: Receipt | None) -> None:
            seen.receipt = receipt or seen.receipt
            if told is not None:
                told(seen)

        self._hand_over(self._recorder.submit_amended, record, recorded)

    def lost(self, tool: str, error: Exception) -> None:
        """
        Say that a span's call could not be recorded.

        Args:
            tool: Its name.
            error: Why.
        """
        trail = self._recorder.trail
        trail.counters.add("calls")
        trail.lost(calls=1, records=1, reason=f"a span of {tool[:100]!r}: {type(error).__name__}: {error}")

    def _hand_over(self, submit: Submit, call: ToolCall, recorded: Callable[[Receipt | None], None]) -> None:
        # a token, not done() itself: a function that refers to itself is freed by the collector only
        waiting = object()

        def done(receipt: Receipt | None) -> None:
            try:
                recorded(receipt)
            finally:
                self.pending.discard(waiting)

        self.pending.add(waiting)
        if not submit(call, done):
            done(None)


def together(told: Recorded, count: int) -> list[Recorded]:
    """
    Hear of several calls of one span as of one: when the last of them is durable, of the first.

    Args:
        told: Hears of the first.
        count: How many calls.

    Returns:
        Who hears of each.
    """
    left = list(range(count))
    first: list[RecordedCall | None] = []

    def hear(at: int) -> Recorded:
        def heard(seen: RecordedCall | None) -> None:
            if at == 0:
                first.append(seen)
            # taking the last one out is atomic: records become durable in any thread
            if left.pop() == 0:
                told(first[0] if first else None)

        return heard

    return [hear(at) for at in range(count)]


def _joined_sources(before: str, said: str, found: Mapping[str, Any]) -> str:
    """Name the convention of the first span, then what each later one added."""
    if not _OUTCOME.isdisjoint(found):
        before = before.replace(f" {ASSUMED}", "")
    added = ",".join(name for name in found if name not in {"redactions", "source"})
    return f"{before} + {said} ({added})" if said else before
