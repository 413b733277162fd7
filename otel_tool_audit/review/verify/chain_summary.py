"""
What the records of a chain say, gathered while its lines are checked, in memory that does not grow with the trail.

Source: FORMAT.md, sections 4 and 6.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Final

from otel_tool_audit.format.events import HEARTBEAT, PRUNED
from otel_tool_audit.format.nesting import read_json
from otel_tool_audit.record.untrusted import details_of
from otel_tool_audit.record.witnesses import Epoch
from otel_tool_audit.review.verify.blocks import Block

Event = tuple[int, dict[str, Any]]
"""The seq of a record of the trail's own life, and the record."""

_MOST_OPEN: Final = 50_000
"""Calls that are remembered as open at once; beyond that it is only said that there are more."""


class ChainSummary:
    """
    What the records of a chain say.

    Attributes:
        opened: Calls that have not ended: call_id to writer.
        recorded: How many calls each writer began to record.
        epochs: Epochs that were begun after an accepted loss, or when the trail was taken over.
        overflow: Whether more calls were open at once than are kept.
    """

    def __init__(self, take: Callable[[int, dict[str, Any]], None] | None = None) -> None:
        """
        Begin to gather.

        Args:
            take: Is given every record of the trail's own life as it comes by, for of heartbeats only the latest is kept.
        """
        self.opened: dict[bytes, bytes] = {}
        self.recorded: dict[bytes, int] = {}
        self.epochs: list[Epoch] = []
        self.overflow = False
        self._take = take
        self._events: list[Event] = []
        self._heartbeats: dict[str, Event] = {}

    @property
    def events(self) -> list[Event]:
        """Records of the trail's own life, in order; of each writer's heartbeats the latest: years of them would fill the memory."""
        return sorted([*self._events, *self._heartbeats.values()], key=lambda event: event[0])

    @property
    def pruned(self) -> bool:
        """Whether segments were pruned."""
        return any(record.get("event") == PRUNED for _, record in self._events)

    def add(self, block: Block) -> None:
        """Take in a block of lines."""
        self.opened.update(block.opened)
        for call in block.ended:
            self.opened.pop(call, None)
        for writer, number in block.recorded.items():
            self.recorded[writer] = self.recorded.get(writer, 0) + number
        for seq, line in block.events:
            with contextlib.suppress(ValueError):
                record = read_json(line)
                if record.get("call_id") is None:
                    self._add_event(seq, record)
        if len(self.opened) > _MOST_OPEN:
            self.overflow = True
            self.opened.clear()

    def _add_event(self, seq: int, record: dict[str, Any]) -> None:
        if self._take is not None:
            self._take(seq, record)
        if record.get("event") == HEARTBEAT:
            self._heartbeats[str(details_of(record).get("writer"))] = (seq, record)
        else:
            self._events.append((seq, record))
