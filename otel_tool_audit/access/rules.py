"""
Which question is put on record, and when: the one list, held against what the reader does by a test. Pure.

Source: ARCHITECTURE.md, D11; FORMAT.md, section 4 (``trail.read``, ``trail.exported``).
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class Recorded(Enum):
    """When a question is put on record."""

    ALWAYS = "always"
    """Before anything is given, whatever it is: what it shows cannot be told beforehand, or it is handed on."""
    SUBJECT = "if a subject is asked for or shown"
    """Before the first row about a subject is given, or before any row if a subject was asked for."""
    NEVER = "never"
    """It shows nobody's data."""


RECORDED: Final = {
    "access_report": Recorded.ALWAYS, "conversation_report": Recorded.ALWAYS, "activity_report": Recorded.ALWAYS, "sql": Recorded.ALWAYS,
    "export": Recorded.ALWAYS,
    "calls": Recorded.SUBJECT, "by_conversation": Recorded.SUBJECT, "by_user": Recorded.SUBJECT, "failures": Recorded.SUBJECT,
    "timeline": Recorded.SUBJECT, "call": Recorded.SUBJECT, "statistics": Recorded.SUBJECT, "tool_statistics": Recorded.SUBJECT,
    "records": Recorded.SUBJECT, "record": Recorded.SUBJECT, "lines": Recorded.SUBJECT, "line": Recorded.SUBJECT, "finding": Recorded.SUBJECT,
    "appended": Recorded.SUBJECT, "LatestCalls": Recorded.SUBJECT,
    "status": Recorded.NEVER, "verdict": Recorded.NEVER, "heads": Recorded.NEVER, "chains": Recorded.NEVER, "proof": Recorded.NEVER,
    "ends": Recorded.NEVER, "pieces": Recorded.NEVER, "pool": Recorded.NEVER, "matcher": Recorded.NEVER, "key_of": Recorded.NEVER,
}  # fmt: skip
"""By method of :class:`~otel_tool_audit.access.reader.TrailReader`; ``LatestCalls`` (:mod:`~otel_tool_audit.access.following`) is what ``tail`` asks."""
