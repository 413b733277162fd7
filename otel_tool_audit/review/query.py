"""
Which calls are asked for. Pure.

Source: ARCHITECTURE.md, R13; the filters are named like the arguments of ``attribution()``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final

from otel_tool_audit.errors import SettingsError
from otel_tool_audit.review.fold import STATUSES

_FIELDS: Final = {
    "conversation": "conversation_id", "user": "user_id", "role": "user_role", "agent": "agent", "model": "model", "tool": "tool_name",
    "trigger": "trigger", "purpose": "purpose", "status": "status", "trace_id": "trace_id",
}  # fmt: skip

Moment = str | date | datetime


@dataclass(frozen=True, slots=True)
class Query:
    """Filters on calls; each that is given must hold."""

    conversation: str | None = None
    user: str | None = None
    role: str | None = None
    agent: str | None = None
    model: str | None = None
    tool: str | None = None
    trigger: str | None = None
    subjects: frozenset[str] | None = None
    """The subject as it may be stored: in clear, and as a pseudonym under each key that the reader has."""
    purpose: str | None = None
    status: str | None = None
    trace_id: str | None = None
    since: str | None = None
    """Inclusive, as timestamps are written in records."""
    until: str | None = None
    """Exclusive, likewise."""

    def __post_init__(self) -> None:
        """
        Check what can be checked before anything is read.

        Raises:
            SettingsError: There is no such status.
        """
        if self.status is not None and self.status not in STATUSES:
            message = f"there is no status {self.status!r}; a call is one of: {', '.join(STATUSES)}"
            raise SettingsError(message)

    def matches(self, call: Mapping[str, Any]) -> bool:
        """Tell whether a folded call is one of those asked for."""
        for name, field in _FIELDS.items():
            wanted = getattr(self, name)
            if wanted is not None and call.get(field) != wanted:
                return False
        if self.subjects is not None and call.get("subject") not in self.subjects:
            return False
        when = str(call.get("timestamp"))
        return (self.since is None or when >= self.since) and (self.until is None or when < self.until)


def moment(value: Moment | None, name: str) -> str | None:
    """
    Write a moment as records do, so that text compares as time.

    Args:
        value: A datetime, a date (its beginning), or either as ISO 8601 text; without a zone it is UTC.
        name: Of the argument, for the message.

    Raises:
        SettingsError: It is no moment.

    Source: RFC 3339, section 5.6.
    """
    if value is None:
        return None
    found = value
    if isinstance(found, str):
        try:
            found = datetime.fromisoformat(found)
        except ValueError as error:
            message = f"{name}={value!r} is no date or time; write 2026-03-01 or 2026-03-01T12:00:00Z"
            raise SettingsError(message) from error
    if not isinstance(found, datetime):
        found = datetime.combine(found, time.min)
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    return found.strftime("%Y-%m-%dT%H:%M:%S.") + f"{found.microsecond:06d}Z"
