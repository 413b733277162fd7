"""
Which question is put on record, and when: the one list, held against what the reader does by a test. Pure.

Source: ARCHITECTURE.md, D11; FORMAT.md, section 4 (``trail.read``, ``trail.exported``).
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class RecordedWhen(Enum):
    """When a question is put on record."""

    ALWAYS = "always"
    """Before anything is given, whatever it is: what it shows cannot be told beforehand, or it is handed on."""
    SUBJECT = "if a subject is asked for or shown"
    """Before the first row about a subject is given, or before any row if a subject was asked for."""
    NEVER = "never"
    """It shows nobody's data."""


RECORDED: Final = {
    "access_report": RecordedWhen.ALWAYS, "conversation_report": RecordedWhen.ALWAYS, "activity_report": RecordedWhen.ALWAYS, "sql": RecordedWhen.ALWAYS,
    "export": RecordedWhen.ALWAYS,
    "calls": RecordedWhen.SUBJECT, "by_conversation": RecordedWhen.SUBJECT, "by_user": RecordedWhen.SUBJECT, "failures": RecordedWhen.SUBJECT,
    "timeline": RecordedWhen.SUBJECT, "call": RecordedWhen.SUBJECT, "statistics": RecordedWhen.SUBJECT, "tool_statistics": RecordedWhen.SUBJECT,
    "records": RecordedWhen.SUBJECT, "record": RecordedWhen.SUBJECT, "lines": RecordedWhen.SUBJECT, "line": RecordedWhen.SUBJECT, "finding": RecordedWhen.SUBJECT,
    "appended": RecordedWhen.SUBJECT, "LatestCalls": RecordedWhen.SUBJECT,
    "status": RecordedWhen.NEVER, "verdict": RecordedWhen.NEVER, "heads": RecordedWhen.NEVER, "chains": RecordedWhen.NEVER, "proof": RecordedWhen.NEVER,
    "ends": RecordedWhen.NEVER, "pieces": RecordedWhen.NEVER, "pool": RecordedWhen.NEVER, "matcher": RecordedWhen.NEVER, "key_of": RecordedWhen.NEVER,
}  # fmt: skip
"""By method of :class:`~otel_tool_audit.access.reader.TrailReader`; ``LatestCalls`` (:mod:`~otel_tool_audit.access.following`) is what ``tail`` asks."""
