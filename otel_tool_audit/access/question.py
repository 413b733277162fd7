"""Which calls are asked about, in what time, and how that is written down. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any, NamedTuple

from otel_tool_audit.review.calls.clocks import zone_name
from otel_tool_audit.review.calls.filters import Moment, moment


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


def recordable(filters: Mapping[str, Any]) -> dict[str, Any]:
    """
    Give filters as they are written down: JSON-safe, times in UTC, what was not given left out.

    Args:
        filters: As a reader takes them.

    Raises:
        SettingsError: A time cannot be understood.
    """
    given = {name: value for name, value in filters.items() if value is not None}
    return given | {name: moment_of(given[name], name).isoformat() for name in ("since", "until") if name in given}


def moment_of(value: Moment, name: str) -> datetime:
    """
    Read a moment as filters take it.

    Args:
        value: Text without a zone is UTC.
        name: Of the filter, for the message.

    Raises:
        SettingsError: It is no moment.
    """
    return datetime.fromisoformat(str(moment(value, name)))


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
