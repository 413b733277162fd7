"""
What statistics and reports say: values, for whoever shows them.

All durations are milliseconds, all moments UTC as records write them. A percentile is an observed duration: the smallest
one that at least so many of all calls with a duration do not exceed (nearest rank), so that every engine finds the same.

Source: ARCHITECTURE.md, R14, R16, R19.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from otel_tool_audit.review.calls.values import Count, ToolStatistics
from otel_tool_audit.review.verify.findings import Verification


@dataclass(frozen=True, slots=True)
class ChainHead:
    """Where a chain ended when it was looked at."""

    chain: str
    """Its name."""
    count: int
    """The seq after the last record."""
    hash: str
    """The last record's, 64 hex digits."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification said, as the head of a report shows it."""

    integrity: str
    """``intact``, ``broken`` or ``cannot tell``."""
    completeness: str
    """``complete``, ``known gaps`` or ``cannot tell``."""
    findings: tuple[str, ...]
    """What is broken, one sentence each with its address."""
    doubts: tuple[str, ...]
    """Why integrity cannot be told."""
    gaps: tuple[str, ...]
    """What is known to be missing, or why that cannot be told."""
    notes: tuple[str, ...]
    """What is worth saying besides."""
    records: int
    """How many were checked."""
    heads: tuple[ChainHead, ...]
    """Of every chain, by name."""

    @classmethod
    def of(cls, found: Verification) -> Verdict:
        """Take what matters from a verification."""
        return cls(
            found.integrity, found.completeness, tuple(f"{f.where}: {f.message}" for f in found.findings), tuple(found.doubts),
            tuple(found.gaps), tuple(found.notes), found.records,
            tuple(ChainHead(name, int(chain["count"]), str(chain["hash"])) for name, chain in sorted(found.chains.items())),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Access:
    """One call that touched a subject's data: a row of an access report."""

    timestamp: str
    user_id: str
    user_role: str | None
    agent: str | None
    model: str | None
    conversation_id: str
    turn_number: int | None
    tool_name: str
    trigger: str | None
    purpose: str | None
    status: str
    error: str | None
    duration_ms: float | None
    arguments: Any
    """Sanitized, as they stand in the record."""
    viewed: Mapping[str, Any]
    """The result's summary: identifiers and counts, never the payload."""
    fields: tuple[str, ...]
    """Names of what was given and what came back, as far as arguments and summary name them."""
    trace_id: str | None
    call_id: str
    chain: str
    """With ``seq``: where the last record of the call stands."""
    seq: int
    hash: str
    records: tuple[Mapping[str, Any], ...]
    """All records of the call: ``chain``, ``seq``, ``hash``, ``event``, ``timestamp``."""
    why_not: str | None = None
    """Of a call that was paused or denied: what it waits for, or who said no."""


@dataclass(frozen=True, slots=True)
class AccessReport:
    """Who saw a subject's data."""

    trail_id: str
    path: str
    subject: str
    """As it was asked for."""
    stored_as: tuple[str, ...]
    """What records may name the subject; never the subject in clear, unless it is stored so."""
    start: str | None
    end: str | None
    rows: tuple[Access, ...]
    """By time."""
    users: tuple[Count, ...]
    tools: tuple[Count, ...]
    purposes: tuple[Count, ...]
    verdict: Verdict | None
    """None when the trail was not verified."""
    notes: tuple[str, ...] = ()
    """What could not be read or told."""

    @property
    def recognisable(self) -> bool:
        """Whether the subject can be told from others: by a pseudonym, asked for or made with a key. Else no row means nothing."""
        from otel_tool_audit.keys.pseudonyms import is_pseudonym  # noqa: PLC0415 - most readers never ask for a subject

        return any(map(is_pseudonym, self.stored_as))


@dataclass(frozen=True, slots=True)
class ConversationReport:
    """What happened in a conversation, call by call."""

    trail_id: str
    path: str
    conversation: str
    start: str | None
    end: str | None
    rows: tuple[Access, ...]
    """By time."""
    users: tuple[Count, ...]
    tools: tuple[Count, ...]
    verdict: Verdict | None
    """None when the trail was not verified."""
    notes: tuple[str, ...] = ()
    """What could not be read or told."""


@dataclass(frozen=True, slots=True)
class ReportedGap:
    """Something that the trail itself says is missing, or was given up."""

    chain: str
    seq: int
    event: str
    """``trail.gap``, ``trail.recovered`` or ``trail.epoch``."""
    timestamp: str
    reason: str | None
    calls: int | None
    """How many calls are known to be missing; None when nobody counted."""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ActivityReport:
    """What happened in a period."""

    trail_id: str
    path: str
    start: str | None
    end: str | None
    total: ToolStatistics
    tools: tuple[ToolStatistics, ...]
    """Of each tool, the most called first."""
    users: tuple[Count, ...]
    roles: tuple[Count, ...]
    agents: tuple[Count, ...]
    models: tuple[Count, ...]
    triggers: tuple[Count, ...]
    purposes: tuple[Count, ...]
    errors: tuple[Count, ...]
    """Failed calls by ``error_type``."""
    refused: int
    """Calls that writers refused because they could not be recorded, as they counted it themselves."""
    lost: int
    """Records that writers could not write, as they counted it themselves."""
    gaps: tuple[ReportedGap, ...]
    verdict: Verdict | None
    """None when the trail was not verified."""
    notes: tuple[str, ...] = ()
    """What could not be read or told."""
    every: str | None = None
    """How long a stretch of the totals' series is: ``minute``, ``hour``, ``day`` or ``month``."""
