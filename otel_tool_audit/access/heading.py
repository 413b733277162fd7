"""What stands above a report, whoever lays it out: who asked, why, when, and where that is on record."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

import otel_tool_audit
from otel_tool_audit.access.journal import SERVICE, Journal
from otel_tool_audit.export.contents import Heading


def heading_of(journal: Journal, filters: Mapping[str, Any], zone: tzinfo) -> Heading:
    """
    Write the heading of a report that is on record by now, or could not be put there.

    Args:
        journal: Where it was recorded.
        filters: What was asked for, besides the time.
        zone: Whose clocks the reader is shown.
    """
    who, entry = journal.who(), journal.entry
    account = f"account {who['os_user']} on {who['host']}"
    return Heading(
        who=f"{who['as']} ({account})" if who["as"] else account, reason=journal.reason, made=datetime.now(UTC).isoformat(), zone=zone, filters=filters,
        on_record="" if entry is None else entry.address or f"no: {entry.obstacle}", tool=f"{SERVICE} {otel_tool_audit.__version__}",
    )  # fmt: skip
