"""The latest calls, and those that come: what ``tail`` shows, on record like any other reading."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from otel_tool_audit.access.journal import Reading, Watch
from otel_tool_audit.access.question import recordable
from otel_tool_audit.access.reader import TrailReader
from otel_tool_audit.format.events import FINISHED, OBSERVED, STARTED
from otel_tool_audit.review.calls.fold import Call, fold

LOOK: Final = 0.25
"""Seconds between two looks at the trail."""

_OPEN: Final = 10_000
"""Starts that are kept until their call ends; of a call beyond them its end tells all."""


class LatestCalls:
    """
    The end of a trail.

    Attributes:
        latest: The latest calls that match, the last one first.
    """

    def __init__(self, reader: TrailReader, count: int, filters: Mapping[str, Any], *, follow: bool) -> None:
        """
        Read the latest calls; where they show a subject's data, that is on record from here on.

        Args:
            reader: Stays the caller's.
            count: How many of the latest.
            filters: As for :meth:`~otel_tool_audit.access.reader.TrailReader.calls`.
            follow: Whether :meth:`coming` will be asked: then nobody knows how many calls there will be.

        Raises:
            SettingsError: A filter cannot be understood.
        """
        source = reader.unaudited
        self._source = source.source
        self._watch = Watch(reader.journal, Reading("tail", recordable(filters)))
        self._matches = source.matcher(**filters)
        # before the latest calls are read: what ends meanwhile comes twice rather than never
        self._marks = self._source.ends()
        self.latest: list[Call] = list(source.calls(**filters, order_by="timestamp", descending=True, limit=count)) if count else []
        self._watch.about(self.latest, None if follow else len(self.latest))

    def coming(self, wait: Callable[[float], object] = time.sleep) -> Iterator[Call]:
        """
        Give the calls that match as they end, for ever; each as its own records tell it.

        Args:
            wait: Waits so many seconds for more.
        """
        begun: dict[str, dict[str, Any]] = {}
        while True:
            quiet = True
            for record in self._source.appended(self._marks):
                quiet = False
                call_id, event = str(record.get("call_id")), record.get("event")
                if event == STARTED:
                    begun[call_id] = record
                    if len(begun) > _OPEN:
                        del begun[next(iter(begun))]
                elif event in {FINISHED, OBSERVED}:
                    start = begun.pop(call_id, None)
                    ended = fold([record] if start is None else [start, record]).call(lambda _: False)
                    if self._matches(ended):
                        self._watch.about((ended,), None)
                        yield ended
            if quiet:
                wait(LOOK)
