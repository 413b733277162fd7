"""What an answer is worth: the trail's condition, what the answer lacks, and the exit code that follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from otel_tool_audit import exit_codes
from otel_tool_audit.access.journal import stored_subject
from otel_tool_audit.record.model import REDACTED
from otel_tool_audit.review.reader import UnauditedReader
from otel_tool_audit.review.reports import Verdict
from otel_tool_audit.review.source.opened import OpenedTrail
from otel_tool_audit.review.verify import findings as f
from otel_tool_audit.review.verify.quick import quick_verify_opened
from otel_tool_audit.text import plural

FINDINGS_SHOWN: Final = 20
"""Findings that are listed beside an answer; ``verify`` has all."""


class AnswerStatus(NamedTuple):
    """
    What an answer is worth.

    Attributes:
        path: The trail's directory.
        trail_id: 32 hex digits.
        integrity: ``intact``, ``broken``, ``cannot tell``; or ``not verified``: nothing wrong was noticed, and not everything was looked at.
        findings: What is broken, one sentence each with its address.
        doubts: Why integrity cannot be told.
        notes: What the answer lacks, a sentence each.
        certain: False when nobody here can tell whether the answer is whole: the subject's pseudonym is not known.
    """

    path: str
    trail_id: str
    integrity: str
    findings: tuple[str, ...]
    doubts: tuple[str, ...]
    notes: tuple[str, ...]
    certain: bool

    @property
    def broken(self) -> bool:
        """Whether what was read is not what was written."""
        return self.integrity == f.BROKEN

    @property
    def exit_code(self) -> int:
        """0; 1 when the trail is broken, 3 when the answer may lack what was asked for."""
        return exit_codes.BROKEN if self.broken else exit_codes.GOOD if self.certain else exit_codes.CANNOT_TELL

    def in_words(self) -> str | None:
        """Tell in one line what is wrong with the trail, or not known; None when nothing is."""
        if self.broken:
            return broken_in_words(self.findings)
        if self.integrity == f.CANNOT_TELL and self.doubts:
            return f"whether this trail is what was written cannot be told: {self.doubts[0]}"
        return None

    def as_dict(self) -> dict[str, Any]:
        """Give it as JSON shows it beside an answer."""
        return {
            "path": self.path, "trail_id": self.trail_id, "integrity": self.integrity, "findings": list(self.findings[:FINDINGS_SHOWN]),
            "doubts": list(self.doubts), "notes": list(self.notes),
        }  # fmt: skip


def broken_in_words(findings: Sequence[str], number: int | None = None) -> str:
    """
    Say that a trail is broken, and where first.

    Args:
        findings: What was found, or the first of it.
        number: How much was found in all; by default no more than *findings*.
    """
    beyond = (len(findings) if number is None else number) - 1
    more = f" (and {beyond:,} more)" if beyond > 0 else ""
    return f"the trail is broken: {f'{findings[0]}{more}; ' if findings else ''}`otel-tool-audit verify` has all findings"


def status_of(reader: UnauditedReader, subject: str | None = None, verdict: Verdict | None = None) -> AnswerStatus:
    """
    Look at the trail that was asked, once its answer was read.

    Args:
        reader: Who answered.
        subject: Whose data was asked for, if anybody's.
        verdict: What is known of the trail already; without it as much is verified as costs little.
    """
    known = quick_verify_opened(reader.trail) if verdict is None else verdict
    # a line that is no record was changed, whatever the rest is worth
    integrity = f.BROKEN if reader.unreadable else known.integrity
    return AnswerStatus(reader.path, reader.trail_id, integrity, known.findings, known.doubts, lacks(reader), recognisable(subject, reader.trail))


def lacks(reader: UnauditedReader) -> tuple[str, ...]:
    """
    Say what an answer lacks, once all of it was read.

    Args:
        reader: Who answered.
    """
    lines = plural(reader.unreadable, "line")
    passed_over = f"{lines} could not be read and {'is' if reader.unreadable == 1 else 'are'} missing here; `otel-tool-audit verify` tells which"
    return (*([passed_over] if reader.unreadable else []), *reader.notes)


def recognisable(subject: str | None, trail: OpenedTrail) -> bool:
    """
    Tell whether a subject can be found: without a key nobody can say which pseudonym is theirs.

    Args:
        subject: As it was asked for; None: nobody's data was.
        trail: The state directory of its writers has the keys.
    """
    return subject is None or stored_subject(subject, trail) != REDACTED
