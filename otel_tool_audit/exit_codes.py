"""
What a process' exit code says, in every command and where auditing could not start; 130 and 141 are what shells have for a signal.

Source: PROTOCOL.md, "Verdicts"; README.md.
"""

from __future__ import annotations

from typing import Final

from otel_tool_audit.errors import AuditError, RecordCorrupt, SettingsError, TrailTampered

GOOD: Final = 0
BROKEN: Final = 1
"""Something was verified, and does not hold."""
USAGE: Final = 2
"""The question or a setting cannot be used as given."""
CANNOT_TELL: Final = 3


def code_of(error: AuditError) -> int:
    """Give the exit code of what could not be done."""
    if isinstance(error, TrailTampered | RecordCorrupt):
        return BROKEN
    return USAGE if isinstance(error, SettingsError) else CANNOT_TELL
