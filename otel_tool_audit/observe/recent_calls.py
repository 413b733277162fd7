"""
Calls that are on record and may still be told of by other spans: around them, inside them, or beside them.

Source: ARCHITECTURE.md, "One record a call".
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from otel_tool_audit import semconv
from otel_tool_audit.recognise.sameness import is_one, may_be_one
from otel_tool_audit.record.model import Receipt, ToolCall

_MOST: Final = 1_024
"""Calls that are remembered for spans beside them."""

_MOST_BEFORE: Final = 4
_SLACK: Final = 1_000_000
"""Nanoseconds by which spans beside each other may miss each other; clocks of instrumentations are read one after the other."""


class RecordedCall:
    """
    A call that is on record.

    Attributes:
        call: Everything known of it so far, sanitized.
        own: Whether the gate recorded it; then its arguments and outcome are not for others to tell.
        scopes: The instrumentations that told of it.
        start: Of the earliest span, nanoseconds since the Unix epoch.
        end: Of the latest one; None while it runs.
        thread: Which thread started it.
        claimed: Fields of the record that are only claimed.
        nameless: Whether nothing told which tool it was.
        aliases: What the tool is called by spans around it, beside its name.
        unanswered: Whether what came of it shows only when the agent around it ends.
        stamp: What the gate stamped its span with; it holds the receipt.
    """

    __slots__ = ("_receipt", "_waiting", "aliases", "call", "claimed", "end", "nameless", "own", "scopes", "stamp", "start", "thread", "unanswered")

    def __init__(self, call: ToolCall, *, own: bool, scope: str, start: int, end: int | None, thread: int) -> None:
        """Remember a call."""
        self.call = call
        self.own = own
        self.scopes = {scope}
        self.start = start
        self.end = end
        self.thread = thread
        self._receipt: Receipt | None = None
        self.stamp: Mapping[str, Any] | None = None
        self.claimed: Mapping[str, str] = {}
        self.nameless = False
        self.aliases: tuple[str, ...] = ()
        self.unanswered = False
        self._waiting: list[Callable[[], None]] | None = None if own else []

    @property
    def receipt(self) -> Receipt | None:
        """Of its last record; None while there is none."""
        if self._receipt is None and self.stamp is not None and semconv.HASH in self.stamp:
            stamp = self.stamp
            chain = str(stamp[semconv.STREAM]).partition("/")[2]
            self._receipt = Receipt(chain, stamp[semconv.SEQUENCE], stamp[semconv.PREVIOUS_HASH], stamp[semconv.HASH])
        return self._receipt

    @receipt.setter
    def receipt(self, receipt: Receipt | None) -> None:
        """Keep the receipt of a later record."""
        self._receipt = receipt

    def recorded(self, receipt: Receipt | None) -> None:
        """Take the receipt of the first record, and tell who waited for it; None: the record is lost."""
        # The receipt first, then nobody may wait any more, then those who did: whoever comes in between finds the receipt. No lock, because
        # this runs on the trail's thread, and what it calls hands spans to exporters.
        self.receipt = receipt or self.receipt
        waiting, self._waiting = self._waiting, None
        while waiting:
            waiting.pop()()

    def when_recorded(self, told: Callable[[], None]) -> None:
        """Call *told* when the first record is durable or lost; at once when it is already."""
        waiting = self._waiting
        if waiting is None:
            told()
            return
        waiting.append(told)
        if self._waiting is None:
            # recorded() runs at this moment: whoever takes it out of the list calls it
            try:
                waiting.remove(told)
            except ValueError:
                return
            told()

    def also(self, scope: str, start: int, end: int) -> None:
        """Another span tells of it."""
        self.scopes.add(scope)
        self.start = min(self.start, start)
        self.end = max(self.end or end, end)


class RecentCalls:
    """
    Remembers calls while they run and for a short time after, for the spans beside them.

    Any thread adds to it, without a lock: a call's thread may be interrupted at any line, and would keep it. Each step is one of the interpreter's.
    """

    __slots__ = ("_ended", "_in_order", "_keep", "_running")

    def __init__(self, keep: float, *, in_order: bool = True) -> None:
        """
        Begin with none.

        Args:
            keep: Seconds after its end that a call is remembered.
            in_order: Whether calls come nearly in the order of their ends; where not, the last ones are all looked at.
        """
        self._keep = int(keep * 1e9)
        self._in_order = in_order
        self._running: dict[str, RecordedCall] = {}
        self._ended: deque[RecordedCall] = deque(maxlen=_MOST)

    def __len__(self) -> int:
        return len(self._running) + len(self._ended)

    def runs(self, seen: RecordedCall) -> None:
        """Remember a call of ours that runs."""
        if len(self._running) >= _MOST:
            # another thread may change it between looking and taking out: then that one makes room
            with contextlib.suppress(RuntimeError, StopIteration):
                self._running.pop(next(iter(self._running)), None)
        self._running[seen.call["call_id"]] = seen

    def ended(self, seen: RecordedCall) -> None:
        """Remember a call that has ended, and forget those that ended long before."""
        self._running.pop(seen.call["call_id"], None)
        ended = self._ended
        # where ends come in no order, one that is later says nothing of those before it: then only their number is bounded
        with contextlib.suppress(IndexError):
            while self._in_order and (ended[0].end or 0) < (seen.end or 0) - self._keep:
                ended.popleft()
        ended.append(seen)

    def beside(self, call: ToolCall, scope: str, start: int, end: int, thread: int) -> RecordedCall | None:
        """
        Find the call that a span beside it tells of.

        Args:
            call: As that span tells it.
            scope: The instrumentation.
            start: Of the span, nanoseconds since the Unix epoch.
            end: The same.
            thread: Which thread started it.

        Returns:
            None when there is none: what one instrumentation tells twice happened twice.
        """
        candidates = self._candidates(call, scope, start, end)
        if not candidates:
            return None

        def nearness(seen: RecordedCall) -> tuple[Any, ...]:
            return (not is_one(seen.call, call), seen.thread != thread, abs(seen.start - start))

        return min(candidates, key=nearness)

    def repeated(self, call: ToolCall, scope: str) -> RecordedCall | None:
        """Find the call that a span of another instrumentation only names again: the same tool and id in the same trace."""
        if call["tool_call_id"] is None:
            return None
        for seen in (*list(self._running.values()), *self._latest()):
            known = seen.call
            if (
                scope not in seen.scopes
                and known["tool_call_id"] == call["tool_call_id"]
                and known["trace_id"] == call["trace_id"]
                and may_be_one(known, call)
            ):
                return seen
        return None

    def _latest(self) -> Iterator[RecordedCall]:
        """Give those that ended, the last one first; one that ends meanwhile shifts the others, so that some are given twice."""
        with contextlib.suppress(IndexError):
            for back in range(1, _MOST + 1):
                yield self._ended[-back]

    def _candidates(self, call: ToolCall, scope: str, start: int, end: int) -> list[RecordedCall]:
        latest = end + _SLACK
        earliest = start - _SLACK
        found = [seen for seen in list(self._running.values()) if scope not in seen.scopes and seen.start <= latest and may_be_one(seen.call, call)]
        before = 0
        for seen in self._latest():
            if (seen.end or 0) < earliest:
                # calls stand here nearly in the order of their ends: a few more, and all others ended earlier
                before += self._in_order
                if before > _MOST_BEFORE:
                    break
            elif scope not in seen.scopes and seen.start <= latest and may_be_one(seen.call, call):
                found.append(seen)
        return found
