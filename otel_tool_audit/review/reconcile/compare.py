"""
The comparison itself: records and spans come in by call, findings go out. Pure.

Source: ARCHITECTURE.md, D13.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final, NamedTuple

from otel_tool_audit.review.reconcile.values import ExportedSpan, Recorded, Window

MISSING_IN_BACKEND: Final = "missing in backend"
MISSING_IN_TRAIL: Final = "missing in trail"
MISMATCHED: Final = "mismatched"

KEPT: Final = 1000
"""Findings of each kind that are kept; all are counted."""

COUNTS: Final = (
    "calls", "agreed", MISSING_IN_BACKEND, MISSING_IN_TRAIL, MISMATCHED, "sampled away", "without span", "not ended", "on the way", "pruned",
    "without record", "duplicated spans", "spans of other trails",
)  # fmt: skip
"""
What is counted. ``calls`` are the trail's calls in the window; each is one of: agreed, missing in backend, mismatched, sampled away (its
record says so), without span (no tracing at all), not ended (nothing was stamped yet), on the way (ended too lately to be missed).
``without record``: spans that say themselves that their call's end is not on record: refused, or lost and counted by the writer.
"""

Keyed = tuple[bytes, Any]


class Discrepancy(NamedTuple):
    """
    One disagreement.

    Attributes:
        kind: One of the three kinds.
        call_id: 32 hex digits.
        where: The record's address in the trail, or the one that the span names.
        message: What is wrong.
        trace_id: 32 hex digits; None when no span is known.
        span_id: 16 hex digits; likewise.
    """

    kind: str
    call_id: str
    where: str
    message: str
    trace_id: str | None = None
    span_id: str | None = None


@dataclass(slots=True)
class Comparison:
    """
    What came of it.

    Attributes:
        counts: By name, see :data:`COUNTS`.
        findings: The first of each kind.
        other_trails: Ids of trails that spans name and that this is not.
    """

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    findings: list[Discrepancy] = field(default_factory=list)
    other_trails: set[str] = field(default_factory=set)

    def find(self, finding: Discrepancy) -> None:
        """Count a finding, and keep it while there is room."""
        self.counts[finding.kind] += 1
        if self.counts[finding.kind] <= KEPT:
            self.findings.append(finding)


class Terms(NamedTuple):
    """
    What the comparison goes by.

    Attributes:
        trail_id: 32 hex digits.
        window: Calls that started outside of it are not asked for.
        settled: Calls that ended later, in nanoseconds since the Unix epoch, may still be on their way to the backend.
        pruned: By chain, the first seq that is still there after lawful pruning.
    """

    trail_id: str
    window: Window
    settled: int
    pruned: dict[str, int]


def compare(records: Iterable[tuple[bytes, Recorded]], spans: Iterable[tuple[bytes, ExportedSpan]], terms: Terms) -> Comparison:
    """
    Compare.

    Args:
        records: With the key of their call, in the keys' order, and of one key in written order.
        spans: Likewise; a call that goes by several ids has one key.
        terms: What to go by.
    """
    found = Comparison()
    for there, here in _paired(records, spans):
        if there:
            _judge(found, there, here, terms)
        else:
            _judge_unrecorded(found, here, terms)
    return found


def _paired(
    records: Iterable[tuple[bytes, Recorded]], spans: Iterable[tuple[bytes, ExportedSpan]]
) -> Iterator[tuple[Sequence[Recorded], Sequence[ExportedSpan]]]:
    """Merge two sorted streams: for each key what either side has of it."""
    ones, others = groupby(records, key=_key), groupby(spans, key=_key)
    one, other = next(ones, None), next(others, None)
    while one is not None or other is not None:
        key = min(side[0] for side in (one, other) if side is not None)
        there: Sequence[Recorded] = ()
        here: Sequence[ExportedSpan] = ()
        if one is not None and one[0] == key:
            there = [record for _, record in one[1]]
            one = next(ones, None)
        if other is not None and other[0] == key:
            here = [span for _, span in other[1]]
            other = next(others, None)
        yield there, here


def _key(item: Keyed) -> bytes:
    return item[0]


def _judge(found: Comparison, there: Sequence[Recorded], here: Sequence[ExportedSpan], terms: Terms) -> None:
    counts = found.counts
    inside = terms.window.holds(min(record.at for record in there))
    counts["calls"] += inside
    here = _once(found, here)
    stamped = [span for span in here if span.hash is not None]
    counts["without record"] += len(here) - len(stamped)
    wrong = [(span, message) for span in stamped if (message := _contradiction(span, there, terms.trail_id)) is not None]
    if wrong:
        for span, message in wrong:
            found.find(_about(MISMATCHED, span, message))
    elif stamped:
        counts["agreed"] += inside
    elif inside:
        _judge_unseen(found, there, terms)


def _judge_unseen(found: Comparison, there: Sequence[Recorded], terms: Terms) -> None:
    """No span of the backend tells of this call: is there a reason?"""
    last = next((record for record in reversed(there) if record.ended), None)
    if last is None:
        found.counts["not ended"] += 1
    elif not any(record.traced for record in there):
        found.counts["without span"] += 1
    elif not any(record.sampled for record in there if record.traced):
        found.counts["sampled away"] += 1
    elif last.at >= terms.settled:
        found.counts["on the way"] += 1
    else:
        message = "no span of the backend names this call: lost or sampled on its way, or the record was added afterwards"
        found.find(Discrepancy(MISSING_IN_BACKEND, last.call.hex(), f"{last.chain}/{last.seq}", message))


def _judge_unrecorded(found: Comparison, here: Sequence[ExportedSpan], terms: Terms) -> None:
    """The trail has no record of this call: is there a reason?"""
    for span in _once(found, here):
        if span.trail is not None and span.trail != terms.trail_id:
            found.counts["spans of other trails"] += 1
            found.other_trails.add(span.trail)
        elif span.hash is None:
            found.counts["without record"] += 1
        elif span.chain is not None and span.seq is not None and span.seq < terms.pruned.get(span.chain, 0):
            found.counts["pruned"] += 1
        else:
            message = "the backend has this call's hash, the trail has no record of the call: removed, or written anew, after it was exported"
            found.find(_about(MISSING_IN_TRAIL, span, message))


def _contradiction(span: ExportedSpan, there: Sequence[Recorded], trail_id: str) -> str | None:
    """Say what a span and the call's records disagree about; None when they agree."""
    if span.trail is not None and span.trail != trail_id:
        return f"the span was stamped by trail {span.trail}, and this trail, {trail_id}, has the same call"
    for record in there:
        if record.hash == span.hash and span.seq in {None, record.seq} and span.chain in {None, record.chain}:
            return None
    at = next((record for record in there if (record.chain, record.seq) == (span.chain, span.seq)), None)
    named = (span.hash or b"").hex()
    if at is not None:
        return f"the trail's record has hash {at.hash.hex()}, the backend's span says {named}: the record was changed after it was exported"
    places = ", ".join(f"{record.chain}/{record.seq}" for record in there)
    return f"the backend's span names {_address(span)} with hash {named}, the trail has this call at {places}: that record was removed, or written anew, after export"


def _once(found: Comparison, here: Sequence[ExportedSpan]) -> Sequence[ExportedSpan]:
    """Leave out what was delivered more than once."""
    if len(here) < 2:  # noqa: PLR2004 - two make a repetition
        return here
    # a span that comes twice with different claims is two claims
    single = list(dict.fromkeys(here))
    found.counts["duplicated spans"] += len(here) - len(single)
    return single


def _about(kind: str, span: ExportedSpan, message: str) -> Discrepancy:
    return Discrepancy(kind, span.call.hex(), _address(span), message, span.trace.hex(), span.span.hex())


def _address(span: ExportedSpan) -> str:
    return f"{span.chain or '?'}/{'?' if span.seq is None else span.seq}"
