"""
Moments on the clocks that people look at. Pure.

Source: RFC 3339, section 5.6; PEP 615.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo


def zone_name(zone: tzinfo) -> str:
    """Name a zone as it can be asked for: ``UTC``, an IANA name, or an offset."""
    return "UTC" if zone is UTC else zone.key if isinstance(zone, ZoneInfo) else str(zone).removeprefix("UTC") or "UTC"


def in_zone(timestamp: object, zone: tzinfo) -> str:
    """
    Show a record's timestamp on the clocks of a zone, to the second; what is no timestamp is shown as it is.

    Args:
        timestamp: As records have it, RFC 3339 and UTC.
        zone: Whose clocks.
    """
    text = str(timestamp)
    try:
        moment = datetime.fromisoformat(text)
        return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}" if moment.tzinfo is not None else text
    except (ValueError, OverflowError):
        return text
