"""
What a report is made of, from calls and from the records of the trail's own life. Pure.

Source: ARCHITECTURE.md, R16, R19; FORMAT.md, sections 4 and 6.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from otel_tool_audit.format.events import Completeness, gap_of, kind_of
from otel_tool_audit.record.untrusted import details_of, mapping
from otel_tool_audit.review.calls.fold import ERROR
from otel_tool_audit.review.calls.statistics import Counter
from otel_tool_audit.review.calls.timeline import why_not
from otel_tool_audit.review.calls.values import COUNTED, Count
from otel_tool_audit.review.reports import Access, ReportedGap


def access(call: Mapping[str, Any]) -> Access:
    """Give a call as a row of an access report."""
    arguments, summary = call.get("arguments"), mapping(call.get("result_summary"))
    viewed = {name: value for name, value in summary.items() if not name.startswith("_")}
    named = [*(arguments if isinstance(arguments, Mapping) else ()), *viewed]
    return Access(
        timestamp=str(call["timestamp"]), user_id=str(call["user_id"]), user_role=call["user_role"], agent=call["agent"], model=call["model"],
        conversation_id=str(call["conversation_id"]), turn_number=call["turn_number"], tool_name=str(call["tool_name"]), trigger=call["trigger"],
        purpose=call["purpose"], status=str(call["status"]), error=call["error"], duration_ms=call["duration_ms"], arguments=arguments, viewed=viewed,
        fields=tuple(dict.fromkeys(str(name) for name in named if name != "success" and not str(name).startswith("_"))), trace_id=call["trace_id"],
        call_id=str(call["call_id"]), chain=str(call["chain"]), seq=int(call["seq"]), hash=str(call["hash"]), records=tuple(call["records"]),
        why_not=why_not(call),
    )  # fmt: skip


class CallTally:
    """All that an activity report counts by value."""

    def __init__(self) -> None:
        self._counters = {name: Counter() for name in COUNTED}

    def add(self, call: Mapping[str, Any]) -> None:
        """Count one more call."""
        failed = call["status"] == ERROR
        for name, field in COUNTED.items():
            if name != "errors" or failed:
                self._counters[name].add(call.get(field), failed=failed)

    def counts(self) -> dict[str, tuple[Count, ...]]:
        """Give what was counted, by attribute."""
        return {name: counter.counts() for name, counter in self._counters.items()}


class Life(NamedTuple):
    """What the trail's own records say of a period: refused calls, lost records, gaps."""

    refused: int
    lost: int
    gaps: tuple[ReportedGap, ...]


def life(records: Iterable[Mapping[str, Any]], start: str | None, end: str | None) -> Life:
    """
    Gather what the trail says of itself.

    Writers count from their opening on and say so now and then: what falls into the period is the difference between what they
    last said in it and what they last said before it.

    Args:
        records: Of the trail's own life, of all chains, in any order.
        start: Inclusive, as records write it.
        end: Exclusive.
    """
    before: dict[str, dict[str, int]] = {}
    within: dict[str, dict[str, int]] = {}
    gaps: list[ReportedGap] = []
    for record in records:
        effect, when, details = kind_of(record).completeness, str(record.get("timestamp")), details_of(record)
        if end is not None and when >= end:
            continue
        early = start is not None and when < start
        if effect is Completeness.COUNTERS:
            said = mapping(details.get("counters"))
            known = (before if early else within).setdefault(str(details.get("writer")), {})
            for name in ("refused", "lost"):
                number = said.get(name)
                known[name] = max(known.get(name, 0), number if type(number) is int else 0)
        elif not early and (effect is Completeness.CRASH or gap_of(record, "")):
            number = details.get("calls")
            why = details.get("reason") or details.get("kind")
            gaps.append(ReportedGap(
                str(record.get("chain")), int(record["seq"]), str(record.get("event")), when, None if why is None else str(why),
                number if type(number) is int else None, details,
            ))  # fmt: skip
    refused, lost = (
        sum(max(0, said.get(name, 0) - before.get(writer, {}).get(name, 0)) for writer, said in within.items()) for name in ("refused", "lost")
    )
    return Life(refused, lost, tuple(sorted(gaps, key=lambda gap: (gap.timestamp, gap.chain, gap.seq))))
