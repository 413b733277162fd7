"""
``reconcile``: read the trail, read the backend, compare, and judge.

Source: ARCHITECTURE.md, D13.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Final

from otel_tool_audit import exit_codes
from otel_tool_audit.record.codec import timestamp
from otel_tool_audit.review.calls.filters import Moment, moment
from otel_tool_audit.review.reader import UnauditedReader
from otel_tool_audit.review.reconcile.compare import MISMATCHED, MISSING_IN_BACKEND, MISSING_IN_TRAIL, Comparison, Terms, compare
from otel_tool_audit.review.reconcile.records import TrailSide, nanoseconds
from otel_tool_audit.review.reconcile.sources import Help, Progress, Source
from otel_tool_audit.review.reconcile.spill import Spill
from otel_tool_audit.review.reconcile.values import Window

AGREES: Final = "agrees"
DISAGREES: Final = "disagrees"
CANNOT_TELL: Final = "cannot tell"

SETTLED: Final = 60.0
"""Seconds after a call's end for which its span may be on its way."""

_MARGIN: Final = 60 * 1_000_000_000
"""A span starts a little before or after its call does; by so many nanoseconds more than was asked for is read of the backend."""

_DAY: Final = 86_400 * 1_000_000_000
_EXIT: Final = {AGREES: exit_codes.GOOD, DISAGREES: exit_codes.BROKEN, CANNOT_TELL: exit_codes.CANNOT_TELL}


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """
    What came of it.

    Attributes:
        verdict: ``agrees``, ``disagrees`` or ``cannot tell``.
        trail_id: 32 hex digits.
        backend: Which one.
        since: From when on calls were looked at, RFC 3339, UTC.
        until: Before when.
        comparison: Counts and findings.
        spans_read: How many spans of the backend were looked at.
        doubts: Why more cannot be told.
        notes: What else there is to know.
    """

    verdict: str
    trail_id: str
    backend: str
    since: str
    until: str
    comparison: Comparison
    spans_read: int
    doubts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether both agree."""
        return self.verdict == AGREES

    @property
    def exit_code(self) -> int:
        """0 both agree, 1 they do not, 3 cannot tell."""
        return _EXIT[self.verdict]

    def as_dict(self) -> dict[str, Any]:
        """Give it as JSON prints it."""
        found, counts = self.comparison, self.comparison.counts
        wrong = {MISSING_IN_BACKEND, MISSING_IN_TRAIL, MISMATCHED}
        return {
            "verdict": self.verdict, "trail_id": self.trail_id, "backend": self.backend, "since": self.since, "until": self.until,
            "counts": {name.replace(" ", "_"): number for name, number in counts.items()}, "spans_read": self.spans_read,
            "other_trails": sorted(found.other_trails), "findings": [finding._asdict() for finding in found.findings],
            "findings_left_out": sum(counts[kind] for kind in wrong) - len(found.findings), "doubts": self.doubts, "notes": self.notes,
        }  # fmt: skip


def reconcile(
    path: str | os.PathLike[str],
    source: Source,
    *,
    now: int,
    since: Moment | None = None,
    until: Moment | None = None,
    allow_missing: bool = False,
    state: str | os.PathLike[str] | None = None,
    progress: Progress = lambda *_: None,
) -> Reconciliation:
    """
    Compare a trail with a backend, both ways.

    Args:
        path: The trail's directory.
        source: The backend.
        now: Nanoseconds since the Unix epoch.
        since: Only calls that started then or later (text without a zone is UTC); by default all of the trail's.
        until: Only calls that started before; by default until now.
        allow_missing: Spans missing in the backend do not count: they may be sampled or lost. The trail's records may not.
        state: The writers' state directory, or ``none``; by default as the environment says.
        progress: Is told how far it is.

    Raises:
        AuditError: Trail or backend cannot be read.
        SettingsError: A time cannot be understood.
    """
    begin, end = moment(since, "since"), moment(until, "until")
    with UnauditedReader(path, state=state) as reader, Spill() as spill:
        side = TrailSide(reader.source)
        progress("reading the trail", 0, None)
        for packed in side.stream():
            spill.put_records(packed)
        spill.join(side.names)
        # spans of a trail cannot be older than its first record; a day more, for clocks that were set
        window = Window(max(0, side.first - _DAY) if begin is None else nanoseconds(begin), now if end is None else nanoseconds(end))
        wide = Window(max(0, window.since - _MARGIN), window.until + _MARGIN)
        for packed in source.spans(wide, Help(spill.moments, reader.source.pool, progress)):
            spill.put_spans(packed)
        progress("comparing", 0, None)
        terms = Terms(reader.trail_id, window, now - int(SETTLED * 1_000_000_000), side.pruned)
        found = compare(spill.records(), spill.spans(), terms)
        verdict, doubts = _judged(found, source, allow_missing=allow_missing)
        return Reconciliation(
            verdict, reader.trail_id, source.name, timestamp(window.since), timestamp(window.until), found, source.tally.spans_read, doubts,
            [*_notes(found, side, source), *reader.notes],
        )  # fmt: skip


def _judged(found: Comparison, source: Source, *, allow_missing: bool) -> tuple[str, list[str]]:
    counts = found.counts
    doubts = list(source.unread)
    missing = 0 if allow_missing else counts[MISSING_IN_BACKEND]
    if counts["on the way"] and not allow_missing:
        doubts.append(f"{counts['on the way']:,} calls ended less than {SETTLED:.0f} s ago and may be on their way: ask again, or name --until")
    if counts[MISSING_IN_TRAIL] or counts[MISMATCHED]:
        return DISAGREES, doubts
    if missing and not source.unread:
        return DISAGREES, doubts
    if allow_missing and counts[MISSING_IN_BACKEND] and not counts["agreed"]:
        doubts.append("no call was found on both sides: nothing could be compared")
    return (CANNOT_TELL if doubts else AGREES), doubts


def _notes(found: Comparison, side: TrailSide, source: Source) -> list[str]:
    notes = []
    if side.unreadable:
        notes.append(f"{side.unreadable:,} lines of the trail are no records: `otel-tool-audit verify` says which, and why")
    if side.spans_dropped:
        notes.append(f"the trail's writers counted {side.spans_dropped:,} spans that never left them or that the backend refused")
    if source.tally.unrecorded:
        services = ", ".join(f"{name} ({number:,})" for name, number in source.tally.unrecorded.most_common(5))
        notes.append(
            f"{source.tally.unrecorded.total():,} spans of tools name no record: nobody audits the process that made them. Services: {services}"
        )
    if found.other_trails:
        notes.append(f"{found.counts['spans of other trails']:,} spans belong to other trails: {', '.join(sorted(found.other_trails)[:5])}")
    return notes
