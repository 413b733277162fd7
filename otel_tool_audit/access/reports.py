"""
Reports under audit: the calls are read, the trail is verified, the reading goes on record, and only then somebody is given the report.

Source: ARCHITECTURE.md, R16, R19.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from otel_tool_audit.access.journal import Journal, Reading
from otel_tool_audit.errors import SettingsError
from otel_tool_audit.review.reports import AccessReport, ActivityReport, ConversationReport, Verdict
from otel_tool_audit.review.verify.verifier import verify_opened

Watching = Callable[[], AbstractContextManager[Callable[[int, int], None] | None]]
"""Gives something that is told of what is done and what is to be done, for as long as that takes."""
Report = TypeVar("Report", bound=AccessReport | ConversationReport | ActivityReport)

_HOURLY: Final = timedelta(days=3)


class TooManyRowsError(SettingsError):
    """
    A report has more rows than its reader can use. It was not given, so nothing is on record.

    Attributes:
        rows: How many it has.
        first: When the first call started, as records write it.
        last: When the last one did.
    """

    def __init__(self, rows: int, most: int, first: str, last: str) -> None:
        super().__init__(f"{rows:,} calls are more than {most:,}: ask for parts of the time, from {first[:10]} to {last[:10]}")
        self.rows = rows
        self.first = first
        self.last = last


def reported(report: Report, journal: Journal, reading: Reading, *, check: bool, most: int | None, verifying: Watching) -> Report:
    """
    Verify the trail and put a report on record, in this order: so the verdict is of the trail that was read, without this reading in it.

    Args:
        report: Its values, without a verdict; nobody has seen them yet.
        journal: Where it is recorded.
        reading: What is read, in words.
        check: Whether to verify.
        most: The most rows that the report may have; None: any number.
        verifying: Watches the verification, in bytes.

    Returns:
        The report, with its verdict.

    Raises:
        TooManyRowsError: It has more rows.
    """
    rows = () if isinstance(report, ActivityReport) else report.rows
    if most is not None and len(rows) > most:
        raise TooManyRowsError(len(rows), most, rows[0].timestamp, rows[-1].timestamp)
    verdict = None
    if check:
        with verifying() as progress:
            verdict = Verdict.of(verify_opened(journal.trail, progress=progress))
    journal.begin(reading, report.total.calls if isinstance(report, ActivityReport) else len(rows))
    return dataclasses.replace(report, verdict=verdict)


def stretch_for(start: datetime | None, end: datetime | None) -> str:
    """Tell by which stretch a report counts over a time when nobody said so: by the hour up to three days, else by the day."""
    length = None if start is None else (end or datetime.now(UTC)) - start
    return "hour" if length is not None and length <= _HOURLY else "day"
