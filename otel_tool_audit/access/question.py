"""Which calls are asked about, and what an answer lacks. Pure but for the reader that is handed in."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Any, NamedTuple

from otel_tool_audit.review.calls.clocks import zone_name
from otel_tool_audit.review.reader import TrailReader
from otel_tool_audit.text import plural


class Question(NamedTuple):
    """
    Which calls are asked for.

    Attributes:
        only: Filters by the names of ``TrailReader.calls()``; those that were not given are left out.
        time: The time that is asked about.
        said: The words in which the time was given.
    """

    only: dict[str, Any]
    time: Asked
    said: dict[str, str]

    def filters(self) -> dict[str, Any]:
        """Give all of it as the reader takes it."""
        return {**self.only, "since": self.time.since, "until": self.time.until}

    def on_record(self) -> dict[str, Any]:
        """Give all of it as it is written down: JSON-safe, times in UTC."""
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in self.filters().items() if value is not None}


def missing(reader: TrailReader) -> list[str]:
    """
    Say what an answer lacks, once all of it was read.

    Args:
        reader: Who answered.
    """
    lines = plural(reader.unreadable, "line")
    passed_over = f"{lines} could not be read and {'is' if reader.unreadable == 1 else 'are'} missing here; `otel-tool-audit verify` tells which"
    return [*([passed_over] if reader.unreadable else []), *reader.notes]


class Asked(NamedTuple):
    """
    The time that is asked about.

    Attributes:
        since: Its first moment, UTC; None: from the beginning.
        until: The first moment after it, UTC; None: no end.
        zone: Whose clocks people are shown.
    """

    since: datetime | None
    until: datetime | None
    zone: tzinfo

    def in_words(self) -> str:
        """Say which time is meant, with its zone."""
        begin, end = (None if m is None else f"{m.astimezone(self.zone):%Y-%m-%d %H:%M:%S}" for m in (self.since, self.until))
        named = zone_name(self.zone)
        if begin is None and end is None:
            return f"all that is on record ({named})"
        return " ".join(part for part in (begin and f"from {begin}", end and f"until before {end}", named) if part)
